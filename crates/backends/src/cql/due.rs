//! Due rows by minute, the floor, and the sweep's position.

use std::ops::Range;
use std::time::Duration;

use futures_util::future::try_join_all;
use paymux_domain::ports::{Bucket, DueRow};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;
use scylla::value::CqlTimestamp;
use tokio::time::Instant;

use super::failure::Failure;
use super::index::timestamp;
use super::schema::ROW_MARGIN;
use super::statements::Cql;
use super::store::{DAY_MS, Tables, limit, order_key};

/// Longest TTL of a due row: no order owes anything that long `[assumed]`.
const TTL_MAX: Duration = Duration::from_secs(3 * 365 * 24 * 3600);
/// A bucket's entry outlasts the rows of the bucket, which may be written until it is swept.
const BUCKET_MARGIN: Duration = Duration::from_secs(24 * 3600);
/// Days that one read looks through; a longer range is refused.
const DAYS_MAX: i64 = 3660;
/// Buckets that are read at once by those who look ahead.
const BUCKETS_AT_ONCE: usize = 16;

impl Tables {
    pub(super) async fn insert_due(&self, partition: Partition, row: &DueRow) -> Result<(), Failure> {
        let bucket = Bucket::of(row.due_at);
        let place = (bucket, partition);
        if !self.buckets.holds(&place) {
            let begun = Instant::now();
            let ttl = self.ttl(bucket.next().start() + BUCKET_MARGIN);
            let entry = (i64::from(partition.0), day_of(bucket), bucket.0, ttl);
            self.driver.write(Cql::AddDueBucket, entry).await?;
            self.buckets.add(place, begun);
        }
        let (merchant_id, order_no) = (row.key.merchant_id.as_str(), row.key.order_no.as_str());
        let due_at = timestamp(row.due_at);
        let values = (i64::from(partition.0), bucket.0, due_at, merchant_id, order_no, self.ttl(row.due_at));
        // The bucket's entry means nothing by itself, so a refusal of the row had no effect.
        self.driver.write(Cql::AddDue, values).await
    }

    /// Seconds until [`ROW_MARGIN`] after a time. Schedule time is never slower than the nodes' own.
    fn ttl(&self, time: Timestamp) -> i32 {
        let ttl = (time.since(self.clock.now()) + ROW_MARGIN).min(TTL_MAX);
        i32::try_from(ttl.as_secs()).unwrap_or(i32::MAX)
    }

    pub(super) async fn read_due(
        &self,
        partition: Partition,
        bucket: Bucket,
        after: Option<&DueRow>,
        max: usize,
    ) -> Result<Vec<DueRow>, Failure> {
        let (time, merchant_id, order_no) = match after {
            Some(row) => (timestamp(row.due_at), row.key.merchant_id.as_str(), row.key.order_no.as_str()),
            None => (CqlTimestamp(i64::MIN), "", ""),
        };
        let from = (i64::from(partition.0), bucket.0, time, merchant_id, order_no, limit(max));
        let rows = self.driver.rows::<(CqlTimestamp, String, String)>(Cql::ReadDue, from, max).await?;
        let row = |(due_at, merchant_id, order_no): (CqlTimestamp, String, String)| {
            let key = order_key("due_orders", &merchant_id, &order_no)?;
            Ok(DueRow { due_at: Timestamp::from_millis(due_at.0), key })
        };
        rows.into_iter().map(row).collect()
    }

    pub(super) async fn has_due(&self, partition: Partition, row: &DueRow) -> Result<bool, Failure> {
        let (merchant_id, order_no) = (row.key.merchant_id.as_str(), row.key.order_no.as_str());
        let (bucket, due_at) = (Bucket::of(row.due_at).0, timestamp(row.due_at));
        let key = (i64::from(partition.0), bucket, due_at, merchant_id, order_no);
        Ok(self.driver.row::<(String,)>(Cql::ReadDueRow, key).await?.is_some())
    }

    /// Day by day, and of each day the buckets that hold rows.
    pub(super) async fn read_due_between(
        &self,
        partition: Partition,
        buckets: Range<Bucket>,
        after: Option<&DueRow>,
        max: usize,
    ) -> Result<Vec<DueRow>, Failure> {
        let start = after.map_or(buckets.start, |row| buckets.start.max(Bucket::of(row.due_at)));
        let mut found = Vec::new();
        if start >= buckets.end {
            return Ok(found);
        }
        let days = day_of(start)..=day_of(Bucket(buckets.end.0.saturating_sub(1)));
        if days.end().saturating_sub(*days.start()) > DAYS_MAX {
            return Err(Failure::None(format!("due rows of more than {DAYS_MAX} days were asked for")));
        }
        for day in days {
            let range = (i64::from(partition.0), day, start.0, buckets.end.0);
            let held = self.driver.rows::<(i64,)>(Cql::ReadDueBuckets, range, usize::MAX).await?;
            for some in held.chunks(BUCKETS_AT_ONCE) {
                let reads =
                    some.iter().map(|(bucket,)| self.read_due(partition, Bucket(*bucket), after, max));
                found.extend(try_join_all(reads).await?.into_iter().flatten());
                if found.len() >= max {
                    found.truncate(max);
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    /// The highest floor that was raised and is still kept.
    pub(super) async fn floor(&self, partition: Partition) -> Result<Option<Bucket>, Failure> {
        let row = self.driver.row::<(i64,)>(Cql::ReadFloor, (i64::from(partition.0),)).await?;
        Ok(row.map(|(floor,)| Bucket(floor)))
    }

    pub(super) async fn raise_floor(&self, partition: Partition, floor: Bucket) -> Result<(), Failure> {
        self.driver.write(Cql::AddFloor, (i64::from(partition.0), floor.0)).await
    }

    pub(super) async fn swept_through(&self, partition: Partition) -> Result<Option<Bucket>, Failure> {
        let row = self.driver.row::<(i64,)>(Cql::ReadSwept, (i64::from(partition.0),)).await?;
        Ok(row.map(|(bucket,)| Bucket(bucket)))
    }

    pub(super) async fn set_swept_through(
        &self,
        partition: Partition,
        bucket: Bucket,
    ) -> Result<(), Failure> {
        self.driver.write(Cql::PutSwept, (i64::from(partition.0), bucket.0)).await
    }
}

const fn day_of(bucket: Bucket) -> i64 {
    bucket.start().as_millis().div_euclid(DAY_MS)
}
