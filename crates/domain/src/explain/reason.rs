//! Why an order is in its state.

use super::teller::{Teller, money};
use crate::fact::{Closure, FactBody, FactKey, Fulfilment};
use crate::fold::{Attempt, State};
use crate::outcome::Class;

pub(super) fn of_state(teller: &Teller<'_>) -> String {
    let order = teller.order;
    if order.is_empty() {
        return "Nothing is known of this order.".to_owned();
    }
    let state = order.state();
    let why = match state {
        State::Accepted if teller.created.is_none() => "no order of this number was ever created here".to_owned(),
        State::Accepted => "it is durable and no create call has been decided yet".to_owned(),
        State::Submitting => submitting(teller),
        State::Pending => pending(teller),
        State::Closing => closing(teller),
        State::Failed => failed(teller),
        State::Closed => closed(teller),
        State::Paid => paid(teller),
    };
    let mut open: Vec<&str> = order.attention().map(|(reason, _, _)| reason.as_str()).collect();
    open.dedup();
    let parked = if order.is_frozen() { " It is parked." } else { "" };
    let attention =
        if open.is_empty() { String::new() } else { format!(" A person should look: {}.", open.join(", ")) };
    format!("{}: {why}.{parked}{attention}", state.as_str())
}

fn submitting(teller: &Teller<'_>) -> String {
    let provider = teller.provider();
    let numbers = |class: Option<Class>| -> Vec<u32> {
        let of_class = |attempt: &Attempt<'_>| attempt.outcome.map(|outcome| outcome.class) == class;
        teller.order.attempts().filter(of_class).map(|attempt| attempt.number).collect()
    };
    let unknown = numbers(None);
    let refused = numbers(Some(Class::Final));
    if !unknown.is_empty() {
        let calls = calls(&unknown);
        let but = if refused.is_empty() { "" } else { "; another was refused, but that decides nothing" };
        return format!("what became of {calls} is not known, so {provider} may have the order{but}");
    }
    if numbers(Some(Class::Done)).is_empty() {
        return format!("{} never left, so {provider} knows nothing of it", calls(&numbers(Some(Class::NotSent))));
    }
    format!("{provider} took the create call, yet nothing has come with which the payer can pay")
}

/// `create call 1` or `create calls 1, 2`.
fn calls(numbers: &[u32]) -> String {
    let list: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    format!("create call{} {}", if list.len() == 1 { "" } else { "s" }, list.join(", "))
}

fn pending(teller: &Teller<'_>) -> String {
    let expire_time = teller.order.launch().and_then(|launch| launch.expire_time);
    let launch = match expire_time {
        Some(time) if time <= teller.now => {
            format!(", with launch parameters that stopped working {}", teller.from_now(time))
        }
        _ => String::new(),
    };
    format!("the payer can pay{launch}; no proof of payment has come")
}

fn closing(teller: &Teller<'_>) -> String {
    let asked = match teller.order.fact(&FactKey::CloseRequested).map(|fact| &fact.body) {
        Some(FactBody::CloseRequested(crate::fact::CloseReason::Caller)) => "the caller wants it closed",
        _ => "its time is up",
    };
    let tries = match teller.order.last_closing_number() {
        0 => "no close call has left yet".to_owned(),
        1 => "1 close call has brought no proof yet".to_owned(),
        n => format!("{n} close calls have brought no proof yet"),
    };
    format!("{asked}, and closing it needs {}'s word; {tries}", teller.provider())
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
    let provider = teller.provider();
    match teller.order.closure() {
        Some(Closure::NeverSent) => {
            "NEVER_SENT, no create call ever left, so nobody could pay and nobody was asked".to_owned()
        }
        Some(Closure::LocalExpiry) => format!(
            "LOCAL_EXPIRY, its time and the grace after it have passed, and {provider} cannot close it: it is \
             not proven unpaid"
        ),
        _ => format!(
            "PROVIDER_CONFIRMED, {provider} closed it, or said twice and late enough that it does not exist there"
        ),
    }
}

fn paid(teller: &Teller<'_>) -> String {
    let order = teller.order;
    let sums: Vec<String> = order
        .payments()
        .map(|payment| format!("{} ({})", money(payment.total_minor, payment.currency), payment.trade_no))
        .collect();
    let fulfilment = match order.fulfilment() {
        Some(Fulfilment::Fulfil) => "FULFIL, the caller delivers",
        Some(Fulfilment::DoNotFulfil) => "DO_NOT_FULFIL, the caller does not deliver",
        None => "not yet decided whether the caller delivers",
    };
    let before = order.state_without_payment();
    let late = if before.is_final() {
        format!("; the order had also ended as {}", before.as_str())
    } else {
        String::new()
    };
    format!("{} took {}{late}; {fulfilment}", teller.provider(), sums.join(" and "))
}
