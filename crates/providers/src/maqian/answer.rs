//! Answers of the server API: proof first, then what they say.
//!
//! Nothing counts that is not signed, a refusal neither; a refusal without a signature that is about our own signature calls
//! a person, since no answer to it can be signed.

use paymux_domain::http::HttpResponse;
use paymux_domain::outcome::{CallReport, Class, Word};
use paymux_domain::ports::Call;
use paymux_domain::refund::{RefundProgress, RefundWord};

use super::config::Account;
use super::sign::{self, Proof};
use super::status::{self, Ask, Said, Verdict};
use super::wire::Fields;
use super::{request, transaction};
use crate::text;

/// An answer that says nothing readable.
const MALFORMED: &str = "MALFORMED";
/// No signature.
const UNSIGNED: &str = "UNSIGNED";
/// A signature that does not verify.
const BAD_SIGNATURE: &str = "BAD_SIGNATURE";
/// A signature over a text that can be read in two ways.
const AMBIGUOUS: &str = "AMBIGUOUS";
/// An answer about another order, refund or merchant.
const MISMATCH: &str = "MISMATCH";
/// HTTP 429.
const TOO_FAST: &str = "HTTP_429";
/// A status that is not listed.
const OTHER_STATUS: &str = "OTHER_STATUS";
/// A refund that has failed.
const REFUND_FAILED: &str = "STATUS_2";

/// Verifies and reads an answer.
pub(super) fn parse(account: &Account, call: &Call, response: &HttpResponse) -> CallReport {
    let (Some(ask), Some(saas)) = (Ask::of(call), &account.saas) else { return unknown(MALFORMED) };
    match response.status {
        200 => {}
        429 => return refused(status::verdict(ask, Said::TooFast), TOO_FAST, ""),
        other => return unknown(&format!("HTTP_{other}")),
    }
    let Some(fields) = Fields::from_json(&response.body) else { return unknown(MALFORMED) };
    match sign::md5_proof(&saas.keys, &fields) {
        Proof::Signed => {}
        Proof::Unsigned => return unsigned(ask, account, &fields),
        Proof::Wrong => return unknown(BAD_SIGNATURE),
        Proof::Ambiguous => return unknown(AMBIGUOUS),
    }
    let Some(said) = Said::of(ask, &fields, &account.absent_codes) else { return unknown(MALFORMED) };
    if let Some(field) = foreign_field(account, call, &fields) {
        return CallReport { words: vec![Word::Mismatch { field }], ..unknown(MISMATCH) };
    }
    let code = text::message_text(status::code(&fields).unwrap_or_default(), "");
    match status::verdict(ask, said) {
        Verdict::Done => done(ask, said, call, &fields),
        Verdict::Final if said == Said::Failed => {
            refused(Verdict::Final, REFUND_FAILED, status::message(&fields))
        }
        Verdict::Unknown => unknown(if said == Said::OtherStatus { OTHER_STATUS } else { MALFORMED }),
        verdict => refused(verdict, &code, status::message(&fields)),
    }
}

/// Whoever cannot be told apart by a signature may say anything, but to say that our own signature is wrong harms nobody.
fn unsigned(ask: Ask, account: &Account, fields: &Fields) -> CallReport {
    match Said::of(ask, fields, &account.absent_codes) {
        Some(Said::NotOurs) => {
            let code = text::message_text(status::code(fields).unwrap_or_default(), "");
            refused(Verdict::Person, &code, status::message(fields))
        }
        _ => unknown(UNSIGNED),
    }
}

/// The first field in which an answer names another order, refund or merchant than the call.
fn foreign_field(account: &Account, call: &Call, fields: &Fields) -> Option<&'static str> {
    let refund = call.refund.as_ref().map(|(_, refund)| refund);
    let trade_no = match refund {
        Some(refund) => Some(&refund.trade_no),
        None => request::asked_no(&call.order),
    };
    let own = [
        ("merch_no", Some(account.merch_no.as_str())),
        ("out_trade_no", Some(call.created.out_trade_no.as_str())),
        ("trade_no", trade_no.map(|number| number.as_str())),
        ("out_refund_no", refund.map(|refund| refund.out_refund_no.as_str())),
    ];
    let is_other = |(name, own): &(&str, Option<&str>)| {
        own.is_some_and(|own| fields.get(name).is_some_and(|given| given != own))
    };
    own.into_iter().find(is_other).map(|(name, _)| name)
}

/// The wanted state holds, or the question was answered.
fn done(ask: Ask, said: Said, call: &Call, fields: &Fields) -> CallReport {
    let read = match ask {
        Ask::Query => state(said, fields),
        Ask::Close if said == Said::Absent => Ok(Word::NotExist),
        Ask::Close => Ok(Word::Closed),
        Ask::Refund | Ask::RefundQuery => refund(said, call, fields).map(Word::Refund),
    };
    match read {
        Ok(word) => CallReport::done(vec![word]),
        Err(field) => CallReport { message: format!("{field} cannot be read"), ..unknown(MALFORMED) },
    }
}

/// Where an order stands. That it is paid or closed counts only beside our number, which alone says that it is this order.
fn state(said: Said, fields: &Fields) -> Result<Word, &'static str> {
    if said == Said::Absent {
        return Ok(Word::NotExist);
    }
    fields.get("out_trade_no").ok_or("out_trade_no")?;
    match said {
        Said::Success => transaction::payment(fields).map(Word::Paid),
        Said::Failed => Ok(Word::Closed),
        Said::TimedOut => Ok(Word::Expired),
        Said::Underway => Ok(Word::Open),
        _ => Err("trade_status"),
    }
}

/// Where a refund stands. Without its number in the answer it is the one that was called for.
fn refund(said: Said, call: &Call, fields: &Fields) -> Result<RefundWord, &'static str> {
    let number = call.refund.as_ref().map(|(_, refund)| refund.out_refund_no.clone());
    let progress = match said {
        Said::Success => RefundProgress::Done,
        Said::Failed => RefundProgress::Closed,
        Said::Underway => RefundProgress::Processing,
        Said::Absent => RefundProgress::NotExist,
        _ => return Err("trade_status"),
    };
    stated(fields, progress).map(|word| RefundWord { out_refund_no: number, ..word })
}

/// What answers and notifications state of a refund beside its number.
pub(super) fn stated(fields: &Fields, progress: RefundProgress) -> Result<RefundWord, &'static str> {
    let amount = fields.get("refund_amount");
    let amount = amount.map(|yuan| text::minor_of_yuan(yuan).ok_or("refund_amount")).transpose()?;
    let status = fields.get("refund_status").or_else(|| fields.get("trade_status"));
    Ok(RefundWord {
        out_refund_no: None,
        progress,
        amount_minor: amount,
        provider_refund_no: fields.get("refund_no").map(|number| text::message_text(number, "")),
        // No document names a field for the time of a refund (`providers.md` sections 5.5 and 5.6).
        success_time: None,
        code: status.map(|status| format!("STATUS_{}", text::message_text(status, ""))).unwrap_or_default(),
    })
}

fn refused(verdict: Verdict, code: &str, message: &str) -> CallReport {
    let class = match verdict {
        Verdict::Final => Class::Final,
        Verdict::Later | Verdict::AskThenLater | Verdict::Throttled => Class::Retry,
        Verdict::Person => Class::Ops,
        Verdict::Done | Verdict::Unknown => Class::Unknown,
    };
    CallReport {
        message: text::message_text(message, ""),
        retry_after: (class == Class::Retry).then_some(status::PAUSE),
        ask: verdict == Verdict::AskThenLater,
        throttled: verdict == Verdict::Throttled,
        ..CallReport::of(class, code)
    }
}

fn unknown(code: &str) -> CallReport {
    CallReport::of(Class::Unknown, code)
}
