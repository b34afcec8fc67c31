//! The fields of the cashier with their limits, and the failure that names the first faulty one.

use super::form::Fields;

/// Largest amount in fen. The field is an int(16); one SDK stops at 1,000,000 fen, which PayJS nowhere states.
const TOTAL_FEE_MAX: i64 = 9_999_999_999_999_999;

/// Each field with its greatest length in characters. PayJS's page has these (`body` 32 there, 64 on a newer
/// one: the stricter holds), `callback_url` the newer page's 255. Other fields are refused `[assumed]`.
const FIELDS: [(&str, usize); 11] = [
    ("mchid", 16),
    ("total_fee", 16),
    ("out_trade_no", 32),
    ("body", 32),
    ("attach", 127),
    ("notify_url", 255),
    ("callback_url", 255),
    ("auto", 1),
    ("hide", 1),
    ("logo", 32),
    ("sign", 32),
];

/// What a payer's browser asks the cashier for. Holds personal data, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct CashierParams {
    pub(crate) out_trade_no: String,
    pub(crate) total_fee: i64,
    pub(crate) body: Option<String>,
    pub(crate) attach: Option<String>,
    pub(crate) notify_url: Option<String>,
    pub(crate) callback_url: Option<String>,
    /// All fields but the signature; a repeat must equal them.
    content: Vec<(String, String)>,
}

/// Why a request is refused: a text of at most 32 characters, as PayJS's `msg` is.
pub(super) type Message = String;

impl CashierParams {
    /// Reads and checks the fields; the first fault is told. Whose they are is the caller's to check.
    pub(super) fn parse(fields: &Fields) -> Result<Self, Message> {
        if let Some(name) = fields.doubled() {
            return Err(bad(name, "参数重复"));
        }
        if let Some(name) = fields.names().find(|name| !FIELDS.iter().any(|(known, _)| known == name)) {
            return Err(bad(name, "参数未知"));
        }
        for (name, chars_max) in FIELDS {
            if fields.get(name).is_some_and(|value| value.chars().count() > chars_max) {
                return Err(bad(name, "参数过长"));
            }
        }
        for name in ["auto", "hide"] {
            if fields.get(name).is_some_and(|value| !["0", "1"].contains(&value)) {
                return Err(bad(name, "参数错误"));
            }
        }
        for name in ["notify_url", "callback_url", "logo"] {
            if fields.get(name).is_some_and(|url| !is_url(url, name != "notify_url")) {
                return Err(bad(name, "参数错误"));
            }
        }
        let own = |name| fields.get(name).map(str::to_owned);
        let total_fee = fields.get("total_fee").ok_or_else(|| bad("total_fee", "参数缺失"))?;
        Ok(Self {
            out_trade_no: own("out_trade_no").ok_or_else(|| bad("out_trade_no", "参数缺失"))?,
            total_fee: read_fen(total_fee).ok_or_else(|| bad("total_fee", "参数错误"))?,
            body: own("body"),
            attach: own("attach"),
            notify_url: own("notify_url"),
            callback_url: own("callback_url"),
            content: fields.content(),
        })
    }
}

fn bad(name: &str, issue: &str) -> Message {
    let room = 32 - 1 - issue.chars().count();
    format!("{} {issue}", name.chars().take(room).collect::<String>())
}

/// A number of fen as PayJS writes it: digits alone, none of them a leading zero.
fn read_fen(text: &str) -> Option<i64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|fen| is_plain && (1..=TOTAL_FEE_MAX).contains(fen))
}

/// An absolute web address; the one for pushes must not have a query string.
fn is_url(text: &str, may_have_query: bool) -> bool {
    let Ok(url) = reqwest::Url::parse(text) else { return false };
    let is_web = ["http", "https"].contains(&url.scheme()) && url.has_host();
    is_web && (may_have_query || (url.query().is_none() && url.fragment().is_none()))
}

#[cfg(test)]
mod tests {
    use super::super::form;
    use super::*;

    const GOOD: &str = "mchid=123456&total_fee=1200&out_trade_no=T1&notify_url=http://127.0.0.1:1/n&sign=X";

    fn fault(more: &str) -> Option<String> {
        CashierParams::parse(&form::decode(format!("{GOOD}{more}").as_bytes())).err()
    }

    #[test]
    fn each_limit_is_held_and_named() {
        assert_eq!(fault(&format!("&body={}&attach={}", "款".repeat(32), "a".repeat(127))), None);
        assert_eq!(fault("&auto=1&hide=0&callback_url=https://a.b/c?d=e"), None);
        for (more, message) in [
            (format!("&body={}", "款".repeat(33)), "body 参数过长"),
            (format!("&attach={}", "a".repeat(128)), "attach 参数过长"),
            (format!("&callback_url=https://a.b/{}", "c".repeat(255)), "callback_url 参数过长"),
            (format!("&logo=https://a.b/{}", "c".repeat(32)), "logo 参数过长"),
            ("&auto=2".to_owned(), "auto 参数错误"),
            ("&hide=y".to_owned(), "hide 参数错误"),
            ("&callback_url=/done".to_owned(), "callback_url 参数错误"),
            ("&time_expire=20260101000000".to_owned(), "time_expire 参数未知"),
            ("&body=a&body=b".to_owned(), "body 参数重复"),
        ] {
            assert_eq!(fault(&more).as_deref(), Some(message), "{more}");
        }
    }

    #[test]
    fn amounts_numbers_and_addresses_are_checked() {
        let with = |from: &str, to: &str| {
            let text = GOOD.replace(from, to);
            CashierParams::parse(&form::decode(text.as_bytes())).err()
        };
        for fen in ["0", "-1", "1.5", "01", "%2B1", "x", "99999999999999999"] {
            let message = with("=1200", &format!("={fen}"));
            assert!(message.is_some_and(|message| message.starts_with("total_fee ")), "{fen}");
        }
        assert_eq!(with("=1200", "=").as_deref(), Some("total_fee 参数缺失"));
        assert_eq!(with("=T1", "=").as_deref(), Some("out_trade_no 参数缺失"));
        assert_eq!(with("=T1", &format!("={}", "9".repeat(32))), None);
        assert!(with("=T1", &format!("={}", "9".repeat(33))).is_some());
        for url in ["ftp://a.b/n", "https://a.b/n?x=1", "https://a.b/n%23f", "n"] {
            assert!(with("http://127.0.0.1:1/n", url).is_some(), "{url}");
        }
        let long = fault(&format!("&{}=1", "x".repeat(99))).unwrap();
        assert_eq!(long.chars().count(), 32);
    }
}
