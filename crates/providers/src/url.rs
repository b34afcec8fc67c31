//! URLs as providers take them: https, or http to a loopback address, where a simulator stands.

use std::fmt::Write as _;
use std::net::IpAddr;

use paymux_domain::limits::URL_BYTES_MAX;
use reqwest::Url;

use crate::settings::Reader;

/// Reads the key `base_url` of an account: the provider's own host, unless the account names another. Without a slash
/// at the end; `None` when a fault was noted.
pub(crate) fn base_url(reader: &Reader<'_>, own: &str) -> Option<String> {
    if reader.has("base_url") { named_base_url(reader, "base_url") } else { Some(own.to_owned()) }
}

/// Reads a key of an account that names a host by the same rules; `None` when a fault was noted.
pub(crate) fn named_base_url(reader: &Reader<'_>, key: &str) -> Option<String> {
    let allowed = "https://HOST[:PORT] without a path (http for a loopback address)";
    let url = reader.optional(key, allowed, is_base_url)?;
    // As it was understood, not as it was written: the parser forgives blanks, a request does not.
    Some(Url::parse(&url).ok()?.origin().ascii_serialization())
}

/// Reads the key `stand_by_url` of an account: the provider's own stand-by host, unless the account names one or none.
/// An account that is not at the provider's own host has none by itself.
pub(crate) fn stand_by_url(reader: &Reader<'_>, is_own_host: bool, own: &str) -> Option<String> {
    if !reader.has("stand_by_url") {
        return is_own_host.then(|| own.to_owned());
    }
    let allowed = "https://HOST[:PORT] without a path (http for a loopback address), or none";
    let url = reader.optional("stand_by_url", allowed, |text| text == "none" || is_base_url(text))?;
    Some(Url::parse(&url).ok()?.origin().ascii_serialization())
}

/// Whether a text is scheme, host and port, and nothing else.
fn is_base_url(text: &str) -> bool {
    parse(text).is_some_and(|url| is_bare(&url) && matches!(url.path(), "" | "/") && !text.contains('@'))
}

/// Bytes of what notifications are sent to, without the path that is added: `/notify/`, a provider of 16 characters, a
/// slash and a merchant of 32, of the 255 that WeChat Pay takes.
const NOTIFY_BASE_BYTES_MAX: usize = URL_BYTES_MAX - "/notify/".len() - 16 - 1 - 32;

/// Whether notifications can be sent to a text followed by `/notify/PROVIDER/MERCHANT`: an https URL (http for a loopback
/// address) of at most 198 visible ASCII bytes without a slash at its end. A query string is none: WeChat Pay and PayJS
/// forbid it (`providers.md` sections 1 and 4).
#[must_use]
pub fn is_notify_base_url(text: &str) -> bool {
    let is_plain = text.len() <= NOTIFY_BASE_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain && !text.ends_with('/') && parse(text).is_some_and(|url| is_bare(&url))
}

/// Whether a text is the http or https URL of a page that a payer's browser may be sent to.
pub(crate) fn is_web_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// A part of a path or query, percent-encoded but for unreserved characters (RFC 3986).
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(out, "%{byte:02X}").unwrap_or_default();
        }
        out
    })
}

fn parse(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let allowed = match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback(&url),
        _ => false,
    };
    allowed.then_some(url)
}

fn is_bare(url: &Url) -> bool {
    url.query().is_none() && url.fragment().is_none()
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_has_no_path() {
        for good in
            ["https://api.mch.weixin.qq.com", "https://h:8443/", "http://127.0.0.1:80", "http://[::1]:9"]
        {
            assert!(is_base_url(good), "{good}");
        }
        for bad in [
            "",
            "api.mch",
            "http://h",
            "https://h/v3",
            "https://h?x",
            "https://h#x",
            "https://u@h",
            "ftp://h",
        ] {
            assert!(!is_base_url(bad), "{bad}");
        }
    }

    #[test]
    fn notifications_come_to_an_https_url_without_query() {
        let longest = format!("https://h/{}", "x".repeat(188));
        for good in [
            "https://pay.example.com",
            "https://h/pay",
            "http://127.0.0.1:8080",
            "http://localhost",
            &longest,
        ] {
            assert!(is_notify_base_url(good), "{good}");
        }
        let path = format!("/notify/{}/{}", "p".repeat(16), "m".repeat(32));
        assert_eq!(longest.len() + path.len(), URL_BYTES_MAX);
        let long = format!("{longest}x");
        for bad in
            ["http://h", "https://h/", "https://h?a=1", "https://h#a", "h/n", "https://h/ n", "", &long]
        {
            assert!(!is_notify_base_url(bad), "{bad}");
        }
    }

    #[test]
    fn a_page_is_on_the_web() {
        for good in ["https://shop.example.com/done?a=1#b", "http://shop.example.com"] {
            assert!(is_web_url(good), "{good}");
        }
        for bad in ["", "/done", "shop.example.com", "weixin://pay", "javascript:alert(1)", "https://"] {
            assert!(!is_web_url(bad), "{bad}");
        }
    }

    #[test]
    fn only_unreserved_characters_stand_as_they_are() {
        assert_eq!(encoded("A-z_0.~"), "A-z_0.~");
        assert_eq!(encoded("a/b?c d&é"), "a%2Fb%3Fc%20d%26%C3%A9");
    }
}
