//! What stands between client and provider: it carries every call, and spoils the next answer as it is told.
//!
//! The call itself always reaches the provider and has its effect: that is the case in which a wrong guess costs money.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::wire::{self, Message, PATIENCE};

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// The connection ends without it.
    Lost,
    /// It is held back until the client gives up.
    Withheld,
    /// A page of somebody in between comes in its place, with status 200.
    Garbage,
    /// It breaks off in the middle.
    Truncated,
    /// It is longer than anything that is read.
    Oversized,
    /// One of its digits is another.
    Tampered,
    /// A page of somebody in between comes in its place, with status 502.
    ServerError,
}

impl Manner {
    /// All of them, with the names of their scenarios.
    pub(crate) const ALL: [(Self, &str); 7] = [
        (Self::Lost, "lost answer"),
        (Self::Withheld, "time-out"),
        (Self::Garbage, "garbage"),
        (Self::Truncated, "truncated"),
        (Self::Oversized, "oversized"),
        (Self::ServerError, "server error"),
        (Self::Tampered, "tampered"),
    ];
}

const PAGE: &str = "<html><head><title>Bad Gateway</title></head><body>gone away</body></html>";
/// Past every client's cap.
const OVERSIZED_BYTES: usize = 1024 * 1024;

/// What went through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Calls that came.
    pub(crate) calls: u32,
    /// Calls that the provider has answered.
    pub(crate) landed: u32,
    /// The last call.
    pub(crate) request: Message,
    /// The provider's own answer to the last call.
    pub(crate) answer: Message,
}

pub(crate) struct Proxy {
    pub(crate) addr: SocketAddr,
    manner: Arc<Mutex<Option<Manner>>>,
    seen: watch::Receiver<Seen>,
    task: AbortHandle,
}

impl Proxy {
    pub(crate) async fn start(provider: SocketAddr) -> Self {
        let (listener, addr) = wire::listen().await;
        let manner = Arc::new(Mutex::new(None));
        let (tell, seen) = watch::channel(Seen::default());
        let tell = Arc::new(tell);
        let next = Arc::clone(&manner);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let carried = carry(stream, provider, Arc::clone(&next), Arc::clone(&tell));
                tokio::spawn(tokio::time::timeout(PATIENCE, carried));
            }
        });
        Self { addr, manner, seen, task: task.abort_handle() }
    }

    /// The answer to the next call comes so.
    pub(crate) fn spoil_next(&self, manner: Manner) {
        *self.manner.lock().unwrap() = Some(manner);
    }

    /// What went through so far.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Waits until the provider has answered that many calls.
    pub(crate) async fn landed(&self, calls: u32) {
        let mut seen = self.seen.clone();
        let landed = seen.wait_for(|seen| seen.landed >= calls);
        tokio::time::timeout(PATIENCE, landed).await.expect("the provider should have answered").unwrap();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    mut stream: TcpStream,
    provider: SocketAddr,
    next: Arc<Mutex<Option<Manner>>>,
    tell: Arc<watch::Sender<Seen>>,
) {
    let Ok(request) = wire::read_request(&mut stream).await else { return };
    let manner = next.lock().unwrap().take();
    tell.send_modify(|seen| {
        seen.calls += 1;
        seen.request = request.clone();
    });
    let Ok(answer) = wire::exchange(provider, &request).await else { return };
    tell.send_modify(|seen| {
        seen.landed += 1;
        seen.answer = answer.clone();
    });
    let bytes = match manner {
        None => answer.bytes(),
        Some(Manner::Lost) => return,
        Some(Manner::Withheld) => {
            // Reading ends when the client has gone.
            let mut rest = [0; 64];
            while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
            return;
        }
        Some(Manner::Garbage) => Message::answer(200, "text/html", PAGE.into()).bytes(),
        Some(Manner::ServerError) => Message::answer(502, "text/html", PAGE.into()).bytes(),
        Some(Manner::Truncated) => {
            let mut bytes = answer.bytes();
            // Of an answer without a body the head itself breaks off.
            let cut = if answer.body.is_empty() { bytes.len() / 2 } else { answer.body.len().div_ceil(2) };
            bytes.truncate(bytes.len() - cut);
            bytes
        }
        Some(Manner::Oversized) => {
            let mut answer = answer;
            answer.start = "HTTP/1.1 200 OK".to_owned();
            answer.body.resize(answer.body.len() + OVERSIZED_BYTES, b' ');
            answer.bytes()
        }
        Some(Manner::Tampered) => tampered(answer).bytes(),
    };
    wire::send(&mut stream, &bytes).await;
}

/// The answer with its last digit changed; where it says nothing, its proof is.
fn tampered(mut answer: Message) -> Message {
    match answer.body.iter_mut().rev().find(|byte| byte.is_ascii_digit()) {
        Some(digit) => *digit = if *digit == b'9' { b'0' } else { *digit + 1 },
        None => {
            for (_, value) in answer.headers.iter_mut().filter(|(name, _)| name.ends_with("-nonce")) {
                value.push('0');
            }
        }
    }
    answer
}
