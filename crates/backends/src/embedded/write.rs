//! What the committer is asked to write, and how it answers.

use paymux_domain::name::{OrderKey, RefundNo};
use paymux_domain::ports::{
    AppendError, Bucket, CallMark, CommitError, LedgerEntry, Offset, Reserved, StoreError,
};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::prune::Prunable;
use super::step::Whole;
use super::tables::Table;

/// Where the outcome of a write goes, once it is durable or certainly refused.
pub(super) type Ack<T> = oneshot::Sender<Result<T, WriteFault>>;

/// Why a write was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WriteFault {
    /// It was never begun.
    Refused(String),
    /// It was part of the commit that failed: it may be on disk.
    Unknown(String),
    /// Its order has been pruned since it was read; nothing was written.
    Pruned,
}

/// What is told of [`WriteFault::Pruned`]: whoever reads the order again finds none, and decides on that.
const PRUNED: &str = "the order was pruned meanwhile";

impl From<WriteFault> for AppendError {
    fn from(fault: WriteFault) -> Self {
        match fault {
            WriteFault::Refused(reason) => Self::NotAppended(reason),
            WriteFault::Unknown(reason) => Self::Unknown(reason),
            WriteFault::Pruned => Self::NotAppended(PRUNED.to_owned()),
        }
    }
}

impl From<WriteFault> for StoreError {
    fn from(fault: WriteFault) -> Self {
        match fault {
            WriteFault::Refused(reason) | WriteFault::Unknown(reason) => Self::Fatal(reason),
            WriteFault::Pruned => Self::Unavailable(PRUNED.to_owned()),
        }
    }
}

impl From<WriteFault> for CommitError {
    fn from(fault: WriteFault) -> Self {
        match fault {
            WriteFault::Refused(reason) | WriteFault::Unknown(reason) => Self::Unavailable(reason),
            WriteFault::Pruned => Self::Unavailable(PRUNED.to_owned()),
        }
    }
}

/// One row to put, or to remove.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) table: Table,
    pub(super) key: Vec<u8>,
    /// `None` removes the row.
    pub(super) value: Option<Vec<u8>>,
}

impl Row {
    pub(super) const fn put(table: Table, key: Vec<u8>, value: Vec<u8>) -> Self {
        Self { table, key, value: Some(value) }
    }

    pub(super) const fn remove(table: Table, key: Vec<u8>) -> Self {
        Self { table, key, value: None }
    }

    pub(super) fn size(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// What to write. Offsets, floors and reservations are decided by the committer, one after another.
#[derive(Debug)]
pub(super) enum Op {
    /// The next records of a partition, at least one, in their order; answers the offset of the first.
    Append { partition: Partition, records: Vec<Vec<u8>>, ack: Ack<Offset> },
    /// The next event of a partition.
    Publish { partition: Partition, event: Vec<u8>, ack: Ack<()> },
    /// Rows that belong together.
    Rows { rows: Vec<Row>, ack: Ack<()> },
    /// Rows of one order, refused if it has just been pruned; `begins` an order of which nothing need be known.
    OfOrder { mark: u64, begins: bool, rows: Vec<Row>, ack: Ack<()> },
    /// All that a step writes; answers the time of its due row.
    Step { whole: Box<Whole>, ack: Ack<Option<Timestamp>> },
    /// Removals; alone in its batch. Answers how many orders went.
    Prune { prunable: Prunable, ack: Ack<u64> },
    /// The committed position of the log, if the generation still owns it.
    Commit { partition: Partition, generation: u64, next: Offset, ack: Ack<Result<(), CommitError>> },
    /// The floor of the due index, unless it is higher already.
    RaiseFloor { partition: Partition, floor: Bucket, ack: Ack<()> },
    /// The position of the sweep.
    SweptThrough { partition: Partition, bucket: Bucket, ack: Ack<()> },
    /// A reservation, if it fits.
    Reserve { order: OrderKey, entry: LedgerEntry, sum_max: i64, count_max: u32, ack: Ack<Reserved> },
    /// The end of a reservation.
    Release { order: OrderKey, refund_no: RefundNo, ack: Ack<()> },
    /// The mark of a refund call, unless another one stands.
    Mark { order: OrderKey, refund_no: RefundNo, mark: CallMark, ack: Ack<bool> },
}

impl Op {
    /// About how many bytes it holds in memory and in the journal.
    pub(super) fn size(&self) -> usize {
        /// Key, framing and bookkeeping of one row.
        const ROW_BYTES: usize = 128;
        ROW_BYTES
            + match self {
                Self::Append { records, .. } => records.iter().map(|record| ROW_BYTES + record.len()).sum(),
                Self::Publish { event, .. } => event.len(),
                Self::Step { whole, .. } => whole.size(),
                Self::Rows { rows, .. } | Self::OfOrder { rows, .. } => rows.iter().map(Row::size).sum(),
                _ => 0,
            }
    }

    /// Answers without having written anything.
    pub(super) fn refuse(self, reason: &str) {
        let fault = || WriteFault::Refused(reason.to_owned());
        // Whoever no longer waits misses nothing.
        match self {
            Self::Append { ack, .. } => drop(ack.send(Err(fault()))),
            Self::Step { ack, .. } => drop(ack.send(Err(fault()))),
            Self::Mark { ack, .. } => drop(ack.send(Err(fault()))),
            Self::Reserve { ack, .. } => drop(ack.send(Err(fault()))),
            Self::Commit { ack, .. } => drop(ack.send(Err(fault()))),
            Self::Prune { ack, .. } => drop(ack.send(Err(fault()))),
            Self::Publish { ack, .. }
            | Self::Rows { ack, .. }
            | Self::OfOrder { ack, .. }
            | Self::RaiseFloor { ack, .. }
            | Self::SweptThrough { ack, .. }
            | Self::Release { ack, .. } => drop(ack.send(Err(fault()))),
        }
    }
}

/// A write in the queue, with its share of the queue's memory.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) op: Op,
    /// Given back when the write is answered.
    pub(super) room: OwnedSemaphorePermit,
}

/// A write that is part of the batch under way: answered when the batch is durable.
#[derive(Debug)]
pub(super) enum Pending {
    Offset(Ack<Offset>, Offset),
    Done(Ack<()>),
    Committed(Ack<Result<(), CommitError>>, Result<(), CommitError>),
    Reserved(Ack<Reserved>, Reserved),
    Marked(Ack<bool>, bool),
    Written(Ack<Option<Timestamp>>, Option<Timestamp>),
    Pruned(Ack<u64>, u64),
}

impl Pending {
    /// Tells the caller; `Some` reason means that the batch failed.
    pub(super) fn answer(self, failed: Option<&str>) {
        fn send<T>(ack: Ack<T>, outcome: T, failed: Option<&str>) {
            let answer = failed.map_or(Ok(outcome), |reason| Err(WriteFault::Unknown(reason.to_owned())));
            // Whoever no longer waits misses nothing.
            drop(ack.send(answer));
        }
        match self {
            Self::Offset(ack, offset) => send(ack, offset, failed),
            Self::Done(ack) => send(ack, (), failed),
            Self::Committed(ack, outcome) => send(ack, outcome, failed),
            Self::Reserved(ack, outcome) => send(ack, outcome, failed),
            Self::Marked(ack, stands) => send(ack, stands, failed),
            Self::Written(ack, due_at) => send(ack, due_at, failed),
            Self::Pruned(ack, count) => send(ack, count, failed),
        }
    }
}
