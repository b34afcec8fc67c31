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
//! - A refund number refunds once and must be used again on a repeat; being accepted is not being refunded, and a
//!   throttled refund may have been made.
//! - Two kinds of platform keys sign answers and notifications side by side, named by `Wechatpay-Serial`. Certificates
//!   are exchanged without a word: they are downloaded again and again, and when an unknown one is named.
//! - A stand-by host answers as the main one does.
//! - Probes with wrong signatures (`WECHATPAY/SIGNTEST/…`) arrive on purpose and must be refused.

mod answer;
mod certificates;
mod check;
mod client;
mod config;
mod notify;
mod options;
mod product;
mod refund;
mod refund_options;
mod request;
mod resolve;
mod sign;
mod status;
mod transaction;
mod upkeep;
mod wire;
mod workbench;

use std::time::Duration;

use paymux_domain::capabilities::{
    AnswerSignature, Capabilities, CloseKind, CreateKind, QueryKind, QueryProof, RefundKind,
};

use crate::gateway::STEP_TIMEOUT;
use crate::http::UNACKNOWLEDGED_MAX;
use crate::registry::Registration;

/// The provider's name.
const NAME: &str = "wechatpay";
/// Characters of an out_trade_no, fewest and most (`providers.md` section 4.2).
const ORDER_NO_CHARS: (usize, usize) = (6, 32);
/// Shortest time from the last create to a close: five minutes (section 4.8), and five seconds for the clocks.
const CLOSE_AGE_MIN: Duration = Duration::from_secs(5 * 60 + 5);

/// Longest physical time in which WeChat Pay acts upon a request that has reached it `[assumed]`.
const ACTING_MAX: Duration = Duration::from_secs(5);
/// Longest physical time from a call's leave to its effect, 32.5 s: 2.5 s to build and sign the request, 15 s until it is
/// given up, 10 s in which the system may still be sending it, 5 s for WeChat Pay to act.
const LANDING: Duration = STEP_TIMEOUT
    .saturating_add(Duration::from_millis(config::TIMEOUT_MS_MAX as u64))
    .saturating_add(UNACKNOWLEDGED_MAX)
    .saturating_add(ACTING_MAX);

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
    notification: true,
    refund_notification: true,
    confirm_above_minor: None,
    order_no_chars: ORDER_NO_CHARS,
    call_spacing: Duration::ZERO,
    answer_signature: AnswerSignature::Always,
    landing: LANDING,
    // [assumed] `time_expire` ends paying; what was begun before it is over by then.
    expiry_grace: Duration::from_secs(5 * 60),
};

fn capabilities(method: &str) -> Option<&'static Capabilities> {
    product::Product::of(method).map(|_| &CAPABILITIES)
}

#[cfg(test)]
mod tests;
