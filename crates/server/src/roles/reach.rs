//! Whether a process on a cluster reaches log and store: what its readiness hangs on beside its worker.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use paymux_domain::ports::{CommandLog, OrderStore};
use paymux_domain::shard::Partition;
use tokio_util::sync::CancellationToken;

/// Real pause between two looks.
const PERIOD: Duration = Duration::from_secs(1);

/// Real time after which a question counts as not answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is asked about: the first partition, which every cluster has.
const ASKED: Partition = Partition(0);

/// Whether log and store answered when they were last asked.
#[derive(Debug)]
pub(super) struct Reach {
    is_there: AtomicBool,
}

impl Reach {
    /// Of a process that has just opened both.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { is_there: AtomicBool::new(true) })
    }

    /// Whether both are there.
    pub(super) fn is_there(&self) -> bool {
        self.is_there.load(Ordering::Acquire)
    }

    /// Asks again and again until the stop; a process that needs no store hands none in.
    pub(super) async fn follow(
        self: Arc<Self>,
        log: Arc<dyn CommandLog>,
        store: Option<Arc<dyn OrderStore>>,
        stop: CancellationToken,
    ) {
        let asking = async {
            loop {
                let stored = async {
                    match &store {
                        Some(store) => answered("the store", store.floor(ASKED)).await,
                        None => true,
                    }
                };
                let (log, store) = tokio::join!(answered("the log", log.lag(ASKED)), stored);
                let is_there = log && store;
                if !self.is_there.swap(is_there, Ordering::AcqRel) && is_there {
                    tracing::info!("log and store are there again");
                }
                tokio::time::sleep(PERIOD).await;
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = asking => {}
        }
    }
}

async fn answered<T, E: Display>(who: &str, question: impl Future<Output = Result<T, E>>) -> bool {
    match tokio::time::timeout(PATIENCE, question).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => {
            tracing::warn!(%error, "{who} does not answer: not ready");
            false
        }
        Err(_) => {
            tracing::warn!("{who} does not answer in time: not ready");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_counts_as_no_answer() {
        assert!(answered("it", async { Ok::<_, String>(7) }).await);
        assert!(!answered("it", async { Err::<(), _>("away") }).await);
        assert!(!answered("it", std::future::pending::<Result<(), String>>()).await);
    }
}
