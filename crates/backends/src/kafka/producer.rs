//! The writing client: idempotent, acknowledged by all copies in sync, each record with an outcome of its own.
//!
//! The records of a partition leave one batch after another ([`Lanes`](super::lanes::Lanes)): what is held back
//! meanwhile is in no queue of the client, so whoever gives up knows that it is not written.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use paymux_domain::limits::RECORD_BYTES_MAX;
use paymux_domain::ports::{AppendError, Offset};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::producer::Producer as _;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use super::OpenError;
use super::client::{self, PRODUCED_BYTES_MAX};
use super::config::KafkaConfig;
use super::deliveries::{Client, Deliveries, Record, Target, Waiting, Writer, produce};
use super::doors::Doors;
use super::failure::Failure;
use super::headers::{self, TraceContext};
use super::lanes::{Ticket, Turn};
use super::room::Room;

/// How much longer than the append's time-out the client's own word on it is waited for.
const GRACE: Duration = Duration::from_millis(500);

/// What part of the records that may be on their way may be those that nobody waits for.
const FORGOTTEN_PART: u32 = 10;

/// Longest wait of the client's thread before it looks whether it should end.
const POLL: Duration = Duration::from_millis(100);

/// What part of an append's time must be left for a record that was held back: with less its answer hardly comes.
const LEFT_PART: u32 = 10;

/// Bytes of a record in a batch beyond its payload: headers and frame.
const FRAME_BYTES: usize = 128;

/// Why a record is refused that finds no place.
const FULL: &str = "too many records are on their way";

/// Where the outcome of a record is heard.
type Heard = oneshot::Receiver<Result<Offset, AppendError>>;

/// The producer of a process.
pub(super) struct Producer {
    /// Ends before the client goes.
    _polling: Polling,
    client: Arc<Client>,
    doors: Doors,
    room: Arc<Room>,
    /// Places for records that nobody waits for: whatever they meet, they leave room for all others.
    forgotten: Arc<Semaphore>,
    trace: TraceContext,
    append_timeout: Duration,
}

/// The thread that hears what became of records.
struct Polling {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Polling {
    fn start(client: Arc<Client>) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("kafka-producer".to_owned()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                client.poll(POLL);
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the producer has panicked");
        }
    }
}

/// A record that may be held back, for as long as somebody waits for it.
struct Held<'a> {
    context: &'a Deliveries,
    lane: usize,
    ticket: Option<Ticket>,
}

impl Held<'_> {
    /// Whether it was still held: then nobody will write it.
    fn withdraw(&mut self) -> bool {
        let ticket = self.ticket.take();
        ticket.is_some_and(|ticket| self.context.lanes.withdraw(self.lane, ticket).is_some())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.withdraw();
    }
}

impl Producer {
    /// A producer with a lane and a door to each of these targets.
    pub(super) fn start(
        config: &KafkaConfig,
        targets: Vec<Target>,
        trace: TraceContext,
        failure: Failure,
    ) -> Result<Self, OpenError> {
        let doors = Doors::new(targets.len());
        let context = Deliveries::new(failure, targets, RECORD_BYTES_MAX);
        let client = Arc::new(Client::from_config_and_context(&client::producer(config), context)?);
        client.context().belong_to(Arc::downgrade(&client));
        let polling = Polling::start(Arc::clone(&client)).map_err(OpenError::Thread)?;
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let room = Room::new(count(config.in_flight_max), PRODUCED_BYTES_MAX);
        let forgotten = Arc::new(Semaphore::new(count((config.in_flight_max / FORGOTTEN_PART).max(1))));
        let append_timeout = config.append_timeout();
        Ok(Self { _polling: polling, client, doors, room, forgotten, trace, append_timeout })
    }

    /// Writes a record; `Ok` means that all copies in sync have it. Whoever stops waiting takes back what was not
    /// handed over yet.
    ///
    /// # Errors
    /// `NotAppended` when it certainly did not and will not get there; `Unknown` in all other cases.
    pub(super) async fn send(&self, lane: usize, payload: Vec<u8>) -> Result<Offset, AppendError> {
        let Some(pass) = self.doors.enter(lane) else {
            let text = format!("{} takes no records now", self.client.context().name(lane));
            return Err(AppendError::NotAppended(text));
        };
        let deadline = Instant::now() + self.append_timeout;
        let leaves_by = deadline - self.append_timeout / LEFT_PART;
        let (heard, mut held) = self.enter(lane, payload, leaves_by).map_err(AppendError::NotAppended)?;
        let outcome = match timeout_at(deadline + GRACE, heard).await {
            Ok(Ok(outcome)) => {
                held.ticket = None;
                outcome
            }
            Ok(Err(_)) => return Err(AppendError::Unknown("the producer has ended".to_owned())),
            Err(_) => {
                pass.timed_out();
                let text = "no answer within the deadline".to_owned();
                let is_held = held.withdraw();
                return Err(if is_held {
                    AppendError::NotAppended(text)
                } else {
                    AppendError::Unknown(text)
                });
            }
        };
        match outcome {
            Ok(_) => pass.succeeded(),
            Err(AppendError::Unknown(_)) => pass.timed_out(),
            // It says nothing about the partition.
            Err(AppendError::NotAppended(_)) => drop(pass),
        }
        outcome
    }

    /// Hands a record over, or holds it back.
    fn enter(&self, lane: usize, payload: Vec<u8>, leaves_by: Instant) -> Result<(Heard, Held<'_>), String> {
        let place = self.room.enter(payload.len()).ok_or(FULL)?;
        let context = self.client.context();
        let (answer, heard) = oneshot::channel();
        let (bytes, headers) = (payload.len() + FRAME_BYTES, headers::write(&self.trace));
        let record = Record { payload, headers, leaves_by, writer: Writer { answer, place } };
        let ticket = match context.lanes.enter(lane, bytes, record) {
            None => return Err(format!("there is no lane {lane}")),
            Some(Turn::Later(ticket)) => Some(ticket),
            Some(Turn::Now(record)) => {
                context.hand_over(&self.client, lane, vec![record]);
                None
            }
        };
        Ok((heard, Held { context, lane, ticket }))
    }

    /// Writes what nobody waits for; `false` when it was dropped at once, also for too many of its kind on their way.
    pub(super) fn send_and_forget(&self, topic: &str, partition: i32, payload: &[u8]) -> bool {
        let Ok(forgotten) = Arc::clone(&self.forgotten).try_acquire_owned() else { return false };
        let Some(place) = self.room.enter(payload.len()) else { return false };
        let waiting = Waiting::Nobody(forgotten, place);
        produce(&self.client, topic, partition, payload, headers::write(&self.trace), waiting).is_ok()
    }
}
