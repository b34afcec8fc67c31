//! What UPaaS answers → what the engine may do next: one table for all operations, to which an account adds its codes.
//!
//! One code is public, `000000` (`providers.md` section 3.5). All classes but its own are ours `[assumed]`, and what is
//! not listed is UNKNOWN. A code never stands under a signature; what it ends is limited in [`answer`](super::answer).

use paymux_domain::outcome::{Class, Operation};
use paymux_domain::ports::Call;

use super::codes::Code;

/// The kinds of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// Create an order.
    Create,
    /// Ask about an order.
    Query,
    /// Close an order.
    Close,
    /// Refund a payment.
    Refund,
    /// Ask about a refund.
    RefundQuery,
}

impl Table {
    /// The table of a call.
    pub(super) fn of(call: &Call) -> Self {
        match call.operation {
            Operation::Create => Self::Create,
            Operation::Query if call.refund.is_some() => Self::RefundQuery,
            Operation::Query => Self::Query,
            Operation::Close => Self::Close,
            Operation::Refund => Self::Refund,
        }
    }
}

/// What an answer means for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// Answered, or the wanted state holds.
    Done,
    /// Refused for good.
    Final,
    /// The same again later.
    Retry,
    /// As `Retry`, and the account was called too fast.
    Throttled,
    /// Not known.
    Unknown,
    /// A person must look at account or configuration.
    Ops,
    /// There is no such order, or no such refund.
    NotExist,
}

impl Means {
    /// Its class.
    pub(super) const fn class(self) -> Class {
        match self {
            Self::Done | Self::NotExist => Class::Done,
            Self::Final => Class::Final,
            Self::Retry | Self::Throttled => Class::Retry,
            Self::Unknown => Class::Unknown,
            Self::Ops => Class::Ops,
        }
    }
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// A code, with HTTP status 200.
    Code(&'a str),
    /// Another HTTP status.
    Http(u16),
}

/// The table, the same for all calls.
const ROWS: [(Said<'static>, Means); 4] = [
    // The page of `/v2/pay/jsapi`: "000000" with the message 请求成功.
    (Said::Code("000000"), Means::Done),
    // [assumed] No status is published: the meanings that HTTP gives them.
    (Said::Http(401), Means::Ops),
    (Said::Http(403), Means::Ops),
    (Said::Http(429), Means::Throttled),
];

/// What is said, means for a call: by the account's own codes first.
pub(super) fn meaning(codes: &[Code], table: Table, said: Said<'_>) -> Means {
    let own = codes.iter().find(|code| code.table == table && said == Said::Code(&code.code));
    let row = || ROWS.iter().find(|(known, _)| *known == said).map(|(_, means)| *means);
    own.map(|code| code.means).or_else(row).unwrap_or(Means::Unknown)
}
