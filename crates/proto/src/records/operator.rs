//! What operators ask and confirm, in commands and facts.

use paymux_domain::confirm::{ConfirmCommand, Confirmation, OperatorWord};
use paymux_domain::fact::{AttentionReason, FactBody, Fulfilment};
use paymux_domain::payment::Payment;
use paymux_domain::replay::ReplayCommand;

use super::command::{head, head_message};
use super::{RecordError, bodies, malformed, name, present, words};
use crate::api::{fulfilment_word, reason_word};
use crate::v1;
use crate::v1::confirm_command::Outcome;

pub(super) fn replay_message(command: &ReplayCommand) -> v1::ReplayCommand {
    let settled = |(reason, number): &(AttentionReason, u32)| settled_message(*reason, *number, None);
    v1::ReplayCommand {
        head: Some(head_message(&command.order)),
        reason: command.reason.clone(),
        attention: command.attention.iter().map(settled).collect(),
    }
}

pub(super) fn replay(message: v1::ReplayCommand) -> Result<ReplayCommand, RecordError> {
    let named = |settled: &v1::SettledAttention| Ok((words::reason(settled.reason)?, numbered(settled)?));
    Ok(ReplayCommand {
        order: head(present(message.head, "replay.head")?)?,
        reason: message.reason,
        attention: message.attention.iter().map(named).collect::<Result<_, RecordError>>()?,
    })
}

pub(super) fn confirm_message(command: &ConfirmCommand) -> v1::ConfirmCommand {
    let outcome = match &command.outcome {
        Confirmation::Paid(payment) => Outcome::Paid(bodies::paid_message(payment)),
        Confirmation::Unpaid => Outcome::Unpaid(v1::ConfirmedUnpaid {}),
        Confirmation::Refund { refund_no, done, provider_refund_no } => {
            Outcome::Refund(v1::ConfirmedRefund {
                refund_no: refund_no.to_string(),
                done: *done,
                provider_refund_no: provider_refund_no.clone().unwrap_or_default(),
            })
        }
        Confirmation::Attention { reason, number, fulfilment } => {
            Outcome::Attention(settled_message(*reason, *number, *fulfilment))
        }
    };
    v1::ConfirmCommand {
        head: Some(head_message(&command.order)),
        reason: command.reason.clone(),
        outcome: Some(outcome),
    }
}

pub(super) fn confirm(message: v1::ConfirmCommand) -> Result<ConfirmCommand, RecordError> {
    // A newer version may confirm what this one cannot act upon.
    let outcome = match message.outcome.ok_or(RecordError::Unknown("a confirmation"))? {
        Outcome::Paid(paid) => Confirmation::Paid(bodies::payment(paid)?),
        Outcome::Unpaid(_) => Confirmation::Unpaid,
        Outcome::Refund(refund) => Confirmation::Refund {
            refund_no: name(&refund.refund_no)?,
            done: refund.done,
            provider_refund_no: Some(refund.provider_refund_no).filter(|no| !no.is_empty()),
        },
        Outcome::Attention(settled) => Confirmation::Attention {
            reason: words::reason(settled.reason)?,
            number: numbered(&settled)?,
            fulfilment: settled.fulfilment.map(words::fulfilment).transpose()?,
        },
    };
    let order = head(present(message.head, "confirm.head")?)?;
    Ok(ConfirmCommand { order, reason: message.reason, outcome })
}

fn settled_message(
    reason: AttentionReason,
    number: u32,
    fulfilment: Option<Fulfilment>,
) -> v1::SettledAttention {
    v1::SettledAttention {
        reason: reason_word(reason).into(),
        number,
        fulfilment: fulfilment.map(|word| fulfilment_word(Some(word)).into()),
    }
}

fn numbered(settled: &v1::SettledAttention) -> Result<u32, RecordError> {
    if settled.number == 0 { Err(malformed("attention.number is missing")) } else { Ok(settled.number) }
}

fn word_message(word: &OperatorWord) -> v1::OperatorWord {
    v1::OperatorWord {
        caller: word.caller.clone(),
        request_id: word.request_id.to_string(),
        reason: word.reason.clone(),
    }
}

fn word(message: Option<v1::OperatorWord>) -> Result<OperatorWord, RecordError> {
    let message = present(message, "operator's word")?;
    Ok(OperatorWord {
        caller: message.caller,
        request_id: name(&message.request_id)?,
        reason: message.reason,
    })
}

pub(super) fn paid_message(payment: &Payment, by: &OperatorWord) -> v1::OperatorPaidFact {
    v1::OperatorPaidFact { paid: Some(bodies::paid_message(payment)), word: Some(word_message(by)) }
}

pub(super) fn paid(message: v1::OperatorPaidFact) -> Result<FactBody, RecordError> {
    let payment = bodies::payment(present(message.paid, "operator_paid.paid")?)?;
    Ok(FactBody::OperatorPaid { payment, by: word(message.word)? })
}

pub(super) fn unpaid_message(by: &OperatorWord) -> v1::OperatorUnpaidFact {
    v1::OperatorUnpaidFact { word: Some(word_message(by)) }
}

pub(super) fn unpaid(message: v1::OperatorUnpaidFact) -> Result<FactBody, RecordError> {
    Ok(FactBody::OperatorUnpaid(word(message.word)?))
}

pub(super) fn refund_message(
    state: v1::RefundState,
    provider_refund_no: Option<&String>,
    by: &OperatorWord,
) -> v1::OperatorRefundFact {
    v1::OperatorRefundFact {
        state: state.into(),
        provider_refund_no: provider_refund_no.cloned().unwrap_or_default(),
        word: Some(word_message(by)),
    }
}

pub(super) fn refund(
    message: v1::OperatorRefundFact,
    state: v1::RefundState,
) -> Result<FactBody, RecordError> {
    if message.state != i32::from(state) {
        return Err(malformed("a refund's end does not belong under its key"));
    }
    let provider_refund_no = Some(message.provider_refund_no).filter(|no| !no.is_empty());
    Ok(FactBody::OperatorRefund { provider_refund_no, by: word(message.word)? })
}
