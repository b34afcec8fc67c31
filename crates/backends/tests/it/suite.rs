//! What every order store and every command log must do, one test per behaviour.
//!
//! A world holds one backend. Its steps are repeated until they succeed, as the engine repeats them: every write
//! may be repeated, so the suites hold under faults, too.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use paymux_backends::ReplyRouter;
use paymux_domain::ports::{BoxFuture, Clock, CommandLog, DeadRecord, LogConsumer, OrderStore, StepWriter};
use paymux_domain::time::{ClockFactor, Timestamp};
use tokio::time::timeout;

/// Longer than anything takes: a step that is not done by then never ends.
const STEP_MAX: Duration = Duration::from_secs(60);
/// Tries after which a step counts as failed for good.
pub(crate) const TRIES_MAX: usize = 20;

/// A store, and the same store after a restart.
pub(crate) struct StoreWorld {
    pub(crate) store: Arc<dyn OrderStore>,
    pub(crate) restart: Box<dyn FnOnce() -> BoxFuture<'static, StoreWorld> + Send>,
}

impl StoreWorld {
    pub(crate) async fn restarted(self) -> Self {
        let Self { store, restart } = self;
        drop(store);
        restart().await
    }
}

/// A log with an owner of all its partitions, and the same log with a new owner.
pub(crate) struct LogWorld {
    pub(crate) log: Arc<dyn CommandLog>,
    pub(crate) consumer: Arc<dyn LogConsumer>,
    pub(crate) replies: ReplyRouter,
    /// The dead records that the log keeps.
    pub(crate) dead: Arc<dyn Fn() -> Vec<DeadRecord> + Send + Sync>,
    pub(crate) move_on: Box<dyn FnOnce() -> LogWorld + Send>,
}

impl LogWorld {
    /// The partitions go to a new owner, the old one is gone.
    pub(crate) fn moved(self) -> Self {
        let Self { log, consumer, dead, move_on, .. } = self;
        drop((log, consumer, dead));
        move_on()
    }
}

/// A log and a store that are one database, what writes whole steps to it, and the same after a restart.
pub(crate) struct StepsWorld {
    pub(crate) log: Arc<dyn CommandLog>,
    pub(crate) store: Arc<dyn OrderStore>,
    pub(crate) steps: Arc<dyn StepWriter>,
    pub(crate) restart: Box<dyn FnOnce() -> StepsWorld + Send>,
}

impl StepsWorld {
    pub(crate) fn restarted(self) -> Self {
        let Self { log, store, steps, restart } = self;
        drop((log, store, steps));
        restart()
    }
}

/// Waits for a future that must end.
pub(crate) async fn ends<T>(step: impl Future<Output = T>) -> T {
    timeout(STEP_MAX, step).await.expect("a step that must end")
}

/// Repeats a step until it succeeds and gives its value; the expression is evaluated for each try.
macro_rules! done {
    ($step:expr) => {{
        let mut tries = 0;
        loop {
            match $crate::suite::ends($step).await {
                Ok(value) => break value,
                Err(error) => {
                    tries += 1;
                    assert!(tries < $crate::suite::TRIES_MAX, "at last: {error:?}");
                }
            }
        }
    }};
}

#[macro_use]
pub(crate) mod command_log;
#[macro_use]
pub(crate) mod order_store;
#[macro_use]
pub(crate) mod steps;

pub(crate) mod shard_board;
pub(crate) mod values;

/// Time as the test's runtime has it: real, or paused and advancing by itself.
#[derive(Debug)]
pub(crate) struct TokioClock {
    start: tokio::time::Instant,
}

impl TokioClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { start: tokio::time::Instant::now() })
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        values::at(0) + self.start.elapsed()
    }

    fn sleep_until(&self, until: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(until.since(self.now()))) // tidy: paused time
    }

    fn factor(&self) -> ClockFactor {
        ClockFactor::REAL
    }
}
