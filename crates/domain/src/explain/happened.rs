//! What happened: each fact with its sentence, in order of time.

use super::teller::{Teller, money, span};
use crate::command::Created;
use crate::confirm::OperatorWord;
use crate::fact::{AttemptOutcome, Cause, CloseReason, Closure, Fact, FactBody, FactKey, Fulfilment};
use crate::outcome::Class;
use crate::payment::{Evidence, Payment};
use crate::refund::RefundRequest;

pub(super) fn sentences(teller: &Teller<'_>) -> Vec<(FactKey, String)> {
    let mut facts: Vec<&Fact> = teller.order.facts().collect();
    facts.sort_by_key(|fact| (fact.time, attempt_of(&fact.key)));
    facts.into_iter().map(|fact| (fact.key.clone(), sentence(teller, fact))).collect()
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
        FactBody::RefundRequested(request) => refund_requested(teller, &fact.key, request),
        FactBody::RefundCall => {
            format!("call {} of refund {} was about to leave", number(&fact.key), refund_no(&fact.key))
        }
        FactBody::RefundCallOutcome(outcome) => refund_call_ended(teller, &fact.key, outcome),
        FactBody::RefundDone(done) => {
            let by = done.provider_refund_no.as_ref().map_or(String::new(), |no| format!(" as {no}"));
            let when = done.success_time.map(|time| format!(", by its clock {}", teller.after(time)));
            let (provider, when) = (teller.provider(), when.unwrap_or_default());
            format!("{provider} gave the money of refund {} back{by}{when}", refund_no(&fact.key))
        }
        FactBody::RefundFailed(failed) => {
            let said = teller.said(&failed.code, &failed.message);
            format!("refund {} failed for good{said}; its reservation goes back", refund_no(&fact.key))
        }
        FactBody::Attention(text) => {
            format!("a person is needed, {}: {}", reason(&fact.key), teller.masked(text))
        }
        FactBody::AttentionResolved { caller, reason: why } => {
            format!("{} was resolved by {caller}: {}", reason(&fact.key), teller.masked(why))
        }
        FactBody::OperatorPaid { payment, by } => {
            let sum = money(payment.total_minor, payment.currency);
            confirmed(teller, by, &format!("payment {} of {sum}", payment.trade_no))
        }
        FactBody::OperatorUnpaid(by) => confirmed(teller, by, "that nothing was paid and nothing will be"),
        FactBody::OperatorRefund { by, .. } => {
            let how =
                if matches!(fact.key, FactKey::OperatorRefundDone(_)) { "done" } else { "failed for good" };
            confirmed(teller, by, &format!("refund {} as {how}", refund_no(&fact.key)))
        }
    }
}

/// A person's word, told as one.
fn confirmed(teller: &Teller<'_>, by: &OperatorWord, what: &str) -> String {
    format!("{} confirmed {what}: {}", by.caller, teller.masked(&by.reason))
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

fn refund_requested(teller: &Teller<'_>, key: &FactKey, request: &RefundRequest) -> String {
    let who = if request.automatic { "by the engine itself" } else { "by the caller" };
    let why = if request.reason.is_empty() {
        String::new()
    } else {
        format!(", for: {}", teller.masked(&request.reason))
    };
    format!(
        "refund {} of {} from payment {} was requested {who} and its amount reserved{why}",
        refund_no(key),
        request.amount,
        request.trade_no
    )
}

fn refund_call_ended(teller: &Teller<'_>, key: &FactKey, outcome: &AttemptOutcome) -> String {
    let (provider, call, no) = (teller.provider(), number(key), refund_no(key));
    let said = teller.said(&outcome.code, &outcome.message);
    match outcome.class {
        Class::Done => format!("{provider} took call {call} of refund {no}{said}"),
        Class::Final => format!("{provider} refused call {call} of refund {no}{said}"),
        Class::NotSent => format!("call {call} of refund {no} never left{said}"),
        Class::Retry | Class::Unknown | Class::Ops => {
            format!("call {call} of refund {no} ended as {}{said}", outcome.class.as_str())
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
        Closure::OperatorConfirmed => {
            "closed, OPERATOR_CONFIRMED: a person confirmed that nothing was paid".to_owned()
        }
    }
}

fn paid(teller: &Teller<'_>, key: &FactKey, payment: &Payment) -> String {
    let provider = teller.provider();
    let sum = money(payment.total_minor, payment.currency);
    let trade_no = &payment.trade_no;
    match (key, payment.evidence) {
        (FactKey::PaidConfirmed(_), _) => {
            format!("{provider}, asked about payment {trade_no}, says so, too")
        }
        (FactKey::PaidStated(_), _) => format!("a notification stated payment {trade_no} as {sum}"),
        (_, Evidence::Stated) => format!("payment {trade_no} of {sum}, proven by {provider}"),
        (_, Evidence::Assumed) => format!(
            "payment {trade_no}, proven by {provider}, which named no amount; taken for the order's own, \
             {sum}"
        ),
        (_, Evidence::Operator) => format!("payment {trade_no} of {sum}, set by a person"),
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

/// The number in the key of an attempt, its outcome, its launch, a close call or a call of a refund.
const fn number(key: &FactKey) -> u32 {
    match key {
        FactKey::Attempt(n)
        | FactKey::AttemptOutcome(n)
        | FactKey::Launch(n)
        | FactKey::Closing(n)
        | FactKey::RefundCall(_, n)
        | FactKey::RefundCallOutcome(_, n) => *n,
        _ => 0,
    }
}

/// The refund in a key.
fn refund_no(key: &FactKey) -> &str {
    match key {
        FactKey::RefundRequested(no)
        | FactKey::RefundCall(no, _)
        | FactKey::RefundCallOutcome(no, _)
        | FactKey::RefundDone(no)
        | FactKey::RefundFailed(no)
        | FactKey::OperatorRefundDone(no)
        | FactKey::OperatorRefundFailed(no) => no.as_str(),
        _ => "?",
    }
}

/// The reason in the key of an attention.
const fn reason(key: &FactKey) -> &'static str {
    match key {
        FactKey::Attention(reason, _) | FactKey::AttentionResolved(reason, _) => reason.as_str(),
        _ => "attention",
    }
}
