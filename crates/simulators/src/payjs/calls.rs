//! The three server calls, all by payjs_order_id: check, close, refund, with the faults before and after their
//! effect.

use serde_json::{Map, Value, json};

use super::Payjs;
use super::answer::{Reply, Seal, object};
use super::book::beijing_time;
use super::merchant::{PayjsMerchant, RepeatedRefund};
use super::order::{Calls, Entry, NotRefundable, Order, Pushing, RefundedBy};
use crate::faults::{FaultKind, PayjsFault, Stage, Trouble};
use crate::provider::OrderKey;
use crate::stats::Operation;

/// A server call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Check,
    Close,
    Refund,
}

impl Call {
    pub(super) fn operation(self) -> Operation {
        match self {
            Self::Check => Operation::Query,
            Self::Close => Operation::Close,
            Self::Refund => Operation::Refund,
        }
    }

    fn stage(self) -> Stage {
        match self {
            Self::Check => Stage::Query,
            Self::Close => Stage::Close,
            Self::Refund => Stage::Refund,
        }
    }

    /// Counts the call; gives its number.
    fn count(self, calls: &mut Calls) -> u32 {
        let counter = match self {
            Self::Check => &mut calls.check,
            Self::Close => &mut calls.close,
            Self::Refund => &mut calls.refund,
        };
        *counter += 1;
        *counter
    }

    /// Counts the call as granted; gives the number of granted ones. Every check that is answered counts.
    fn grant(self, calls: &mut Calls) -> u32 {
        let counter = match self {
            Self::Check => return calls.check,
            Self::Close => &mut calls.close_done,
            Self::Refund => &mut calls.refund_done,
        };
        *counter += 1;
        *counter
    }
}

/// What an operation says, and whether it was granted (`return_code` 1).
struct Said {
    document: Map<String, Value>,
    is_granted: bool,
}

impl Payjs {
    /// Answers a verified call; `key` is absent where the caller has no such order.
    pub(super) fn perform(&self, call: Call, merchant: &PayjsMerchant, key: &Option<OrderKey>) -> Reply {
        let mut book = self.book.lock();
        let entry = key.as_ref().and_then(|key| Some((key, book.entry_mut(key)?)));
        let Some((key, entry)) = entry else {
            return seal(merchant, failed(None, "订单不存在"), Seal::Signed);
        };
        let attempt = call.count(&mut entry.calls);
        if let Some(order) = &mut entry.order {
            // Whoever names the payjs_order_id has learnt it from a push.
            order.is_known = true;
        }
        let fault = self.fault_at(call.stage(), key, entry.total);
        let trouble = fault.and_then(trouble_of);
        if let Some((kind, reply)) = fault.zip(trouble.and_then(|trouble| self.fail_before(trouble, attempt)))
        {
            self.note(entry, kind);
            return reply;
        }
        let said = match call {
            Call::Check => self.check(entry, merchant, key, fault),
            Call::Close => self.close(entry),
            Call::Refund => self.refund(entry, merchant, key, fault),
        };
        if !said.is_granted || call.grant(&mut entry.calls) != 1 {
            return seal(merchant, said, Seal::Signed);
        }
        let Some((kind, trouble)) = fault.zip(trouble) else { return seal(merchant, said, Seal::Signed) };
        let reply = match trouble {
            Trouble::AnswerLost => Reply::cut().hanging(),
            Trouble::Garbage => Reply::garbage(),
            Trouble::BadSignature => seal(merchant, said, Seal::Wrong),
            Trouble::Unsigned => seal(merchant, said, Seal::Missing),
            Trouble::Hung | Trouble::ServerError | Trouble::Throttled => {
                return seal(merchant, said, Seal::Signed);
            }
        };
        self.note(entry, kind);
        reply
    }

    /// The troubles that keep a call from having an effect.
    fn fail_before(&self, trouble: Trouble, attempt: u32) -> Option<Reply> {
        let tuning = &self.world.tuning;
        match trouble {
            Trouble::Hung if attempt == 1 => Some(Reply::cut().hanging()),
            Trouble::ServerError if attempt <= tuning.errors_times => {
                Some(Reply::server_error("Server Error"))
            }
            Trouble::Throttled if attempt <= tuning.throttled_times => Some(Reply::throttled()),
            _ => None,
        }
    }

    /// Counts a fault of an order whose book is locked.
    fn note(&self, entry: &mut Entry, kind: PayjsFault) {
        self.world.inject(FaultKind::Payjs(kind));
        entry.faults.insert(FaultKind::Payjs(kind));
    }

    /// Telling of a payment marks it as delivered, which ends its pushes.
    fn check(
        &self,
        entry: &mut Entry,
        merchant: &PayjsMerchant,
        key: &OrderKey,
        fault: Option<PayjsFault>,
    ) -> Said {
        let Some(order) = &mut entry.order else { return failed(None, "订单不存在") };
        let is_paid = order.payment.is_some();
        entry.calls.check_after_payment += u32::from(is_paid);
        let is_stale =
            is_paid && fault == Some(PayjsFault::CheckStale) && entry.calls.check_after_payment == 1;
        let document = state(order, merchant, key, is_stale);
        if is_paid && !is_stale && order.pushing == Pushing::Running {
            order.pushing = Pushing::StoppedByCheck;
            self.world.stats.stopped_by_check();
        }
        if is_stale {
            self.note(entry, PayjsFault::CheckStale);
        }
        Said { document, is_granted: true }
    }

    fn close(&self, entry: &mut Entry) -> Said {
        let Some(order) = &mut entry.order else { return failed(None, "订单不存在") };
        match order.close(self.world.clock.now_ms()) {
            Ok(()) => {
                let id = &order.payjs_order_id;
                let document =
                    object(json!({ "return_code": 1, "return_msg": "关闭成功", "payjs_order_id": id }));
                Said { document, is_granted: true }
            }
            Err(message) => failed(Some(&order.payjs_order_id), message),
        }
    }

    /// Refunds the whole payment; the answer says `refund` 1 when that was done before.
    fn refund(
        &self,
        entry: &mut Entry,
        merchant: &PayjsMerchant,
        key: &OrderKey,
        fault: Option<PayjsFault>,
    ) -> Said {
        let Some(order) = &mut entry.order else { return failed(None, "订单不存在") };
        if fault == Some(PayjsFault::RefundNoBalance) && entry.calls.refund == 1 {
            let said = failed(Some(&order.payjs_order_id), "未结算余额不足");
            self.note(entry, PayjsFault::RefundNoBalance);
            return said;
        }
        let id = order.payjs_order_id.clone();
        let refunded = order.refund(RefundedBy::Call, self.world.clock.now_ms()).cloned();
        let transaction_id = order.payment.as_ref().map(|payment| payment.transaction_id.clone());
        let mut document = object(json!({
            "payjs_order_id": id, "out_trade_no": key.out_trade_no, "transaction_id": transaction_id,
        }));
        let (return_code, return_msg) = match refunded {
            Ok(_) => (1, "退款成功"),
            Err(NotRefundable::NotPaid) => return failed(Some(&id), "订单未支付"),
            Err(NotRefundable::Refunded) => {
                document.insert("refund".to_owned(), "1".into());
                (i32::from(merchant.repeated_refund == RepeatedRefund::Confirmed), "订单已退款")
            }
        };
        document.insert("return_code".to_owned(), return_code.into());
        document.insert("return_msg".to_owned(), return_msg.into());
        Said { document, is_granted: refunded.is_ok() }
    }
}

/// The document of a check: `status` 1 for paid (and then refunded), else 0.
fn state(order: &Order, merchant: &PayjsMerchant, key: &OrderKey, is_stale: bool) -> Map<String, Value> {
    let payment = order.payment.as_ref().filter(|_| !is_stale);
    let mut document = object(json!({
        "return_code": 1, "mchid": merchant.mchid, "out_trade_no": key.out_trade_no,
        "payjs_order_id": order.payjs_order_id, "status": i32::from(payment.is_some()),
        "total_fee": payment.map_or(order.params.total_fee, |payment| payment.reported_total),
    }));
    let mut add = |name: &str, value: String| document.insert(name.to_owned(), value.into());
    if let Some(attach) = &order.params.attach {
        add("attach", attach.clone());
    }
    if let Some(payment) = payment {
        add("transaction_id", payment.transaction_id.clone());
        add("openid", order.openid.clone());
        add("paid_time", beijing_time(payment.paid_ms, "%Y-%m-%d %H:%M:%S"));
    }
    document
}

fn failed(payjs_order_id: Option<&str>, message: &str) -> Said {
    let mut document = object(json!({ "return_code": 0, "msg": message, "return_msg": message }));
    if let Some(id) = payjs_order_id {
        document.insert("payjs_order_id".to_owned(), id.into());
    }
    Said { document, is_granted: false }
}

/// Failures may be unsigned, by the merchant's setting.
fn seal(merchant: &PayjsMerchant, said: Said, seal: Seal) -> Reply {
    let is_failure = said.document.get("return_code") == Some(&Value::from(0));
    let seal = if is_failure && !merchant.signs_failures { Seal::Missing } else { seal };
    Reply::document(merchant, said.document, seal)
}

fn trouble_of(kind: PayjsFault) -> Option<Trouble> {
    match kind {
        PayjsFault::Check(trouble) | PayjsFault::Close(trouble) | PayjsFault::Refund(trouble) => {
            Some(trouble)
        }
        _ => None,
    }
}
