//! The order store in the embedded database.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use paymux_domain::fact::{AttentionReason, Fact, FactBody, FactKey};
use paymux_domain::followup::Followup;
use paymux_domain::movement::days_of;
use paymux_domain::name::{OrderKey, ProviderId, ProviderTradeNo, RefundNo};
use paymux_domain::ports::{
    BoxFuture, Bucket, CallMark, DueRow, LedgerEntry, ListPage, ListQuery, MovementPage, MovementQuery,
    OrderStore, ParkedOrder, Reserved, Snapshot, StoreError,
};
use paymux_domain::shard::Partition;
use paymux_proto::records;

use super::keys::{DayKey, DueKey, PositionKey, TimeKey, TradeKey, fact_key, order_prefix, ordered};
use super::open::Shared;
use super::prune::mark_of;
use super::reads::View;
use super::tables::{ReadFault, Table};
use super::write::{Ack, Op, Row};

/// Facts of one order that are read without leaving the async worker: few, and close together.
const ORDER_ROWS: u64 = 1;

/// The order store of an [`EmbeddedBackend`](super::EmbeddedBackend).
pub struct EmbeddedStore {
    shared: Arc<Shared>,
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore").finish_non_exhaustive()
    }
}

impl EmbeddedStore {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(super) fn write<'a, T: Send + 'a>(
        &'a self,
        op: impl FnOnce(Ack<T>) -> Op + Send + 'a,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        Box::pin(async move { Ok(self.shared.writer.submit(op).await?) })
    }

    /// Reads about `rows` rows.
    fn read<'a, T: Send + 'static>(
        &'a self,
        rows: u64,
        read: impl FnOnce(&View<'_>) -> Result<T, ReadFault> + Send + 'static,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        Box::pin(async move { Ok(self.shared.read(rows, read).await?) })
    }
}

/// The rows of one fact: its own, and those of the indexes. All of a decision's rows are in one batch.
pub(super) fn rows_of(order: &OrderKey, fact: &Fact, rows: &mut Vec<Row>) {
    match (&fact.key, &fact.body) {
        (FactKey::Created, FactBody::Created(created)) => {
            let key = TimeKey {
                merchant_id: order.merchant_id.clone(),
                created_time: created.created_time,
                order_no: order.order_no.clone(),
            };
            rows.push(Row::put(Table::OrdersByTime, key.bytes(), Vec::new()));
        }
        (FactKey::Paid(no) | FactKey::PaidStated(no), FactBody::Paid(payment))
        | (FactKey::OperatorPaid(no), FactBody::OperatorPaid { payment, .. }) => {
            for trade_no in [no, &payment.trade_no] {
                let key = TradeKey { trade_no: trade_no.clone(), order: order.clone() };
                rows.push(Row::put(Table::OrdersByTradeNo, key.bytes(), Vec::new()));
            }
        }
        (FactKey::Attention(reason, _), _) if reason.parks() => {
            let since = ordered(fact.time.as_millis()).to_vec();
            rows.push(Row::put(Table::Parked, fact_key(order, &fact.key), since));
        }
        (FactKey::AttentionResolved(reason, k), _) if reason.parks() => {
            rows.push(Row::remove(Table::Parked, fact_key(order, &FactKey::Attention(*reason, *k))));
        }
        _ => {}
    }
    rows.extend(day_rows(order, fact));
    rows.push(Row::put(Table::Facts, fact_key(order, &fact.key), records::encode_fact(fact)));
}

/// The rows by which a fact about money is listed under its days.
fn day_rows(order: &OrderKey, fact: &Fact) -> impl Iterator<Item = Row> {
    days_of(fact).into_iter().map(|day| {
        let key = DayKey { merchant_id: order.merchant_id.clone(), day, order_no: order.order_no.clone() };
        Row::put(Table::OrdersByDay, key.bytes(), Vec::new())
    })
}

/// Whether a fact is decided without any other of its order: that of a new order, or of one that was never ordered.
pub(super) const fn begins_an_order(key: &FactKey) -> bool {
    matches!(
        key,
        FactKey::Created
            | FactKey::Attention(AttentionReason::UnknownOrder | AttentionReason::WrongMerchant, _)
    )
}

impl OrderStore for EmbeddedStore {
    fn read(&self, key: &OrderKey) -> BoxFuture<'_, Result<Snapshot, StoreError>> {
        let key = key.clone();
        self.read(ORDER_ROWS, move |view| view.snapshot(&key))
    }

    fn read_facts(&self, key: &OrderKey) -> BoxFuture<'_, Result<Vec<Fact>, StoreError>> {
        let prefix = order_prefix(key);
        self.read(ORDER_ROWS, move |view| view.facts(&prefix))
    }

    fn add_facts(&self, key: &OrderKey, facts: &[Fact]) -> BoxFuture<'_, Result<(), StoreError>> {
        let mut rows = Vec::with_capacity(facts.len() + 2);
        facts.iter().for_each(|fact| rows_of(key, fact, &mut rows));
        let (mark, begins) = (mark_of(key), facts.iter().any(|fact| begins_an_order(&fact.key)));
        self.write(move |ack| Op::OfOrder { mark, begins, rows, ack })
    }

    fn index_movements(&self, key: &OrderKey, facts: &[Fact]) -> BoxFuture<'_, Result<(), StoreError>> {
        let rows = facts.iter().flat_map(|fact| day_rows(key, fact)).collect();
        let mark = mark_of(key);
        self.write(move |ack| Op::OfOrder { mark, begins: false, rows, ack })
    }

    fn put_followup(&self, key: &OrderKey, followup: &Followup) -> BoxFuture<'_, Result<(), StoreError>> {
        let rows = vec![Row::put(Table::Followups, order_prefix(key), records::encode_followup(followup))];
        let mark = mark_of(key);
        self.write(move |ack| Op::OfOrder { mark, begins: false, rows, ack })
    }

    fn insert_due(&self, partition: Partition, row: &DueRow) -> BoxFuture<'_, Result<(), StoreError>> {
        let key = DueKey { partition, row: row.clone() };
        let row = Row::put(Table::Due, key.bytes(), Vec::new());
        self.write(|ack| Op::Rows { rows: vec![row], ack })
    }

    fn read_due(
        &self,
        partition: Partition,
        bucket: Bucket,
        after: Option<&DueRow>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DueRow>, StoreError>> {
        let after = after.cloned();
        let buckets = bucket..bucket.next();
        self.read(rows(limit), move |view| view.due(partition, buckets, after.as_ref(), limit))
    }

    fn read_due_between(
        &self,
        partition: Partition,
        buckets: Range<Bucket>,
        after: Option<&DueRow>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DueRow>, StoreError>> {
        let after = after.cloned();
        self.read(rows(limit), move |view| view.due(partition, buckets, after.as_ref(), limit))
    }

    fn has_due(&self, partition: Partition, row: &DueRow) -> BoxFuture<'_, Result<bool, StoreError>> {
        let key = DueKey { partition, row: row.clone() };
        self.read(1, move |view| view.has_due(&key))
    }

    fn floor(&self, partition: Partition) -> BoxFuture<'_, Result<Option<Bucket>, StoreError>> {
        self.read(1, move |view| view.bucket(PositionKey::Floor(partition)))
    }

    fn raise_floor(&self, partition: Partition, floor: Bucket) -> BoxFuture<'_, Result<(), StoreError>> {
        self.write(move |ack| Op::RaiseFloor { partition, floor, ack })
    }

    fn swept_through(&self, partition: Partition) -> BoxFuture<'_, Result<Option<Bucket>, StoreError>> {
        self.read(1, move |view| view.bucket(PositionKey::SweptThrough(partition)))
    }

    fn set_swept_through(
        &self,
        partition: Partition,
        bucket: Bucket,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.write(move |ack| Op::SweptThrough { partition, bucket, ack })
    }

    fn walk_orders(
        &self,
        after: Option<&OrderKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OrderKey>, StoreError>> {
        let after = after.cloned();
        self.read(rows(limit), move |view| view.walk(after.as_ref(), limit))
    }

    fn list_orders(&self, query: &ListQuery) -> BoxFuture<'_, Result<ListPage, StoreError>> {
        let query = query.clone();
        self.read(rows(query.limit), move |view| view.list(&query))
    }

    fn list_movements(&self, query: &MovementQuery) -> BoxFuture<'_, Result<MovementPage, StoreError>> {
        let query = query.clone();
        self.read(rows(query.limit), move |view| view.list_movements(&query))
    }

    fn find_by_trade_no(
        &self,
        provider: &ProviderId,
        trade_no: &ProviderTradeNo,
    ) -> BoxFuture<'_, Result<Option<OrderKey>, StoreError>> {
        let (provider, trade_no) = (provider.clone(), trade_no.clone());
        self.read(ORDER_ROWS, move |view| view.find(&provider, &trade_no))
    }

    fn list_parked(
        &self,
        after: Option<&OrderKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ParkedOrder>, StoreError>> {
        let after = after.cloned();
        self.read(rows(limit), move |view| view.parked(after.as_ref(), limit))
    }

    fn reserve_refund(
        &self,
        key: &OrderKey,
        entry: &LedgerEntry,
        sum_max: i64,
        count_max: u32,
    ) -> BoxFuture<'_, Result<Reserved, StoreError>> {
        let (order, entry) = (key.clone(), entry.clone());
        self.write(move |ack| Op::Reserve { order, entry, sum_max, count_max, ack })
    }

    fn release_refund(&self, key: &OrderKey, refund_no: &RefundNo) -> BoxFuture<'_, Result<(), StoreError>> {
        let (order, refund_no) = (key.clone(), refund_no.clone());
        self.write(move |ack| Op::Release { order, refund_no, ack })
    }

    fn mark_refund_call(
        &self,
        key: &OrderKey,
        refund_no: &RefundNo,
        mark: CallMark,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        let (order, refund_no) = (key.clone(), refund_no.clone());
        self.write(move |ack| Op::Mark { order, refund_no, mark, ack })
    }

    fn refund_ledger(&self, key: &OrderKey) -> BoxFuture<'_, Result<Vec<LedgerEntry>, StoreError>> {
        let key = key.clone();
        self.read(ORDER_ROWS, move |view| Ok(view.ledger(&key)?.entries()))
    }
}

fn rows(limit: usize) -> u64 {
    u64::try_from(limit).unwrap_or(u64::MAX)
}
