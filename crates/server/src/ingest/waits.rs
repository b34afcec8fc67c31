//! Calls of this process that wait for a reply of an order's owner.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use paymux_domain::command::ReplyAddress;
use paymux_domain::ports::{Reply, ReplyKind};

/// The waiting calls; their number is bounded by the calls that are under way.
#[derive(Debug)]
pub struct ReplyWaits {
    instance: String,
    next_call: AtomicU64,
    waiting: Mutex<BTreeMap<u64, oneshot::Sender<ReplyKind>>>,
}

impl ReplyWaits {
    /// For the ingest instance of that name.
    #[must_use]
    pub fn new(instance: String) -> Arc<Self> {
        Arc::new(Self { instance, next_call: AtomicU64::new(1), waiting: Mutex::new(BTreeMap::new()) })
    }

    /// A call that waits from now on.
    pub(super) fn register(self: &Arc<Self>) -> Waiting {
        let call = self.next_call.fetch_add(1, Ordering::Relaxed);
        let (tx, reply) = oneshot::channel();
        self.waiting.lock().insert(call, tx);
        Waiting { waits: Arc::clone(self), call, reply }
    }

    /// Hands replies to their calls until the sending side is gone.
    pub async fn run(self: Arc<Self>, mut replies: mpsc::Receiver<Reply>) {
        while let Some(reply) = replies.recv().await {
            if let Some(tx) = self.waiting.lock().remove(&reply.to.call) {
                // The call may have just left.
                drop(tx.send(reply.kind));
            }
        }
    }
}

/// One waiting call; dropping it ends the wait.
#[derive(Debug)]
pub(super) struct Waiting {
    waits: Arc<ReplyWaits>,
    call: u64,
    reply: oneshot::Receiver<ReplyKind>,
}

impl Waiting {
    /// Where its reply goes.
    pub(super) fn address(&self) -> ReplyAddress {
        ReplyAddress { instance: self.waits.instance.clone(), call: self.call }
    }

    /// The reply; `None` when there will be none. After its first result it stays pending.
    pub(super) async fn reply(&mut self) -> Option<ReplyKind> {
        if self.reply.is_terminated() {
            return std::future::pending().await;
        }
        (&mut self.reply).await.ok()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.waits.waiting.lock().remove(&self.call);
    }
}

#[cfg(test)]
mod tests {
    use paymux_domain::name::OrderKey;

    use super::*;

    #[tokio::test]
    async fn a_reply_reaches_its_call_and_a_call_that_left_is_forgotten() {
        let waits = ReplyWaits::new("i1".to_owned());
        let (tx, rx) = mpsc::channel(4);
        let running = tokio::spawn(waits.clone().run(rx));
        let mut first = waits.register();
        let second = waits.register();
        let key = OrderKey { merchant_id: "m1".parse().unwrap(), order_no: "a".parse().unwrap() };
        let gone = second.address();
        drop(second);
        for to in [gone, first.address()] {
            tx.send(Reply { to, key: key.clone(), kind: ReplyKind::Ready }).await.unwrap();
        }
        assert_eq!(first.reply().await, Some(ReplyKind::Ready));
        drop(first);
        assert!(waits.waiting.lock().is_empty());
        drop(tx);
        running.await.unwrap();
    }
}
