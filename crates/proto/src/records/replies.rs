//! Replies to instances that wait, on their way between processes.

use paymux_domain::confirm::ConfirmRefusal;
use paymux_domain::ports::{FieldFault, Reply, ReplyKind};
use paymux_domain::refund::RefundRefusal;
use prost::Message as _;

use super::command::{address, address_message};
use super::{FORMAT_VERSION, RecordError, check_version, order_key, present};
use crate::v1;
use crate::v1::ErrorReason as Reason;
use crate::v1::reply_record::Outcome;

/// A reply as bytes.
#[must_use]
pub fn encode_reply(reply: &Reply) -> Vec<u8> {
    let outcome = match &reply.kind {
        ReplyKind::Ready => Outcome::Ready(v1::Nothing {}),
        ReplyKind::Conflict { differing } => conflict(Reason::OrderConflict, differing),
        ReplyKind::NotFound => refusal(Reason::OrderNotFound),
        ReplyKind::Refused(RefundRefusal::Conflict(differing)) => conflict(Reason::RefundConflict, differing),
        ReplyKind::Refused(refused) => refusal(refund_reason(refused)),
        ReplyKind::Unconfirmed(ConfirmRefusal::RefundNotFound) => refusal(Reason::RefundNotFound),
        ReplyKind::Unconfirmed(ConfirmRefusal::Contradicts(faults)) => {
            let field = |fault: &FieldFault| v1::RefusedField {
                field: fault.field.clone(),
                reason: fault.reason.clone(),
            };
            Outcome::Refusal(v1::Refusal {
                reason: Reason::ConfirmationContradicts.into(),
                refused_fields: faults.iter().map(field).collect(),
                ..v1::Refusal::default()
            })
        }
    };
    v1::ReplyRecord {
        format_version: FORMAT_VERSION,
        reply_to: Some(address_message(&reply.to)),
        merchant_id: reply.key.merchant_id.to_string(),
        merchant_order_no: reply.key.order_no.to_string(),
        outcome: Some(outcome),
    }
    .encode_to_vec()
}

/// A reply out of bytes.
///
/// # Errors
/// `Newer` and `Unknown` for what a newer version sent, `Malformed` for what is no reply.
pub fn decode_reply(bytes: &[u8]) -> Result<Reply, RecordError> {
    let message = v1::ReplyRecord::decode(bytes)?;
    check_version(message.format_version)?;
    let kind = match present(message.outcome, "outcome")? {
        Outcome::Ready(v1::Nothing {}) => ReplyKind::Ready,
        Outcome::Refusal(refusal) => refused(refusal)?,
    };
    Ok(Reply {
        to: address(present(message.reply_to, "reply_to")?)?,
        key: order_key(&message.merchant_id, &message.merchant_order_no)?,
        kind,
    })
}

fn refusal(reason: Reason) -> Outcome {
    Outcome::Refusal(v1::Refusal { reason: reason.into(), ..v1::Refusal::default() })
}

fn conflict(reason: Reason, differing: &[String]) -> Outcome {
    let differing_fields = differing.to_vec();
    Outcome::Refusal(v1::Refusal { reason: reason.into(), differing_fields, ..v1::Refusal::default() })
}

const fn refund_reason(refused: &RefundRefusal) -> Reason {
    match refused {
        RefundRefusal::Conflict(_) => Reason::RefundConflict,
        RefundRefusal::NotPaid => Reason::OrderNotPaid,
        RefundRefusal::PaymentNotFound => Reason::PaymentNotFound,
        RefundRefusal::ExceedsPayment => Reason::RefundExceedsPayment,
        RefundRefusal::CountExceeded => Reason::RefundCountExceeded,
        RefundRefusal::WindowPassed => Reason::RefundWindowPassed,
        RefundRefusal::PartialNotOffered => Reason::PartialRefundNotOffered,
        RefundRefusal::NotOffered => Reason::OperationNotOffered,
        RefundRefusal::Parked => Reason::OrderParked,
    }
}

fn refused(refusal: v1::Refusal) -> Result<ReplyKind, RecordError> {
    let reason = refusal.reason();
    let differing = refusal.differing_fields;
    let kind = match reason {
        Reason::OrderConflict => ReplyKind::Conflict { differing },
        Reason::OrderNotFound => ReplyKind::NotFound,
        Reason::RefundConflict => ReplyKind::Refused(RefundRefusal::Conflict(differing)),
        Reason::OrderNotPaid => ReplyKind::Refused(RefundRefusal::NotPaid),
        Reason::PaymentNotFound => ReplyKind::Refused(RefundRefusal::PaymentNotFound),
        Reason::RefundExceedsPayment => ReplyKind::Refused(RefundRefusal::ExceedsPayment),
        Reason::RefundCountExceeded => ReplyKind::Refused(RefundRefusal::CountExceeded),
        Reason::RefundWindowPassed => ReplyKind::Refused(RefundRefusal::WindowPassed),
        Reason::PartialRefundNotOffered => ReplyKind::Refused(RefundRefusal::PartialNotOffered),
        Reason::OperationNotOffered => ReplyKind::Refused(RefundRefusal::NotOffered),
        Reason::OrderParked => ReplyKind::Refused(RefundRefusal::Parked),
        Reason::RefundNotFound => ReplyKind::Unconfirmed(ConfirmRefusal::RefundNotFound),
        Reason::ConfirmationContradicts => {
            let fault = |field: v1::RefusedField| FieldFault { field: field.field, reason: field.reason };
            let faults = refusal.refused_fields.into_iter().map(fault).collect();
            ReplyKind::Unconfirmed(ConfirmRefusal::Contradicts(faults))
        }
        _ => return Err(RecordError::Unknown("a reason of a refusal")),
    };
    Ok(kind)
}
