//! Asks the hook, lets the delay pass, and turns what the hook said into the caller's outcome.

use std::fmt;
use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use paymux_domain::ports::{AppendError, Clock, CommitError, LogError, StoreError};

use super::{Fault, FaultHook, FaultPoint, Then, When};

/// The fault points of one simulated process: its hook, its clock and the count of its operations.
pub struct Steps {
    hook: Arc<dyn FaultHook>,
    clock: Arc<dyn Clock>,
    last: AtomicU64,
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steps").field("last", &self.last).finish_non_exhaustive()
    }
}

impl Steps {
    /// Counts from 1.
    #[must_use]
    pub fn new(hook: Arc<dyn FaultHook>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { hook, clock, last: AtomicU64::new(0) })
    }

    /// How many operations were begun.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }

    /// A point inside one operation of a store, between two of its durable steps.
    pub(crate) async fn between(&self, operation: &'static str) -> Result<(), StoreError> {
        match self.pass(operation, self.count(), When::Between).await {
            Then::Proceed => Ok(()),
            _ => Err(StoreError::unknown(operation)),
        }
    }

    /// A write: it may fail, or have its effect without its caller's knowledge, now or later.
    pub(super) async fn write<R, E>(
        &self,
        operation: &'static str,
        effect: impl Future<Output = Result<R, E>> + Send + 'static,
    ) -> Result<R, E>
    where
        R: Send + 'static,
        E: Injected,
    {
        let step = self.begin();
        match self.pass(operation, step, When::Before).await {
            Then::Proceed => {}
            Then::LandLater(delay) => {
                self.land_later(delay, effect);
                return Err(E::unknown(operation));
            }
            Then::Fail => return Err(E::failed(operation)),
            Then::Unknown | Then::Crash => return Err(E::unknown(operation)),
        }
        let result = effect.await;
        match self.pass(operation, step, When::After).await {
            Then::Proceed => result,
            _ => Err(E::unknown(operation)),
        }
    }

    /// A read: it may fail.
    pub(super) async fn read<R, E: Injected>(
        &self,
        operation: &'static str,
        effect: impl Future<Output = Result<R, E>> + Send,
    ) -> Result<R, E> {
        let step = self.begin();
        if self.pass(operation, step, When::Before).await != Then::Proceed {
            return Err(E::failed(operation));
        }
        let result = effect.await;
        match self.pass(operation, step, When::After).await {
            Then::Proceed => result,
            _ => Err(E::failed(operation)),
        }
    }

    /// Whether something that nobody waits for is lost.
    pub(super) fn loses(&self, operation: &'static str) -> bool {
        let point = FaultPoint { operation, step: self.begin(), when: When::Before };
        self.hook.fault(point).then != Then::Proceed
    }

    pub(super) fn begin(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Asks the hook and lets the delay pass; a crash never returns.
    pub(super) async fn pass(&self, operation: &'static str, step: u64, when: When) -> Then {
        let Fault { delay, then } = self.hook.fault(FaultPoint { operation, step, when });
        if !delay.is_zero() {
            self.clock.sleep_until(self.clock.now() + delay).await;
        }
        if then == Then::Crash {
            pending::<()>().await;
        }
        then
    }

    fn land_later<R, E>(&self, delay: Duration, effect: impl Future<Output = Result<R, E>> + Send + 'static)
    where
        R: Send + 'static,
        E: Injected,
    {
        let wait = self.clock.sleep_until(self.clock.now() + delay);
        tokio::spawn(async move {
            wait.await;
            // Nobody is left to hear how it went.
            drop(effect.await);
        });
    }
}

/// An error that a fault can inject.
pub(super) trait Injected: Send + 'static {
    /// Certainly no effect.
    fn failed(operation: &str) -> Self;
    /// Perhaps an effect.
    fn unknown(operation: &str) -> Self;
}

impl Injected for AppendError {
    fn failed(operation: &str) -> Self {
        Self::NotAppended(format!("injected into {operation}"))
    }

    fn unknown(operation: &str) -> Self {
        Self::Unknown(format!("injected into {operation}"))
    }
}

impl Injected for StoreError {
    fn failed(operation: &str) -> Self {
        Self::Unavailable(format!("injected into {operation}"))
    }

    fn unknown(operation: &str) -> Self {
        Self::Unknown(format!("injected into {operation}"))
    }
}

impl Injected for LogError {
    fn failed(operation: &str) -> Self {
        Self::Unavailable(format!("injected into {operation}"))
    }

    fn unknown(operation: &str) -> Self {
        Self::failed(operation)
    }
}

impl Injected for CommitError {
    fn failed(operation: &str) -> Self {
        Self::Unavailable(format!("injected into {operation}"))
    }

    fn unknown(operation: &str) -> Self {
        Self::failed(operation)
    }
}
