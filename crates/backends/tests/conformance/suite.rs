//! What every order store and every command log must do, one test per behaviour.
//!
//! A world holds one backend. Its steps are repeated until they succeed, as the engine repeats them: every write
//! may be repeated, so the suites hold under faults, too.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use paymux_backends::ReplyRouter;
use paymux_domain::ports::{BoxFuture, Clock, CommandLog, LogConsumer, OrderStore};
use paymux_domain::time::{ClockFactor, Timestamp};
use tokio::time::timeout;

pub mod command_log;
pub mod order_store;
pub mod values;

/// Longer than anything takes: a step that is not done by then never ends.
const STEP_MAX: Duration = Duration::from_secs(20);
/// Repetitions after which a step counts as failed for good.
const REPEATS_MAX: usize = 20;

/// A store, and the same store after a restart.
pub struct StoreWorld {
    pub store: Arc<dyn OrderStore>,
    pub restart: Box<dyn FnOnce() -> StoreWorld + Send>,
}

impl StoreWorld {
    pub fn restarted(self) -> Self {
        let Self { store, restart } = self;
        drop(store);
        restart()
    }
}

/// A log with an owner of all its partitions, and the same log with a new owner.
pub struct LogWorld {
    pub log: Arc<dyn CommandLog>,
    pub consumer: Arc<dyn LogConsumer>,
    pub replies: ReplyRouter,
    pub move_on: Box<dyn FnOnce() -> LogWorld + Send>,
}

impl LogWorld {
    /// The partitions go to a new owner, the old one is gone.
    pub fn moved(self) -> Self {
        let Self { log, consumer, move_on, .. } = self;
        drop((log, consumer));
        move_on()
    }
}

/// Waits for a future that must end.
pub async fn ends<T>(step: impl Future<Output = T>) -> T {
    timeout(STEP_MAX, step).await.expect("a step that must end")
}

/// Repeats a step until it succeeds.
pub async fn done<T, E: Debug>(mut step: impl FnMut() -> BoxFuture<'static, Result<T, E>>) -> T {
    let mut last = None;
    for _ in 0..REPEATS_MAX {
        match ends(step()).await {
            Ok(value) => return value,
            Err(error) => last = Some(error),
        }
    }
    panic!("failed {REPEATS_MAX} times, at last: {last:?}");
}

/// Repeats an operation of a shared backend until it succeeds: `done!(store.read(&key))`.
macro_rules! done {
    ($backend:ident . $operation:ident ( $($argument:expr),* $(,)? )) => {
        $crate::suite::done(|| {
            let backend = ::std::sync::Arc::clone(&$backend);
            $(let _ = &$argument;)*
            let future = $crate::suite::owned(backend, |b| b.$operation($($argument),*));
            future
        })
        .await
    };
}

/// Time as the test's runtime has it: real, or paused and advancing by itself.
#[derive(Debug)]
pub struct TokioClock {
    start: tokio::time::Instant,
}

impl TokioClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { start: tokio::time::Instant::now() })
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        values::at(0) + self.start.elapsed()
    }

    fn sleep_until(&self, until: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(until.since(self.now())))
    }

    fn factor(&self) -> ClockFactor {
        ClockFactor::REAL
    }
}
