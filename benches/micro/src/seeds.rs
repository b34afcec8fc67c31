//! The seeds of the fuzzers: an account of each provider, answers, notifications and records that are valid.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use paymux_domain::http::HttpResponse;
use paymux_domain::ports::{Provider, RawNotification};
use paymux_domain::time::{ClockFactor, Timestamp};
use paymux_providers::signing::SigningKeys;
use paymux_providers::{AccountSection, Accounts, PROVIDERS, SecretRef};
use secrecy::SecretString;

/// When the seeds' messages come, by the providers' examples: 2023-12-31 16:01:01 UTC.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_704_038_461_000);

/// The secret of each account that has a text for one.
pub(crate) const TEXT_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The private key of each account that has one, and the public key that belongs to it.
pub(crate) const KEY_PEM: &str =
    include_str!("../../../crates/providers/src/wechatpay/fixtures/test_rsa_2048.pem");
pub(crate) const PUBLIC_PEM: &str =
    include_str!("../../../crates/providers/src/wechatpay/fixtures/test_rsa_2048_pub.pem");

/// All accounts in force, each under its provider's name.
pub(crate) struct World {
    accounts: Accounts,
}

impl World {
    pub(crate) fn load() -> Result<Self> {
        let sections = PROVIDERS.iter().map(|known| section(known.name)).collect::<Result<Vec<_>>>()?;
        let accounts = Accounts::read(&sections, &secret, ClockFactor::REAL)
            .map_err(|faults| anyhow!("the accounts of the seeds: {faults:?}"))?;
        Ok(Self { accounts })
    }

    pub(crate) fn provider(&self, name: &str) -> Result<Arc<dyn Provider>> {
        self.accounts.provider(&name.parse()?).with_context(|| format!("no provider {name}"))
    }

    pub(crate) fn keys(&self) -> SigningKeys {
        self.accounts.signing_keys()
    }
}

fn section(provider: &str) -> Result<AccountSection> {
    let framed = Framed::read("section", provider)?;
    let settings = String::from_utf8(framed.body)?.parse()?;
    Ok(AccountSection { account: provider.parse()?, provider: provider.parse()?, settings })
}

fn secret(reference: &SecretRef) -> Result<SecretString, String> {
    let name = match reference {
        SecretRef::File(path) => path.file_name().and_then(|name| name.to_str()).unwrap_or_default(),
        SecretRef::Env(_) => "",
    };
    Ok(SecretString::from(match name {
        "key.pem" => KEY_PEM,
        "pub.pem" => PUBLIC_PEM,
        _ => TEXT_SECRET,
    }))
}

/// An answer to a call: what was asked, and what came.
pub(crate) struct Answer {
    pub(crate) method: String,
    pub(crate) operation: String,
    pub(crate) response: HttpResponse,
}

pub(crate) fn answer(name: &str) -> Result<Answer> {
    let framed = Framed::read("answer", name)?;
    let [_, method, operation, status] = framed.words.as_slice() else {
        return Err(anyhow!("the answer {name} begins with four words"));
    };
    let response = HttpResponse { status: status.parse()?, headers: framed.headers, body: framed.body };
    Ok(Answer { method: method.clone(), operation: operation.clone(), response })
}

pub(crate) fn notification(name: &str) -> Result<RawNotification> {
    let framed = Framed::read("notification", name)?;
    Ok(RawNotification {
        merchant_id: "m1".parse()?,
        accounts: Vec::new(),
        headers: framed.headers,
        body: framed.body,
    })
}

/// All seeds of records by name: the kind, and the bytes.
pub(crate) fn records() -> Result<Vec<(String, u8, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder("record"))? {
        let entry = entry?;
        let bytes = std::fs::read(entry.path())?;
        let (kind, record) = bytes.split_first().context("an empty seed")?;
        let name = entry.file_name().into_string().map_err(|name| anyhow!("{name:?}"))?;
        found.push((name, *kind, record.to_vec()));
    }
    found.sort();
    Ok(found)
}

/// The bytes of one seed of a record.
///
/// # Errors
/// There is none of that name.
pub fn record(name: &str) -> Result<Vec<u8>> {
    let found = records()?.into_iter().find(|(known, ..)| known == name);
    found.map(|(_, _, bytes)| bytes).with_context(|| format!("no record {name}"))
}

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target)
}

/// A message: words in the first line, headers, a blank line, the body.
struct Framed {
    words: Vec<String>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Framed {
    fn read(target: &str, name: &str) -> Result<Self> {
        let path = folder(target).join(name);
        let data = std::fs::read(&path).with_context(|| path.display().to_string())?;
        let at = data.windows(2).position(|window| window == b"\n\n").context("a seed has a blank line")?;
        let head = std::str::from_utf8(&data[..at])?;
        let mut lines = head.lines();
        let words = lines.next().unwrap_or_default().split(' ').map(str::to_owned).collect();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").context("a header without a value")?;
            Ok((name.to_lowercase(), value.to_owned()))
        };
        Ok(Self { words, headers: lines.map(header).collect::<Result<_>>()?, body: data[at + 2..].to_vec() })
    }
}
