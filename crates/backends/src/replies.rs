//! Replies within one process: on their last way to the call that waits, best effort.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use paymux_domain::ports::Reply;
use tokio::sync::mpsc;

/// Replies that one instance may leave unread; further ones are dropped and their callers read the store.
pub const REPLY_QUEUE_MAX: usize = 4096;

/// Hands replies to the instance that waits for them. Clones share the subscriptions.
#[derive(Clone, Debug)]
pub struct ReplyRouter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue_max: usize,
    instances: Mutex<BTreeMap<String, mpsc::Sender<Reply>>>,
    dropped: AtomicU64,
}

impl Default for ReplyRouter {
    fn default() -> Self {
        Self::new(REPLY_QUEUE_MAX)
    }
}

impl ReplyRouter {
    /// A router whose instances may each leave `queue_max` (at least 1) replies unread.
    #[must_use]
    pub fn new(queue_max: usize) -> Self {
        let shared = Shared {
            queue_max: queue_max.max(1),
            instances: Mutex::new(BTreeMap::new()),
            dropped: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The replies to an instance from now on; a second subscription replaces the first.
    #[must_use]
    pub fn subscribe(&self, instance: &str) -> mpsc::Receiver<Reply> {
        let (tx, rx) = mpsc::channel(self.shared.queue_max);
        self.shared.instances.lock().insert(instance.to_owned(), tx);
        rx
    }

    /// Whether an instance of this process takes replies.
    #[must_use]
    pub fn is_here(&self, instance: &str) -> bool {
        self.shared.instances.lock().get(instance).is_some_and(|tx| !tx.is_closed())
    }

    /// Hands a reply over, or drops it when nobody is there or the queue is full. Never waits.
    pub fn send(&self, reply: Reply) {
        let mut instances = self.shared.instances.lock();
        let sent = match instances.get(&reply.to.instance) {
            Some(tx) if tx.is_closed() => {
                instances.remove(&reply.to.instance);
                false
            }
            Some(tx) => tx.try_send(reply).is_ok(),
            None => false,
        };
        if !sent {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many replies were dropped so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use paymux_domain::command::ReplyAddress;
    use paymux_domain::name::OrderKey;
    use paymux_domain::ports::ReplyKind;

    use super::*;

    fn reply(instance: &str, call: u64) -> Reply {
        Reply {
            to: ReplyAddress { instance: instance.to_owned(), call },
            key: OrderKey {
                merchant_id: "m1".parse().expect("a valid merchant"),
                order_no: "o1".parse().expect("a valid number"),
            },
            kind: ReplyKind::Ready,
        }
    }

    #[test]
    fn a_reply_reaches_its_instance_and_no_other() {
        let router = ReplyRouter::default();
        let (mut a, mut b) = (router.subscribe("a"), router.subscribe("b"));
        router.send(reply("b", 7));
        assert!(router.is_here("b") && !router.is_here("c"));
        assert_eq!(b.try_recv().map(|r| r.to.call), Ok(7));
        assert!(a.try_recv().is_err());
        assert_eq!(router.dropped(), 0);
    }

    #[test]
    fn replies_that_nobody_takes_are_dropped_and_counted() {
        let router = ReplyRouter::new(2);
        let rx = router.subscribe("a");
        for call in 0..3 {
            router.send(reply("a", call));
        }
        router.send(reply("nobody", 0));
        assert_eq!(router.dropped(), 2);
        drop(rx);
        assert!(!router.is_here("a"));
        router.send(reply("a", 9));
        assert_eq!(router.dropped(), 3);
    }
}
