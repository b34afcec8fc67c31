//! What is counted while the engine works: numbers that only grow, numbers that rise and fall, and how long things took.
//!
//! Whoever counts holds the tally itself: counting takes no lock, no memory and no look at a name. Only which provider's
//! tally it is must be looked up ([`orders`](crate::orders)). Names and labels are given where the tallies are told
//! (`docs/metrics.md`).

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// A number that rises and falls.
#[derive(Debug, Default)]
pub struct Gauge(AtomicUsize);

impl Gauge {
    pub(crate) fn rise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn fall(&self, by: usize) {
        self.0.fetch_sub(by, Ordering::Relaxed);
    }

    /// The number.
    #[must_use]
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
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

/// Upper bounds of the buckets of every [`Histogram`], in physical microseconds; above the last one there is one more.
///
/// From what memory takes to what a call to a provider may take at most.
pub const BOUNDS_US: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 10_000_000, 30_000_000,
];

/// How often something took how long.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

/// A histogram as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// How many lay at or below each of [`BOUNDS_US`], and last how many there were.
    pub cumulative: [u64; BOUNDS_US.len() + 1],
    /// All of them together, in microseconds.
    pub sum_us: u64,
}

impl Histogram {
    /// Counts something that took so long, in physical time.
    pub fn record(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS_US.partition_point(|bound| *bound < us);
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn read(&self) -> Distribution {
        let mut sum = 0;
        let cumulative = self.buckets.each_ref().map(|bucket| {
            sum += bucket.load(Ordering::Relaxed);
            sum
        });
        Distribution { cumulative, sum_us: self.sum_us.load(Ordering::Relaxed) }
    }
}

impl Distribution {
    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.cumulative.last().copied().unwrap_or_default()
    }
}

/// Requests of one kind: how long they took, and how many of them failed.
#[derive(Debug, Default)]
pub struct Requests {
    /// All of them.
    pub took: Histogram,
    /// Those that failed, or were not answered in time.
    pub failed: Counter,
}

impl Requests {
    /// Counts a request that has ended.
    pub fn record(&self, took: Duration, well: bool) {
        self.took.record(took);
        if !well {
            self.failed.add();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_on_a_bound_belongs_below_it_and_what_is_longer_than_all_is_counted_too() {
        let histogram = Histogram::default();
        for us in [1, 100, 101, 30_000_000, 30_000_001] {
            histogram.record(Duration::from_micros(us));
        }
        let told = histogram.read();
        assert_eq!(told.cumulative[..3], [2, 3, 3]);
        assert_eq!(told.cumulative[14..], [3, 4, 5]);
        assert_eq!((told.count(), told.sum_us), (5, 60_000_203));
    }

    #[test]
    fn bounds_only_rise() {
        assert!(BOUNDS_US.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn a_failed_request_took_its_time_too() {
        let requests = Requests::default();
        requests.record(Duration::from_millis(2), true);
        requests.record(Duration::from_secs(8), false);
        assert_eq!((requests.took.read().count(), requests.failed.get()), (2, 1));
    }
}
