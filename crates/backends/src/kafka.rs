//! The log on Apache Kafka: many machines, one owner per partition at a time.
//!
//! A process has up to three clients. The *producer* writes: idempotent, acknowledged by all copies in sync, the
//! partition always named by us. The *reader* belongs to no group: it follows events, hears replies and asks the
//! brokers for ends and positions. The *member*, only where a worker runs, belongs to the group of owners: one thread
//! polls, commits and answers rebalances.
//!
//! What Kafka fences is the group, not a partition: a member that stays in the group may commit for a partition that
//! is another's by now. So the member sends a commit only for what it owns at that moment, waits for the answer
//! before it does anything else, and gives a partition back only when its worker has let go or has surely no lease.

mod answers;
mod client;
mod config;
mod consumer;
mod deliveries;
mod doors;
mod failure;
mod group;
mod headers;
mod lanes;
mod log;
mod member;
mod migrate;
mod patience;
mod positions;
mod producer;
mod reach;
mod reader;
mod remove;
mod room;
mod tails;
mod topics;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use paymux_domain::ports::{DeadRecord, LogError, Offset};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

pub use config::{KafkaConfig, KafkaFault, KafkaFaults, KafkaTls, Sasl, SaslMechanism, TopicSettings};
pub use consumer::KafkaConsumer;
pub use headers::TraceContext;
pub use log::KafkaLog;
pub use migrate::{MigrateError, Migrated, Mismatch, migrate};
pub use remove::remove;
pub use topics::{Wanted as WantedTopic, wanted as wanted_topics};

use crate::replies::ReplyRouter;
use failure::Failure;
use producer::Producer;
use reader::Reader;
use topics::TopicNames;

/// Why a process cannot work on a cluster.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The settings cannot be used.
    #[error("the settings of Kafka: {0}")]
    Config(#[from] KafkaFaults),
    /// The cluster does not answer, or refuses.
    #[error("Kafka at {brokers}: {reason}")]
    Cluster {
        /// Where it was looked for.
        brokers: String,
        /// What came of it.
        reason: String,
    },
    /// The cluster was never migrated.
    #[error("there is no topic {topic}")]
    Missing {
        /// The topic.
        topic: String,
    },
    /// A topic was made with another number of partitions: the number is fixed for the cluster's life.
    #[error(
        "{topic} has {found} partitions, and {configured} are configured: the number is fixed for the cluster's life"
    )]
    Partitions {
        /// The topic.
        topic: String,
        /// How many it has.
        found: usize,
        /// How many the configuration says.
        configured: u16,
    },
    /// A client of Kafka cannot be made.
    #[error("a client of Kafka cannot be made: {0}")]
    Client(#[from] KafkaError),
    /// The operating system gives no thread.
    #[error("a thread for Kafka cannot be started: {0}")]
    Thread(#[source] io::Error),
}

/// The log of one process on a cluster. Clones share it.
///
/// Opening and dropping wait for the network: do both off the async workers.
#[derive(Clone)]
pub struct KafkaBackend {
    config: Arc<KafkaConfig>,
    log: Arc<KafkaLog>,
    failure: Failure,
}

impl fmt::Debug for KafkaBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaBackend").field("log", &self.log).finish_non_exhaustive()
    }
}

impl KafkaBackend {
    /// Connects to a cluster that [`migrate`] has made ready. Replies to this instance are heard from now on.
    ///
    /// # Errors
    /// The settings cannot be used; the cluster does not answer; it has other numbers of partitions.
    pub fn open(config: KafkaConfig, replies: ReplyRouter) -> Result<Self, OpenError> {
        Self::open_traced(config, replies, Arc::new(|| None))
    }

    /// As [`KafkaBackend::open`]; each message that is written carries the trace of the task that writes it.
    ///
    /// # Errors
    /// See [`KafkaBackend::open`].
    pub fn open_traced(
        config: KafkaConfig,
        replies: ReplyRouter,
        trace: TraceContext,
    ) -> Result<Self, OpenError> {
        config.check()?;
        let unreached = |reason| OpenError::Cluster { brokers: config.brokers.join(","), reason };
        reach::reach(&config).map_err(unreached)?;
        let names = TopicNames::new(&config.topic_prefix);
        let reader = Reader::start(&config, names.clone(), replies.clone()).map_err(|error| match error {
            // It listens for replies at once.
            OpenError::Client(KafkaError::MetadataFetch(code)) if is_unknown(code) => {
                OpenError::Missing { topic: names.replies.clone() }
            }
            OpenError::Client(error) => unanswered(&config, &error),
            other => other,
        })?;
        for topic in topics::wanted(&config) {
            let found = match migrate::partitions_of(reader.consumer(), &topic.name) {
                Err(KafkaError::MetadataFetch(code)) if is_unknown(code) => {
                    return Err(OpenError::Missing { topic: topic.name });
                }
                found => found.map_err(|error| unanswered(&config, &error))?,
            };
            if found != usize::from(topic.partitions) {
                return Err(OpenError::Partitions { topic: topic.name, found, configured: topic.partitions });
            }
        }
        let failure = Failure::none();
        let producer =
            Producer::start(&config, log::targets(&names, config.partitions), trace, failure.clone())?;
        let log = KafkaLog {
            partitions: config.partitions,
            topics: names,
            producer,
            reader: Arc::new(reader),
            replies,
            replies_dropped: AtomicU64::new(0),
        };
        Ok(Self { config: Arc::new(config), log: Arc::new(log), failure })
    }

    /// The writing side of the log.
    #[must_use]
    pub fn log(&self) -> Arc<KafkaLog> {
        Arc::clone(&self.log)
    }

    /// Joins the group of owners; a worker does so once.
    ///
    /// # Errors
    /// The client or its thread cannot be made. A cluster that is away is no error: the group is joined when it is
    /// back.
    pub fn join(&self) -> Result<Arc<KafkaConsumer>, OpenError> {
        let topic = self.log.topics.log.clone();
        Ok(Arc::new(KafkaConsumer::join(&self.config, topic, self.failure.clone())?))
    }

    /// The replies to this process.
    #[must_use]
    pub fn replies(&self) -> &ReplyRouter {
        &self.log.replies
    }

    /// The name of this process in reply addresses.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.config.instance
    }

    /// Completes with the reason when the log has failed for good and the process must end.
    pub async fn failed(&self) -> String {
        self.failure.wait().await
    }

    /// Dead records in the order of their burial from a position of their topic on, at most `max` (and at most 1000),
    /// and where to read on. One that was buried twice is there twice.
    ///
    /// # Errors
    /// The log cannot be read, or a newer version wrote what is there.
    pub async fn dead_records(
        &self,
        from: Offset,
        max: usize,
    ) -> Result<(Vec<DeadRecord>, Offset), LogError> {
        self.log.reader.dead(from, max).await
    }
}

/// What a cluster says of a topic that it does not have, and the client for it.
fn is_unknown(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{UnknownPartition, UnknownTopic, UnknownTopicOrPartition};
    matches!(code, UnknownTopicOrPartition | UnknownTopic | UnknownPartition)
}

fn unanswered(config: &KafkaConfig, error: &KafkaError) -> OpenError {
    OpenError::Cluster { brokers: config.brokers.join(","), reason: error.to_string() }
}
