//! What the control API shows, as types that a Rust auditor can read back. Times are provider time in
//! milliseconds.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use crate::payjs::Pushing;
pub use crate::provider::Provider;
pub use crate::stats::{
    CallsView, NotificationCounts, Operation, OrderCounts, PayerCounts, PushKind, StatsView, UNKNOWN_ACCOUNT,
};
pub use crate::wechatpay::{
    CallCounts, NotPayable, Payment, Push, RefundCalls, RefundState, RefundTruth, RefundsTruth, TradeState,
};

pub use crate::xorpay::Status as XorpayStatus;

use crate::faults::FaultKind;
use crate::payers::PayerAct;
use crate::provider::OrderKey;
use crate::wechatpay::{self, Entry, Order};

/// What was ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Product {
    /// WeChat Pay, `/v3/pay/transactions/jsapi`.
    DirectJsapi,
    /// WeChat Pay, `/v3/pay/partner/transactions/jsapi`.
    PartnerJsapi,
    /// WeChat Pay, `/v3/pay/partner/transactions/scannedpos`.
    PartnerScannedpos,
    /// PayJS, `/api/cashier`.
    Cashier,
    /// XorPay, `/api/pay/{aid}` with `pay_type` jsapi.
    XorpayJsapi,
    /// 码钱, the cashier mini program.
    CashierMiniProgram,
    /// UPaaS, `/v2/pay/jsapi`, WeChat in a page of a public account.
    UpaasWeixinJsapi,
    /// UPaaS, `/v2/pay/jsapi`, WeChat in a mini program.
    UpaasWeixinMiniProgram,
    /// UPaaS, `/v2/pay/jsapi`, Alipay.
    UpaasAlipay,
    /// UPaaS, `/v2/pay/jsapi`, UnionPay QuickPass.
    UpaasUnionpay,
}

impl From<wechatpay::Product> for Product {
    fn from(product: wechatpay::Product) -> Self {
        match product {
            wechatpay::Product::DirectJsapi => Self::DirectJsapi,
            wechatpay::Product::PartnerJsapi => Self::PartnerJsapi,
            wechatpay::Product::PartnerScannedpos => Self::PartnerScannedpos,
        }
    }
}

/// The truth about one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderTruth {
    /// Whose order it is.
    pub provider: Provider,
    /// Account: mchid or sp_mchid; XorPay's aid, UPaaS's store_num, 码钱's merch_no.
    pub mchid: String,
    /// Sub-merchant of a partner's order.
    pub sub_mchid: Option<String>,
    /// The merchant's number.
    pub out_trade_no: String,
    /// What was ordered.
    pub product: Product,
    /// The provider's word.
    pub trade_state: TradeState,
    /// Amount of the order in fen.
    pub total: i64,
    /// When it came into being; at PayJS the first opening of the cashier.
    pub created_ms: i64,
    /// End of payment.
    pub expire_ms: i64,
    /// When the merchant closed it.
    pub closed_ms: Option<i64>,
    /// The payment.
    pub payment: Option<Payment>,
    /// Its refunds, with their sums; at PayJS those of both payments, if there are two.
    pub refunds: RefundsTruth,
    /// What its payer has decided, where payers act on their own.
    pub payer: Option<PayerAct>,
    /// Faults injected so far.
    pub faults: BTreeSet<FaultKind>,
    /// What PayJS alone has; absent for orders of other providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payjs: Option<PayjsTruth>,
    /// What XorPay alone has; absent for orders of other providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xorpay: Option<XorpayTruth>,
    /// What 码钱 alone has; absent for orders of other providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maqian: Option<MaqianTruth>,
}

/// What the truth about an order of XorPay has beyond the common form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct XorpayTruth {
    /// XorPay's number of the order.
    pub aoid: String,
    /// The word of its query.
    pub status: XorpayStatus,
    /// True pushes that were answered 200.
    pub pushes_delivered: u32,
    /// Verified refund calls, those included that were refused.
    pub refund_calls: u32,
}

/// What the truth about an order of 码钱 has beyond the common form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaqianTruth {
    /// 码钱's number of the order.
    pub trade_no: String,
    /// How often a payer's device got into the cashier.
    pub opened: u32,
    /// What the cashier shows the payer.
    pub goods_name: Option<String>,
    /// What has become of the pushes.
    pub pushing: Pushing,
    /// True pushes that were acknowledged.
    pub pushes_delivered: u32,
    /// Paid, but every push was lost or ended unacknowledged, and no call has told the merchant of it: without the server
    /// API it cannot know of the payment.
    pub undeterminable: bool,
    /// Verified refund calls, those included that were refused.
    pub refund_calls: u32,
}

/// What the truth about an order of PayJS has beyond the common form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayjsTruth {
    /// PayJS's number of the order; the merchant learns it by a push.
    pub payjs_order_id: String,
    /// How often a payer's browser was sent on to the cashier page.
    pub opened: u32,
    /// What has become of the pushes.
    pub pushing: Pushing,
    /// True pushes that were answered 200.
    pub pushes_delivered: u32,
    /// Paid, but every push was lost or ended unanswered, and no call has shown that the merchant knows the
    /// payjs_order_id: it cannot know of the payment.
    pub undeterminable: bool,
    /// Verified refund calls, those included that were refused.
    pub refund_calls: u32,
    /// The further order under the same number, if the payer pays twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<SecondTruth>,
}

/// The order that PayJS has for the second window of a payer who pays twice. Its refund stands among those of the number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondTruth {
    /// PayJS's number of this order.
    pub payjs_order_id: String,
    /// The second payment; absent while it is still to come.
    pub payment: Option<Payment>,
    /// What has become of its pushes.
    pub pushing: Pushing,
    /// True pushes of it that were answered 200.
    pub pushes_delivered: u32,
    /// As [`PayjsTruth::undeterminable`], of this payment.
    pub undeterminable: bool,
    /// Verified refund calls, those included that were refused.
    pub refund_calls: u32,
}

/// Everything known under one order number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderDetail {
    /// The order; absent if no create had an effect.
    pub order: Option<OrderTruth>,
    /// Verified calls.
    pub calls: CallCounts,
    /// Faults injected so far.
    pub faults: BTreeSet<FaultKind>,
    /// Prepay ids given out, oldest first; at UPaaS the launch parameter of the channel.
    pub prepay_ids: Vec<String>,
    /// Notifications pushed, oldest first, the last 64.
    pub pushes: Vec<Push>,
}

/// A page of the truth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrdersPage {
    /// Orders in the order of (mchid, out_trade_no); numbers whose create had no effect are left out.
    pub orders: Vec<OrderTruth>,
    /// `after` of the next page; absent on the last one.
    pub next: Option<String>,
}

/// Answer to a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// Account of the order.
    pub mchid: String,
    /// Number of the order.
    pub out_trade_no: String,
    /// The payment.
    pub payment: Payment,
}

/// The simulator's clock, for an engine that is to live in the same time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClockView {
    /// Provider time.
    pub now_ms: i64,
    /// Origin of the scaling, real time.
    pub origin_ms: i64,
    /// How many times faster than real time.
    pub factor: f64,
}

impl OrderTruth {
    pub(super) fn of(key: &OrderKey, order: &Order, faults: &BTreeSet<FaultKind>, now_ms: i64) -> Self {
        Self {
            provider: Provider::Wechatpay,
            mchid: key.mchid.clone(),
            sub_mchid: order.params.sub_mchid.clone(),
            out_trade_no: key.out_trade_no.clone(),
            product: order.params.product.into(),
            trade_state: order.state(now_ms),
            total: order.params.total,
            created_ms: order.created_ms,
            expire_ms: order.expire_ms,
            closed_ms: order.closed_ms,
            payment: order.payment_at(now_ms),
            refunds: order.refunds.truth(now_ms),
            payer: order.payer,
            faults: faults.clone(),
            payjs: None,
            xorpay: None,
            maqian: None,
        }
    }
}

impl OrderDetail {
    pub(super) fn of(key: &OrderKey, entry: &Entry, now_ms: i64) -> Self {
        let order = entry.order.as_ref();
        let prepays = order.into_iter().flat_map(|order| &order.prepays);
        Self {
            order: order.map(|order| OrderTruth::of(key, order, &entry.faults, now_ms)),
            calls: entry.calls,
            faults: entry.faults.clone(),
            prepay_ids: prepays.map(|prepay| prepay.id.clone()).collect(),
            pushes: entry.pushes.iter().cloned().collect(),
        }
    }
}
