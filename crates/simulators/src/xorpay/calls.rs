//! Both queries, and refunds.

use std::sync::Arc;

use super::answer::Reply;
use super::merchant::XorpayMerchant;
use super::order::{Entry, NotRefundable};
use super::{Course, Xorpay, params, sign};
use crate::faults::{FaultKind, Stage, XorpayFault};
use crate::form::Fields;
use crate::provider::OrderKey;

impl Xorpay {
    /// A query by our number, signed by the account.
    pub(super) fn query_by_number(&self, merchant: &XorpayMerchant, fields: &Fields) -> Reply {
        if let Some(name) = fields.doubled() {
            return Reply::refusal("missing_argument", name);
        }
        let (Some(order_id), Some(given)) = (fields.get("order_id"), fields.get("sign")) else {
            let missing = if fields.get("order_id").is_none() { "order_id" } else { "sign" };
            return Reply::refusal("missing_argument", missing);
        };
        if !sign::is_signed([order_id], merchant.app_secret.as_str(), given) {
            return Reply::refusal("sign_error", "order_id");
        }
        self.query(&OrderKey::new(&merchant.aid, order_id))
    }

    /// A query by aoid: whoever knows it may ask.
    pub(super) fn query_by_aoid(&self, aoid: &str) -> Reply {
        let key = self.book.lock().key_of_aoid(aoid).cloned();
        key.map_or_else(|| Reply::word("not_exist"), |key| self.query(&key))
    }

    fn query(&self, key: &OrderKey) -> Reply {
        let now_ms = self.world.clock.now_ms();
        let mut book = self.book.lock();
        let Some(entry) = book.entry_mut(key) else { return Reply::word("not_exist") };
        entry.calls.query += 1;
        let attempt = entry.calls.query;
        let is_paid = entry.order.as_ref().is_some_and(|order| order.payment.is_some());
        entry.calls.query_after_payment += u32::from(is_paid);
        let fault = self.fault_at(Stage::Query, key, entry.total);
        let mishap = match fault {
            Some(XorpayFault::Query(mishap)) => Some(mishap),
            _ => None,
        };
        if let (Some(kind), Course::Fails(reply)) = (fault, self.before(mishap, attempt)) {
            self.note(entry, kind);
            return reply;
        }
        let Some(order) = &entry.order else { return Reply::word("not_exist") };
        let is_first_paid = is_paid && entry.calls.query_after_payment == 1;
        let is_fresh = now_ms < order.created_ms + i64::from(self.world.tuning.query_lag_ms);
        let reply = Reply::word(order.status(now_ms).as_str());
        let (kind, reply) = match fault {
            Some(XorpayFault::QueryLagging) if is_fresh => (fault, Reply::word("not_exist")),
            Some(XorpayFault::QueryStale) if is_first_paid => (fault, Reply::word("new")),
            Some(XorpayFault::QueryFee) if is_first_paid => (fault, Reply::word("fee_error")),
            _ => match self.after(mishap, attempt, &reply) {
                Some(troubled) => (fault, troubled),
                None => (None, reply),
            },
        };
        if let Some(kind) = kind {
            self.note(entry, kind);
        }
        reply
    }

    /// A refund by aoid, of any part of the payment.
    pub(super) fn refund(self: &Arc<Self>, aoid: &str, fields: Option<&Fields>) -> Reply {
        let key = self.book.lock().key_of_aoid(aoid).cloned();
        let merchant = key.as_ref().and_then(|key| self.merchant(&key.mchid));
        let (Some(key), Some(merchant)) = (key, merchant) else {
            return Reply::refusal("order_error", "aoid");
        };
        let fields = fields.filter(|fields| fields.doubled().is_none());
        let price = fields.and_then(|fields| fields.get("price")).unwrap_or_default();
        let given = fields.and_then(|fields| fields.get("sign")).unwrap_or_default();
        if !sign::is_signed([price], merchant.app_secret.as_str(), given) {
            return Reply::refusal("sign_error", "price");
        }
        let Some(amount) = params::read_yuan(price) else { return Reply::refusal("price_error", "price") };
        self.refund_under(&key, amount)
    }

    fn refund_under(self: &Arc<Self>, key: &OrderKey, amount: i64) -> Reply {
        let mut book = self.book.lock();
        let Some(entry) = book.entry_mut(key) else { return Reply::refusal("order_error", "aoid") };
        entry.calls.refund += 1;
        let attempt = entry.calls.refund;
        let fault = self.fault_at(Stage::Refund, key, entry.total);
        let mishap = match fault {
            Some(XorpayFault::Refund(mishap)) => Some(mishap),
            _ => None,
        };
        let early = match self.before(mishap, attempt) {
            Course::Fails(reply) => Some(reply),
            Course::LandsLate => {
                self.land_refund_late(key.clone(), amount);
                Some(Reply::cut())
            }
            Course::Acts if fault == Some(XorpayFault::RefundNotYet) && attempt == 1 => {
                Some(Reply::refusal("order_error", "this simulator's fault"))
            }
            Course::Acts => None,
        };
        if let (Some(kind), Some(reply)) = (fault, early) {
            self.note(entry, kind);
            return reply;
        }
        let reply = self.give_back(entry, amount);
        match (fault, self.after(mishap, attempt, &reply)) {
            (Some(kind), Some(troubled)) => {
                self.note(entry, kind);
                troubled
            }
            _ => reply,
        }
    }

    fn give_back(&self, entry: &mut Entry, amount: i64) -> Reply {
        let now_ms = self.world.clock.now_ms();
        match entry.order.as_mut().map(|order| order.refund(amount, false, now_ms)) {
            Some(Ok(())) => Reply::refusal("ok", "退款成功"),
            Some(Err(NotRefundable::Price)) => Reply::refusal("price_error", "price"),
            None | Some(Err(NotRefundable::Order)) => Reply::refusal("order_error", "aoid"),
        }
    }

    /// The refund comes into being long after its connection has gone.
    fn land_refund_late(self: &Arc<Self>, key: OrderKey, amount: i64) {
        let lands_ms = self.world.clock.now_ms() + i64::from(self.world.tuning.late_landing_ms);
        let provider = Arc::clone(self);
        self.world.spawn(async move {
            provider.world.clock.sleep_until_ms(lands_ms).await;
            if let Some(entry) = provider.book.lock().entry_mut(&key) {
                provider.give_back(entry, amount);
            }
        });
    }

    /// Counts a fault of an order whose book is locked.
    fn note(&self, entry: &mut Entry, kind: XorpayFault) {
        self.world.inject(FaultKind::Xorpay(kind));
        entry.faults.insert(FaultKind::Xorpay(kind));
    }
}
