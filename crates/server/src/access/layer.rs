//! The layer in front of all gRPC services: authenticates each call, checks its right, counts it against the caller's
//! limits, and only then hands it on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::caller::CallSlot;
use super::{Access, AccessRefusal, Need, Peer, need_of};
use crate::ingest::Refusal;

/// Scheme of the header `authorization`.
const BEARER: &str = "bearer";

type Request = http::Request<Body>;
type Response = http::Response<Body>;

/// The layer.
#[derive(Clone, Debug)]
pub(crate) struct AccessLayer(pub(crate) Arc<Access>);

impl<S> Layer<S> for AccessLayer {
    type Service = Guarding<S>;

    fn layer(&self, inner: S) -> Guarding<S> {
        Guarding { access: Arc::clone(&self.0), inner }
    }
}

/// A service behind the layer.
#[derive(Clone, Debug)]
pub(crate) struct Guarding<S> {
    access: Arc<Access>,
    inner: S,
}

impl<S> Service<Request> for Guarding<S>
where
    S: Service<Request, Response = Response>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let slot = match admit(&self.access, &mut request) {
            Ok(slot) => slot,
            Err(refusal) => {
                let refusal = Refusal::from(refusal);
                self.access.refused().add(&refusal);
                let answer = Status::from(refusal).into_http();
                return Box::pin(std::future::ready(Ok(answer)));
            }
        };
        let answering = self.inner.call(request);
        Box::pin(async move {
            let answer = answering.await?;
            // The call lasts until its answer is read, which for a stream may be long.
            Ok(answer.map(|body| Body::new(Held { body, _slot: slot })))
        })
    }
}

/// Lets a call through, with its caller among the request's extensions; `None` where nobody has to be known.
fn admit(access: &Access, request: &mut Request) -> Result<Option<CallSlot>, AccessRefusal> {
    // Taken out, so that nothing behind this layer can show it.
    let is_ambiguous = request.headers().get_all(AUTHORIZATION).iter().count() > 1;
    let shown = request.headers_mut().remove(AUTHORIZATION);
    let need = need_of(request.uri().path());
    if need == Need::Nothing {
        return Ok(None);
    }
    let peer = request.extensions().get::<Peer>().cloned().unwrap_or_default();
    let key = match &shown {
        None => Ok(None),
        Some(_) if is_ambiguous => Err(AccessRefusal::CredentialsInvalid),
        Some(header) => {
            header.to_str().ok().and_then(bearer_key).map(Some).ok_or(AccessRefusal::CredentialsInvalid)
        }
    };
    let caller = key.and_then(|key| access.authenticate(key, &peer)).inspect_err(|_| {
        tracing::info!(path = request.uri().path(), "a call without valid credentials is refused");
    })?;
    if let Need::AnyRight(rights) = need {
        caller.allow_right(rights).inspect_err(|_| {
            tracing::info!(path = request.uri().path(), caller = caller.name(), "a call is not allowed");
        })?;
    }
    let slot = caller.begin_call()?;
    caller.take_request()?;
    request.extensions_mut().insert(caller);
    Ok(Some(slot))
}

/// The key of a header `Bearer KEY`.
fn bearer_key(header: &str) -> Option<&str> {
    let (scheme, key) = header.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case(BEARER) && !key.is_empty()).then_some(key)
}

/// The body of an answer, with the slot of its call.
struct Held {
    body: Body,
    _slot: Option<CallSlot>,
}

impl HttpBody for Held {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_key_is_read_whatever_the_case_of_its_scheme() {
        for header in ["Bearer abc", "bearer abc", "BEARER  abc "] {
            assert_eq!(bearer_key(header), Some("abc"), "{header}");
        }
        for header in ["", "abc", "Basic abc", "Bearer", "Bearer ", "Bearerabc"] {
            assert_eq!(bearer_key(header), None, "{header}");
        }
    }
}
