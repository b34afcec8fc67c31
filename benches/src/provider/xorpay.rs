//! XorPay's side: creates, queries, pushes. Its number of an order is ours, filled up.

use std::collections::BTreeSet;
use std::sync::Mutex;

use anyhow::{Context as _, Result, anyhow};
use paymux_simulators::xorpay::signature;

use super::{Course, Reply, form};
use crate::http;

/// What both sides sign with, of every account.
pub(crate) const SECRET: &str = "bench-secret-of-";
/// Characters of an aoid.
const AOID_CHARS: usize = 32;
/// When everybody has paid.
const PAY_TIME: &str = "2026-01-01 00:00:00";
/// The fields under a create's signature.
const SIGNED: [&str; 5] = ["name", "pay_type", "price", "order_id", "notify_url"];

/// Knows which orders were created: one that is asked about and was not must be created again.
#[derive(Debug, Default)]
pub(super) struct Xorpay {
    /// By the account and the number that the platform gave.
    created: Mutex<BTreeSet<(String, String)>>,
}

impl Xorpay {
    pub(super) fn reply(&self, path: &str, body: &[u8]) -> Result<Reply> {
        match (path.strip_prefix("/api/pay/"), path.strip_prefix("/api/query2/")) {
            (Some(aid), _) => self.create(aid, body),
            (None, Some(query)) => {
                let (aid, form) = query.split_once('?').context("a query without a question")?;
                let order_id = Fields::read(form)?.get("order_id")?.to_owned();
                let is_known = self.created()?.contains(&(aid.to_owned(), order_id));
                // Nobody has paid who is asked about.
                Ok(status(if is_known { "new" } else { "not_exist" }))
            }
            // By its own number, which only a create's answer tells.
            (None, None) => Ok(status("new")),
        }
    }

    fn create(&self, aid: &str, body: &[u8]) -> Result<Reply> {
        let fields = Fields::read(std::str::from_utf8(body)?)?;
        let secret = format!("{SECRET}{aid}");
        let values = SIGNED.map(|name| fields.get(name)).into_iter().collect::<Result<Vec<_>>>()?;
        if signature(values, &secret) != fields.get("sign")? {
            return Ok(status("sign_error"));
        }
        let (order_id, price) = (fields.get("order_id")?, fields.get("price")?);
        let aoid = aoid(order_id);
        let answer = format!(
            r#"{{"status":"ok","aoid":"{aoid}","expire_in":7200,"info":{{"appId":"wx8888888888888888","timeStamp":"1767225600","nonceStr":"{aoid}","package":"prepay_id={aoid}","signType":"MD5","paySign":"9A0A8659F005D6984697E2CA0A9CF3B7"}}}}"#
        );
        let course = Course::of(fields.get("name")?);
        let push = match course {
            Course::Pays | Course::Slow => {
                Some((fields.get("notify_url")?.to_owned(), push_form(order_id, price, aid)))
            }
            Course::Waits => None,
        };
        self.created()?.insert((aid.to_owned(), order_id.to_owned()));
        Ok(Reply { answer: http::answer("200 OK", "", &answer), course, push })
    }

    fn created(&self) -> Result<std::sync::MutexGuard<'_, BTreeSet<(String, String)>>> {
        self.created.lock().map_err(|_| anyhow!("a create panicked"))
    }
}

/// An answer that is one word.
fn status(word: &str) -> Reply {
    http::answer("200 OK", "", &format!(r#"{{"status":"{word}"}}"#)).into()
}

/// The fields of a form, by their names.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn read(form: &str) -> Result<Self> {
        form::fields(form).map(Self)
    }

    fn get(&self, wanted: &str) -> Result<&str> {
        let found = self.0.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str()).with_context(|| format!("{wanted} is missing"))
    }
}

fn aoid(order_id: &str) -> String {
    format!("{:0>AOID_CHARS$}", order_id.to_ascii_lowercase())
}

/// The push of an order that was paid.
pub(crate) fn push_form(order_id: &str, price: &str, aid: &str) -> String {
    let aoid = aoid(order_id);
    let sign = signature([aoid.as_str(), order_id, price, PAY_TIME], &format!("{SECRET}{aid}"));
    form::text(&[
        ("aoid", &aoid),
        ("order_id", order_id),
        ("pay_price", price),
        ("pay_time", PAY_TIME),
        ("more", ""),
        ("detail", r#"{"transaction_id":"4200000000000000000000000000","bank_type":"OTHERS"}"#),
        ("sign", &sign),
    ])
}

/// A create as the engine sends it, for a bare client.
pub(crate) fn create_form(order_id: &str, price: &str, aid: &str, notify_url: &str) -> String {
    let name = Course::Waits.description();
    let sign = signature([name, "jsapi", price, order_id, notify_url], &format!("{SECRET}{aid}"));
    form::text(&[
        ("name", name),
        ("pay_type", "jsapi"),
        ("price", price),
        ("order_id", order_id),
        ("notify_url", notify_url),
        ("openid", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"),
        ("expire", "86400"),
        ("sign", &sign),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_bare_client_sends_is_taken_and_what_is_signed_by_others_is_not() {
        let form = create_form("L000001x", "12.34", "7", "http://127.0.0.1:1/notify/xorpay/m7");
        let (xorpay, asked) = (Xorpay::default(), "/api/query2/7?order_id=L000001x&sign=00");
        let text = |reply: Reply| String::from_utf8(reply.answer).expect("text");
        let told = |path: &str, form: &str| text(xorpay.reply(path, form.as_bytes()).expect("a reply"));
        assert!(told(asked, "").contains("not_exist"));
        assert!(told("/api/pay/8", &form).contains("sign_error"));
        assert!(
            told("/api/pay/7", &form).contains(r#""status":"ok","aoid":"000000000000000000000000l000001x""#)
        );
        assert!(told(asked, "").contains("new"));
    }
}
