//! The order store over the tables.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use paymux_domain::fact::Fact;
use paymux_domain::followup::Followup;
use paymux_domain::name::{MerchantId, OrderKey, ProviderId, ProviderTradeNo, RefundNo, ShardGroup};
use paymux_domain::ports::{
    BoxFuture, Bucket, CallMark, Clock, DueRow, LedgerEntry, ListPage, ListQuery, MovementPage,
    MovementQuery, OrderStore, ParkedOrder, Reserved, Snapshot, StoreError,
};
use paymux_domain::shard::Partition;
use tokio::time::Instant;

use super::config::CqlConfig;
use super::connect::{self, CqlOpenError};
use super::driver::Driver;
use super::failure::Failure;
use super::ledger::Turns;
use super::schema::{ROW_MARGIN, SLICES};
use super::statements::Cql;

/// Milliseconds of a day.
pub(super) const DAY_MS: i64 = 24 * 3600 * 1000;
/// Places that are remembered as written, of one kind.
const PLACES_MAX: usize = 100_000;
/// How long a place's row counts as written, in real time as its TTL. The row outlasts by [`ROW_MARGIN`] what is written
/// beside it, and so by half of that what is written at the end of this time.
const WRITTEN_FOR: Duration = Duration::from_secs(ROW_MARGIN.as_secs() / 2);

/// The order store in a keyspace. Clones share its session.
#[derive(Clone)]
pub struct CqlStore {
    pub(super) tables: Arc<Tables>,
    slices: Arc<BTreeMap<ShardGroup, u16>>,
}

impl fmt::Debug for CqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CqlStore").finish_non_exhaustive()
    }
}

/// The tables, as the modules beside this one read and write them.
pub(super) struct Tables {
    pub(super) driver: Driver,
    /// Schedule time: a due row's TTL is counted from it.
    pub(super) clock: Arc<dyn Clock>,
    pub(super) turns: Turns,
    /// Days and slots of merchants that have their row in `order_days`.
    pub(super) days: Places<(MerchantId, i64, i64)>,
    /// Days and slots of merchants that have their row in `movement_days`.
    pub(super) movement_days: Places<(MerchantId, i64, i64)>,
    /// Buckets that have their row in `due_buckets`.
    pub(super) buckets: Places<(Bucket, Partition)>,
}

impl CqlStore {
    /// Opens the keyspace, which [`migrate`](super::migrate()) has made.
    ///
    /// # Errors
    /// The configuration is wrong, no node can be reached, or the keyspace does not fit.
    pub async fn open(config: &CqlConfig, clock: Arc<dyn Clock>) -> Result<Self, CqlOpenError> {
        let (driver, recorded) = connect::open(config).await?;
        let tables = Tables {
            driver,
            clock,
            turns: Turns::new(),
            days: Places::default(),
            movement_days: Places::default(),
            buckets: Places::default(),
        };
        Ok(Self { tables: Arc::new(tables), slices: Arc::new(recorded.slices) })
    }

    /// The slices of each shard group that was ever divided, as it was recorded when the keyspace was opened; any other
    /// is whole.
    #[must_use]
    pub fn slices(&self) -> &BTreeMap<ShardGroup, u16> {
        &self.slices
    }

    /// Records into how many slices a group is divided, for whoever opens the keyspace from here on.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn record_slices(&self, group: &ShardGroup, slices: u16) -> Result<(), StoreError> {
        let name = format!("{SLICES}{group}");
        Ok(self.tables.driver.write(Cql::RecordNumber, (name, i64::from(slices))).await?)
    }
}

/// Places whose row is written already, with the time of that. What is forgotten, or was long ago, is written once more.
pub(super) struct Places<T>(Mutex<BTreeMap<T, Instant>>);

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Ord> Places<T> {
    pub(super) fn holds(&self, place: &T) -> bool {
        self.0.lock().get(place).is_some_and(|written| written.elapsed() < WRITTEN_FOR)
    }

    /// Remembers a place whose row was begun to be written at that time.
    pub(super) fn add(&self, place: T, begun: Instant) {
        let mut places = self.0.lock();
        if places.len() >= PLACES_MAX {
            places.clear();
        }
        places.insert(place, begun);
    }
}

/// A number of rows as CQL takes it.
pub(super) fn limit(rows: usize) -> i32 {
    i32::try_from(rows).unwrap_or(i32::MAX).max(1)
}

/// The order that a row names.
pub(super) fn order_key(table: &str, merchant_id: &str, order_no: &str) -> Result<OrderKey, Failure> {
    Ok(OrderKey {
        merchant_id: merchant_id.parse().map_err(|error| Failure::row(table, error))?,
        order_no: order_no.parse().map_err(|error| Failure::row(table, error))?,
    })
}

/// One operation on the tables as the trait wants it: a boxed future with the trait's error.
macro_rules! run {
    ($self:ident, |$tables:ident| $operation:expr) => {{
        let $tables = &$self.tables;
        Box::pin(async move { Ok($operation.await?) })
    }};
}

impl OrderStore for CqlStore {
    fn read(&self, key: &OrderKey) -> BoxFuture<'_, Result<Snapshot, StoreError>> {
        let key = key.clone();
        run!(self, |tables| tables.snapshot(&key))
    }

    fn read_facts(&self, key: &OrderKey) -> BoxFuture<'_, Result<Vec<Fact>, StoreError>> {
        let key = key.clone();
        run!(self, |tables| tables.facts(&key))
    }

    fn add_facts(&self, key: &OrderKey, facts: &[Fact]) -> BoxFuture<'_, Result<(), StoreError>> {
        let (key, facts) = (key.clone(), facts.to_vec());
        run!(self, |tables| tables.add_facts(&key, &facts))
    }

    fn index_movements(&self, key: &OrderKey, facts: &[Fact]) -> BoxFuture<'_, Result<(), StoreError>> {
        let (key, facts) = (key.clone(), facts.to_vec());
        run!(self, |tables| tables.index_movements(&key, &facts))
    }

    fn put_followup(&self, key: &OrderKey, followup: &Followup) -> BoxFuture<'_, Result<(), StoreError>> {
        let (key, followup) = (key.clone(), followup.clone());
        run!(self, |tables| tables.put_followup(&key, &followup))
    }

    fn insert_due(&self, partition: Partition, row: &DueRow) -> BoxFuture<'_, Result<(), StoreError>> {
        let row = row.clone();
        run!(self, |tables| tables.insert_due(partition, &row))
    }

    fn read_due(
        &self,
        partition: Partition,
        bucket: Bucket,
        after: Option<&DueRow>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DueRow>, StoreError>> {
        let after = after.cloned();
        run!(self, |tables| tables.read_due(partition, bucket, after.as_ref(), limit))
    }

    fn read_due_between(
        &self,
        partition: Partition,
        buckets: Range<Bucket>,
        after: Option<&DueRow>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DueRow>, StoreError>> {
        let after = after.cloned();
        run!(self, |tables| tables.read_due_between(partition, buckets, after.as_ref(), limit))
    }

    fn has_due(&self, partition: Partition, row: &DueRow) -> BoxFuture<'_, Result<bool, StoreError>> {
        let row = row.clone();
        run!(self, |tables| tables.has_due(partition, &row))
    }

    fn floor(&self, partition: Partition) -> BoxFuture<'_, Result<Option<Bucket>, StoreError>> {
        run!(self, |tables| tables.floor(partition))
    }

    fn raise_floor(&self, partition: Partition, floor: Bucket) -> BoxFuture<'_, Result<(), StoreError>> {
        run!(self, |tables| tables.raise_floor(partition, floor))
    }

    fn swept_through(&self, partition: Partition) -> BoxFuture<'_, Result<Option<Bucket>, StoreError>> {
        run!(self, |tables| tables.swept_through(partition))
    }

    fn set_swept_through(
        &self,
        partition: Partition,
        bucket: Bucket,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        run!(self, |tables| tables.set_swept_through(partition, bucket))
    }

    fn walk_orders(
        &self,
        after: Option<&OrderKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OrderKey>, StoreError>> {
        let after = after.cloned();
        run!(self, |tables| tables.walk(after.as_ref(), limit))
    }

    fn list_orders(&self, query: &ListQuery) -> BoxFuture<'_, Result<ListPage, StoreError>> {
        let query = query.clone();
        run!(self, |tables| tables.list_orders(&query))
    }

    fn list_movements(&self, query: &MovementQuery) -> BoxFuture<'_, Result<MovementPage, StoreError>> {
        let query = query.clone();
        run!(self, |tables| tables.list_movements(&query))
    }

    fn find_by_trade_no(
        &self,
        provider: &ProviderId,
        trade_no: &ProviderTradeNo,
    ) -> BoxFuture<'_, Result<Option<OrderKey>, StoreError>> {
        let (provider, trade_no) = (provider.clone(), trade_no.clone());
        run!(self, |tables| tables.find_by_trade_no(&provider, &trade_no))
    }

    fn list_parked(
        &self,
        after: Option<&OrderKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ParkedOrder>, StoreError>> {
        let after = after.cloned();
        run!(self, |tables| tables.list_parked(after.as_ref(), limit))
    }

    fn reserve_refund(
        &self,
        key: &OrderKey,
        entry: &LedgerEntry,
        sum_max: i64,
        count_max: u32,
    ) -> BoxFuture<'_, Result<Reserved, StoreError>> {
        let (key, entry) = (key.clone(), entry.clone());
        run!(self, |tables| tables.reserve(&key, &entry, sum_max, count_max))
    }

    fn release_refund(&self, key: &OrderKey, refund_no: &RefundNo) -> BoxFuture<'_, Result<(), StoreError>> {
        let (key, refund_no) = (key.clone(), refund_no.clone());
        run!(self, |tables| tables.release(&key, &refund_no))
    }

    fn mark_refund_call(
        &self,
        key: &OrderKey,
        refund_no: &RefundNo,
        mark: CallMark,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        let (key, refund_no) = (key.clone(), refund_no.clone());
        run!(self, |tables| tables.mark(&key, &refund_no, mark))
    }

    fn refund_ledger(&self, key: &OrderKey) -> BoxFuture<'_, Result<Vec<LedgerEntry>, StoreError>> {
        let key = key.clone();
        run!(self, |tables| tables.entries(&key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row that is written beside a place's ends before the place's own, however long the process runs.
    #[tokio::test(start_paused = true)]
    async fn a_place_is_written_again_long_before_its_row_ends() {
        let places = Places::default();
        let (mut begun, retention) = (Instant::now(), Duration::from_secs(400 * 24 * 3600));
        places.add("day", begun);
        let mut written = 0;
        for _ in 0..400 {
            tokio::time::advance(Duration::from_secs(24 * 3600)).await;
            if !places.holds(&"day") {
                (begun, written) = (Instant::now(), written + 1);
                places.add("day", begun);
            }
            assert!(begun + retention + ROW_MARGIN > Instant::now() + retention, "{:?}", begun.elapsed());
        }
        assert_eq!(written, 400 / 15, "and no more often than that");
        assert!(!places.holds(&"another day"));
    }
}
