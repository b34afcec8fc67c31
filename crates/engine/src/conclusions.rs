//! An owner's conclusions on their way to the store: its partition is given back when none is left.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// How many writes of conclusions are under way.
#[derive(Debug, Default)]
pub(crate) struct Conclusions {
    under_way: AtomicUsize,
    ended: Notify,
}

/// A write that is under way until this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay<'a>(&'a Conclusions);

impl Conclusions {
    /// A write begins. To be called before the lease is looked at: whoever ends the generation then waits either for
    /// this write, or for one that has seen the end.
    pub(crate) fn begin(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        UnderWay(self)
    }

    /// Completes when no write is under way.
    pub(crate) async fn ended(&self) {
        loop {
            let ended = self.ended.notified();
            if self.under_way.load(Ordering::Acquire) == 0 {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if self.0.under_way.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.ended.notify_waiters();
        }
    }
}
