//! What the writing client tells of records, and what follows: their writers hear of it, and the next batch of the
//! partition is handed over.

use std::sync::{OnceLock, Weak};

use paymux_domain::ports::{AppendError, Offset};
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, ProducerContext};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::answers::Answer;
use super::client::told;
use super::failure::Failure;
use super::lanes::Lanes;
use super::room::Place;
use crate::lengths::Appended;

/// The client of librdkafka.
pub(super) type Client = BaseProducer<Deliveries>;

/// Where records go: always named, never left to the client.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// The topic.
    pub(super) topic: String,
    /// The partition in it.
    pub(super) partition: i32,
}

/// Who waits for a record.
pub(super) enum Waiting {
    /// Who wrote it into a lane.
    Writer(usize, Writer),
    /// Nobody; what it holds is free again when this goes.
    Nobody(OwnedSemaphorePermit, Place),
}

/// Who wrote a record, and its place among those on their way.
pub(super) struct Writer {
    pub(super) answer: Answer,
    pub(super) place: Place,
}

impl Writer {
    pub(super) fn hears(self, outcome: Appended) {
        drop(self.place);
        self.answer.tell(outcome);
    }
}

/// A record that was not handed over yet.
pub(super) struct Record {
    pub(super) payload: Vec<u8>,
    pub(super) headers: OwnedHeaders,
    /// After it the record is not handed over any more.
    pub(super) leaves_by: Instant,
    pub(super) writer: Writer,
}

/// Where all lanes lead, and what is in them.
pub(super) struct Deliveries {
    failure: Failure,
    targets: Vec<Target>,
    pub(super) lanes: Lanes<Record>,
    /// The client that this is a part of.
    client: OnceLock<Weak<Client>>,
}

impl ClientContext for Deliveries {
    fn error(&self, error: KafkaError, reason: &str) {
        told(&error, reason);
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.failure.set(format!("the producer: {reason}"));
        }
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Waiting>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Box<Waiting>) {
        let outcome = match result {
            Ok(message) => Offset::try_from(message.offset())
                .map_err(|_| AppendError::Unknown("acknowledged without an offset".to_owned())),
            Err((error, _)) => {
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
                    self.failure.set(format!("the producer: {error}"));
                }
                Err(outcome(error))
            }
        };
        let (lane, writer) = match *waiting {
            Waiting::Writer(lane, writer) => (lane, writer),
            Waiting::Nobody(forgotten, place) => return drop((forgotten, place)),
        };
        // Before the writer hears of it: whoever writes after that finds the lane as it is without this record.
        let batch = self.lanes.over(lane, 1);
        writer.hears(outcome);
        if batch.is_empty() {
            return;
        }
        match self.client.get().and_then(Weak::upgrade) {
            Some(client) => self.hand_over(&client, lane, batch),
            // It is being dropped: nobody can wait for a record any more.
            None => drop(batch),
        }
    }
}

/// What an error after the record was handed over says. Only what the record itself is to blame for is certain: all
/// else may be the answer to a second try of a record whose first try went through.
fn outcome(error: &KafkaError) -> AppendError {
    match error.rdkafka_error_code() {
        Some(
            code @ (RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::InvalidMessageSize
            | RDKafkaErrorCode::InvalidRecord
            | RDKafkaErrorCode::PolicyViolation),
        ) => AppendError::NotAppended(code.to_string()),
        Some(code) => AppendError::Unknown(code.to_string()),
        None => AppendError::Unknown(error.to_string()),
    }
}

impl Deliveries {
    pub(super) fn new(failure: Failure, targets: Vec<Target>, batch_bytes_max: usize) -> Self {
        let lanes = Lanes::new(targets.len(), batch_bytes_max);
        Self { failure, targets, lanes, client: OnceLock::new() }
    }

    /// Names the client that hands over what was held back.
    pub(super) fn belong_to(&self, client: Weak<Client>) {
        if self.client.set(client).is_err() {
            tracing::error!("a client of Kafka was named twice");
        }
    }

    /// The partition that a lane leads to, in words.
    pub(super) fn name(&self, lane: usize) -> String {
        match self.targets.get(lane) {
            Some(Target { topic, partition }) => format!("{topic} partition {partition}"),
            None => format!("lane {lane}"),
        }
    }

    /// Hands a batch over in its order. Those that are refused hear so at once; when none of it is on its way, the next
    /// batch follows.
    pub(super) fn hand_over(&self, client: &Client, lane: usize, batch: Vec<Record>) {
        let Some(target) = self.targets.get(lane) else { return };
        let mut batch = batch;
        while !batch.is_empty() {
            let now = Instant::now();
            let mut refused = 0;
            for record in batch {
                let Record { payload, headers, leaves_by, writer } = record;
                let waiting = Waiting::Writer(lane, writer);
                let taken = if leaves_by > now {
                    produce(client, &target.topic, target.partition, &payload, headers, waiting)
                } else {
                    let reason = "those before it took all of its time".to_owned();
                    Err((waiting, reason))
                };
                if let Err((Waiting::Writer(_, writer), reason)) = taken {
                    writer.hears(Err(AppendError::NotAppended(reason)));
                    refused += 1;
                }
            }
            if refused == 0 {
                return;
            }
            batch = self.lanes.over(lane, refused);
        }
    }
}

/// Gives a record to the client. What comes back with a reason will not be written.
pub(super) fn produce(
    client: &Client,
    topic: &str,
    partition: i32,
    payload: &[u8],
    headers: OwnedHeaders,
    waiting: Waiting,
) -> Result<(), (Waiting, String)> {
    let record: BaseRecord<'_, (), [u8], Box<Waiting>> = BaseRecord::with_opaque_to(topic, Box::new(waiting))
        .partition(partition)
        .payload(payload)
        .headers(headers);
    client.send(record).map_err(|(error, record)| {
        let reason = match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => "too many records are on their way".to_owned(),
            Some(code) => code.to_string(),
            None => error.to_string(),
        };
        (*record.delivery_opaque, reason)
    })
}
