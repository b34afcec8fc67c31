//! The keyspaces of the embedded database, and what goes wrong when they are read.

use std::path::Path;

use fjall::config::CompressionPolicy;
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions};
use paymux_domain::ports::{LogError, StoreError};
use paymux_proto::records::RecordError;

/// Memory of one keyspace that every order writes to, before it goes to disk.
const HOT_MEMTABLE_BYTES: u64 = 12 << 20;
/// Memory of one keyspace that few orders write to, before it goes to disk.
const COLD_MEMTABLE_BYTES: u64 = 4 << 20;
/// Journal files together; beyond it the oldest memtables go to disk.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;

/// The keyspaces, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Log,
    Events,
    Dead,
    Positions,
    Facts,
    Followups,
    OrdersByTime,
    OrdersByTradeNo,
    OrdersByDay,
    Parked,
    Due,
    Ledger,
    Meta,
}

impl Table {
    /// All keyspaces; the position of each is its number in [`Tables`].
    const ALL: [Self; 13] = [
        Self::Log,
        Self::Events,
        Self::Dead,
        Self::Positions,
        Self::Facts,
        Self::Followups,
        Self::OrdersByTime,
        Self::OrdersByTradeNo,
        Self::OrdersByDay,
        Self::Parked,
        Self::Due,
        Self::Ledger,
        Self::Meta,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Events => "events",
            Self::Dead => "dead",
            Self::Positions => "positions",
            Self::Facts => "facts",
            Self::Followups => "followups",
            Self::OrdersByTime => "orders_by_time",
            Self::OrdersByTradeNo => "orders_by_trade_no",
            Self::OrdersByDay => "orders_by_day",
            Self::Parked => "parked",
            Self::Due => "due",
            Self::Ledger => "ledger",
            Self::Meta => "meta",
        }
    }

    const fn memtable_bytes(self) -> u64 {
        match self {
            Self::Log | Self::Events | Self::Facts | Self::Followups | Self::Due => HOT_MEMTABLE_BYTES,
            _ => COLD_MEMTABLE_BYTES,
        }
    }
}

/// Threads that bring memtables to disk and merge what lies there. Of several, the database keeps the first from merging,
/// and it hands merges on to itself without a pause while all others merge: on two processors that takes one of them away
/// from everything else.
fn workers() -> usize {
    const WORKERS_MAX: usize = 4;
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    processors.saturating_sub(1).clamp(1, WORKERS_MAX)
}

/// The open database. Clones share it.
#[derive(Clone)]
pub(super) struct Tables {
    pub(super) database: Database,
    keyspaces: [Keyspace; 13],
}

impl Tables {
    pub(super) fn open(folder: &Path, cache_bytes: u64) -> fjall::Result<Self> {
        let database = Database::builder(folder)
            .cache_size(cache_bytes)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            // The committer syncs the journal itself, once for each batch.
            .manual_journal_persist(true)
            .worker_threads(workers())
            .open()?;
        let open = |table: Table| {
            database.keyspace(table.name(), || {
                KeyspaceCreateOptions::default()
                    .manual_journal_persist(true)
                    .max_memtable_size(table.memtable_bytes())
                    // Rows of one kind are alike, and few are read again from disk.
                    .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
            })
        };
        let [
            log,
            events,
            dead,
            positions,
            facts,
            followups,
            by_time,
            by_trade_no,
            by_day,
            parked,
            due,
            ledger,
            meta,
        ] = Table::ALL.map(open);
        let keyspaces = [
            log?,
            events?,
            dead?,
            positions?,
            facts?,
            followups?,
            by_time?,
            by_trade_no?,
            by_day?,
            parked?,
            due?,
            ledger?,
            meta?,
        ];
        Ok(Self { database, keyspaces })
    }

    pub(super) const fn of(&self, table: Table) -> &Keyspace {
        let [
            log,
            events,
            dead,
            positions,
            facts,
            followups,
            by_time,
            by_trade_no,
            by_day,
            parked,
            due,
            ledger,
            meta,
        ] = &self.keyspaces;
        match table {
            Table::Log => log,
            Table::Events => events,
            Table::Dead => dead,
            Table::Positions => positions,
            Table::Facts => facts,
            Table::Followups => followups,
            Table::OrdersByTime => by_time,
            Table::OrdersByTradeNo => by_trade_no,
            Table::OrdersByDay => by_day,
            Table::Parked => parked,
            Table::Due => due,
            Table::Ledger => ledger,
            Table::Meta => meta,
        }
    }
}

/// Why something could not be read from the embedded database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadFault {
    /// The disk or the database; it may be read again.
    #[error("reading failed: {0}")]
    Io(String),
    /// The log no longer holds what was asked for.
    #[error("offset {0} is lost")]
    Lost(u64),
    /// A row that this version cannot take as it is.
    #[error("row of {table:?}: {reason}")]
    Row {
        /// Where it is.
        table: Table,
        /// What is wrong.
        reason: String,
    },
}

impl ReadFault {
    pub(super) fn key(table: Table) -> Self {
        Self::Row { table, reason: "the key is broken".to_owned() }
    }

    pub(super) fn value(table: Table) -> Self {
        Self::Row { table, reason: "the value is broken".to_owned() }
    }

    pub(super) fn record(table: Table, error: &RecordError) -> Self {
        Self::Row { table, reason: error.to_string() }
    }
}

impl From<fjall::Error> for ReadFault {
    fn from(error: fjall::Error) -> Self {
        Self::Io(error.to_string())
    }
}

impl From<ReadFault> for StoreError {
    fn from(fault: ReadFault) -> Self {
        match fault {
            ReadFault::Io(_) => Self::Unavailable(fault.to_string()),
            ReadFault::Lost(_) | ReadFault::Row { .. } => Self::Fatal(fault.to_string()),
        }
    }
}

impl From<ReadFault> for LogError {
    fn from(fault: ReadFault) -> Self {
        match fault {
            ReadFault::Io(_) => Self::Unavailable(fault.to_string()),
            ReadFault::Lost(_) | ReadFault::Row { .. } => Self::Fatal(fault.to_string()),
        }
    }
}
