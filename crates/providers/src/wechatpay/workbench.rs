//! For integrators: signs a request or a launch from its fields, and makes every check of a notification.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paymux_domain::http::Method;
use paymux_domain::limits::NOTIFICATION_BODY_BYTES_MAX;
use paymux_domain::ports::{RawNotification, Signer};
use paymux_domain::time::Timestamp;

use super::config::{Account, is_public_key_id};
use super::notify;
use super::sign::{self, HEADERS, SignatureFault, Signed};
use crate::signing::PlatformKey;
use crate::workbench::{Check, Checks, Input, Said, SignFault, SignedText, without_line_break};

/// Fields of a request.
const REQUEST: [&str; 5] = ["method", "path", "timestamp", "nonce", "body"];
/// Fields of a launch.
const LAUNCH: [&str; 4] = ["appId", "timeStamp", "nonceStr", "package"];
/// What may be signed.
const KNOWN: &str =
    "a request has method, path, timestamp, nonce, body, and a launch appId, timeStamp, nonceStr, package";
/// Characters of a nonce at most (`providers.md` section 4.3).
const NONCE_CHARS_MAX: usize = 32;

/// Signs a request, or a launch where only its fields are there.
pub(super) async fn signed(
    account: &Account,
    input: &[u8],
    signer: &dyn Signer,
) -> Result<SignedText, SignFault> {
    let input = Input::read(input)?;
    if input.holds_any(&LAUNCH) && !input.holds_any(&REQUEST) {
        launch(account, input, signer).await
    } else {
        request(account, input, signer).await
    }
}

async fn request(account: &Account, mut input: Input, signer: &dyn Signer) -> Result<SignedText, SignFault> {
    let method = input.required("method", "GET or POST", |text| method(text).is_some());
    let method = method.and_then(|text| self::method(&text));
    let allowed = "path and query exactly as sent: from / on, percent-encoded, without host and fragment";
    let path = input.required("path", allowed, is_path);
    let time = input.required("timestamp", "whole seconds since 1970", |text| seconds(text).is_some());
    let nonce = input.required("nonce", "1 to 32 letters and digits", is_nonce);
    let body = if method == Some(Method::Post) {
        input.required("body", "the body exactly as sent", |_| true)
    } else {
        input.optional("body").or(Some(String::new()))
    };
    if method == Some(Method::Get) && body.as_deref().is_some_and(|body| !body.is_empty()) {
        input.fault("body", "must be empty or absent: a GET has none");
    }
    let read = || Some((method?, path?, seconds(&time?)?, nonce?, body?));
    let (method, path, time_s, nonce, body) = input.finish(KNOWN, read())?;
    let message = sign::request_message(method, &path, time_s, &nonce, body.as_bytes());
    let signature = signer.sign(&account.signing_key(), message.clone()).await?;
    let authorization = sign::authorization(account.mchid(), &account.serial_no, time_s, &nonce, &signature);
    Ok(SignedText { authorization: Some(authorization), ..text(&message, &signature) })
}

async fn launch(account: &Account, mut input: Input, signer: &dyn Signer) -> Result<SignedText, SignFault> {
    let is_app = |text: &str| account.app_ids.iter().chain(account.sub_app_ids()).any(|app| app == text);
    let app_id = input.required("appId", "an app of the account (app_ids, sub_app_ids)", is_app);
    let time = input.required("timeStamp", "whole seconds since 1970", |text| seconds(text).is_some());
    let nonce = input.required("nonceStr", "1 to 32 letters and digits", is_nonce);
    let package = input.required("package", "prepay_id= and the id that the create gave", is_package);
    let read = || Some((app_id?, time?, nonce?, package?));
    let (app_id, time, nonce, package) = input.finish(KNOWN, read())?;
    let message = sign::launch_message(&app_id, &time, &nonce, &package);
    let signature = signer.sign(&account.signing_key(), message.clone()).await?;
    Ok(text(&message, &signature))
}

fn text(message: &[u8], signature: &[u8]) -> SignedText {
    SignedText {
        canonical: String::from_utf8_lossy(message).into_owned(),
        signature: STANDARD.encode(signature),
        authorization: None,
    }
}

fn method(text: &str) -> Option<Method> {
    [Method::Get, Method::Post].into_iter().find(|method| method.as_str() == text)
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

/// Digits without leading zeros: the text that is signed is made of the number again.
fn seconds(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number: &i64| *number >= 0 && number.to_string() == text)
}

fn is_nonce(text: &str) -> bool {
    (1..=NONCE_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_package(text: &str) -> bool {
    let id = text.strip_prefix("prepay_id=");
    id.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic()))
}

/// Makes every check of a notification that can be made.
pub(super) fn examine(
    account: &Arc<Account>,
    raw: &RawNotification,
    now: Timestamp,
    skew_max: Duration,
) -> (Vec<Check>, Option<Said>) {
    let mut checks = Checks::default();
    let bytes = raw.body.len();
    let size = format!("{bytes} bytes, at most {NOTIFICATION_BODY_BYTES_MAX} are allowed");
    checks.note("size", if bytes <= NOTIFICATION_BODY_BYTES_MAX { Ok(size) } else { Err(size) });
    match headers(raw) {
        Ok(signed) => {
            checks.note("headers", Ok("all four are there".to_owned()));
            checks.note("timestamp", age(&signed, now, skew_max));
            check_signature(&mut checks, &account.keys(now), &signed, &raw.body);
        }
        Err(faults) => {
            checks.note("headers", Err(faults));
            checks.not_reached(&["timestamp", "key", "signature"], "the headers are not usable");
        }
    }
    let said = check_content(&mut checks, account, &raw.body);
    (checks.into_vec(), said)
}

/// The signature headers, or everything that is wrong with them.
fn headers(raw: &RawNotification) -> Result<Signed<'_>, String> {
    let missing: Vec<_> = HEADERS.into_iter().filter(|name| raw.header(name).is_none()).collect();
    if !missing.is_empty() {
        return Err(format!("missing: {}", missing.join(", ")));
    }
    Signed::read(|name| raw.header(name)).map_err(|fault| match fault {
        SignatureFault::Header(name) => format!("{name} cannot be read"),
        SignatureFault::Probe => {
            "a probe: WeChat Pay signs wrong on purpose (WECHATPAY/SIGNTEST/), and it must be refused"
                .to_owned()
        }
    })
}

fn age(signed: &Signed<'_>, now: Timestamp, skew_max: Duration) -> Result<String, String> {
    let (age, side) = match (now.since(signed.time()), signed.time().since(now)) {
        (Duration::ZERO, ahead) => (ahead, "after"),
        (age, _) => (age, "before"),
    };
    let allowed = skew_max.as_secs();
    let said = format!("signed {} s {side} it was received, {allowed} s are allowed", age.as_secs());
    if signed.is_fresh(now, skew_max) { Ok(said) } else { Err(said) }
}

/// The keys are those of the account, configured or downloaded.
fn check_signature(
    checks: &mut Checks,
    keys: &BTreeMap<String, PlatformKey>,
    signed: &Signed<'_>,
    body: &[u8],
) {
    let verifies = |serial: &str, body: &[u8]| {
        let key = keys.get(serial);
        key.is_some_and(|key| key.has_signed(&signed.message(body), signed.signature()))
    };
    let known = || keys.keys().cloned().collect::<Vec<_>>();
    let is_known = keys.contains_key(signed.serial);
    let key = if is_known {
        Ok(format!("the account has key {}", signed.serial))
    } else {
        Err(unknown_key(signed.serial, &known()))
    };
    checks.note("key", key);
    let by_another = || known().into_iter().find(|serial| verifies(serial, body));
    let found = if verifies(signed.serial, body) {
        Ok("the key has signed time, nonce and body".to_owned())
    } else if let Some(serial) = by_another() {
        Err(format!("made with key {serial}, not with the named one"))
    } else if !is_known {
        Err("made with none of the account's keys".to_owned())
    } else if without_line_break(body).is_some_and(|body| verifies(signed.serial, body)) {
        Err("verifies without the line break at the body's end: take the body byte for byte".to_owned())
    } else {
        Err("does not verify: time, nonce or body are not what was signed, byte for byte".to_owned())
    };
    checks.note("signature", found);
}

/// Which key is missing, and how it is given.
fn unknown_key(serial: &str, known: &[String]) -> String {
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let how = if is_public_key_id(serial) {
        "bring it as platform_keys = [{ id, public_key_file }]"
    } else {
        "bring its PEM file as platform_certificates = [{ certificate_file }], or have it downloaded"
    };
    format!("no key {serial} in the account, which has {known}; {how}")
}

fn check_content(checks: &mut Checks, account: &Arc<Account>, body: &[u8]) -> Option<Said> {
    let (read, event) = match notify::read_body(body) {
        Ok(read) => read,
        Err(refusal) => {
            checks.note("body", Err(refusal.detail));
            checks.not_reached(&["decryption", "content"], "the body cannot be read");
            return None;
        }
    };
    checks.note("body", Ok(format!("notification {} of kind {}", read.id, read.event_type)));
    let opened = notify::sealed(&read.resource).map_err(|refusal| refusal.detail).and_then(|sealed| {
        let at = account
            .apiv3_keys
            .iter()
            .position(|key| notify::open(key, &read.resource, sealed.clone()).is_some());
        match at {
            Some(0) => Ok("opened by the APIv3 key".to_owned()),
            Some(at) => Ok(format!("opened by previous_apiv3_keys[{}]", at - 1)),
            None => Err("the APIv3 key does not open it, and no previous one does: another key, or \
                         ciphertext, nonce or associated_data are not what was sealed"
                .to_owned()),
        }
    });
    if !checks.note("decryption", opened) {
        checks.not_reached(&["content"], "the resource is not open");
        return None;
    }
    match notify::said(std::slice::from_ref(account), event, &read.resource, &[]) {
        Ok((_, out_trade_no, words)) => {
            checks.note("content", Ok(format!("of the account, about {out_trade_no}")));
            Some(Said { out_trade_no: out_trade_no.to_string(), words })
        }
        Err(refusal) => {
            checks.note("content", Err(refusal.detail));
            None
        }
    }
}
