//! Facts, as the store keeps them.

use std::sync::Arc;

use paymux_domain::fact::{AttemptOutcome, AttentionReason, Fact, FactBody, FactKey};
use paymux_domain::time::Timestamp;
use prost::Message as _;

use super::{RecordError, bodies, created, malformed, operator, present, refund, time, words};
use crate::api::{closure_word, fulfilment_word, reason_word};
use crate::v1;
use crate::v1::fact::Body;
use paymux_domain::refund::{RefundDone, RefundFailed};

/// A fact as bytes.
#[must_use]
pub fn encode_fact(fact: &Fact) -> Vec<u8> {
    let body = match (&fact.key, &fact.body) {
        (_, FactBody::Created(order)) => Body::Created(created::created_message(order)),
        (_, FactBody::Attempt) => Body::Attempt(v1::AttemptFact {}),
        (_, FactBody::AttemptOutcome(outcome)) => Body::AttemptOutcome(outcome_message(outcome)),
        (_, FactBody::Launch(launch)) => Body::Launch(bodies::launch_message(launch)),
        (_, FactBody::CloseRequested(reason)) => {
            Body::CloseRequested(v1::CloseRequestedFact { reason: words::close_reason_word(*reason).into() })
        }
        (_, FactBody::Closing) => Body::Closing(v1::ClosingFact {}),
        (_, FactBody::Closed(closure)) => {
            Body::Closed(v1::ClosedFact { closure: closure_word(*closure).into() })
        }
        (FactKey::PaidConfirmed(_), FactBody::Paid(payment)) => {
            Body::PaidConfirmed(bodies::paid_message(payment))
        }
        (FactKey::PaidStated(_), FactBody::Paid(payment)) => Body::PaidStated(bodies::paid_message(payment)),
        (_, FactBody::Paid(payment)) => Body::Paid(bodies::paid_message(payment)),
        (_, FactBody::Fulfilment(word)) => {
            Body::Fulfilment(v1::FulfilmentFact { fulfilment: fulfilment_word(Some(*word)).into() })
        }
        (_, FactBody::RefundRequested(request)) => Body::RefundRequested(refund::request_message(request)),
        (_, FactBody::RefundCall) => Body::RefundCall(v1::RefundCallFact {}),
        (_, FactBody::RefundCallOutcome(outcome)) => Body::RefundCallOutcome(outcome_message(outcome)),
        (_, FactBody::RefundDone(done)) => Body::RefundOutcome(refund::done_message(done)),
        (_, FactBody::RefundFailed(failed)) => Body::RefundOutcome(refund::failed_message(failed)),
        (key, FactBody::Attention(detail)) => Body::Attention(v1::AttentionFact {
            reason: reason_of(key).map_or(v1::AttentionReason::Unspecified, reason_word).into(),
            detail: detail.clone(),
        }),
        (_, FactBody::AttentionResolved { caller, reason }) => {
            Body::AttentionResolved(v1::AttentionResolvedFact {
                caller: caller.clone(),
                reason: reason.clone(),
            })
        }
        (_, FactBody::OperatorPaid { payment, by }) => {
            Body::OperatorPaid(operator::paid_message(payment, by))
        }
        (_, FactBody::OperatorUnpaid(by)) => Body::OperatorUnpaid(operator::unpaid_message(by)),
        (key, FactBody::OperatorRefund { provider_refund_no, by }) => {
            let state = match key {
                FactKey::OperatorRefundDone(_) => v1::RefundState::Done,
                _ => v1::RefundState::Failed,
            };
            Body::OperatorRefund(operator::refund_message(state, provider_refund_no.as_ref(), by))
        }
    };
    v1::Fact {
        key: fact.key.to_string(),
        time_ms: fact.time.as_millis(),
        cause: Some(words::cause_message(&fact.cause)),
        body: Some(body),
    }
    .encode_to_vec()
}

fn outcome_message(outcome: &AttemptOutcome) -> v1::CallOutcomeFact {
    v1::CallOutcomeFact {
        class: words::class_word(outcome.class).into(),
        code: outcome.code.clone(),
        message: outcome.message.clone(),
    }
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
