//! What the control API sees and steers of UPaaS.

use std::sync::Arc;

use super::Upaas;
use super::order::Entry;
use super::params::Channel;
use super::refunds;
use crate::control::sides::{Refused, Side};
use crate::control::view::{OrderDetail, OrderTruth, Payment, Product};
use crate::provider::{OrderKey, Provider};

impl Side for Upaas {
    fn knows(&self, mchid: &str) -> bool {
        self.merchant(mchid).is_some()
    }

    fn pay(self: Arc<Self>, key: &OrderKey, payer_total: Option<i64>) -> Result<Payment, Refused> {
        if payer_total.is_some() {
            return Err(Refused::bad("payer_total is WeChat Pay's: UPaaS reports no discounts"));
        }
        Upaas::pay(&self, key, None).map_err(Refused::conflict)
    }

    fn expire(&self, key: &OrderKey) -> Result<(), Refused> {
        Upaas::expire(self, key).map_err(Refused::conflict)
    }

    fn refund_by_hand(&self, key: &OrderKey) -> Result<Payment, Refused> {
        Upaas::refund_by_hand(self, key).map_err(Refused::conflict)
    }

    fn detail(&self, key: &OrderKey) -> Option<OrderDetail> {
        let now_ms = self.world.clock.now_ms();
        let book = self.book.lock();
        let entry = book.entry(key)?;
        Some(OrderDetail {
            order: truth(key, entry, now_ms),
            calls: entry.calls,
            faults: entry.faults.clone(),
            prepay_ids: entry.order.iter().map(|order| order.prepay.clone()).collect(),
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
        provider: Provider::Upaas,
        mchid: key.mchid.clone(),
        sub_mchid: None,
        out_trade_no: key.out_trade_no.clone(),
        product: match order.params.channel {
            Channel::WeixinJsapi => Product::UpaasWeixinJsapi,
            Channel::WeixinMiniProgram => Product::UpaasWeixinMiniProgram,
            Channel::Alipay => Product::UpaasAlipay,
            Channel::Unionpay => Product::UpaasUnionpay,
        },
        trade_state: order.state(now_ms),
        total: order.params.amount,
        created_ms: order.created_ms,
        expire_ms: order.expire_ms,
        closed_ms: order.closed_ms,
        payment: order.payment.clone(),
        refunds: refunds::truth(entry, now_ms),
        payer: order.payer,
        faults: entry.faults.clone(),
        payjs: None,
        xorpay: None,
        maqian: None,
    })
}
