//! PayJS cashier (`cashier`): the payer's browser is sent to a signed URL. Facts and their sources: `providers.md`
//! section 1 (pages of payjs.cn as of 2024, and its official SDKs).
//!
//! What is odd about it:
//! - To create an order nothing is sent: the URL is a pure function of the order. PayJS learns of the order when the
//!   payer's browser opens it, and whatever is wrong with it is shown to the payer alone. So [`check`] is strict.
//! - PayJS's own number of the order, `payjs_order_id`, is known only once a notification has brought it. Until then
//!   the order can be neither asked about nor closed; it ends by its expiry here and a grace. `payjs_order_id` is the
//!   payment's trade number.
//! - Everything is sealed with an MD5 over text and a key that both sides know. A text can be cut into fields in more
//!   than one way, so what is received must be unambiguous ([`sign`]); and since the digest proves less than a
//!   signature would, a payment is asked about before the goods are promised (`confirm_by_query`).
//! - A refund has no number and no amount: it gives back the whole payment, and its repeat says that it was done.
//! - Any answer but 200 to a notification ends its pushing for ever; only a connection that is cut is tried again.
//! - There are no codes, only `return_code` 1 or 0 with a text ([`status`]).

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
const NAME: &str = "payjs";
/// The one method.
const CASHIER: &str = "cashier";
/// Characters of an out_trade_no, fewest and most (`providers.md` section 1.2).
const ORDER_NO_CHARS: (usize, usize) = (1, 32);

/// [assumed] Longest time from a request's arrival to its effect.
const ACTING_MAX: Duration = Duration::from_secs(5);
/// Longest physical time from a call's leave to its effect, 30 s: 15 s until it is given up, 10 s in which the system may
/// still be sending it, 5 s for PayJS to act.
const LANDING: Duration = Duration::from_millis(config::TIMEOUT_MS_MAX as u64)
    .saturating_add(UNACKNOWLEDGED_MAX)
    .saturating_add(ACTING_MAX);

/// The line in the list of providers.
pub(crate) const REGISTRATION: Registration = Registration {
    name: NAME,
    methods: &[CASHIER],
    capabilities,
    example: config::EXAMPLE,
    load: client::load,
};

/// What an account can do that leaves every setting at its default.
static CAPABILITIES: Capabilities = Capabilities {
    create: CreateKind::Local,
    create_idempotent: true,
    query: QueryKind::ByProviderTradeNo,
    query_amount: true,
    query_proof: QueryProof::Signed,
    // An unpaid order's payjs_order_id is never known here, so there is no order that the engine could close. Asked
    // for all the same, with a known one, the close of section 1.6 is built.
    close: CloseKind::None,
    refund: RefundKind::Full,
    refund_idempotent: true,
    refund_query: false,
    refund_spacing: Duration::ZERO,
    // [assumed] PayJS names no window; WeChat Pay, whose payments these are, has a year.
    refund_window: Duration::from_secs(365 * 24 * 3600),
    notification: true,
    refund_notification: false,
    confirm_above_minor: Some(0),
    order_no_chars: ORDER_NO_CHARS,
    // [assumed] PayJS blocks addresses that ask at high frequency and names no number (section 1.5).
    call_spacing: Duration::from_secs(1),
    answer_signature: AnswerSignature::Always,
    landing: LANDING,
    expiry_grace: config::EXPIRY_GRACE,
};

fn capabilities(method: &str) -> Option<&'static Capabilities> {
    (method == CASHIER).then_some(&CAPABILITIES)
}

#[cfg(test)]
mod tests;
