//! The lag of the partitions that a worker owns, read in the background: a scrape asks no broker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use paymux_domain::ports::CommandLog;
use paymux_domain::shard::Partition;
use paymux_engine::WorkerStatus;
use tokio_util::sync::CancellationToken;

/// Real pause between two rounds.
const PERIOD: Duration = Duration::from_secs(2);

/// Real time after which a question counts as not answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// The lags as last read; of what could not be read there is none.
#[derive(Debug, Default)]
pub(crate) struct OwnedLags(Mutex<BTreeMap<Partition, u64>>);

impl OwnedLags {
    /// Of each owned partition.
    pub(super) fn each(&self) -> Vec<(Partition, u64)> {
        self.0.lock().iter().map(|(partition, lag)| (*partition, *lag)).collect()
    }

    /// Reads again and again until the stop.
    pub(crate) async fn follow(
        self: Arc<Self>,
        log: Arc<dyn CommandLog>,
        worker: Arc<WorkerStatus>,
        stop: CancellationToken,
    ) {
        let reading = async {
            loop {
                let owned: Vec<_> = worker.figures().into_iter().map(|figures| figures.partition).collect();
                self.read(&*log, &owned).await;
                tokio::time::sleep(PERIOD).await;
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = reading => {}
        }
    }

    async fn read(&self, log: &dyn CommandLog, owned: &[Partition]) {
        let mut lags = BTreeMap::new();
        for partition in owned {
            if let Ok(Ok(lag)) = tokio::time::timeout(PATIENCE, log.lag(*partition)).await {
                lags.insert(*partition, lag);
            }
        }
        *self.0.lock() = lags;
    }
}

#[cfg(test)]
mod tests {
    use paymux_backends::memory::MemoryLogConfig;

    use super::*;
    use crate::fixture::Stage;

    #[tokio::test(start_paused = true)]
    async fn what_is_owned_no_more_is_told_no_more() {
        let log =
            Stage::new(MemoryLogConfig { partitions: 1, ..MemoryLogConfig::default() }, 1).cluster.log();
        let lags = OwnedLags::default();
        lags.read(&log, &[Partition(0)]).await;
        assert_eq!(lags.each(), [(Partition(0), 0)]);
        lags.read(&log, &[]).await;
        assert_eq!(lags.each(), []);
    }
}
