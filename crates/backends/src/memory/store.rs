//! The order store in memory: each index row and each batch a durable step of its own, as in a CQL database.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use paymux_domain::fact::Fact;
use paymux_domain::followup::Followup;
use paymux_domain::name::{OrderKey, ProviderId, ProviderTradeNo, RefundNo};
use paymux_domain::ports::{
    BoxFuture, Bucket, CallMark, DueRow, LedgerEntry, ListPage, ListQuery, MovementPage, MovementQuery,
    OrderStore, ParkedOrder, Reserved, Snapshot, StoreError,
};
use paymux_domain::shard::Partition;

use super::tables::Tables;
use crate::faults::Steps;
use crate::ledger::Ledger;

/// Schedule time below `swept_through` whose rows are kept: 30 days, as a CQL table's TTL would.
const SWEPT_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// The order store in memory. Clones share it; it outlives every simulated crash.
///
/// Each index row of one [`OrderStore::add_facts`] is a step of its own before its facts, and facts and bookkeeping are
/// read as of two moments, either of them first: with [`MemoryStore::with_steps`] a fault hook may let time pass, fail
/// or crash there, so that any subset of the rows is written, and what is read together never stood together.
#[derive(Clone, Default)]
pub struct MemoryStore {
    pub(super) tables: Arc<Mutex<Tables>>,
    steps: Option<Arc<Steps>>,
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same tables, with a fault hook between the steps inside one operation.
    #[must_use]
    pub fn with_steps(&self, steps: Arc<Steps>) -> Self {
        Self { tables: Arc::clone(&self.tables), steps: Some(steps) }
    }

    /// Every order of which anything is stored, in key order: what an auditor reads.
    #[must_use]
    pub fn order_keys(&self) -> Vec<OrderKey> {
        self.tables.lock().order_keys().cloned().collect()
    }

    /// What is stored of an order: what an auditor reads.
    #[must_use]
    pub fn snapshot(&self, key: &OrderKey) -> Snapshot {
        self.tables.lock().snapshot(key)
    }

    /// Every due row of a partition that is still kept: what an auditor reads.
    #[must_use]
    pub fn due_rows(&self, partition: Partition) -> Vec<DueRow> {
        self.tables.lock().due(partition).rows().cloned().collect()
    }

    /// Loses the due rows of some orders, as a store never should: what an audit is there for. Returns how many.
    pub fn lose_due_rows(&self, partition: Partition, is_lost: impl Fn(&OrderKey) -> bool) -> usize {
        self.tables.lock().due(partition).lose(is_lost)
    }

    /// Loses the lists of orders by the days of their money: what a release before them left.
    pub fn lose_movements(&self) {
        self.tables.lock().lose_movements();
    }

    async fn between(&self, operation: &'static str) -> Result<(), StoreError> {
        match &self.steps {
            Some(steps) => steps.between(operation).await,
            None => Ok(()),
        }
    }
}

impl OrderStore for MemoryStore {
    fn read(&self, key: &OrderKey) -> BoxFuture<'_, Result<Snapshot, StoreError>> {
        let key = key.clone();
        Box::pin(async move {
            let first = self.tables.lock().snapshot(&key);
            let Some(steps) = &self.steps else { return Ok(first) };
            let is_followup_first = steps.count().is_multiple_of(2);
            let passed = steps.between("read.second").await;
            passed.map_err(|_| StoreError::Unavailable("injected into read".to_owned()))?;
            let second = self.tables.lock().snapshot(&key);
            Ok(match is_followup_first {
                true => Snapshot { followup: first.followup, ..second },
                false => Snapshot { facts: first.facts, ..second },
            })
        })
    }

    fn read_facts(&self, key: &OrderKey) -> BoxFuture<'_, Result<Vec<Fact>, StoreError>> {
        let facts = self.tables.lock().snapshot(key).facts;
        Box::pin(std::future::ready(Ok(facts)))
    }

    fn add_facts(&self, key: &OrderKey, facts: &[Fact]) -> BoxFuture<'_, Result<(), StoreError>> {
        let (key, facts) = (key.clone(), facts.to_vec());
        Box::pin(async move {
            let mut lost = None;
            for fact in facts.iter().filter(|fact| Tables::has_index_rows(fact)) {
                // They are written side by side: one that is lost holds up no other.
                match self.between("add_facts.index_row").await {
                    Ok(()) => self.tables.lock().put_index_rows(&key, fact),
                    Err(error) => lost = Some(error),
                }
            }
            if let Some(error) = lost {
                return Err(error);
            }
            self.tables.lock().put_facts(&key, &facts);
            Ok(())
        })
    }

    fn index_movements(&self, key: &OrderKey, facts: &[Fact]) -> BoxFuture<'_, Result<(), StoreError>> {
        let (key, facts) = (key.clone(), facts.to_vec());
        Box::pin(async move {
            let mut tables = self.tables.lock();
            facts.iter().for_each(|fact| tables.put_movement_rows(&key, fact));
            Ok(())
        })
    }

    fn put_followup(&self, key: &OrderKey, followup: &Followup) -> BoxFuture<'_, Result<(), StoreError>> {
        let (key, followup) = (key.clone(), followup.clone());
        Box::pin(async move {
            self.tables.lock().put_followup(&key, &followup);
            Ok(())
        })
    }

    fn insert_due(&self, partition: Partition, row: &DueRow) -> BoxFuture<'_, Result<(), StoreError>> {
        let row = row.clone();
        Box::pin(async move {
            self.tables.lock().due(partition).insert(&row);
            Ok(())
        })
    }

    fn read_due(
        &self,
        partition: Partition,
        bucket: Bucket,
        after: Option<&DueRow>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DueRow>, StoreError>> {
        let after = after.cloned();
        Box::pin(async move { Ok(self.tables.lock().due(partition).read(bucket, after.as_ref(), limit)) })
    }

    fn read_due_between(
        &self,
        partition: Partition,
        buckets: Range<Bucket>,
        after: Option<&DueRow>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DueRow>, StoreError>> {
        let after = after.cloned();
        Box::pin(
            async move { Ok(self.tables.lock().due(partition).read_between(buckets, after.as_ref(), limit)) },
        )
    }

    fn has_due(&self, partition: Partition, row: &DueRow) -> BoxFuture<'_, Result<bool, StoreError>> {
        let row = row.clone();
        Box::pin(async move { Ok(self.tables.lock().due(partition).has(&row)) })
    }

    fn floor(&self, partition: Partition) -> BoxFuture<'_, Result<Option<Bucket>, StoreError>> {
        Box::pin(async move { Ok(self.tables.lock().due(partition).floor) })
    }

    fn raise_floor(&self, partition: Partition, floor: Bucket) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut tables = self.tables.lock();
            let due = tables.due(partition);
            due.floor = due.floor.max(Some(floor));
            Ok(())
        })
    }

    fn swept_through(&self, partition: Partition) -> BoxFuture<'_, Result<Option<Bucket>, StoreError>> {
        Box::pin(async move { Ok(self.tables.lock().due(partition).swept_through) })
    }

    fn set_swept_through(
        &self,
        partition: Partition,
        bucket: Bucket,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut tables = self.tables.lock();
            let due = tables.due(partition);
            due.swept_through = Some(bucket);
            due.forget_swept(SWEPT_KEPT);
            Ok(())
        })
    }

    fn walk_orders(
        &self,
        after: Option<&OrderKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OrderKey>, StoreError>> {
        let after = after.cloned();
        Box::pin(async move { Ok(self.tables.lock().walk(after.as_ref(), limit)) })
    }

    fn list_orders(&self, query: &ListQuery) -> BoxFuture<'_, Result<ListPage, StoreError>> {
        let query = query.clone();
        Box::pin(async move { Ok(self.tables.lock().list(&query)) })
    }

    fn list_movements(&self, query: &MovementQuery) -> BoxFuture<'_, Result<MovementPage, StoreError>> {
        let query = query.clone();
        Box::pin(async move { Ok(self.tables.lock().list_movements(&query)) })
    }

    fn find_by_trade_no(
        &self,
        provider: &ProviderId,
        trade_no: &ProviderTradeNo,
    ) -> BoxFuture<'_, Result<Option<OrderKey>, StoreError>> {
        let (provider, trade_no) = (provider.clone(), trade_no.clone());
        Box::pin(async move { Ok(self.tables.lock().find(&provider, &trade_no)) })
    }

    fn list_parked(
        &self,
        after: Option<&OrderKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ParkedOrder>, StoreError>> {
        let after = after.cloned();
        Box::pin(async move { Ok(self.tables.lock().list_parked(after.as_ref(), limit)) })
    }

    fn reserve_refund(
        &self,
        key: &OrderKey,
        entry: &LedgerEntry,
        sum_max: i64,
        count_max: u32,
    ) -> BoxFuture<'_, Result<Reserved, StoreError>> {
        let (key, entry) = (key.clone(), entry.clone());
        Box::pin(async move {
            Ok(self.tables.lock().ledger.entry(key).or_default().reserve(&entry, sum_max, count_max))
        })
    }

    fn release_refund(&self, key: &OrderKey, refund_no: &RefundNo) -> BoxFuture<'_, Result<(), StoreError>> {
        let (key, refund_no) = (key.clone(), refund_no.clone());
        Box::pin(async move {
            if let Some(ledger) = self.tables.lock().ledger.get_mut(&key) {
                ledger.release(&refund_no);
            }
            Ok(())
        })
    }

    fn mark_refund_call(
        &self,
        key: &OrderKey,
        refund_no: &RefundNo,
        mark: CallMark,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        let (key, refund_no) = (key.clone(), refund_no.clone());
        Box::pin(async move {
            let mut tables = self.tables.lock();
            Ok(tables.ledger.get_mut(&key).is_some_and(|ledger| ledger.mark(&refund_no, mark)))
        })
    }

    fn refund_ledger(&self, key: &OrderKey) -> BoxFuture<'_, Result<Vec<LedgerEntry>, StoreError>> {
        let key = key.clone();
        Box::pin(
            async move { Ok(self.tables.lock().ledger.get(&key).map(Ledger::entries).unwrap_or_default()) },
        )
    }
}
