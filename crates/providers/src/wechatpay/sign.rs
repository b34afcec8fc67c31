//! The three texts under WeChat Pay's signatures, and the headers that carry them (`providers.md` 4.3 to 4.5).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paymux_domain::http::Method;
use paymux_domain::time::Timestamp;

/// Largest difference between the time of a signature and ours, physical.
pub(super) const SKEW_MAX: Duration = Duration::from_secs(5 * 60);

/// A signature with this in it is a probe that must not verify.
const PROBE: &str = "WECHATPAY/SIGNTEST/";
/// Bytes of a signature's Base64: RSA-4096 has 684.
const SIGNATURE_BYTES_MAX: usize = 1024;
/// Bytes of the other signature headers; the longest, a public key's id, has 43.
const HEADER_BYTES_MAX: usize = 128;

/// The headers that carry a signature of WeChat Pay's.
pub(super) const HEADERS: [&str; 4] =
    ["wechatpay-signature", "wechatpay-serial", "wechatpay-nonce", "wechatpay-timestamp"];

/// The text under a request: method, path with query as sent, time, nonce, body, each ended by a line feed.
pub(super) fn request_message(
    method: Method,
    path_and_query: &str,
    time_s: i64,
    nonce: &str,
    body: &[u8],
) -> Vec<u8> {
    let mut message = format!("{}\n{path_and_query}\n{time_s}\n{nonce}\n", method.as_str()).into_bytes();
    message.extend_from_slice(body);
    message.push(b'\n');
    message
}

/// The `Authorization` header of a request; for partners mchid is sp_mchid.
pub(super) fn authorization(
    mchid: &str,
    serial_no: &str,
    time_s: i64,
    nonce: &str,
    signature: &[u8],
) -> String {
    let signature = STANDARD.encode(signature);
    format!(
        "WECHATPAY2-SHA256-RSA2048 mchid=\"{mchid}\",nonce_str=\"{nonce}\",timestamp=\"{time_s}\",\
         serial_no=\"{serial_no}\",signature=\"{signature}\""
    )
}

/// The text under launch parameters: app, time, nonce, `prepay_id=…`, each ended by a line feed.
pub(super) fn launch_message(app_id: &str, time_stamp: &str, nonce: &str, package: &str) -> Vec<u8> {
    format!("{app_id}\n{time_stamp}\n{nonce}\n{package}\n").into_bytes()
}

/// Why a signature of WeChat Pay's is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignatureFault {
    /// This header is missing or unreadable.
    Header(&'static str),
    /// A deliberately wrong signature.
    Probe,
}

/// The signature headers of an answer or a notification, read but not yet verified.
#[derive(Clone, Debug)]
pub(super) struct Signed<'a> {
    /// Names the key.
    pub(super) serial: &'a str,
    /// When it was made, by WeChat Pay's clock, cut to seconds.
    time: Timestamp,
    time_text: &'a str,
    nonce: &'a str,
    signature: Vec<u8>,
}

impl<'a> Signed<'a> {
    /// Reads the headers.
    pub(super) fn read(header: impl Fn(&str) -> Option<&'a str>) -> Result<Self, SignatureFault> {
        let get = |name: &'static str, bytes_max: usize| {
            let value = header(name).filter(|value| (1..=bytes_max).contains(&value.len()));
            value.ok_or(SignatureFault::Header(name))
        };
        let signature = get("wechatpay-signature", SIGNATURE_BYTES_MAX)?;
        if signature.contains(PROBE) {
            return Err(SignatureFault::Probe);
        }
        let serial = get("wechatpay-serial", HEADER_BYTES_MAX)?;
        let nonce = get("wechatpay-nonce", HEADER_BYTES_MAX)?;
        let time_text = get("wechatpay-timestamp", HEADER_BYTES_MAX)?;
        let time = read_time(time_text).ok_or(SignatureFault::Header("wechatpay-timestamp"))?;
        let signature =
            STANDARD.decode(signature).map_err(|_| SignatureFault::Header("wechatpay-signature"))?;
        Ok(Self { serial, time, time_text, nonce, signature })
    }

    /// Whether its time is near enough to ours; `skew_max` is in the time of `now`. Since the time is cut to
    /// seconds, one second more is allowed.
    pub(super) fn is_fresh(&self, now: Timestamp, skew_max: Duration) -> bool {
        let apart = self.time.since(now).max(now.since(self.time));
        apart <= skew_max.saturating_add(Duration::from_secs(1))
    }

    /// The text under the signature: time, nonce, body, each ended by a line feed.
    pub(super) fn message(&self, body: &[u8]) -> Vec<u8> {
        let mut message = format!("{}\n{}\n", self.time_text, self.nonce).into_bytes();
        message.extend_from_slice(body);
        message.push(b'\n');
        message
    }

    /// When it was made.
    pub(super) const fn time(&self) -> Timestamp {
        self.time
    }

    /// The signature's bytes.
    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }
}

/// Digits alone: no sign, no blanks.
fn read_time(text: &str) -> Option<Timestamp> {
    let seconds: i64 = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some(Timestamp::from_millis(seconds.saturating_mul(1000)))
}
