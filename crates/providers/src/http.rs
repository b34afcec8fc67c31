//! The one transport: sends a request value, brings back an answer value, or says why none came.
//!
//! HTTP/1.1 with kept connections, a deadline over everything, a cap on the body; no redirects (a provider's
//! answer is its answer), no proxy from the environment, no repeats of its own. Only a refused connection, a name that
//! does not resolve and a request that cannot be written prove that nothing left; whatever else goes wrong, the provider
//! may have acted.
//!
//! A request with a detour goes to the provider's stand-by host while its own cannot be reached (`http/detours.rs`).

mod detours;

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use paymux_domain::http::{HttpRequest, HttpResponse, Method, TransportError};
use paymux_domain::limits::ANSWER_BODY_BYTES_MAX;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use detours::{Detours, Way};

/// Not sent: the connection was refused.
pub const CONNECTION_REFUSED: &str = "CONNECTION_REFUSED";
/// Not sent: the host's name has no address.
pub const NAME_NOT_RESOLVED: &str = "NAME_NOT_RESOLVED";
/// Not sent: URL or headers cannot be sent as they are.
pub const NOT_SENDABLE: &str = "NOT_SENDABLE";
/// Unknown: the deadline passed.
pub const TIMEOUT: &str = "TIMEOUT";
/// Unknown: the connection could not be made for another reason, such as a fault of TLS or no answer to it in time.
pub const UNREACHABLE: &str = "UNREACHABLE";
/// Unknown: the connection broke before the answer's body.
pub const CONNECTION: &str = "CONNECTION";
/// Unknown: the answer's body broke off.
pub const ANSWER_CUT: &str = "ANSWER_CUT";
/// Unknown: the answer's body is longer than `ANSWER_BODY_BYTES_MAX`.
pub const ANSWER_TOO_LARGE: &str = "ANSWER_TOO_LARGE";

/// Longest time to connect, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the system goes on sending what the other side does not acknowledge, also after the connection was given
/// up at the deadline. Only Linux has the option (`TCP_USER_TIMEOUT`); elsewhere the system's own, longer time holds.
pub(crate) const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);
/// Idle connections kept for each provider's host: as many as calls come in bursts. One that is closed too early costs a
/// handshake.
const IDLE_PER_HOST_MAX: usize = 512;
/// How long an idle connection is kept. Shorter than the providers keep it (WeChat Pay: 8 s `[assumed]`): a request
/// on a connection that the other side is just closing has an unknown outcome.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// The HTTP client could not be built, for example without any trusted root certificate.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be built; does the system have trusted root certificates?")]
pub struct TransportBuildError(#[source] reqwest::Error);

/// The shared HTTP client. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Transport {
    client: reqwest::Client,
    detours: Arc<Detours>,
}

impl Transport {
    /// Builds the client.
    ///
    /// # Errors
    /// The TLS library refuses.
    pub fn new() -> Result<Self, TransportBuildError> {
        let builder = reqwest::Client::builder();
        #[cfg(target_os = "linux")]
        let builder = builder.tcp_user_timeout(UNACKNOWLEDGED_MAX);
        let client = builder
            .user_agent(concat!("paymux/", env!("CARGO_PKG_VERSION")))
            .http1_only()
            .no_gzip()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .dns_resolver(Resolver)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build()
            .map_err(TransportBuildError)?;
        Ok(Self { client, detours: Arc::default() })
    }

    /// Sends a request and waits for the whole answer, at most the request's time-out.
    ///
    /// # Errors
    /// Their text is one of the codes of this module.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let timeout = request.timeout;
        match tokio::time::timeout(timeout, self.on_its_way(request)).await {
            Ok(result) => result,
            Err(_) => Err(unknown(TIMEOUT)),
        }
    }

    /// To the request's own host or to the stand-by one; to both where the first cannot be reached and nothing speaks
    /// against it.
    async fn on_its_way(&self, mut request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let Some(detour) = request.detour.take() else { return self.exchange(request).await };
        let host = detours::host_of(&request.url).to_owned();
        let there = HttpRequest { url: detour.url, ..request.clone() };
        if self.detours.way(&host, request.timeout) == Way::StandBy {
            let result = self.exchange(there).await;
            if result.as_ref().is_err_and(is_unreachable) {
                self.detours.end(&host);
            }
            return result;
        }
        let result = self.exchange(request).await;
        match &result {
            Err(error) if is_unreachable(error) => {
                self.detours.begin(&host);
                let may_go = detour.is_repeatable || matches!(error, TransportError::NotSent(_));
                if may_go { self.exchange(there).await } else { result }
            }
            _ => {
                self.detours.end(&host);
                result
            }
        }
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let mut builder = self.client.request(method, request.url);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        let mut response = builder.body(request.body).send().await.map_err(|error| not_answered(&error))?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let body = read_body(&mut response).await?;
        Ok(HttpResponse { status, headers, body })
    }
}

async fn read_body(response: &mut reqwest::Response) -> Result<Vec<u8>, TransportError> {
    let announced =
        response.content_length().map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced > ANSWER_BODY_BYTES_MAX {
        return Err(unknown(ANSWER_TOO_LARGE));
    }
    let mut body = Vec::with_capacity(announced);
    while let Some(chunk) = response.chunk().await.map_err(|_| unknown(ANSWER_CUT))? {
        if body.len() + chunk.len() > ANSWER_BODY_BYTES_MAX {
            return Err(unknown(ANSWER_TOO_LARGE));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn unknown(code: &str) -> TransportError {
    TransportError::Unknown(code.to_owned())
}

/// Whether no connection could be made; a request that cannot be written would not be taken elsewhere either.
fn is_unreachable(error: &TransportError) -> bool {
    let (TransportError::NotSent(code) | TransportError::Unknown(code)) = error;
    [CONNECTION_REFUSED, NAME_NOT_RESOLVED, UNREACHABLE].contains(&code.as_str())
}

/// What the failure of a request proves. The error's own text is not kept: it may name the URL.
fn not_answered(error: &reqwest::Error) -> TransportError {
    if error.is_builder() {
        return TransportError::NotSent(NOT_SENDABLE.to_owned());
    }
    if error.is_connect() {
        let mut source = error.source();
        while let Some(cause) = source {
            if cause.is::<NotResolved>() {
                return TransportError::NotSent(NAME_NOT_RESOLVED.to_owned());
            }
            let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
            if cause.downcast_ref::<io::Error>().is_some_and(refused) {
                return TransportError::NotSent(CONNECTION_REFUSED.to_owned());
            }
            source = cause.source();
        }
        return unknown(UNREACHABLE);
    }
    if error.is_timeout() { unknown(TIMEOUT) } else { unknown(CONNECTION) }
}

/// The system's resolver, with an error of its own type, so that it can be told from all others.
struct Resolver;

#[derive(Debug, thiserror::Error)]
#[error("the name has no address")]
struct NotResolved(#[source] io::Error);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(NotResolved)?;
            Ok(Box::new(addresses.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
