//! The reports of the partitions' owners, as rows that go by themselves.

use paymux_domain::ports::{BoxFuture, ShardBoard, ShardReport, StoreError};
use paymux_domain::shard::Partition;
use paymux_proto::records;

use super::failure::Failure;
use super::statements::Cql;
use super::store::{CqlStore, Tables};

impl Tables {
    async fn tell(&self, partition: Partition, generation: u64, body: Vec<u8>) -> Result<(), Failure> {
        let generation = i64::try_from(generation).unwrap_or(i64::MAX);
        self.driver.write(Cql::PutShardReport, (i64::from(partition.0), generation, body)).await
    }

    async fn told(&self, partition: Partition) -> Result<Option<ShardReport>, Failure> {
        let row = self.driver.row::<(Vec<u8>,)>(Cql::ReadShardReport, (i64::from(partition.0),)).await?;
        let Some((body,)) = row else { return Ok(None) };
        // Nothing hangs on it: what a newer release tells is no reason to end.
        let unreadable = |error| Failure::None(format!("row of shard_reports: {error}"));
        records::decode_shard_report(&body).map(Some).map_err(unreadable)
    }
}

impl ShardBoard for CqlStore {
    fn tell(&self, report: &ShardReport) -> BoxFuture<'_, Result<(), StoreError>> {
        let (partition, generation) = (report.partition, report.generation);
        let body = records::encode_shard_report(report);
        Box::pin(async move { Ok(self.tables.tell(partition, generation, body).await?) })
    }

    fn told(&self, partition: Partition) -> BoxFuture<'_, Result<Option<ShardReport>, StoreError>> {
        Box::pin(async move { Ok(self.tables.told(partition).await?) })
    }
}
