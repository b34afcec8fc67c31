//! The ways in which PayJS misbehaves, with a table of amount digits of its own.

use super::Stage;

/// What happens to a server call: check, close or refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// First call: nothing is done; the connection hangs for `hang_ms` and ends without an answer.
    Hung,
    /// First call that is granted: it has its effect, then the connection hangs for `hang_ms` and ends without
    /// an answer.
    AnswerLost,
    /// First `errors_times` calls: HTTP 500, nothing is done.
    ServerError,
    /// First call that is granted: it has its effect, the answer is an HTML page with status 200.
    Garbage,
    /// First call that is granted: it has its effect, the answer is signed with another key.
    BadSignature,
    /// First call that is granted: it has its effect, the answer has no signature.
    Unsigned,
    /// First `throttled_times` calls: HTTP 429, nothing is done.
    Throttled,
}

/// One way in which PayJS misbehaves. “First” counts the verified calls of that operation on the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PayjsFault {
    /// First opening of the cashier: HTTP 500, nothing is made.
    CashierError,
    /// First opening of the cashier: the order is made, the connection ends without an answer.
    CashierLost,
    /// Every opening of the cashier is refused; nothing is ever made.
    CashierRefused,
    /// Trouble with checks.
    Check(Trouble),
    /// The first check after the payment still says unpaid; pushes go on.
    CheckStale,
    /// Trouble with closes.
    Close(Trouble),
    /// Trouble with refunds.
    Refund(Trouble),
    /// First refund: refused, since the merchant's unsettled balance does not cover it.
    RefundNoBalance,
    /// No push ever arrives.
    NotifyLost,
    /// Each push is sent twice at the same moment.
    NotifyDoubled,
    /// The first push leaves `payjs_notify_delay_ms` after the payment, the schedule follows from there.
    NotifyDelayed,
    /// Right after the first opening two forged pushes claim a payment: one with the right amount, signed with
    /// another key, one with another amount and no signature.
    NotifyForged,
    /// The pushes before the one at 180 s are lost on their way.
    NotifyLostAtFirst,
    /// PayJS reports one fen more than the order has, in pushes and checks.
    AmountMisreported,
    /// The payer has the cashier open in two windows and pays in both, the second time within
    /// `payjs_second_payment_ms` after the first: PayJS has a second order under the number, with a payjs_order_id,
    /// pushes and faults of its own.
    PaidTwice,
    /// The push carries a signed field that no document names.
    NotifyExtraField,
    /// The fields of the push come in an order of chance.
    NotifyShuffled,
    /// The push says attach `0`, which takes no part in the signature, as in the official SDK.
    NotifyAttachZero,
}

impl PayjsFault {
    /// Every kind, in the order of the amount digits.
    pub const ALL: [Self; 36] = [
        Self::CashierError,
        Self::CashierLost,
        Self::CashierRefused,
        Self::Check(Trouble::Hung),
        Self::Check(Trouble::AnswerLost),
        Self::Check(Trouble::ServerError),
        Self::Check(Trouble::Garbage),
        Self::Check(Trouble::BadSignature),
        Self::Check(Trouble::Unsigned),
        Self::Check(Trouble::Throttled),
        Self::CheckStale,
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
        Self::NotifyLost,
        Self::NotifyDoubled,
        Self::NotifyDelayed,
        Self::NotifyForged,
        Self::NotifyLostAtFirst,
        Self::AmountMisreported,
        Self::PaidTwice,
        Self::NotifyExtraField,
        Self::NotifyShuffled,
        Self::NotifyAttachZero,
    ];

    /// The table of amount digits: `total_fee % 100`, the name in JSON, the stage.
    pub(super) const fn spec(self) -> (u8, &'static str, Stage) {
        match self {
            Self::CashierError => (50, "payjs_cashier_error", Stage::Create),
            Self::CashierLost => (51, "payjs_cashier_lost", Stage::Create),
            Self::CashierRefused => (52, "payjs_cashier_refused", Stage::Create),
            Self::Check(Trouble::Hung) => (60, "payjs_check_hung", Stage::Query),
            Self::Check(Trouble::AnswerLost) => (61, "payjs_check_answer_lost", Stage::Query),
            Self::Check(Trouble::ServerError) => (62, "payjs_check_server_error", Stage::Query),
            Self::Check(Trouble::Garbage) => (63, "payjs_check_garbage", Stage::Query),
            Self::Check(Trouble::BadSignature) => (64, "payjs_check_bad_signature", Stage::Query),
            Self::Check(Trouble::Unsigned) => (65, "payjs_check_unsigned", Stage::Query),
            Self::Check(Trouble::Throttled) => (66, "payjs_check_throttled", Stage::Query),
            Self::CheckStale => (67, "payjs_check_stale", Stage::Query),
            Self::Close(Trouble::Hung) => (70, "payjs_close_hung", Stage::Close),
            Self::Close(Trouble::AnswerLost) => (71, "payjs_close_answer_lost", Stage::Close),
            Self::Close(Trouble::ServerError) => (72, "payjs_close_server_error", Stage::Close),
            Self::Close(Trouble::Garbage) => (73, "payjs_close_garbage", Stage::Close),
            Self::Close(Trouble::BadSignature) => (74, "payjs_close_bad_signature", Stage::Close),
            Self::Close(Trouble::Unsigned) => (75, "payjs_close_unsigned", Stage::Close),
            Self::Close(Trouble::Throttled) => (76, "payjs_close_throttled", Stage::Close),
            Self::Refund(Trouble::Hung) => (80, "payjs_refund_hung", Stage::Refund),
            Self::Refund(Trouble::AnswerLost) => (81, "payjs_refund_answer_lost", Stage::Refund),
            Self::Refund(Trouble::ServerError) => (82, "payjs_refund_server_error", Stage::Refund),
            Self::Refund(Trouble::Garbage) => (83, "payjs_refund_garbage", Stage::Refund),
            Self::Refund(Trouble::BadSignature) => (84, "payjs_refund_bad_signature", Stage::Refund),
            Self::Refund(Trouble::Unsigned) => (85, "payjs_refund_unsigned", Stage::Refund),
            Self::Refund(Trouble::Throttled) => (86, "payjs_refund_throttled", Stage::Refund),
            Self::RefundNoBalance => (87, "payjs_refund_no_balance", Stage::Refund),
            Self::NotifyLost => (90, "payjs_notify_lost", Stage::Notify),
            Self::NotifyDoubled => (91, "payjs_notify_doubled", Stage::Notify),
            Self::NotifyDelayed => (92, "payjs_notify_delayed", Stage::Notify),
            Self::NotifyForged => (93, "payjs_notify_forged", Stage::Notify),
            Self::NotifyLostAtFirst => (94, "payjs_notify_lost_at_first", Stage::Notify),
            Self::AmountMisreported => (95, "payjs_amount_misreported", Stage::Payment),
            Self::PaidTwice => (96, "payjs_paid_twice", Stage::Payment),
            Self::NotifyExtraField => (97, "payjs_notify_extra_field", Stage::Notify),
            Self::NotifyShuffled => (98, "payjs_notify_shuffled", Stage::Notify),
            Self::NotifyAttachZero => (99, "payjs_notify_attach_zero", Stage::Notify),
        }
    }
}
