//! The platform certificates as WeChat Pay lists them: opened with the APIv3 key, proven, and put in force.
//!
//! Whoever has no certificate yet proves the list with what it carries (`providers.md` section 4.14): only WeChat Pay and
//! the merchant know the key that seals each certificate, and one of those certificates has signed the whole.

use std::collections::BTreeMap;
use std::time::Duration;

use paymux_domain::http::HttpResponse;
use paymux_domain::time::Timestamp;

use super::config::Account;
use super::notify;
use super::sign::{SignatureFault, Signed};
use super::wire::{CertificateList, ErrorAnswer, ListedCertificate};
use crate::signing::{self, TimedKey};

/// Certificates of one list at most; WeChat Pay lists two while they are exchanged.
const CERTIFICATES_MAX: usize = 16;

/// Reads a list, or says why nothing of it may be trusted.
pub(super) fn read(
    account: &Account,
    response: &HttpResponse,
    now: Timestamp,
    skew_max: Duration,
) -> Result<BTreeMap<String, TimedKey>, String> {
    if response.status != 200 {
        return Err(refused(response));
    }
    let signed = Signed::read(|name| response.header(name)).map_err(|fault| match fault {
        SignatureFault::Header(name) => format!("header {name} is missing or unreadable"),
        SignatureFault::Probe => "signed wrong on purpose (WECHATPAY/SIGNTEST/)".to_owned(),
    })?;
    let list: CertificateList = serde_json::from_slice(&response.body)
        .map_err(|_| "the body is no list of certificates".to_owned())?;
    if list.data.len() > CERTIFICATES_MAX {
        return Err(format!("lists {} certificates, at most {CERTIFICATES_MAX} are taken", list.data.len()));
    }
    let mut keys = BTreeMap::new();
    for listed in &list.data {
        let (serial, key) = opened(account, listed)?;
        keys.insert(serial, key);
    }
    let carried = || keys.get(signed.serial).map(|timed| timed.key.clone());
    let key = account.key(signed.serial, now).or_else(carried);
    let key = key.ok_or("signed by a key that is neither trusted nor in the list")?;
    if !key.has_signed(&signed.message(&response.body), signed.signature()) {
        return Err("the signature does not verify".to_owned());
    }
    if !signed.is_fresh(now, skew_max) {
        return Err("signed too far from our time".to_owned());
    }
    keys.retain(|_, timed| now < timed.until);
    if keys.is_empty() { Err("holds no certificate whose time is not over".to_owned()) } else { Ok(keys) }
}

/// Opens one certificate; its own number must be the one under which it is listed.
fn opened(account: &Account, listed: &ListedCertificate) -> Result<(String, TimedKey), String> {
    let sealed = notify::sealed(&listed.encrypt_certificate).map_err(|refusal| refusal.detail)?;
    let open = |key| notify::open(key, &listed.encrypt_certificate, sealed.clone());
    let pem = account.apiv3_keys.iter().find_map(open).ok_or("the APIv3 key does not open a certificate")?;
    let pem = String::from_utf8(pem).map_err(|_| "a certificate is not PEM".to_owned())?;
    let read = signing::certificate(&pem).map_err(|error| format!("a certificate {error}"))?;
    if read.serial != listed.serial_no {
        return Err("a certificate is listed under another's number".to_owned());
    }
    let (first_s, last_s) = read.validity_s;
    let time = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
    let until = time(last_s.saturating_add(1));
    Ok((read.serial, TimedKey { key: read.key, from: time(first_s), until }))
}

/// Status and code of a refusal, which need no proof to be told.
fn refused(response: &HttpResponse) -> String {
    let code =
        serde_json::from_slice(&response.body).map(|ErrorAnswer { code, .. }| code).unwrap_or_default();
    let is_code = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    format!("answered {} {}", response.status, if is_code { code.as_str() } else { "" }).trim_end().to_owned()
}
