//! A merchant's server that takes notifications: hands them to the test and answers as told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::rig::APIV3_KEY;

/// Patience for a notification that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Notifications that may wait for the test.
const WAITING_MAX: usize = 256;

pub(crate) struct Pushed {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

pub(crate) struct Inbox {
    pub(crate) url: String,
    pushes: mpsc::Receiver<Pushed>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

#[derive(Clone)]
struct Server {
    pushes: mpsc::Sender<Pushed>,
    answers: Arc<Mutex<VecDeque<u16>>>,
    usual: u16,
}

/// A status that stands for no answer at all.
pub(crate) const NO_ANSWER: u16 = 0;

impl Inbox {
    /// Starts a server that answers 204, after the answers that tests put before it.
    pub(crate) async fn start() -> Self {
        Self::answering(204).await
    }

    /// Starts a server that gives this answer, after those that tests put before it.
    pub(crate) async fn answering(usual: u16) -> Self {
        let (sender, pushes) = mpsc::channel(WAITING_MAX);
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let server = Server { pushes: sender, answers: Arc::clone(&answers), usual };
        let router = Router::new().route("/notify", post(take)).with_state(server);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/notify", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, pushes, answers }
    }

    /// The next `statuses` are answered instead of the usual one.
    pub(crate) fn answer(&self, statuses: impl IntoIterator<Item = u16>) {
        self.answers.lock().extend(statuses);
    }

    pub(crate) async fn next(&mut self) -> Pushed {
        let pushed = tokio::time::timeout(PATIENCE, self.pushes.recv()).await;
        pushed.expect("a notification should have come").unwrap()
    }

    /// What has come and was not taken yet.
    pub(crate) fn waiting(&self) -> usize {
        self.pushes.len()
    }
}

/// Answers a status; with 200 the document that 码钱 wants to read, which the others pass over.
async fn take(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> (StatusCode, &'static str) {
    let status = server.answers.lock().pop_front().unwrap_or(server.usual);
    server.pushes.send(Pushed { headers, body }).await.unwrap();
    if status == NO_ANSWER {
        std::future::pending::<()>().await;
    }
    let document = if status == 200 { r#"{"return_code":"SUCCESS"}"# } else { "" };
    (StatusCode::from_u16(status).unwrap(), document)
}

impl Pushed {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The transaction inside, opened with the merchant's APIv3 key.
    pub(crate) fn open(&self) -> Value {
        serde_json::from_slice(&open(&self.json()["resource"])).unwrap()
    }
}

/// What the provider has sealed with the merchant's APIv3 key.
pub(crate) fn open(sealed: &Value) -> Vec<u8> {
    let text = |name: &str| sealed[name].as_str().unwrap();
    let bytes = STANDARD.decode(text("ciphertext")).unwrap();
    let cipher = Aes256Gcm::new_from_slice(APIV3_KEY.as_bytes()).unwrap();
    let payload = Payload { msg: &bytes, aad: text("associated_data").as_bytes() };
    cipher.decrypt(Nonce::from_slice(text("nonce").as_bytes()), payload).unwrap()
}
