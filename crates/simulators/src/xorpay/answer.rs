//! Answers: unsigned JSON documents with a `status`, and the ways in which an answer fails to leave.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::connection::{ConnectionHandle, broken_off};
use crate::world::World;

/// What a proxy in between might answer.
const GARBAGE: &str =
    "<html><head><title>502 Bad Gateway</title></head><body>upstream went away</body></html>";

/// How an answer leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Whole.
    Whole,
    /// The connection breaks off in the middle of the body.
    Truncated,
    /// Not at all: the connection is cut.
    Cut,
}

/// An answer to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: String,
    /// Where a payer's browser is sent on to.
    location: Option<String>,
    manner: Manner,
    /// Whether the connection is held for the hang time first.
    hangs: bool,
}

impl Reply {
    fn new(status: StatusCode, content_type: &'static str, body: String) -> Self {
        Self { status, content_type, body, location: None, manner: Manner::Whole, hangs: false }
    }

    /// A JSON document with HTTP status 200.
    pub(super) fn json(document: &Value) -> Self {
        Self::new(StatusCode::OK, "application/json", document.to_string())
    }

    /// A word and no more.
    pub(super) fn word(status: &str) -> Self {
        Self::json(&json!({ "status": status }))
    }

    /// A refusal that names what it is about.
    pub(super) fn refusal(status: &str, info: &str) -> Self {
        Self::json(&json!({ "status": status, "info": info }))
    }

    /// A browser is sent on.
    pub(super) fn redirect(location: String) -> Self {
        let reply = Self::new(StatusCode::FOUND, "text/html; charset=utf-8", String::new());
        Self { location: Some(location), ..reply }
    }

    pub(super) fn not_found(text: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", text.to_owned())
    }

    pub(super) fn garbage() -> Self {
        Self::new(StatusCode::OK, "text/html; charset=utf-8", GARBAGE.to_owned())
    }

    pub(super) fn server_error(message: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", message.to_owned())
    }

    /// HTTP 429 `[assumed]`: XorPay's pages name no limit and no answer beyond it.
    pub(super) fn throttled() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "text/plain; charset=utf-8", "Too Many Requests".to_owned())
    }

    /// No answer: the connection is cut.
    pub(super) fn cut() -> Self {
        Self::server_error("").manner(Manner::Cut)
    }

    pub(super) fn manner(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }

    pub(super) fn hanging(self) -> Self {
        Self { hangs: true, ..self }
    }

    /// The same document with so many blanks behind it.
    pub(super) fn padded(self, bytes: usize) -> Self {
        let body = format!("{}{}", self.body, " ".repeat(bytes));
        Self { body, ..self }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.manner == Manner::Cut
    }

    /// Holds the connection if need be, then answers, breaks off or cuts it.
    pub(super) async fn send(self, world: &World, connection: &ConnectionHandle) -> Response {
        if self.hangs {
            world.hang().await;
        }
        if self.manner == Manner::Cut {
            connection.cut();
        }
        let content_type = [(header::CONTENT_TYPE, self.content_type)];
        if let Some(location) = self.location {
            return (self.status, content_type, [(header::LOCATION, location)]).into_response();
        }
        let body = Bytes::from(self.body);
        if self.manner != Manner::Truncated {
            return (self.status, content_type, body).into_response();
        }
        let length = [(header::CONTENT_LENGTH, body.len().to_string())];
        (self.status, content_type, length, broken_off(body)).into_response()
    }
}
