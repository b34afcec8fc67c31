//! Rate limits: a token bucket per account and operation on the injected clock.
//!
//! It is used in two places. When an order is decided, it *books* a slot: one that lies far ahead is stored with the
//! order as its due time, so that a crowd waits in the store and not in memory. At the moment at which a call leaves,
//! it *takes* a token: that alone is what the provider sees, and a call that does not leave takes none.

use std::time::Duration;

use paymux_domain::ports::Budget;
use paymux_domain::time::{ClockFactor, Timestamp};

/// How often a throttled budget may be halved.
const CUTS_MAX: u32 = 5;
/// Physical time after which a cut budget doubles again.
const RECOVERY: Duration = Duration::from_secs(5);

/// One line of the generic cell rate algorithm, in microseconds of schedule time.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// When the next token would be due were all tokens spread evenly.
    due_us: i64,
}

impl Line {
    fn slot(&self, now_us: i64, burst_us: i64) -> i64 {
        (self.due_us - burst_us).max(now_us)
    }

    fn advance(&mut self, now_us: i64, interval_us: i64, burst_us: i64) -> i64 {
        let slot = self.slot(now_us, burst_us);
        self.due_us = self.due_us.max(now_us).saturating_add(interval_us);
        slot
    }
}

/// The limiter of one operation of one account.
#[derive(Debug)]
pub struct Limiter {
    budget: Budget,
    factor: ClockFactor,
    booked: Line,
    taken: Line,
    cuts: u32,
    cut_time: Timestamp,
}

impl Limiter {
    /// An idle limiter, which starts empty: a new owner does not know what the last one used.
    #[must_use]
    pub fn new(budget: Budget, factor: ClockFactor, now: Timestamp) -> Self {
        let mut limiter =
            Self { budget, factor, booked: Line::default(), taken: Line::default(), cuts: 0, cut_time: now };
        let empty = Line { due_us: micros(now).saturating_add(limiter.burst_us()) };
        limiter.booked = empty;
        limiter.taken = empty;
        limiter
    }

    /// Exchanges the budget, keeping what was used.
    pub fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
    }

    /// When a call that is decided now could leave.
    #[must_use]
    pub fn peek(&self, now: Timestamp) -> Timestamp {
        millis_up(self.booked.slot(micros(now), self.burst_us()))
    }

    /// Books the next slot.
    pub fn book(&mut self, now: Timestamp) -> Timestamp {
        self.recover(now);
        let (interval, burst) = (self.interval_us(), self.burst_us());
        millis_up(self.booked.advance(micros(now), interval, burst))
    }

    /// When the first call in line may leave.
    pub fn next(&mut self, now: Timestamp) -> Timestamp {
        self.next_after(now, 0)
    }

    /// When a call may leave that has `ahead` others before it in line.
    pub fn next_after(&mut self, now: Timestamp, ahead: usize) -> Timestamp {
        self.recover(now);
        let wait = self.interval_us().saturating_mul(i64::try_from(ahead).unwrap_or(i64::MAX));
        millis_up(self.taken.slot(micros(now), self.burst_us()).saturating_add(wait))
    }

    /// Takes a token for a call that leaves now and was to leave at `due`: a timer that wakes it late, by up to an
    /// interval, costs the calls behind it nothing.
    pub fn take(&mut self, now: Timestamp, due: Timestamp) {
        self.recover(now);
        let (interval, burst) = (self.interval_us(), self.burst_us());
        let left = micros(now);
        let counted = micros(due).clamp(left.saturating_sub(interval), left);
        self.taken.advance(counted, interval, burst);
    }

    /// The provider throttled a call: half the rate, until it recovers step by step.
    pub fn throttled(&mut self, now: Timestamp) {
        let pause = self.factor.stretch(RECOVERY) / 4;
        if self.cuts == 0 || now.since(self.cut_time) >= pause {
            self.cuts = (self.cuts + 1).min(CUTS_MAX);
            self.cut_time = now;
        }
    }

    /// What is left of it now, and when a call that is decided now could leave.
    #[must_use]
    pub fn report(&mut self, now: Timestamp) -> (Budget, u32, Timestamp) {
        self.recover(now);
        (self.budget, self.cuts, self.peek(now))
    }

    /// How often the budget is halved at the moment.
    #[must_use]
    pub const fn cuts(&self) -> u32 {
        self.cuts
    }

    fn recover(&mut self, now: Timestamp) {
        if self.cuts > 0 && now.since(self.cut_time) >= self.factor.stretch(RECOVERY) {
            self.cuts -= 1;
            self.cut_time = now;
        }
    }

    /// Schedule microseconds between two calls at the current rate.
    fn interval_us(&self) -> i64 {
        let second = i64::from(self.factor.get()) * 1_000_000;
        (second / i64::from(self.budget.per_second.max(1))) << self.cuts
    }

    fn burst_us(&self) -> i64 {
        let second = i64::from(self.factor.get()) * 1_000_000;
        let interval = second / i64::from(self.budget.per_second.max(1));
        // A burst of one means that calls leave one interval apart.
        interval.saturating_mul(i64::from(self.budget.burst.max(1)) - 1)
    }
}

fn micros(at: Timestamp) -> i64 {
    at.as_millis().saturating_mul(1000)
}

fn millis_up(us: i64) -> Timestamp {
    Timestamp::from_millis(us.div_euclid(1000) + i64::from(us.rem_euclid(1000) > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn limiter(per_second: u32, burst: u32) -> Limiter {
        Limiter::new(Budget { per_second, burst }, ClockFactor::REAL, at(0))
    }

    /// The next call in line leaves as soon as it may.
    fn leave(limiter: &mut Limiter, now: Timestamp) -> Timestamp {
        let due = limiter.next(now);
        limiter.take(due, due);
        due
    }

    #[test]
    fn a_crowd_leaves_at_exactly_the_rate() {
        let mut limiter = limiter(50, 10);
        let times: Vec<i64> = (0..500).map(|_| leave(&mut limiter, at(0)).as_millis()).collect();
        assert_eq!(times.first(), Some(&0));
        assert_eq!(times.last(), Some(&(499 * 20)), "500 calls at 50 per second take ten seconds");
    }

    #[test]
    fn after_a_pause_a_burst_leaves_at_once_and_no_more() {
        let mut limiter = limiter(50, 10);
        let now = at(10_000);
        let at_once = (0..100).filter(|_| leave(&mut limiter, now) == now).count();
        assert_eq!(at_once, 10);
    }

    #[test]
    fn a_place_in_line_is_told_without_taking_a_token() {
        let mut limiter = limiter(50, 10);
        assert_eq!(limiter.next_after(at(0), 100), at(2000));
        assert_eq!(limiter.next_after(at(0), 100), at(2000));
        assert_eq!(limiter.next(at(0)), at(0));
    }

    #[test]
    fn a_late_timer_costs_the_calls_behind_it_nothing() {
        let mut limiter = limiter(50, 1);
        let mut now = at(0);
        for call in 0..500 {
            let due = limiter.next(now);
            assert_eq!(due, at(call * 20));
            now = due + Duration::from_millis(15);
            limiter.take(now, due);
        }
    }

    #[test]
    fn in_any_window_there_are_at_most_rate_times_time_plus_burst() {
        let mut limiter = limiter(100, 20);
        let mut times = Vec::new();
        for millis in (0..20_000).step_by(3) {
            if limiter.next(at(millis)) <= at(millis) {
                limiter.take(at(millis), at(millis));
                times.push(millis);
            }
        }
        for start in (0..10_000).step_by(250) {
            let count = times.iter().filter(|time| (start..start + 10_000).contains(*time)).count();
            assert!(count <= 1020, "{count} from {start} ms");
        }
        assert!(times.len() > 1950, "and the budget is used: {}", times.len());
    }

    #[test]
    fn throttling_halves_the_rate_and_it_recovers() {
        let mut limiter = limiter(100, 1);
        limiter.throttled(at(0));
        assert_eq!(limiter.cuts(), 1);
        let first = leave(&mut limiter, at(1000));
        let second = leave(&mut limiter, at(1000));
        assert_eq!(second.since(first), Duration::from_millis(20));
        leave(&mut limiter, at(60_000));
        assert_eq!(limiter.cuts(), 0);
    }

    #[test]
    fn a_scaled_clock_keeps_the_physical_rate() {
        let factor = ClockFactor::new(60).expect("a valid factor");
        let mut limiter = Limiter::new(Budget { per_second: 50, burst: 1 }, factor, at(0));
        let last = (0..51).map(|_| leave(&mut limiter, at(0))).last();
        assert_eq!(last, Some(at(60_000)), "one physical second is sixty schedule seconds");
    }
}
