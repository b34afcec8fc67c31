//! What readers need to know of the committer's progress: durable ends of the partitions, wake-ups, its failure.

use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};

use paymux_domain::ports::{Bucket, Offset};
use paymux_domain::shard::Partition;
use tokio::sync::{Notify, watch};

/// Durable positions of one partition. Written by the committer alone, after each commit.
#[derive(Debug, Default)]
pub(super) struct Ends {
    log: AtomicU64,
    committed: AtomicU64,
    events_first: AtomicU64,
    events: AtomicU64,
    /// All who wait for events of this partition.
    pub(super) events_grew: Notify,
}

impl Ends {
    /// The offset after the newest durable record.
    pub(super) fn log(&self) -> Offset {
        self.log.load(Ordering::Acquire)
    }

    /// The first record that is still needed.
    pub(super) fn committed(&self) -> Offset {
        self.committed.load(Ordering::Acquire)
    }

    /// The oldest event that is kept.
    pub(super) fn events_first(&self) -> Offset {
        self.events_first.load(Ordering::Acquire)
    }

    /// The offset after the newest durable event.
    pub(super) fn events(&self) -> Offset {
        self.events.load(Ordering::Acquire)
    }

    /// Tells whether records were added.
    pub(super) fn set(&self, positions: &Positions) -> bool {
        self.committed.store(positions.committed, Ordering::Release);
        self.events_first.store(positions.events_first, Ordering::Release);
        let records = self.log.swap(positions.log, Ordering::AcqRel);
        if self.events.swap(positions.events, Ordering::AcqRel) < positions.events {
            self.events_grew.notify_waiters();
        }
        records < positions.log
    }
}

/// Positions of one partition as the committer counts them, including the batch under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Positions {
    pub(super) log_first: Offset,
    pub(super) committed: Offset,
    pub(super) log: Offset,
    pub(super) events_first: Offset,
    pub(super) events: Offset,
    pub(super) floor: Option<Bucket>,
    pub(super) swept_through: Option<Bucket>,
}

/// Shared by the committer and all readers.
#[derive(Debug)]
pub(super) struct Signals {
    ends: Vec<Ends>,
    /// One permit for the one consumer.
    pub(super) log_grew: Notify,
    failure: watch::Sender<Option<String>>,
}

impl Signals {
    pub(super) fn new(positions: &[Positions]) -> Self {
        let ends = positions.iter().map(|positions| {
            let ends = Ends::default();
            ends.set(positions);
            ends
        });
        Self { ends: ends.collect(), log_grew: Notify::new(), failure: watch::Sender::new(None) }
    }

    pub(super) fn ends(&self, partition: Partition) -> Option<&Ends> {
        self.ends.get(usize::from(partition.0))
    }

    /// Why nothing is acknowledged any more.
    pub(super) fn failure(&self) -> Option<String> {
        self.failure.borrow().clone()
    }

    pub(super) fn fail(&self, reason: &str) {
        self.failure.send_if_modified(|failure| {
            let is_first = failure.is_none();
            failure.get_or_insert_with(|| reason.to_owned());
            is_first
        });
    }

    /// Completes with the reason once a commit has failed.
    pub(super) async fn failed(&self) -> String {
        let mut failure = self.failure.subscribe();
        let reason = failure.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        match reason {
            Some(reason) => reason,
            // The sender lives in `self`, so the channel cannot close while somebody waits here.
            None => pending().await,
        }
    }
}
