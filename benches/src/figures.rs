//! Times of calls, and what each of many took.

use anyhow::{Result, ensure};

/// Times of single calls, of which percentiles are told.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<std::time::Duration>);

impl Times {
    /// Of these calls.
    #[must_use]
    pub fn of(mut times: Vec<std::time::Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// A percentile by the nearest rank, in milliseconds.
    ///
    /// # Errors
    /// There are no times.
    pub fn percentile_ms(&self, percent: usize) -> Result<f64> {
        ensure!(!self.0.is_empty(), "no call was timed");
        let rank = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        Ok(self.0[rank.min(self.0.len() - 1)].as_secs_f64() * 1000.0)
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Seconds in microseconds for each of so many.
///
/// # Errors
/// There are none, or more than four thousand million.
pub fn of_each(time: std::time::Duration, count: u64) -> Result<f64> {
    ensure!(count > 0, "none was done");
    Ok(time.as_secs_f64() * 1e6 / f64::from(u32::try_from(count)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let times = Times::of((1..=100).rev().map(std::time::Duration::from_millis).collect());
        let ms = |percent| times.percentile_ms(percent).expect("a hundred");
        assert!(
            (ms(50) - 50.0).abs() < 1e-9 && (ms(99) - 99.0).abs() < 1e-9 && (ms(100) - 100.0).abs() < 1e-9
        );
        assert!(Times::default().percentile_ms(99).is_err());
    }
}
