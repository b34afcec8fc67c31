//! The provider's book of orders: everything by (account, out_trade_no), bounded in number.

use std::collections::{BTreeMap, HashMap};

use super::answer::ApiError;
use super::order::{Entry, NotPayable, Order, Payment, Prepay, Push};
use super::params::CreateParams;
use crate::faults::FaultKind;

/// Numbers are unique per mchid, for partners per sp_mchid (the stricter reading).
pub(crate) use crate::provider::OrderKey;

/// The effect of a create.
pub(crate) struct Made {
    pub(crate) prepay_id: String,
    /// Whether the order came into being by this call.
    pub(crate) is_new: bool,
}

pub(crate) struct Book {
    orders_max: usize,
    entries: BTreeMap<OrderKey, Entry>,
    by_transaction: HashMap<String, OrderKey>,
    by_prepay: HashMap<String, OrderKey>,
    /// Counts prepay and transaction ids; goes on across resets.
    serial: u64,
}

impl Book {
    pub(crate) fn new(orders_max: usize) -> Self {
        Self {
            orders_max,
            entries: BTreeMap::new(),
            by_transaction: HashMap::new(),
            by_prepay: HashMap::new(),
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

    pub(crate) fn note_push(&mut self, key: &OrderKey, push: Push) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.remember_push(push);
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
