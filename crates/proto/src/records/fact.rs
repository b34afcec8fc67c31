//! Facts, as the store keeps them.

use std::sync::Arc;

use paymux_domain::fact::{AttemptOutcome, AttentionReason, Fact, FactBody, FactKey};
use paymux_domain::refund::{RefundDone, RefundFailed};
use paymux_domain::time::Timestamp;
use prost::Message as _;

use super::wire::Wire;
use super::{RecordError, bodies, created, malformed, operator, present, refund, time, words};
use crate::api::{closure_word, fulfilment_word, reason_word};
use crate::v1;
use crate::v1::fact::Body;

/// Bytes of a usual fact, and of one that holds the whole order.
const ROOM: usize = 256;
const ROOM_OF_CREATED: usize = 768;

/// A fact as bytes.
#[must_use]
pub fn encode_fact(fact: &Fact) -> Vec<u8> {
    let room = if matches!(fact.body, FactBody::Created(_)) { ROOM_OF_CREATED } else { ROOM };
    Wire::written(room, |wire| {
        wire.shown(1, &fact.key);
        wire.number(2, fact.time.as_millis());
        wire.message(3, |wire| words::put_cause(wire, &fact.cause));
        put_body(wire, &fact.key, &fact.body);
    })
}

/// The field `body` of a [`v1::Fact`].
fn put_body(wire: &mut Wire, key: &FactKey, body: &FactBody) {
    match (key, body) {
        (_, FactBody::Created(order)) => wire.message(4, |wire| created::put_created(wire, order)),
        (_, FactBody::Attempt) => wire.message(5, |_| ()),
        (_, FactBody::AttemptOutcome(outcome)) => wire.message(6, |wire| put_outcome(wire, outcome)),
        (_, FactBody::Launch(launch)) => wire.message(7, |wire| bodies::put_launch(wire, launch)),
        (_, FactBody::CloseRequested(reason)) => {
            wire.message(8, |wire| wire.word(1, words::close_reason_word(*reason)));
        }
        (_, FactBody::Closing) => wire.message(9, |_| ()),
        (_, FactBody::Closed(closure)) => wire.message(10, |wire| wire.word(1, closure_word(*closure))),
        (key, FactBody::Paid(payment)) => {
            wire.message(paid_field(key), |wire| bodies::put_paid(wire, payment))
        }
        (_, FactBody::Fulfilment(word)) => {
            wire.message(13, |wire| wire.word(1, fulfilment_word(Some(*word))));
        }
        (key, FactBody::Attention(detail)) => wire.message(14, |wire| {
            wire.word(1, reason_of(key).map_or(v1::AttentionReason::Unspecified, reason_word));
            wire.text(2, detail);
        }),
        (_, FactBody::AttentionResolved { caller, reason }) => wire.message(15, |wire| {
            wire.text(1, caller);
            wire.text(2, reason);
        }),
        (_, FactBody::RefundRequested(request)) => {
            wire.message(16, |wire| refund::put_request(wire, request));
        }
        (_, FactBody::RefundCall) => wire.message(17, |_| ()),
        (_, FactBody::RefundCallOutcome(outcome)) => wire.message(18, |wire| put_outcome(wire, outcome)),
        (_, FactBody::RefundDone(done)) => wire.message(19, |wire| refund::put_done(wire, done)),
        (_, FactBody::RefundFailed(failed)) => wire.message(19, |wire| refund::put_failed(wire, failed)),
        (_, FactBody::OperatorPaid { payment, by }) => {
            wire.message(21, |wire| operator::put_paid(wire, payment, by));
        }
        (_, FactBody::OperatorUnpaid(by)) => wire.message(22, |wire| operator::put_unpaid(wire, by)),
        (key, FactBody::OperatorRefund { provider_refund_no, by }) => wire.message(23, |wire| {
            let state = match key {
                FactKey::OperatorRefundDone(_) => v1::RefundState::Done,
                _ => v1::RefundState::Failed,
            };
            operator::put_refund(wire, state, provider_refund_no.as_deref(), by);
        }),
    }
}

/// The field of a payment: as first heard, as stated by the provider later, or as confirmed by an answer.
const fn paid_field(key: &FactKey) -> u32 {
    match key {
        FactKey::PaidStated(_) => 12,
        FactKey::PaidConfirmed(_) => 20,
        _ => 11,
    }
}

/// Fields of a [`v1::CallOutcomeFact`].
fn put_outcome(wire: &mut Wire, outcome: &AttemptOutcome) {
    wire.word(1, words::class_word(outcome.class));
    wire.text(2, &outcome.code);
    wire.text(3, &outcome.message);
}

fn outcome(message: v1::CallOutcomeFact) -> Result<AttemptOutcome, RecordError> {
    Ok(AttemptOutcome { class: words::class(message.class)?, code: message.code, message: message.message })
}

/// A fact out of bytes.
///
/// # Errors
/// `Unknown` for what only a newer version can act upon, `Malformed` for what is no fact, or one whose body does
/// not belong under its key.
pub fn decode_fact(bytes: &[u8]) -> Result<Fact, RecordError> {
    let message = v1::Fact::decode(bytes)?;
    let key: FactKey = message.key.parse().map_err(|_| RecordError::Unknown("a fact key"))?;
    let cause = words::cause(&present(message.cause, "fact.cause")?)?;
    let body = body(&key, message.body.ok_or(RecordError::Unknown("a fact body"))?)?;
    Ok(Fact { key, body, time: Timestamp::from_millis(message.time_ms), cause })
}

fn body(key: &FactKey, body: Body) -> Result<FactBody, RecordError> {
    Ok(match (key, body) {
        (FactKey::Created, Body::Created(order)) => FactBody::Created(Arc::new(created::created(order)?)),
        (FactKey::Attempt(_), Body::Attempt(_)) => FactBody::Attempt,
        (FactKey::AttemptOutcome(_), Body::AttemptOutcome(message)) => {
            FactBody::AttemptOutcome(outcome(message)?)
        }
        (FactKey::Launch(_), Body::Launch(launch)) => FactBody::Launch(bodies::launch(launch)?),
        (FactKey::CloseRequested, Body::CloseRequested(request)) => {
            FactBody::CloseRequested(words::close_reason(request.reason)?)
        }
        (FactKey::Closing(_), Body::Closing(_)) => FactBody::Closing,
        (FactKey::Closed, Body::Closed(closed)) => FactBody::Closed(words::closure(closed.closure)?),
        (FactKey::Paid(_), Body::Paid(paid))
        | (FactKey::PaidStated(_), Body::PaidStated(paid))
        | (FactKey::PaidConfirmed(_), Body::PaidConfirmed(paid)) => FactBody::Paid(bodies::payment(paid)?),
        (FactKey::RefundRequested(_), Body::RefundRequested(request)) => {
            FactBody::RefundRequested(Arc::new(refund::request(request)?))
        }
        (FactKey::RefundCall(..), Body::RefundCall(_)) => FactBody::RefundCall,
        (FactKey::RefundCallOutcome(..), Body::RefundCallOutcome(message)) => {
            FactBody::RefundCallOutcome(outcome(message)?)
        }
        (FactKey::RefundDone(_), Body::RefundOutcome(ended)) => {
            refund::ended_as(&ended, v1::RefundState::Done)?;
            let provider_refund_no = Some(ended.provider_refund_no).filter(|no| !no.is_empty());
            let success_time = time(ended.success_time_ms);
            FactBody::RefundDone(RefundDone { provider_refund_no, success_time })
        }
        (FactKey::RefundFailed(_), Body::RefundOutcome(ended)) => {
            refund::ended_as(&ended, v1::RefundState::Failed)?;
            FactBody::RefundFailed(RefundFailed { code: ended.code, message: ended.message })
        }
        (FactKey::Fulfilment(key), Body::Fulfilment(said)) => {
            let word = words::fulfilment(said.fulfilment)?;
            if *key != word.into() {
                return Err(malformed("fulfilment does not belong under its key"));
            }
            FactBody::Fulfilment(word)
        }
        (FactKey::Attention(reason, _), Body::Attention(attention)) => {
            if words::reason(attention.reason)? != *reason {
                return Err(malformed("attention does not belong under its key"));
            }
            FactBody::Attention(attention.detail)
        }
        (FactKey::AttentionResolved(..), Body::AttentionResolved(resolved)) => {
            FactBody::AttentionResolved { caller: resolved.caller, reason: resolved.reason }
        }
        (FactKey::OperatorPaid(_), Body::OperatorPaid(message)) => operator::paid(message)?,
        (FactKey::OperatorUnpaid, Body::OperatorUnpaid(message)) => operator::unpaid(message)?,
        (FactKey::OperatorRefundDone(_), Body::OperatorRefund(message)) => {
            operator::refund(message, v1::RefundState::Done)?
        }
        (FactKey::OperatorRefundFailed(_), Body::OperatorRefund(message)) => {
            operator::refund(message, v1::RefundState::Failed)?
        }
        _ => return Err(malformed("the body does not belong under its key")),
    })
}

const fn reason_of(key: &FactKey) -> Option<AttentionReason> {
    match key {
        FactKey::Attention(reason, _) | FactKey::AttentionResolved(reason, _) => Some(*reason),
        _ => None,
    }
}
