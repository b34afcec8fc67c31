//! What the providers' sides have in common: their names, and the identity of an order.

use serde::{Deserialize, Serialize};

/// A simulated provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// WeChat Pay APIv3.
    Wechatpay,
    /// PayJS cashier.
    Payjs,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Wechatpay, Self::Payjs];
}

/// An order's identity: numbers are unique per account, and account numbers within a simulator, whatever the
/// provider.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OrderKey {
    pub(crate) mchid: String,
    pub(crate) out_trade_no: String,
}

impl OrderKey {
    pub(crate) fn new(mchid: &str, out_trade_no: &str) -> Self {
        Self { mchid: mchid.to_owned(), out_trade_no: out_trade_no.to_owned() }
    }
}
