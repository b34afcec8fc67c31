//! What happened: a sentence per fact, in order of time.

use super::teller::{Teller, money, span};
use crate::command::Created;
use crate::fact::{AttemptOutcome, Cause, CloseReason, Closure, Fact, FactBody, FactKey, Fulfilment};
use crate::outcome::Class;
use crate::payment::{Evidence, Payment};

pub(super) fn sentences(teller: &Teller<'_>) -> Vec<String> {
    let mut facts: Vec<&Fact> = teller.order.facts().collect();
    facts.sort_by_key(|fact| (fact.time, attempt_of(&fact.key)));
    facts.into_iter().map(|fact| sentence(teller, fact)).collect()
}

/// Facts of one time are told in the order of their keys, but attempts one after the other with what became
/// of each.
const fn attempt_of(key: &FactKey) -> u32 {
    match key {
        FactKey::Created => 0,
        FactKey::Attempt(_) | FactKey::AttemptOutcome(_) | FactKey::Launch(_) => number(key),
        _ => u32::MAX,
    }
}

fn sentence(teller: &Teller<'_>, fact: &Fact) -> String {
    let mut when = teller.after(fact.time);
    if let Some(first) = when.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    format!("{when}: {} ({}).", what(teller, fact), cause(teller, &fact.cause))
}

fn what(teller: &Teller<'_>, fact: &Fact) -> String {
    match &fact.body {
        FactBody::Created(created) => accepted(teller, created),
        FactBody::Attempt => format!("create call {} was about to leave", number(&fact.key)),
        FactBody::AttemptOutcome(outcome) => attempt_ended(teller, number(&fact.key), outcome),
        FactBody::Launch(_) => {
            format!("the payer can pay, with the launch parameters of create call {}", number(&fact.key))
        }
        FactBody::CloseRequested(CloseReason::Caller) => "the caller wants the order closed".to_owned(),
        FactBody::CloseRequested(CloseReason::Expiry) => "its time was up, so closing began".to_owned(),
        FactBody::Closing => format!("close call {} was about to leave", number(&fact.key)),
        FactBody::Closed(closure) => closed(teller, *closure),
        FactBody::Paid(payment) => paid(teller, &fact.key, payment),
        FactBody::Fulfilment(Fulfilment::Fulfil) => "FULFIL, the caller is to deliver".to_owned(),
        FactBody::Fulfilment(Fulfilment::DoNotFulfil) => {
            "DO_NOT_FULFIL, the caller is not to deliver".to_owned()
        }
        FactBody::Attention(text) => {
            format!("a person is needed, {}: {}", reason(&fact.key), teller.masked(text))
        }
        FactBody::AttentionResolved { caller, reason: why } => {
            format!("{} was resolved by {caller}: {}", reason(&fact.key), teller.masked(why))
        }
    }
}

fn accepted(teller: &Teller<'_>, created: &Created) -> String {
    format!(
        "an order of {} was accepted for {} ({}) as {}; it can be paid for {}",
        created.amount,
        created.provider,
        created.method,
        created.out_trade_no,
        span(created.expire_time.since(teller.start())),
    )
}

fn attempt_ended(teller: &Teller<'_>, number: u32, outcome: &AttemptOutcome) -> String {
    let provider = teller.provider();
    let said = teller.said(&outcome.code, &outcome.message);
    match outcome.class {
        Class::Done => format!("{provider} took create call {number}{said}"),
        Class::Final => format!("{provider} refused create call {number} for good{said}"),
        Class::NotSent => format!("create call {number} never left{said}"),
        Class::Retry | Class::Unknown | Class::Ops => {
            format!("create call {number} ended as {}{said}", outcome.class.as_str())
        }
    }
}

fn closed(teller: &Teller<'_>, closure: Closure) -> String {
    let provider = teller.provider();
    match closure {
        Closure::ProviderConfirmed => format!(
            "closed, PROVIDER_CONFIRMED: {provider} closed it, or said twice that it has no such order"
        ),
        Closure::NeverSent => "closed, NEVER_SENT: no create call ever left, so nobody could pay".to_owned(),
        Closure::LocalExpiry => format!(
            "closed, LOCAL_EXPIRY: its time and the grace after it were over, and {provider} cannot close \
             it; not proven unpaid"
        ),
    }
}

fn paid(teller: &Teller<'_>, key: &FactKey, payment: &Payment) -> String {
    let provider = teller.provider();
    let sum = money(payment.total_minor, payment.currency);
    let trade_no = &payment.trade_no;
    match (key, payment.evidence) {
        (FactKey::PaidStated(_), _) => format!("a notification stated payment {trade_no} as {sum}"),
        (_, Evidence::Stated) => format!("payment {trade_no} of {sum}, proven by {provider}"),
        (_, Evidence::Assumed) => format!(
            "payment {trade_no}, proven by {provider}, which named no amount; taken for the order's own, \
             {sum}"
        ),
    }
}

fn cause(teller: &Teller<'_>, cause: &Cause) -> String {
    match cause {
        Cause::Command(request_id) => format!("on request {request_id}"),
        Cause::Notification(id) => format!("on notification {}", teller.masked(id)),
        Cause::Answer => "on the provider's answer".to_owned(),
        Cause::Timer => "on a timer".to_owned(),
        Cause::Operator(name) => format!("by operator {name}"),
    }
}

/// The number in the key of an attempt, its outcome, its launch or a close call.
const fn number(key: &FactKey) -> u32 {
    match key {
        FactKey::Attempt(n) | FactKey::AttemptOutcome(n) | FactKey::Launch(n) | FactKey::Closing(n) => *n,
        _ => 0,
    }
}

/// The reason in the key of an attention.
const fn reason(key: &FactKey) -> &'static str {
    match key {
        FactKey::Attention(reason, _) | FactKey::AttentionResolved(reason, _) => reason.as_str(),
        _ => "attention",
    }
}
