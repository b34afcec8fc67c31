//! What the control API sees and steers of XorPay.

use std::sync::Arc;

use super::Xorpay;
use super::order::{Entry, Order, Refund, Status};
use crate::control::sides::{Refused, Side};
use crate::control::view::{
    CallCounts, OrderDetail, OrderTruth, Payment, Product, RefundCalls, RefundState, RefundTruth,
    RefundsTruth, TradeState, XorpayTruth,
};
use crate::faults::Stage;
use crate::provider::{OrderKey, Provider};

impl Side for Xorpay {
    fn knows(&self, mchid: &str) -> bool {
        self.merchant(mchid).is_some()
    }

    fn pay(self: Arc<Self>, key: &OrderKey, payer_total: Option<i64>) -> Result<Payment, Refused> {
        if payer_total.is_some() {
            return Err(Refused::bad("payer_total is WeChat Pay's: XorPay reports no discounts"));
        }
        Xorpay::pay(&self, key, None).map_err(Refused::conflict)
    }

    fn expire(&self, key: &OrderKey) -> Result<(), Refused> {
        Xorpay::expire(self, key).map_err(Refused::conflict)
    }

    fn refund_by_hand(&self, key: &OrderKey) -> Result<Payment, Refused> {
        Xorpay::refund_by_hand(self, key).map_err(Refused::conflict)
    }

    fn detail(&self, key: &OrderKey) -> Option<OrderDetail> {
        let now_ms = self.world.clock.now_ms();
        let book = self.book.lock();
        let entry = book.entry(key)?;
        Some(OrderDetail {
            order: truth(key, entry, now_ms),
            calls: CallCounts {
                create: entry.calls.create,
                query: entry.calls.query,
                query_after_payment: entry.calls.query_after_payment,
                close: 0,
                close_done: 0,
            },
            faults: entry.faults.clone(),
            prepay_ids: Vec::new(),
            pushes: entry.pushes.iter().cloned().collect(),
        })
    }

    fn page(&self, after: Option<&OrderKey>, limit: usize) -> Vec<(OrderKey, Option<OrderTruth>)> {
        let now_ms = self.world.clock.now_ms();
        let book = self.book.lock();
        book.page(after, limit).map(|(key, entry)| (key.clone(), truth(key, entry, now_ms))).collect()
    }

    fn orders_known(&self) -> usize {
        self.book.lock().len()
    }

    fn forget(&self) {
        self.book.lock().reset();
    }
}

fn truth(key: &OrderKey, entry: &Entry, now_ms: i64) -> Option<OrderTruth> {
    let order = entry.order.as_ref()?;
    let status = order.status(now_ms);
    let trade_state = match status {
        Status::Payed | Status::Success if order.refunds.is_empty() => TradeState::Success,
        Status::Payed | Status::Success => TradeState::Refund,
        Status::Expire => TradeState::Closed,
        Status::New => TradeState::Notpay,
    };
    Some(OrderTruth {
        provider: Provider::Xorpay,
        mchid: key.mchid.clone(),
        sub_mchid: None,
        out_trade_no: key.out_trade_no.clone(),
        product: Product::XorpayJsapi,
        trade_state,
        total: order.params.price,
        created_ms: order.created_ms,
        expire_ms: order.expire_ms,
        closed_ms: None,
        payment: order.payment.clone(),
        refunds: refunds_truth(order, entry),
        payer: order.payer,
        faults: entry.faults.clone(),
        payjs: None,
        maqian: None,
        xorpay: Some(XorpayTruth {
            aoid: order.aoid.clone(),
            status,
            pushes_delivered: order.pushes_delivered,
            refund_calls: entry.calls.refund,
        }),
    })
}

fn refunds_truth(order: &Order, entry: &Entry) -> RefundsTruth {
    let list: Vec<RefundTruth> = (1..)
        .zip(&order.refunds)
        .map(|(number, refund)| refund_truth(order, entry, number, refund))
        .collect();
    let refunded = list.iter().map(|refund| refund.amount).sum();
    RefundsTruth { refunded, reserved: refunded, list }
}

/// A refund has no number of its own: the aoid, and which one of the order's it is. Calls and faults are counted by order.
fn refund_truth(order: &Order, entry: &Entry, number: u32, refund: &Refund) -> RefundTruth {
    let name = format!("{}-{number:02}", order.aoid);
    RefundTruth {
        out_refund_no: name.clone(),
        refund_id: name,
        state: RefundState::Success,
        amount: refund.amount,
        payer_amount: refund.amount,
        created_ms: refund.made_ms,
        ended_ms: Some(refund.made_ms),
        is_by_hand: refund.is_by_hand,
        calls: RefundCalls { refund: entry.calls.refund, query: 0 },
        faults: entry.faults.iter().copied().filter(|kind| kind.stage() == Stage::Refund).collect(),
        pushes: Vec::new(),
    }
}
