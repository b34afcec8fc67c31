//! Refunds in commands, facts and words.

use paymux_domain::amount::Amount;
use paymux_domain::command::RefundCommand;
use paymux_domain::name::{OutRefundNo, ProviderTradeNo};
use paymux_domain::refund::{RefundDone, RefundFailed, RefundProgress, RefundRequest, RefundWord};

use super::command::{head, put_head};
use super::created::{fingerprint, put_amount, put_digests};
use super::wire::Wire;
use super::{RecordError, malformed, millis, name, present, time};
use crate::v1;

/// Fields of a [`v1::RefundCommand`].
pub(super) fn put_command(wire: &mut Wire, command: &RefundCommand) {
    put_head(wire, &command.order);
    wire.text(2, command.refund_no.as_str());
    wire.stated_text(3, command.trade_no.as_ref().map(ProviderTradeNo::as_str));
    wire.message(4, |wire| put_amount(wire, command.amount));
    wire.text(5, &command.reason);
    put_digests(wire, 6, &command.fingerprint);
    wire.text(7, &command.options_json);
}

pub(super) fn command(message: v1::RefundCommand) -> Result<RefundCommand, RecordError> {
    Ok(RefundCommand {
        order: head(present(message.head, "refund.head")?)?,
        refund_no: name(&message.refund_no)?,
        trade_no: message.provider_trade_no.map(|no| name(&no)).transpose()?,
        amount: amount(message.amount)?,
        reason: message.reason,
        options_json: message.options_json,
        fingerprint: fingerprint(message.request_fingerprint),
    })
}

fn amount(message: Option<v1::Amount>) -> Result<Amount, RecordError> {
    super::created::amount(&present(message, "refund.amount")?)
}

/// Fields of a [`v1::RefundRequestedFact`].
pub(super) fn put_request(wire: &mut Wire, request: &RefundRequest) {
    wire.text(1, request.trade_no.as_str());
    wire.text(2, request.out_refund_no.as_str());
    wire.message(3, |wire| put_amount(wire, request.amount));
    wire.text(4, &request.reason);
    wire.number(5, request.automatic);
    put_digests(wire, 6, &request.fingerprint);
    wire.text(7, &request.options_json);
}

pub(super) fn request(message: v1::RefundRequestedFact) -> Result<RefundRequest, RecordError> {
    Ok(RefundRequest {
        trade_no: name(&message.provider_trade_no)?,
        out_refund_no: name(&message.out_refund_no)?,
        amount: amount(message.amount)?,
        reason: message.reason,
        options_json: message.options_json,
        automatic: message.automatic,
        fingerprint: fingerprint(message.request_fingerprint),
    })
}

/// Fields of a [`v1::RefundOutcomeFact`].
pub(super) fn put_done(wire: &mut Wire, done: &RefundDone) {
    wire.word(1, v1::RefundState::Done);
    wire.text(4, done.provider_refund_no.as_deref().unwrap_or_default());
    wire.stated_number(5, millis(done.success_time));
}

/// Fields of a [`v1::RefundOutcomeFact`].
pub(super) fn put_failed(wire: &mut Wire, failed: &RefundFailed) {
    wire.word(1, v1::RefundState::Failed);
    wire.text(2, &failed.code);
    wire.text(3, &failed.message);
}

pub(super) fn ended_as(message: &v1::RefundOutcomeFact, state: v1::RefundState) -> Result<(), RecordError> {
    if message.state == i32::from(state) {
        Ok(())
    } else {
        Err(malformed("a refund's end does not belong under its key"))
    }
}

/// Fields of a [`v1::RefundWord`].
pub(super) fn put_word(wire: &mut Wire, word: &RefundWord) {
    wire.text(1, word.out_refund_no.as_ref().map_or("", OutRefundNo::as_str));
    wire.word(2, progress_word(word.progress));
    wire.text(3, word.provider_refund_no.as_deref().unwrap_or_default());
    wire.stated_number(4, word.amount_minor);
    wire.text(5, &word.code);
    wire.stated_number(6, millis(word.success_time));
}

pub(super) fn word(message: v1::RefundWord) -> Result<RefundWord, RecordError> {
    let stated = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(RefundWord {
        out_refund_no: stated(message.out_refund_no).map(|no| name(&no)).transpose()?,
        progress: progress(message.progress)?,
        amount_minor: message.amount_minor,
        provider_refund_no: stated(message.provider_refund_no),
        success_time: time(message.success_time_ms),
        code: message.code,
    })
}

const fn progress_word(progress: RefundProgress) -> v1::RefundProgress {
    match progress {
        RefundProgress::Processing => v1::RefundProgress::Processing,
        RefundProgress::Done => v1::RefundProgress::Done,
        RefundProgress::Closed => v1::RefundProgress::Closed,
        RefundProgress::Stuck => v1::RefundProgress::Stuck,
        RefundProgress::NotExist => v1::RefundProgress::NotExist,
    }
}

fn progress(number: i32) -> Result<RefundProgress, RecordError> {
    match v1::RefundProgress::try_from(number) {
        Ok(v1::RefundProgress::Processing) => Ok(RefundProgress::Processing),
        Ok(v1::RefundProgress::Done) => Ok(RefundProgress::Done),
        Ok(v1::RefundProgress::Closed) => Ok(RefundProgress::Closed),
        Ok(v1::RefundProgress::Stuck) => Ok(RefundProgress::Stuck),
        Ok(v1::RefundProgress::NotExist) => Ok(RefundProgress::NotExist),
        Ok(v1::RefundProgress::Unspecified) | Err(_) => Err(RecordError::Unknown("a refund's progress")),
    }
}
