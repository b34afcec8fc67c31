//! What accounts have in common where a key that both sides know takes the place of signatures: the key's text, and
//! whether payments are asked about that only a notification told of.

use paymux_domain::fact::FactKey;
use paymux_domain::fold::Order;
use paymux_domain::name::ProviderTradeNo;
use secrecy::{ExposeSecret as _, SecretString};

use crate::settings::Reader;

/// Bytes of a key; providers' own have 16 to 32.
const KEY_BYTES_MAX: usize = 256;

/// A key as text. A file often ends in a line break, which is no part of it.
pub(crate) fn text(secret: &SecretString) -> Result<SecretString, String> {
    let text = secret.expose_secret().trim_end_matches(['\r', '\n']);
    if (1..=KEY_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control) {
        Ok(SecretString::from(text))
    } else {
        Err(format!("must be 1 to {KEY_BYTES_MAX} bytes of one line"))
    }
}

/// `Capabilities::confirm_above_minor`; the outer `None`: a fault was noted.
pub(crate) fn confirm_above_minor(reader: &Reader<'_>) -> Option<Option<i64>> {
    let is_word = |text: &str| matches!(text, "always" | "never" | "above");
    let word = if reader.has("confirm_by_query") {
        reader.optional("confirm_by_query", "always, never or above", is_word)
    } else {
        Some("always".to_owned())
    };
    let above = reader.has("confirm_above_amount_minor");
    let minor = reader.number("confirm_above_amount_minor", 1..=u32::MAX, 1);
    match word?.as_str() {
        "above" if above => Some(Some(i64::from(minor))),
        "above" => {
            reader.fault("confirm_above_amount_minor", "is missing; confirm_by_query is \"above\"");
            None
        }
        _ if above => {
            reader.fault("confirm_above_amount_minor", "stands without confirm_by_query = \"above\"");
            None
        }
        "never" => Some(None),
        _ => Some(Some(0)),
    }
}

/// Of several payments the first is asked about that no answer has confirmed yet, so that one query after the other
/// reaches each; `None` while no payment is known.
pub(crate) fn asked_payment(order: &Order) -> Option<&ProviderTradeNo> {
    let payments = || order.payments().map(|payment| &payment.trade_no);
    let is_unconfirmed = |no: &&ProviderTradeNo| !order.has(&FactKey::PaidConfirmed((*no).clone()));
    payments().find(is_unconfirmed).or_else(|| payments().next())
}
