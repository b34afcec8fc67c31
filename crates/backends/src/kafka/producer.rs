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
use paymux_domain::ports::{AppendError, only};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::producer::Producer as _;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::OpenError;
use super::answers::{Answer, Answers};
use super::client::{self, PRODUCED_BYTES_MAX};
use super::config::KafkaConfig;
use super::deliveries::{Client, Deliveries, Record, Target, Waiting, Writer, produce};
use super::doors::Doors;
use super::failure::Failure;
use super::headers::{self, TraceContext};
use super::lanes::{Tickets, Turns};
use super::room::Room;
use crate::lengths::Appended;

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

/// Why a record is refused, or unknown, of which nothing was heard in time.
const LATE: &str = "no answer within the deadline";

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

/// Records that may be held back, for as long as somebody waits for them.
struct Held<'a> {
    context: &'a Deliveries,
    lane: usize,
    tickets: Tickets,
}

impl Held<'_> {
    /// Those that were still held: nobody will write them.
    fn withdraw(&mut self) -> Vec<Record> {
        let tickets = std::mem::take(&mut self.tickets);
        if tickets.is_empty() { Vec::new() } else { self.context.lanes.withdraw(self.lane, &tickets) }
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
    pub(super) async fn send(&self, lane: usize, payload: Vec<u8>) -> Appended {
        only(self.send_all(lane, vec![payload]).await)
    }

    /// Writes records in their order, each with an outcome of its own, as [`send`](Self::send) has it.
    pub(super) async fn send_all(&self, lane: usize, payloads: Vec<Vec<u8>>) -> Vec<Appended> {
        let Some(pass) = self.doors.enter(lane) else {
            let text = format!("{} takes no records now", self.client.context().name(lane));
            return vec![Err(AppendError::NotAppended(text)); payloads.len()];
        };
        let deadline = Instant::now() + self.append_timeout;
        let leaves_by = deadline - self.append_timeout / LEFT_PART;
        let (answers, each, all) = Answers::new(payloads.len());
        let mut held = self.enter(lane, payloads, each, leaves_by);
        let outcomes = if timeout_at(deadline + GRACE, all).await.is_ok() {
            held.tickets = Tickets::default();
            answers.take("the producer has ended")
        } else {
            for record in held.withdraw() {
                record.writer.hears(Err(AppendError::NotAppended(LATE.to_owned())));
            }
            answers.take(LATE)
        };
        // What was not appended says nothing about the partition.
        if outcomes.iter().any(|outcome| matches!(outcome, Err(AppendError::Unknown(_)))) {
            pass.timed_out();
        } else if outcomes.iter().any(Result::is_ok) {
            pass.succeeded();
        }
        outcomes
    }

    /// Hands records over, or holds them back; those that find no place are refused.
    fn enter(
        &self,
        lane: usize,
        payloads: Vec<Vec<u8>>,
        answers: impl Iterator<Item = Answer>,
        leaves_by: Instant,
    ) -> Held<'_> {
        let context = self.client.context();
        let headers = headers::write(&self.trace);
        let mut records = Vec::with_capacity(payloads.len());
        for (payload, answer) in payloads.into_iter().zip(answers) {
            let Some(place) = self.room.enter(payload.len()) else {
                answer.tell(Err(AppendError::NotAppended(FULL.to_owned())));
                continue;
            };
            let writer = Writer { answer, place };
            let bytes = payload.len() + FRAME_BYTES;
            records.push((bytes, Record { payload, headers: headers.clone(), leaves_by, writer }));
        }
        // Without a lane there is no door to it, either.
        let Turns { now, later } = context.lanes.enter(lane, records).unwrap_or_default();
        context.hand_over(&self.client, lane, now);
        Held { context, lane, tickets: later }
    }

    /// Writes what nobody waits for; `false` when it was dropped at once, also for too many of its kind on their way.
    pub(super) fn send_and_forget(&self, topic: &str, partition: i32, payload: &[u8]) -> bool {
        let Ok(forgotten) = Arc::clone(&self.forgotten).try_acquire_owned() else { return false };
        let Some(place) = self.room.enter(payload.len()) else { return false };
        let waiting = Waiting::Nobody(forgotten, place);
        produce(&self.client, topic, partition, payload, headers::write(&self.trace), waiting).is_ok()
    }
}
