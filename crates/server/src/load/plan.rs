//! When each event of a load is meant to start: rates by steps, fixed before the first event leaves.

use std::time::Duration;

/// Events of one load at most; the ledger keeps a byte of each.
pub const EVENTS_MAX: u64 = 200_000_000;

/// Nanoseconds of a second.
const SECOND_NS: u128 = 1_000_000_000;

/// A time with one rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Events per second, at least 1.
    pub rate_per_s: u32,
    /// How long.
    pub lasts: Duration,
}

impl Step {
    fn events(&self) -> u64 {
        let events = u128::from(self.rate_per_s) * self.lasts.as_nanos() / SECOND_NS;
        u64::try_from(events).unwrap_or(u64::MAX)
    }
}

/// One event of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// From 0, over all steps.
    pub number: u64,
    /// Its step, from 0.
    pub step: usize,
    /// When it is meant to start, counted from the beginning.
    pub at: Duration,
}

/// Why a schedule is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPlan {
    /// A rate or a step of 0, or a range that does not rise.
    #[error(
        "--rate is a number of 1 or more, or a rising range such as 500..5000 with a --step of 1 or more"
    )]
    Rate,
    /// Not a single event.
    #[error("the load is over before its first event: raise the rate or the time")]
    Empty,
    /// More than the ledger keeps.
    #[error("{0} events are more than {EVENTS_MAX}: lower the rate or the time")]
    TooMany(u64),
}

/// The steps, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    steps: Vec<Step>,
    events: u64,
}

impl Plan {
    /// A schedule of these steps.
    ///
    /// # Errors
    /// See [`BadPlan`].
    pub fn new(steps: Vec<Step>) -> Result<Self, BadPlan> {
        if steps.iter().any(|step| step.rate_per_s == 0) {
            return Err(BadPlan::Rate);
        }
        match steps.iter().map(Step::events).fold(0_u64, u64::saturating_add) {
            0 => Err(BadPlan::Empty),
            events if events > EVENTS_MAX => Err(BadPlan::TooMany(events)),
            events => Ok(Self { steps, events }),
        }
    }

    /// One rate all the time.
    ///
    /// # Errors
    /// See [`BadPlan`].
    pub fn constant(rate_per_s: u32, lasts: Duration) -> Result<Self, BadPlan> {
        Self::new(vec![Step { rate_per_s, lasts }])
    }

    /// Rates from the first to the last, each `by` above the one before and as long; the last one is never passed.
    ///
    /// # Errors
    /// See [`BadPlan`].
    pub fn stepped((first, last): (u32, u32), by: u32, lasts: Duration) -> Result<Self, BadPlan> {
        if by == 0 || last < first {
            return Err(BadPlan::Rate);
        }
        let rates = (first..=last).step_by(usize::try_from(by).unwrap_or(usize::MAX));
        Self::new(rates.map(|rate_per_s| Step { rate_per_s, lasts }).collect())
    }

    /// The steps.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// How many events there are.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// How long all of it is meant to take.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        self.steps.iter().map(|step| step.lasts).sum()
    }

    /// The schedule: evenly spaced within a step.
    pub fn schedule(&self) -> impl Iterator<Item = Event> + '_ {
        let begin = |begun: &mut Duration, step: &Step| {
            let at = *begun;
            *begun += step.lasts;
            Some((at, *step))
        };
        let steps = self.steps.iter().scan(Duration::ZERO, begin).enumerate();
        let events = steps.flat_map(|(number, (begun, step))| {
            (0..step.events()).map(move |event| (number, begun + offset(event, step.rate_per_s)))
        });
        (0..).zip(events).map(|(number, (step, at))| Event { number, step, at })
    }
}

/// When the nth event of a rate is meant to start.
fn offset(event: u64, rate_per_s: u32) -> Duration {
    let ns = u128::from(event) * SECOND_NS / u128::from(rate_per_s);
    Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn events_of_one_rate_are_evenly_spaced_and_do_not_drift() {
        let plan = Plan::constant(3, SECOND * 2).unwrap();
        let at: Vec<u128> = plan.schedule().map(|event| event.at.as_micros()).collect();
        assert_eq!(at, [0, 333_333, 666_666, 1_000_000, 1_333_333, 1_666_666]);
        assert_eq!(plan.events(), 6);
    }

    #[test]
    fn steps_follow_each_other_and_the_last_rate_is_not_passed() {
        let plan = Plan::stepped((2, 7), 2, SECOND).unwrap();
        let rates: Vec<u32> = plan.steps().iter().map(|step| step.rate_per_s).collect();
        assert_eq!(rates, [2, 4, 6]);
        let third = plan.schedule().find(|event| event.step == 2).unwrap();
        assert_eq!(third, Event { number: 6, step: 2, at: SECOND * 2 });
        assert_eq!((plan.schedule().count(), plan.events(), plan.lasts()), (12, 12, SECOND * 3));
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        assert_eq!(Plan::constant(0, SECOND), Err(BadPlan::Rate));
        assert_eq!(Plan::stepped((5, 4), 1, SECOND), Err(BadPlan::Rate));
        assert_eq!(Plan::stepped((4, 5), 0, SECOND), Err(BadPlan::Rate));
        assert_eq!(Plan::constant(1, Duration::from_millis(999)), Err(BadPlan::Empty));
        let long = Plan::constant(1_000_000, Duration::from_secs(201));
        assert_eq!(long, Err(BadPlan::TooMany(201_000_000)));
    }
}
