//! Callers that wait for an order's launch parameters or end; best effort, bounded, forgotten in time.

use std::collections::{BTreeMap, VecDeque};

use parking_lot::Mutex;
use paymux_domain::command::ReplyAddress;
use paymux_domain::name::OrderKey;

/// Callers that may wait on one order.
const PER_ORDER_MAX: usize = 16;
/// Orders that may be waited for; the oldest is forgotten, its caller reads the store at its deadline.
const ORDERS_MAX: usize = 20_000;

/// Who waits for which order.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_order: BTreeMap<OrderKey, Vec<ReplyAddress>>,
    oldest: VecDeque<OrderKey>,
}

impl Waiters {
    pub(crate) fn add(&self, key: &OrderKey, address: ReplyAddress) {
        let mut inner = self.inner.lock();
        if let Some(waiting) = inner.by_order.get_mut(key) {
            if waiting.len() < PER_ORDER_MAX {
                waiting.push(address);
            }
            return;
        }
        while inner.oldest.len() >= ORDERS_MAX {
            if let Some(forgotten) = inner.oldest.pop_front() {
                inner.by_order.remove(&forgotten);
            }
        }
        inner.by_order.insert(key.clone(), vec![address]);
        inner.oldest.push_back(key.clone());
    }

    pub(crate) fn take(&self, key: &OrderKey) -> Vec<ReplyAddress> {
        let mut inner = self.inner.lock();
        let taken = inner.by_order.remove(key).unwrap_or_default();
        if !taken.is_empty() {
            // Waiters are mostly the newest, so the search is short.
            if let Some(at) = inner.oldest.iter().rposition(|waiting| waiting == key) {
                inner.oldest.remove(at);
            }
        }
        taken
    }
}
