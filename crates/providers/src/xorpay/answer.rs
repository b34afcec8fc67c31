//! Answers of create, query and refund. None is signed: TLS has said whose they are.

use std::time::Duration;

use paymux_domain::http::HttpResponse;
use paymux_domain::launch::{Launch, LaunchParams, WechatJsapi};
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::payment::Evidence;
use paymux_domain::ports::Call;
use paymux_domain::refund::{RefundProgress, RefundWord};

use super::request::{self, Asked};
use super::status::{self, PAUSE, UNNAMED_PAUSE, Verdict};
use super::transaction;
use super::wire::{self, Answer};
use crate::text;

/// An answer that says nothing readable.
const MALFORMED: &str = "MALFORMED";
/// HTTP 429.
const TOO_FAST: &str = "HTTP_429";
/// Paid, and nobody has told under which aoid.
const UNNAMED: &str = "AOID_UNKNOWN";
/// Longest code that is kept, in characters; XorPay's own have at most 18.
const CODE_CHARS_MAX: usize = 64;
/// Characters of a launch parameter that are taken.
const PARAM_CHARS_MAX: usize = 1024;
/// How long launch parameters live at most: two hours, as any prepay_id of WeChat's (section 4.2) [assumed].
const LAUNCH_LIFE_MAX: Duration = Duration::from_secs(2 * 3600);

/// Reads an answer.
pub(super) fn parse(call: &Call, response: &HttpResponse) -> CallReport {
    match response.status {
        200 => {}
        429 => return too_fast(call),
        other => return unknown(&format!("HTTP_{other}")),
    }
    let Some(answer) = Answer::from_json(&response.body) else { return unknown(MALFORMED) };
    let Some(status) = answer.text("status") else { return unknown(MALFORMED) };
    let verdict = status::verdict(call.operation, &status);
    let first = !may_be_made_already(call);
    let report = CallReport {
        message: text::message_text(&answer.text("info").unwrap_or_default(), ""),
        ask: verdict.asks(first),
        retry_after: verdict.pause(),
        ..CallReport::of(verdict.class(first, creates_left(call)), code(&status))
    };
    let words = match (call.operation, verdict) {
        (Operation::Create, Verdict::Done) => launched(call, &answer),
        (Operation::Refund, Verdict::Done) => Ok(Word::Refund(refunded())),
        (Operation::Query, Verdict::Paid) => paid(call),
        // About a payment that is known, anything but "paid" says that XorPay does not know it.
        (Operation::Query, Verdict::Open | Verdict::Expired | Verdict::NotExist) => {
            Ok(match Asked::of(call) {
                Asked::Payment(_) => Word::Open,
                Asked::Order => unpaid(verdict),
            })
        }
        _ => {
            return CallReport {
                retry_after: report.retry_after.filter(|_| report.class != Class::Ops),
                ..report
            };
        }
    };
    words.map_or_else(|fault| *fault, |word| CallReport::done(vec![word]))
}

fn unpaid(verdict: Verdict) -> Word {
    match verdict {
        Verdict::Expired => Word::Expired,
        Verdict::NotExist => Word::NotExist,
        _ => Word::Open,
    }
}

/// The order exists: its launch parameters, unchanged, and XorPay's number of it.
fn launched(call: &Call, answer: &Answer) -> Result<Word, Box<CallReport>> {
    let unreadable = |field: &str| Box::new(unreadable(field));
    let aoid =
        answer.text("aoid").and_then(|text| transaction::aoid(&text)).ok_or_else(|| unreadable("aoid"))?;
    let info = answer.info().ok_or_else(|| unreadable("info"))?;
    let param = |name: &str| {
        let value = info.get(name).and_then(wire::text);
        let is_plain =
            |text: &String| text.len() <= PARAM_CHARS_MAX && text.bytes().all(|b| b.is_ascii_graphic());
        value.filter(is_plain).ok_or_else(|| unreadable(name))
    };
    let params = LaunchParams::WechatJsapi(WechatJsapi {
        app_id: param("appId")?,
        time_stamp: param("timeStamp")?,
        nonce_str: param("nonceStr")?,
        package: param("package")?,
        sign_type: param("signType")?,
        pay_sign: param("paySign")?,
    });
    let life = ["expire_in", "expires_in"].into_iter().find_map(|name| answer.text(name)?.parse().ok());
    let life = life.map_or(LAUNCH_LIFE_MAX, Duration::from_secs).min(LAUNCH_LIFE_MAX);
    Ok(Word::Launched(Launch {
        params,
        expire_time: Some(call.now + life),
        provider_order_no: Some(aoid.to_string()),
    }))
}

/// Paid, at the order's own amount: a query tells none (section 2.5). The aoid is the one that was asked about, or that the
/// create's answer told. Without it the payment could not be told from the one of the notification that is still to come,
/// so that is waited for: nobody but a person could pay without the launch parameters that came with it.
fn paid(call: &Call) -> Result<Word, Box<CallReport>> {
    let aoid = match Asked::of(call) {
        Asked::Payment(aoid) => Some(aoid),
        Asked::Order => request::told_aoid(&call.order),
    };
    let Some(aoid) = aoid else {
        return Err(Box::new(CallReport {
            message: "paid, and neither an answer nor a notification has told the aoid yet".to_owned(),
            retry_after: Some(UNNAMED_PAUSE),
            ..CallReport::of(Class::Retry, UNNAMED)
        }));
    };
    let minor = call.created.amount.minor();
    Ok(Word::Paid(transaction::payment(aoid, minor, None, Evidence::Assumed)))
}

/// XorPay has no number of a refund: it is the one that was called for.
fn refunded() -> RefundWord {
    RefundWord {
        out_refund_no: None,
        progress: RefundProgress::Done,
        amount_minor: None,
        provider_refund_no: None,
        success_time: None,
        code: String::new(),
    }
}

/// HTTP 429 [assumed]: XorPay's pages name no limit. A refund may have been made all the same.
fn too_fast(call: &Call) -> CallReport {
    let class = if call.operation == Operation::Refund { Class::Unknown } else { Class::Retry };
    CallReport { throttled: true, retry_after: Some(PAUSE), ..CallReport::of(class, TOO_FAST) }
}

/// Whether an attempt before this one may have made the order. The history ends with this one.
fn may_be_made_already(call: &Call) -> bool {
    let current = call.order.last_attempt_number();
    let may_have_made = |class: Class| !matches!(class, Class::Final | Class::NotSent);
    call.order.attempts().any(|attempt| {
        attempt.number < current && attempt.outcome.is_none_or(|outcome| may_have_made(outcome.class))
    })
}

fn creates_left(call: &Call) -> usize {
    call.order.attempts().filter(paymux_domain::fold::Attempt::may_have_left).count()
}

/// The word as XorPay wrote it, if it looks like one.
fn code(status: &str) -> &str {
    let is_code = (1..=CODE_CHARS_MAX).contains(&status.len())
        && status.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_code { status } else { MALFORMED }
}

fn unreadable(field: &str) -> CallReport {
    CallReport { message: format!("{field} cannot be read"), ..unknown(MALFORMED) }
}

fn unknown(code: &str) -> CallReport {
    CallReport::of(Class::Unknown, code)
}
