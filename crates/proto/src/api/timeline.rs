//! The timeline of an order: its facts, oldest first, with personal data left out.

use std::collections::BTreeMap;

use paymux_domain::command::Created;
use paymux_domain::confirm::OperatorWord;
use paymux_domain::fact::{Cause, CloseReason, Fact, FactBody, FactKey};
use paymux_domain::fold::Order;
use paymux_domain::mask::masked;
use paymux_domain::payment::Payment;

use super::timestamp;
use super::words::closure_word;
use crate::v1;

/// Details whose texts come from outside.
const FROM_OUTSIDE: &[&str] = &["code", "message", "detail", "reason"];

/// The facts with their sentences, in the order in which `paymux_domain::explain` tells what happened.
#[must_use]
pub fn timeline_view(order: &Order, happened: &[(FactKey, String)]) -> Vec<v1::TimelineEntry> {
    let told = |(key, sentence): &(FactKey, String)| Some(entry(order, order.fact(key)?, sentence));
    happened.iter().filter_map(told).collect()
}

fn entry(order: &Order, fact: &Fact, sentence: &str) -> v1::TimelineEntry {
    // Providers and people put anything into their texts; what we made ourselves has nothing to mask.
    let shown = |(name, text): (&str, String)| {
        let text = if FROM_OUTSIDE.contains(&name) { masked(order, &text) } else { text };
        (name.to_owned(), text)
    };
    v1::TimelineEntry {
        fact_key: fact.key.to_string(),
        kind: kind(&fact.key).into(),
        fact_time: Some(timestamp(fact.time)),
        cause: Some(cause(order, &fact.cause)),
        summary: sentence.to_owned(),
        details: details(&fact.body).into_iter().map(shown).collect(),
    }
}

fn kind(key: &FactKey) -> v1::FactKind {
    match key {
        FactKey::Created => v1::FactKind::Created,
        FactKey::Attempt(_) => v1::FactKind::Attempt,
        FactKey::AttemptOutcome(_) => v1::FactKind::AttemptOutcome,
        FactKey::Launch(_) => v1::FactKind::Launch,
        FactKey::CloseRequested => v1::FactKind::CloseRequested,
        FactKey::Closing(_) => v1::FactKind::Closing,
        FactKey::Closed => v1::FactKind::Closed,
        FactKey::Paid(_) => v1::FactKind::Paid,
        FactKey::PaidStated(_) => v1::FactKind::PaidStated,
        FactKey::PaidConfirmed(_) => v1::FactKind::PaidConfirmed,
        FactKey::Fulfilment(_) => v1::FactKind::Fulfilment,
        FactKey::RefundRequested(_) => v1::FactKind::RefundRequested,
        FactKey::RefundCall(..) => v1::FactKind::RefundCall,
        FactKey::RefundCallOutcome(..) => v1::FactKind::RefundCallOutcome,
        FactKey::RefundDone(_) | FactKey::RefundFailed(_) => v1::FactKind::RefundOutcome,
        FactKey::Attention(..) => v1::FactKind::Attention,
        FactKey::AttentionResolved(..) => v1::FactKind::AttentionResolved,
        FactKey::OperatorPaid(_) => v1::FactKind::OperatorPaid,
        FactKey::OperatorUnpaid => v1::FactKind::OperatorUnpaid,
        FactKey::OperatorRefundDone(_) | FactKey::OperatorRefundFailed(_) => v1::FactKind::OperatorRefund,
    }
}

fn cause(order: &Order, cause: &Cause) -> v1::Cause {
    let (kind, reference) = match cause {
        Cause::Command(request_id) => (v1::CauseKind::Command, request_id.to_string()),
        Cause::Notification(id) => (v1::CauseKind::Notification, masked(order, id)),
        Cause::Answer => (v1::CauseKind::ProviderAnswer, String::new()),
        Cause::Timer => (v1::CauseKind::Timer, String::new()),
        Cause::Operator(name) => (v1::CauseKind::Operator, name.clone()),
    };
    v1::Cause { kind: kind.into(), reference }
}

/// What a fact says, by name. Payer, attach and launch parameters stay out: they are personal or open the payment.
fn details(body: &FactBody) -> BTreeMap<&'static str, String> {
    match body {
        FactBody::Created(created) => of_created(created),
        FactBody::AttemptOutcome(outcome) | FactBody::RefundCallOutcome(outcome) => BTreeMap::from([
            ("class", outcome.class.as_str().to_owned()),
            ("code", outcome.code.clone()),
            ("message", outcome.message.clone()),
        ]),
        FactBody::Launch(launch) => BTreeMap::from([("params", format!("{:?}", launch.params))]),
        FactBody::CloseRequested(reason) => BTreeMap::from([(
            "by",
            match reason {
                CloseReason::Caller => "caller",
                CloseReason::Expiry => "expiry",
            }
            .to_owned(),
        )]),
        FactBody::Closed(closure) => {
            let name = closure_word(*closure).as_str_name().trim_start_matches("CLOSURE_");
            BTreeMap::from([("closure", name.to_owned())])
        }
        FactBody::Paid(payment) => of_payment(payment),
        FactBody::Fulfilment(word) => BTreeMap::from([("fulfilment", word.as_str().to_owned())]),
        FactBody::Attention(detail) => BTreeMap::from([("detail", detail.clone())]),
        FactBody::AttentionResolved { caller, reason } => {
            BTreeMap::from([("caller", caller.clone()), ("reason", reason.clone())])
        }
        FactBody::RefundRequested(request) => BTreeMap::from([
            ("provider_trade_no", request.trade_no.to_string()),
            ("out_refund_no", request.out_refund_no.to_string()),
            ("amount", request.amount.to_string()),
            ("reason", request.reason.clone()),
            ("automatic", request.automatic.to_string()),
        ]),
        FactBody::RefundDone(done) => {
            let no = done.provider_refund_no.iter().map(|no| ("provider_refund_no", no.clone()));
            let time = done.success_time.map(|time| ("success_time_ms", time.as_millis().to_string()));
            no.chain(time).collect()
        }
        FactBody::RefundFailed(failed) => {
            BTreeMap::from([("code", failed.code.clone()), ("message", failed.message.clone())])
        }
        FactBody::OperatorPaid { payment, by } => {
            of_payment(payment).into_iter().chain(of_word(by)).collect()
        }
        FactBody::OperatorUnpaid(by) => of_word(by).collect(),
        FactBody::OperatorRefund { provider_refund_no, by } => {
            let no = provider_refund_no.iter().map(|no| ("provider_refund_no", no.clone()));
            of_word(by).chain(no).collect()
        }
        FactBody::Attempt | FactBody::Closing | FactBody::RefundCall => BTreeMap::new(),
    }
}

fn of_word(by: &OperatorWord) -> impl Iterator<Item = (&'static str, String)> {
    [("caller", by.caller.clone()), ("request_id", by.request_id.to_string()), ("reason", by.reason.clone())]
        .into_iter()
}

fn of_created(created: &Created) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("provider", created.provider.to_string()),
        ("account", created.account.to_string()),
        ("method", created.method.clone()),
        ("out_trade_no", created.out_trade_no.to_string()),
        ("amount", created.amount.to_string()),
        ("shard_group", created.shard_group.to_string()),
    ])
}

fn of_payment(payment: &Payment) -> BTreeMap<&'static str, String> {
    let mut details = BTreeMap::from([
        ("provider_trade_no", payment.trade_no.to_string()),
        ("total_minor", payment.total_minor.to_string()),
    ]);
    if let Some(minor) = payment.payer_total_minor {
        details.insert("payer_total_minor", minor.to_string());
    }
    if let Some(currency) = payment.currency {
        details.insert("currency", currency.code().to_owned());
    }
    if let Some(minor) = payment.fee_minor {
        details.insert("fee_minor", minor.to_string());
    }
    details
}
