//! WeChat Pay APIv3: JSAPI of direct merchants (`jsapi`), JSAPI and amount-typed scan pay of partners
//! (`partner_jsapi`, `scannedpos`). Facts and their sources: `providers.md` section 4.
//!
//! What is odd about it:
//! - scannedpos exists for partners only; a direct merchant orders plain JSAPI.
//! - Every request costs an RSA signature, and launch parameters one more.
//! - The same create again, to the byte, gives the same order and fresh launch parameters; other parameters under
//!   the number are refused. So `time_expire` is sent unchanged on every repeat.
//! - An order may be closed five minutes after its creation at the earliest, and a paid one never: a successful
//!   close proves that nobody paid.
//! - Two kinds of platform keys sign answers and notifications side by side, named by `Wechatpay-Serial`.
//! - Probes with wrong signatures (`WECHATPAY/SIGNTEST/…`) arrive on purpose and must be refused.

mod answer;
mod check;
mod client;
mod config;
mod notify;
mod options;
mod product;
mod request;
mod sign;
mod status;
mod transaction;
mod wire;

use std::time::Duration;

use paymux_domain::capabilities::{
    AnswerSignature, Capabilities, CloseKind, CreateKind, QueryKind, QueryProof, RefundKind,
};

use crate::registry::Registration;

/// The provider's name.
const NAME: &str = "wechatpay";
/// Characters of an out_trade_no, fewest and most (`providers.md` section 4.2).
const ORDER_NO_CHARS: (usize, usize) = (6, 32);
/// Shortest time from the last create to a close: five minutes (section 4.8), and five seconds for the clocks.
const CLOSE_AGE_MIN: Duration = Duration::from_secs(5 * 60 + 5);

/// The line in the list of providers.
pub(crate) const REGISTRATION: Registration = Registration {
    name: NAME,
    methods: &["jsapi", "partner_jsapi", "scannedpos"],
    capabilities,
    example: config::EXAMPLE,
    load: client::load,
};

/// The same for all three products.
static CAPABILITIES: Capabilities = Capabilities {
    create: CreateKind::Call,
    create_idempotent: true,
    query: QueryKind::ByOutTradeNo,
    query_amount: true,
    query_proof: QueryProof::Signed,
    close: CloseKind::Call { min_age: CLOSE_AGE_MIN, refuses_paid: true },
    // At most 50, by the same number once, within a year (section 4.9).
    refund: RefundKind::Partial { refunds_max: 50 },
    refund_idempotent: true,
    refund_query: true,
    // A minute apart, and a second for clocks that differ.
    refund_spacing: Duration::from_secs(61),
    refund_window: Duration::from_secs(365 * 24 * 3600),
    confirm_above_minor: None,
    order_no_chars: ORDER_NO_CHARS,
    call_spacing: Duration::ZERO,
    answer_signature: AnswerSignature::Always,
    // [assumed] Nothing still lands after the longest time-out that can be configured. The wait for the request's own
    // signature, at most 2 s, is within it.
    landing: Duration::from_secs(30),
    // [assumed] `time_expire` ends paying; what was begun before it is over by then.
    expiry_grace: Duration::from_secs(5 * 60),
};

fn capabilities(method: &str) -> Option<&'static Capabilities> {
    product::Product::of(method).map(|_| &CAPABILITIES)
}

#[cfg(test)]
mod tests;
