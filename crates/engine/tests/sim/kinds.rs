//! What each kind of provider can do: the five as their accounts may be set up, and one that closes at once.

use std::time::Duration;

use paymux_domain::capabilities::{
    AnswerSignature, Capabilities, CloseKind, CreateKind, QueryKind, QueryProof, RefundKind,
};
use paymux_domain::name::ProviderId;
use paymux_domain::ports::Clock as _;
use paymux_domain::time::Timestamp;

use crate::clock::SimClock;

/// The longest time that a request takes to land; part of the engine's settling time.
pub(crate) const LANDING: Duration = Duration::from_secs(90);
/// How long after expiry the providers without close may still take money.
pub(crate) const GRACE: Duration = Duration::from_secs(300);
/// How long a payer can open what was signed here: no provider says, so longer than any order lives.
const SIGNED_LIFE: Duration = Duration::from_secs(3 * 24 * 3600);
/// How long what UPaaS prepared can be paid (WeChat's prepay_id).
const PREPARED_LIFE: Duration = Duration::from_secs(2 * 3600);

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// WeChat Pay, and what the others share with it.
const WECHATPAY: Capabilities = Capabilities {
    create: CreateKind::Call,
    create_idempotent: true,
    query: QueryKind::ByOutTradeNo,
    query_amount: true,
    query_proof: QueryProof::Signed,
    close: CloseKind::Call { min_age: Duration::from_secs(305), refuses_paid: true },
    refund: RefundKind::Partial { refunds_max: 50 },
    refund_idempotent: true,
    refund_query: true,
    refund_spacing: Duration::from_secs(60),
    refund_window: YEAR,
    notification: true,
    refund_notification: false,
    confirm_above_minor: None,
    order_no_chars: (6, 32),
    call_spacing: Duration::ZERO,
    answer_signature: AnswerSignature::Always,
    landing: LANDING,
    expiry_grace: GRACE,
};

/// Nothing but a create and its notifications.
const MUTE: Capabilities = Capabilities {
    landing: LANDING,
    expiry_grace: GRACE,
    refund_window: YEAR,
    notification: true,
    refund_notification: false,
    order_no_chars: (1, 32),
    ..Capabilities::NOTHING
};

/// The kinds of providers, by the names that orders carry.
pub(crate) const KINDS: [&str; 9] =
    ["wechatpay", "payjs", "xorpay", "xorpaytrusting", "upaas", "upaasfull", "maqian", "maqiansaas", "quick"];

/// What a kind of provider can do, by its name.
pub(crate) fn capabilities(provider: &str) -> Option<Capabilities> {
    Some(match provider {
        "wechatpay" => WECHATPAY,
        // A page that the payer opens; its number is known once a notification has brought it, and with it the order can
        // be asked about and refunded as a whole.
        "payjs" => Capabilities {
            create_idempotent: true,
            query: QueryKind::ByProviderTradeNo,
            query_amount: true,
            query_proof: QueryProof::Signed,
            refund: RefundKind::Full,
            refund_idempotent: true,
            confirm_above_minor: Some(0),
            call_spacing: Duration::from_secs(1),
            landing: Duration::ZERO,
            ..MUTE
        },
        // No close; parts are refunded without a number, so each call once; answers prove no more than their connection.
        "xorpay" => Capabilities { confirm_above_minor: Some(0), ..capabilities("xorpaytrusting")? },
        // The same, whose account takes a push for proof enough (`confirm_by_query = "never"`).
        "xorpaytrusting" => Capabilities {
            close: CloseKind::None,
            refund_idempotent: false,
            refund_query: false,
            refund_spacing: Duration::ZERO,
            query_amount: false,
            query_proof: QueryProof::Tls,
            answer_signature: AnswerSignature::None,
            ..WECHATPAY
        },
        // As its account is without further settings: nothing but a create that may not be repeated.
        "upaas" => Capabilities { create: CreateKind::Call, ..MUTE },
        // With everything that may be configured. Nothing is known of a repeat, and calls on one order keep their distance.
        "upaasfull" => Capabilities {
            create_idempotent: false,
            close: CloseKind::Call { min_age: Duration::ZERO, refuses_paid: false },
            refund_idempotent: false,
            refund_spacing: Duration::ZERO,
            confirm_above_minor: Some(0),
            call_spacing: Duration::from_secs(3),
            answer_signature: AnswerSignature::WhenPresent,
            ..WECHATPAY
        },
        // A signed payload for a mini program, and pushes.
        "maqian" => Capabilities { create_idempotent: true, landing: Duration::ZERO, ..MUTE },
        // The same with the SaaS account of its company: it knows an order once its payer has opened it. Parts are
        // refunded, each call once, since nothing is known of its repeat.
        "maqiansaas" => Capabilities {
            create: CreateKind::Local,
            close: CloseKind::Call { min_age: Duration::ZERO, refuses_paid: false },
            refund_idempotent: false,
            refund_query: false,
            refund_spacing: Duration::ZERO,
            confirm_above_minor: Some(0),
            ..WECHATPAY
        },
        // None of the five closes so early and refuses what is paid: the stories of early closes need it.
        "quick" => Capabilities {
            close: CloseKind::Call { min_age: Duration::ZERO, refuses_paid: true },
            ..WECHATPAY
        },
        _ => return None,
    })
}

/// What the capabilities of an order's kind do not say.
pub(crate) fn of(provider: &ProviderId) -> Capabilities {
    capabilities(provider.as_str()).expect("orders are of known kinds")
}

/// Whether it is XorPay.
pub(crate) fn is_xorpay(provider: &str) -> bool {
    provider.starts_with("xorpay")
}

/// Whether a payer can pay one order twice: what was signed here may be opened twice.
pub(crate) fn can_be_paid_twice(provider: &str) -> bool {
    capabilities(provider).is_some_and(|kind| kind.create == CreateKind::Local)
}

/// Whether a payment that no push tells of may stay unknown: nobody can be asked by a number that is known.
pub(crate) fn is_unqueryable(provider: &str) -> bool {
    capabilities(provider).is_some_and(|kind| kind.query != QueryKind::ByOutTradeNo)
}

/// The last moment at which an order created now can be paid, unless it is closed.
pub(crate) fn payable_until(provider: &str, expires: Timestamp, clock: &SimClock) -> Timestamp {
    let now = clock.now();
    match provider {
        "upaas" | "upaasfull" => now + PREPARED_LIFE,
        _ if can_be_paid_twice(provider) => now + SIGNED_LIFE,
        // Longer than the engine assumes, yet over when it asks for the last time.
        _ if is_xorpay(provider) => expires + GRACE * 9 / 5,
        _ => expires.max(now + Duration::from_secs(60)),
    }
}
