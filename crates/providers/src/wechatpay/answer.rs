//! Answers: proof first, then what they say.
//!
//! A 2xx without a signature is never believed, a signature that is there must verify, and an error without one is
//! taken as an error (`providers.md` section 8 `[assumed]`) that tells nothing of the order and, as a 5xx, ends nothing.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paymux_domain::fact::AttemptOutcome;
use paymux_domain::http::HttpResponse;
use paymux_domain::launch::{Launch, LaunchParams, WechatJsapi};
use paymux_domain::outcome::{CallReport, Class, Word};
use paymux_domain::ports::{Call, SignError, Signer};

use super::config::Account;
use super::options::Options;
use super::sign::{self, SignatureFault, Signed};
use super::status::{self, Family, Table, Verdict};
use super::wire::{CreateAnswer, ErrorAnswer, Refund, Transaction};
use super::{product, refund, request, transaction};
use crate::gateway::{SIGNER_BUSY, SIGNING_KEY};
use crate::text;

/// A 2xx answer without a signature.
const UNSIGNED: &str = "UNSIGNED";
/// A signature that does not verify, or whose headers are not all there.
const BAD_SIGNATURE: &str = "BAD_SIGNATURE";
/// A signature by a key that the account does not have.
const UNKNOWN_KEY: &str = "UNKNOWN_KEY";
/// A signature that verifies, at a time too far from ours: one of the two clocks is wrong, and WeChat Pay refuses
/// our signatures for the same reason.
const CLOCK_SKEW: &str = "CLOCK_SKEW";
/// A signature that was made wrong on purpose.
const PROBE: &str = "SIGNTEST";
/// An answer that says nothing readable.
const MALFORMED: &str = "MALFORMED";
/// An answer about another order, merchant or app.
const MISMATCH: &str = "MISMATCH";
/// The payer's app is no longer among the account's.
const PAYER_APP: &str = "PAYER_APP";

/// How long a prepay_id can be used (`providers.md` section 4.2).
const PREPAY_LIFE: Duration = Duration::from_secs(2 * 3600);
/// Characters of a prepay_id.
const PREPAY_ID_CHARS_MAX: usize = 64;
/// Characters of an error code; the longest known has 21.
const CODE_CHARS_MAX: usize = 64;
/// Characters of a Request-ID that are kept `[assumed]`; those of the documents have about 50.
const REQUEST_ID_CHARS_MAX: usize = 128;
/// Longest pause that is taken from `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Verifies and reads an answer; whatever it says, its Request-ID is kept with it.
pub(super) async fn parse(
    account: &Account,
    call: &Call,
    response: &HttpResponse,
    signer: &dyn Signer,
    skew_max: Duration,
) -> CallReport {
    let report = said(account, call, response, signer, skew_max).await;
    CallReport { message: text::message_text(&report.message, &request_id(response)), ..report }
}

async fn said(
    account: &Account,
    call: &Call,
    response: &HttpResponse,
    signer: &dyn Signer,
    skew_max: Duration,
) -> CallReport {
    let is_signed = match proof(account, call, response, skew_max) {
        Ok(is_signed) => is_signed,
        // With a wrong clock or a missing key no answer at all will be believed before a person has acted, unless a download
        // may bring the key.
        Err(CLOCK_SKEW) => return CallReport::of(Class::Ops, CLOCK_SKEW),
        Err(UNKNOWN_KEY) => {
            let class = if is_downloaded(account, response) { Class::Unknown } else { Class::Ops };
            return CallReport { message: named_key(response), ..CallReport::of(class, UNKNOWN_KEY) };
        }
        Err(code) => return CallReport::of(Class::Unknown, code),
    };
    match (response.status, Table::of(call)) {
        (200..=299, _) if !is_signed => CallReport::of(Class::Unknown, UNSIGNED),
        (200, Table::Create) => created(account, call, response, signer).await,
        (200, Table::Query) => asked(account, call, response),
        (200 | 204, Table::Close) => CallReport::done(vec![Word::Closed]),
        (200, Table::Refund | Table::RefundQuery) => refunded(account, call, response),
        _ => refused(call, response, is_signed),
    }
}

/// Whether the answer is signed, or why its signature is not accepted.
fn proof(
    account: &Account,
    call: &Call,
    response: &HttpResponse,
    skew_max: Duration,
) -> Result<bool, &'static str> {
    if response.header("wechatpay-signature").is_none() {
        return Ok(false);
    }
    let signed = Signed::read(|name| response.header(name)).map_err(|fault| match fault {
        SignatureFault::Header(_) => BAD_SIGNATURE,
        SignatureFault::Probe => PROBE,
    })?;
    let key = account.key(signed.serial, call.now).ok_or(UNKNOWN_KEY)?;
    if !key.has_signed(&signed.message(&response.body), signed.signature()) {
        Err(BAD_SIGNATURE)
    } else if signed.is_fresh(call.now, skew_max) {
        Ok(true)
    } else {
        Err(CLOCK_SKEW)
    }
}

/// Asks for the certificate that an answer names; `false` where none is downloaded, or that one was not there.
fn is_downloaded(account: &Account, response: &HttpResponse) -> bool {
    let serial = response.header("wechatpay-serial").unwrap_or_default();
    account.trust().is_some_and(|trust| trust.want(serial))
}

/// Which key an answer names, for whoever has to bring it.
fn named_key(response: &HttpResponse) -> String {
    let serial = response.header("wechatpay-serial").unwrap_or_default();
    let is_id = serial.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_id && !serial.is_empty() { format!("signed by key {serial}") } else { String::new() }
}

/// The order exists: launch parameters, signed for the payer's app.
async fn created(account: &Account, call: &Call, response: &HttpResponse, signer: &dyn Signer) -> CallReport {
    let Ok(CreateAnswer { prepay_id }) = serde_json::from_slice(&response.body) else {
        return CallReport::of(Class::Unknown, MALFORMED);
    };
    let allowed = (1..=PREPAY_ID_CHARS_MAX).contains(&prepay_id.len());
    if !allowed || !prepay_id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return CallReport::of(Class::Unknown, MALFORMED);
    }
    // The request was built from the same order and account, so the app is there; if not, a repeat will tell.
    let options = Options::parse(&call.created.options_json).unwrap_or_default();
    let Ok(app) = product::payer_app(account, &call.created, &options) else {
        return CallReport::of(Class::Ops, PAYER_APP);
    };
    let time_stamp = call.now.as_secs().to_string();
    // Not the request's nonce: its two halves the other way round.
    let [high, low] = call.nonce;
    let nonce_str = request::nonce([low, !high]);
    let package = format!("prepay_id={prepay_id}");
    let message = sign::launch_message(app.app_id, &time_stamp, &nonce_str, &package);
    let signature = match signer.sign(&account.signing_key(), message).await {
        Ok(signature) => signature,
        // The order exists and the same create again gives its parameters again.
        Err(SignError::Unavailable) => return CallReport::of(Class::Retry, SIGNER_BUSY),
        Err(SignError::UnknownKey(_) | SignError::Failed) => return CallReport::of(Class::Ops, SIGNING_KEY),
    };
    let params = LaunchParams::WechatJsapi(WechatJsapi {
        app_id: app.app_id.to_owned(),
        time_stamp,
        nonce_str,
        package,
        sign_type: "RSA".to_owned(),
        pay_sign: STANDARD.encode(signature),
    });
    // Its number of the order is the prepay_id, which stands in the package.
    let launch = Launch { params, expire_time: Some(call.now + PREPAY_LIFE), provider_order_no: None };
    CallReport::done(vec![Word::Launched(launch)])
}

/// The answered question, if it is about our order.
fn asked(account: &Account, call: &Call, response: &HttpResponse) -> CallReport {
    let Ok(order) = serde_json::from_slice::<Transaction>(&response.body) else {
        return CallReport::of(Class::Unknown, MALFORMED);
    };
    let foreign = transaction::foreign_number(account, &order.parties)
        .or_else(|| (order.out_trade_no != call.created.out_trade_no.as_str()).then_some("out_trade_no"));
    if let Some(field) = foreign {
        return mismatch(field);
    }
    match transaction::words(&order) {
        Ok(mut words) => {
            // Its numbers prove whose it is; a person looks why it names another app.
            let other_app = transaction::other_app(account, &call.created, &order.parties);
            words.extend(other_app.map(|field| Word::Mismatch { field }));
            CallReport::done(words)
        }
        Err(field) => unreadable(field),
    }
}

/// The refund as it stands, if it is ours.
fn refunded(account: &Account, call: &Call, response: &HttpResponse) -> CallReport {
    let (Ok(stated), Some((_, wanted))) = (serde_json::from_slice::<Refund>(&response.body), &call.refund)
    else {
        return CallReport::of(Class::Unknown, MALFORMED);
    };
    if let Some(field) = refund::foreign_field(account, &call.created, wanted, &stated) {
        return mismatch(field);
    }
    match refund::word(&stated) {
        Ok(word) => CallReport::done(vec![Word::Refund(word)]),
        Err(field) => unreadable(field),
    }
}

fn mismatch(field: &'static str) -> CallReport {
    CallReport { words: vec![Word::Mismatch { field }], ..CallReport::of(Class::Unknown, MISMATCH) }
}

fn unreadable(field: &str) -> CallReport {
    CallReport { message: format!("{field} cannot be read"), ..CallReport::of(Class::Unknown, MALFORMED) }
}

/// An error, by the call's table.
fn refused(call: &Call, response: &HttpResponse, is_signed: bool) -> CallReport {
    let error: Option<ErrorAnswer> = serde_json::from_slice(&response.body).ok();
    let (code, message) = error.map_or_else(Default::default, |error| (error.code, error.message));
    let table = Table::of(call);
    let first = !may_be_done_already(call);
    let mut verdict = status::verdict(table, response.status, &code);
    if !is_signed {
        verdict = verdict.unsigned(table, Family::of(response.status), first);
    }
    CallReport {
        words: words(verdict, call, &code),
        message,
        retry_after: retry_after(response),
        ask: verdict.asks(first),
        throttled: verdict.is_throttled(),
        ..CallReport::of(verdict.class(first), code_text(&code, response.status))
    }
}

/// The provider's word in an error.
fn words(verdict: Verdict, call: &Call, code: &str) -> Vec<Word> {
    match (verdict, &call.refund) {
        (Verdict::Open, _) => vec![Word::Open],
        (Verdict::Closed, _) => vec![Word::Closed],
        (Verdict::NotExist, _) => vec![Word::NotExist],
        (Verdict::NoRefund, Some((_, wanted))) => vec![Word::Refund(refund::not_exist(wanted, code))],
        _ => Vec::new(),
    }
}

/// Whether a call before this one may have made the order or the refund. The history ends with this call.
fn may_be_done_already(call: &Call) -> bool {
    let may_have = |outcome: Option<&AttemptOutcome>| {
        outcome.is_none_or(|outcome| !matches!(outcome.class, Class::Final | Class::NotSent))
    };
    let Some((no, _)) = &call.refund else {
        let current = call.order.last_attempt_number();
        return call.order.attempts().any(|attempt| attempt.number < current && may_have(attempt.outcome));
    };
    let Some(refund) = call.order.refund(no) else { return false };
    let current = refund.calls().last().map_or(0, |last| last.number);
    refund.calls().any(|earlier| earlier.number < current && may_have(earlier.outcome))
}

/// The code as the provider wrote it, if it looks like one; else the HTTP status.
fn code_text(code: &str, status: u16) -> String {
    let is_code = (1..=CODE_CHARS_MAX).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_code { code.to_owned() } else { format!("HTTP_{status}") }
}

/// The Request-ID, which WeChat Pay's support asks for, in brackets; the number at its end says more of a refusal than
/// its code (`providers.md` section 4.11).
fn request_id(response: &HttpResponse) -> String {
    let is_id = |id: &&str| {
        (1..=REQUEST_ID_CHARS_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let id = response.header("request-id").filter(is_id);
    id.map_or_else(String::new, |id| format!(" [Request-ID {id}]"))
}

fn retry_after(response: &HttpResponse) -> Option<Duration> {
    let seconds: u64 = response.header("retry-after")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}
