//! One order, four kinds of provider, and the reports and notifications that they can give.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::capabilities::{
    AnswerSignature, Capabilities, CloseKind, CreateKind, QueryKind, QueryProof, RefundKind,
};
use paymux_domain::command::{
    CreateCommand, Created, Fingerprint, Notification, OrderCommand, Payer, RefundCommand,
};
use paymux_domain::confirm::{ConfirmCommand, Confirmation, OperatorWord};
use paymux_domain::launch::{Launch, LaunchParams};
use paymux_domain::name::OrderKey;
use paymux_domain::outcome::{CallReport, Class, Word};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::refund::{RefundProgress, RefundRequest, RefundWord, out_refund_no};
use paymux_domain::time::Timestamp;

/// What the order costs, in fen.
pub(crate) const PRICE: i64 = 8888;
/// The end of paying, in seconds after the start.
pub(crate) const EXPIRY_SECS: i64 = 1800;
/// The payer's personal data, which no text may show.
pub(crate) const OPEN_ID: &str = "oUpF8uMuAJO-personal";
pub(crate) const CLIENT_IP: &str = "203.0.113.77";
pub(crate) const ATTACH: &str = "attach-of-the-payer";

/// A name of any kind.
pub(crate) fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a valid name")
}

/// So many seconds after the order was accepted.
pub(crate) fn at(secs: i64) -> Timestamp {
    at_ms(secs * 1000)
}

/// So many milliseconds after the order was accepted.
pub(crate) fn at_ms(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_750_000_000_000 + millis)
}

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) fn key() -> OrderKey {
    OrderKey { merchant_id: name("shop"), order_no: name("A1") }
}

pub(crate) fn created() -> Created {
    Created {
        key: key(),
        request_id: name("req-1"),
        provider: name("wechatpay"),
        account: name("main"),
        shard_group: name("shop"),
        method: "jsapi".to_owned(),
        out_trade_no: name("P-A1"),
        amount: Amount::new(PRICE, Currency::Cny).expect("a valid amount"),
        description: "tea".to_owned(),
        attach: Some(ATTACH.to_owned()),
        payer: Payer {
            open_id: Some(OPEN_ID.to_owned()),
            app_id: Some("wx1".to_owned()),
            client_ip: Some(CLIENT_IP.to_owned()),
        },
        expire_time: at(EXPIRY_SECS),
        created_time: at(0),
        notify_url: "https://pay.example/notify".to_owned(),
        return_url: None,
        metadata: BTreeMap::new(),
        options_json: String::new(),
        fingerprint: Fingerprint::of([("amount.minor", "8888"), ("description", "tea")]),
    }
}

pub(crate) fn create_command(created: Created) -> CreateCommand {
    CreateCommand { created: Arc::new(created), reply_to: None }
}

/// Another request under the same number: the amount differs.
pub(crate) fn conflicting() -> CreateCommand {
    let fingerprint = Fingerprint::of([("amount.minor", "9999"), ("description", "tea")]);
    create_command(Created { request_id: name("req-2"), fingerprint, ..created() })
}

pub(crate) fn order_command() -> OrderCommand {
    OrderCommand { key: key(), request_id: name("req-9"), caller: "cashier".to_owned(), reply_to: None }
}

pub(crate) fn notification(id: &str, received_time: Timestamp, words: Vec<Word>) -> Notification {
    let Created { key, provider, account, out_trade_no, .. } = created();
    Notification {
        key,
        provider,
        account,
        out_trade_no,
        notification_id: id.to_owned(),
        received_time,
        words,
    }
}

pub(crate) fn payment(trade_no: &str, total_minor: i64) -> Payment {
    Payment {
        trade_no: name(trade_no),
        total_minor,
        payer_total_minor: None,
        currency: Some(Currency::Cny),
        success_time: None,
        fee_minor: None,
        bank_type: None,
        channel_trade_no: None,
        evidence: Evidence::Stated,
    }
}

pub(crate) fn refund_request(no: &str, minor: i64) -> RefundRequest {
    RefundRequest {
        trade_no: name("T1"),
        out_refund_no: out_refund_no(&created().key, &name(no)).expect("a number"),
        amount: Amount::new(minor, Currency::Cny).expect("an amount"),
        reason: String::new(),
        options_json: String::new(),
        automatic: false,
        fingerprint: Fingerprint::default(),
    }
}

/// Somebody wants that much of the order's only payment back.
pub(crate) fn refund_command(no: &str, minor: i64) -> RefundCommand {
    RefundCommand {
        order: order_command(),
        refund_no: name(no),
        trade_no: None,
        amount: Amount::new(minor, Currency::Cny).expect("an amount"),
        reason: String::new(),
        options_json: String::new(),
        fingerprint: Fingerprint::of([("amount.minor", minor.to_string().as_str())]),
    }
}

/// The provider's word about that refund.
pub(crate) fn refund_word(no: &str, progress: RefundProgress) -> Word {
    Word::Refund(RefundWord {
        out_refund_no: out_refund_no(&created().key, &name(no)),
        progress,
        amount_minor: None,
        provider_refund_no: None,
        success_time: None,
        code: format!("{progress:?}"),
    })
}

/// A payment as a query without amount names it.
pub(crate) fn assumed(trade_no: &str) -> Payment {
    Payment { evidence: Evidence::Assumed, ..payment(trade_no, PRICE) }
}

pub(crate) fn paid(trade_no: &str) -> Word {
    Word::Paid(payment(trade_no, PRICE))
}

/// Launch parameters that work for two hours from the order's start.
pub(crate) fn launch() -> Launch {
    Launch {
        params: LaunchParams::RedirectUrl("https://pay.example/cashier".to_owned()),
        expire_time: Some(at(7200)),
        provider_order_no: None,
    }
}

pub(crate) fn launched() -> CallReport {
    CallReport::done(vec![Word::Launched(launch())])
}

pub(crate) fn report(class: Class) -> CallReport {
    CallReport::of(class, class.as_str())
}

pub(crate) fn told(word: Word) -> CallReport {
    CallReport::done(vec![word])
}

/// An answer of that class that hints at a payment: ask before anything else.
pub(crate) fn hint(class: Class) -> CallReport {
    CallReport { ask: true, ..CallReport::of(class, "ORDER_PAID") }
}

/// WeChat Pay: a create repeats harmlessly, a close 5 minutes later refuses paid orders.
pub(crate) fn wechat() -> Capabilities {
    Capabilities {
        create: CreateKind::Call,
        create_idempotent: true,
        query: QueryKind::ByOutTradeNo,
        query_amount: true,
        query_proof: QueryProof::Signed,
        close: CloseKind::Call { min_age: secs(300), refuses_paid: true },
        refund: RefundKind::Partial { refunds_max: 50 },
        refund_idempotent: true,
        refund_query: true,
        refund_spacing: secs(60),
        refund_window: secs(365 * 24 * 3600),
        notification: true,
        refund_notification: true,
        confirm_above_minor: None,
        order_no_chars: (6, 32),
        call_spacing: Duration::ZERO,
        answer_signature: AnswerSignature::Always,
        landing: secs(20),
        expiry_grace: secs(60),
    }
}

/// XorPay: no close, a query that names no amount, calls on one order a second apart.
pub(crate) fn xorpay() -> Capabilities {
    Capabilities {
        query_amount: false,
        query_proof: QueryProof::Tls,
        close: CloseKind::None,
        refund_query: false,
        refund_idempotent: false,
        refund_spacing: Duration::ZERO,
        call_spacing: secs(1),
        answer_signature: AnswerSignature::None,
        ..wechat()
    }
}

/// PayJS: the create is a signed URL, a query needs the number that only a payment brings, no close.
pub(crate) fn payjs() -> Capabilities {
    Capabilities {
        create: CreateKind::Local,
        query: QueryKind::ByProviderTradeNo,
        close: CloseKind::None,
        refund: RefundKind::Full,
        landing: Duration::ZERO,
        ..wechat()
    }
}

/// A provider that would close a paid order too, and whose create must not be repeated blindly.
pub(crate) fn closes_paid() -> Capabilities {
    Capabilities {
        create_idempotent: false,
        close: CloseKind::Call { min_age: Duration::ZERO, refuses_paid: false },
        ..wechat()
    }
}

/// 码钱 with its server API: the create is a signed payload, but the order can be asked about, closed and refunded by the
/// number that we gave it, once its payer has opened the cashier.
pub(crate) fn maqian() -> Capabilities {
    Capabilities {
        create: CreateKind::Local,
        close: CloseKind::Call { min_age: Duration::ZERO, refuses_paid: false },
        refund_idempotent: false,
        refund_query: false,
        refund_spacing: Duration::ZERO,
        ..wechat()
    }
}

pub(crate) fn all_providers() -> [(&'static str, Capabilities); 5] {
    [
        ("like WeChat Pay", wechat()),
        ("like XorPay", xorpay()),
        ("like PayJS", payjs()),
        ("closes paid orders", closes_paid()),
        ("like 码钱", maqian()),
    ]
}

/// A payment as a person states it.
pub(crate) fn confirmed_payment(trade_no: &str, minor: i64) -> Payment {
    Payment { evidence: Evidence::Operator, ..payment(trade_no, minor) }
}

pub(crate) fn operator_word(request_id: &str) -> OperatorWord {
    OperatorWord {
        caller: "ann".to_owned(),
        request_id: name(request_id),
        reason: "seen in the console".to_owned(),
    }
}

/// A person confirms something.
pub(crate) fn confirm_command(request_id: &str, outcome: Confirmation) -> ConfirmCommand {
    let OperatorWord { caller, request_id, reason } = operator_word(request_id);
    ConfirmCommand { order: OrderCommand { caller, request_id, ..order_command() }, reason, outcome }
}
