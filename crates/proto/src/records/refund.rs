//! Refunds in commands, facts and words.

use paymux_domain::amount::Amount;
use paymux_domain::command::RefundCommand;
use paymux_domain::refund::{RefundDone, RefundFailed, RefundProgress, RefundRequest, RefundWord};

use super::command::{head, head_message};
use super::created::{amount_message, digests, fingerprint};
use super::{RecordError, malformed, millis, name, present, time};
use crate::v1;

pub(super) fn command_message(command: &RefundCommand) -> v1::RefundCommand {
    v1::RefundCommand {
        head: Some(head_message(&command.order)),
        refund_no: command.refund_no.to_string(),
        provider_trade_no: command.trade_no.as_ref().map(ToString::to_string),
        amount: Some(amount_message(command.amount)),
        reason: command.reason.clone(),
        request_fingerprint: digests(&command.fingerprint),
        options_json: command.options_json.clone(),
    }
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

pub(super) fn request_message(request: &RefundRequest) -> v1::RefundRequestedFact {
    v1::RefundRequestedFact {
        provider_trade_no: request.trade_no.to_string(),
        out_refund_no: request.out_refund_no.to_string(),
        amount: Some(amount_message(request.amount)),
        reason: request.reason.clone(),
        automatic: request.automatic,
        request_fingerprint: digests(&request.fingerprint),
        options_json: request.options_json.clone(),
    }
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

pub(super) fn done_message(done: &RefundDone) -> v1::RefundOutcomeFact {
    v1::RefundOutcomeFact {
        state: v1::RefundState::Done.into(),
        provider_refund_no: done.provider_refund_no.clone().unwrap_or_default(),
        success_time_ms: millis(done.success_time),
        ..v1::RefundOutcomeFact::default()
    }
}

pub(super) fn failed_message(failed: &RefundFailed) -> v1::RefundOutcomeFact {
    v1::RefundOutcomeFact {
        state: v1::RefundState::Failed.into(),
        code: failed.code.clone(),
        message: failed.message.clone(),
        ..v1::RefundOutcomeFact::default()
    }
}

pub(super) fn ended_as(message: &v1::RefundOutcomeFact, state: v1::RefundState) -> Result<(), RecordError> {
    if message.state == i32::from(state) {
        Ok(())
    } else {
        Err(malformed("a refund's end does not belong under its key"))
    }
}

pub(super) fn word_message(word: &RefundWord) -> v1::RefundWord {
    v1::RefundWord {
        out_refund_no: word.out_refund_no.as_ref().map(ToString::to_string).unwrap_or_default(),
        progress: progress_word(word.progress).into(),
        provider_refund_no: word.provider_refund_no.clone().unwrap_or_default(),
        amount_minor: word.amount_minor,
        success_time_ms: millis(word.success_time),
        code: word.code.clone(),
    }
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
