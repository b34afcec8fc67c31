//! Enums of the records, both ways; what one side does not know is an error, never a guess.

use paymux_domain::amount::Currency;
use paymux_domain::fact::{AttentionReason, Cause, CloseReason, Closure, Fulfilment};
use paymux_domain::outcome::Class;
use paymux_domain::payment::Evidence;

use super::wire::Wire;
use super::{RecordError, name};
use crate::api::{closure_word, fulfilment_word, reason_word};
use crate::v1;

pub(super) fn reason(number: i32) -> Result<AttentionReason, RecordError> {
    AttentionReason::ALL
        .into_iter()
        .find(|reason| i32::from(reason_word(*reason)) == number)
        .ok_or(RecordError::Unknown("a reason for attention"))
}

pub(super) fn closure(number: i32) -> Result<Closure, RecordError> {
    [Closure::ProviderConfirmed, Closure::NeverSent, Closure::LocalExpiry, Closure::OperatorConfirmed]
        .into_iter()
        .find(|closure| i32::from(closure_word(*closure)) == number)
        .ok_or(RecordError::Unknown("a closure"))
}

pub(super) fn fulfilment(number: i32) -> Result<Fulfilment, RecordError> {
    [Fulfilment::Fulfil, Fulfilment::DoNotFulfil]
        .into_iter()
        .find(|word| i32::from(fulfilment_word(Some(*word))) == number)
        .ok_or(RecordError::Unknown("a fulfilment"))
}

pub(super) const fn class_word(class: Class) -> v1::OutcomeClass {
    match class {
        Class::Done => v1::OutcomeClass::Done,
        Class::Final => v1::OutcomeClass::Final,
        Class::Retry => v1::OutcomeClass::Retry,
        Class::Unknown => v1::OutcomeClass::Unknown,
        Class::Ops => v1::OutcomeClass::Ops,
        Class::NotSent => v1::OutcomeClass::NotSent,
    }
}

pub(super) fn class(number: i32) -> Result<Class, RecordError> {
    match v1::OutcomeClass::try_from(number) {
        Ok(v1::OutcomeClass::Done) => Ok(Class::Done),
        Ok(v1::OutcomeClass::Final) => Ok(Class::Final),
        Ok(v1::OutcomeClass::Retry) => Ok(Class::Retry),
        Ok(v1::OutcomeClass::Unknown) => Ok(Class::Unknown),
        Ok(v1::OutcomeClass::Ops) => Ok(Class::Ops),
        Ok(v1::OutcomeClass::NotSent) => Ok(Class::NotSent),
        Ok(v1::OutcomeClass::Unspecified) | Err(_) => Err(RecordError::Unknown("an outcome class")),
    }
}

pub(super) const fn close_reason_word(reason: CloseReason) -> v1::CloseReason {
    match reason {
        CloseReason::Caller => v1::CloseReason::Caller,
        CloseReason::Expiry => v1::CloseReason::Expiry,
    }
}

pub(super) fn close_reason(number: i32) -> Result<CloseReason, RecordError> {
    match v1::CloseReason::try_from(number) {
        Ok(v1::CloseReason::Caller) => Ok(CloseReason::Caller),
        Ok(v1::CloseReason::Expiry) => Ok(CloseReason::Expiry),
        Ok(v1::CloseReason::Unspecified) | Err(_) => Err(RecordError::Unknown("a reason for closing")),
    }
}

pub(super) const fn evidence_word(evidence: Evidence) -> v1::PaymentEvidence {
    match evidence {
        Evidence::Stated => v1::PaymentEvidence::Stated,
        Evidence::Assumed => v1::PaymentEvidence::Assumed,
        Evidence::Operator => v1::PaymentEvidence::Operator,
    }
}

pub(super) fn evidence(number: i32) -> Result<Evidence, RecordError> {
    match v1::PaymentEvidence::try_from(number) {
        Ok(v1::PaymentEvidence::Stated) => Ok(Evidence::Stated),
        Ok(v1::PaymentEvidence::Assumed) => Ok(Evidence::Assumed),
        Ok(v1::PaymentEvidence::Operator) => Ok(Evidence::Operator),
        _ => Err(RecordError::Unknown("an evidence of payment")),
    }
}

/// Empty when the provider stated a currency that is unknown here.
pub(super) fn currency_text(currency: Option<Currency>) -> &'static str {
    currency.map_or("", Currency::code)
}

pub(super) fn currency(text: &str) -> Result<Option<Currency>, RecordError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| RecordError::Unknown("a currency"))
}

/// Fields of a [`v1::Cause`].
pub(super) fn put_cause(wire: &mut Wire, cause: &Cause) {
    let (kind, reference) = match cause {
        Cause::Command(request_id) => (v1::CauseKind::Command, request_id.as_str()),
        Cause::Notification(id) => (v1::CauseKind::Notification, id.as_str()),
        Cause::Answer => (v1::CauseKind::ProviderAnswer, ""),
        Cause::Timer => (v1::CauseKind::Timer, ""),
        Cause::Operator(caller) => (v1::CauseKind::Operator, caller.as_str()),
    };
    wire.word(1, kind);
    wire.text(2, reference);
}

pub(super) fn cause(message: &v1::Cause) -> Result<Cause, RecordError> {
    let reference = || message.reference.clone();
    match v1::CauseKind::try_from(message.kind) {
        Ok(v1::CauseKind::Command) => Ok(Cause::Command(name(&message.reference)?)),
        Ok(v1::CauseKind::Notification) => Ok(Cause::Notification(reference())),
        Ok(v1::CauseKind::ProviderAnswer) => Ok(Cause::Answer),
        Ok(v1::CauseKind::Timer) => Ok(Cause::Timer),
        Ok(v1::CauseKind::Operator) => Ok(Cause::Operator(reference())),
        Ok(v1::CauseKind::Unspecified) | Err(_) => Err(RecordError::Unknown("a cause")),
    }
}
