//! UPaaS's book of orders: everything by account and number, bounded in number.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::tz::{TimeZone, offset};

use super::order::{Entry, Order};
use super::params::{Channel, CreateParams};
use crate::control::view::{NotPayable, Payment, Push};
use crate::provider::OrderKey;

/// The book holds as many orders as it may.
pub(super) struct Full;

pub(crate) struct Book {
    orders_max: usize,
    entries: BTreeMap<OrderKey, Entry>,
    by_prepay: HashMap<String, OrderKey>,
    /// Counts numbers; goes on across resets.
    serial: u64,
}

impl Book {
    pub(super) fn new(orders_max: usize) -> Self {
        Self { orders_max, entries: BTreeMap::new(), by_prepay: HashMap::new(), serial: 0 }
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

    pub(super) fn key_of_prepay(&self, prepay: &str) -> Option<&OrderKey> {
        self.by_prepay.get(prepay)
    }

    pub(super) fn note_push(&mut self, key: &OrderKey, push: Push) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.remember_push(push);
        }
    }

    /// A number of its own, 29 digits for orders as in the page's samples.
    pub(super) fn next_number(&mut self, now_ms: i64) -> String {
        self.serial += 1;
        let digits = format!("32{}{:013}", beijing_time(now_ms, "%Y%m%d%H%M%S"), self.serial);
        digits.chars().take(32).collect()
    }

    /// Makes the order of a number.
    pub(super) fn make(&mut self, key: &OrderKey, params: CreateParams, now_ms: i64) {
        let order_number = self.next_number(now_ms);
        let prepay = match params.channel {
            Channel::WeixinJsapi | Channel::WeixinMiniProgram => format!("wx{:026}", self.serial),
            Channel::Alipay => format!("{}{:020}", beijing_time(now_ms, "%Y%m%d"), self.serial),
            Channel::Unionpay => format!("session{:033}", self.serial),
        };
        self.by_prepay.insert(prepay.clone(), key.clone());
        if let Some(entry) = self.entries.get_mut(key) {
            entry.order = Some(Order::new(params, order_number, prepay, now_ms));
        }
    }

    /// Takes a payment for an order.
    pub(super) fn pay(
        &mut self,
        key: &OrderKey,
        is_misreported: bool,
        now_ms: i64,
    ) -> Result<Payment, NotPayable> {
        let order = self.order_mut(key).ok_or(NotPayable::Unknown)?;
        let total = order.params.amount;
        let payment = Payment {
            transaction_id: order.order_number.clone(),
            total,
            payer_total: total,
            reported_total: total + i64::from(is_misreported),
            paid_ms: now_ms,
            refunded_ms: None,
        };
        order.pay(payment.clone())?;
        Ok(payment)
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

/// A time in Beijing, in a format of `strftime`.
pub(super) fn beijing_time(at_ms: i64, format: &str) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::MAX);
    at.to_zoned(TimeZone::fixed(offset(8))).strftime(format).to_string()
}
