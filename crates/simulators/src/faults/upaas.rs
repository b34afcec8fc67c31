//! The ways in which UPaaS misbehaves, with a table of amount digits of its own.

use super::{Stage, Trouble};

/// One way in which UPaaS misbehaves. “First” counts the verified calls of that operation on the order or the refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UpaasFault {
    /// Trouble with creates.
    Create(Trouble),
    /// Every create is refused; nothing is ever made.
    CreateRefused,
    /// Trouble with queries.
    Query(Trouble),
    /// The first query after the payment still says unpaid.
    QueryStale,
    /// Trouble with closes.
    Close(Trouble),
    /// Trouble with refunds.
    Refund(Trouble),
    /// The refund ends FAILED: no money is returned.
    RefundFailed,
    /// No push ever arrives.
    NotifyLost,
    /// Each push is sent twice at the same moment.
    NotifyDoubled,
    /// The first push leaves `notify_delay_ms` after the payment, the schedule follows from there.
    NotifyDelayed,
    /// Right after the create two forged pushes claim a payment: one with the right amount, signed with another key,
    /// one with another amount and no signature.
    NotifyForged,
    /// UPaaS reports one fen more than the order has, in pushes and queries.
    AmountMisreported,
    /// The push carries a signed field that no document names.
    NotifyExtraField,
}

impl UpaasFault {
    /// Every kind, in the order of the amount digits.
    pub const ALL: [Self; 37] = [
        Self::Create(Trouble::Hung),
        Self::Create(Trouble::AnswerLost),
        Self::Create(Trouble::ServerError),
        Self::Create(Trouble::Garbage),
        Self::Create(Trouble::BadSignature),
        Self::Create(Trouble::Unsigned),
        Self::Create(Trouble::Throttled),
        Self::CreateRefused,
        Self::Query(Trouble::Hung),
        Self::Query(Trouble::AnswerLost),
        Self::Query(Trouble::ServerError),
        Self::Query(Trouble::Garbage),
        Self::Query(Trouble::BadSignature),
        Self::Query(Trouble::Unsigned),
        Self::Query(Trouble::Throttled),
        Self::QueryStale,
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
        Self::RefundFailed,
        Self::NotifyLost,
        Self::NotifyDoubled,
        Self::NotifyDelayed,
        Self::NotifyForged,
        Self::AmountMisreported,
        Self::NotifyExtraField,
    ];

    /// The table of amount digits: the amount in fen `% 100`, the name in JSON, the stage.
    pub(super) const fn spec(self) -> (u8, &'static str, Stage) {
        match self {
            Self::Create(Trouble::Hung) => (50, "upaas_create_hung", Stage::Create),
            Self::Create(Trouble::AnswerLost) => (51, "upaas_create_answer_lost", Stage::Create),
            Self::Create(Trouble::ServerError) => (52, "upaas_create_server_error", Stage::Create),
            Self::Create(Trouble::Garbage) => (53, "upaas_create_garbage", Stage::Create),
            Self::Create(Trouble::BadSignature) => (54, "upaas_create_bad_signature", Stage::Create),
            Self::Create(Trouble::Unsigned) => (55, "upaas_create_unsigned", Stage::Create),
            Self::Create(Trouble::Throttled) => (56, "upaas_create_throttled", Stage::Create),
            Self::CreateRefused => (57, "upaas_create_refused", Stage::Create),
            Self::Query(Trouble::Hung) => (60, "upaas_query_hung", Stage::Query),
            Self::Query(Trouble::AnswerLost) => (61, "upaas_query_answer_lost", Stage::Query),
            Self::Query(Trouble::ServerError) => (62, "upaas_query_server_error", Stage::Query),
            Self::Query(Trouble::Garbage) => (63, "upaas_query_garbage", Stage::Query),
            Self::Query(Trouble::BadSignature) => (64, "upaas_query_bad_signature", Stage::Query),
            Self::Query(Trouble::Unsigned) => (65, "upaas_query_unsigned", Stage::Query),
            Self::Query(Trouble::Throttled) => (66, "upaas_query_throttled", Stage::Query),
            Self::QueryStale => (67, "upaas_query_stale", Stage::Query),
            Self::Close(Trouble::Hung) => (70, "upaas_close_hung", Stage::Close),
            Self::Close(Trouble::AnswerLost) => (71, "upaas_close_answer_lost", Stage::Close),
            Self::Close(Trouble::ServerError) => (72, "upaas_close_server_error", Stage::Close),
            Self::Close(Trouble::Garbage) => (73, "upaas_close_garbage", Stage::Close),
            Self::Close(Trouble::BadSignature) => (74, "upaas_close_bad_signature", Stage::Close),
            Self::Close(Trouble::Unsigned) => (75, "upaas_close_unsigned", Stage::Close),
            Self::Close(Trouble::Throttled) => (76, "upaas_close_throttled", Stage::Close),
            Self::Refund(Trouble::Hung) => (80, "upaas_refund_hung", Stage::Refund),
            Self::Refund(Trouble::AnswerLost) => (81, "upaas_refund_answer_lost", Stage::Refund),
            Self::Refund(Trouble::ServerError) => (82, "upaas_refund_server_error", Stage::Refund),
            Self::Refund(Trouble::Garbage) => (83, "upaas_refund_garbage", Stage::Refund),
            Self::Refund(Trouble::BadSignature) => (84, "upaas_refund_bad_signature", Stage::Refund),
            Self::Refund(Trouble::Unsigned) => (85, "upaas_refund_unsigned", Stage::Refund),
            Self::Refund(Trouble::Throttled) => (86, "upaas_refund_throttled", Stage::Refund),
            Self::RefundFailed => (87, "upaas_refund_failed", Stage::RefundEnd),
            Self::NotifyLost => (90, "upaas_notify_lost", Stage::Notify),
            Self::NotifyDoubled => (91, "upaas_notify_doubled", Stage::Notify),
            Self::NotifyDelayed => (92, "upaas_notify_delayed", Stage::Notify),
            Self::NotifyForged => (93, "upaas_notify_forged", Stage::Notify),
            Self::AmountMisreported => (95, "upaas_amount_misreported", Stage::Payment),
            Self::NotifyExtraField => (97, "upaas_notify_extra_field", Stage::Notify),
        }
    }
}
