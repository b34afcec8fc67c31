//! What a worker says of itself: readiness and counters.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters and readiness of one worker; cheap to read at any time.
#[derive(Debug, Default)]
pub struct WorkerStatus {
    ready: AtomicBool,
    /// Records taken from the log.
    pub records: Counter,
    /// Decisions carried out.
    pub steps: Counter,
    /// Provider calls that left.
    pub calls: Counter,
    /// Calls that were not sent for want of lease, margin or line.
    pub calls_withheld: Counter,
    /// Events acknowledged.
    pub events: Counter,
    /// Due rows that led to a decision.
    pub rows_fired: Counter,
    /// Due rows dropped as superseded.
    pub rows_dropped: Counter,
    /// Steps that waited for store, log or lease.
    pub infrastructure_waits: Counter,
    /// Records buried as undecodable.
    pub buried: Counter,
    /// Records, reports and timers that had to wait for a merchant, account or provider that is not configured.
    pub waiting_for_configuration: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The number.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl WorkerStatus {
    /// Whether the worker reads its log and its store answers.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }
}
