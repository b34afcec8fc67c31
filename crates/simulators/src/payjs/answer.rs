//! Answers: signed JSON documents, failures, pages, and the ways in which an answer fails to leave.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::merchant::PayjsMerchant;
use super::sign;
use crate::connection::ConnectionHandle;
use crate::world::World;

/// What a proxy in between might answer.
const GARBAGE: &str =
    "<html><head><title>502 Bad Gateway</title></head><body>upstream went away</body></html>";

/// Signs for nobody.
const STRANGERS_KEY: &str = "a key that is not this merchant's";

/// How a document is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seal {
    /// With the merchant's key.
    Signed,
    /// With another key.
    Wrong,
    /// Not at all.
    Missing,
}

/// An answer to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: String,
    /// Where a payer's browser is sent on to.
    location: Option<String>,
    /// Whether the connection ends without an answer.
    is_cut: bool,
    /// Whether the connection is held for the hang time first.
    hangs: bool,
}

impl Reply {
    fn new(status: StatusCode, content_type: &'static str, body: String) -> Self {
        Self { status, content_type, body, location: None, is_cut: false, hangs: false }
    }

    fn json(document: Map<String, Value>) -> Self {
        Self::new(StatusCode::OK, "application/json; charset=utf-8", Value::Object(document).to_string())
    }

    /// A JSON document with HTTP status 200, sealed towards a merchant.
    pub(super) fn document(merchant: &PayjsMerchant, mut document: Map<String, Value>, seal: Seal) -> Self {
        let key = match seal {
            Seal::Signed => Some(merchant.key.as_str()),
            Seal::Wrong => Some(STRANGERS_KEY),
            Seal::Missing => None,
        };
        if let Some(key) = key {
            let texts: Vec<(&String, String)> =
                document.iter().map(|(name, value)| (name, text_of(value))).collect();
            let fields: Vec<(&str, &str)> = texts.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let signature = sign::sign(&fields, merchant.zero_values, key);
            document.insert("sign".to_owned(), signature.into());
        }
        Self::json(document)
    }

    /// The cashier's failure: HTTP status 200 and the four documented fields.
    pub(super) fn cashier_failure(message: &str) -> Self {
        Self::json(object(json!({ "return_code": 0, "status": 0, "msg": message, "return_msg": message })))
    }

    /// A failure of check, close or refund before the caller has proved who it is: unsigned.
    pub(super) fn failure(message: &str) -> Self {
        Self::json(object(json!({ "return_code": 0, "msg": message, "return_msg": message })))
    }

    /// The way to the cashier page.
    pub(super) fn redirect(location: String) -> Self {
        let reply = Self::new(StatusCode::FOUND, "text/html; charset=utf-8", String::new());
        Self { location: Some(location), ..reply }
    }

    pub(super) fn page(html: String) -> Self {
        Self::new(StatusCode::OK, "text/html; charset=utf-8", html)
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "404 Not Found".to_owned())
    }

    pub(super) fn garbage() -> Self {
        Self::page(GARBAGE.to_owned())
    }

    pub(super) fn server_error(message: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", message.to_owned())
    }

    /// HTTP 429 `[assumed]`: PayJS's pages name no limit and no answer beyond it.
    pub(super) fn throttled() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "text/plain; charset=utf-8", "Too Many Attempts.".to_owned())
    }

    /// No answer: the connection is cut.
    pub(super) fn cut() -> Self {
        Self { is_cut: true, ..Self::server_error("") }
    }

    pub(super) fn hanging(self) -> Self {
        Self { hangs: true, ..self }
    }

    pub(super) fn status(&self) -> u16 {
        self.status.as_u16()
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
        let content_type = [(header::CONTENT_TYPE, self.content_type)];
        match self.location {
            Some(location) => (self.status, content_type, [(header::LOCATION, location)]).into_response(),
            None => (self.status, content_type, self.body).into_response(),
        }
    }

    /// The failure text of the cashier's JSON, if this is one.
    pub(super) fn refusal(&self) -> Option<String> {
        let document: Value = serde_json::from_str(&self.body).ok()?;
        Some(document.get("return_msg")?.as_str()?.to_owned())
    }

    /// Whether a payer's browser is sent on to the page.
    pub(super) fn is_redirect(&self) -> bool {
        self.location.is_some() && !self.is_cut
    }
}

/// A JSON object as its map; anything else has no fields.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A value as it stands in the text under a signature.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::form;
    use super::super::merchant::{CommunicationKey, ZeroValues};
    use super::*;

    #[test]
    fn documents_are_signed_with_numbers_as_their_digits() {
        let mut merchant = PayjsMerchant::new("123456", CommunicationKey::new("xxxxxx".to_owned()));
        for zero_values in [ZeroValues::Kept, ZeroValues::Dropped] {
            merchant.zero_values = zero_values;
            let document = object(json!({ "return_code": 1, "status": 0, "out_trade_no": "T 1" }));
            let reply = Reply::document(&merchant, document.clone(), Seal::Signed);
            assert!(form::read("application/json", reply.body.as_bytes()).unwrap().is_signed_with("xxxxxx"));
            for seal in [Seal::Wrong, Seal::Missing] {
                let reply = Reply::document(&merchant, document.clone(), seal);
                let fields = form::read("application/json", reply.body.as_bytes()).unwrap();
                assert!(!fields.is_signed_with("xxxxxx"));
                assert_eq!(fields.get("sign").is_some(), seal == Seal::Wrong);
            }
        }
    }

    #[test]
    fn a_cashier_failure_has_the_four_documented_fields() {
        let reply = Reply::cashier_failure("签名错误");
        let body: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(body, json!({"return_code": 0, "status": 0, "msg": "签名错误", "return_msg": "签名错误"}));
        assert_eq!((reply.status, reply.refusal().as_deref()), (StatusCode::OK, Some("签名错误")));
    }
}
