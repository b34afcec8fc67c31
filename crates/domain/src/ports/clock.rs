//! Time and randomness as they are handed in.

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
}

/// The one source of randomness: jitter and nonces.
pub trait Entropy: Send + Sync {
    /// A random number.
    fn next_u64(&self) -> u64;
}
