//! PayJS's book of orders: everything by account and number, bounded in number.

use std::collections::{BTreeMap, HashMap};

pub(super) use crate::clock::beijing_time;

use super::order::{Entry, Order};
use super::params::CashierParams;
use crate::control::view::{NotPayable, Payment, Push};
use crate::keys::KeyError;
use crate::provider::OrderKey;

/// The book holds as many orders as it may.
pub(super) struct Full;

/// Why an opening does not lead to the page.
pub(super) enum NotOpened {
    /// What PayJS says of it.
    Refused(&'static str),
    /// The system's source of randomness failed.
    Random(KeyError),
}

pub(crate) struct Book {
    orders_max: usize,
    entries: BTreeMap<OrderKey, Entry>,
    by_id: HashMap<String, OrderKey>,
    by_page: HashMap<String, OrderKey>,
    /// Counts order and transaction ids; goes on across resets.
    serial: u64,
}

impl Book {
    pub(super) fn new(orders_max: usize) -> Self {
        let entries = BTreeMap::new();
        Self { orders_max, entries, by_id: HashMap::new(), by_page: HashMap::new(), serial: 0 }
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

    pub(super) fn key_of_id(&self, payjs_order_id: &str) -> Option<&OrderKey> {
        self.by_id.get(payjs_order_id)
    }

    pub(super) fn key_of_page(&self, page: &str) -> Option<&OrderKey> {
        self.by_page.get(page)
    }

    pub(super) fn note_push(&mut self, key: &OrderKey, push: Push) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.remember_push(push);
        }
    }

    /// Makes the order at its first opening, or opens it again. Gives its page, and whether it is new.
    pub(super) fn make(
        &mut self,
        key: &OrderKey,
        params: CashierParams,
        now_ms: i64,
    ) -> Result<(String, bool), NotOpened> {
        let Some(entry) = self.entries.get_mut(key) else {
            return Err(NotOpened::Refused("订单不存在"));
        };
        if let Some(order) = &mut entry.order {
            order.check_repeat(&params, now_ms).map_err(NotOpened::Refused)?;
            order.openings += 1;
            return Ok((order.page.clone(), false));
        }
        self.serial += 1;
        let page = random_token().map_err(NotOpened::Random)?;
        let payjs_order_id = order_id(now_ms, self.serial);
        self.by_id.insert(payjs_order_id.clone(), key.clone());
        self.by_page.insert(page.clone(), key.clone());
        let openid = format!("o{:027}", self.serial);
        entry.order = Some(Order::opened(params, payjs_order_id, page.clone(), openid, now_ms));
        Ok((page, true))
    }

    /// Makes the second order of a number, which its payer has open in another window and is going to pay; false if the
    /// book is full.
    pub(super) fn make_second(&mut self, key: &OrderKey, now_ms: i64) -> bool {
        let Some(entry) = self.entries.get(key).filter(|_| self.entries.len() < self.orders_max) else {
            return false;
        };
        let Some(first) = &entry.order else { return false };
        self.serial += 1;
        let id = order_id(now_ms, self.serial);
        let (page, openid) = (first.page.clone(), first.openid.clone());
        let order = Order::opened(first.params.clone(), id.clone(), page, openid, now_ms);
        let order = Order { payer: first.payer, ..order };
        let second = Entry { order: Some(order), ..Entry::new(entry.total) };
        self.by_id.insert(id, key.second());
        self.entries.insert(key.second(), second);
        true
    }

    /// Takes a payment for an order.
    pub(super) fn pay(
        &mut self,
        key: &OrderKey,
        is_misreported: bool,
        now_ms: i64,
    ) -> Result<Payment, NotPayable> {
        self.serial += 1;
        // 28 digits, as WeChat's transaction ids have; the 9 keeps them apart from those of the WeChat side.
        let transaction_id = format!("4200{:010}9{:013}", now_ms / 1000, self.serial);
        let order = self.order_mut(key).ok_or(NotPayable::Unknown)?;
        let total = order.params.total_fee;
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

    /// Up to `limit` entries whose key lies behind `after`, in the order of their keys; second orders are looked up by
    /// their first.
    pub(super) fn page(
        &self,
        after: Option<&OrderKey>,
        limit: usize,
    ) -> impl Iterator<Item = (&OrderKey, &Entry)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let start = after.map_or(Unbounded, Excluded);
        self.entries.range((start, Unbounded)).filter(|(key, _)| !key.is_second).take(limit)
    }

    pub(super) fn reset(&mut self) {
        *self = Self { serial: self.serial, ..Self::new(self.orders_max) };
    }
}

/// 25 digits, as PayJS's samples have: the second in Beijing and a running number.
pub(super) fn order_id(now_ms: i64, serial: u64) -> String {
    format!("{}{:011}", beijing_time(now_ms, "%Y%m%d%H%M%S"), serial % 100_000_000_000)
}

fn random_token() -> Result<String, KeyError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| KeyError::Generate)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_times_are_written_as_in_the_samples() {
        assert_eq!(order_id(1_571_079_905_000, 456_615_858), "2019101503050500456615858");
        assert_eq!(beijing_time(1_571_079_970_000, "%Y-%m-%d %H:%M:%S"), "2019-10-15 03:06:10");
    }
}
