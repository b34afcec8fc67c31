//! What is known of the partitions' owners: of this process's own worker as it is now, of others as they told last.

use std::sync::Arc;
use std::time::Duration;

use paymux_domain::ports::{ShardBoard, ShardReport, StoreError};
use paymux_domain::shard::Partition;
use paymux_engine::WorkerStatus;
use tokio_util::sync::CancellationToken;

use crate::store_view::in_time;

/// Real pause between two rounds of telling.
const PERIOD: Duration = Duration::from_secs(3);

/// Where reports are found. Clones share it.
#[derive(Clone, Default)]
pub struct Shards {
    own: Option<Arc<WorkerStatus>>,
    name: String,
    board: Option<Arc<dyn ShardBoard>>,
}

impl std::fmt::Debug for Shards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shards({})", self.name)
    }
}

impl Shards {
    /// Of a process of that name, with its own worker and the board of its cluster, where it has them.
    #[must_use]
    pub fn new(name: &str, own: Option<Arc<WorkerStatus>>, board: Option<Arc<dyn ShardBoard>>) -> Self {
        Self { own, name: name.to_owned(), board }
    }

    /// The report of the newest owner that is known; `None`: nobody has told.
    pub(crate) async fn report(&self, partition: Partition) -> Result<Option<ShardReport>, StoreError> {
        let told = match &self.board {
            Some(board) => in_time(board.told(partition)).await?,
            None => None,
        };
        // Own knowledge is fresher, unless the partition went to somebody else and the worker has not heard of it.
        let own = self.own.as_ref().and_then(|own| own.report(partition, &self.name));
        let newest = [told, own].into_iter().flatten();
        Ok(newest.max_by_key(|report| report.generation))
    }

    /// Tells of the own worker's partitions until the stop, where there is somebody to tell.
    pub(crate) async fn tell(self, stop: CancellationToken) {
        let (Some(own), Some(board)) = (self.own, self.board) else { return };
        let telling = async {
            let mut is_told = true;
            loop {
                let told = round(&own, &self.name, &*board).await;
                if let Err(error) = &told
                    && is_told
                {
                    tracing::warn!(%error, "operators do not hear of this worker's partitions");
                }
                is_told = told.is_ok();
                tokio::time::sleep(PERIOD).await;
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = telling => {}
        }
    }
}

/// Tells of each partition, one after the other: nobody waits for it. A store that does not answer is left alone until
/// the next round.
async fn round(own: &WorkerStatus, name: &str, board: &dyn ShardBoard) -> Result<(), StoreError> {
    for report in own.reports(name) {
        in_time(board.tell(&report)).await?;
    }
    Ok(())
}
