//! What the control API sees and steers of PayJS.

use std::sync::Arc;

use super::Payjs;
use super::order::{Entry, Order, RefundedBy};
use crate::control::sides::{Refused, Side};
use crate::control::view::{
    CallCounts, OrderDetail, OrderTruth, PayjsTruth, Payment, Product, RefundCalls, RefundState, RefundTruth,
    RefundsTruth,
};
use crate::faults::Stage;
use crate::provider::{OrderKey, Provider};

impl Side for Payjs {
    fn knows(&self, mchid: &str) -> bool {
        self.merchant(mchid).is_some()
    }

    fn pay(self: Arc<Self>, key: &OrderKey, payer_total: Option<i64>) -> Result<Payment, Refused> {
        if payer_total.is_some() {
            return Err(Refused::bad("payer_total is WeChat Pay's: PayJS reports no discounts"));
        }
        Payjs::pay(&self, key, None).map_err(Refused::conflict)
    }

    fn expire(&self, key: &OrderKey) -> Result<(), Refused> {
        Payjs::expire(self, key).map_err(Refused::conflict)
    }

    fn refund_by_hand(&self, key: &OrderKey) -> Result<Payment, Refused> {
        Payjs::refund_by_hand(self, key).map_err(Refused::conflict)
    }

    fn detail(&self, key: &OrderKey) -> Option<OrderDetail> {
        let now_ms = self.world.clock.now_ms();
        let book = self.book.lock();
        let entry = book.entry(key)?;
        let calls = entry.calls;
        Some(OrderDetail {
            order: truth(key, entry, now_ms),
            calls: CallCounts {
                create: calls.open,
                query: calls.check,
                query_after_payment: calls.check_after_payment,
                close: calls.close,
                close_done: calls.close_done,
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
    Some(OrderTruth {
        provider: Provider::Payjs,
        mchid: key.mchid.clone(),
        sub_mchid: None,
        out_trade_no: key.out_trade_no.clone(),
        product: Product::Cashier,
        trade_state: order.state(now_ms),
        total: order.params.total_fee,
        created_ms: order.opened_ms,
        expire_ms: order.expire_ms,
        closed_ms: order.closed_ms,
        payment: order.payment.clone(),
        refunds: refunds_truth(order, entry),
        payer: order.payer,
        faults: entry.faults.clone(),
        payjs: Some(payjs_truth(order, entry)),
    })
}

fn payjs_truth(order: &Order, entry: &Entry) -> PayjsTruth {
    PayjsTruth {
        payjs_order_id: order.payjs_order_id.clone(),
        opened: order.openings,
        pushing: order.pushing,
        pushes_delivered: order.pushes_delivered,
        undeterminable: order.is_undeterminable(),
        refund_calls: entry.calls.refund,
    }
}

/// At most one refund, of the whole payment. It has no number of its own: both are the payjs_order_id.
fn refunds_truth(order: &Order, entry: &Entry) -> RefundsTruth {
    let refunded = order.payment.as_ref().zip(order.refunded_by);
    let refund = refunded.and_then(|(payment, by)| {
        let refunded_ms = payment.refunded_ms?;
        Some(RefundTruth {
            out_refund_no: order.payjs_order_id.clone(),
            refund_id: order.payjs_order_id.clone(),
            state: RefundState::Success,
            amount: payment.total,
            payer_amount: payment.payer_total,
            created_ms: refunded_ms,
            ended_ms: Some(refunded_ms),
            is_by_hand: by == RefundedBy::Console,
            calls: RefundCalls { refund: entry.calls.refund, query: 0 },
            faults: entry.faults.iter().copied().filter(|kind| kind.stage() == Stage::Refund).collect(),
            pushes: Vec::new(),
        })
    });
    let list: Vec<RefundTruth> = refund.into_iter().collect();
    let refunded = list.iter().map(|refund| refund.amount).sum();
    RefundsTruth { refunded, reserved: refunded, list }
}
