//! XorPay's book of orders: everything by account and number, bounded in number.

use std::collections::{BTreeMap, HashMap};

use super::order::{Entry, Order};
use super::params::CreateParams;
use super::sign;
use crate::control::view::{NotPayable, Payment, Push};
use crate::provider::OrderKey;

/// The book holds as many orders as it may.
pub(super) struct Full;

pub(crate) struct Book {
    orders_max: usize,
    entries: BTreeMap<OrderKey, Entry>,
    by_aoid: HashMap<String, OrderKey>,
    /// Counts orders, payments and open ids; goes on across resets.
    serial: u64,
}

impl Book {
    pub(super) fn new(orders_max: usize) -> Self {
        Self { orders_max, entries: BTreeMap::new(), by_aoid: HashMap::new(), serial: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The next of the numbers that say nothing.
    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
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

    pub(super) fn key_of_aoid(&self, aoid: &str) -> Option<&OrderKey> {
        self.by_aoid.get(aoid)
    }

    pub(super) fn note_push(&mut self, key: &OrderKey, push: Push) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.remember_push(push);
        }
    }

    /// Makes the order, or takes the same create again. Gives whether it is new.
    pub(super) fn make(
        &mut self,
        key: &OrderKey,
        params: CreateParams,
        now_ms: i64,
    ) -> Result<bool, &'static str> {
        if let Some(order) = self.order(key) {
            return order.check_repeat(&params, now_ms).map(|()| false);
        }
        let aoid = sign::token(&format!("{} {} {}", key.mchid, key.out_trade_no, self.next_serial()));
        let Some(entry) = self.entries.get_mut(key) else { return Err("not_exist") };
        entry.order = Some(Order::new(params, aoid.clone(), now_ms));
        self.by_aoid.insert(aoid, key.clone());
        Ok(true)
    }

    /// Takes a payment for an order.
    pub(super) fn pay(
        &mut self,
        key: &OrderKey,
        is_misreported: bool,
        now_ms: i64,
    ) -> Result<Payment, NotPayable> {
        // 28 digits, as WeChat's transaction ids have; the 8 keeps them apart from those of the other sides.
        let transaction_id = format!("4200{:010}8{:013}", now_ms / 1000, self.next_serial());
        let order = self.order_mut(key).ok_or(NotPayable::Unknown)?;
        let total = order.params.price;
        let payment = Payment {
            transaction_id,
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
        self.entries.range((after.map_or(Unbounded, Excluded), Unbounded)).take(limit)
    }

    pub(super) fn reset(&mut self) {
        *self = Self { serial: self.serial, ..Self::new(self.orders_max) };
    }
}
