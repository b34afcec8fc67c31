//! One payment of one order, keyed by the provider's trade number.

use crate::amount::Currency;
use crate::name::ProviderTradeNo;
use crate::time::Timestamp;

/// How well a payment's numbers are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// The provider named trade number and amount.
    Stated,
    /// The provider said "paid" and no more; the order's own amount is taken (XorPay's query).
    Assumed,
    /// A person set it, from the provider's console or its export.
    Operator,
}

/// Verified proof that money was taken. Numbers are as the provider stated them, even where they are wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Payment {
    /// The provider's number of this payment.
    pub trade_no: ProviderTradeNo,
    /// Order total in minor units, as stated.
    pub total_minor: i64,
    /// What the payer paid after the provider's own discounts, where stated.
    pub payer_total_minor: Option<i64>,
    /// Currency as stated; `None` when the provider named one that is unknown here.
    pub currency: Option<Currency>,
    /// When the provider says that the payment succeeded.
    pub success_time: Option<Timestamp>,
    /// The provider's fee in minor units, where stated.
    pub fee_minor: Option<i64>,
    /// The payer's bank as the provider codes it, where stated.
    pub bank_type: Option<String>,
    /// The number of the payment at the channel behind the provider (WeChat Pay's behind PayJS), where stated.
    pub channel_trade_no: Option<String>,
    /// How well the numbers are known.
    pub evidence: Evidence,
}

impl Payment {
    /// Whether two words about a payment name the same money.
    #[must_use]
    pub fn same_money(&self, other: &Self) -> bool {
        self.total_minor == other.total_minor && self.currency == other.currency
    }
}
