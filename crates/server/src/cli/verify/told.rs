//! An examination as text for people and as JSON.

use std::fmt::Write as _;

use paymux_domain::outcome::Word;
use paymux_domain::payment::Payment;
use paymux_domain::refund::{RefundProgress, RefundWord};
use paymux_providers::workbench::{Examination, Said};
use serde_json::{Value, json};

/// Width of the columns of names and findings.
const NAME_CHARS: usize = 11;

/// A line for each check, then what it says, then the verdict.
pub(super) fn text(examination: &Examination) -> String {
    let mut lines = String::new();
    for check in &examination.checks {
        // Writing to a string cannot fail.
        let _ok =
            writeln!(lines, "{:NAME_CHARS$} {:12} {}", check.name, check.finding.as_str(), check.detail);
    }
    if let Some(said) = &examination.said {
        let proven = if examination.verdict.is_ok() { "" } else { " (not proven)" };
        for word in &said.words {
            let _ok =
                writeln!(lines, "{:NAME_CHARS$} {}: {}{proven}", "says", said.out_trade_no, word_text(word));
        }
    }
    let verdict = match &examination.verdict {
        Ok(_) => "the engine takes it".to_owned(),
        Err(refusal) => format!("the engine refuses it: {refusal}"),
    };
    let _ok = write!(lines, "{:NAME_CHARS$} {verdict}", "verdict");
    lines
}

/// The same for programs.
pub(super) fn json(examination: &Examination) -> Value {
    let check = |check: &paymux_providers::workbench::Check| json!({ "check": check.name, "finding": check.finding.as_str(), "detail": check.detail });
    let refusal = examination.verdict.as_ref().err();
    json!({
        "checks": examination.checks.iter().map(check).collect::<Vec<_>>(),
        "says": examination.said.as_ref().map(said_json),
        "verdict": {
            "accepted": refusal.is_none(),
            "reason": refusal.map(|refusal| refusal.reason.as_str()),
            "detail": refusal.map(|refusal| &refusal.detail),
        },
    })
}

fn said_json(said: &Said) -> Value {
    json!({
        "out_trade_no": said.out_trade_no,
        "words": said.words.iter().map(word_json).collect::<Vec<_>>(),
    })
}

fn word_text(word: &Word) -> String {
    match word {
        Word::Paid(payment) => format!("paid {}, {}", payment.trade_no, money(payment.total_minor, payment)),
        Word::Refund(refund) => {
            let number = refund.out_refund_no.as_ref().map(ToString::to_string).unwrap_or_default();
            let amount =
                refund.amount_minor.map(|minor| format!(" of {minor} minor units")).unwrap_or_default();
            format!("refund {number}{amount} is {}", progress(refund))
        }
        Word::RefundedElsewhere => "refunded by somebody else".to_owned(),
        Word::Hint => "nothing that is proven: the provider is asked".to_owned(),
        _ => "nothing that a notification should say".to_owned(),
    }
}

fn word_json(word: &Word) -> Value {
    match word {
        Word::Paid(payment) => json!({
            "word": "paid",
            "provider_trade_no": payment.trade_no.as_str(),
            "total": { "currency": payment.currency.map(|currency| currency.code()), "minor": payment.total_minor },
            "success_time": payment.success_time.map(|time| time.as_millis()).and_then(rfc3339),
        }),
        Word::Refund(refund) => json!({
            "word": "refund",
            "out_refund_no": refund.out_refund_no.as_ref().map(|number| number.as_str()),
            "progress": progress(refund),
            "minor": refund.amount_minor,
            "provider_refund_no": refund.provider_refund_no,
            "success_time": refund.success_time.map(|time| time.as_millis()).and_then(rfc3339),
        }),
        Word::RefundedElsewhere => json!({ "word": "refunded_elsewhere" }),
        Word::Hint => json!({ "word": "hint" }),
        _ => json!({ "word": "other" }),
    }
}

const fn progress(refund: &RefundWord) -> &'static str {
    match refund.progress {
        RefundProgress::Processing => "processing",
        RefundProgress::Done => "done",
        RefundProgress::Closed => "closed",
        RefundProgress::Stuck => "stuck",
        RefundProgress::NotExist => "unknown there",
    }
}

/// An amount as stated, right or wrong.
fn money(minor: i64, payment: &Payment) -> String {
    let currency = payment.currency.map_or("of an unknown currency", |currency| currency.code());
    let sign = if minor < 0 { "-" } else { "" };
    let minor = minor.unsigned_abs();
    format!("{sign}{}.{:02} {currency}", minor / 100, minor % 100)
}

fn rfc3339(millis: i64) -> Option<String> {
    Some(format!("{:.3}", jiff::Timestamp::from_millisecond(millis).ok()?))
}
