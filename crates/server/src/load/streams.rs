//! Orders over `SubmitOrders`: a few streams, each with so many unanswered at most, opened again when one breaks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::mix::Kind;
use super::orders::{Known, Ledger};
use super::pacer::since;
use super::plan::Event;
use super::tally::{Ended, Tally};

/// Pause before a stream that broke is opened again.
const PAUSE: Duration = Duration::from_millis(100);

/// Longest wait for the answers that are owed at the end.
const PATIENCE: Duration = Duration::from_secs(20);

/// The streams.
#[derive(Debug)]
pub(super) struct Streams {
    lanes: Vec<Arc<Lane>>,
    next: AtomicUsize,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

/// One stream: what is unanswered on it, in its order.
#[derive(Debug)]
struct Lane {
    on_the_way_max: usize,
    held: Mutex<Held>,
    tally: Arc<Tally>,
    ledger: Arc<Ledger>,
}

#[derive(Debug, Default)]
struct Held {
    /// Absent while there is no stream.
    requests: Option<mpsc::Sender<v1::SubmitOrdersRequest>>,
    unanswered: VecDeque<(Event, Instant)>,
}

impl Streams {
    /// Opens so many streams, each of which has so many requests unanswered at most.
    pub(super) fn open(
        clients: &[Client],
        (count, on_the_way_max): (usize, usize),
        tally: &Arc<Tally>,
        ledger: &Arc<Ledger>,
    ) -> Self {
        let stop = CancellationToken::new();
        let lane = |_| {
            let (tally, ledger) = (Arc::clone(tally), Arc::clone(ledger));
            Arc::new(Lane { on_the_way_max, held: Mutex::default(), tally, ledger })
        };
        let lanes: Vec<_> = (0..count.max(1)).map(lane).collect();
        let mut tasks = JoinSet::new();
        for (lane, client) in lanes.iter().zip(clients.iter().cycle()) {
            let requests = lane.connect();
            tasks.spawn(Arc::clone(lane).run(client.clone(), requests, stop.clone()));
        }
        Self { lanes, next: AtomicUsize::new(0), tasks, stop }
    }

    /// Sends an order over the next stream that has a place for it; `false` where none has.
    pub(super) fn send(&self, order: v1::CreateOrderRequest, event: Event, intended: Instant) -> bool {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let mut request = v1::SubmitOrdersRequest { order: Some(order) };
        for turn in 0..self.lanes.len() {
            let lane = &self.lanes[(first + turn) % self.lanes.len()];
            match lane.send(request, event, intended) {
                None => return true,
                Some(refused) => request = refused,
            }
        }
        false
    }

    /// Sends nothing more and waits for the answers that are owed; what stays unanswered counts as failed.
    pub(super) async fn finish(mut self) {
        self.stop.cancel();
        for lane in &self.lanes {
            lane.held.lock().requests = None;
        }
        let ended = timeout(PATIENCE, async { while self.tasks.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            self.tasks.shutdown().await;
        }
        for lane in &self.lanes {
            lane.lose(&Status::deadline_exceeded("no answer came"));
        }
    }
}

impl Lane {
    /// Makes room for the requests of a new stream.
    fn connect(&self) -> mpsc::Receiver<v1::SubmitOrdersRequest> {
        let (sender, requests) = mpsc::channel(self.on_the_way_max.max(1));
        self.held.lock().requests = Some(sender);
        requests
    }

    /// Gives the request back where there is no place for it.
    fn send(
        &self,
        request: v1::SubmitOrdersRequest,
        event: Event,
        intended: Instant,
    ) -> Option<v1::SubmitOrdersRequest> {
        let mut held = self.held.lock();
        if held.unanswered.len() >= self.on_the_way_max {
            return Some(request);
        }
        let Some(requests) = &held.requests else { return Some(request) };
        if let Err(refused) = requests.try_send(request) {
            return Some(match refused {
                mpsc::error::TrySendError::Full(request) | mpsc::error::TrySendError::Closed(request) => {
                    request
                }
            });
        }
        self.ledger.set(event.number, Known::Unknown);
        self.tally.sent(Kind::Stream, event, since(intended));
        held.unanswered.push_back((event, intended));
        None
    }

    async fn run(
        self: Arc<Self>,
        client: Client,
        mut requests: mpsc::Receiver<v1::SubmitOrdersRequest>,
        stop: CancellationToken,
    ) {
        loop {
            let ended = self.answers(&client, requests).await;
            self.held.lock().requests = None;
            self.lose(&ended.err().unwrap_or_else(|| Status::unavailable("the server ended the stream")));
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep(PAUSE) => {}
            }
            requests = self.connect();
        }
    }

    /// Reads the answers of one stream to its end.
    async fn answers(
        &self,
        client: &Client,
        requests: mpsc::Receiver<v1::SubmitOrdersRequest>,
    ) -> Result<(), Status> {
        let mut answers = client.orders().submit_orders(ReceiverStream::new(requests)).await?.into_inner();
        while let Some(answer) = answers.message().await? {
            let Some((event, intended)) = self.held.lock().unanswered.pop_front() else {
                return Err(Status::internal("an answer without a request"));
            };
            let status = answer.status.unwrap_or_default();
            let (known, ended) = if status.code == i32::from(Code::Ok) {
                (Known::Accepted, Ended::Ok)
            } else {
                let refusal = Refusal::of_answer(&status);
                (Known::after(&refusal), Ended::Error(refusal))
            };
            self.ledger.set(event.number, known);
            self.tally.ended(Kind::Stream, event, &ended, since(intended));
        }
        Ok(())
    }

    /// What is unanswered will stay so: whether it was accepted is not known.
    fn lose(&self, status: &Status) {
        let lost: Vec<_> = self.held.lock().unanswered.drain(..).collect();
        for (event, intended) in lost {
            let ended = Ended::Error(Refusal::of(status));
            self.tally.ended(Kind::Stream, event, &ended, since(intended));
        }
    }
}
