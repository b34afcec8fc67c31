//! Answers: the envelope with its sealed data, failures, and the ways in which an answer fails to leave.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::fields::text_of;
use super::merchant::UpaasMerchant;
use super::sign::sign;
use crate::connection::ConnectionHandle;
use crate::world::World;

/// What a proxy in between might answer.
const GARBAGE: &str =
    "<html><head><title>502 Bad Gateway</title></head><body>upstream went away</body></html>";

/// Signs for nobody.
const STRANGERS_KEY: &str = "a key that is not this store's";

/// How data are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seal {
    /// By the account's rule.
    Signed,
    /// With another key.
    Wrong,
    /// Not at all.
    Missing,
}

/// The data with their signature.
pub(super) fn sealed(
    merchant: &UpaasMerchant,
    mut data: Map<String, Value>,
    seal: Seal,
) -> Map<String, Value> {
    let key = match seal {
        Seal::Signed => merchant.key.as_str(),
        Seal::Wrong => STRANGERS_KEY,
        Seal::Missing => return data,
    };
    let texts: Vec<(String, String)> =
        data.iter().filter_map(|(name, value)| Some((name.clone(), text_of(value)?))).collect();
    let fields: Vec<(&str, &str)> =
        texts.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    if let Some(signature) = sign(&fields, merchant.response_sign, merchant.key_joining, key) {
        data.insert("sign".to_owned(), signature.into());
    }
    data
}

/// An answer to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: String,
    /// Whether the connection ends without an answer.
    is_cut: bool,
    /// Whether the connection is held for the hang time first.
    hangs: bool,
}

impl Reply {
    fn new(status: StatusCode, content_type: &'static str, body: String) -> Self {
        Self { status, content_type, body, is_cut: false, hangs: false }
    }

    fn json(document: &Value) -> Self {
        Self::new(StatusCode::OK, "application/json; charset=utf-8", document.to_string())
    }

    /// A success with its data.
    pub(super) fn success(merchant: &UpaasMerchant, data: Map<String, Value>, seal: Seal) -> Self {
        let data = sealed(merchant, data, seal);
        Self::json(&json!({ "code": "000000", "message": "请求成功", "data": data }))
    }

    /// A failure with data that name the order, so that there is something to seal.
    pub(super) fn failure(
        merchant: &UpaasMerchant,
        data: Map<String, Value>,
        code: &str,
        message: &str,
    ) -> Self {
        let data = sealed(merchant, data, Seal::Signed);
        Self::json(&json!({ "code": code, "message": message, "data": data }))
    }

    /// A failure before anything is known: without data.
    pub(super) fn refusal(code: &str, message: &str) -> Self {
        Self::json(&json!({ "code": code, "message": message }))
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "404 Not Found".to_owned())
    }

    pub(super) fn garbage() -> Self {
        Self::new(StatusCode::OK, "text/html; charset=utf-8", GARBAGE.to_owned())
    }

    pub(super) fn server_error(message: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", message.to_owned())
    }

    /// HTTP 429 `[assumed]`: no limit is published.
    pub(super) fn throttled() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "text/plain; charset=utf-8", "Too Many Requests".to_owned())
    }

    /// No answer: the connection is held for the hang time, then cut.
    pub(super) fn hung() -> Self {
        Self { is_cut: true, hangs: true, ..Self::server_error("") }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Holds the connection if need be, then answers or cuts it.
    pub(super) async fn send(self, world: &World, connection: &ConnectionHandle) -> Response {
        if self.hangs {
            world.hang().await;
        }
        if self.is_cut {
            connection.cut();
        }
        (self.status, [(header::CONTENT_TYPE, self.content_type)], self.body).into_response()
    }
}
