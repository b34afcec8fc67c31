//! 码钱 (HKRT 海科融通), a cashier that is an Alipay mini program, opened by another mini program (`mini_program`) or by an
//! app (`app`). Facts and their sources: `providers.md` section 5 (the raw page, its newer revision, and clients of the
//! same company's server API).
//!
//! What is odd about it:
//! - To create an order nothing is sent: the launch payload is signed with the merchant's RSA key and handed to the payer's
//!   device. 码钱 learns of the order when the payer opens its cashier, and shows whatever is wrong with it to the payer
//!   alone. So [`check`] is strict.
//! - What can be done afterwards depends on what the account has. With credentials of the server API ("SaaS") an order can
//!   be asked about, closed and refunded, by the number that we gave it. Without them it can be neither asked nor told, as
//!   at PayJS: it ends by its expiry here and a grace.
//! - That a cashier's order can be asked about through the server API is `[assumed]`: both know merch_no, pn and
//!   out_trade_no, and the page tells to "query the order" without naming another way.
//! - There are two rules of signature, and they share nothing ([`sign`]): RSA over sorted fields for the launch, MD5 over
//!   flattened fields and a shared key for the server API.
//! - How notifications are proven is not published for merchants who sign with RSA. The account says it: by RSA, by MD5, or
//!   not at all. One that is not proven is a hint: 码钱 is asked, and nothing else follows from it.
//! - There is no table of codes, only 10000 and texts ([`status`]).

mod answer;
mod check;
mod client;
mod config;
mod launch;
mod notify;
mod options;
mod request;
mod resolve;
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
const NAME: &str = "maqian";
/// Opened by another mini program of Alipay.
const MINI_PROGRAM: &str = "mini_program";
/// Opened by an app, through a URI of Alipay.
const APP: &str = "app";
/// The methods, the default first.
const METHODS: &[&str] = &[MINI_PROGRAM, APP];
/// Characters of an out_trade_no, fewest and most (`providers.md` section 5.8).
const ORDER_NO_CHARS: (usize, usize) = (1, 32);
/// [assumed] Refunds of one order; nothing is published, and other providers of the field have as many.
const REFUNDS_MAX: u32 = 50;

/// [assumed] Longest time from a request's arrival to its effect.
const ACTING_MAX: Duration = Duration::from_secs(5);
/// Longest physical time from a call's leave to its effect, 30 s: 15 s until it is given up, 10 s in which the system may
/// still be sending it, 5 s for 码钱 to act.
const LANDING: Duration = Duration::from_millis(config::TIMEOUT_MS_MAX as u64)
    .saturating_add(UNACKNOWLEDGED_MAX)
    .saturating_add(ACTING_MAX);

/// The line in the list of providers.
pub(crate) const REGISTRATION: Registration =
    Registration { name: NAME, methods: METHODS, capabilities, example: config::EXAMPLE, load: client::load };

/// What an account can do that has no credentials of the server API: nothing but launch, and hear of a payment.
static WITHOUT_SAAS: Capabilities = Capabilities {
    create: CreateKind::Local,
    create_idempotent: true,
    query: QueryKind::None,
    query_amount: true,
    query_proof: QueryProof::Signed,
    close: CloseKind::None,
    refund: RefundKind::None,
    refund_idempotent: false,
    refund_query: false,
    refund_spacing: Duration::ZERO,
    // [assumed] No window is published; the longest of the field, so that 码钱 itself is the one to refuse.
    refund_window: Duration::from_secs(365 * 24 * 3600),
    notification: true,
    refund_notification: false,
    confirm_above_minor: None,
    order_no_chars: ORDER_NO_CHARS,
    // [assumed] No limit is published (section 5.7).
    call_spacing: Duration::ZERO,
    answer_signature: AnswerSignature::Always,
    landing: LANDING,
    expiry_grace: config::EXPIRY_GRACE,
};

/// What the credentials of the server API add, while every setting is at its default.
static WITH_SAAS: Capabilities = Capabilities {
    query: QueryKind::ByOutTradeNo,
    // [assumed] No interval is published (section 5.7), nor whether a paid order is refused: so it is asked about first.
    close: CloseKind::Call { min_age: Duration::ZERO, refuses_paid: false },
    refund: RefundKind::Partial { refunds_max: REFUNDS_MAX },
    expiry_grace: config::EXPIRY_GRACE_SAAS,
    ..WITHOUT_SAAS
};

fn capabilities(method: &str) -> Option<&'static Capabilities> {
    METHODS.contains(&method).then_some(&WITHOUT_SAAS)
}

#[cfg(test)]
mod tests;
