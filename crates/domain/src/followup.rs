//! Bookkeeping of one order that may change and may be lost: counters, the newest due row, what was told.

use std::collections::BTreeMap;

use crate::name::RefundNo;
use crate::shard::stable_hash;
use crate::time::Timestamp;

/// Mutable bookkeeping beside the facts. Losing or overwriting it costs calls, never correctness.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followup {
    /// The newest durable due row; a row before it is dropped.
    pub next_due: Option<Timestamp>,
    /// Calls since the last answer that decided anything.
    pub fruitless_calls: u32,
    /// When the last query left.
    pub query_left: Option<Timestamp>,
    /// When the last query left that was answered.
    pub answered_left: Option<Timestamp>,
    /// When the last call left, of any kind.
    pub call_left: Option<Timestamp>,
    /// The provider asked to wait until then.
    pub not_before: Option<Timestamp>,
    /// The next call must be a query.
    pub ask: bool,
    /// The provider's first credible "does not exist".
    pub not_exist: Option<NotExist>,
    /// The one query after a local expiry has been answered.
    pub asked_after_end: bool,
    /// Digest of the fact keys whose events are all acknowledged; 0 when none.
    pub settled: u64,
    /// Bookkeeping of refunds that have not ended.
    pub refunds: BTreeMap<RefundNo, RefundFollowup>,
}

/// Mutable bookkeeping of one refund that has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefundFollowup {
    /// Calls about it since the last word that decided anything.
    pub fruitless_calls: u32,
    /// When the last call or query about it left.
    pub call_left: Option<Timestamp>,
    /// When the last query about it left.
    pub query_left: Option<Timestamp>,
    /// The next call must be a query.
    pub ask: bool,
    /// The provider has said that it has the refund.
    pub accepted: bool,
    /// How many calls there were when the provider credibly said that it knows no such refund; 0: it did not.
    pub absent_after: u32,
}

/// "Does not exist", with the time at which the question left and the attempts there were by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotExist {
    /// How many attempts there were; a later attempt makes the word worthless.
    pub attempts: u32,
    /// When the first query or close left that was answered so.
    pub left_time: Timestamp,
    /// A second one that left later was answered the same.
    pub twice: bool,
}

/// Digest of a set of fact keys, given in any order.
pub fn digest_of_keys<'a>(keys: impl IntoIterator<Item = &'a str>) -> u64 {
    keys.into_iter().fold(0, |sum, key| sum ^ stable_hash(key.as_bytes()))
}
