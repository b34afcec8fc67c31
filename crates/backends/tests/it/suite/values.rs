//! Orders, facts, records and events for the suites: small, and different where the tests look.

use std::collections::BTreeMap;
use std::sync::Arc;

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::{Created, Fingerprint, OrderCommand, Payer, Record};
use paymux_domain::confirm::OperatorWord;
use paymux_domain::event::{Event, EventKind};
use paymux_domain::fact::{AttentionReason, Cause, Fact, FactBody, FactKey};
use paymux_domain::fold::State;
use paymux_domain::name::OrderKey;
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::ports::{DueRow, LedgerEntry};
use paymux_domain::refund::RefundDone;
use paymux_domain::time::Timestamp;

/// A time in milliseconds after the suites' begin.
pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + millis)
}

pub(crate) fn key(merchant_id: &str, order_no: &str) -> OrderKey {
    OrderKey {
        merchant_id: merchant_id.parse().expect("a valid merchant"),
        order_no: order_no.parse().expect("a valid number"),
    }
}

pub(crate) fn fact(key: &str, body: FactBody, time: Timestamp) -> Fact {
    Fact { key: key.parse().expect("a valid fact key"), body, time, cause: Cause::Timer }
}

/// The `created` fact of an order at a provider.
pub(crate) fn created(order: &OrderKey, provider: &str, time: Timestamp) -> Fact {
    let created = Created {
        key: order.clone(),
        request_id: "req-1".parse().expect("a valid id"),
        provider: provider.parse().expect("a valid provider"),
        account: "main".parse().expect("a valid account"),
        shard_group: "main".parse().expect("a valid group"),
        method: "jsapi".to_owned(),
        out_trade_no: order.order_no.as_str().parse().expect("an order number fits"),
        amount: Amount::new(1234, Currency::Cny).expect("a valid amount"),
        description: "coffee".to_owned(),
        attach: None,
        payer: Payer::default(),
        expire_time: time,
        created_time: time,
        notify_url: "https://pay.example/notify".to_owned(),
        return_url: None,
        metadata: BTreeMap::new(),
        options_json: String::new(),
        fingerprint: Fingerprint::of([("method", "jsapi")]),
    };
    fact("created", FactBody::Created(Arc::new(created)), time)
}

/// A `paid/…` fact.
pub(crate) fn paid(trade_no: &str) -> Fact {
    paid_at(trade_no, None, at(0))
}

/// A `paid/…` fact with the provider's time and the fact's own.
pub(crate) fn paid_at(trade_no: &str, success_time: Option<Timestamp>, time: Timestamp) -> Fact {
    let payment = Payment {
        trade_no: trade_no.parse().expect("a valid number"),
        total_minor: 1234,
        payer_total_minor: None,
        currency: Some(Currency::Cny),
        success_time,
        fee_minor: None,
        bank_type: None,
        channel_trade_no: None,
        evidence: Evidence::Stated,
    };
    fact(&format!("paid/{trade_no}"), FactBody::Paid(payment), time)
}

/// A `refund/…/outcome/DONE` fact of the begin with the provider's time.
pub(crate) fn refund_done(refund_no: &str, success_time: Option<Timestamp>) -> Fact {
    let done = RefundDone { provider_refund_no: None, success_time };
    fact(&format!("refund/{refund_no}/outcome/DONE"), FactBody::RefundDone(done), at(0))
}

/// A person's word that a refund is done.
pub(crate) fn refund_confirmed(refund_no: &str, time: Timestamp) -> Fact {
    let by = OperatorWord {
        caller: "ann".to_owned(),
        request_id: "req-1".parse().expect("a valid id"),
        reason: "seen".to_owned(),
    };
    let body = FactBody::OperatorRefund { provider_refund_no: None, by };
    fact(&format!("operator/refund/{refund_no}/DONE"), body, time)
}

/// An `attention/…` fact.
pub(crate) fn attention(reason: AttentionReason, number: u32, time: Timestamp) -> Fact {
    let key = FactKey::Attention(reason, number);
    Fact { key, body: FactBody::Attention("look".to_owned()), time, cause: Cause::Timer }
}

/// Its `…/resolved`.
pub(crate) fn resolved(reason: AttentionReason, number: u32) -> Fact {
    let body = FactBody::AttentionResolved { caller: "ann".to_owned(), reason: "seen".to_owned() };
    Fact { key: FactKey::AttentionResolved(reason, number), body, time: at(9), cause: Cause::Timer }
}

pub(crate) fn due(time: Timestamp, order: &OrderKey) -> DueRow {
    DueRow { due_at: time, key: order.clone() }
}

pub(crate) fn refund(number: &str, minor: i64) -> LedgerEntry {
    let refund_no = number.parse().expect("a valid number");
    LedgerEntry { refund_no, trade_no: "t1".parse().expect("a valid number"), minor }
}

/// A record whose number can be told from it.
pub(crate) fn record(number: usize) -> Record {
    Record::Close(OrderCommand {
        key: key("m", "o"),
        request_id: format!("req-{number}").parse().expect("a valid id"),
        caller: "shop".to_owned(),
        reply_to: None,
    })
}

/// An event whose number can be told from it.
pub(crate) fn event(number: usize) -> Event {
    Event {
        key: key("m", "o"),
        subject: format!("paid/{number}"),
        kind: EventKind::Paid,
        state: State::Paid,
        time: at(0),
    }
}
