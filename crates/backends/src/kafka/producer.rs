//! The writing client: idempotent, acknowledged by all copies in sync, each record with an outcome of its own.

use std::sync::Arc;
use std::time::Duration;

use paymux_domain::ports::{AppendError, Offset};
use rdkafka::client::ClientContext;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use super::client::{self, told};
use super::config::KafkaConfig;
use super::doors::Doors;
use super::failure::Failure;
use super::headers::{self, TraceContext};

/// How much longer than the append's time-out the client's own word on it is waited for.
const GRACE: Duration = Duration::from_millis(500);

/// What part of the records that may be on their way may be those that nobody waits for.
const FORGOTTEN_PART: u32 = 10;

/// Who waits for a record.
enum Waiting {
    /// Who wrote it.
    Writer(oneshot::Sender<Result<Offset, AppendError>>),
    /// Nobody; its place among such records is free again when this goes.
    Nobody(OwnedSemaphorePermit),
}

/// Where a record goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    /// The topic.
    pub(super) topic: &'a str,
    /// The partition in it: always named, never left to the client.
    pub(super) partition: i32,
    /// The door that leads there.
    pub(super) door: usize,
}

/// The producer of a process.
pub(super) struct Producer {
    inner: ThreadedProducer<Deliveries>,
    doors: Doors,
    /// Places for records that nobody waits for: whatever they meet, they leave room for all others.
    forgotten: Arc<Semaphore>,
    trace: TraceContext,
    patience: Duration,
}

struct Deliveries {
    failure: Failure,
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
        match *waiting {
            // Whoever waited may have gone.
            Waiting::Writer(writer) => drop(writer.send(outcome)),
            Waiting::Nobody(place) => drop(place),
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

impl Producer {
    pub(super) fn start(
        config: &KafkaConfig,
        doors: usize,
        trace: TraceContext,
        failure: Failure,
    ) -> Result<Self, KafkaError> {
        let inner =
            ThreadedProducer::from_config_and_context(&client::producer(config), Deliveries { failure })?;
        let places = usize::try_from((config.in_flight_max / FORGOTTEN_PART).max(1));
        let forgotten = Arc::new(Semaphore::new(places.unwrap_or(1)));
        let patience = config.append_timeout() + GRACE;
        Ok(Self { inner, doors: Doors::new(doors), forgotten, trace, patience })
    }

    /// Writes a record; `Ok` means that all copies in sync have it.
    ///
    /// # Errors
    /// `NotAppended` when it certainly did not and will not get there; `Unknown` in all other cases.
    pub(super) async fn send(&self, target: Target<'_>, payload: &[u8]) -> Result<Offset, AppendError> {
        let Some(pass) = self.doors.enter(target.door) else {
            let text = format!("{} partition {} takes no records now", target.topic, target.partition);
            return Err(AppendError::NotAppended(text));
        };
        let (waiting, answer) = oneshot::channel();
        self.hand_over(target, payload, Waiting::Writer(waiting)).map_err(AppendError::NotAppended)?;
        match timeout(self.patience, answer).await {
            Ok(Ok(Err(AppendError::Unknown(text)))) => {
                pass.timed_out();
                Err(AppendError::Unknown(text))
            }
            Ok(Ok(answer)) => {
                pass.succeeded();
                answer
            }
            Ok(Err(_)) => Err(AppendError::Unknown("the producer has ended".to_owned())),
            Err(_) => {
                pass.timed_out();
                Err(AppendError::Unknown("no answer within the deadline".to_owned()))
            }
        }
    }

    /// Writes what nobody waits for; `false` when it was dropped at once, also for too many of its kind on their way.
    pub(super) fn send_and_forget(&self, topic: &str, partition: i32, payload: &[u8]) -> bool {
        let Ok(place) = Arc::clone(&self.forgotten).try_acquire_owned() else { return false };
        let target = Target { topic, partition, door: 0 };
        self.hand_over(target, payload, Waiting::Nobody(place)).is_ok()
    }

    fn hand_over(&self, target: Target<'_>, payload: &[u8], waiting: Waiting) -> Result<(), String> {
        let record: BaseRecord<'_, (), [u8], Box<Waiting>> =
            BaseRecord::with_opaque_to(target.topic, Box::new(waiting))
                .partition(target.partition)
                .payload(payload)
                .headers(headers::write(&self.trace));
        self.inner.send(record).map_err(|(error, _)| match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => "too many records are on their way".to_owned(),
            Some(code) => code.to_string(),
            None => error.to_string(),
        })
    }
}
