//! XorPay's pushes and the door that reads them: one digest over values without a mark between them, and strangers who
//! move the boundaries of what they have seen.

use std::hash::Hasher as _;

use paymux_domain::amount::Currency;
use paymux_domain::command::Created;
use paymux_domain::name::ProviderTradeNo;
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::time::Timestamp;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::truth::RealPayment;

/// What only the account and its provider know.
const SECRET: &[u8] = b"secret of the account";
/// What stands behind our number, so that it has an end.
const NUMBER_END: char = 'x';
/// Characters of every number that this provider gives.
const AOID_CHARS: usize = 16;

/// A push on its way.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    aoid: String,
    order_id: String,
    pay_price: String,
    pay_time: String,
    digest: u64,
}

impl Push {
    /// As the provider sends it.
    pub(crate) fn of(created: &Created, payment: &RealPayment) -> Self {
        let minor = payment.stated_minor;
        let aoid = payment.trade_no.to_string();
        let order_id = format!("{}{NUMBER_END}", created.out_trade_no);
        let pay_price = format!("{}.{:02}", minor / 100, minor % 100);
        let mut push = Self { aoid, order_id, pay_price, pay_time: text_of(payment.time), digest: 0 };
        push.digest = push.digest_of_values();
        push
    }

    fn digest_of_values(&self) -> u64 {
        let mut digest = std::hash::DefaultHasher::new();
        let values = [&self.aoid, &self.order_id, &self.pay_price, &self.pay_time];
        digest.write(values.map(String::as_str).concat().as_bytes());
        digest.write(SECRET);
        digest.finish()
    }

    /// What a stranger makes of it on its way: other values under the old digest, or the same text cut elsewhere, whose
    /// digest holds.
    pub(crate) fn tampered_with(self, rng: &mut ChaCha8Rng) -> Self {
        let price = self.pay_price.clone();
        let cut = rng.random_range(1..price.len());
        match rng.random_range(0..4) {
            0 => Self { pay_price: format!("{price}0"), ..self },
            // Less was paid.
            1 => Self {
                pay_price: price[..cut].to_owned(),
                pay_time: format!("{}{}", &price[cut..], self.pay_time),
                ..self
            },
            // More digits were paid.
            2 => Self {
                pay_price: format!("{price}{}", &self.pay_time[..1]),
                pay_time: self.pay_time[1..].to_owned(),
                ..self
            },
            // Another order was paid.
            _ => {
                let whole = price.find('.').expect("a price has a point");
                let cut = rng.random_range(1..=whole);
                Self {
                    order_id: format!("{}{}", self.order_id, &price[..cut]),
                    pay_price: price[cut..].to_owned(),
                    ..self
                }
            }
        }
    }

    /// The order number and the payment that it proves; `None` where it proves nothing. Where the form of the values is
    /// not checked, whatever can be read as a price is one.
    pub(crate) fn read(&self, form_is_checked: bool, at: Timestamp) -> Option<(String, Payment)> {
        if self.digest != self.digest_of_values() || (form_is_checked && !self.is_canonical()) {
            return None;
        }
        let trade_no: ProviderTradeNo = self.aoid.parse().ok()?;
        let payment = Payment {
            trade_no,
            total_minor: minor_of(&self.pay_price)?,
            payer_total_minor: None,
            currency: Some(Currency::Cny),
            success_time: Some(at),
            fee_minor: None,
            bank_type: None,
            channel_trade_no: None,
            evidence: Evidence::Stated,
        };
        let order_no = self.order_id.strip_suffix(NUMBER_END).unwrap_or(&self.order_id);
        Some((order_no.to_owned(), payment))
    }

    /// Whether each value has the only form that it is ever sent in, so that no boundary can be elsewhere.
    fn is_canonical(&self) -> bool {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let price = self.pay_price.split_once('.').is_some_and(|(yuan, fen)| {
            digits(yuan) && digits(fen) && fen.len() == 2 && (yuan == "0" || !yuan.starts_with('0'))
        });
        let shape: String =
            self.pay_time.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
        let number = self.order_id.ends_with(NUMBER_END);
        price
            && number
            && shape == "0000-00-00 00:00:00"
            && self.aoid.len() == AOID_CHARS
            && digits(&self.aoid)
    }
}

/// A price as a careless reader takes it: no yuan are none, missing digits are noughts, further ones are left out.
fn minor_of(price: &str) -> Option<i64> {
    let (yuan, fen) = price.split_once('.').unwrap_or((price, ""));
    let yuan: i64 = if yuan.is_empty() { 0 } else { yuan.parse().ok()? };
    let fen: String = fen.chars().chain("00".chars()).take(2).collect();
    yuan.checked_mul(100)?.checked_add(fen.parse().ok()?)
}

/// The provider's text of a time within the days of a simulation.
fn text_of(time: Timestamp) -> String {
    let seconds = (time.as_millis() / 1000).rem_euclid(28 * 24 * 3600);
    let (day, of_day) = (seconds / (24 * 3600) + 1, seconds % (24 * 3600));
    format!("2026-01-{day:02} {:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)
}
