//! Latencies in microseconds, in a histogram of bounded size.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// The longest latency that is told apart, in microseconds; what took longer counts as this.
const LONGEST_US: u64 = 3_600_000_000;

/// Decimal places that are kept of each.
const PLACES: u8 = 3;

/// A histogram of latencies.
#[derive(Clone, Debug)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new(PLACES).expect("three places are possible"))
    }
}

impl FromIterator<Duration> for Times {
    fn from_iter<T: IntoIterator<Item = Duration>>(all: T) -> Self {
        let mut times = Self::default();
        all.into_iter().for_each(|took| times.record(took));
        times
    }
}

impl Times {
    /// Adds one.
    pub fn record(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).clamp(1, LONGEST_US);
        self.0.record(us).expect("it grows as it is needed");
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency that so many per cent do not exceed, in milliseconds; 0 without any.
    #[must_use]
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        if self.0.is_empty() { 0.0 } else { millis(self.0.value_at_percentile(percent)) }
    }

    /// The longest, in milliseconds.
    #[must_use]
    pub fn max_ms(&self) -> f64 {
        millis(self.0.max())
    }

    /// The percentiles that results tell.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "count": self.count(),
            "p50": self.percentile_ms(50.0),
            "p90": self.percentile_ms(90.0),
            "p95": self.percentile_ms(95.0),
            "p99": self.percentile_ms(99.0),
            "p999": self.percentile_ms(99.9),
            "max": self.max_ms(),
        })
    }

    /// The same for people, in milliseconds.
    #[must_use]
    pub fn text(&self) -> String {
        let [p50, p90, p99, p999] = [50.0, 90.0, 99.0, 99.9].map(|percent| self.percentile_ms(percent));
        format!("{p50:>9.2} {p90:>9.2} {p99:>9.2} {p999:>9.2} {:>9.2}", self.max_ms())
    }
}

/// What stands above [`Times::text`].
pub(super) const HEAD: &str = "   p50 ms    p90 ms    p99 ms  p99.9 ms    max ms";

fn millis(us: u64) -> f64 {
    Duration::from_micros(us).as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let times: Times = (1..=1000).map(Duration::from_millis).collect();
        assert_eq!(times.count(), 1000);
        for (percent, expected) in [(50.0, 500.0), (99.0, 990.0), (99.9, 999.0)] {
            let found = times.percentile_ms(percent);
            assert!((found - expected).abs() <= expected / 500.0, "{percent}: {found}");
        }
        assert!(times.max_ms() >= 1000.0 && times.max_ms() < 1002.0);
    }

    #[test]
    fn what_is_longer_than_an_hour_counts_as_an_hour_and_nothing_is_lost() {
        let mut times = Times::default();
        times.record(Duration::from_secs(100_000));
        times.record(Duration::ZERO);
        assert_eq!(times.count(), 2);
        assert!(times.max_ms() < 4_000_000.0);
        assert!(Times::default().percentile_ms(99.0).abs() < 1e-9);
    }
}
