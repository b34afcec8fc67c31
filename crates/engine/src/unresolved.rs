//! The oldest call whose outcome is not known, among the orders that an owner has worked on: for people, and nothing
//! is decided by it.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use paymux_domain::name::OrderKey;
use paymux_domain::ports::UnresolvedReport;
use paymux_domain::time::Timestamp;

/// Orders of one partition with such a call.
#[derive(Debug)]
pub(crate) struct Unresolved {
    max: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_order: BTreeMap<OrderKey, Timestamp>,
    by_time: BTreeSet<(Timestamp, OrderKey)>,
    /// Some were left out, the youngest, since it was last empty.
    is_incomplete: bool,
}

impl Unresolved {
    /// Remembers at most so many orders: the oldest ones.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, inner: Mutex::default() }
    }

    /// The order's oldest such call as it is now; `None`: it has none.
    pub(crate) fn note(&self, key: &OrderKey, oldest: Option<Timestamp>) {
        let mut inner = self.inner.lock();
        if inner.by_order.get(key).copied() == oldest {
            return;
        }
        if let Some(old) = inner.by_order.remove(key) {
            inner.by_time.remove(&(old, key.clone()));
        }
        if let Some(time) = oldest {
            inner.by_order.insert(key.clone(), time);
            inner.by_time.insert((time, key.clone()));
            if inner.by_order.len() > self.max
                && let Some((_, youngest)) = inner.by_time.pop_last()
            {
                inner.by_order.remove(&youngest);
                inner.is_incomplete = true;
            }
        } else if inner.by_order.is_empty() {
            inner.is_incomplete = false;
        }
    }

    pub(crate) fn report(&self) -> UnresolvedReport {
        let inner = self.inner.lock();
        UnresolvedReport {
            oldest: inner.by_time.first().map(|(time, _)| *time),
            orders: u64::try_from(inner.by_order.len()).unwrap_or(u64::MAX),
            is_incomplete: inner.is_incomplete,
        }
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

    fn told(unresolved: &Unresolved) -> (Option<i64>, u64, bool) {
        let UnresolvedReport { oldest, orders, is_incomplete } = unresolved.report();
        (oldest.map(Timestamp::as_millis), orders, is_incomplete)
    }

    #[test]
    fn the_oldest_is_told_until_it_is_resolved_and_the_youngest_is_left_out_where_there_is_no_room() {
        let at = |millis| Some(Timestamp::from_millis(millis));
        let unresolved = Unresolved::new(2);
        assert_eq!(told(&unresolved), (None, 0, false));
        unresolved.note(&key("a"), at(10));
        unresolved.note(&key("a"), at(20));
        unresolved.note(&key("b"), at(30));
        assert_eq!(told(&unresolved), (Some(20), 2, false));
        unresolved.note(&key("c"), at(5));
        assert_eq!(told(&unresolved), (Some(5), 2, true), "b is left out");
        unresolved.note(&key("c"), None);
        assert_eq!(told(&unresolved), (Some(20), 1, true));
        unresolved.note(&key("a"), None);
        assert_eq!(told(&unresolved), (None, 0, false));
    }
}
