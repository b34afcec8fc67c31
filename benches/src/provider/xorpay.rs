//! XorPay's side: creates, queries, pushes. Its number of an order is ours, filled up.

use anyhow::{Context as _, Result};
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

pub(super) fn reply(path: &str, body: &[u8]) -> Result<Reply> {
    let Some(aid) = path.strip_prefix("/api/pay/") else {
        // Nobody has paid who is asked about.
        return Ok(http::answer("200 OK", "", r#"{"status":"new"}"#).into());
    };
    let fields = form::fields(std::str::from_utf8(body)?)?;
    let field = |wanted: &str| {
        let found = fields.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str()).with_context(|| format!("{wanted} is missing"))
    };
    let secret = format!("{SECRET}{aid}");
    let values = SIGNED.map(field).into_iter().collect::<Result<Vec<_>>>()?;
    if signature(values, &secret) != field("sign")? {
        return Ok(http::answer("200 OK", "", r#"{"status":"sign_error"}"#).into());
    }
    let (order_id, price) = (field("order_id")?, field("price")?);
    let aoid = aoid(order_id);
    let answer = format!(
        r#"{{"status":"ok","aoid":"{aoid}","expire_in":7200,"info":{{"appId":"wx8888888888888888","timeStamp":"1767225600","nonceStr":"{aoid}","package":"prepay_id={aoid}","signType":"MD5","paySign":"9A0A8659F005D6984697E2CA0A9CF3B7"}}}}"#
    );
    let course = Course::of(field("name")?);
    let push = match course {
        Course::Pays | Course::Slow => {
            Some((field("notify_url")?.to_owned(), push_form(order_id, price, aid)))
        }
        Course::Waits => None,
    };
    Ok(Reply { answer: http::answer("200 OK", "", &answer), course, push })
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
        let taken = reply("/api/pay/7", form.as_bytes()).expect("a reply");
        let text = |reply: Reply| String::from_utf8(reply.answer).expect("text");
        assert!(text(taken).contains(r#""status":"ok","aoid":"000000000000000000000000l000001x""#));
        let refused = reply("/api/pay/8", form.as_bytes()).expect("a reply");
        assert!(text(refused).contains("sign_error"));
    }
}
