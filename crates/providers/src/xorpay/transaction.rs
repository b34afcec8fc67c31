//! What XorPay's texts say: its number of an order, ours, sums in yuan, a payment.

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::name::{OutTradeNo, ProviderTradeNo};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::time::Timestamp;

use crate::beijing;

/// Characters of an aoid.
const AOID_CHARS: usize = 32;
/// What stands behind our number of an order. A price begins with a digit, so the two cannot be cut elsewhere.
const ORDER_ID_END: char = 'x';
/// Digits of a sum before the point.
const YUAN_DIGITS_MAX: usize = 14;
/// Characters of a time.
const TIME_CHARS: usize = 19;

/// XorPay's number of an order, in the form of every published sample: 32 characters of `0-9 a-z` [assumed]. That its
/// length is fixed says where it ends in a signed text.
pub(super) fn aoid(text: &str) -> Option<ProviderTradeNo> {
    let is_plain = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    let is_aoid = text.len() == AOID_CHARS && text.bytes().all(is_plain);
    text.parse().ok().filter(|_| is_aoid)
}

/// Our number as XorPay gets it.
pub(super) fn order_id(number: &OutTradeNo) -> String {
    format!("{number}{ORDER_ID_END}")
}

/// Our number of an `order_id` that we gave.
pub(super) fn out_trade_no(order_id: &str) -> Option<OutTradeNo> {
    order_id.strip_suffix(ORDER_ID_END)?.parse().ok()
}

/// A sum as XorPay takes it: yuan with two decimals.
pub(super) fn yuan(amount: Amount) -> String {
    let minor = amount.minor();
    format!("{}.{:02}", minor / 100, minor % 100)
}

/// Fen of a sum in its one canonical form: yuan without a leading zero, a point, two decimals.
pub(super) fn fen(text: &str) -> Option<i64> {
    let (yuan, rest) = text.split_once('.')?;
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_canonical = (1..=YUAN_DIGITS_MAX).contains(&yuan.len()) && (yuan == "0" || !yuan.starts_with('0'));
    if !is_canonical || rest.len() != 2 || !is_number(yuan) || !is_number(rest) {
        return None;
    }
    format!("{yuan}{rest}").parse().ok()
}

/// A time in its one canonical form, such as `2019-01-01 00:00:00`.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let is_digit_or_mark = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        10 => byte == b' ',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    };
    let is_canonical = text.len() == TIME_CHARS && text.bytes().enumerate().all(is_digit_or_mark);
    beijing::time(text).filter(|_| is_canonical)
}

/// A payment: what a notification states, or the order's own amount where a query says "paid" and no more. XorPay takes
/// CNY alone and names no currency; whatever else it tells of a payment is not proven.
pub(super) fn payment(
    trade_no: ProviderTradeNo,
    total_minor: i64,
    success_time: Option<Timestamp>,
    evidence: Evidence,
) -> Payment {
    Payment {
        trade_no,
        total_minor,
        payer_total_minor: None,
        currency: Some(Currency::Cny),
        success_time,
        fee_minor: None,
        bank_type: None,
        channel_trade_no: None,
        evidence,
    }
}
