//! Faults around any backend: delays, time-outs before and after the effect, late effects, crashes.
//!
//! [`Unreliable`] implements the traits of the backend that it wraps. Before and after each operation it asks a
//! [`FaultHook`] what happens there; what the hook answers is all that decides, so a seeded hook gives the same run
//! again. A crash is a future that never completes: whoever drives the simulation drops the tasks of the process.

mod log;
mod steps;
mod store;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use steps::Steps;

/// Where an operation stands when the hook is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    /// Nothing has happened yet.
    Before,
    /// Inside one operation, between two of its durable steps.
    Between,
    /// The effect has happened; the caller does not know yet.
    After,
}

/// One place at which a fault may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultPoint {
    /// The trait's method, such as `add_facts`; between steps with the step, such as `add_facts.index_row`.
    pub operation: &'static str,
    /// The number of the operation, counted from 1 by one [`Steps`]: the same before and after it. Between its steps
    /// it is the number of the newest operation.
    pub step: u64,
    /// Before, between or after.
    pub when: When,
}

/// What happens at a fault point: a delay, then an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Schedule time that passes first.
    pub delay: Duration,
    /// What happens then.
    pub then: Then,
}

/// What happens after the delay of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The operation goes on.
    Proceed,
    /// It fails and the caller knows that it had no effect; after the effect this is the same as `Unknown`.
    Fail,
    /// The caller only hears that the outcome is unknown. Before the effect: there is none.
    Unknown,
    /// As `Unknown`, and the effect of a write lands after that much schedule time, even if the caller is gone.
    LandLater(Duration),
    /// The caller never hears anything again.
    Crash,
}

impl Fault {
    /// Nothing happens.
    pub const NONE: Self = Self::of(Then::Proceed);

    /// A fault without delay.
    #[must_use]
    pub const fn of(then: Then) -> Self {
        Self { delay: Duration::ZERO, then }
    }

    /// Only a delay, in schedule time.
    #[must_use]
    pub const fn delayed(delay: Duration) -> Self {
        Self { delay, then: Then::Proceed }
    }
}

/// Decides what happens at each fault point; the one place that draws from a seed.
pub trait FaultHook: Send + Sync {
    /// What happens here. Asked once per point, in the order in which the simulation reaches them.
    fn fault(&self, point: FaultPoint) -> Fault;
}

/// A hook that never does anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFaults;

impl FaultHook for NoFaults {
    fn fault(&self, _: FaultPoint) -> Fault {
        Fault::NONE
    }
}

/// A backend with faults around each of its operations; implements the traits that the backend implements.
pub struct Unreliable<T: ?Sized> {
    inner: Arc<T>,
    steps: Arc<Steps>,
    /// An input that was taken from the log but not handed over yet: a fault must not lose it.
    held_back: parking_lot::Mutex<Option<paymux_domain::ports::LogInput>>,
}

impl<T: ?Sized> Unreliable<T> {
    /// Wraps a backend. Wrappers may share their [`Steps`], so that one process has one count.
    #[must_use]
    pub fn new(inner: Arc<T>, steps: Arc<Steps>) -> Self {
        Self { inner, steps, held_back: parking_lot::Mutex::new(None) }
    }

    /// The backend itself.
    #[must_use]
    pub const fn inner(&self) -> &Arc<T> {
        &self.inner
    }
}

impl<T: ?Sized> fmt::Debug for Unreliable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unreliable").finish_non_exhaustive()
    }
}
