//! What the owners of partitions tell of themselves, for people who look from another process.

use crate::name::AccountId;
use crate::outcome::Operation;
use crate::ports::{BoxFuture, StoreError};
use crate::shard::Partition;
use crate::time::Timestamp;

/// What the owner of a partition told at a time. All times are schedule time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardReport {
    /// The partition.
    pub partition: Partition,
    /// The worker, as it is known to the cluster.
    pub owner: String,
    /// The how-manyth ownership of the partition this is.
    pub generation: u64,
    /// When it was taken over.
    pub owned_since: Timestamp,
    /// When this was told.
    pub report_time: Timestamp,
    /// Until when the lease stood then; `None`: it did not.
    pub lease_until: Option<Timestamp>,
    /// Records that were read and not finished.
    pub window_records: u64,
    /// Calls whose outcome was not known.
    pub unresolved: UnresolvedReport,
    /// Why it stood still; `None`: it did not.
    pub wait_reason: Option<String>,
    /// The accounts that it has used, sorted by name; at most
    /// [`ACCOUNTS_PER_REPORT_MAX`](crate::limits::ACCOUNTS_PER_REPORT_MAX).
    pub accounts: Vec<AccountReport>,
    /// Accounts that were left out.
    pub accounts_left_out: u64,
}

/// Calls whose outcome is not known, among the orders that an owner has worked on since it took its partition over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnresolvedReport {
    /// When the oldest was decided.
    pub oldest: Option<Timestamp>,
    /// Orders that have one.
    pub orders: u64,
    /// There are more of them than the owner remembers, so that the oldest may be older.
    pub is_incomplete: bool,
}

/// What is left of the budgets of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountReport {
    /// The account.
    pub account: AccountId,
    /// Its budgets.
    pub operations: Vec<OperationReport>,
    /// Its circuit breaker.
    pub breaker: BreakerReport,
    /// Calls under way.
    pub live_calls: u32,
    /// Calls that may be under way at once.
    pub live_calls_max: u32,
}

/// What is left of one budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationReport {
    /// What it is for.
    pub operation: Operation,
    /// Calls per second by configuration.
    pub rate_per_s: u32,
    /// How often the rate is halved at the moment, since the provider throttled.
    pub cuts: u32,
    /// Calls that may leave at once after a pause.
    pub burst: u32,
    /// Orders that wait for it.
    pub waiting: u64,
    /// The slot that the next order would get.
    pub next_slot: Timestamp,
}

/// Where a circuit breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerReport {
    /// Calls leave.
    Closed,
    /// None leaves before that time.
    Open(Timestamp),
    /// One call tries again.
    Probing,
}

/// Where reports hang: each process reads them all. They are for people; nothing is decided by them.
pub trait ShardBoard: Send + Sync {
    /// Hangs a report up, in the place of the one before of the same generation. A former owner's hides no newer one.
    fn tell(&self, report: &ShardReport) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The report of the highest generation that was told within the last hour; `None`: there is none.
    fn told(&self, partition: Partition) -> BoxFuture<'_, Result<Option<ShardReport>, StoreError>>;
}
