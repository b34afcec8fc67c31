//! 码钱's book of orders: everything by account and number, bounded in number.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::{TimeZone, offset};

use super::order::{Entry, Order, Refund};
use super::params::CashierParams;
use crate::control::view::{NotPayable, Payment, Push, RefundCalls, RefundState};
use crate::provider::OrderKey;

/// The book holds as many orders as it may.
pub(super) struct Full;

pub(super) struct Book {
    orders_max: usize,
    entries: BTreeMap<OrderKey, Entry>,
    by_trade_no: BTreeMap<String, OrderKey>,
    by_out_refund_no: BTreeMap<(String, String), OrderKey>,
    /// Counts trade and refund numbers; goes on across resets.
    serial: u64,
}

impl Book {
    pub(super) fn new(orders_max: usize) -> Self {
        let entries = BTreeMap::new();
        Self {
            orders_max,
            entries,
            by_trade_no: BTreeMap::new(),
            by_out_refund_no: BTreeMap::new(),
            serial: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entry of a number, made if need be.
    pub(super) fn open(&mut self, key: &OrderKey, total: i64) -> Result<&mut Entry, Full> {
        if !self.entries.contains_key(key) && self.entries.len() >= self.orders_max {
            return Err(Full);
        }
        Ok(self.entries.entry(key.clone()).or_insert_with(|| Entry::new(total)))
    }

    pub(super) fn entry(&self, key: &OrderKey) -> Option<&Entry> {
        self.entries.get(key)
    }

    pub(super) fn entry_mut(&mut self, key: &OrderKey) -> Option<&mut Entry> {
        self.entries.get_mut(key)
    }

    pub(super) fn order(&self, key: &OrderKey) -> Option<&Order> {
        self.entries.get(key)?.order.as_ref()
    }

    pub(super) fn order_mut(&mut self, key: &OrderKey) -> Option<&mut Order> {
        self.entries.get_mut(key)?.order.as_mut()
    }

    pub(super) fn key_of_trade_no(&self, trade_no: &str) -> Option<&OrderKey> {
        self.by_trade_no.get(trade_no)
    }

    pub(super) fn key_of_refund(&self, merch_no: &str, out_refund_no: &str) -> Option<&OrderKey> {
        self.by_out_refund_no.get(&(merch_no.to_owned(), out_refund_no.to_owned()))
    }

    pub(super) fn note_refund(&mut self, key: &OrderKey, out_refund_no: &str) {
        self.by_out_refund_no.insert((key.mchid.clone(), out_refund_no.to_owned()), key.clone());
    }

    pub(super) fn note_push(&mut self, key: &OrderKey, push: Push) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.remember_push(push);
        }
    }

    /// Makes the order at its first opening, or opens it again; says whether it is new.
    pub(super) fn make(
        &mut self,
        key: &OrderKey,
        params: CashierParams,
        now_ms: i64,
    ) -> Result<bool, &'static str> {
        let entry = self.entries.get_mut(key).ok_or("订单不存在")?;
        if let Some(order) = &mut entry.order {
            order.check_repeat(&params, now_ms)?;
            order.openings += 1;
            return Ok(false);
        }
        self.serial += 1;
        let trade_no = numbered("ALI", now_ms, self.serial);
        self.by_trade_no.insert(trade_no.clone(), key.clone());
        entry.order = Some(Order::opened(params, trade_no, now_ms));
        Ok(true)
    }

    /// Takes a payment for an order.
    pub(super) fn pay(
        &mut self,
        key: &OrderKey,
        is_misreported: bool,
        now_ms: i64,
    ) -> Result<Payment, NotPayable> {
        let order = self.order_mut(key).ok_or(NotPayable::Unknown)?;
        let total = order.params.total;
        let payment = Payment {
            transaction_id: order.trade_no.clone(),
            total,
            payer_total: total,
            reported_total: total + i64::from(is_misreported),
            paid_ms: now_ms,
            refunded_ms: None,
        };
        order.pay(payment.clone())?;
        Ok(payment)
    }

    /// A refund that is about to be made.
    pub(super) fn draft_refund(&mut self, out_refund_no: &str, amount: i64, now_ms: i64) -> Refund {
        self.serial += 1;
        Refund {
            out_refund_no: out_refund_no.to_owned(),
            refund_no: numbered("RF", now_ms, self.serial),
            amount,
            created_ms: now_ms,
            ends_ms: now_ms,
            end: RefundState::Success,
            is_by_hand: false,
            calls: RefundCalls::default(),
        }
    }

    /// Up to `limit` entries whose key lies behind `after`, in the order of their keys.
    pub(super) fn page(
        &self,
        after: Option<&OrderKey>,
        limit: usize,
    ) -> impl Iterator<Item = (&OrderKey, &Entry)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let start = after.map_or(Unbounded, Excluded);
        self.entries.range((start, Unbounded)).take(limit)
    }

    pub(super) fn reset(&mut self) {
        *self = Self { serial: self.serial, ..Self::new(self.orders_max) };
    }
}

/// A number as the samples have them: letters, the day in Beijing, a running number of 15 digits.
pub(super) fn numbered(letters: &str, now_ms: i64, serial: u64) -> String {
    format!("{letters}{}{:015}", beijing_time(now_ms, "%y%m%d"), serial % 1_000_000_000_000_000)
}

/// A time in Beijing, in a format of `strftime`.
pub(super) fn beijing_time(at_ms: i64, format: &str) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::MAX);
    at.to_zoned(TimeZone::fixed(offset(8))).strftime(format).to_string()
}
