//! Callers that wait for an order's launch parameters or end; best effort, bounded, forgotten in time.

use std::collections::{BTreeMap, VecDeque};

use parking_lot::Mutex;
use paymux_domain::command::ReplyAddress;
use paymux_domain::name::{OrderKey, RefundNo};

/// Callers that may wait on one order.
const PER_ORDER_MAX: usize = 16;
/// Orders that may be waited for; the oldest is forgotten, its caller reads the store at its deadline.
const ORDERS_MAX: usize = 20_000;

/// What a caller waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// Launch parameters, or an end.
    Launch,
    /// The provider's answer to a query, or an end.
    Answer,
    /// An end.
    End,
    /// A refund's reservation.
    Refund(RefundNo),
}

/// Who waits for which order.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_order: BTreeMap<OrderKey, Vec<(Awaited, ReplyAddress)>>,
    oldest: VecDeque<OrderKey>,
}

impl Waiters {
    pub(crate) fn add(&self, key: &OrderKey, awaited: Awaited, address: ReplyAddress) {
        let mut inner = self.inner.lock();
        if let Some(waiting) = inner.by_order.get_mut(key) {
            if waiting.len() < PER_ORDER_MAX {
                waiting.push((awaited, address));
            }
            return;
        }
        while inner.oldest.len() >= ORDERS_MAX {
            if let Some(forgotten) = inner.oldest.pop_front() {
                inner.by_order.remove(&forgotten);
            }
        }
        inner.by_order.insert(key.clone(), vec![(awaited, address)]);
        inner.oldest.push_back(key.clone());
    }

    /// Takes those whose wait is over.
    pub(crate) fn take(&self, key: &OrderKey, is_over: impl Fn(&Awaited) -> bool) -> Vec<ReplyAddress> {
        let mut inner = self.inner.lock();
        let Some(waiting) = inner.by_order.get_mut(key) else { return Vec::new() };
        let taken =
            waiting.extract_if(.., |(awaited, _)| is_over(awaited)).map(|(_, address)| address).collect();
        if waiting.is_empty() {
            inner.by_order.remove(key);
            // Waiters are mostly the newest, so the search is short.
            if let Some(at) = inner.oldest.iter().rposition(|waiting| waiting == key) {
                inner.oldest.remove(at);
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> OrderKey {
        OrderKey {
            merchant_id: "m".parse().expect("a valid merchant"),
            order_no: "o".parse().expect("a valid number"),
        }
    }

    fn address(call: u64) -> ReplyAddress {
        ReplyAddress { instance: "local".to_owned(), call }
    }

    #[test]
    fn each_hears_what_it_waits_for_and_once() {
        let waiters = Waiters::default();
        waiters.add(&key(), Awaited::Launch, address(1));
        waiters.add(&key(), Awaited::Answer, address(2));
        waiters.add(&key(), Awaited::End, address(3));
        assert_eq!(waiters.take(&key(), |awaited| *awaited == Awaited::Launch), [address(1)]);
        assert_eq!(waiters.take(&key(), |awaited| *awaited == Awaited::Launch), []);
        assert_eq!(waiters.take(&key(), |_| true), [address(2), address(3)]);
        assert!(waiters.inner.lock().oldest.is_empty(), "and nothing is left of the order");
    }

    #[test]
    fn one_order_has_a_bounded_number_of_waiters() {
        let waiters = Waiters::default();
        for call in 0..100 {
            waiters.add(&key(), Awaited::End, address(call));
        }
        assert_eq!(waiters.take(&key(), |_| true).len(), PER_ORDER_MAX);
    }
}
