//! Topics and a keyspace on the Kafka and the CQL database that `PAYMUX_TEST_KAFKA` and `PAYMUX_TEST_CQL` name, and
//! the processes that work on them, here as nodes of this process.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use paymux_backends::{cql, kafka};
use paymux_domain::shard::Partition;
use paymux_engine::WorkerStatus;
use paymux_server::config::Config;
use paymux_server::roles::{Listeners, Node, Roles, Surroundings};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::bare::Copied;
use crate::site::PARTITIONS;
use crate::{Running, Server, load, now};

/// Longest wait for a broker's answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest wait for a worker to come to what a bench waits for, and the pause between two looks.
const WORK_MAX: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(2);

/// Records of a partition whose bytes are counted.
const SAMPLE: i64 = 500;

/// What lies on Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// What was accepted, heard and decided.
    Log,
    /// What the platform is told.
    Events,
}

impl Topic {
    const fn word(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Events => "events",
        }
    }
}

/// A partition of a topic.
#[derive(Clone, Debug)]
pub struct Place {
    pub(crate) topic: String,
    pub(crate) partition: i32,
}

/// Topics and a keyspace of a bench of its own.
#[derive(Debug)]
pub struct Cluster {
    folder: tempfile::TempDir,
    backend: String,
    brokers: String,
    nodes: String,
    name: String,
}

impl Cluster {
    /// Makes topics and keyspace; `None` where no services are named.
    ///
    /// # Errors
    /// The services refuse them.
    pub async fn begin(bench: &str) -> Result<Option<Self>> {
        let (Some(brokers), Some(nodes)) = (named("PAYMUX_TEST_KAFKA"), named("PAYMUX_TEST_CQL")) else {
            return Ok(None);
        };
        let name = format!("bench_{bench}_{}", std::process::id());
        let list = |text: &str| text.split(',').map(|one| format!("{one:?}")).collect::<Vec<_>>().join(", ");
        let backend = format!(
            "kind = \"cluster\"\npartitions = {PARTITIONS}\n\
             [backend.kafka]\nbrokers = [{}]\ntopic_prefix = \"{name}.\"\ngroup = \"{name}\"\n\
             session_timeout_ms = 6000\n\
             [backend.kafka.topics]\nreplication = 1\nmin_in_sync = 1\n\
             [backend.cql]\ncontact_points = [{}]\nkeyspace = \"{name}\"\ndatacenter = \"datacenter1\"\n\
             replication = [\"datacenter1:1\"]\n",
            list(&brokers),
            list(&nodes)
        );
        let cluster = Self { folder: tempfile::tempdir()?, backend, brokers, nodes, name };
        let config = cluster.config()?;
        let at = config.backend.cluster().context("the configuration names a cluster")?;
        kafka::migrate(&at.kafka).await.context("topics")?;
        cql::migrate(&at.cql, cql::Step::Expand).await.context("schema")?;
        Ok(Some(cluster))
    }

    fn config(&self) -> Result<Config> {
        load(self.folder.path(), &self.backend)
    }

    /// Its section `[backend]`.
    pub(crate) fn backend_toml(&self) -> &str {
        &self.backend
    }

    /// Starts a node with the role ingest.
    ///
    /// # Errors
    /// Whatever keeps a server from starting.
    pub async fn ingest(&self) -> Result<Server> {
        Server::of(self.config()?).await
    }

    /// Starts a node with the role worker.
    ///
    /// # Errors
    /// Whatever keeps a worker from starting.
    pub async fn worker(&self) -> Result<Worker> {
        let roles = Roles { ingest: false, worker: true, notify: false };
        let listeners = Listeners { grpc: None, notify: None, health: None, metrics: None };
        let node = Node::start(self.config()?, roles, listeners, Surroundings::default()).await?;
        let status = node.status().worker.clone().context("a worker tells of itself")?;
        Ok(Worker { status, running: Running::of(node) })
    }

    /// Removes topics and keyspace.
    ///
    /// # Errors
    /// The services refuse it.
    pub async fn end(self) -> Result<()> {
        let config = self.config()?;
        let at = config.backend.cluster().context("the configuration names a cluster")?;
        kafka::remove(&at.kafka).await.context("topics")?;
        cql::remove(&at.cql).await.context("keyspace")
    }

    /// Where the brokers are.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Where the nodes are, and the keyspace.
    #[must_use]
    pub fn keyspace(&self) -> (Vec<&str>, &str) {
        (self.nodes.split(',').collect(), &self.name)
    }

    /// Where the orders of a bench go: the partition of the log, and that of events.
    ///
    /// # Errors
    /// The merchant's name is none.
    pub fn places(&self) -> Result<(Place, Place)> {
        let partition = i32::from(Partition::of(&"bench".parse()?, PARTITIONS).0);
        let place = |what: &str| Place { topic: format!("{}.orders.{what}.v1", self.name), partition };
        Ok((place("log"), place("events")))
    }

    /// A partition of the log to which no order goes: nobody who reads it meets what a bare client wrote.
    ///
    /// # Errors
    /// The merchant's name is none.
    pub fn unused(&self) -> Result<Place> {
        let (Place { topic, partition }, _) = self.places()?;
        Ok(Place { topic, partition: (partition + 1) % i32::from(PARTITIONS) })
    }

    /// The position after the last record of a partition.
    ///
    /// # Errors
    /// The broker does not answer.
    pub fn end_of(&self, place: &Place) -> Result<i64> {
        let (_, end) = self.consumer()?.fetch_watermarks(&place.topic, place.partition, PATIENCE)?;
        Ok(end)
    }

    /// A record of a partition.
    ///
    /// # Errors
    /// There is none, or the broker does not answer.
    pub fn record(&self, place: &Place, offset: i64) -> Result<Copied> {
        let consumer = self.reader(place, offset)?;
        let message = consumer.poll(PATIENCE).context("no record comes")??;
        copied(&message)
    }

    /// Bytes of all records in the log or among the events: of the first of each partition, times their number.
    ///
    /// # Errors
    /// The broker does not answer.
    pub fn bytes(&self, what: Topic) -> Result<f64> {
        let topic = format!("{}.orders.{}.v1", self.name, what.word());
        let mut bytes = 0.0;
        for partition in 0..i32::from(PARTITIONS) {
            let place = Place { topic: topic.clone(), partition };
            let (begin, end) = self.consumer()?.fetch_watermarks(&topic, partition, PATIENCE)?;
            let count = u32::try_from((end - begin).min(SAMPLE))?;
            if count == 0 {
                continue;
            }
            let consumer = self.reader(&place, begin)?;
            let mut sampled = 0;
            for _ in 0..count {
                sampled += copied(&consumer.poll(PATIENCE).context("no record comes")??)?.bytes();
            }
            bytes += f64::from(u32::try_from(sampled)?) / f64::from(count)
                * f64::from(u32::try_from(end - begin)?);
        }
        Ok(bytes)
    }

    /// A client that reads a partition from a position on.
    ///
    /// # Errors
    /// The client cannot be made.
    pub(crate) fn reader(&self, place: &Place, offset: i64) -> Result<BaseConsumer> {
        let consumer = self.consumer()?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&place.topic, place.partition, Offset::Offset(offset))?;
        consumer.assign(&list)?;
        Ok(consumer)
    }

    /// With the settings that count of the engine's own.
    fn consumer(&self) -> Result<BaseConsumer> {
        let mut settings = ClientConfig::new();
        settings.set("bootstrap.servers", &self.brokers).set("group.id", format!("{}-bare", self.name));
        settings.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        settings.set("queued.min.messages", "2000").set("fetch.queue.backoff.ms", "10");
        Ok(settings.create()?)
    }
}

fn copied(message: &BorrowedMessage<'_>) -> Result<Copied> {
    let payload = message.payload().context("an empty record")?.to_vec();
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    let header = |header: rdkafka::message::Header<'_, &[u8]>| {
        (header.key.to_owned(), header.value.unwrap_or_default().to_vec())
    };
    Ok(Copied { payload, headers: headers.map(header).collect() })
}

/// A worker at work.
#[derive(Debug)]
pub struct Worker {
    status: Arc<WorkerStatus>,
    running: Running,
}

impl Worker {
    /// Decisions that were carried out since it started.
    #[must_use]
    pub fn decisions(&self) -> u64 {
        self.status.steps.get()
    }

    /// Waits until it has carried out so many.
    ///
    /// # Errors
    /// It has not come to that in two minutes.
    pub async fn until(&self, decisions: u64) -> Result<()> {
        let began = now();
        while self.decisions() < decisions {
            if began.elapsed() > WORK_MAX {
                bail!("{} decisions in {WORK_MAX:?}, {decisions} were expected", self.decisions());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Stops it and waits for its end.
    ///
    /// # Errors
    /// It ended badly.
    pub async fn stop(self) -> Result<()> {
        self.running.stop().await
    }
}

/// The value of a variable, unless it is empty.
pub(crate) fn named(wanted: &str) -> Option<String> {
    let found = std::env::vars_os().find(|(name, _)| name == wanted);
    found.and_then(|(_, value)| value.into_string().ok()).filter(|value| !value.is_empty())
}
