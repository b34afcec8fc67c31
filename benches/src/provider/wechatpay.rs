//! WeChat Pay's side: every create has the same answer, which was signed before the clock started.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use paymux_simulators::keys::SecretPem;
use paymux_simulators::wechatpay::sign::PlatformKey;

use crate::{http, now, unix_s};

/// The id of the key that signs answers.
pub(crate) const PLATFORM_KEY_ID: &str = "PUB_KEY_ID_1";
/// The merchants' APIv3 key.
pub(crate) const APIV3_KEY: &str = "0123456789abcdef0123456789abcdef";

const KEY_PEM: &str = include_str!("../../fixtures/test_key.pem");
const BODY: &str = r#"{"prepay_id":"wx201410272009395522657a690389285100"}"#;
const NONCE: &str = "fdasfwqewlkja484w";
/// How long an answer is given; its signature is believed for five minutes.
const SIGNED_FOR: Duration = Duration::from_secs(120);

/// The answer, and since when it is given.
pub(super) struct Wechatpay {
    key: PlatformKey,
    answer: Mutex<(Instant, Vec<u8>)>,
}

/// The key of answers, which signs nothing else here.
pub(crate) fn platform_key() -> Result<PlatformKey> {
    PlatformKey::new(&SecretPem::new(KEY_PEM.to_owned())).map_err(|error| anyhow!("{error}"))
}

impl Wechatpay {
    pub(super) fn new() -> Result<Self> {
        let key = platform_key()?;
        let answer = Mutex::new((now(), signed(&key)?));
        Ok(Self { key, answer })
    }

    pub(super) fn reply(&self) -> Result<Vec<u8>> {
        let Ok(mut answer) = self.answer.lock() else { bail!("a signer panicked") };
        if answer.0.elapsed() > SIGNED_FOR {
            *answer = (now(), signed(&self.key)?);
        }
        Ok(answer.1.clone())
    }
}

fn signed(key: &PlatformKey) -> Result<Vec<u8>> {
    let time_s = unix_s()?;
    let signature = key.sign(time_s, NONCE, BODY.as_bytes()).map_err(|error| anyhow!("{error}"))?;
    let headers = format!(
        "Wechatpay-Timestamp: {time_s}\r\nWechatpay-Nonce: {NONCE}\r\nWechatpay-Serial: {PLATFORM_KEY_ID}\r\n\
         Wechatpay-Signature: {signature}\r\n"
    );
    Ok(http::answer("200 OK", &headers, BODY))
}
