//! The fields of a create with their rules, and the refusal that names the first faulty argument.

use super::merchant::XorpayMerchant;
use super::order::LIFE_DEFAULT_S;
use super::sign;
use crate::form::Fields;

/// The fields that must be there.
const REQUIRED: [&str; 7] = ["name", "pay_type", "price", "order_id", "notify_url", "openid", "sign"];
/// The fields that may be there. Others are refused `[assumed]`.
const OPTIONAL: [&str; 4] = ["order_uid", "return_url", "more", "expire"];
/// Longest order number, in characters `[assumed]`: that of the WeChat order underneath.
const ORDER_ID_CHARS_MAX: usize = 32;
/// Longest life of an order, in seconds `[assumed]`.
const LIFE_MAX_S: i64 = 30 * 24 * 3600;
/// Digits of a price before the point.
const YUAN_DIGITS_MAX: usize = 14;

/// A create, ready to become an order. Holds personal data, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct CreateParams {
    pub(super) order_id: String,
    /// In fen.
    pub(super) price: i64,
    pub(super) notify_url: String,
    pub(super) openid: String,
    pub(super) more: Option<String>,
    /// In seconds.
    pub(super) expire: i64,
    /// All fields but the signature; a repeat must equal them.
    content: Vec<(String, String)>,
}

/// A refusal: XorPay's word, and the argument that it is about.
pub(super) type Refusal = (&'static str, String);

impl CreateParams {
    /// Reads and checks the fields; the first fault is told.
    pub(super) fn parse(fields: &Fields, merchant: &XorpayMerchant) -> Result<Self, Refusal> {
        // XorPay has one word for all of it `[assumed]`.
        let bad = |name: &str| ("missing_argument", name.to_owned());
        if let Some(name) = fields.doubled() {
            return Err(bad(name));
        }
        let is_known = |name: &&str| REQUIRED.contains(name) || OPTIONAL.contains(name);
        if let Some(name) = fields.names().find(|name| !is_known(name)) {
            return Err(bad(name));
        }
        let get = |name: &'static str| fields.get(name).ok_or_else(|| bad(name));
        let [name, pay_type, price, order_id, notify_url, openid, sign] = REQUIRED.map(get);
        let (name, pay_type, price, order_id) = (name?, pay_type?, price?, order_id?);
        let (notify_url, openid, given) = (notify_url?, openid?, sign?);
        let values = [name, pay_type, price, order_id, notify_url];
        if !sign::is_signed(values, merchant.app_secret.as_str(), given) {
            return Err(("sign_error", sign::CREATE.join(" + ")));
        }
        if pay_type != "jsapi" {
            return Err(("pay_type_error", pay_type.to_owned()));
        }
        let own = |name: &str| fields.get(name).map(str::to_owned);
        let is_number =
            order_id.len() <= ORDER_ID_CHARS_MAX && order_id.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_number {
            return Err(bad("order_id"));
        }
        if !is_url(notify_url) {
            return Err(bad("notify_url"));
        }
        if own("return_url").is_some_and(|url| !is_url(&url)) {
            return Err(bad("return_url"));
        }
        let expire = fields.get("expire").map_or(Some(LIFE_DEFAULT_S), read_seconds);
        Ok(Self {
            order_id: order_id.to_owned(),
            price: read_yuan(price).ok_or_else(|| bad("price"))?,
            notify_url: notify_url.to_owned(),
            openid: openid.to_owned(),
            more: own("more"),
            expire: expire.ok_or_else(|| bad("expire"))?,
            content: fields.content(),
        })
    }
}

/// Fen of a price: yuan with two decimals, more than nothing.
pub(super) fn read_yuan(text: &str) -> Option<i64> {
    let (yuan, fen) = text.split_once('.')?;
    let is_plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain(yuan) || !is_plain(fen) || fen.len() != 2 || yuan.len() > YUAN_DIGITS_MAX {
        return None;
    }
    format!("{yuan}{fen}").parse().ok().filter(|fen| *fen > 0)
}

/// A sum as XorPay writes it.
pub(super) fn yuan(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

fn read_seconds(text: &str) -> Option<i64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|seconds| is_plain && (1..=LIFE_MAX_S).contains(seconds))
}

fn is_url(text: &str) -> bool {
    reqwest::Url::parse(text).is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::super::merchant::AppSecret;
    use super::*;
    use crate::form;

    const GOOD: [(&str, &str); 6] = [
        ("name", "a"),
        ("pay_type", "jsapi"),
        ("price", "50.00"),
        ("order_id", "T1"),
        ("notify_url", "http://127.0.0.1:1/n"),
        ("openid", "o1"),
    ];

    /// What becomes of the good fields with these changes, signed; an empty value takes a field away.
    fn parse(changes: &[(&str, &str)]) -> Result<CreateParams, Refusal> {
        let mut fields: Vec<(&str, &str)> = GOOD.to_vec();
        for (name, value) in changes {
            fields.retain(|(known, _)| known != name);
            fields.push((name, value));
        }
        let value =
            |name: &str| fields.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| *value);
        let signature = sign::sign(sign::CREATE.map(value), "s");
        if value("sign").is_empty() {
            fields.push(("sign", &signature));
        }
        let merchant = XorpayMerchant::new("1", AppSecret::new("s".to_owned()));
        CreateParams::parse(&form::decode(form::encode(fields).as_bytes()), &merchant)
    }

    #[test]
    fn a_good_create_is_read_whole() {
        let params = parse(&[
            ("more", "a&b"),
            ("order_uid", "u"),
            ("return_url", "https://a.b/c?d"),
            ("expire", "900"),
        ]);
        let params = params.ok().unwrap();
        assert_eq!((params.price, params.expire, params.more.as_deref()), (5000, 900, Some("a&b")));
        assert_eq!(parse(&[]).ok().unwrap().expire, LIFE_DEFAULT_S);
        assert_eq!(parse(&[("sign", &"0".repeat(32))]).err().unwrap().0, "sign_error");
    }

    #[test]
    fn each_faulty_argument_is_named() {
        let long = "9".repeat(33);
        for (name, value) in [
            ("name", ""),
            ("price", ""),
            ("price", "50"),
            ("price", "50.0"),
            ("price", "0.00"),
            ("price", "-1.00"),
            ("price", "1e5.00"),
            ("order_id", ""),
            ("order_id", &long),
            ("notify_url", "/n"),
            ("openid", ""),
            ("return_url", "done"),
            ("expire", "0"),
            ("expire", "+5"),
            ("expire", "2h"),
            ("time_expire", "1"),
        ] {
            let refusal = parse(&[(name, value)]).err();
            assert_eq!(refusal, Some(("missing_argument", name.to_owned())), "{name}={value}");
        }
        assert_eq!(parse(&[("pay_type", "native")]).err(), Some(("pay_type_error", "native".to_owned())));
    }

    /// The joined values of a good create, cut into fields at other borders: the same text, the same signature, and
    /// another order each time, if it were taken.
    #[test]
    fn a_text_that_is_cut_elsewhere_is_never_taken() {
        use rand::Rng as _;
        let mut rng = crate::draw::rng_of(1, "shifts", "");
        let mut tried = 0;
        while tried < 10_000 {
            let number = format!("{}", rng.random_range(0..10_000_000_u64));
            let price = format!("{}.{:02}", rng.random_range(1..200), rng.random_range(0..100));
            let genuine = ["tea jsapi", "jsapi", &price, &number, "http://127.0.0.1:1/n"];
            let text = genuine.concat();
            let mut borders = [0; 4];
            let mut end = 0;
            for (border, value) in borders.iter_mut().zip(genuine) {
                end += value.len();
                *border = end;
            }
            let own = borders;
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..4);
                let step = rng.random_range(1..6);
                borders[at] =
                    if rng.random_bool(0.5) { borders[at] + step } else { borders[at].saturating_sub(step) };
            }
            borders.sort_unstable();
            if borders == own || borders[3] > text.len() {
                continue;
            }
            tried += 1;
            let [a, b, c, d] = borders;
            let cut = [&text[..a], &text[a..b], &text[b..c], &text[c..d], &text[d..]];
            let changes: Vec<(&str, &str)> = sign::CREATE.into_iter().zip(cut).collect();
            assert!(parse(&changes).is_err(), "{cut:?} was taken");
        }
    }
}
