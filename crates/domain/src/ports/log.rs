//! The command log: records in partitions, consumer generations, events, replies and dead records.

use std::time::Duration;

use crate::command::{Record, ReplyAddress};
use crate::confirm::ConfirmRefusal;
use crate::event::Event;
use crate::name::OrderKey;
use crate::ports::BoxFuture;
use crate::refund::RefundRefusal;
use crate::shard::Partition;
use crate::time::Timestamp;

/// A position in a partition, from 0.
pub type Offset = u64;

/// Why a record was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// It is certainly not in the log.
    #[error("not appended: {0}")]
    NotAppended(String),
    /// It may be in the log: the same request may be sent again.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}

/// Why the log could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// For now; try again.
    #[error("log unavailable: {0}")]
    Unavailable(String),
    /// For good: this process must end (failed fsync, lost offset, other partition count).
    #[error("log failed: {0}")]
    Fatal(String),
}

/// Why a position was not committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Another generation owns the partition.
    #[error("fenced: generation {0} no longer owns the partition")]
    Fenced(u64),
    /// Not acknowledged; the lease is not renewed.
    #[error("commit unavailable: {0}")]
    Unavailable(String),
}

/// A record that this version cannot read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undecodable {
    /// Written by a newer version: the partition waits.
    NewerFormat {
        /// The version in the record.
        format_version: u32,
    },
    /// Not a record at all: it is buried.
    Malformed {
        /// What is wrong.
        reason: String,
        /// The bytes.
        raw: Vec<u8>,
    },
}

/// A record as it comes from the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Its position.
    pub offset: Offset,
    /// The record, or why it cannot be read.
    pub record: Result<Record, Undecodable>,
}

/// What a consumer hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogInput {
    /// The partition is this consumer's, from this generation on; records follow from `start`.
    ///
    /// A backend assigns a partition anew only after its former owner has let go (every commit of it is fenced, and
    /// it has taken the [`LogInput::Revoked`]) or has surely no lease any more (its session has timed out, which
    /// takes longer than three leases).
    Assigned {
        /// The partition.
        partition: Partition,
        /// The generation that fences older owners.
        generation: u64,
        /// The first offset that is not committed.
        start: Offset,
    },
    /// The partition is no longer this consumer's. By taking this input the consumer lets go: it concludes, calls
    /// and tells nothing more for the partition, also while time is left of its lease.
    Revoked {
        /// The partition.
        partition: Partition,
    },
    /// Records in offset order.
    Records {
        /// The partition.
        partition: Partition,
        /// At most the `max` that was asked for.
        records: Vec<Delivered>,
    },
}

/// A record that could not be read, with its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadRecord {
    /// Where it was.
    pub partition: Partition,
    /// Where it was.
    pub offset: Offset,
    /// What is wrong with it.
    pub reason: String,
    /// When its owner met it; `None` for one that an earlier release buried.
    pub find_time: Option<Timestamp>,
    /// The bytes.
    pub raw: Vec<u8>,
}

/// A place in the list of dead records, as the log counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeadPlace {
    /// The partition in which the log keeps the dead record.
    pub partition: Partition,
    /// Its position there.
    pub offset: Offset,
}

/// Some dead records.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DeadPage {
    /// Each with its place; there may be none although there are more.
    pub records: Vec<(DeadPlace, DeadRecord)>,
    /// Where to go on; `None` at the end.
    pub next: Option<DeadPlace>,
}

/// A best-effort answer to a waiting call; the caller reads the store for the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Who waits.
    pub to: ReplyAddress,
    /// The order.
    pub key: OrderKey,
    /// What happened.
    pub kind: ReplyKind,
}

/// What a reply says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyKind {
    /// Launch parameters or an end are known: read the order.
    Ready,
    /// Another request won the number.
    Conflict {
        /// The fields that differ.
        differing: Vec<String>,
    },
    /// The command names an order that does not exist.
    NotFound,
    /// The refund is refused.
    Refused(RefundRefusal),
    /// What a person confirms is refused.
    Unconfirmed(ConfirmRefusal),
}

/// An event with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its offset in its partition of the event log.
    pub offset: Offset,
    /// The event.
    pub event: Event,
}

/// Some events of one partition.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct EventPage {
    /// In offset order.
    pub events: Vec<StoredEvent>,
    /// Where to read on.
    pub next: Offset,
}

/// The outcome of one record: the first of these.
///
/// # Errors
/// As the outcome says; `Unknown` when there is none.
pub fn only(outcomes: impl IntoIterator<Item = Result<Offset, AppendError>>) -> Result<Offset, AppendError> {
    let none = || Err(AppendError::Unknown("nothing was heard of it".to_owned()));
    outcomes.into_iter().next().unwrap_or_else(none)
}

/// Writing side of the log, events, replies and dead records.
pub trait CommandLog: Send + Sync {
    /// How many partitions there are; fixed for the log's life.
    fn partitions(&self) -> u16;

    /// Appends records in their order; `Ok` means durable. Each has an outcome of its own, in the same order: what one of
    /// them meets says nothing about the others.
    fn append_all(
        &self,
        partition: Partition,
        records: Vec<Record>,
    ) -> BoxFuture<'_, Vec<Result<Offset, AppendError>>>;

    /// Appends a record; `Ok` means durable.
    fn append(&self, partition: Partition, record: Record) -> BoxFuture<'_, Result<Offset, AppendError>> {
        let appended = self.append_all(partition, vec![record]);
        Box::pin(async move { only(appended.await) })
    }

    /// Appends a record as it is, whatever it holds; `Ok` means durable.
    fn append_raw(&self, partition: Partition, raw: Vec<u8>) -> BoxFuture<'_, Result<Offset, AppendError>>;

    /// Publishes an event; `Ok` means durable. The same event may be published again.
    fn publish(&self, partition: Partition, event: Event) -> BoxFuture<'_, Result<(), AppendError>>;

    /// Keeps a dead record; `Ok` means durable, and only then may the offset pass it.
    fn bury(&self, dead: DeadRecord) -> BoxFuture<'_, Result<(), AppendError>>;

    /// The name of the records' topic, by which dead records name their origin.
    fn topic(&self) -> &str;

    /// Reads dead records before a place, at most `limit`: those of one origin partition the newest first. One that was
    /// buried twice may come twice.
    fn dead(&self, before: Option<DeadPlace>, limit: usize) -> BoxFuture<'_, Result<DeadPage, LogError>>;

    /// Sends a reply, best effort: nobody may depend on it.
    fn reply(&self, reply: Reply);

    /// Reads events of a partition from `from` on, waiting up to `wait` (physical) for the first.
    fn events(
        &self,
        partition: Partition,
        from: Offset,
        max: usize,
        wait: Duration,
    ) -> BoxFuture<'_, Result<EventPage, LogError>>;

    /// The offset after the newest event of a partition.
    fn events_end(&self, partition: Partition) -> BoxFuture<'_, Result<Offset, LogError>>;

    /// How many records of a partition lie after the committed position (the lag).
    fn lag(&self, partition: Partition) -> BoxFuture<'_, Result<u64, LogError>>;
}

/// Reading side: one member of the group of owners.
pub trait LogConsumer: Send + Sync {
    /// The next input, at most `max` records of one partition; waits as long as there is none.
    ///
    /// Dropping the future loses nothing.
    fn next(&self, max: usize) -> BoxFuture<'_, Result<LogInput, LogError>>;

    /// Commits `next_offset` (the first that is still needed) for a generation. An acknowledgement also says that
    /// the generation still owned the partition when the commit was sent: that renews its lease.
    fn commit(
        &self,
        partition: Partition,
        generation: u64,
        next_offset: Offset,
    ) -> BoxFuture<'_, Result<(), CommitError>>;

    /// Stops or resumes the delivery of a partition's records (back-pressure).
    fn set_paused(&self, partition: Partition, paused: bool);

    /// Leaves the group; partitions go to others.
    fn leave(&self) -> BoxFuture<'_, ()>;
}
