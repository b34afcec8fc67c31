//! A relay between one worker and the provider: it notes which calls that worker makes, and when.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::rig::http;

/// Longest body that is passed on.
const BODY_MAX: usize = 1 << 20;

/// A call as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Relayed {
    pub(crate) at: Instant,
    path: String,
    body: Bytes,
}

impl Relayed {
    /// Whether the call names this order, or one of its refunds.
    pub(crate) fn names(&self, out_trade_no: &str) -> bool {
        self.path.contains(out_trade_no) || String::from_utf8_lossy(&self.body).contains(out_trade_no)
    }
}

#[derive(Clone, Debug)]
struct Shared {
    target: String,
    client: reqwest::Client,
    calls: Arc<Mutex<Vec<Relayed>>>,
}

/// A running relay.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Where it listens.
    pub(crate) url: String,
    calls: Arc<Mutex<Vec<Relayed>>>,
}

impl Relay {
    /// Passes calls on to a provider.
    pub(crate) async fn start(target: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        let calls = Arc::<Mutex<Vec<Relayed>>>::default();
        let shared = Shared { target: target.to_owned(), client: http(), calls: Arc::clone(&calls) };
        let router = Router::new().fallback(pass).with_state(shared);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, calls }
    }

    /// The calls that arrived after a time and not after another.
    pub(crate) fn between(&self, after: Instant, until: Instant) -> Vec<Relayed> {
        self.calls.lock().iter().filter(|call| call.at > after && call.at <= until).cloned().collect()
    }
}

async fn pass(State(shared): State<Shared>, request: Request) -> Response {
    let at = Instant::now();
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX).await else { return failed() };
    let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    shared.calls.lock().push(Relayed { at, path: path.clone(), body: body.clone() });
    let mut headers = head.headers;
    headers.remove(header::HOST);
    let url = format!("{}{path}", shared.target);
    let Ok(answer) = shared.client.request(head.method, url).headers(headers).body(body).send().await else {
        return failed();
    };
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| *name != header::TRANSFER_ENCODING) {
        response = response.header(name, value);
    }
    let body = answer.bytes().await.map_or_else(|_| Body::empty(), Body::from);
    response.body(body).unwrap_or_else(|_| failed())
}

fn failed() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
