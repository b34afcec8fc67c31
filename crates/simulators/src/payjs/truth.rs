//! What the control API sees and steers of PayJS.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Payjs;
use super::order::{Calls, Entry, Order, RefundedBy};
use crate::control::sides::{Refused, Side};
use crate::control::view::{
    CallCounts, OrderDetail, OrderTruth, PayjsTruth, Payment, Product, Push, RefundCalls, RefundState,
    RefundTruth, RefundsTruth, SecondTruth,
};
use crate::faults::{FaultKind, Stage};
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
        let (entry, second) = (book.entry(key)?, book.entry(&key.second()));
        let mut pushes: Vec<Push> =
            both(entry, second).flat_map(|entry| entry.pushes.iter().cloned()).collect();
        pushes.sort_by_key(|push| push.sent_ms);
        let calls = |count: fn(&Calls) -> u32| both(entry, second).map(|entry| count(&entry.calls)).sum();
        Some(OrderDetail {
            order: truth(key, entry, second, now_ms),
            calls: CallCounts {
                create: calls(|calls| calls.open),
                query: calls(|calls| calls.check),
                query_after_payment: calls(|calls| calls.check_after_payment),
                close: calls(|calls| calls.close),
                close_done: calls(|calls| calls.close_done),
            },
            faults: faults(entry, second),
            prepay_ids: Vec::new(),
            pushes,
        })
    }

    fn page(&self, after: Option<&OrderKey>, limit: usize) -> Vec<(OrderKey, Option<OrderTruth>)> {
        let now_ms = self.world.clock.now_ms();
        let book = self.book.lock();
        let found = book.page(after, limit);
        found
            .map(|(key, entry)| (key.clone(), truth(key, entry, book.entry(&key.second()), now_ms)))
            .collect()
    }

    fn orders_known(&self) -> usize {
        self.book.lock().len()
    }

    fn forget(&self) {
        self.book.lock().reset();
    }
}

fn truth(key: &OrderKey, entry: &Entry, second: Option<&Entry>, now_ms: i64) -> Option<OrderTruth> {
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
        refunds: refunds_truth(entry, second),
        payer: order.payer,
        faults: faults(entry, second),
        payjs: Some(payjs_truth(order, entry, second)),
        xorpay: None,
        maqian: None,
    })
}

fn both<'e>(entry: &'e Entry, second: Option<&'e Entry>) -> impl Iterator<Item = &'e Entry> {
    std::iter::once(entry).chain(second)
}

fn faults(entry: &Entry, second: Option<&Entry>) -> BTreeSet<FaultKind> {
    both(entry, second).flat_map(|entry| entry.faults.iter().copied()).collect()
}

fn payjs_truth(order: &Order, entry: &Entry, second: Option<&Entry>) -> PayjsTruth {
    let second = second.and_then(|entry| Some((entry, entry.order.as_ref()?)));
    PayjsTruth {
        payjs_order_id: order.payjs_order_id.clone(),
        opened: order.openings,
        pushing: order.pushing,
        pushes_delivered: order.pushes_delivered,
        undeterminable: order.is_undeterminable(),
        refund_calls: entry.calls.refund,
        second: second.map(|(entry, order)| SecondTruth {
            payjs_order_id: order.payjs_order_id.clone(),
            payment: order.payment.clone(),
            pushing: order.pushing,
            pushes_delivered: order.pushes_delivered,
            undeterminable: order.is_undeterminable(),
            refund_calls: entry.calls.refund,
        }),
    }
}

fn refunds_truth(entry: &Entry, second: Option<&Entry>) -> RefundsTruth {
    let list: Vec<RefundTruth> = both(entry, second).filter_map(refund_truth).collect();
    let refunded = list.iter().map(|refund| refund.amount).sum();
    RefundsTruth { refunded, reserved: refunded, list }
}

/// At most one refund, of the whole payment. It has no number of its own: both are the payjs_order_id.
fn refund_truth(entry: &Entry) -> Option<RefundTruth> {
    let order = entry.order.as_ref()?;
    let (payment, by) = order.payment.as_ref().zip(order.refunded_by)?;
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
}
