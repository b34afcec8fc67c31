//! What the control API shows, as types that a Rust auditor can read back. Times are provider time in
//! milliseconds.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use crate::stats::{
    CallsView, NotificationCounts, Operation, OrderCounts, PayerCounts, PushKind, StatsView, UNKNOWN_ACCOUNT,
};
pub use crate::wechatpay::{
    CallCounts, Payment, Product, Push, RefundCalls, RefundState, RefundTruth, RefundsTruth, TradeState,
};

use crate::faults::FaultKind;
use crate::payers::PayerAct;
use crate::wechatpay::{Entry, Order, OrderKey};

/// The truth about one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderTruth {
    /// Account: mchid or sp_mchid.
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
    /// When it came into being.
    pub created_ms: i64,
    /// End of payment.
    pub expire_ms: i64,
    /// When the merchant closed it.
    pub closed_ms: Option<i64>,
    /// The payment.
    pub payment: Option<Payment>,
    /// Its refunds, with their sums.
    pub refunds: RefundsTruth,
    /// What its payer has decided, where payers act on their own.
    pub payer: Option<PayerAct>,
    /// Faults injected so far.
    pub faults: BTreeSet<FaultKind>,
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
    /// Prepay ids given out, oldest first.
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
            mchid: key.mchid.clone(),
            sub_mchid: order.params.sub_mchid.clone(),
            out_trade_no: key.out_trade_no.clone(),
            product: order.params.product,
            trade_state: order.state(now_ms),
            total: order.params.total,
            created_ms: order.created_ms,
            expire_ms: order.expire_ms,
            closed_ms: order.closed_ms,
            payment: order.payment_at(now_ms),
            refunds: order.refunds.truth(now_ms),
            payer: order.payer,
            faults: faults.clone(),
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
