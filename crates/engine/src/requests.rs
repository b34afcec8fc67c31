//! Requests to store and log as they are counted, each kind with how long it took and how many failed.

use crate::tally::Requests;

/// Kinds of requests to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreRequest {
    /// All of one order.
    ReadOrder,
    /// All of one step, where log and store are one database.
    WriteStep,
    /// Facts of one order, and their lists.
    AddFacts,
    /// Bookkeeping of one order.
    PutFollowup,
    /// One due row.
    InsertDue,
    /// A page of due rows.
    ReadDue,
    /// How far the sweep is, and the floor below which no row is written.
    SweepPosition,
    /// Reservations and marks of refunds.
    RefundLedger,
    /// Lists and look-ups over several orders.
    List,
}

impl StoreRequest {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::ReadOrder,
        Self::WriteStep,
        Self::AddFacts,
        Self::PutFollowup,
        Self::InsertDue,
        Self::ReadDue,
        Self::SweepPosition,
        Self::RefundLedger,
        Self::List,
    ];

    /// The name in labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadOrder => "read_order",
            Self::WriteStep => "write_step",
            Self::AddFacts => "add_facts",
            Self::PutFollowup => "put_followup",
            Self::InsertDue => "insert_due",
            Self::ReadDue => "read_due",
            Self::SweepPosition => "sweep_position",
            Self::RefundLedger => "refund_ledger",
            Self::List => "list",
        }
    }
}

/// Kinds of requests to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogRequest {
    /// A record.
    Append,
    /// An event.
    Publish,
    /// A dead record.
    Bury,
    /// Dead records, ends and lags.
    Read,
    /// A partition's position.
    Commit,
    /// The end of a membership.
    Leave,
}

impl LogRequest {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Append, Self::Publish, Self::Bury, Self::Read, Self::Commit, Self::Leave];

    /// The name in labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Publish => "publish",
            Self::Bury => "bury",
            Self::Read => "read",
            Self::Commit => "commit",
            Self::Leave => "leave",
        }
    }
}

/// Requests to a store.
#[derive(Debug, Default)]
pub struct StoreRequests([Requests; 9]);

impl StoreRequests {
    /// Those of a kind.
    #[must_use]
    pub const fn of(&self, kind: StoreRequest) -> &Requests {
        let [
            read_order,
            write_step,
            add_facts,
            put_followup,
            insert_due,
            read_due,
            sweep_position,
            refund_ledger,
            list,
        ] = &self.0;
        match kind {
            StoreRequest::ReadOrder => read_order,
            StoreRequest::WriteStep => write_step,
            StoreRequest::AddFacts => add_facts,
            StoreRequest::PutFollowup => put_followup,
            StoreRequest::InsertDue => insert_due,
            StoreRequest::ReadDue => read_due,
            StoreRequest::SweepPosition => sweep_position,
            StoreRequest::RefundLedger => refund_ledger,
            StoreRequest::List => list,
        }
    }
}

/// Requests to a log.
#[derive(Debug, Default)]
pub struct LogRequests([Requests; 6]);

impl LogRequests {
    /// Those of a kind.
    #[must_use]
    pub const fn of(&self, kind: LogRequest) -> &Requests {
        let [append, publish, bury, read, commit, leave] = &self.0;
        match kind {
            LogRequest::Append => append,
            LogRequest::Publish => publish,
            LogRequest::Bury => bury,
            LogRequest::Read => read,
            LogRequest::Commit => commit,
            LogRequest::Leave => leave,
        }
    }
}
