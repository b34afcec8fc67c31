//! HTTP requests and answers as plain values: what a provider builds and parses, and one transport sends.

use std::fmt;
use std::time::Duration;

/// The methods that providers here use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

impl Method {
    /// The method in capitals, as signatures need it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// A request, ready to send. `Debug` shows neither headers nor body: both carry signatures and personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// Absolute URL.
    pub url: String,
    /// Header names in lower case with their values.
    pub headers: Vec<(String, String)>,
    /// Body bytes exactly as signed.
    pub body: Vec<u8>,
    /// Physical time until the answer must be complete, on whichever way it comes.
    pub timeout: Duration,
    /// Where else it may go when the host of its URL cannot be reached.
    pub detour: Option<Detour>,
}

/// The same request at a provider's stand-by host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detour {
    /// Absolute URL there.
    pub url: String,
    /// Whether it does no harm that both hosts act upon it: then it goes there also when it is not sure that nothing
    /// left. Otherwise only what provably did not leave goes there.
    pub is_repeatable: bool,
}

/// An answer as it arrived. `Debug` shows neither headers nor body.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Header names in lower case with their values.
    pub headers: Vec<(String, String)>,
    /// Raw body, at most `ANSWER_BODY_BYTES_MAX`.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// The first header of that lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({} body bytes)", self.method.as_str(), self.url, self.body.len())
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {} ({} body bytes)", self.status, self.body.len())
    }
}

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Provably nothing left: refused connection, a name that does not resolve, a request that cannot be written.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Time-out, broken connection, TLS fault, an answer cut off or too large: the provider may have acted.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}
