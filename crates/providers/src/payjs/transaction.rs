//! A payment as PayJS states it, in a check's answer or a notification.

use paymux_domain::amount::Currency;
use paymux_domain::payment::{Evidence, Payment};

use super::wire::Fields;
use crate::{beijing, text};

/// Digits of an amount in fen (`total_fee` is an int(16)).
const FEE_DIGITS_MAX: usize = 16;

/// The payment with its numbers as stated, right or wrong; the error names the field that cannot be read. PayJS takes
/// CNY alone and names no currency. `time` is the field of the time at which it was paid; without a readable one the
/// payment counts all the same.
pub(super) fn payment(fields: &Fields, time: &str) -> Result<Payment, &'static str> {
    Ok(Payment {
        trade_no: fields.get("payjs_order_id").and_then(|id| id.parse().ok()).ok_or("payjs_order_id")?,
        total_minor: fields.get("total_fee").and_then(fen).ok_or("total_fee")?,
        payer_total_minor: None,
        currency: Some(Currency::Cny),
        success_time: fields.get(time).and_then(beijing::time),
        fee_minor: None,
        bank_type: None,
        channel_trade_no: fields.get("transaction_id").and_then(text::channel_no),
        evidence: Evidence::Stated,
    })
}

fn fen(text: &str) -> Option<i64> {
    let is_plain = (1..=FEE_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}
