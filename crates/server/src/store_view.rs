//! The store as the doors see it: reading alone, each read with a deadline.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use paymux_domain::fold::Order;
use paymux_domain::name::{OrderKey, ProviderId, ProviderTradeNo};
use paymux_domain::ports::{
    Bucket, DueRow, ListPage, ListQuery, MovementPage, MovementQuery, OrderStore, ParkedOrder, Snapshot,
    StoreError,
};
use paymux_domain::shard::Partition;
use paymux_engine::requests::{StoreRequest, StoreRequests};
use tokio::time::Instant;

/// Real time that a read may take before the store counts as unavailable.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Orders that are read at once for one answer.
pub(crate) const READS_AT_ONCE: usize = 16;

/// A view of a store; clones share it. What its reads promise stands at [`OrderStore`].
#[derive(Clone)]
pub struct StoreView {
    store: Arc<dyn OrderStore>,
    counted: Arc<StoreRequests>,
}

impl std::fmt::Debug for StoreView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreView")
    }
}

impl StoreView {
    /// Of that store.
    #[must_use]
    pub fn new(store: Arc<dyn OrderStore>) -> Self {
        Self { store, counted: Arc::default() }
    }

    /// Its requests.
    pub(crate) fn counted(&self) -> &Arc<StoreRequests> {
        &self.counted
    }

    /// What a request answers in time; counted with the time that it took.
    async fn timed<T>(
        &self,
        kind: StoreRequest,
        read: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let answer = in_time(read).await;
        self.counted.of(kind).record(began.elapsed(), answer.is_ok());
        answer
    }

    pub(crate) async fn read(&self, key: &OrderKey) -> Result<Snapshot, StoreError> {
        self.timed(StoreRequest::ReadOrder, self.store.read(key)).await
    }

    /// The order under a key; an unknown one is empty.
    pub(crate) async fn order(&self, key: &OrderKey) -> Result<Order, StoreError> {
        let facts = self.timed(StoreRequest::ReadOrder, self.store.read_facts(key)).await?;
        Ok(Order::from_facts(facts))
    }

    /// The orders of some entries, in their order.
    pub(crate) async fn orders<T>(
        &self,
        entries: Vec<(T, OrderKey)>,
    ) -> Result<Vec<(T, OrderKey, Order)>, StoreError> {
        let reads = entries.into_iter().map(|(entry, key)| async move {
            let order = self.order(&key).await?;
            Ok((entry, key, order))
        });
        stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await
    }

    pub(crate) async fn list_orders(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        self.timed(StoreRequest::List, self.store.list_orders(query)).await
    }

    pub(crate) async fn list_movements(&self, query: &MovementQuery) -> Result<MovementPage, StoreError> {
        self.timed(StoreRequest::List, self.store.list_movements(query)).await
    }

    pub(crate) async fn find_by_trade_no(
        &self,
        provider: &ProviderId,
        trade_no: &ProviderTradeNo,
    ) -> Result<Option<OrderKey>, StoreError> {
        self.timed(StoreRequest::List, self.store.find_by_trade_no(provider, trade_no)).await
    }

    pub(crate) async fn list_parked(
        &self,
        after: Option<&OrderKey>,
        limit: usize,
    ) -> Result<Vec<ParkedOrder>, StoreError> {
        self.timed(StoreRequest::List, self.store.list_parked(after, limit)).await
    }

    pub(crate) async fn read_due_between(
        &self,
        partition: Partition,
        buckets: Range<Bucket>,
        after: Option<&DueRow>,
        limit: usize,
    ) -> Result<Vec<DueRow>, StoreError> {
        self.timed(StoreRequest::ReadDue, self.store.read_due_between(partition, buckets, after, limit)).await
    }

    pub(crate) async fn swept_through(&self, partition: Partition) -> Result<Option<Bucket>, StoreError> {
        self.timed(StoreRequest::SweepPosition, self.store.swept_through(partition)).await
    }
}

/// What a request to the store answers in time.
pub(crate) async fn in_time<T>(read: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let no_answer = |_| Err(StoreError::Unavailable("no answer in time".to_owned()));
    tokio::time::timeout(READ_TIMEOUT, read).await.unwrap_or_else(no_answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_store_that_does_not_answer_is_unavailable() {
        let never = in_time(std::future::pending::<Result<(), StoreError>>());
        assert!(matches!(never.await, Err(StoreError::Unavailable(_))));
    }
}
