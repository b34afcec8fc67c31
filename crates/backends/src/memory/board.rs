//! The reports of the partitions' owners in memory; none of them goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use paymux_domain::ports::{BoxFuture, ShardBoard, ShardReport, StoreError};
use paymux_domain::shard::Partition;

/// A board in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryBoard {
    reports: Arc<Mutex<BTreeMap<Partition, ShardReport>>>,
}

impl ShardBoard for MemoryBoard {
    fn tell(&self, report: &ShardReport) -> BoxFuture<'_, Result<(), StoreError>> {
        let report = report.clone();
        Box::pin(async move {
            let mut reports = self.reports.lock();
            let known = reports.get(&report.partition).map_or(0, |known| known.generation);
            if report.generation >= known {
                reports.insert(report.partition, report);
            }
            Ok(())
        })
    }

    fn told(&self, partition: Partition) -> BoxFuture<'_, Result<Option<ShardReport>, StoreError>> {
        Box::pin(async move { Ok(self.reports.lock().get(&partition).cloned()) })
    }
}
