//! UnionPay UPaaS (cqopen, mayihaike), `/v2/pay/jsapi`: WeChat JSAPI (`weixin_jsapi`) and mini program
//! (`weixin_mini_program`), Alipay pre-order (`alipay`), UnionPay QuickPass (`unionpay`). Facts and their sources:
//! `providers.md` section 3.
//!
//! What is odd about it:
//! - One page is public, the create's. That orders can be asked about and that payments are notified is only named
//!   there; close, refund, the rule of the signatures and all codes but one are not. So all of that is named by the
//!   account ([`config`], [`unpublished`]) and is off until it is: an account's capabilities follow from what it names.
//!   Of an account that names nothing, orders end by their expiry here and a grace, or by a person's word.
//! - The page talks of verifying requests and has no field for a signature; answers have one (`sign`) that no table
//!   names, and its samples show the same signature over different content. It is verified only where the account says
//!   how (`response_sign`). Until then a create's answer gives launch parameters and ends nothing.
//! - A signature stands among the data of an answer and covers nothing else: never the code, which says how it went.
//! - The order has two numbers: `merchant_order_no`, ours, and `order_number`, theirs, which the create's answer names.
//!   Both are kept, and a payment goes by theirs.
//! - Amounts are yuan with two decimals, as text.
//! - No field takes a description, an `attach`, an expiry or a page to return to: they stay here.
//! - What the same create again does is not said, so none is repeated unless the account says that it is harmless.

mod answer;
mod check;
mod client;
mod codes;
mod config;
mod notify;
mod options;
mod product;
mod refund;
mod request;
mod resolve;
mod sign;
mod status;
mod transaction;
mod unpublished;
mod wire;
mod workbench;

use std::time::Duration;

use paymux_domain::capabilities::{
    AnswerSignature, Capabilities, CloseKind, CreateKind, QueryKind, QueryProof, RefundKind,
};

use crate::http::UNACKNOWLEDGED_MAX;
use crate::registry::Registration;

/// The provider's name.
const NAME: &str = "upaas";
/// Its methods.
const METHODS: &[&str] = &["weixin_jsapi", "weixin_mini_program", "alipay", "unionpay"];
/// Characters of an out_trade_no, fewest and most: UPaaS takes 64 (`providers.md` section 3.2), an out_trade_no has 32.
const ORDER_NO_CHARS: (usize, usize) = (1, 32);

/// [assumed] Longest time from a request's arrival to its effect.
const ACTING_MAX: Duration = Duration::from_secs(5);
/// Longest physical time from a call's leave to its effect, 30 s: 15 s until it is given up, 10 s in which the system may
/// still be sending it, 5 s for UPaaS to act.
const LANDING: Duration = Duration::from_millis(config::TIMEOUT_MS_MAX as u64)
    .saturating_add(UNACKNOWLEDGED_MAX)
    .saturating_add(ACTING_MAX);

/// The line in the list of providers.
pub(crate) const REGISTRATION: Registration =
    Registration { name: NAME, methods: METHODS, capabilities, example: config::EXAMPLE, load: client::load };

/// What an account can do that names nothing beyond the public page.
static CAPABILITIES: Capabilities = Capabilities {
    create: CreateKind::Call,
    // [assumed] The page says that numbers are unique and not what a repeat does (`repeated_create`).
    create_idempotent: false,
    query: QueryKind::None,
    query_amount: false,
    query_proof: QueryProof::Tls,
    close: CloseKind::None,
    refund: RefundKind::None,
    refund_idempotent: false,
    refund_query: false,
    refund_spacing: Duration::ZERO,
    refund_window: Duration::ZERO,
    notification: false,
    refund_notification: false,
    confirm_above_minor: None,
    order_no_chars: ORDER_NO_CHARS,
    call_spacing: Duration::ZERO,
    answer_signature: AnswerSignature::None,
    landing: LANDING,
    expiry_grace: config::EXPIRY_GRACE,
};

fn capabilities(method: &str) -> Option<&'static Capabilities> {
    METHODS.contains(&method).then_some(&CAPABILITIES)
}

#[cfg(test)]
mod tests;
