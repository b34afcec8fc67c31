//! Time and randomness as they enter the process: schedule time made from the real clock, and random numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use paymux_domain::ports::{BoxFuture, Clock, Entropy};
use paymux_domain::time::{ClockFactor, Timestamp};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha12Rng;

use crate::config::ClockConfig;

/// How often the machine's clock is looked at, in physical milliseconds.
const LOOK_EVERY_MS: i64 = 1000;

/// So far, in milliseconds, the machine's clock must be ahead to be followed: more than what one reading of both clocks
/// may differ by.
const JUMP_MS: i64 = 1000;

/// Longest sleep without a look at the clock; a machine that sleeps stops the runtime's timers.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// Schedule time: `origin + (real time - origin) * factor`; with factor 1 it is real time.
///
/// It never goes back within a process, whatever happens to the machine's clock. Where that clock is found ahead, as
/// after a machine has slept or its clock was set, it follows at once. A simulator that is given the same origin and
/// factor lives in the same time.
#[derive(Clone, Debug)]
pub struct ScaledClock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    factor: ClockFactor,
    origin_ms: i64,
    started: Instant,
    started_real_ms: i64,
    /// How far the machine's clock has run ahead of the physical time since the start.
    ahead_ms: AtomicI64,
    /// Physical time at which the machine's clock is looked at again.
    next_look_ms: AtomicI64,
}

impl ScaledClock {
    /// A clock by the configuration; without an origin it counts from now.
    #[must_use]
    pub fn new(config: ClockConfig) -> Self {
        let (started, started_real_ms) = read_real_time();
        let origin_ms = config.origin_ms.unwrap_or(started_real_ms);
        Self(Arc::new(Inner {
            factor: config.factor,
            origin_ms,
            started,
            started_real_ms,
            ahead_ms: AtomicI64::new(0),
            next_look_ms: AtomicI64::new(LOOK_EVERY_MS),
        }))
    }

    /// The origin, in real milliseconds since 1970.
    #[must_use]
    pub fn origin_ms(&self) -> i64 {
        self.0.origin_ms
    }

    /// Real time, in milliseconds since 1970.
    fn real_ms(&self) -> i64 {
        let elapsed_ms = i64::try_from(self.physical().as_millis()).unwrap_or(i64::MAX);
        if elapsed_ms >= self.0.next_look_ms.load(Ordering::Relaxed) {
            self.0.next_look_ms.store(elapsed_ms.saturating_add(LOOK_EVERY_MS), Ordering::Relaxed);
            self.follow(elapsed_ms, read_real_time().1);
        }
        self.0.real_ms(elapsed_ms)
    }

    /// Moves forward to the machine's clock where that is ahead; never back.
    fn follow(&self, elapsed_ms: i64, machine_ms: i64) {
        let behind_ms = machine_ms.saturating_sub(self.0.real_ms(elapsed_ms));
        if behind_ms >= JUMP_MS {
            let started_ms = self.0.started_real_ms.saturating_add(elapsed_ms);
            self.0.ahead_ms.fetch_max(machine_ms.saturating_sub(started_ms), Ordering::Relaxed);
            tracing::warn!(behind_ms, "the machine's clock has run ahead; schedule time follows it");
        }
    }
}

impl Inner {
    fn real_ms(&self, elapsed_ms: i64) -> i64 {
        let ahead_ms = self.ahead_ms.load(Ordering::Relaxed);
        self.started_real_ms.saturating_add(elapsed_ms).saturating_add(ahead_ms)
    }
}

impl Clock for ScaledClock {
    fn now(&self) -> Timestamp {
        let since_origin = self.real_ms().saturating_sub(self.0.origin_ms);
        let scaled = since_origin.saturating_mul(i64::from(self.0.factor.get()));
        Timestamp::from_millis(self.0.origin_ms.saturating_add(scaled))
    }

    fn sleep_until(&self, until: Timestamp) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        Box::pin(async move {
            loop {
                let left = until.since(clock.now());
                if left.is_zero() {
                    return;
                }
                let pause = left / clock.0.factor.get();
                tokio::time::sleep(pause.clamp(Duration::from_millis(1), SLEEP_MAX)).await;
            }
        })
    }

    fn factor(&self) -> ClockFactor {
        self.0.factor
    }

    /// Since this clock was made; it never goes back.
    fn physical(&self) -> Duration {
        self.0.started.elapsed()
    }
}

/// The one place where real time enters this process.
#[expect(clippy::disallowed_methods, reason = "the clock that everything else is handed is made here")]
fn read_real_time() -> (Instant, i64) {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (Instant::now(), i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// Random numbers for jitter and nonces: seeded by the system, or by a number so that a run can be repeated.
#[derive(Debug)]
pub struct SystemEntropy(Mutex<ChaCha12Rng>);

impl SystemEntropy {
    /// Seeded by the operating system.
    #[must_use]
    pub fn from_system() -> Self {
        Self(Mutex::new(ChaCha12Rng::from_os_rng()))
    }

    /// Seeded by a number.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(Mutex::new(ChaCha12Rng::seed_from_u64(seed)))
    }
}

impl Entropy for SystemEntropy {
    fn next_u64(&self) -> u64 {
        self.0.lock().next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(factor: u32, origin_ms: Option<i64>) -> ScaledClock {
        ScaledClock::new(ClockConfig { factor: ClockFactor::new(factor).unwrap(), origin_ms })
    }

    #[test]
    fn with_factor_one_it_is_real_time_whatever_the_origin() {
        let real_ms = read_real_time().1;
        for origin_ms in [None, Some(0), Some(real_ms)] {
            let apart = clock(1, origin_ms).now().since(Timestamp::from_millis(real_ms));
            assert!(apart < Duration::from_secs(60), "{apart:?}");
        }
    }

    #[test]
    fn time_since_the_origin_is_multiplied() {
        let origin_ms = read_real_time().1 - 10_000;
        let now = clock(100, Some(origin_ms)).now();
        assert!(now.since(Timestamp::from_millis(origin_ms)) >= Duration::from_secs(1000), "{now}");
    }

    #[test]
    fn it_follows_the_machine_forward_and_never_back() {
        let clock = clock(10, None);
        let begun = clock.now();
        let machine_ms = read_real_time().1;
        clock.follow(0, machine_ms + 60_000);
        let ahead = clock.now();
        assert!(ahead.since(begun) >= Duration::from_secs(600), "{begun} {ahead}");
        for back_ms in [machine_ms, machine_ms - 3_600_000, 0] {
            clock.follow(0, back_ms);
            assert!(clock.now() >= ahead);
        }
        // What two readings may differ by is no jump.
        let before = clock.0.ahead_ms.load(Ordering::Relaxed);
        clock.follow(0, clock.0.real_ms(0) + JUMP_MS - 1);
        assert_eq!(clock.0.ahead_ms.load(Ordering::Relaxed), before);
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_schedule_time_has_come() {
        let clock = clock(1000, None);
        let until = clock.now() + Duration::from_secs(20);
        clock.sleep_until(until).await;
        assert!(clock.now() >= until);
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (one, two) = (SystemEntropy::from_seed(7), SystemEntropy::from_seed(7));
        assert_eq!(one.next_u64(), two.next_u64());
        assert_ne!(SystemEntropy::from_system().next_u64(), SystemEntropy::from_system().next_u64());
    }
}
