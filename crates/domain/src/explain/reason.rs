//! Why an order is in its state.

use super::teller::{Teller, money};
use crate::fact::{CloseReason, Closure, FactBody, FactKey, Fulfilment};
use crate::fold::{Attempt, State};
use crate::outcome::Class;
use crate::payment::Evidence;

pub(super) fn of_state(teller: &Teller<'_>) -> String {
    let order = teller.order;
    if order.is_empty() {
        return "Nothing is known of this order.".to_owned();
    }
    let why = match order.state() {
        State::Accepted if teller.created.is_none() => "no order of this number was created here".to_owned(),
        State::Accepted => "the order is safely stored, and no create call has left yet".to_owned(),
        State::Submitting => submitting(teller),
        State::Pending => pending(teller),
        State::Closing => closing(teller),
        State::Failed => failed(teller),
        State::Closed => closed(teller),
        State::Paid => paid(teller),
    };
    let mut open: Vec<&str> = order.attention().map(|(reason, _, _)| reason.as_str()).collect();
    open.dedup();
    let attention = match (open.is_empty(), order.is_frozen()) {
        (true, _) => String::new(),
        (false, true) => format!(" It is parked and needs a person: {}.", open.join(", ")),
        (false, false) => format!(" It needs a person: {}.", open.join(", ")),
    };
    format!("{}: {why}.{attention}", order.state().as_str())
}

fn submitting(teller: &Teller<'_>) -> String {
    let provider = teller.provider();
    let of_class = |class: Option<Class>| -> Vec<u32> {
        let same = |attempt: &Attempt<'_>| attempt.outcome.map(|outcome| outcome.class) == class;
        teller.order.attempts().filter(same).map(|attempt| attempt.number).collect()
    };
    let (unknown, refused) = (of_class(None), of_class(Some(Class::Final)));
    if !unknown.is_empty() {
        let but = if refused.is_empty() {
            String::new()
        } else {
            format!("; that {} was refused ends nothing while that is open", calls(&refused))
        };
        return format!(
            "what became of {} is not known, so {provider} may have the order; unknown is not failed{but}",
            calls(&unknown)
        );
    }
    if of_class(Some(Class::Done)).is_empty() {
        let tried = of_class(Some(Class::NotSent));
        return format!("{} never left, so {provider} knows nothing of the order", calls(&tried));
    }
    format!("{provider} took the create call, but sent nothing with which the payer can pay")
}

/// `create call 1` or `create calls 1, 2`.
fn calls(numbers: &[u32]) -> String {
    let list: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    format!("create call{} {}", if list.len() == 1 { "" } else { "s" }, list.join(", "))
}

fn pending(teller: &Teller<'_>) -> String {
    let expire_time = teller.order.launch().and_then(|launch| launch.expire_time);
    let can_pay = match expire_time {
        Some(time) if time <= teller.now => {
            format!(
                "the payer could pay, but the launch parameters stopped working {}",
                teller.relative(time)
            )
        }
        _ => "the payer can pay".to_owned(),
    };
    format!("{can_pay}; no payment that fits the order has been proven")
}

fn closing(teller: &Teller<'_>) -> String {
    let wish = match teller.order.fact(&FactKey::CloseRequested).map(|fact| &fact.body) {
        Some(FactBody::CloseRequested(CloseReason::Caller)) => "the caller wants it closed",
        _ => "its time is up",
    };
    let tries = match teller.order.last_closing_number() {
        0 => String::new(),
        1 => " after 1 close call".to_owned(),
        n => format!(" after {n} close calls"),
    };
    format!("{wish}, and how it ends is not proven yet{tries}")
}

fn failed(teller: &Teller<'_>) -> String {
    let outcome = teller.order.failed_by().and_then(|key| teller.order.fact(key)).map(|fact| &fact.body);
    let said = match outcome {
        Some(FactBody::AttemptOutcome(outcome)) => teller.said(&outcome.code, &outcome.message),
        _ => String::new(),
    };
    format!("{} refused for good every create call that left{said}", teller.provider())
}

fn closed(teller: &Teller<'_>) -> String {
    let (order, provider) = (teller.order, teller.provider());
    match order.closure() {
        Some(Closure::NeverSent) => {
            "NEVER_SENT, for no create call ever left: nobody could pay, nobody had to be asked".to_owned()
        }
        Some(Closure::LocalExpiry) => format!(
            "LOCAL_EXPIRY, for its time and the grace after it are over and {provider} cannot close it: not \
             proven unpaid"
        ),
        Some(Closure::OperatorConfirmed) => {
            let by = match order.fact(&FactKey::OperatorUnpaid).map(|fact| &fact.body) {
                Some(FactBody::OperatorUnpaid(by)) => by.caller.as_str(),
                _ => "a person",
            };
            format!("OPERATOR_CONFIRMED, for {by} found out at {provider} that nothing was paid")
        }
        _ => format!(
            "PROVIDER_CONFIRMED, for {provider} closed it, or said twice and late enough that it has no \
             such order"
        ),
    }
}

fn paid(teller: &Teller<'_>) -> String {
    let order = teller.order;
    let sums: Vec<String> = order
        .payments()
        .map(|payment| {
            let by = if payment.evidence == Evidence::Operator { ", by a person's word" } else { "" };
            format!("{} ({}{by})", money(payment.total_minor, payment.currency), payment.trade_no)
        })
        .collect();
    let sums = sums.join(" and ");
    if teller.created.is_none() {
        return format!("{sums} came for a number that was never ordered here");
    }
    let fulfilment = match order.fulfilment() {
        Some(Fulfilment::Fulfil) => "FULFIL, the caller is to deliver",
        Some(Fulfilment::DoNotFulfil) => "DO_NOT_FULFIL, the caller is not to deliver",
        None => "whether the caller is to deliver is not decided",
    };
    let without = order.state_without_payment();
    let late = if without.is_final() {
        format!("; without that money it would be {}", without.as_str())
    } else {
        String::new()
    };
    format!("{} took {sums}{late}; {fulfilment}", teller.provider())
}
