//! The ways in which XorPay misbehaves, with a table of amount digits of its own.

use super::Stage;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mishap {
    /// First call: it has its effect, the good answer comes after `hang_ms`, past the client's time-out.
    Slow,
    /// First call: it has its effect, the connection ends without an answer.
    AnswerLost,
    /// First call: nothing is done; the connection hangs for `hang_ms` and ends without an answer.
    Hung,
    /// First call: nothing is done; the connection ends at once without an answer.
    Dropped,
    /// First call: the connection ends at once; the effect comes `late_landing_ms` later.
    LandsLate,
    /// First `errors_times` calls: HTTP 500, nothing is done.
    ServerError,
    /// First call: HTTP 500 although it had its effect.
    ErrorAfterEffect,
    /// First call: it has its effect, the answer is an HTML page with status 200.
    Garbage,
    /// First `throttled_times` calls: HTTP 429, nothing is done.
    Throttled,
    /// First call: it has its effect, the answer breaks off in the middle of its body.
    Truncated,
    /// First call: it has its effect, the good answer is `oversized_bytes` long.
    Oversized,
}

/// One way in which XorPay misbehaves. “First” counts the verified calls of that operation on the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum XorpayFault {
    /// A mishap of a create.
    Create(Mishap),
    /// Every create: `invalid_openid`, nothing is ever made.
    CreateRefused,
    /// First `errors_times` creates: `wechat_api_error`, nothing is made.
    CreateUpstream,
    /// First create: `fee_error`, XorPay's balance does not cover its fee; nothing is made.
    CreateFee,
    /// The answer has `expires_in` as text in place of `expire_in` as a number.
    CreateOtherSpelling,
    /// A mishap of a query.
    Query(Mishap),
    /// Queries within `query_lag_ms` after the create: `not_exist` although the order exists.
    QueryLagging,
    /// The first query after the payment still says `new`.
    QueryStale,
    /// The first query after the payment says `fee_error`.
    QueryFee,
    /// A mishap of a refund.
    Refund(Mishap),
    /// First refund: `order_error`, as if no notification had been answered yet.
    RefundNotYet,
    /// No push ever arrives.
    NotifyLost,
    /// Each push is sent twice at the same moment.
    NotifyDoubled,
    /// The first push leaves `notify_delay_ms` after the payment, the schedule follows from there.
    NotifyDelayed,
    /// Right after the create two forged pushes claim a payment: one with the right amount, signed with another secret,
    /// one with another amount and no signature.
    NotifyForged,
    /// Before the first push two forged ones come with its very signature, whose text is cut into other fields.
    NotifyShifted,
    /// XorPay reports one fen more than the order has, in pushes.
    AmountMisreported,
    /// The pushes before the one at two minutes are lost on their way.
    NotifyLostAtFirst,
    /// The push has its fields in an order of chance, other unsigned ones than the order's, and one more.
    NotifyAltered,
}

impl XorpayFault {
    /// Every kind, in the order of the amount digits.
    pub const ALL: [Self; 41] = [
        Self::Create(Mishap::Slow),
        Self::Create(Mishap::AnswerLost),
        Self::Create(Mishap::Hung),
        Self::Create(Mishap::Dropped),
        Self::Create(Mishap::LandsLate),
        Self::Create(Mishap::ServerError),
        Self::Create(Mishap::ErrorAfterEffect),
        Self::Create(Mishap::Garbage),
        Self::Create(Mishap::Throttled),
        Self::Create(Mishap::Truncated),
        Self::Create(Mishap::Oversized),
        Self::CreateRefused,
        Self::CreateUpstream,
        Self::CreateFee,
        Self::CreateOtherSpelling,
        Self::Query(Mishap::Dropped),
        Self::Query(Mishap::ServerError),
        Self::Query(Mishap::Garbage),
        Self::Query(Mishap::Throttled),
        Self::Query(Mishap::Slow),
        Self::QueryLagging,
        Self::QueryStale,
        Self::QueryFee,
        Self::Refund(Mishap::Slow),
        Self::Refund(Mishap::AnswerLost),
        Self::Refund(Mishap::Hung),
        Self::Refund(Mishap::Dropped),
        Self::Refund(Mishap::LandsLate),
        Self::Refund(Mishap::ServerError),
        Self::Refund(Mishap::ErrorAfterEffect),
        Self::Refund(Mishap::Garbage),
        Self::Refund(Mishap::Throttled),
        Self::RefundNotYet,
        Self::NotifyLost,
        Self::NotifyDoubled,
        Self::NotifyDelayed,
        Self::NotifyForged,
        Self::NotifyShifted,
        Self::AmountMisreported,
        Self::NotifyLostAtFirst,
        Self::NotifyAltered,
    ];

    /// The table of amount digits: the fen of `price` modulo 100, the name in JSON, the stage.
    pub(super) const fn spec(self) -> (u8, &'static str, Stage) {
        match self {
            Self::Create(mishap) => create(mishap),
            Self::CreateRefused => (61, "xorpay_create_refused", Stage::Create),
            Self::CreateUpstream => (62, "xorpay_create_upstream", Stage::Create),
            Self::CreateFee => (63, "xorpay_create_fee", Stage::Create),
            Self::CreateOtherSpelling => (64, "xorpay_create_other_spelling", Stage::Create),
            Self::Query(mishap) => query(mishap),
            Self::QueryLagging => (75, "xorpay_query_lagging", Stage::Query),
            Self::QueryStale => (76, "xorpay_query_stale", Stage::Query),
            Self::QueryFee => (77, "xorpay_query_fee", Stage::Query),
            Self::Refund(mishap) => refund(mishap),
            Self::RefundNotYet => (89, "xorpay_refund_not_yet", Stage::Refund),
            Self::NotifyLost => (90, "xorpay_notify_lost", Stage::Notify),
            Self::NotifyDoubled => (91, "xorpay_notify_doubled", Stage::Notify),
            Self::NotifyDelayed => (92, "xorpay_notify_delayed", Stage::Notify),
            Self::NotifyForged => (93, "xorpay_notify_forged", Stage::Notify),
            Self::NotifyShifted => (94, "xorpay_notify_shifted", Stage::Notify),
            Self::AmountMisreported => (95, "xorpay_amount_misreported", Stage::Payment),
            Self::NotifyLostAtFirst => (96, "xorpay_notify_lost_at_first", Stage::Notify),
            Self::NotifyAltered => (97, "xorpay_notify_altered", Stage::Notify),
        }
    }
}

const fn create(mishap: Mishap) -> (u8, &'static str, Stage) {
    let (digits, name) = match mishap {
        Mishap::Slow => (50, "xorpay_create_slow"),
        Mishap::AnswerLost => (51, "xorpay_create_answer_lost"),
        Mishap::Hung => (52, "xorpay_create_hung"),
        Mishap::Dropped => (53, "xorpay_create_dropped"),
        Mishap::LandsLate => (54, "xorpay_create_lands_late"),
        Mishap::ServerError => (55, "xorpay_create_server_error"),
        Mishap::ErrorAfterEffect => (56, "xorpay_create_error_after_effect"),
        Mishap::Garbage => (57, "xorpay_create_garbage"),
        Mishap::Throttled => (58, "xorpay_create_throttled"),
        Mishap::Truncated => (59, "xorpay_create_truncated"),
        Mishap::Oversized => (60, "xorpay_create_oversized"),
    };
    (digits, name, Stage::Create)
}

/// A query has no effect, so the mishaps that differ in it alone have no digits: they are not among [`XorpayFault::ALL`].
const fn query(mishap: Mishap) -> (u8, &'static str, Stage) {
    let (digits, name) = match mishap {
        Mishap::Dropped | Mishap::AnswerLost | Mishap::LandsLate => (70, "xorpay_query_dropped"),
        Mishap::ServerError | Mishap::ErrorAfterEffect => (71, "xorpay_query_server_error"),
        Mishap::Garbage | Mishap::Truncated | Mishap::Oversized => (72, "xorpay_query_garbage"),
        Mishap::Throttled => (73, "xorpay_query_throttled"),
        Mishap::Slow | Mishap::Hung => (74, "xorpay_query_slow"),
    };
    (digits, name, Stage::Query)
}

/// The answer of a refund is short: breaking it off is as good as garbage.
const fn refund(mishap: Mishap) -> (u8, &'static str, Stage) {
    let (digits, name) = match mishap {
        Mishap::Slow => (80, "xorpay_refund_slow"),
        Mishap::AnswerLost => (81, "xorpay_refund_answer_lost"),
        Mishap::Hung => (82, "xorpay_refund_hung"),
        Mishap::Dropped => (83, "xorpay_refund_dropped"),
        Mishap::LandsLate => (84, "xorpay_refund_lands_late"),
        Mishap::ServerError => (85, "xorpay_refund_server_error"),
        Mishap::ErrorAfterEffect => (86, "xorpay_refund_error_after_effect"),
        Mishap::Garbage | Mishap::Truncated | Mishap::Oversized => (87, "xorpay_refund_garbage"),
        Mishap::Throttled => (88, "xorpay_refund_throttled"),
    };
    (digits, name, Stage::Refund)
}
