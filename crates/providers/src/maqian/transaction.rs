//! A payment as 码钱 states it, in a query's answer or a notification.

use paymux_domain::amount::Currency;
use paymux_domain::payment::{Evidence, Payment};

use super::wire::Fields;
use crate::{beijing, text};

/// The payment with its numbers as stated, right or wrong; the error names the field that cannot be read. 码钱 takes CNY
/// alone and names no currency. Without a readable time, fee or amount of the payer the payment counts all the same: no
/// document says how they are written.
///
/// Older messages have `total_amount` alone. Newer ones have `order_amount` too, and clients compare that with their order
/// (`providers.md` section 5.6): so it is the order's amount, and `total_amount` beside it what the payer paid `[assumed]`.
pub(super) fn payment(fields: &Fields) -> Result<Payment, &'static str> {
    let read = |name: &'static str| {
        let amount = fields.get(name).map(|yuan| text::minor_of_yuan(yuan).ok_or(name));
        amount.transpose()
    };
    let order = read("order_amount")?;
    let total = read("total_amount");
    let total = if order.is_some() { total.ok().flatten() } else { total? };
    let time = fields.get("end_time").or_else(|| fields.get("trade_end_time"));
    // The older messages' name and the newer ones' for the same number [assumed].
    let channel = fields.get("channel_trade_no").or_else(|| fields.get("bank_trade_no"));
    Ok(Payment {
        trade_no: fields.get("trade_no").and_then(|number| number.parse().ok()).ok_or("trade_no")?,
        total_minor: order.or(total).ok_or("total_amount")?,
        payer_total_minor: order.and(total),
        currency: Some(Currency::Cny),
        success_time: time.and_then(beijing::time),
        fee_minor: read("fee").ok().flatten(),
        bank_type: None,
        channel_trade_no: channel.and_then(text::channel_no),
        evidence: Evidence::Stated,
    })
}
