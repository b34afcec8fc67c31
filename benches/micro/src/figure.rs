//! What an operation came to beside its twin.

use anyhow::{Result, ensure};

use crate::{Direction, Goal};

/// Nanoseconds in a second.
const SECOND_NS: f64 = 1e9;

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
    fn of(rounds: impl Iterator<Item = f64>) -> Result<Self> {
        let mut rounds: Vec<f64> = rounds.collect();
        ensure!(!rounds.is_empty(), "no round was measured");
        rounds.sort_by(f64::total_cmp);
        Ok(Self { median: rounds[rounds.len() / 2], least: rounds[0], most: rounds[rounds.len() - 1] })
    }
}

/// An operation's figure beside that of its bare twin, from rounds in turn.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Parts divided by `/`.
    pub name: String,
    /// What value and bare are of.
    pub direction: Direction,
    /// Of the operation.
    pub value: Spread,
    /// Of the twin.
    pub bare: Spread,
    /// What the twin is.
    pub bare_name: String,
    /// The operation's by the twin's, round by round.
    pub ratio: Spread,
    /// Where the ratio is to lie.
    pub goal: Option<Goal>,
}

impl Figure {
    /// Of rounds, each the nanoseconds of one operation and of its twin.
    ///
    /// # Errors
    /// There is no round.
    pub fn of(
        name: &str,
        direction: Direction,
        rounds: &[(f64, f64)],
        bare_name: &str,
        goal: Option<Goal>,
    ) -> Result<Self> {
        let told = |ns: f64| if direction == Direction::Rate { SECOND_NS / ns } else { ns };
        let ratio = |(subject, bare): &(f64, f64)| told(*subject) / told(*bare);
        Ok(Self {
            name: name.to_owned(),
            direction,
            value: Spread::of(rounds.iter().map(|round| told(round.0)))?,
            bare: Spread::of(rounds.iter().map(|round| told(round.1)))?,
            bare_name: bare_name.to_owned(),
            ratio: Spread::of(rounds.iter().map(ratio))?,
            goal,
        })
    }

    /// One line for people.
    #[must_use]
    pub fn told(&self) -> String {
        let Self { name, value, bare, bare_name, ratio, .. } = self;
        let goal = match self.goal {
            Some(Goal::AtLeast(goal)) => format!(", goal {goal:.2} or more"),
            Some(Goal::AtMost(goal)) => format!(", goal {goal:.2} or less"),
            None => String::new(),
        };
        let Spread { median, least, most } = ratio;
        format!(
            "{name:<48} {:>9.0} {:<3} ratio {median:.2} ({least:.2} to {most:.2}) to {:.0} of {bare_name}{goal}",
            value.median,
            self.unit(),
            bare.median,
        )
    }

    /// The unit of value and bare.
    #[must_use]
    pub const fn unit(&self) -> &'static str {
        match self.direction {
            Direction::Time => "ns",
            Direction::Rate => "1/s",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_and_a_rate_of_the_same_rounds_have_opposite_ratios() {
        let rounds = [(200.0, 100.0), (400.0, 100.0), (250.0, 100.0)];
        let figure = |direction| Figure::of("a/b", direction, &rounds, "c", None).expect("three rounds");
        let (time, rate) = (figure(Direction::Time), figure(Direction::Rate));
        assert_eq!(time.ratio, Spread { median: 2.5, least: 2.0, most: 4.0 });
        assert_eq!(rate.ratio, Spread { median: 0.4, least: 0.25, most: 0.5 });
        assert_eq!(rate.value, Spread { median: 4e6, least: 2.5e6, most: 5e6 });
        assert!(Figure::of("a/b", Direction::Time, &[], "c", None).is_err());
    }
}
