//! Requests to the sixth provider.

use paymux_domain::http::{HttpRequest, Method};
use paymux_domain::outcome::Operation;
use paymux_domain::ports::{BuildError, Built, Call};
use serde_json::{Value, json};

use super::Account;

/// Builds and seals what a call needs.
pub(super) fn build(account: &Account, call: &Call) -> Result<Built, BuildError> {
    let shop = &account.shop;
    let number = call.created.out_trade_no.as_str();
    let (method, path, body) = match (call.operation, &call.refund) {
        (Operation::Create, _) => (Method::Post, "/sixth/orders".to_owned(), Some(wish(account, call))),
        (Operation::Query, None) => (Method::Get, format!("/sixth/orders/{shop}/{number}"), None),
        (Operation::Query, Some((_, refund))) => {
            (Method::Get, format!("/sixth/refunds/{shop}/{}", refund.out_refund_no), None)
        }
        (Operation::Refund, Some((_, refund))) => {
            let body = json!({
                "shop": shop, "number": number, "refund": refund.out_refund_no.as_str(),
                "trade_no": refund.trade_no.as_str(), "amount": refund.amount.minor(),
            });
            (Method::Post, "/sixth/refunds".to_owned(), Some(body))
        }
        (operation, _) => return Err(BuildError::Lacking(operation)),
    };
    let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
    let name = if method == Method::Get { "GET" } else { "POST" };
    let time_s = call.now.as_secs();
    let seal = account.seal(time_s, &format!("{name} {path}"), &body);
    Ok(Built::Request(HttpRequest {
        method,
        url: format!("{}{path}", account.base_url),
        headers: vec![("sixth-time".to_owned(), time_s.to_string()), ("sixth-seal".to_owned(), seal)],
        body,
        timeout: account.timeout,
        detour: None,
    }))
}

fn wish(account: &Account, call: &Call) -> Value {
    let created = &call.created;
    json!({
        "shop": account.shop, "number": created.out_trade_no.as_str(), "amount": created.amount.minor(),
        "expires_at": created.expire_time.as_secs(), "notify_url": created.notify_url,
    })
}
