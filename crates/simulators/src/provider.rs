//! What the providers' sides have in common: their names, and the identity of an order.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A simulated provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// WeChat Pay APIv3.
    Wechatpay,
    /// PayJS cashier.
    Payjs,
    /// XorPay JSAPI.
    Xorpay,
    /// UnionPay UPaaS.
    Upaas,
    /// 码钱 cashier.
    Maqian,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Wechatpay, Self::Payjs, Self::Xorpay, Self::Upaas, Self::Maqian];
}

/// An order's identity: numbers are unique per account, and account numbers within a simulator, whatever the
/// provider.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OrderKey {
    pub(crate) mchid: String,
    pub(crate) out_trade_no: String,
    /// Whether it is the further order that PayJS has under a number whose payer pays twice.
    pub(crate) is_second: bool,
}

impl OrderKey {
    pub(crate) fn new(mchid: &str, out_trade_no: &str) -> Self {
        Self { mchid: mchid.to_owned(), out_trade_no: out_trade_no.to_owned(), is_second: false }
    }

    /// The further order under the same number.
    pub(crate) fn second(&self) -> Self {
        Self { is_second: true, ..self.clone() }
    }

    /// The name under which chance is asked for it: a further order meets faults of its own.
    pub(crate) fn draw_name(&self) -> Cow<'_, str> {
        if self.is_second {
            Cow::Owned(format!("{} second", self.out_trade_no))
        } else {
            Cow::Borrowed(&self.out_trade_no)
        }
    }
}
