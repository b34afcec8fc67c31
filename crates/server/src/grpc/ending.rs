//! Ends what would last for ever when the server stops: watches of health, and reflection, whose callers keep it open.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

use crate::ingest::Refusal;

/// A service whose streams end with the server.
#[derive(Clone, Debug)]
pub(super) struct Ending<S> {
    inner: S,
    stop: CancellationToken,
}

impl<S> Ending<S> {
    pub(super) fn new(inner: S, stop: CancellationToken) -> Self {
        Self { inner, stop }
    }
}

impl<S: NamedService> NamedService for Ending<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Ending<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let stop = Box::pin(self.stop.clone().cancelled_owned());
        let over = CancellationToken::new();
        let answered = Box::pin(over.clone().cancelled_owned());
        let request = request.map(|inner| Body::new(EndingRequest { inner, answered }));
        let answering = self.inner.call(request);
        Box::pin(async move {
            let ends_request = Some(over.drop_guard());
            Ok(answering
                .await?
                .map(|inner| Body::new(EndingBody { inner, stop, ends_request, ended: false })))
        })
    }
}

/// A stream of requests, which ends with the answers: whoever reads it holds the connection, and a caller that keeps it
/// open would hold up the stop.
struct EndingRequest {
    inner: Body,
    answered: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl http_body::Body for EndingRequest {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.answered.as_mut().poll(cx).is_ready() {
            self.inner = Body::empty();
        }
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}

/// A stream of answers; what lies in it already is sent before its end.
struct EndingBody {
    inner: Body,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Ends the requests when it is dropped.
    ends_request: Option<DropGuard>,
    ended: bool,
}

impl http_body::Body for EndingBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Pending if this.stop.as_mut().poll(cx).is_ready() => {
                this.ended = true;
                this.inner = Body::empty();
                drop(this.ends_request.take());
                let mut trailers = HeaderMap::new();
                let told = Status::from(Refusal::ShuttingDown).add_header(&mut trailers);
                Poll::Ready(Some(told.map(|()| Frame::trailers(trailers))))
            }
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }
}
