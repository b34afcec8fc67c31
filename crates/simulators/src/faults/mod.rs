//! What can go wrong on the provider's side: every kind of fault, the amount digits that ask for it, and the
//! numbers that shape it.
//!
//! A fault is chosen per order, in one of two ways: by the last two digits of the amount in minor units (as
//! test cards choose a behaviour; see [`FaultKind::of_amount_at`]), or by seeded rates ([`FaultPlan`]). An order
//! has at most one fault per [`Stage`]. A refund of WeChat Pay or UPaaS is chosen for as an order is: by its own
//! amount, else by rates drawn for its own number; refunds of the others have the faults of their order. Every injection
//! is counted by kind and
//! shown at `/control/stats`.

mod maqian;
mod payjs;
mod plan;
mod upaas;
mod xorpay;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use maqian::MaqianFault;
pub use payjs::{PayjsFault, Trouble};
pub use plan::{BadPlan, FaultPlan, OrderFaults, Preset};
pub use xorpay::{Mishap, XorpayFault};

pub(crate) use plan::{check_rate, check_sum};
pub use upaas::UpaasFault;

use crate::provider::Provider;

/// The step of an order's life that a fault touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The create call.
    Create,
    /// Query calls.
    Query,
    /// Close calls.
    Close,
    /// Notifications.
    Notify,
    /// The payment itself, as the provider reports it.
    Payment,
    /// Calls that ask for a refund.
    Refund,
    /// What becomes of a refund.
    RefundEnd,
    /// Notifications of refunds.
    RefundNotify,
    /// Queries of refunds.
    RefundQuery,
}

impl Stage {
    /// All stages, in the order in which chance is asked.
    pub const ALL: [Self; 9] = [
        Self::Create,
        Self::Query,
        Self::Close,
        Self::Notify,
        Self::Payment,
        Self::Refund,
        Self::RefundEnd,
        Self::RefundNotify,
        Self::RefundQuery,
    ];
}

/// One way of misbehaving. “First” counts the verified calls of that operation on the order or the
/// refund. In JSON a kind is its [`name`](FaultKind::name).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// First create: the order is made, the good answer comes after `hang_ms`, past the client's time-out.
    CreateSlow,
    /// First create: the order is made, the connection ends without an answer.
    CreateAnswerLost,
    /// First create: nothing is made; the connection hangs for `hang_ms` and ends without an answer.
    CreateHung,
    /// First create: nothing is made; the connection ends at once without an answer.
    CreateDropped,
    /// First create: the connection ends at once; the order comes into being `late_landing_ms` later.
    CreateLandsLate,
    /// First create: 500 SYSTEM_ERROR, nothing is made.
    CreateSystemError,
    /// First create: 500 SYSTEM_ERROR although the order was made.
    CreateErrorAfterEffect,
    /// First create: the order is made, the answer is signed by a key that is not the platform's.
    CreateBadSignature,
    /// Every create: 400 PARAM_ERROR, nothing is ever made.
    CreateRefused,
    /// First `throttled_times` creates: 429 FREQUENCY_LIMITED, nothing is made.
    CreateThrottled,
    /// First create: 403 NO_AUTH, as if the product was not switched on yet; nothing is made.
    CreateNoAuth,
    /// First create: the order is made, the answer is an unsigned HTML page with status 200.
    CreateGarbage,
    /// First create: the order is made, the answer breaks off in the middle of its body.
    CreateTruncated,
    /// First create: the order is made, the well signed answer is `oversized_bytes` long.
    CreateOversized,
    /// Queries within `query_lag_ms` after the create: 404 ORDER_NOT_EXIST although the order exists.
    QueryLagging,
    /// The first query after the payment still says NOTPAY.
    QueryStale,
    /// First `errors_times` queries: 500 SYSTEM_ERROR.
    QuerySystemError,
    /// First `throttled_times` queries: 429 FREQUENCY_LIMITED.
    QueryThrottled,
    /// First query: the answer is signed by a key that is not the platform's.
    QueryBadSignature,
    /// First query: the connection ends without an answer.
    QueryDropped,
    /// First query: the answer is a probe, its signature begins with `WECHATPAY/SIGNTEST/`.
    QuerySigntest,
    /// First close that succeeds: the order is closed, the connection ends without an answer.
    CloseAnswerLost,
    /// First close: nothing is done, the connection ends without an answer.
    CloseDropped,
    /// First close: 500 SYSTEM_ERROR, nothing is done.
    CloseSystemError,
    /// First `throttled_times` closes: 429 FREQUENCY_LIMITED, nothing is done.
    CloseThrottled,
    /// The notification is never sent.
    NotifyLost,
    /// Each push is sent twice at the same moment.
    NotifyDoubled,
    /// The first push leaves `notify_delay_ms` after the payment, the schedule follows from there.
    NotifyDelayed,
    /// Right after the create two forged notifications claim a payment: one with the right amount, signed by
    /// a stranger under the platform's serial, one with another amount under a serial nobody knows.
    NotifyForged,
    /// Before the first push a probe is sent whose signature begins with `WECHATPAY/SIGNTEST/`.
    NotifySigntest,
    /// The provider reports one fen more than the order's amount, in notification and query.
    AmountMisreported,
    /// First refund call: the refund is made, the good answer comes after `hang_ms`, past the client's
    /// time-out.
    RefundSlow,
    /// First refund call: the refund is made, the connection ends without an answer.
    RefundAnswerLost,
    /// First refund call: nothing is made; the connection hangs for `hang_ms` and ends without an answer.
    RefundHung,
    /// First refund call: nothing is made; the connection ends at once without an answer.
    RefundDropped,
    /// First refund call: 500 SYSTEM_ERROR, nothing is made.
    RefundSystemError,
    /// First refund call: 500 SYSTEM_ERROR although the refund was made.
    RefundErrorAfterEffect,
    /// First refund call: the refund is made, the answer is signed by a key that is not the platform's.
    RefundBadSignature,
    /// First refund call: the refund is made, the answer is an unsigned HTML page with status 200.
    RefundGarbage,
    /// First `throttled_times` refund calls: 429 FREQUENCY_LIMITED, nothing is made.
    RefundThrottled,
    /// Refund calls within `not_enough_ms` after the first one: 403 NOT_ENOUGH, nothing is made.
    RefundNotEnough,
    /// First refund call: 429 FREQUENCY_LIMITED although the refund was made.
    RefundThrottledAfterEffect,
    /// First refund call: the connection ends at once; the refund comes into being `late_landing_ms` later.
    RefundLandsLate,
    /// The refund ends ABNORMAL: the money cannot be returned where it came from.
    RefundAbnormal,
    /// The refund ends CLOSED: no money is returned.
    RefundClosed,
    /// The refund's notification is never sent.
    RefundNotifyLost,
    /// Each push of the refund's notification is sent twice at the same moment.
    RefundNotifyDoubled,
    /// The refund's first push leaves `notify_delay_ms` after its end, the schedule follows from there.
    RefundNotifyDelayed,
    /// Right after the refund call two forged notifications claim its success: one with the right amount,
    /// signed by a stranger under the platform's serial, one with another amount under a serial nobody knows.
    RefundNotifyForged,
    /// Queries within `query_lag_ms` after the refund was made: 404 RESOURCE_NOT_EXISTS although it exists.
    RefundQueryLagging,
    /// A way in which PayJS misbehaves.
    Payjs(PayjsFault),
    /// A way in which XorPay misbehaves.
    Xorpay(XorpayFault),
    /// A way in which 码钱 misbehaves.
    Maqian(MaqianFault),
    /// A way in which UPaaS misbehaves.
    Upaas(UpaasFault),
}

/// What the table says of one kind.
struct Spec {
    digits: u8,
    name: &'static str,
    stage: Stage,
}

impl FaultKind {
    /// WeChat Pay's kinds, in the order of the stages.
    pub const WECHATPAY: [Self; 50] = [
        Self::CreateSlow,
        Self::CreateAnswerLost,
        Self::CreateHung,
        Self::CreateDropped,
        Self::CreateLandsLate,
        Self::CreateSystemError,
        Self::CreateErrorAfterEffect,
        Self::CreateBadSignature,
        Self::CreateRefused,
        Self::CreateThrottled,
        Self::CreateNoAuth,
        Self::CreateGarbage,
        Self::CreateTruncated,
        Self::CreateOversized,
        Self::QueryLagging,
        Self::QueryStale,
        Self::QuerySystemError,
        Self::QueryThrottled,
        Self::QueryBadSignature,
        Self::QueryDropped,
        Self::QuerySigntest,
        Self::CloseAnswerLost,
        Self::CloseDropped,
        Self::CloseSystemError,
        Self::CloseThrottled,
        Self::NotifyLost,
        Self::NotifyDoubled,
        Self::NotifyDelayed,
        Self::NotifyForged,
        Self::NotifySigntest,
        Self::AmountMisreported,
        Self::RefundSlow,
        Self::RefundAnswerLost,
        Self::RefundHung,
        Self::RefundDropped,
        Self::RefundSystemError,
        Self::RefundErrorAfterEffect,
        Self::RefundBadSignature,
        Self::RefundGarbage,
        Self::RefundThrottled,
        Self::RefundNotEnough,
        Self::RefundThrottledAfterEffect,
        Self::RefundLandsLate,
        Self::RefundAbnormal,
        Self::RefundClosed,
        Self::RefundNotifyLost,
        Self::RefundNotifyDoubled,
        Self::RefundNotifyDelayed,
        Self::RefundNotifyForged,
        Self::RefundQueryLagging,
    ];

    /// How many kinds there are.
    const COUNT: usize = Self::WECHATPAY.len()
        + PayjsFault::ALL.len()
        + XorpayFault::ALL.len()
        + UpaasFault::ALL.len()
        + MaqianFault::ALL.len();

    /// Every kind, by provider.
    pub const ALL: [Self; Self::COUNT] = {
        const PAYJS_FROM: usize = FaultKind::WECHATPAY.len();
        const XORPAY_FROM: usize = PAYJS_FROM + PayjsFault::ALL.len();
        const UPAAS_FROM: usize = XORPAY_FROM + XorpayFault::ALL.len();
        const MAQIAN_FROM: usize = UPAAS_FROM + UpaasFault::ALL.len();
        let mut all = [Self::CreateSlow; Self::COUNT];
        let mut at = 0;
        while at < all.len() {
            all[at] = if at < PAYJS_FROM {
                Self::WECHATPAY[at]
            } else if at < XORPAY_FROM {
                Self::Payjs(PayjsFault::ALL[at - PAYJS_FROM])
            } else if at < UPAAS_FROM {
                Self::Xorpay(XorpayFault::ALL[at - XORPAY_FROM])
            } else if at < MAQIAN_FROM {
                Self::Upaas(UpaasFault::ALL[at - UPAAS_FROM])
            } else {
                Self::Maqian(MaqianFault::ALL[at - MAQIAN_FROM])
            };
            at += 1;
        }
        all
    };

    /// The table of amount digits: `total % 100`, the name in JSON, the stage.
    const fn spec(self) -> Spec {
        let (digits, name, stage) = match self {
            Self::CreateSlow => (50, "create_slow", Stage::Create),
            Self::CreateAnswerLost => (51, "create_answer_lost", Stage::Create),
            Self::CreateHung => (52, "create_hung", Stage::Create),
            Self::CreateDropped => (53, "create_dropped", Stage::Create),
            Self::CreateLandsLate => (54, "create_lands_late", Stage::Create),
            Self::CreateSystemError => (55, "create_system_error", Stage::Create),
            Self::CreateErrorAfterEffect => (56, "create_error_after_effect", Stage::Create),
            Self::CreateBadSignature => (57, "create_bad_signature", Stage::Create),
            Self::CreateRefused => (58, "create_refused", Stage::Create),
            Self::CreateThrottled => (59, "create_throttled", Stage::Create),
            Self::CreateNoAuth => (60, "create_no_auth", Stage::Create),
            Self::CreateGarbage => (61, "create_garbage", Stage::Create),
            Self::CreateTruncated => (62, "create_truncated", Stage::Create),
            Self::CreateOversized => (63, "create_oversized", Stage::Create),
            Self::QueryLagging => (70, "query_lagging", Stage::Query),
            Self::QueryStale => (71, "query_stale", Stage::Query),
            Self::QuerySystemError => (72, "query_system_error", Stage::Query),
            Self::QueryThrottled => (73, "query_throttled", Stage::Query),
            Self::QueryBadSignature => (74, "query_bad_signature", Stage::Query),
            Self::QueryDropped => (75, "query_dropped", Stage::Query),
            Self::QuerySigntest => (99, "query_signtest", Stage::Query),
            Self::CloseAnswerLost => (80, "close_answer_lost", Stage::Close),
            Self::CloseDropped => (81, "close_dropped", Stage::Close),
            Self::CloseSystemError => (82, "close_system_error", Stage::Close),
            Self::CloseThrottled => (83, "close_throttled", Stage::Close),
            Self::NotifyLost => (90, "notify_lost", Stage::Notify),
            Self::NotifyDoubled => (91, "notify_doubled", Stage::Notify),
            Self::NotifyDelayed => (92, "notify_delayed", Stage::Notify),
            Self::NotifyForged => (93, "notify_forged", Stage::Notify),
            Self::NotifySigntest => (94, "notify_signtest", Stage::Notify),
            Self::AmountMisreported => (95, "amount_misreported", Stage::Payment),
            Self::RefundSlow => (64, "refund_slow", Stage::Refund),
            Self::RefundAnswerLost => (65, "refund_answer_lost", Stage::Refund),
            Self::RefundHung => (66, "refund_hung", Stage::Refund),
            Self::RefundDropped => (67, "refund_dropped", Stage::Refund),
            Self::RefundSystemError => (68, "refund_system_error", Stage::Refund),
            Self::RefundErrorAfterEffect => (69, "refund_error_after_effect", Stage::Refund),
            Self::RefundBadSignature => (76, "refund_bad_signature", Stage::Refund),
            Self::RefundGarbage => (77, "refund_garbage", Stage::Refund),
            Self::RefundThrottled => (78, "refund_throttled", Stage::Refund),
            Self::RefundNotEnough => (79, "refund_not_enough", Stage::Refund),
            Self::RefundThrottledAfterEffect => (84, "refund_throttled_after_effect", Stage::Refund),
            Self::RefundLandsLate => (85, "refund_lands_late", Stage::Refund),
            Self::RefundAbnormal => (86, "refund_abnormal", Stage::RefundEnd),
            Self::RefundClosed => (87, "refund_closed", Stage::RefundEnd),
            Self::RefundNotifyLost => (88, "refund_notify_lost", Stage::RefundNotify),
            Self::RefundNotifyDoubled => (89, "refund_notify_doubled", Stage::RefundNotify),
            Self::RefundNotifyDelayed => (96, "refund_notify_delayed", Stage::RefundNotify),
            Self::RefundNotifyForged => (97, "refund_notify_forged", Stage::RefundNotify),
            Self::RefundQueryLagging => (98, "refund_query_lagging", Stage::RefundQuery),
            Self::Payjs(kind) => kind.spec(),
            Self::Xorpay(kind) => kind.spec(),
            Self::Maqian(kind) => kind.spec(),
            Self::Upaas(kind) => kind.spec(),
        };
        Spec { digits, name, stage }
    }

    /// The last two digits of an amount in minor units that choose this kind, 50 to 99: the amount of the
    /// order, for the stages of a refund the amount of the refund.
    pub const fn digits(self) -> u8 {
        self.spec().digits
    }

    /// The name in JSON, in snake case.
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// The stage that this kind touches.
    pub const fn stage(self) -> Stage {
        self.spec().stage
    }

    /// The provider that misbehaves so.
    pub const fn provider(self) -> Provider {
        match self {
            Self::Payjs(_) => Provider::Payjs,
            Self::Xorpay(_) => Provider::Xorpay,
            Self::Maqian(_) => Provider::Maqian,
            Self::Upaas(_) => Provider::Upaas,
            _ => Provider::Wechatpay,
        }
    }

    /// The kind that an amount in minor units asks for at WeChat Pay. Last digits 00 to 49 are a normal order,
    /// and so are the free ones above. No digits serve an order and a refund: an order that is refunded whole
    /// has the fault at one of the two.
    pub fn of_amount(total: i64) -> Option<Self> {
        Self::of_amount_at(Provider::Wechatpay, total)
    }

    /// The kind that an amount in minor units asks for at a provider: each has a table of its own.
    pub fn of_amount_at(provider: Provider, total: i64) -> Option<Self> {
        let digits = total.rem_euclid(100);
        let mut own = Self::ALL.into_iter().filter(|kind| kind.provider() == provider);
        own.find(|kind| i64::from(kind.digits()) == digits)
    }
}

impl Serialize for FaultKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for FaultKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = Self::ALL.into_iter().find(|kind| kind.name() == name);
        known.ok_or_else(|| D::Error::custom(format!("no kind of fault is called {name:?}")))
    }
}

/// The numbers that shape the faults, and the pace of refunds. Hang times are real time, as HTTP time-outs
/// are; the others are provider time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultTuning {
    /// How long a slow or hung answer is held, in real milliseconds. Set it above the client's time-out.
    pub hang_ms: u64,
    /// How long after the cut connection a late create lands, in milliseconds of provider time.
    pub late_landing_ms: u32,
    /// How long the read side does not know a new order, in milliseconds of provider time.
    pub query_lag_ms: u32,
    /// How much later a delayed notification leaves, in milliseconds of provider time.
    pub notify_delay_ms: u32,
    /// How much later a delayed notification of PayJS leaves, in milliseconds of provider time; by default
    /// past the half hour after which merchants use to give an order up.
    pub payjs_notify_delay_ms: u32,
    /// How long after the first payment the second one of an order of PayJS comes at most, in milliseconds of provider
    /// time.
    pub payjs_second_payment_ms: u32,
    /// Length of an oversized answer in bytes, at most 64 MiB.
    pub oversized_bytes: usize,
    /// How many calls on an order are throttled.
    pub throttled_times: u32,
    /// How many queries of an order end in SYSTEM_ERROR.
    pub errors_times: u32,
    /// How long the merchant's balance does not suffice for a refund, in milliseconds of provider time.
    pub not_enough_ms: u32,
    /// How long every refund is PROCESSING, in milliseconds of provider time.
    pub refund_settle_ms: u32,
}

/// Largest length of an oversized answer.
pub const OVERSIZED_BYTES_MAX: usize = 64 * 1024 * 1024;

impl Default for FaultTuning {
    fn default() -> Self {
        Self {
            hang_ms: 8_000,
            late_landing_ms: 5_000,
            query_lag_ms: 20_000,
            notify_delay_ms: 90_000,
            payjs_notify_delay_ms: 45 * 60 * 1000,
            payjs_second_payment_ms: 120_000,
            oversized_bytes: 4 * 1024 * 1024,
            throttled_times: 3,
            errors_times: 2,
            not_enough_ms: 120_000,
            refund_settle_ms: 20_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn digits_and_names_are_unique_and_names_are_those_of_json() {
        let digits: BTreeSet<(Provider, u8)> =
            FaultKind::ALL.iter().map(|kind| (kind.provider(), kind.digits())).collect();
        assert_eq!(digits.len(), FaultKind::ALL.len());
        let names: BTreeSet<&str> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), FaultKind::ALL.len());
        for kind in FaultKind::ALL {
            assert!((50..=99).contains(&kind.digits()));
            let json = serde_json::to_value(kind).unwrap();
            assert_eq!(json, kind.name());
            assert_eq!(serde_json::from_value::<FaultKind>(json).unwrap(), kind);
        }
        assert!(serde_json::from_str::<FaultKind>("\"no_such_kind\"").is_err());
    }

    #[test]
    fn the_readme_has_the_table_of_digits() {
        let readme = include_str!("../../README.md");
        for kind in FaultKind::ALL {
            let row = format!("| {} | `{}` | ", kind.digits(), kind.name());
            assert!(readme.contains(&row), "README.md lacks: {row}");
        }
    }

    #[test]
    fn low_digits_are_normal_orders() {
        assert!((1..50).chain(100..150).all(|total| FaultKind::of_amount(total).is_none()));
        assert_eq!(FaultKind::of_amount(1_250), Some(FaultKind::CreateSlow));
        assert_eq!(FaultKind::of_amount(95), Some(FaultKind::AmountMisreported));
        assert_eq!(FaultKind::of_amount(199), Some(FaultKind::QuerySigntest));
        let at_payjs = FaultKind::of_amount_at(Provider::Payjs, 199);
        assert_eq!(at_payjs, Some(FaultKind::Payjs(PayjsFault::NotifyAttachZero)));
    }
}
