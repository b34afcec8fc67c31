//! Answers of check, close and refund: proof first, then what they say.
//!
//! A success counts only when it is signed. A failure without a signature counts as a failure, one with a wrong
//! signature as nothing (`providers.md` section 8 `[assumed]`).

use paymux_domain::http::HttpResponse;
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::ports::Call;
use paymux_domain::refund::{RefundProgress, RefundWord};

use super::config::Account;
use super::sign::{self, Proof};
use super::status::{self, Said, Verdict};
use super::wire::Fields;
use super::{request, transaction};
use crate::text;

/// An answer that says nothing readable.
const MALFORMED: &str = "MALFORMED";
/// A success without a signature.
const UNSIGNED: &str = "UNSIGNED";
/// A signature that does not verify.
const BAD_SIGNATURE: &str = "BAD_SIGNATURE";
/// A signature over a text that can be read in two ways.
const AMBIGUOUS: &str = "AMBIGUOUS";
/// An answer about another order or merchant.
const MISMATCH: &str = "MISMATCH";
/// `return_code` 0: PayJS has no codes of its own.
const REFUSED: &str = "RETURN_CODE_0";
/// HTTP 429.
const TOO_FAST: &str = "HTTP_429";
/// The refund had been made before.
const REFUNDED_BEFORE: &str = "REFUNDED_BEFORE";

/// Verifies and reads an answer.
pub(super) fn parse(account: &Account, call: &Call, response: &HttpResponse) -> CallReport {
    match response.status {
        200 => {}
        429 => return refused(call, status::verdict(call.operation, Said::TooFast), TOO_FAST, ""),
        other => return unknown(&format!("HTTP_{other}")),
    }
    let Some(fields) = Fields::from_json(&response.body) else { return unknown(MALFORMED) };
    let is_signed = match sign::proof(&account.keys, &fields) {
        Proof::Signed => true,
        Proof::Unsigned => false,
        Proof::Wrong => return unknown(BAD_SIGNATURE),
        Proof::Ambiguous => return unknown(AMBIGUOUS),
    };
    let Some(said) = Said::of(call.operation, &fields, is_signed) else { return unknown(MALFORMED) };
    if said == Said::Yes && !is_signed {
        return unknown(UNSIGNED);
    }
    if let Some(field) = foreign_field(account, call, &fields).filter(|_| is_signed) {
        return CallReport { words: vec![Word::Mismatch { field }], ..unknown(MISMATCH) };
    }
    match status::verdict(call.operation, said) {
        Verdict::Done => done(call, said, &fields),
        Verdict::Unknown => unknown(MALFORMED),
        verdict => refused(call, verdict, REFUSED, status::message(&fields)),
    }
}

/// The first field in which an answer names another order or merchant than the call.
fn foreign_field(account: &Account, call: &Call, fields: &Fields) -> Option<&'static str> {
    let own = [
        ("mchid", Some(account.mchid.as_str())),
        ("out_trade_no", Some(call.created.out_trade_no.as_str())),
        ("payjs_order_id", request::asked_id(call).map(|id| id.as_str())),
    ];
    let is_other = |(name, own): &(&str, Option<&str>)| {
        own.is_some_and(|own| fields.get(name).is_some_and(|given| given != own))
    };
    own.into_iter().find(is_other).map(|(name, _)| name)
}

/// The wanted state holds, or the question was answered. The documents have `payjs_order_id` in each of these answers:
/// without it, it would not be known which order is meant.
fn done(call: &Call, said: Said, fields: &Fields) -> CallReport {
    let read = match call.operation {
        _ if fields.get("payjs_order_id").is_none() => Err("payjs_order_id"),
        Operation::Query => state(fields).map(|word| (word, "")),
        Operation::Close => Ok((Word::Closed, "")),
        Operation::Refund => {
            let code = if said == Said::RefundedBefore { REFUNDED_BEFORE } else { "" };
            Ok((Word::Refund(refunded(code)), code))
        }
        Operation::Create => Err("return_code"),
    };
    match read {
        Ok((word, code)) => CallReport { code: code.to_owned(), ..CallReport::done(vec![word]) },
        Err(field) => CallReport { message: format!("{field} cannot be read"), ..unknown(MALFORMED) },
    }
}

/// Paid or not. `out_trade_no` must be there: it alone says that the payment is this order's.
fn state(fields: &Fields) -> Result<Word, &'static str> {
    fields.get("out_trade_no").ok_or("out_trade_no")?;
    match fields.get("status") {
        Some("1") => Ok(Word::Paid(transaction::payment(fields, "paid_time")?)),
        Some("0") => Ok(Word::Open),
        _ => Err("status"),
    }
}

/// PayJS knows neither number nor amount of a refund: it is the one that was called for.
fn refunded(code: &str) -> RefundWord {
    RefundWord {
        out_refund_no: None,
        progress: RefundProgress::Done,
        amount_minor: None,
        provider_refund_no: None,
        success_time: None,
        code: code.to_owned(),
    }
}

fn refused(call: &Call, verdict: Verdict, code: &str, message: &str) -> CallReport {
    let class = match verdict {
        Verdict::Later | Verdict::AskThenLater | Verdict::Throttled => Class::Retry,
        Verdict::LaterThenPerson if refund_calls(call) > status::REFUND_REFUSALS_MAX => Class::Ops,
        Verdict::LaterThenPerson => Class::Retry,
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

/// Calls of this refund that left, this one among them.
fn refund_calls(call: &Call) -> usize {
    let refund = call.refund.as_ref().and_then(|(no, _)| call.order.refund(no));
    let left = |refund: paymux_domain::refund::Refund<'_>| {
        refund
            .calls()
            .filter(|call| call.outcome.is_none_or(|outcome| outcome.class != Class::NotSent))
            .count()
    };
    refund.map_or(0, left)
}

fn unknown(code: &str) -> CallReport {
    CallReport::of(Class::Unknown, code)
}
