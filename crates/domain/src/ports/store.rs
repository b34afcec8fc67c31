//! The order store: facts, due rows, bookkeeping, indexes, the refund ledger.

use std::ops::Range;
use std::time::Duration;

use crate::business_date::BusinessDate;
use crate::fact::{AttentionReason, Fact};
use crate::followup::Followup;
use crate::name::{MerchantId, MerchantOrderNo, OrderKey, ProviderId, ProviderTradeNo, RefundNo};
use crate::ports::BoxFuture;
use crate::shard::Partition;
use crate::time::Timestamp;

/// Why a request to the store failed. Every write may be repeated: same key, same meaning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It has had no effect.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// A write may have had its effect.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// For good: this process must end (failed fsync, data of a newer version).
    #[error("store failed: {0}")]
    Fatal(String),
}

/// A time bucket of due rows: `due_at` divided by [`Bucket::WIDTH`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(pub i64);

impl Bucket {
    /// Width of a bucket in schedule time.
    pub const WIDTH: Duration = Duration::from_secs(60);

    /// The bucket of a time.
    #[must_use]
    pub const fn of(time: Timestamp) -> Self {
        Self(time.as_millis().div_euclid(60_000))
    }

    /// The first time in it.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_mul(60_000))
    }

    /// The bucket after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A due row: a hint that something is owed to an order at a time. What it leads to is decided on fresh facts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueRow {
    /// When.
    pub due_at: Timestamp,
    /// The order.
    pub key: OrderKey,
}

/// Everything that is stored of one order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Its facts, in any order.
    pub facts: Vec<Fact>,
    /// Its bookkeeping.
    pub followup: Followup,
}

/// A parked order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedOrder {
    /// The order.
    pub key: OrderKey,
    /// Why.
    pub reason: AttentionReason,
    /// Since when.
    pub parked_time: Timestamp,
}

/// Which orders to list: those of one merchant, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// The merchant.
    pub merchant_id: MerchantId,
    /// Created at or after.
    pub from: Timestamp,
    /// Created before.
    pub until: Timestamp,
    /// Continue after this entry.
    pub after: Option<(Timestamp, MerchantOrderNo)>,
    /// At most this many.
    pub limit: usize,
}

/// A page of a list: creation time and key of each order, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPage {
    /// The entries.
    pub entries: Vec<(Timestamp, OrderKey)>,
    /// Whether there is more.
    pub more: bool,
}

/// Which orders to list by the days for which facts about their money may count: those of one merchant, the earliest
/// day first, each day's by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovementQuery {
    /// The merchant.
    pub merchant_id: MerchantId,
    /// The first day.
    pub from: BusinessDate,
    /// The last day.
    pub through: BusinessDate,
    /// Continue after this entry.
    pub after: Option<(BusinessDate, MerchantOrderNo)>,
    /// At most this many.
    pub limit: usize,
}

/// A page of such a list. An order stands under each day for which one of its facts may count; what counts for it says
/// [`Order::movements`](crate::fold::Order::movements).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MovementPage {
    /// The entries.
    pub entries: Vec<(BusinessDate, OrderKey)>,
    /// Whether there is more.
    pub more: bool,
}

/// A reservation in the refund ledger of an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LedgerEntry {
    /// The refund.
    pub refund_no: RefundNo,
    /// The payment that it takes from.
    pub trade_no: ProviderTradeNo,
    /// Reserved minor units; 0 once released.
    pub minor: i64,
}

/// The mark of one refund call that may not be repeated: its number, and a random value of this very call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallMark {
    /// The call's number.
    pub number: u32,
    /// The random value.
    pub token: u64,
}

/// What a reservation led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// It holds, from now or from before.
    Held,
    /// The reservations of the payment would pass its amount.
    OverSum,
    /// There would be too many refunds of the payment.
    OverCount,
    /// The number holds a reservation of another amount or payment.
    OtherContent,
    /// The number held a reservation that was given back.
    Released,
}

/// The order store. `Ok` on a write means durable.
pub trait OrderStore: Send + Sync {
    /// Reads an order; an unknown order has no facts.
    fn read(&self, key: &OrderKey) -> BoxFuture<'_, Result<Snapshot, StoreError>>;

    /// Reads the facts of an order alone: all that its state is made of.
    fn read_facts(&self, key: &OrderKey) -> BoxFuture<'_, Result<Vec<Fact>, StoreError>>;

    /// Adds facts of one order in one batch. Adding a known key again changes nothing that matters: of two facts under
    /// one key either may stay, since both mean the same.
    ///
    /// `created` also makes the order listable, `paid/…` and `operator/paid/…` findable by trade number, an unresolved
    /// `attention/…` that parks listed as parked and its `…/resolved` no longer, a fact about money that moved listed
    /// under each of [`days_of`](crate::movement::days_of): index rows are written before the facts.
    fn add_facts(&self, key: &OrderKey, facts: &[Fact]) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Lists an order under the days of its facts about money, and does nothing else: for facts that a release wrote
    /// which had no such list.
    fn index_movements(&self, key: &OrderKey, facts: &[Fact]) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Overwrites an order's bookkeeping.
    fn put_followup(&self, key: &OrderKey, followup: &Followup) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Adds a due row.
    fn insert_due(&self, partition: Partition, row: &DueRow) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Reads due rows of a bucket in order, after a row, at most `limit`.
    fn read_due(
        &self,
        partition: Partition,
        bucket: Bucket,
        after: Option<&DueRow>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DueRow>, StoreError>>;

    /// Reads due rows of the buckets from one to before another in order, after a row, at most `limit`: for people who
    /// look ahead; the sweeper goes bucket by bucket.
    fn read_due_between(
        &self,
        partition: Partition,
        buckets: Range<Bucket>,
        after: Option<&DueRow>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DueRow>, StoreError>>;

    /// Whether that due row is there.
    fn has_due(&self, partition: Partition, row: &DueRow) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// The bucket below which no row may be written any more; `None` before the first sweep.
    fn floor(&self, partition: Partition) -> BoxFuture<'_, Result<Option<Bucket>, StoreError>>;

    /// Raises the floor; it never falls.
    fn raise_floor(&self, partition: Partition, floor: Bucket) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The first bucket that may still hold unresolved rows; `None` before the first sweep.
    fn swept_through(&self, partition: Partition) -> BoxFuture<'_, Result<Option<Bucket>, StoreError>>;

    /// Moves the sweep's position.
    fn set_swept_through(
        &self,
        partition: Partition,
        bucket: Bucket,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Orders of which facts are stored, in an order of the store's own, after one of them, at most `limit`. Whoever goes
    /// on after the last of each page, until one is empty, meets every order that was there all the while. For audits: it
    /// passes through the whole store.
    fn walk_orders(
        &self,
        after: Option<&OrderKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OrderKey>, StoreError>>;

    /// Lists orders of a merchant by creation time.
    fn list_orders(&self, query: &ListQuery) -> BoxFuture<'_, Result<ListPage, StoreError>>;

    /// Lists orders of a merchant by the days of their money.
    fn list_movements(&self, query: &MovementQuery) -> BoxFuture<'_, Result<MovementPage, StoreError>>;

    /// The order of a provider's trade number.
    fn find_by_trade_no(
        &self,
        provider: &ProviderId,
        trade_no: &ProviderTradeNo,
    ) -> BoxFuture<'_, Result<Option<OrderKey>, StoreError>>;

    /// Parked orders after a key, in key order.
    fn list_parked(
        &self,
        after: Option<&OrderKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ParkedOrder>, StoreError>>;

    /// Reserves part of a payment's `sum_max` minor units for a refund, atomically; repeating it changes nothing.
    fn reserve_refund(
        &self,
        key: &OrderKey,
        entry: &LedgerEntry,
        sum_max: i64,
        count_max: u32,
    ) -> BoxFuture<'_, Result<Reserved, StoreError>>;

    /// Gives a reservation back for ever: its number can reserve nothing more. Repeating it changes nothing.
    fn release_refund(&self, key: &OrderKey, refund_no: &RefundNo) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Marks a refund call before it leaves, atomically: `true` if from now on this mark stands, for none stood with its
    /// number or a higher one; a reservation that is missing or released takes no mark.
    fn mark_refund_call(
        &self,
        key: &OrderKey,
        refund_no: &RefundNo,
        mark: CallMark,
    ) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// All reservations of an order, released ones too.
    fn refund_ledger(&self, key: &OrderKey) -> BoxFuture<'_, Result<Vec<LedgerEntry>, StoreError>>;
}
