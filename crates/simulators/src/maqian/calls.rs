//! The four calls of the server API: query, close, refund, and the query of a refund, with the faults before and after their
//! effect.

use std::sync::Arc;

use serde_json::json;

use super::Maqian;
use super::answer::{Reply, Seal, accepted, refused};
use super::book::{Book, beijing_time};
use super::merchant::{Account, MaqianMerchant, RepeatedRefund};
use super::order::{Entry, NotRefundable, Order, Refund};
use super::params::{read_yuan, yuan};
use super::sign::Document;
use crate::control::view::RefundState;
use crate::faults::{FaultKind, MaqianFault, Stage, Trouble};
use crate::provider::OrderKey;
use crate::stats::Operation;

/// A call of the server API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Query,
    Close,
    Refund,
    RefundQuery,
}

impl Call {
    pub(super) fn operation(self) -> Operation {
        match self {
            Self::Query => Operation::Query,
            Self::Close => Operation::Close,
            Self::Refund => Operation::Refund,
            Self::RefundQuery => Operation::RefundQuery,
        }
    }

    fn stage(self) -> Stage {
        match self {
            Self::Query => Stage::Query,
            Self::Close => Stage::Close,
            Self::Refund => Stage::Refund,
            Self::RefundQuery => Stage::RefundQuery,
        }
    }

    /// Counts the call; gives its number.
    fn count(self, entry: &mut Entry) -> u32 {
        let counter = match self {
            Self::Query => &mut entry.calls.query,
            Self::Close => &mut entry.calls.close,
            Self::Refund => &mut entry.refund_calls,
            Self::RefundQuery => &mut entry.refund_queries,
        };
        *counter += 1;
        *counter
    }

    /// Counts the call as granted; gives the number of granted ones. Every question that is answered counts.
    fn grant(self, entry: &mut Entry) -> u32 {
        let counter = match self {
            Self::Query => return entry.calls.query,
            Self::RefundQuery => return entry.refund_queries,
            Self::Close => &mut entry.calls.close_done,
            Self::Refund => &mut entry.refunds_granted,
        };
        *counter += 1;
        *counter
    }
}

/// What an operation says, and whether it was granted.
struct Said {
    document: Document,
    is_granted: bool,
}

impl Said {
    fn no(message: &str) -> Self {
        Self { document: refused(message), is_granted: false }
    }
}

impl Maqian {
    /// Answers a verified call of an account.
    pub(super) fn perform(self: &Arc<Self>, call: Call, account: &Account, asked: &Document) -> Reply {
        let mut book = self.book.lock();
        let Some(key) = named(&book, call, &account.merchant, asked) else {
            let missing = if call == Call::RefundQuery { "退款单不存在" } else { "订单不存在" };
            return Reply::document(refused(missing), account.key(), Seal::Signed);
        };
        let Some(entry) = book.entry_mut(&key) else {
            return Reply::document(refused("订单不存在"), account.key(), Seal::Signed);
        };
        let attempt = call.count(entry);
        let fault = self.fault_at(call.stage(), &key, entry.total);
        let trouble = fault.and_then(trouble_of);
        if let Some((kind, reply)) = fault.zip(trouble.and_then(|trouble| self.fail_before(trouble, attempt)))
        {
            self.note(entry, kind);
            return reply;
        }
        let said = match call {
            Call::Query => self.query(entry, &key, fault),
            Call::Close => self.close(entry, &key),
            Call::Refund => self.refund(&mut book, &account.merchant, &key, asked, fault),
            Call::RefundQuery => self.refund_query(entry, &key, asked),
        };
        let signed = |document| Reply::document(document, account.key(), Seal::Signed);
        let Some(entry) = book.entry_mut(&key) else { return signed(said.document) };
        if !said.is_granted || call.grant(entry) != 1 {
            return signed(said.document);
        }
        let Some((kind, trouble)) = fault.zip(trouble) else { return signed(said.document) };
        let reply = match trouble {
            Trouble::AnswerLost => Reply::cut().hanging(),
            Trouble::Garbage => Reply::garbage(),
            Trouble::BadSignature => Reply::document(said.document, account.key(), Seal::Wrong),
            Trouble::Unsigned => Reply::document(said.document, account.key(), Seal::Missing),
            Trouble::Hung | Trouble::ServerError | Trouble::Throttled => return signed(said.document),
        };
        self.note(entry, kind);
        reply
    }

    /// The troubles that keep a call from having an effect.
    fn fail_before(&self, trouble: Trouble, attempt: u32) -> Option<Reply> {
        let tuning = &self.world.tuning;
        match trouble {
            Trouble::Hung if attempt == 1 => Some(Reply::cut().hanging()),
            Trouble::ServerError if attempt <= tuning.errors_times => Some(Reply::server_error()),
            Trouble::Throttled if attempt <= tuning.throttled_times => Some(Reply::throttled()),
            _ => None,
        }
    }

    /// Counts a fault of an order whose book is locked.
    fn note(&self, entry: &mut Entry, kind: MaqianFault) {
        self.world.inject(FaultKind::Maqian(kind));
        entry.faults.insert(FaultKind::Maqian(kind));
    }

    fn query(&self, entry: &mut Entry, key: &OrderKey, fault: Option<MaqianFault>) -> Said {
        let now_ms = self.world.clock.now_ms();
        let lag_ms = i64::from(self.world.tuning.query_lag_ms);
        let Some(order) = &mut entry.order else { return Said::no("订单不存在") };
        if fault == Some(MaqianFault::QueryLagging) && now_ms < order.opened_ms + lag_ms {
            self.note(entry, MaqianFault::QueryLagging);
            return Said::no("订单不存在");
        }
        let is_paid = order.payment.is_some();
        entry.calls.query_after_payment += u32::from(is_paid);
        let is_stale =
            is_paid && fault == Some(MaqianFault::QueryStale) && entry.calls.query_after_payment == 1;
        order.is_known |= is_paid && !is_stale;
        let document = state(order, key, is_stale, now_ms);
        if is_stale {
            self.note(entry, MaqianFault::QueryStale);
        }
        Said { document, is_granted: true }
    }

    fn close(&self, entry: &mut Entry, key: &OrderKey) -> Said {
        let Some(order) = &mut entry.order else { return Said::no("订单不存在") };
        match order.close(self.world.clock.now_ms()) {
            Ok(()) => {
                let document = accepted(json!({
                    "merch_no": key.mchid, "out_trade_no": key.out_trade_no, "trade_no": order.trade_no,
                }));
                Said { document, is_granted: true }
            }
            Err(message) => Said::no(message),
        }
    }

    fn refund(
        self: &Arc<Self>,
        book: &mut Book,
        merchant: &MaqianMerchant,
        key: &OrderKey,
        asked: &Document,
        fault: Option<MaqianFault>,
    ) -> Said {
        let now_ms = self.world.clock.now_ms();
        let (Some(number), Some(amount)) =
            (text(asked, "out_refund_no"), text(asked, "refund_amount").and_then(read_yuan))
        else {
            return Said::no("参数错误");
        };
        let refund = Refund { calls: Default::default(), ..book.draft_refund(number, amount, now_ms) };
        let refund = match fault {
            Some(MaqianFault::RefundPending) => {
                Refund { ends_ms: now_ms + i64::from(self.world.tuning.refund_settle_ms), ..refund }
            }
            Some(MaqianFault::RefundFailed) => Refund { end: RefundState::Closed, ..refund },
            _ => refund,
        };
        let Some(entry) = book.entry_mut(key) else { return Said::no("订单不存在") };
        if fault == Some(MaqianFault::RefundNoBalance) && entry.refund_calls == 1 {
            self.note(entry, MaqianFault::RefundNoBalance);
            return Said::no("可用余额不足");
        }
        let Some(order) = &mut entry.order else { return Said::no("订单不存在") };
        let trade_no = order.trade_no.clone();
        let (document, is_new, ends_ms) = match order.refund(refund) {
            Ok((_, false)) if merchant.repeated_refund == RepeatedRefund::Refused => {
                return Said::no("退款单号重复");
            }
            Ok((refund, is_new)) => {
                refund.calls.refund += 1;
                (refunded(refund, key, &trade_no, "trade_status", now_ms), is_new, refund.ends_ms)
            }
            Err(NotRefundable::NotPaid) => return Said::no("订单未支付"),
            Err(NotRefundable::TooMuch) => return Said::no("退款金额超过可退金额"),
            Err(NotRefundable::OtherContent) => return Said::no("退款单号重复"),
            Err(NotRefundable::TooMany) => return Said::no("退款次数超限"),
        };
        if let Some(kind) = fault.filter(|_| is_new)
            && matches!(kind, MaqianFault::RefundPending | MaqianFault::RefundFailed)
        {
            self.note(entry, kind);
        }
        book.note_refund(key, number);
        if is_new {
            self.notify_refund(merchant, key, number, ends_ms);
        }
        Said { document, is_granted: true }
    }

    fn refund_query(&self, entry: &mut Entry, key: &OrderKey, asked: &Document) -> Said {
        let now_ms = self.world.clock.now_ms();
        let number = text(asked, "out_refund_no").unwrap_or_default();
        let Some(order) = &mut entry.order else { return Said::no("退款单不存在") };
        let trade_no = order.trade_no.clone();
        let Some(refund) = order.refunds.iter_mut().find(|refund| refund.out_refund_no == number) else {
            return Said::no("退款单不存在");
        };
        refund.calls.query += 1;
        Said { document: refunded(refund, key, &trade_no, "refund_status", now_ms), is_granted: true }
    }
}

/// The order that a call names, if it is the caller's.
fn named(book: &Book, call: Call, merchant: &MaqianMerchant, asked: &Document) -> Option<OrderKey> {
    let key = match (call, text(asked, "trade_no"), text(asked, "out_trade_no")) {
        (Call::RefundQuery, _, _) => {
            book.key_of_refund(&merchant.merch_no, text(asked, "out_refund_no")?)?.clone()
        }
        (_, Some(trade_no), _) => book.key_of_trade_no(trade_no)?.clone(),
        (_, None, Some(number)) => OrderKey::new(&merchant.merch_no, number),
        (_, None, None) => return None,
    };
    (key.mchid == merchant.merch_no).then_some(key)
}

pub(super) fn text<'d>(document: &'d Document, name: &str) -> Option<&'d str> {
    document.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// What a query says of an order.
fn state(order: &Order, key: &OrderKey, is_stale: bool, now_ms: i64) -> Document {
    let mut document = accepted(json!({
        "merch_no": key.mchid, "out_trade_no": key.out_trade_no, "trade_no": order.trade_no,
        "pay_type": "ALI", "pay_mode": "JSAPI", "order_amount": yuan(order.params.total),
        "trade_status": if is_stale { "3" } else { order.status(now_ms) },
    }));
    if let Some(payment) = order.payment.as_ref().filter(|_| !is_stale) {
        let time = beijing_time(payment.paid_ms, "%Y-%m-%d %H:%M:%S");
        for (name, value) in [
            ("order_amount", yuan(payment.reported_total)),
            ("total_amount", yuan(payment.payer_total)),
            ("bank_trade_no", bank_trade_no(payment.paid_ms, &order.trade_no)),
            ("end_time", time),
        ] {
            document.insert(name.to_owned(), value.into());
        }
    }
    document
}

/// Alipay's number of a payment, 28 digits as its samples have.
pub(super) fn bank_trade_no(paid_ms: i64, trade_no: &str) -> String {
    let serial = &trade_no[trade_no.len().saturating_sub(14)..];
    format!("{}220014{serial:0>14}", beijing_time(paid_ms, "%Y%m%d"))
}

fn refunded(refund: &Refund, key: &OrderKey, trade_no: &str, status: &str, now_ms: i64) -> Document {
    let mut document = accepted(json!({
        "merch_no": key.mchid, "trade_no": trade_no, "out_refund_no": refund.out_refund_no,
        "refund_no": refund.refund_no, "refund_amount": yuan(refund.amount),
    }));
    document.insert(status.to_owned(), refund.status(now_ms).into());
    document
}

fn trouble_of(kind: MaqianFault) -> Option<Trouble> {
    match kind {
        MaqianFault::Query(trouble)
        | MaqianFault::Close(trouble)
        | MaqianFault::Refund(trouble)
        | MaqianFault::RefundQuery(trouble) => Some(trouble),
        _ => None,
    }
}
