//! Figures from rounds: the median, and how far the others lie from it.

use std::fmt;

use anyhow::{Result, ensure};

/// The median of some rounds, the least and the most.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The median.
    pub median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    /// Of these figures.
    ///
    /// # Errors
    /// There are none.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Result<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        ensure!(!figures.is_empty(), "no round was measured");
        figures.sort_by(f64::total_cmp);
        Ok(Self { median: figures[figures.len() / 2], least: figures[0], most: figures[figures.len() - 1] })
    }

    /// The least and the most.
    pub(crate) const fn ends(&self) -> [f64; 2] {
        [self.least, self.most]
    }
}

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

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, least, most } = self;
        let digits = f.precision().unwrap_or(0);
        let width = f.width().unwrap_or(0);
        write!(f, "{median:width$.digits$} ({least:.digits$} to {most:.digits$})")
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
    fn a_spread_tells_the_middle_and_both_ends() {
        let spread = Spread::of([3.0, 1.0, 2.0]).expect("three figures");
        assert_eq!(format!("{spread:.1}"), "2.0 (1.0 to 3.0)");
        assert!(Spread::of([]).is_err());
    }

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
