//! The calls: create, query, close, refund and its query, with the faults before and after their effect.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Upaas;
use super::answer::{Reply, Seal};
use super::book::beijing_time;
use super::fields::{Fields, fen, yuan};
use super::merchant::{Offer, RepeatedCreate, UpaasMerchant};
use super::order::{Entry, Order};
use super::params::CreateParams;
use super::refunds::{self, Refund};
use crate::control::view::{CallCounts, RefundState, TradeState};
use crate::faults::{FaultKind, Stage, Trouble, UpaasFault};
use crate::provider::OrderKey;
use crate::stats::Operation;

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Create,
    Query,
    Close,
    Refund,
    RefundQuery,
}

impl Call {
    pub(super) fn operation(self) -> Operation {
        match self {
            Self::Create => Operation::Create,
            Self::Query => Operation::Query,
            Self::Close => Operation::Close,
            Self::Refund => Operation::Refund,
            Self::RefundQuery => Operation::RefundQuery,
        }
    }

    /// What an account must have for it; the create is published.
    pub(super) fn offer(self) -> Option<Offer> {
        match self {
            Self::Create => None,
            Self::Query => Some(Offer::Query),
            Self::Close => Some(Offer::Close),
            Self::Refund => Some(Offer::Refund),
            Self::RefundQuery => Some(Offer::RefundQuery),
        }
    }
}

/// What an operation came to.
enum Said {
    /// It is granted.
    Done(Map<String, Value>),
    /// It is not: code and message.
    Refused(&'static str, &'static str),
}

/// A fault of a call, and how many calls were granted, this one among them.
struct Met {
    fault: Option<UpaasFault>,
    granted: u32,
}

impl Upaas {
    /// Answers a verified call.
    pub(super) fn perform(self: &Arc<Self>, call: Call, merchant: &UpaasMerchant, fields: &Fields) -> Reply {
        if call == Call::Create {
            return match CreateParams::parse(fields) {
                Ok(params) => self.create(merchant, params),
                Err(message) => Reply::refusal("100001", &message),
            };
        }
        let Some(number) = fields.get("merchant_order_no") else {
            return Reply::refusal("100001", "merchant_order_no 参数缺失");
        };
        let key = OrderKey::new(&merchant.store_num, number);
        match call {
            Call::Refund | Call::RefundQuery => self.about_refund(call, merchant, &key, fields),
            _ => self.about_order(call, merchant, &key, fields),
        }
    }

    fn create(self: &Arc<Self>, merchant: &UpaasMerchant, params: CreateParams) -> Reply {
        let key = OrderKey::new(&merchant.store_num, &params.merchant_order_no);
        let now_ms = self.world.clock.now_ms();
        let mut is_new = false;
        let reply = {
            let mut book = self.book.lock();
            let total = params.amount;
            let Ok(entry) = book.open(&key, total) else {
                drop(book);
                self.world.stats.turned_away();
                let max = self.world.orders_max;
                return Reply::server_error(&format!(
                    "the simulator is full: orders_max = {max} orders are held; raise it or POST /control/reset"
                ));
            };
            entry.calls.create += 1;
            let attempt = entry.calls.create;
            let fault = self.fault_at(Stage::Create, &key.out_trade_no, entry.total);
            let trouble = trouble_of(fault);
            if fault == Some(UpaasFault::CreateRefused) {
                self.note(entry, UpaasFault::CreateRefused);
                return Reply::refusal("100020", "渠道未开通");
            }
            if let Some(reply) = self.fail_before(trouble, attempt) {
                self.note_of(entry, fault);
                return reply;
            }
            match &entry.order {
                None => {
                    book.make(&key, params, now_ms);
                    is_new = true;
                }
                Some(order) => {
                    let is_same = order.params == params && order.state(now_ms) == TradeState::Notpay;
                    if !is_same || merchant.repeated_create == RepeatedCreate::Refused {
                        return refused(merchant, &key, "100010", "商户订单号重复");
                    }
                }
            }
            let Some(entry) = book.entry_mut(&key) else { return Reply::server_error("") };
            let Some(order) = &entry.order else { return Reply::server_error("") };
            let mut data = named(order, &key);
            data.insert("amount".to_owned(), yuan(order.params.amount).into());
            data.extend(order.launch());
            let met = Met { fault, granted: u32::from(is_new) };
            self.spoil(entry, &met, merchant, data)
        };
        if is_new {
            self.wake_payer(&key);
            self.wake_forger(&key);
        }
        reply
    }

    fn about_order(&self, call: Call, merchant: &UpaasMerchant, key: &OrderKey, fields: &Fields) -> Reply {
        let now_ms = self.world.clock.now_ms();
        let mut book = self.book.lock();
        let Some(entry) = book.entry_mut(key) else {
            return refused(merchant, key, "200404", "订单不存在");
        };
        let attempt = count(call, &mut entry.calls);
        let stage = if call == Call::Query { Stage::Query } else { Stage::Close };
        let fault = self.fault_at(stage, &key.out_trade_no, entry.total);
        if let Some(reply) = self.fail_before(trouble_of(fault), attempt) {
            self.note_of(entry, fault);
            return reply;
        }
        let number = fields.get("order_number");
        let known =
            entry.order.as_mut().filter(|order| number.is_none_or(|number| number == order.order_number));
        let Some(order) = known else { return refused(merchant, key, "200404", "订单不存在") };
        let was_open = order.closed_ms.is_none();
        let said = match call {
            Call::Query => {
                let is_paid = order.payment.is_some();
                entry.calls.query_after_payment += u32::from(is_paid);
                let is_stale =
                    is_paid && fault == Some(UpaasFault::QueryStale) && entry.calls.query_after_payment == 1;
                Said::Done(state(order, key, now_ms, is_stale))
            }
            _ if order.payment.is_some() => Said::Refused("300002", "订单已支付"),
            _ if order.closed_ms.is_some() => Said::Done(named(order, key)),
            _ => {
                order.closed_ms = Some(now_ms);
                entry.calls.close_done += 1;
                Said::Done(named(order, key))
            }
        };
        if call == Call::Query
            && fault == Some(UpaasFault::QueryStale)
            && entry.calls.query_after_payment == 1
        {
            self.note(entry, UpaasFault::QueryStale);
        }
        // A close that finds the order closed has no effect.
        let granted = if call == Call::Query { attempt } else { u32::from(was_open) };
        self.seal(entry, &Met { fault, granted }, merchant, key, said)
    }

    fn about_refund(&self, call: Call, merchant: &UpaasMerchant, key: &OrderKey, fields: &Fields) -> Reply {
        let Some(number) = fields.get("refund_no") else {
            return Reply::refusal("100001", "refund_no 参数缺失");
        };
        let asked = fields.get("refund_amount").and_then(fen).filter(|fen| *fen > 0);
        let now_ms = self.world.clock.now_ms();
        let mut book = self.book.lock();
        let refund_number = book.next_number(now_ms);
        let Some(entry) = book.entry_mut(key) else {
            return refused(merchant, key, "200404", "订单不存在");
        };
        if call == Call::RefundQuery {
            let Some(refund) = entry.refunds.get_mut(number) else {
                return refused(merchant, key, "500404", "退款不存在");
            };
            refund.calls.query += 1;
            if refund.created_ms.is_none() {
                return refused(merchant, key, "500404", "退款不存在");
            }
            return Reply::success(merchant, refund_data(refund, key, number, now_ms), Seal::Signed);
        }
        let Some(amount) = asked else { return Reply::refusal("100001", "refund_amount 参数错误") };
        let left = refunds::left(entry, now_ms);
        let refund =
            entry.refunds.entry(number.to_owned()).or_insert_with(|| Refund::new(refund_number, amount));
        refund.calls.refund += 1;
        let attempt = refund.calls.refund;
        let fault = self.fault_at(Stage::Refund, number, amount);
        if let Some(reply) = self.fail_before(trouble_of(fault), attempt) {
            self.note_refund(refund, fault);
            return reply;
        }
        if refund.created_ms.is_some() && refund.amount != amount {
            return refused(merchant, key, "400003", "退款单号重复");
        }
        if refund.created_ms.is_none() {
            if amount > left {
                return refused(merchant, key, "400001", "退款金额超限");
            }
            let is_failed = self.fault_at(Stage::RefundEnd, number, amount) == Some(UpaasFault::RefundFailed);
            if is_failed {
                self.note_refund(refund, Some(UpaasFault::RefundFailed));
            }
            refund.amount = amount;
            refund.created_ms = Some(now_ms);
            refund.ends_ms = now_ms + i64::from(self.world.tuning.refund_settle_ms);
            refund.succeeds = !is_failed;
        }
        refund.granted += 1;
        let (granted, data) = (refund.granted, refund_data(refund, key, number, now_ms));
        let ends_ms = refund.ends_ms;
        if refund.succeeds
            && let Some(payment) = entry.order.as_mut().and_then(|order| order.payment.as_mut())
        {
            payment.refunded_ms = Some(payment.refunded_ms.map_or(ends_ms, |known| known.min(ends_ms)));
        }
        self.spoil(entry, &Met { fault, granted }, merchant, data)
    }

    /// The troubles that keep a call from having an effect.
    fn fail_before(&self, trouble: Option<Trouble>, attempt: u32) -> Option<Reply> {
        let tuning = &self.world.tuning;
        match trouble? {
            Trouble::Hung if attempt == 1 => Some(Reply::hung()),
            Trouble::ServerError if attempt <= tuning.errors_times => {
                Some(Reply::server_error("Server Error"))
            }
            Trouble::Throttled if attempt <= tuning.throttled_times => Some(Reply::throttled()),
            _ => None,
        }
    }

    fn seal(
        &self,
        entry: &mut Entry,
        met: &Met,
        merchant: &UpaasMerchant,
        key: &OrderKey,
        said: Said,
    ) -> Reply {
        match said {
            Said::Done(data) => self.spoil(entry, met, merchant, data),
            Said::Refused(code, message) => refused(merchant, key, code, message),
        }
    }

    /// The answer to what was granted, with the troubles that come after the effect of the first.
    fn spoil(
        &self,
        entry: &mut Entry,
        met: &Met,
        merchant: &UpaasMerchant,
        data: Map<String, Value>,
    ) -> Reply {
        let trouble = trouble_of(met.fault).filter(|_| met.granted == 1);
        let reply = match trouble {
            Some(Trouble::AnswerLost) => Reply::hung(),
            Some(Trouble::Garbage) => Reply::garbage(),
            Some(Trouble::BadSignature) => Reply::success(merchant, data, Seal::Wrong),
            Some(Trouble::Unsigned) => Reply::success(merchant, data, Seal::Missing),
            Some(Trouble::Hung | Trouble::ServerError | Trouble::Throttled) | None => {
                return Reply::success(merchant, data, Seal::Signed);
            }
        };
        self.note_of(entry, met.fault);
        reply
    }

    /// Counts a fault of an order whose book is locked.
    fn note(&self, entry: &mut Entry, kind: UpaasFault) {
        self.world.inject(FaultKind::Upaas(kind));
        entry.faults.insert(FaultKind::Upaas(kind));
    }

    fn note_of(&self, entry: &mut Entry, fault: Option<UpaasFault>) {
        if let Some(kind) = fault {
            self.note(entry, kind);
        }
    }

    fn note_refund(&self, refund: &mut Refund, fault: Option<UpaasFault>) {
        if let Some(kind) = fault {
            self.world.inject(FaultKind::Upaas(kind));
            refund.faults.insert(FaultKind::Upaas(kind));
        }
    }
}

fn count(call: Call, calls: &mut CallCounts) -> u32 {
    let counter = if call == Call::Query { &mut calls.query } else { &mut calls.close };
    *counter += 1;
    *counter
}

/// Both numbers of an order.
fn named(order: &Order, key: &OrderKey) -> Map<String, Value> {
    object(json!({ "order_number": order.order_number, "merchant_order_no": key.out_trade_no }))
}

/// A failure about an order; the data name it.
fn refused(merchant: &UpaasMerchant, key: &OrderKey, code: &str, message: &str) -> Reply {
    Reply::failure(merchant, object(json!({ "merchant_order_no": key.out_trade_no })), code, message)
}

/// What a query says: `order_status` UNPAID, PAID, REFUNDED or CLOSED.
fn state(order: &Order, key: &OrderKey, now_ms: i64, is_stale: bool) -> Map<String, Value> {
    let payment = order.payment.as_ref().filter(|_| !is_stale);
    let status = match order.state(now_ms) {
        TradeState::Success | TradeState::Refund if is_stale => "UNPAID",
        TradeState::Success => "PAID",
        TradeState::Refund => "REFUNDED",
        TradeState::Closed => "CLOSED",
        TradeState::Notpay => "UNPAID",
    };
    let mut data = named(order, key);
    let amount = payment.map_or(order.params.amount, |payment| payment.reported_total);
    data.extend(object(json!({ "amount": yuan(amount), "order_status": status })));
    if let Some(payment) = payment {
        let paid = beijing_time(payment.paid_ms, "%Y-%m-%d %H:%M:%S");
        data.extend(object(json!({ "pay_time": paid, "open_id": order.params.open_id })));
    }
    data
}

/// What is said of a refund: `refund_status` PROCESSING, SUCCESS or FAILED.
fn refund_data(refund: &Refund, key: &OrderKey, number: &str, now_ms: i64) -> Map<String, Value> {
    debug_assert!(refund.state(now_ms) != RefundState::Abnormal, "UPaaS has no such end");
    object(json!({
        "merchant_order_no": key.out_trade_no, "refund_no": number, "refund_amount": yuan(refund.amount),
        "refund_status": refund.word(now_ms), "refund_number": refund.refund_number,
    }))
}

fn trouble_of(kind: Option<UpaasFault>) -> Option<Trouble> {
    match kind? {
        UpaasFault::Create(trouble)
        | UpaasFault::Query(trouble)
        | UpaasFault::Close(trouble)
        | UpaasFault::Refund(trouble) => Some(trouble),
        _ => None,
    }
}

/// A JSON object as its map; anything else has no fields.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
