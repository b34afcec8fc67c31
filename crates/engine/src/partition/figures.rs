//! The figures of an owned partition, for metrics: as they are now, cheap to read, and nothing is decided by them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use paymux_domain::ports::{Bucket, UnresolvedReport};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;

use super::Owner;

/// The figures of one owned partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// The partition.
    pub partition: Partition,
    /// Whether its lease is held.
    pub is_leased: bool,
    /// Records in the window, and how many it takes.
    pub window: (usize, usize),
    /// Orders with something in work.
    pub orders_in_work: usize,
    /// Calls whose outcome is not known.
    pub unresolved: UnresolvedReport,
    /// How long the oldest of them has not been known, in schedule time.
    pub unresolved_age: Option<Duration>,
    /// The first time that is not swept yet; `None` before the sweep has begun.
    pub swept_through: Option<Timestamp>,
    /// How long ago the bucket that is swept next has closed, in schedule time; zero while it is open.
    pub sweep_lateness: Duration,
    /// Accounts on which no call leaves, since their provider does not answer.
    pub accounts_cut_off: usize,
}

impl Owner {
    /// Its figures; `None` when this generation has ended.
    pub(crate) fn figures(&self) -> Option<Figures> {
        if self.cancel.is_cancelled() {
            return None;
        }
        let now = self.shared.clock.now();
        let swept = Some(self.swept.load(Ordering::Relaxed)).filter(|millis| *millis != i64::MAX);
        let swept_through = swept.map(Timestamp::from_millis);
        // A sweep that has not begun is as late as the partition has been owned.
        let due = swept_through.map_or(self.since, |swept| Bucket::of(swept).next().start());
        let unresolved = self.unresolved.report();
        Some(Figures {
            partition: self.partition,
            is_leased: self.lease.is_held(now),
            window: (self.intake.len(), self.shared.config.window_max),
            orders_in_work: self.queues.len(),
            unresolved_age: unresolved.oldest.map(|oldest| now.since(oldest)),
            unresolved,
            swept_through,
            sweep_lateness: now.since(due),
            accounts_cut_off: self.accounts.cut_off(),
        })
    }
}
