//! Faults around an order store.

use std::ops::Range;
use std::sync::Arc;

use paymux_domain::fact::Fact;
use paymux_domain::followup::Followup;
use paymux_domain::name::{OrderKey, ProviderId, ProviderTradeNo, RefundNo};
use paymux_domain::ports::{
    BoxFuture, Bucket, CallMark, DueRow, LedgerEntry, ListPage, ListQuery, MovementPage, MovementQuery,
    OrderStore, ParkedOrder, Reserved, Snapshot, StepWriter, StepWrites, StoreError,
};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;

use super::Unreliable;

impl<T: StepWriter + ?Sized + 'static> StepWriter for Unreliable<T> {
    fn write_step(&self, writes: StepWrites) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(self.steps.write("write_step", async move { inner.write_step(writes).await }))
    }
}

impl<T: OrderStore + ?Sized + 'static> OrderStore for Unreliable<T> {
    fn read(&self, key: &OrderKey) -> BoxFuture<'_, Result<Snapshot, StoreError>> {
        Box::pin(self.steps.read("read", self.inner.read(key)))
    }

    fn read_facts(&self, key: &OrderKey) -> BoxFuture<'_, Result<Vec<Fact>, StoreError>> {
        Box::pin(self.steps.read("read_facts", self.inner.read_facts(key)))
    }

    fn add_facts(&self, key: &OrderKey, facts: &[Fact]) -> BoxFuture<'_, Result<(), StoreError>> {
        let (inner, key, facts) = (Arc::clone(&self.inner), key.clone(), facts.to_vec());
        Box::pin(self.steps.write("add_facts", async move { inner.add_facts(&key, &facts).await }))
    }

    fn index_movements(&self, key: &OrderKey, facts: &[Fact]) -> BoxFuture<'_, Result<(), StoreError>> {
        let (inner, key, facts) = (Arc::clone(&self.inner), key.clone(), facts.to_vec());
        Box::pin(
            self.steps.write("index_movements", async move { inner.index_movements(&key, &facts).await }),
        )
    }

    fn put_followup(&self, key: &OrderKey, followup: &Followup) -> BoxFuture<'_, Result<(), StoreError>> {
        let (inner, key, followup) = (Arc::clone(&self.inner), key.clone(), followup.clone());
        Box::pin(self.steps.write("put_followup", async move { inner.put_followup(&key, &followup).await }))
    }

    fn insert_due(&self, partition: Partition, row: &DueRow) -> BoxFuture<'_, Result<(), StoreError>> {
        let (inner, row) = (Arc::clone(&self.inner), row.clone());
        Box::pin(self.steps.write("insert_due", async move { inner.insert_due(partition, &row).await }))
    }

    fn read_due(
        &self,
        partition: Partition,
        bucket: Bucket,
        after: Option<&DueRow>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DueRow>, StoreError>> {
        Box::pin(self.steps.read("read_due", self.inner.read_due(partition, bucket, after, limit)))
    }

    fn read_due_between(
        &self,
        partition: Partition,
        buckets: Range<Bucket>,
        after: Option<&DueRow>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DueRow>, StoreError>> {
        let read = self.inner.read_due_between(partition, buckets, after, limit);
        Box::pin(self.steps.read("read_due_between", read))
    }

    fn has_due(&self, partition: Partition, row: &DueRow) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.steps.read("has_due", self.inner.has_due(partition, row)))
    }

    fn floor(&self, partition: Partition) -> BoxFuture<'_, Result<Option<Bucket>, StoreError>> {
        Box::pin(self.steps.read("floor", self.inner.floor(partition)))
    }

    fn raise_floor(&self, partition: Partition, floor: Bucket) -> BoxFuture<'_, Result<(), StoreError>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(self.steps.write("raise_floor", async move { inner.raise_floor(partition, floor).await }))
    }

    fn swept_through(&self, partition: Partition) -> BoxFuture<'_, Result<Option<Bucket>, StoreError>> {
        Box::pin(self.steps.read("swept_through", self.inner.swept_through(partition)))
    }

    fn set_swept_through(
        &self,
        partition: Partition,
        bucket: Bucket,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        let inner = Arc::clone(&self.inner);
        let effect = async move { inner.set_swept_through(partition, bucket).await };
        Box::pin(self.steps.write("set_swept_through", effect))
    }

    fn walk_orders(
        &self,
        after: Option<&OrderKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OrderKey>, StoreError>> {
        Box::pin(self.steps.read("walk_orders", self.inner.walk_orders(after, limit)))
    }

    fn list_orders(&self, query: &ListQuery) -> BoxFuture<'_, Result<ListPage, StoreError>> {
        Box::pin(self.steps.read("list_orders", self.inner.list_orders(query)))
    }

    fn list_movements(&self, query: &MovementQuery) -> BoxFuture<'_, Result<MovementPage, StoreError>> {
        Box::pin(self.steps.read("list_movements", self.inner.list_movements(query)))
    }

    fn find_by_trade_no(
        &self,
        provider: &ProviderId,
        trade_no: &ProviderTradeNo,
    ) -> BoxFuture<'_, Result<Option<OrderKey>, StoreError>> {
        Box::pin(self.steps.read("find_by_trade_no", self.inner.find_by_trade_no(provider, trade_no)))
    }

    fn list_parked(
        &self,
        after: Option<&OrderKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ParkedOrder>, StoreError>> {
        Box::pin(self.steps.read("list_parked", self.inner.list_parked(after, limit)))
    }

    fn reserve_refund(
        &self,
        key: &OrderKey,
        entry: &LedgerEntry,
        sum_max: i64,
        count_max: u32,
    ) -> BoxFuture<'_, Result<Reserved, StoreError>> {
        let (inner, key, entry) = (Arc::clone(&self.inner), key.clone(), entry.clone());
        let effect = async move { inner.reserve_refund(&key, &entry, sum_max, count_max).await };
        Box::pin(self.steps.write("reserve_refund", effect))
    }

    fn release_refund(&self, key: &OrderKey, refund_no: &RefundNo) -> BoxFuture<'_, Result<(), StoreError>> {
        let (inner, key, refund_no) = (Arc::clone(&self.inner), key.clone(), refund_no.clone());
        let effect = async move { inner.release_refund(&key, &refund_no).await };
        Box::pin(self.steps.write("release_refund", effect))
    }

    fn mark_refund_call(
        &self,
        key: &OrderKey,
        refund_no: &RefundNo,
        mark: CallMark,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        let (inner, key, refund_no) = (Arc::clone(&self.inner), key.clone(), refund_no.clone());
        let effect = async move { inner.mark_refund_call(&key, &refund_no, mark).await };
        Box::pin(self.steps.write("mark_refund_call", effect))
    }

    fn refund_ledger(&self, key: &OrderKey) -> BoxFuture<'_, Result<Vec<LedgerEntry>, StoreError>> {
        Box::pin(self.steps.read("refund_ledger", self.inner.refund_ledger(key)))
    }
}
