//! What operators ask and confirm, in commands and facts.

use paymux_domain::confirm::{ConfirmCommand, Confirmation, OperatorWord};
use paymux_domain::fact::{AttentionReason, FactBody, Fulfilment};
use paymux_domain::payment::Payment;
use paymux_domain::replay::ReplayCommand;

use super::command::{head, put_head};
use super::wire::Wire;
use super::{RecordError, bodies, malformed, name, present, words};
use crate::api::{fulfilment_word, reason_word};
use crate::v1;
use crate::v1::confirm_command::Outcome;

/// Fields of a [`v1::ReplayCommand`].
pub(super) fn put_replay(wire: &mut Wire, command: &ReplayCommand) {
    put_head(wire, &command.order);
    wire.text(2, &command.reason);
    for (reason, number) in &command.attention {
        wire.message(3, |wire| put_settled(wire, *reason, *number, None));
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

/// Fields of a [`v1::ConfirmCommand`].
pub(super) fn put_confirm(wire: &mut Wire, command: &ConfirmCommand) {
    put_head(wire, &command.order);
    wire.text(2, &command.reason);
    match &command.outcome {
        Confirmation::Paid(payment) => wire.message(3, |wire| bodies::put_paid(wire, payment)),
        Confirmation::Unpaid => wire.message(4, |_| ()),
        Confirmation::Refund { refund_no, done, provider_refund_no } => wire.message(5, |wire| {
            wire.text(1, refund_no.as_str());
            wire.number(2, *done);
            wire.text(3, provider_refund_no.as_deref().unwrap_or_default());
        }),
        Confirmation::Attention { reason, number, fulfilment } => {
            wire.message(6, |wire| put_settled(wire, *reason, *number, *fulfilment));
        }
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

/// Fields of a [`v1::SettledAttention`].
fn put_settled(wire: &mut Wire, reason: AttentionReason, number: u32, fulfilment: Option<Fulfilment>) {
    wire.word(1, reason_word(reason));
    wire.number(2, number);
    wire.stated_number(3, fulfilment.map(|word| i32::from(fulfilment_word(Some(word))).into()));
}

fn numbered(settled: &v1::SettledAttention) -> Result<u32, RecordError> {
    if settled.number == 0 { Err(malformed("attention.number is missing")) } else { Ok(settled.number) }
}

/// Fields of a [`v1::OperatorWord`].
fn put_word(wire: &mut Wire, word: &OperatorWord) {
    wire.text(1, &word.caller);
    wire.text(2, word.request_id.as_str());
    wire.text(3, &word.reason);
}

fn word(message: Option<v1::OperatorWord>) -> Result<OperatorWord, RecordError> {
    let message = present(message, "operator's word")?;
    Ok(OperatorWord {
        caller: message.caller,
        request_id: name(&message.request_id)?,
        reason: message.reason,
    })
}

/// Fields of a [`v1::OperatorPaidFact`].
pub(super) fn put_paid(wire: &mut Wire, payment: &Payment, by: &OperatorWord) {
    wire.message(1, |wire| bodies::put_paid(wire, payment));
    wire.message(2, |wire| put_word(wire, by));
}

pub(super) fn paid(message: v1::OperatorPaidFact) -> Result<FactBody, RecordError> {
    let payment = bodies::payment(present(message.paid, "operator_paid.paid")?)?;
    Ok(FactBody::OperatorPaid { payment, by: word(message.word)? })
}

/// Fields of a [`v1::OperatorUnpaidFact`].
pub(super) fn put_unpaid(wire: &mut Wire, by: &OperatorWord) {
    wire.message(1, |wire| put_word(wire, by));
}

pub(super) fn unpaid(message: v1::OperatorUnpaidFact) -> Result<FactBody, RecordError> {
    Ok(FactBody::OperatorUnpaid(word(message.word)?))
}

/// Fields of a [`v1::OperatorRefundFact`].
pub(super) fn put_refund(
    wire: &mut Wire,
    state: v1::RefundState,
    provider_refund_no: Option<&str>,
    by: &OperatorWord,
) {
    wire.word(1, state);
    wire.text(2, provider_refund_no.unwrap_or_default());
    wire.message(3, |wire| put_word(wire, by));
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
