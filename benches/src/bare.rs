//! The bare writing client: what the same records cost without an engine around it.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use paymux_domain::limits::RECORD_BYTES_MAX;
use rdkafka::ClientConfig;
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord};
use rdkafka::util::AsyncRuntime;

use crate::cluster::Place;
use crate::timed;

/// The runtime of the bench, without a feature that all other crates would be built with, too.
#[derive(Debug)]
struct Tokio;

impl AsyncRuntime for Tokio {
    type Delay = tokio::time::Sleep;

    fn spawn<T: Future<Output = ()> + Send + 'static>(task: T) {
        tokio::spawn(task);
    }

    fn delay_for(duration: Duration) -> Self::Delay {
        tokio::time::sleep(duration)
    }
}

/// A producer with the settings that the engine gives its own.
pub struct Bare(FutureProducer<DefaultClientContext, Tokio>);

impl std::fmt::Debug for Bare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bare")
    }
}

/// A record that was written before, to be written again.
#[derive(Clone, Debug)]
pub struct Copied {
    pub(crate) payload: Vec<u8>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl Copied {
    /// Bytes of the payload.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.payload.len()
    }

    /// Whether there is no payload.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.payload.is_empty()
    }

    /// Bytes of payload and headers.
    pub(crate) fn bytes(&self) -> usize {
        self.payload.len() + self.headers.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>()
    }

    fn headers(&self) -> OwnedHeaders {
        let empty = OwnedHeaders::new_with_capacity(self.headers.len());
        let with = |headers: OwnedHeaders, (key, value): &(String, Vec<u8>)| {
            headers.insert(Header { key, value: Some(value) })
        };
        self.headers.iter().fold(empty, with)
    }
}

impl Bare {
    /// Connects to brokers.
    ///
    /// # Errors
    /// The settings are refused.
    pub fn start(brokers: &str) -> Result<Self> {
        let mut settings = ClientConfig::new();
        settings.set("bootstrap.servers", brokers);
        settings.set("acks", "all").set("enable.idempotence", "true").set("linger.ms", "0");
        // A topic takes no batch that is longer than what it allows one message.
        settings.set("batch.size", RECORD_BYTES_MAX.to_string());
        Ok(Self(settings.create()?))
    }

    /// Writes a record `count` times, at most `unanswered` of them at once without an answer, and returns how long that
    /// took.
    ///
    /// # Errors
    /// A record was refused.
    pub async fn timed(
        &self,
        place: &Place,
        count: u64,
        record: &Copied,
        unanswered: usize,
    ) -> Result<Duration> {
        timed(async {
            let mut waiting = VecDeque::with_capacity(unanswered);
            for _ in 0..count {
                if waiting.len() == unanswered {
                    answered(&mut waiting).await?;
                }
                waiting.push_back(self.hand_over(place, record)?);
            }
            while !waiting.is_empty() {
                answered(&mut waiting).await?;
            }
            Ok(())
        })
        .await
    }

    /// Writes a record and waits for the word of all copies.
    ///
    /// # Errors
    /// It was refused.
    pub async fn write(&self, place: &Place, record: &Copied) -> Result<()> {
        self.hand_over(place, record)?.await?.map(drop).map_err(|(error, _)| anyhow!(error))
    }

    fn hand_over(&self, place: &Place, record: &Copied) -> Result<DeliveryFuture> {
        let Place { topic, partition } = place;
        let written = FutureRecord::<(), [u8]>::to(topic).partition(*partition).payload(&record.payload);
        let written = written.headers(record.headers());
        Ok(self.0.send_result(written).map_err(|(error, _)| error)?)
    }
}

/// Waits for the oldest: one partition answers in order.
async fn answered(unanswered: &mut VecDeque<DeliveryFuture>) -> Result<()> {
    let oldest = unanswered.pop_front().context("nothing is on its way")?;
    oldest.await?.map(drop).map_err(|(error, _)| anyhow!(error))
}
