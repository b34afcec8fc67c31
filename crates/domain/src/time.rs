//! Points in time as milliseconds since the Unix epoch, and the factor between schedule time and physical time.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time: milliseconds since the Unix epoch, as the injected clock tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);
    /// Later than every time that is ever stored.
    pub const MAX: Self = Self(i64::MAX);

    /// Takes milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(rhs.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(rhs.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// How much faster the schedule runs than the physical world (documented setting `clock_factor`).
///
/// Expiries, follow-ups and providers' own minimum ages are schedule time. What physics bounds (HTTP time-outs,
/// the send margin, leases, rates per second) stays physical and is stretched by the factor wherever it is
/// compared with schedule time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockFactor(u32);

impl ClockFactor {
    /// Real time: one schedule second is one physical second.
    pub const REAL: Self = Self(1);
    /// Largest factor; above it physical margins no longer fit between schedule steps.
    pub const MAX: u32 = 1000;

    /// Takes a factor between 1 and [`ClockFactor::MAX`].
    #[must_use]
    pub const fn new(factor: u32) -> Option<Self> {
        if factor >= 1 && factor <= Self::MAX { Some(Self(factor)) } else { None }
    }

    /// The factor itself.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// A physical duration in schedule time.
    #[must_use]
    pub fn stretch(self, physical: Duration) -> Duration {
        physical.saturating_mul(self.0)
    }
}
