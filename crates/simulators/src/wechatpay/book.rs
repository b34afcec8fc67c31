//! The provider's book of orders: everything by (account, out_trade_no), bounded in number.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::answer::ApiError;
use super::order::{Entry, NotPayable, Order, Payment, Prepay, Push, remember_push};
use super::params::CreateParams;
use super::payment::NotPossible;
use super::refund::ledger::{Refund, RefundEnd, payer_part};
use super::refund::params::RefundParams;
use crate::faults::FaultKind;

/// Numbers are unique per mchid, for partners per sp_mchid (the stricter reading).
pub(crate) use crate::provider::OrderKey;

/// The effect of a create.
pub(crate) struct Made {
    pub(crate) prepay_id: String,
    /// Whether the order came into being by this call.
    pub(crate) is_new: bool,
}

/// When a refund comes into being and ends, and what it ends as.
pub(crate) struct RefundCourse {
    pub(crate) created_ms: i64,
    pub(crate) ends_ms: i64,
    pub(crate) end: RefundEnd,
}

pub(crate) struct Book {
    orders_max: usize,
    entries: BTreeMap<OrderKey, Entry>,
    by_transaction: HashMap<String, OrderKey>,
    by_prepay: HashMap<String, OrderKey>,
    /// By (account, out_refund_no): the numbers are unique on the account.
    by_refund: HashMap<(String, String), OrderKey>,
    /// Counts prepay, transaction and refund ids; goes on across resets.
    serial: u64,
}

impl Book {
    pub(crate) fn new(orders_max: usize) -> Self {
        Self {
            orders_max,
            entries: BTreeMap::new(),
            by_transaction: HashMap::new(),
            by_prepay: HashMap::new(),
            by_refund: HashMap::new(),
            serial: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entry of a number, made if need be.
    pub(crate) fn open(&mut self, key: &OrderKey, total: i64) -> Result<&mut Entry, ApiError> {
        if !self.entries.contains_key(key) && self.entries.len() >= self.orders_max {
            let max = self.orders_max;
            return Err(ApiError::system(format!(
                "the simulator is full: orders_max = {max} orders are held; raise it or POST /control/reset"
            )));
        }
        Ok(self.entries.entry(key.clone()).or_insert_with(|| Entry::new(total)))
    }

    pub(crate) fn entry(&self, key: &OrderKey) -> Option<&Entry> {
        self.entries.get(key)
    }

    pub(crate) fn entry_mut(&mut self, key: &OrderKey) -> Option<&mut Entry> {
        self.entries.get_mut(key)
    }

    pub(crate) fn order(&self, key: &OrderKey) -> Option<&Order> {
        self.entries.get(key)?.order.as_ref()
    }

    pub(crate) fn order_mut(&mut self, key: &OrderKey) -> Option<&mut Order> {
        self.entries.get_mut(key)?.order.as_mut()
    }

    pub(crate) fn key_of_transaction(&self, transaction_id: &str) -> Option<&OrderKey> {
        self.by_transaction.get(transaction_id)
    }

    pub(crate) fn key_of_prepay(&self, prepay_id: &str) -> Option<&OrderKey> {
        self.by_prepay.get(prepay_id)
    }

    pub(crate) fn note_fault(&mut self, key: &OrderKey, kind: FaultKind) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.faults.insert(kind);
        }
    }

    /// Notes a fault at the refund and at its order.
    pub(crate) fn note_refund_fault(&mut self, key: &OrderKey, out_refund_no: &str, kind: FaultKind) {
        self.note_fault(key, kind);
        if let Some(entry) = self.order_mut(key).and_then(|order| order.refunds.entry_mut(out_refund_no)) {
            entry.faults.insert(kind);
        }
    }

    /// Notes a push at the order, or at the refund that it tells of.
    pub(crate) fn note_push(&mut self, key: &OrderKey, out_refund_no: Option<&str>, push: Push) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let Some(number) = out_refund_no else { return remember_push(&mut entry.pushes, push) };
        if let Some(refund) = entry.order.as_mut().and_then(|order| order.refunds.entry_mut(number)) {
            remember_push(&mut refund.pushes, push);
        }
    }

    /// Makes the order, or a fresh prepay_id for the same one.
    pub(crate) fn make(
        &mut self,
        key: &OrderKey,
        params: CreateParams,
        now_ms: i64,
    ) -> Result<Made, ApiError> {
        self.serial += 1;
        // At most 64 characters, as the provider states.
        let prepay_id = format!("wx{}{:020}", now_ms / 1000, self.serial);
        let entry = self.open(key, params.total)?;
        let is_new = match &entry.order {
            Some(order) => {
                order.check_repeat(&params, now_ms)?;
                false
            }
            None => true,
        };
        let order = entry.order.get_or_insert_with(|| Order::new(params, now_ms));
        let forgotten = order.remember_prepay(Prepay { id: prepay_id.clone(), issued_ms: now_ms });
        if let Some(prepay) = forgotten {
            self.by_prepay.remove(&prepay.id);
        }
        self.by_prepay.insert(prepay_id.clone(), key.clone());
        Ok(Made { prepay_id, is_new })
    }

    /// Takes a payment for an order.
    pub(crate) fn pay(
        &mut self,
        key: &OrderKey,
        payer_total: Option<i64>,
        is_misreported: bool,
        now_ms: i64,
    ) -> Result<Payment, NotPayable> {
        self.serial += 1;
        // 28 digits, as the provider's transaction ids have; the time keeps them apart across restarts.
        let transaction_id = format!("4200{:010}{:014}", now_ms / 1000, self.serial);
        let order = self.order_mut(key).ok_or(NotPayable::Unknown)?;
        let total = order.params.total;
        let payment = Payment {
            transaction_id,
            total,
            payer_total: payer_total.unwrap_or(total),
            reported_total: total + i64::from(is_misreported),
            paid_ms: now_ms,
            refunded_ms: None,
        };
        order.pay(payment.clone())?;
        self.by_transaction.insert(payment.transaction_id.clone(), key.clone());
        Ok(payment)
    }

    pub(crate) fn key_of_refund(&self, mchid: &str, out_refund_no: &str) -> Option<&OrderKey> {
        self.by_refund.get(&(mchid.to_owned(), out_refund_no.to_owned()))
    }

    /// The order that is to be refunded, by either number; both must name the same one.
    pub(crate) fn key_of_refunded(&self, mchid: &str, params: &RefundParams) -> Result<OrderKey, ApiError> {
        let by_number = params.out_trade_no.as_ref().map(|number| OrderKey::new(mchid, number));
        let Some(id) = &params.transaction_id else {
            return by_number.ok_or_else(ApiError::resource_not_exists);
        };
        let by_id = self.by_transaction.get(id).filter(|key| key.mchid == mchid);
        let key = by_id.cloned().ok_or_else(ApiError::resource_not_exists)?;
        if by_number.is_some_and(|other| other != key) {
            return Err(ApiError::invalid("transaction_id与out_trade_no不是同一订单"));
        }
        Ok(key)
    }

    /// Makes a refund; false if it was made before by the same request.
    pub(crate) fn make_refund(
        &mut self,
        key: &OrderKey,
        params: &RefundParams,
        course: RefundCourse,
    ) -> Result<bool, ApiError> {
        let refund_id = self.next_refund_id(course.created_ms);
        let number = &params.out_refund_no;
        if self.key_of_refund(&key.mchid, number).is_some_and(|taken| taken != key) {
            return Err(ApiError::reentry());
        }
        let order = self.order(key).ok_or_else(ApiError::resource_not_exists)?;
        let payment = order.payment.as_ref().ok_or_else(ApiError::resource_not_exists)?;
        if let Some(known) = order.refunds.refund(number) {
            return if known.body == params.body { Ok(false) } else { Err(ApiError::reentry()) };
        }
        let now_ms = course.created_ms;
        order.refunds.check_new(payment, params, now_ms)?;
        let refund = Refund {
            refund_id,
            amount: params.refund,
            payer_amount: payer_part(payment, order.refunds.reserved(now_ms), params.refund),
            created_ms: now_ms,
            ends_ms: course.ends_ms,
            end: course.end,
            is_by_hand: false,
            notify_url: params.notify_url.clone(),
            body: params.body.clone(),
        };
        self.enter_refund(key, number.clone(), refund);
        Ok(true)
    }

    /// Refunds what is left of a payment in the merchant console, which gives the refund a number of its own.
    pub(crate) fn refund_by_hand(&mut self, key: &OrderKey, now_ms: i64) -> Result<Payment, NotPossible> {
        let refund_id = self.next_refund_id(now_ms);
        let number = format!("CONSOLE{refund_id}");
        let order = self.order(key).ok_or(NotPossible::Unknown)?;
        let payment = order.payment.as_ref().ok_or(NotPossible::NotPaid)?;
        let reserved = order.refunds.reserved(now_ms);
        let left = payment.total - reserved;
        if left <= 0 {
            return Err(NotPossible::NothingLeft);
        }
        let refund = Refund {
            refund_id,
            amount: left,
            payer_amount: payer_part(payment, reserved, left),
            created_ms: now_ms,
            ends_ms: now_ms,
            end: RefundEnd::Success,
            is_by_hand: true,
            notify_url: None,
            body: Value::Null,
        };
        self.enter_refund(key, number, refund);
        self.order(key).and_then(|order| order.payment_at(now_ms)).ok_or(NotPossible::NotPaid)
    }

    /// 29 digits, as the provider's refund ids have; the time keeps them apart across restarts.
    fn next_refund_id(&mut self, now_ms: i64) -> String {
        self.serial += 1;
        format!("5030{:010}{:015}", now_ms / 1000, self.serial)
    }

    fn enter_refund(&mut self, key: &OrderKey, out_refund_no: String, refund: Refund) {
        if let Some(order) = self.order_mut(key) {
            order.refunds.enter(&out_refund_no, refund);
            self.by_refund.insert((key.mchid.clone(), out_refund_no), key.clone());
        }
    }

    /// Up to `limit` entries whose key lies behind `after`, in the order of their keys.
    pub(crate) fn page(
        &self,
        after: Option<&OrderKey>,
        limit: usize,
    ) -> impl Iterator<Item = (&OrderKey, &Entry)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let start = after.map_or(Unbounded, Excluded);
        self.entries.range((start, Unbounded)).take(limit)
    }

    pub(crate) fn reset(&mut self) {
        *self = Self { serial: self.serial, ..Self::new(self.orders_max) };
    }
}
