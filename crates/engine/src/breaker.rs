//! The circuit breaker of an account: after failures in a row nothing is sent for a while, then one call probes.

use std::time::Duration;

use paymux_domain::ports::BreakerReport;
use paymux_domain::time::Timestamp;

/// Failures in a row that open it.
const FAILURES_TO_OPEN: u32 = 10;
/// Physical pauses: the first, and the longest.
const PAUSE_MIN: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The breaker of one account. Times are schedule time, pauses are stretched to it once.
#[derive(Debug)]
pub struct Breaker {
    state: State,
    failures: u32,
    pause: Duration,
    pause_min: Duration,
    pause_max: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Calls leave.
    Closed,
    /// None leaves before that time.
    Open(Timestamp),
    /// The one call that tries again is under way.
    Probing,
}

/// How a call was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// As all others.
    Plain,
    /// As the one that tries whether the provider is back.
    Probe,
}

impl Breaker {
    /// A closed breaker; `stretch` turns a physical duration into schedule time.
    pub fn new(stretch: impl Fn(Duration) -> Duration) -> Self {
        let (pause_min, pause_max) = (stretch(PAUSE_MIN), stretch(PAUSE_MAX));
        Self { state: State::Closed, failures: 0, pause: pause_min, pause_min, pause_max }
    }

    /// When a call may leave at the earliest: now while it is closed. While a probe is under way nobody knows, and it
    /// is worth another look after the shortest pause.
    #[must_use]
    pub fn earliest(&self, now: Timestamp) -> Timestamp {
        match self.state {
            State::Closed => now,
            State::Open(until) => until.max(now),
            State::Probing => now + self.pause_min,
        }
    }

    /// Asked when a call is about to leave, and only then: after a pause the first is the probe, and all others stay
    /// until it is answered.
    pub fn admit(&mut self, now: Timestamp) -> Option<Pass> {
        match self.state {
            State::Closed => Some(Pass::Plain),
            State::Open(until) if now >= until => {
                self.state = State::Probing;
                Some(Pass::Probe)
            }
            State::Open(_) | State::Probing => None,
        }
    }

    /// A call was answered, well or badly.
    pub fn answered(&mut self) {
        self.state = State::Closed;
        self.failures = 0;
        self.pause = self.pause_min;
    }

    /// A call got no answer, or one that says that the provider is in trouble. Calls that were under way when it
    /// opened say nothing new: only a failed probe lengthens the pause.
    pub fn failed(&mut self, pass: Pass, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        match (pass, self.state) {
            (Pass::Probe, State::Probing) => {
                self.pause = self.pause.saturating_mul(2).min(self.pause_max);
                self.state = State::Open(now + self.pause);
            }
            (_, State::Closed) if self.failures >= FAILURES_TO_OPEN => {
                self.state = State::Open(now + self.pause);
            }
            _ => {}
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn report(&self) -> BreakerReport {
        match self.state {
            State::Closed => BreakerReport::Closed,
            State::Open(until) => BreakerReport::Open(until),
            State::Probing => BreakerReport::Probing,
        }
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state != State::Closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1000)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new(|d| d);
        for _ in 0..FAILURES_TO_OPEN {
            breaker.failed(Pass::Plain, at(0));
        }
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let mut breaker = Breaker::new(|d| d);
        for _ in 0..FAILURES_TO_OPEN - 1 {
            breaker.failed(Pass::Plain, at(0));
        }
        breaker.answered();
        breaker.failed(Pass::Plain, at(0));
        assert!(!breaker.is_open());
        assert_eq!(opened().earliest(at(0)), at(2));
    }

    #[test]
    fn while_it_is_open_nothing_is_let_through() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(at(0)), None);
        assert_eq!(breaker.admit(at(1)), None);
    }

    #[test]
    fn one_probe_leaves_and_its_answer_closes_it() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(at(2)), Some(Pass::Probe));
        assert_eq!(breaker.admit(at(2)), None, "the others wait for the probe");
        assert_eq!(breaker.admit(at(60)), None, "however long it takes");
        assert_eq!(breaker.earliest(at(2)), at(4));
        breaker.answered();
        assert_eq!(breaker.earliest(at(3)), at(3));
        assert_eq!(breaker.admit(at(3)), Some(Pass::Plain));
    }

    #[test]
    fn calls_that_were_under_way_when_it_opened_do_not_lengthen_the_pause() {
        let mut breaker = opened();
        for _ in 0..100 {
            breaker.failed(Pass::Plain, at(1));
        }
        assert_eq!(breaker.earliest(at(1)), at(2));
        assert_eq!(breaker.admit(at(2)), Some(Pass::Probe));
        breaker.failed(Pass::Plain, at(3));
        assert_eq!(breaker.admit(at(3)), None, "the probe is still under way");
        breaker.failed(Pass::Probe, at(3));
        assert_eq!(breaker.earliest(at(3)), at(7), "doubled once");
    }

    #[test]
    fn a_failed_probe_doubles_the_pause_up_to_the_longest() {
        let mut breaker = opened();
        let mut now = at(2);
        for _ in 0..10 {
            assert_eq!(breaker.admit(now), Some(Pass::Probe));
            breaker.failed(Pass::Probe, now);
            now = breaker.earliest(now);
        }
        assert_eq!(breaker.admit(now), Some(Pass::Probe));
        breaker.failed(Pass::Probe, now);
        assert_eq!(breaker.earliest(now), now + PAUSE_MAX);
    }
}
