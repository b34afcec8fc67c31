//! Time and randomness as they are handed in.

use std::time::Duration;

use crate::ports::BoxFuture;
use crate::time::{ClockFactor, Timestamp};

/// The one source of time.
pub trait Clock: Send + Sync {
    /// Now, in schedule time.
    fn now(&self) -> Timestamp;

    /// Completes once `now()` is at least `until`.
    fn sleep_until(&self, until: Timestamp) -> BoxFuture<'static, ()>;

    /// How much faster schedule time runs than physical time.
    fn factor(&self) -> ClockFactor;

    /// Physical time since some moment, to measure how long something took: nothing is decided by it. Unless a clock
    /// knows better it is as fine as `now()`.
    fn physical(&self) -> Duration {
        let millis = u64::try_from(self.now().as_millis()).unwrap_or(0);
        Duration::from_millis(millis) / self.factor().get()
    }
}

/// The one source of randomness: jitter and nonces.
pub trait Entropy: Send + Sync {
    /// A random number.
    fn next_u64(&self) -> u64;
}
