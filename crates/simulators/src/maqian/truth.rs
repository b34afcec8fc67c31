//! What the control API sees and steers of 码钱.

use std::sync::Arc;

use super::Maqian;
use super::order::{Entry, Order, Refund};
use crate::control::sides::{Refused, Side};
use crate::control::view::{
    MaqianTruth, OrderDetail, OrderTruth, Payment, Product, RefundState, RefundTruth, RefundsTruth,
};
use crate::faults::Stage;
use crate::provider::{OrderKey, Provider};

impl Side for Maqian {
    fn knows(&self, mchid: &str) -> bool {
        self.account(mchid).is_some()
    }

    fn pay(self: Arc<Self>, key: &OrderKey, payer_total: Option<i64>) -> Result<Payment, Refused> {
        if payer_total.is_some() {
            return Err(Refused::bad("payer_total is WeChat Pay's: 码钱 has no discounts here"));
        }
        Maqian::pay(&self, key, None).map_err(Refused::conflict)
    }

    fn expire(&self, key: &OrderKey) -> Result<(), Refused> {
        Maqian::expire(self, key).map_err(Refused::conflict)
    }

    fn refund_by_hand(&self, key: &OrderKey) -> Result<Payment, Refused> {
        Maqian::refund_by_hand(self, key).map_err(Refused::conflict)
    }

    fn detail(&self, key: &OrderKey) -> Option<OrderDetail> {
        let now_ms = self.world.clock.now_ms();
        let book = self.book.lock();
        let entry = book.entry(key)?;
        Some(OrderDetail {
            order: truth(key, entry, now_ms),
            calls: entry.calls,
            faults: entry.faults.clone(),
            prepay_ids: Vec::new(),
            pushes: entry.pushes.iter().cloned().collect(),
        })
    }

    fn page(&self, after: Option<&OrderKey>, limit: usize) -> Vec<(OrderKey, Option<OrderTruth>)> {
        let now_ms = self.world.clock.now_ms();
        let book = self.book.lock();
        let found = book.page(after, limit);
        found.map(|(key, entry)| (key.clone(), truth(key, entry, now_ms))).collect()
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
        provider: Provider::Maqian,
        mchid: key.mchid.clone(),
        sub_mchid: None,
        out_trade_no: key.out_trade_no.clone(),
        product: Product::CashierMiniProgram,
        trade_state: order.state(now_ms),
        total: order.params.total,
        created_ms: order.opened_ms,
        expire_ms: order.expire_ms,
        closed_ms: order.closed_ms,
        payment: order.payment.clone(),
        refunds: refunds_truth(entry, order, now_ms),
        payer: order.payer,
        faults: entry.faults.clone(),
        payjs: None,
        xorpay: None,
        maqian: Some(MaqianTruth {
            trade_no: order.trade_no.clone(),
            opened: order.openings,
            goods_name: order.params.goods_name.clone(),
            pushing: order.pushing,
            pushes_delivered: order.pushes_delivered,
            undeterminable: order.is_undeterminable(),
            refund_calls: entry.refund_calls,
        }),
    })
}

fn refunds_truth(entry: &Entry, order: &Order, now_ms: i64) -> RefundsTruth {
    let list: Vec<RefundTruth> =
        order.refunds.iter().map(|refund| refund_truth(entry, refund, now_ms)).collect();
    let sum = |counts: fn(RefundState) -> bool| {
        list.iter().filter(|refund| counts(refund.state)).map(|refund| refund.amount).sum()
    };
    RefundsTruth {
        refunded: sum(|state| state == RefundState::Success),
        reserved: sum(|state| state != RefundState::Closed),
        list: list.clone(),
    }
}

fn refund_truth(entry: &Entry, refund: &Refund, now_ms: i64) -> RefundTruth {
    let state = refund.state(now_ms);
    RefundTruth {
        out_refund_no: refund.out_refund_no.clone(),
        refund_id: refund.refund_no.clone(),
        state,
        amount: refund.amount,
        payer_amount: refund.amount,
        created_ms: refund.created_ms,
        ended_ms: (state != RefundState::Processing).then_some(refund.ends_ms),
        is_by_hand: refund.is_by_hand,
        calls: refund.calls,
        faults: entry.faults.iter().copied().filter(|kind| kind.stage() == Stage::Refund).collect(),
        pushes: Vec::new(),
    }
}
