//! The calls that the sixth provider serves: proof of the caller, the operation, a sealed answer.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::{Order, SHOPS, Side, sealed};

/// How far a request's time may be from now.
const SKEW_MAX_S: i64 = 300;

type Said = (StatusCode, Value);

fn refused(status: StatusCode, code: &str) -> Said {
    (status, json!({"code": code}))
}

impl Side {
    /// Answers what a proven caller asks.
    fn serve(
        &self,
        (method, uri, headers): (&Method, &Uri, &HeaderMap),
        body: &str,
        act: impl FnOnce(&Self) -> Said,
    ) -> Response {
        let now_s = self.clock.now_ms() / 1000;
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let time_s: i64 = header("sixth-time").parse().unwrap_or(0);
        let [_, (_, seal)] = sealed(time_s, &format!("{method} {}", uri.path()), body);
        let is_proven = header("sixth-seal") == seal && (now_s - time_s).abs() <= SKEW_MAX_S;
        let (status, said) =
            if is_proven { act(self) } else { refused(StatusCode::UNAUTHORIZED, "BAD_SEAL") };
        let body = said.to_string();
        let mut response = (status, body.clone()).into_response();
        for (name, value) in sealed(now_s, status.as_str(), &body) {
            let name: axum::http::HeaderName = name.parse().unwrap();
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        response
    }
}

type Provider = State<Arc<Side>>;

pub(super) async fn create(
    State(side): Provider,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    side.serve((&method, &uri, &headers), &body, |side| {
        let wish: Value = serde_json::from_str(&body).unwrap_or_default();
        let text = |name: &str| wish[name].as_str().unwrap_or_default().to_owned();
        let (shop, number) = (text("shop"), text("number"));
        let (amount, expires_at) = (wish["amount"].as_i64(), wish["expires_at"].as_i64());
        let (Some(amount), Some(expires_at), true) = (amount, expires_at, SHOPS.contains(&shop.as_str()))
        else {
            return refused(StatusCode::BAD_REQUEST, "MALFORMED");
        };
        let now_ms = side.clock.now_ms();
        let order = Order::new(amount, expires_at, text("notify_url"));
        let mut book = side.book.lock().unwrap();
        match book.make(&shop, &number, order).map(|order| order.state(now_ms)) {
            Ok("OPEN") => {
                let path = format!("/sixth/pay/{shop}/{number}");
                (StatusCode::OK, json!({"shop": shop, "number": number, "page": path}))
            }
            Ok(state) => refused(StatusCode::CONFLICT, state),
            Err(code) => refused(StatusCode::CONFLICT, code),
        }
    })
}

pub(super) async fn query(
    State(side): Provider,
    Path((shop, number)): Path<(String, String)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    side.serve((&method, &uri, &headers), "", |side| {
        let now_ms = side.clock.now_ms();
        let mut book = side.book.lock().unwrap();
        let Some(order) = book.order_mut(&shop, &number) else {
            return refused(StatusCode::NOT_FOUND, "NO_ORDER");
        };
        let mut said = order.told(&shop, &number);
        said["state"] = json!(order.state(now_ms));
        (StatusCode::OK, said)
    })
}

pub(super) async fn refund(
    State(side): Provider,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    side.serve((&method, &uri, &headers), &body, |side| {
        let wish: Value = serde_json::from_str(&body).unwrap_or_default();
        let text = |name: &str| wish[name].as_str().unwrap_or_default().to_owned();
        let (shop, number, refund) = (text("shop"), text("number"), text("refund"));
        let amount = wish["amount"].as_i64().unwrap_or(0);
        let mut book = side.book.lock().unwrap();
        let Some(order) = book.order_mut(&shop, &number) else {
            return refused(StatusCode::NOT_FOUND, "NO_ORDER");
        };
        if order.told(&shop, &number)["trade_no"] != wish["trade_no"] {
            return refused(StatusCode::CONFLICT, "NO_PAYMENT");
        }
        match order.refund(&refund, amount) {
            Ok(()) => (StatusCode::OK, json!({"shop": shop, "refund": refund, "amount": amount})),
            Err(code) => refused(StatusCode::CONFLICT, code),
        }
    })
}

pub(super) async fn query_refund(
    State(side): Provider,
    Path((shop, number)): Path<(String, String)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    side.serve((&method, &uri, &headers), "", |side| match side.book.lock().unwrap().refund(&shop, &number) {
        Some(amount) => (StatusCode::OK, json!({"shop": shop, "refund": number, "amount": amount})),
        None => refused(StatusCode::NOT_FOUND, "NO_REFUND"),
    })
}

/// The payer's page: it opens while the order can be paid.
pub(super) async fn page(State(side): Provider, Path((shop, number)): Path<(String, String)>) -> StatusCode {
    let now_ms = side.clock.now_ms();
    let mut book = side.book.lock().unwrap();
    match book.order_mut(&shop, &number).map(|order| order.state(now_ms)) {
        Some("OPEN") => StatusCode::OK,
        Some(_) => StatusCode::GONE,
        None => StatusCode::NOT_FOUND,
    }
}
