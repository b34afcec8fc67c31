//! Answers of the server API: documents with their MD5, and the ways in which an answer fails to leave.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::sign::{self, Document};
use crate::connection::ConnectionHandle;
use crate::world::World;

/// What a proxy in between might answer.
const GARBAGE: &str =
    "<html><head><title>502 Bad Gateway</title></head><body>upstream went away</body></html>";

/// Signs for nobody.
const STRANGERS_KEY: &str = "a key that is not this merchant's";

/// The code of what is accepted.
const ACCEPTED: &str = "10000";

/// The code of what is refused; the real ones are not published.
const REFUSED: &str = "20000";

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
    /// Whether the connection ends without an answer.
    is_cut: bool,
    /// Whether the connection is held for the hang time first.
    hangs: bool,
}

impl Reply {
    fn new(status: StatusCode, content_type: &'static str, body: String) -> Self {
        Self { status, content_type, body, is_cut: false, hangs: false }
    }

    /// A document with HTTP status 200, sealed towards a merchant.
    pub(super) fn document(mut document: Document, access_key: &str, seal: Seal) -> Self {
        let key = match seal {
            Seal::Signed => Some(access_key),
            Seal::Wrong => Some(STRANGERS_KEY),
            Seal::Missing => None,
        };
        if let Some(key) = key {
            let signature = sign::api_sign(&document, key);
            document.insert("sign".to_owned(), signature.into());
        }
        Self::new(StatusCode::OK, "application/json; charset=utf-8", Value::Object(document).to_string())
    }

    /// A refusal before the caller has proved who it is: unsigned.
    pub(super) fn refusal(message: &str) -> Self {
        let document = object(json!({ "return_code": "9999", "return_msg": message }));
        Self::document(document, "", Seal::Missing)
    }

    pub(super) fn garbage() -> Self {
        Self::new(StatusCode::OK, "text/html; charset=utf-8", GARBAGE.to_owned())
    }

    pub(super) fn server_error() -> Self {
        let body = "Server Error".to_owned();
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", body)
    }

    /// HTTP 429 `[assumed]`: no limit is published, and no answer beyond it.
    pub(super) fn throttled() -> Self {
        let body = "Too Many Requests".to_owned();
        Self::new(StatusCode::TOO_MANY_REQUESTS, "text/plain; charset=utf-8", body)
    }

    /// No answer: the connection is cut.
    pub(super) fn cut() -> Self {
        Self { is_cut: true, ..Self::server_error() }
    }

    pub(super) fn hanging(self) -> Self {
        Self { hangs: true, ..self }
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

/// What is accepted, with what it says beside.
pub(super) fn accepted(more: Value) -> Document {
    let mut document =
        object(json!({ "return_code": ACCEPTED, "return_msg": "SUCCESS", "result_code": ACCEPTED }));
    document.extend(object(more));
    document
}

/// What is refused, in a text for people.
pub(super) fn refused(message: &str) -> Document {
    object(json!({
        "return_code": ACCEPTED, "return_msg": "SUCCESS", "result_code": REFUSED, "result_msg": message,
    }))
}

/// A JSON object as its map; anything else has no fields.
pub(super) fn object(value: Value) -> Document {
    match value {
        Value::Object(map) => map,
        _ => Document::new(),
    }
}
