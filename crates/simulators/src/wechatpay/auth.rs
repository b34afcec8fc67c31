//! Proof of who calls: the `Authorization: WECHATPAY2-SHA256-RSA2048 …` header and the text under its
//! signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The signature scheme of APIv3.
const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";

/// Longest nonce, in characters.
const NONCE_CHARS_MAX: usize = 32;

/// Largest difference between a request's timestamp and the provider's clock at clock factor 1. Exclusive.
pub const SKEW_MAX_MS: i64 = 5 * 60 * 1000;

/// The parts of the header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Authorization {
    pub(crate) mchid: String,
    pub(crate) serial: String,
    pub(crate) timestamp_s: i64,
    nonce: String,
    pub(crate) signature: Vec<u8>,
}

impl Authorization {
    /// Reads the header's value; the error says what is wrong with it, without its values.
    pub(crate) fn parse(header: &str) -> Result<Self, &'static str> {
        let fields = header.strip_prefix(SCHEME).ok_or("Authorization认证类型不正确")?.trim_start();
        let mut parts: [Option<&str>; 5] = [None; 5];
        for field in fields.split(',') {
            let (name, value) = field.trim().split_once('=').ok_or("Authorization格式错误")?;
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            let slot = match name {
                "mchid" => 0,
                "serial_no" => 1,
                "timestamp" => 2,
                "nonce_str" => 3,
                "signature" => 4,
                _ => return Err("Authorization含未知参数"),
            };
            if parts[slot].replace(value.ok_or("Authorization格式错误")?).is_some() {
                return Err("Authorization参数重复");
            }
        }
        let [Some(mchid), Some(serial), Some(timestamp), Some(nonce), Some(signature)] = parts else {
            return Err("Authorization缺少参数");
        };
        if nonce.is_empty() || nonce.chars().count() > NONCE_CHARS_MAX {
            return Err("nonce_str长度错误");
        }
        Ok(Self {
            mchid: mchid.to_owned(),
            serial: serial.to_owned(),
            timestamp_s: timestamp.parse().map_err(|_| "timestamp格式错误")?,
            nonce: nonce.to_owned(),
            signature: STANDARD.decode(signature).map_err(|_| "signature不是Base64")?,
        })
    }

    /// Whether the timestamp is fresh at provider time `now_ms`. On a scaled clock the allowance is scaled
    /// too, since the call itself takes real time.
    pub(crate) fn is_fresh(&self, now_ms: i64, clock_factor: f64) -> bool {
        let apart_ms = self.timestamp_s.saturating_mul(1000).abs_diff(now_ms);
        // Both sides are far below 2^53, where f64 is exact.
        std::time::Duration::from_millis(apart_ms).div_f64(clock_factor)
            < std::time::Duration::from_millis(SKEW_MAX_MS.unsigned_abs())
    }

    /// The text under the signature: method, path with query as sent, timestamp, nonce, body, each line
    /// ended.
    pub(crate) fn canonical(&self, method: &str, path_and_query: &str, body: &[u8]) -> Vec<u8> {
        let mut text =
            format!("{method}\n{path_and_query}\n{}\n{}\n", self.timestamp_s, self.nonce).into_bytes();
        text.extend_from_slice(body);
        text.push(b'\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(fields: &str) -> String {
        format!("{SCHEME} {fields}")
    }

    const GOOD: &str =
        r#"mchid="1900000109",nonce_str="n",timestamp="1704038400",serial_no="5F",signature="AA==""#;

    #[test]
    fn the_header_is_read_in_any_order_of_its_fields() {
        let read = Authorization::parse(&header(GOOD)).unwrap();
        assert_eq!(
            (read.mchid.as_str(), read.timestamp_s, read.signature.as_slice()),
            ("1900000109", 1_704_038_400, &[0][..])
        );
        let turned: Vec<&str> = GOOD.rsplit(',').collect();
        assert_eq!(Authorization::parse(&header(&turned.join(", "))).unwrap(), read);
    }

    #[test]
    fn faulty_headers_are_refused() {
        let long_nonce = GOOD.replace("\"n\"", &format!("\"{}\"", "n".repeat(33)));
        for bad in [
            GOOD.to_owned(),
            header(""),
            header(r#"mchid="1""#),
            header(&format!("{GOOD},mchid=\"2\"")),
            header(&format!("{GOOD},more=\"2\"")),
            header(&GOOD.replace("1704038400", "now")),
            header(&GOOD.replace("AA==", "?")),
            header(&GOOD.replace("\"5F\"", "5F")),
            header(&long_nonce),
        ] {
            assert!(Authorization::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn freshness_ends_at_five_minutes_and_scales() {
        let auth = Authorization::parse(&header(GOOD)).unwrap();
        let at_ms = 1_704_038_400_000;
        assert!(auth.is_fresh(at_ms + SKEW_MAX_MS - 1, 1.0));
        assert!(auth.is_fresh(at_ms - SKEW_MAX_MS + 1, 1.0));
        assert!(!auth.is_fresh(at_ms + SKEW_MAX_MS, 1.0));
        assert!(auth.is_fresh(at_ms + SKEW_MAX_MS, 120.0));
        assert!(!auth.is_fresh(at_ms + 120 * SKEW_MAX_MS, 120.0));
    }

    #[test]
    fn the_published_header_example_gives_its_five_lines() {
        let published =
            GOOD.replace("1704038400", "1652750623").replace("\"n\"", "\"eBYqCOxa0QudMnPvVilkTzOg3gHh5Z3u\"");
        let auth = Authorization::parse(&header(&published));
        let text = auth.unwrap().canonical(
            "GET",
            "/v3/pay/transactions/id/1217752501201407033233368018?mchid=1230000109",
            b"",
        );
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "GET\n/v3/pay/transactions/id/1217752501201407033233368018?mchid=1230000109\n1652750623\n\
             eBYqCOxa0QudMnPvVilkTzOg3gHh5Z3u\n\n"
        );
    }
}
