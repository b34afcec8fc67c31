//! The merchant's server: it hands each notification to the provider's own code and answers what that says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use paymux_domain::ports::{
    NotificationFate, NotificationRefusal, Provider, RawNotification, VerifiedNotification,
};
use paymux_domain::time::Timestamp;
use paymux_simulators::clock::SimClock;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::task::AbortHandle;

use crate::rig::Who;
use crate::wire::{self, Message, PATIENCE};

const PATH: &str = "/notify";

/// A notification as it came, and what the provider's code made of it.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) raw: RawNotification,
    pub(crate) result: Result<VerifiedNotification, NotificationRefusal>,
}

pub(crate) struct Inbox {
    addr: SocketAddr,
    received: Mutex<mpsc::UnboundedReceiver<Received>>,
    not_now: Arc<AtomicU32>,
    task: AbortHandle,
}

#[derive(Clone)]
struct Desk {
    provider: Arc<dyn Provider>,
    clock: SimClock,
    not_now: Arc<AtomicU32>,
    received: mpsc::UnboundedSender<Received>,
}

impl Inbox {
    pub(crate) async fn start(provider: Arc<dyn Provider>, clock: SimClock) -> Self {
        let (listener, addr) = wire::listen().await;
        let (tell, received) = mpsc::unbounded_channel();
        let not_now = Arc::new(AtomicU32::new(0));
        let desk = Desk { provider, clock, not_now: Arc::clone(&not_now), received: tell };
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(tokio::time::timeout(PATIENCE, take(stream, desk.clone())));
            }
        });
        Self { addr, received: Mutex::new(received), not_now, task: task.abort_handle() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}{PATH}", self.addr)
    }

    /// So many of the next notifications cannot be taken.
    pub(crate) fn not_now(&self, times: u32) {
        self.not_now.store(times, Ordering::SeqCst);
    }

    /// The next notification.
    pub(crate) async fn next(&self) -> Received {
        let mut received = self.received.lock().await;
        tokio::time::timeout(PATIENCE, received.recv())
            .await
            .expect("a notification should have come")
            .unwrap()
    }

    /// Whether nothing has come that was not looked at.
    pub(crate) async fn is_empty(&self) -> bool {
        self.received.lock().await.is_empty()
    }

    /// Somebody sends a notification; the status of the answer, if there is one.
    pub(crate) async fn send(&self, raw: &RawNotification) -> Option<u16> {
        let mut request = Message::request("POST", PATH, raw.body.clone());
        request.headers.clone_from(&raw.headers);
        wire::exchange(self.addr, &request).await.ok().map(|answer| answer.status())
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(mut stream: TcpStream, desk: Desk) {
    let Ok(request) = wire::read_request(&mut stream).await else { return };
    let Message { headers, body, .. } = request;
    let raw = RawNotification {
        merchant_id: "m1".parse().unwrap(),
        accounts: vec![Who::Shop.account().parse().unwrap()],
        headers,
        body,
    };
    let result = desk.provider.verify(&raw, Timestamp::from_millis(desk.clock.now_ms()));
    let less = |left: u32| left.checked_sub(1);
    let is_now = desk.not_now.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_err();
    let fate = match &result {
        _ if !is_now => NotificationFate::NotNow,
        Ok(_) => NotificationFate::Taken,
        Err(refusal) => NotificationFate::Refused(refusal),
    };
    let answer = desk.provider.answer(fate);
    // The test may have ended: then nobody reads this any more.
    desk.received.send(Received { raw, result }).ok();
    // Without an answer the connection ends here.
    if let Some(answer) = answer {
        let bytes = Message::answer(answer.status, answer.content_type, answer.body).bytes();
        wire::send(&mut stream, &bytes).await;
    }
}
