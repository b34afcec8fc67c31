//! The circuit breaker of an account: after failures in a row nothing is sent for a while, then one call probes.

use std::time::Duration;

use paymux_domain::time::Timestamp;

/// Failures in a row that open it.
const FAILURES_TO_OPEN: u32 = 10;
/// Physical pauses: the first, and the longest.
const PAUSE_MIN: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The breaker of one account. Times are schedule time, pauses are stretched to it once.
#[derive(Debug)]
pub struct Breaker {
    failures: u32,
    open_until: Option<Timestamp>,
    pause: Duration,
    pause_min: Duration,
    pause_max: Duration,
}

impl Breaker {
    /// A closed breaker; `stretch` turns a physical duration into schedule time.
    pub fn new(stretch: impl Fn(Duration) -> Duration) -> Self {
        let pause_min = stretch(PAUSE_MIN);
        Self { failures: 0, open_until: None, pause: pause_min, pause_min, pause_max: stretch(PAUSE_MAX) }
    }

    /// When a call may leave: now while it is closed.
    #[must_use]
    pub fn earliest(&self, now: Timestamp) -> Timestamp {
        self.open_until.map_or(now, |until| until.max(now))
    }

    /// A call is about to leave: the first after a pause is the probe, and the others wait for its answer.
    pub fn leave(&mut self, now: Timestamp) {
        if self.open_until.is_some_and(|until| now >= until) {
            self.open_until = Some(now + self.pause);
        }
    }

    /// A call was answered, well or badly.
    pub fn answered(&mut self) {
        self.failures = 0;
        self.open_until = None;
        self.pause = self.pause_min;
    }

    /// A call got no answer, or one that says that the provider is in trouble.
    pub fn failed(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        if self.failures == FAILURES_TO_OPEN {
            self.open_until = Some(now + self.pause);
        } else if self.failures > FAILURES_TO_OPEN
            && self.open_until.is_some_and(|until| now >= until - self.pause)
        {
            self.pause = self.pause.saturating_mul(2).min(self.pause_max);
            self.open_until = Some(now + self.pause);
        }
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open_until.is_some()
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
            breaker.failed(at(0));
        }
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let mut breaker = Breaker::new(|d| d);
        for _ in 0..FAILURES_TO_OPEN - 1 {
            breaker.failed(at(0));
        }
        breaker.answered();
        breaker.failed(at(0));
        assert!(!breaker.is_open());
        assert_eq!(opened().earliest(at(0)), at(2));
    }

    #[test]
    fn one_probe_leaves_and_its_answer_closes_it() {
        let mut breaker = opened();
        breaker.leave(at(2));
        assert_eq!(breaker.earliest(at(2)), at(4), "the others wait for the probe");
        breaker.answered();
        assert_eq!(breaker.earliest(at(3)), at(3));
    }

    #[test]
    fn a_failed_probe_doubles_the_pause_up_to_the_longest() {
        let mut breaker = opened();
        let mut now = at(2);
        for _ in 0..10 {
            breaker.leave(now);
            breaker.failed(now);
            now = breaker.earliest(now);
        }
        breaker.leave(now);
        breaker.failed(now);
        assert_eq!(breaker.earliest(now), now + PAUSE_MAX);
    }
}
