//! Timers in memory, fed by the same decisions as the due rows, which are the net below them.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use paymux_domain::name::OrderKey;
use paymux_domain::time::Timestamp;
use tokio::sync::Notify;

/// Timers of one partition: one per order, the newest counts.
#[derive(Debug)]
pub struct Wheel {
    max: usize,
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    by_time: BTreeSet<(Timestamp, OrderKey)>,
    by_order: BTreeMap<OrderKey, Timestamp>,
}

impl Wheel {
    /// No timer is set; timers of `max` orders fit.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { max, inner: Mutex::default(), changed: Notify::new() }
    }

    /// Sets an order's timer. A full wheel takes no new orders: their rows will do.
    pub fn set(&self, key: &OrderKey, at: Timestamp) {
        let mut inner = self.inner.lock();
        if let Some(old) = inner.by_order.get(key).copied() {
            inner.by_time.remove(&(old, key.clone()));
        } else if inner.by_order.len() >= self.max {
            return;
        }
        inner.by_order.insert(key.clone(), at);
        inner.by_time.insert((at, key.clone()));
        let is_first = inner.by_time.first().is_some_and(|(first, _)| *first == at);
        drop(inner);
        if is_first {
            self.changed.notify_one();
        }
    }

    /// Removes an order's timer.
    pub fn clear(&self, key: &OrderKey) {
        let mut inner = self.inner.lock();
        if let Some(old) = inner.by_order.remove(key) {
            inner.by_time.remove(&(old, key.clone()));
        }
    }

    /// The time of the first timer.
    #[must_use]
    pub fn first(&self) -> Option<Timestamp> {
        self.inner.lock().by_time.first().map(|(at, _)| *at)
    }

    /// Takes the first timer that is due.
    #[must_use]
    pub fn pop_due(&self, now: Timestamp) -> Option<(Timestamp, OrderKey)> {
        let mut inner = self.inner.lock();
        if inner.by_time.first().is_none_or(|(at, _)| *at > now) {
            return None;
        }
        let (at, key) = inner.by_time.pop_first()?;
        inner.by_order.remove(&key);
        Some((at, key))
    }

    /// Completes when an earlier timer than all others was set.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(no: &str) -> OrderKey {
        OrderKey {
            merchant_id: "m".parse().expect("a valid merchant"),
            order_no: no.parse().expect("a valid number"),
        }
    }

    #[test]
    fn an_order_has_one_timer_and_they_come_in_order_of_time() {
        let wheel = Wheel::new(2);
        let at = Timestamp::from_millis;
        wheel.set(&key("a"), at(30));
        wheel.set(&key("b"), at(20));
        wheel.set(&key("a"), at(10));
        wheel.set(&key("c"), at(1));
        assert_eq!(wheel.first(), Some(at(10)), "a full wheel takes no third order");
        assert_eq!(wheel.pop_due(at(9)), None);
        assert_eq!(wheel.pop_due(at(25)), Some((at(10), key("a"))));
        wheel.clear(&key("b"));
        assert_eq!(wheel.pop_due(at(99)), None);
    }
}
