//! Provider time: real time, scaled by a factor from an origin that both sides of a run can share.
//!
//! `provider time = origin + (real time − origin) × factor`, in milliseconds since the Unix epoch.
//! Everything that a provider would do by its clock uses it: the schedule of notifications, the age of an
//! order, its expiry, the times in answers and in signatures. HTTP time-outs and hang times are real time.
//! An engine that is given the same origin and factor lives in the same time, to the millisecond.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::{TimeZone, offset};
use tokio::sync::watch;

/// Largest clock factor that is accepted: at it, a day passes in 0.9 s.
pub const FACTOR_MAX: f64 = 100_000.0;

/// Factors are held as integers in millionths, so that the scaled time is exact.
const FACTOR_UNIT: i128 = 1_000_000;

/// Why a clock cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("clock factor {0} is not a number from 1 to {FACTOR_MAX}")]
pub struct BadFactor(pub f64);

/// A handle on provider time; clones share the same clock.
#[derive(Debug, Clone)]
pub struct SimClock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    factor: f64,
    factor_millionths: i128,
    origin_ms: i64,
    started: Instant,
    started_real_ms: i64,
    jumped_ms: watch::Sender<i64>,
}

impl SimClock {
    /// A clock that runs `factor` times as fast as real time since `origin_ms` (real milliseconds since the
    /// epoch, usually the start of the run). Factor 1 is real time whatever the origin.
    pub fn new(origin_ms: i64, factor: f64) -> Result<Self, BadFactor> {
        if !(1.0..=FACTOR_MAX).contains(&factor) {
            return Err(BadFactor(factor));
        }
        let factor_millionths =
            i128::try_from(Duration::from_secs_f64(factor).as_micros()).map_err(|_| BadFactor(factor))?;
        let (started, started_real_ms) = read_real_time();
        let (jumped_ms, _) = watch::channel(0);
        Ok(Self(Arc::new(Inner {
            factor,
            factor_millionths,
            origin_ms,
            started,
            started_real_ms,
            jumped_ms,
        })))
    }

    /// A clock whose origin is now.
    pub fn starting_now(factor: f64) -> Result<Self, BadFactor> {
        Self::new(read_real_time().1, factor)
    }

    /// How many times faster than real time this clock runs.
    pub fn factor(&self) -> f64 {
        self.0.factor
    }

    /// The origin of the scaling, in real milliseconds since the epoch.
    pub fn origin_ms(&self) -> i64 {
        self.0.origin_ms
    }

    /// Provider time, in milliseconds since the epoch.
    pub fn now_ms(&self) -> i64 {
        let real_ms = i128::from(self.0.started_real_ms) + i128::from(millis(self.real_elapsed()));
        let origin_ms = i128::from(self.0.origin_ms);
        let scaled = origin_ms + (real_ms - origin_ms) * self.0.factor_millionths / FACTOR_UNIT;
        let jumped = i128::from(*self.0.jumped_ms.borrow());
        i64::try_from(scaled + jumped).unwrap_or(i64::MAX)
    }

    /// Real time since this clock was built; it never goes back.
    pub fn real_elapsed(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// Moves provider time ahead by `ms` (negative values count as 0) and wakes everything that waits for it.
    /// For runs that must not wait; an engine on its own clock does not follow the jump.
    pub fn advance_ms(&self, ms: i64) {
        self.0.jumped_ms.send_modify(|jumped| *jumped = jumped.saturating_add(ms.max(0)));
    }

    /// Waits until provider time has reached `at_ms`. The caller bounds the wait by its own cancellation.
    pub async fn sleep_until_ms(&self, at_ms: i64) {
        let mut jumps = self.0.jumped_ms.subscribe();
        loop {
            let left_ms = u64::try_from(at_ms.saturating_sub(self.now_ms())).unwrap_or(0);
            if left_ms == 0 {
                return;
            }
            let real = Duration::from_millis(left_ms).div_f64(self.0.factor).max(Duration::from_millis(1));
            tokio::select! {
                biased;
                // The sender lives in this clock, so the channel cannot close while we wait.
                _ = jumps.changed() => {}
                () = tokio::time::sleep(real) => {}
            }
        }
    }
}

/// The one place where real time enters this crate.
#[expect(clippy::disallowed_methods, reason = "the simulated clock is made from the real one here")]
fn read_real_time() -> (Instant, i64) {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (Instant::now(), millis(since_epoch))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A time in Beijing, in a format of `strftime`.
pub(crate) fn beijing_time(at_ms: i64, format: &str) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::MAX);
    at.to_zoned(TimeZone::fixed(offset(8))).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factor_must_be_a_number_from_one_up() {
        for bad in [0.0, 0.99, -1.0, f64::NAN, f64::INFINITY, FACTOR_MAX * 2.0] {
            assert!(SimClock::starting_now(bad).is_err(), "{bad} was accepted");
        }
        assert!(SimClock::starting_now(1.0).is_ok());
        assert!(SimClock::starting_now(FACTOR_MAX).is_ok());
    }

    #[test]
    fn two_clocks_of_one_origin_and_factor_agree() {
        let first = SimClock::starting_now(120.0).unwrap();
        let second = SimClock::new(first.origin_ms(), 120.0).unwrap();
        let apart_ms = (second.now_ms() - first.now_ms()).abs();
        assert!(apart_ms < 120 * 100, "clocks are {apart_ms} ms apart");
    }

    #[test]
    fn time_since_the_origin_is_multiplied() {
        let real_ms = read_real_time().1;
        let clock = SimClock::new(real_ms - 1_000, 10.0).unwrap();
        let since_origin_ms = clock.now_ms() - clock.origin_ms();
        assert!((10_000..20_000).contains(&since_origin_ms), "{since_origin_ms}");
    }

    #[tokio::test]
    async fn a_jump_wakes_a_sleeper() {
        let clock = SimClock::starting_now(1.0).unwrap();
        let at_ms = clock.now_ms() + 86_400_000;
        let sleeper = {
            let clock = clock.clone();
            tokio::spawn(async move { clock.sleep_until_ms(at_ms).await })
        };
        clock.advance_ms(86_400_001);
        tokio::time::timeout(Duration::from_secs(10), sleeper).await.expect("woken").unwrap();
    }
}
