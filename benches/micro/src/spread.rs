//! Figures from rounds: the median, and how far the others lie from it.

use std::fmt;

use anyhow::{Result, ensure};

/// The median of some rounds, the least and the most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
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
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, least, most } = self;
        let digits = f.precision().unwrap_or(0);
        let width = f.width().unwrap_or(0);
        write!(f, "{median:width$.digits$} ({least:.digits$} to {most:.digits$})")
    }
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
}
