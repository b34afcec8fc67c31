//! The ways in which 码钱 misbehaves, with a table of amount digits of its own.

use super::{Stage, Trouble};

/// One way in which 码钱 misbehaves. “First” counts the verified calls of that operation on the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MaqianFault {
    /// First opening of the cashier: refused, nothing is made.
    LaunchError,
    /// Every opening of the cashier is refused; nothing is ever made.
    LaunchRefused,
    /// Trouble with queries of refunds.
    RefundQuery(Trouble),
    /// Trouble with queries.
    Query(Trouble),
    /// The first query after the payment still says open.
    QueryStale,
    /// Queries within `query_lag_ms` after the first opening: no such order, although it exists.
    QueryLagging,
    /// Trouble with closes.
    Close(Trouble),
    /// Trouble with refunds.
    Refund(Trouble),
    /// First refund: refused, since the merchant's balance does not cover it.
    RefundNoBalance,
    /// Refunds are on their way for `refund_settle_ms`.
    RefundPending,
    /// Refunds fail: no money is returned.
    RefundFailed,
    /// No push ever arrives.
    NotifyLost,
    /// Each push is sent twice at the same moment.
    NotifyDoubled,
    /// The first push leaves `notify_delay_ms` after the payment, the schedule follows from there.
    NotifyDelayed,
    /// Right after the first opening two forged pushes claim a payment: one with the right amount, signed with another key,
    /// one with another amount and no signature.
    NotifyForged,
    /// The first four pushes are lost on their way.
    NotifyLostAtFirst,
    /// 码钱 reports one fen more than the order has, in pushes and queries.
    AmountMisreported,
    /// The push says its trade_status as a number.
    NotifyNumbers,
    /// The push carries a signed field that no document names.
    NotifyExtraField,
    /// The fields of the push come in an order of chance.
    NotifyShuffled,
}

impl MaqianFault {
    /// Every kind, in the order of the amount digits.
    pub const ALL: [Self; 44] = [
        Self::LaunchError,
        Self::LaunchRefused,
        Self::RefundQuery(Trouble::Hung),
        Self::RefundQuery(Trouble::AnswerLost),
        Self::RefundQuery(Trouble::ServerError),
        Self::RefundQuery(Trouble::Garbage),
        Self::RefundQuery(Trouble::BadSignature),
        Self::RefundQuery(Trouble::Unsigned),
        Self::RefundQuery(Trouble::Throttled),
        Self::Query(Trouble::Hung),
        Self::Query(Trouble::AnswerLost),
        Self::Query(Trouble::ServerError),
        Self::Query(Trouble::Garbage),
        Self::Query(Trouble::BadSignature),
        Self::Query(Trouble::Unsigned),
        Self::Query(Trouble::Throttled),
        Self::QueryStale,
        Self::QueryLagging,
        Self::Close(Trouble::Hung),
        Self::Close(Trouble::AnswerLost),
        Self::Close(Trouble::ServerError),
        Self::Close(Trouble::Garbage),
        Self::Close(Trouble::BadSignature),
        Self::Close(Trouble::Unsigned),
        Self::Close(Trouble::Throttled),
        Self::Refund(Trouble::Hung),
        Self::Refund(Trouble::AnswerLost),
        Self::Refund(Trouble::ServerError),
        Self::Refund(Trouble::Garbage),
        Self::Refund(Trouble::BadSignature),
        Self::Refund(Trouble::Unsigned),
        Self::Refund(Trouble::Throttled),
        Self::RefundNoBalance,
        Self::RefundPending,
        Self::RefundFailed,
        Self::NotifyLost,
        Self::NotifyDoubled,
        Self::NotifyDelayed,
        Self::NotifyForged,
        Self::NotifyLostAtFirst,
        Self::AmountMisreported,
        Self::NotifyNumbers,
        Self::NotifyExtraField,
        Self::NotifyShuffled,
    ];

    /// The table of amount digits: the amount in fen modulo 100, the name in JSON, the stage.
    pub(super) const fn spec(self) -> (u8, &'static str, Stage) {
        match self {
            Self::LaunchError => (50, "maqian_launch_error", Stage::Create),
            Self::LaunchRefused => (52, "maqian_launch_refused", Stage::Create),
            Self::RefundQuery(Trouble::Hung) => (53, "maqian_refund_query_hung", Stage::RefundQuery),
            Self::RefundQuery(Trouble::AnswerLost) => {
                (54, "maqian_refund_query_answer_lost", Stage::RefundQuery)
            }
            Self::RefundQuery(Trouble::ServerError) => {
                (55, "maqian_refund_query_server_error", Stage::RefundQuery)
            }
            Self::RefundQuery(Trouble::Garbage) => (56, "maqian_refund_query_garbage", Stage::RefundQuery),
            Self::RefundQuery(Trouble::BadSignature) => {
                (57, "maqian_refund_query_bad_signature", Stage::RefundQuery)
            }
            Self::RefundQuery(Trouble::Unsigned) => (58, "maqian_refund_query_unsigned", Stage::RefundQuery),
            Self::RefundQuery(Trouble::Throttled) => {
                (59, "maqian_refund_query_throttled", Stage::RefundQuery)
            }
            Self::Query(Trouble::Hung) => (60, "maqian_query_hung", Stage::Query),
            Self::Query(Trouble::AnswerLost) => (61, "maqian_query_answer_lost", Stage::Query),
            Self::Query(Trouble::ServerError) => (62, "maqian_query_server_error", Stage::Query),
            Self::Query(Trouble::Garbage) => (63, "maqian_query_garbage", Stage::Query),
            Self::Query(Trouble::BadSignature) => (64, "maqian_query_bad_signature", Stage::Query),
            Self::Query(Trouble::Unsigned) => (65, "maqian_query_unsigned", Stage::Query),
            Self::Query(Trouble::Throttled) => (66, "maqian_query_throttled", Stage::Query),
            Self::QueryStale => (67, "maqian_query_stale", Stage::Query),
            Self::QueryLagging => (68, "maqian_query_lagging", Stage::Query),
            Self::Close(Trouble::Hung) => (70, "maqian_close_hung", Stage::Close),
            Self::Close(Trouble::AnswerLost) => (71, "maqian_close_answer_lost", Stage::Close),
            Self::Close(Trouble::ServerError) => (72, "maqian_close_server_error", Stage::Close),
            Self::Close(Trouble::Garbage) => (73, "maqian_close_garbage", Stage::Close),
            Self::Close(Trouble::BadSignature) => (74, "maqian_close_bad_signature", Stage::Close),
            Self::Close(Trouble::Unsigned) => (75, "maqian_close_unsigned", Stage::Close),
            Self::Close(Trouble::Throttled) => (76, "maqian_close_throttled", Stage::Close),
            Self::Refund(Trouble::Hung) => (80, "maqian_refund_hung", Stage::Refund),
            Self::Refund(Trouble::AnswerLost) => (81, "maqian_refund_answer_lost", Stage::Refund),
            Self::Refund(Trouble::ServerError) => (82, "maqian_refund_server_error", Stage::Refund),
            Self::Refund(Trouble::Garbage) => (83, "maqian_refund_garbage", Stage::Refund),
            Self::Refund(Trouble::BadSignature) => (84, "maqian_refund_bad_signature", Stage::Refund),
            Self::Refund(Trouble::Unsigned) => (85, "maqian_refund_unsigned", Stage::Refund),
            Self::Refund(Trouble::Throttled) => (86, "maqian_refund_throttled", Stage::Refund),
            Self::RefundNoBalance => (87, "maqian_refund_no_balance", Stage::Refund),
            Self::RefundPending => (88, "maqian_refund_pending", Stage::Refund),
            Self::RefundFailed => (89, "maqian_refund_failed", Stage::Refund),
            Self::NotifyLost => (90, "maqian_notify_lost", Stage::Notify),
            Self::NotifyDoubled => (91, "maqian_notify_doubled", Stage::Notify),
            Self::NotifyDelayed => (92, "maqian_notify_delayed", Stage::Notify),
            Self::NotifyForged => (93, "maqian_notify_forged", Stage::Notify),
            Self::NotifyLostAtFirst => (94, "maqian_notify_lost_at_first", Stage::Notify),
            Self::AmountMisreported => (95, "maqian_amount_misreported", Stage::Payment),
            Self::NotifyNumbers => (96, "maqian_notify_numbers", Stage::Notify),
            Self::NotifyExtraField => (97, "maqian_notify_extra_field", Stage::Notify),
            Self::NotifyShuffled => (98, "maqian_notify_shuffled", Stage::Notify),
        }
    }
}
