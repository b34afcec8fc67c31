//! XorPay JSAPI (`jsapi`): an aggregator of WeChat Pay; the payer's page calls `WeixinJSBridge`. Facts and their
//! sources: `providers.md` section 2 (pages of xorpay.com as of April 2026, and its official demos).
//!
//! What is odd about it:
//! - Everything of ours is sealed with an MD5 over values that stand together without separators, in an order that is
//!   fixed for each call, and a secret that both sides know. Notifications are sealed likewise, over four of their
//!   fields; a text that can be cut in two ways proves nothing. So the number that XorPay sees is ours with an `x` behind
//!   it, and each field must have its one canonical form ([`notify`]).
//! - Answers are not signed at all: TLS alone says that they are XorPay's.
//! - A query says where the order stands and not how much was paid. What a notification told of is asked about before
//!   the goods are promised (`confirm_by_query`).
//! - There is no close. An order ends by `expire` here and there, and a grace.
//! - A refund has no number, cannot be repeated without refunding twice, and cannot be asked about. Only what XorPay
//!   says it has not done is tried again; anything else is a person's.
//! - `aoid`, XorPay's number of the order, comes with the create's answer and with the notification. It is the payment's
//!   trade number, and whoever has it can ask about the order: so it is no number for the payer's eyes.

mod answer;
mod check;
mod client;
mod config;
mod notify;
mod options;
mod request;
mod sign;
mod status;
mod transaction;
mod wire;
mod workbench;

use std::time::Duration;

use paymux_domain::capabilities::{
    AnswerSignature, Capabilities, CloseKind, CreateKind, QueryKind, QueryProof, RefundKind,
};

use crate::http::UNACKNOWLEDGED_MAX;
use crate::registry::Registration;

/// The provider's name.
const NAME: &str = "xorpay";
/// The one method.
const JSAPI: &str = "jsapi";
/// Characters of an out_trade_no, fewest and most: with the `x` behind it 32, since XorPay names no limit and the WeChat
/// order underneath has 32 [assumed].
const ORDER_NO_CHARS: (usize, usize) = (1, 31);

/// [assumed] Longest time from a request's arrival to its effect.
const ACTING_MAX: Duration = Duration::from_secs(5);
/// Longest physical time from a call's leave to its effect, 30 s: 15 s until it is given up, 10 s in which the system may
/// still be sending it, 5 s for XorPay to act.
const LANDING: Duration = Duration::from_millis(config::TIMEOUT_MS_MAX as u64)
    .saturating_add(UNACKNOWLEDGED_MAX)
    .saturating_add(ACTING_MAX);

/// The line in the list of providers.
pub(crate) const REGISTRATION: Registration = Registration {
    name: NAME,
    methods: &[JSAPI],
    capabilities,
    example: config::EXAMPLE,
    load: client::load,
};

/// What an account can do that leaves every setting at its default.
static CAPABILITIES: Capabilities = Capabilities {
    create: CreateKind::Call,
    // `order_exist` is said of other parameters under a number, so the same ones are safe [assumed] (section 2.4).
    create_idempotent: true,
    query: QueryKind::ByOutTradeNo,
    query_amount: false,
    query_proof: QueryProof::Tls,
    close: CloseKind::None,
    refund: RefundKind::Partial { refunds_max: 50 },
    refund_idempotent: false,
    refund_query: false,
    refund_spacing: Duration::ZERO,
    // [assumed] XorPay names no window; WeChat Pay, whose payments these are, has a year.
    refund_window: Duration::from_secs(365 * 24 * 3600),
    notification: true,
    refund_notification: false,
    confirm_above_minor: Some(0),
    order_no_chars: ORDER_NO_CHARS,
    call_spacing: Duration::ZERO,
    answer_signature: AnswerSignature::None,
    landing: LANDING,
    expiry_grace: config::EXPIRY_GRACE,
};

fn capabilities(method: &str) -> Option<&'static Capabilities> {
    (method == JSAPI).then_some(&CAPABILITIES)
}

#[cfg(test)]
mod tests;
