//! The backends themselves: in memory and embedded always, Kafka and a CQL database where they are named.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::Result;
use paymux_backends::embedded::{EmbeddedBackend, EmbeddedConfig};
use paymux_backends::kafka::{KafkaBackend, KafkaConfig, TopicSettings};
use paymux_backends::memory::{MemoryCluster, MemoryLogConfig, MemoryStore};
use paymux_backends::{ReplyRouter, cql, kafka};
use paymux_domain::ports::{Clock, CommandLog, OrderStore};
use paymux_domain::time::ClockFactor;
use paymux_micro::Pair;
use paymux_server::clock::ScaledClock;
use paymux_server::config::ClockConfig;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::Consistency;
use tokio::runtime::Runtime;

use super::media::{Medium, Rows};
use super::{Driver, log_pairs, store_pairs};
use crate::bare::Bare;
use crate::cluster::{Place, named};

/// As the engine's own statements.
const WRITE: &str = "INSERT INTO order_facts (merchant_id, order_no, fact_key, body) VALUES (?, ?, ?, ?)";
const READ: &str = "SELECT body FROM order_facts WHERE merchant_id = ? AND order_no = ?";

/// What lives on this machine: in memory, and embedded in a new folder, which the caller keeps meanwhile.
///
/// # Errors
/// The folder cannot be used.
pub fn alone(folder: &tempfile::TempDir) -> Result<Vec<Pair>> {
    let driver: Driver = Rc::new(Runtime::new()?);
    let memory = MemoryLogConfig { partitions: 1, records_kept: 1 << 12, events_kept: 1 << 12 };
    let cluster = MemoryCluster::new(memory, clock(), ReplyRouter::default());
    let log: Arc<dyn CommandLog> = Arc::new(cluster.log());
    let store: Arc<dyn OrderStore> = Arc::new(MemoryStore::new());
    let mut pairs = log_pairs("memory", &driver, &log, &Medium::Map)?;
    pairs.extend(store_pairs("memory", &driver, &store, &Medium::Map)?);
    let config = EmbeddedConfig::new(folder.path().join("data"));
    let embedded = EmbeddedBackend::open(config, ReplyRouter::default())?;
    let (log, store): (Arc<dyn CommandLog>, Arc<dyn OrderStore>) = (embedded.log(), embedded.store());
    let medium = Medium::File(folder.path().to_owned());
    pairs.extend(log_pairs("embedded", &driver, &log, &medium)?);
    pairs.extend(store_pairs("embedded", &driver, &store, &medium)?);
    Ok(pairs)
}

/// The log on Kafka and the store in a CQL database, in topics and a keyspace of their own, which `end` removes.
pub struct Services {
    driver: Driver,
    kafka: KafkaConfig,
    cql: cql::CqlConfig,
    /// Keeps the client's threads.
    backend: KafkaBackend,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Services({})", self.cql.keyspace)
    }
}

/// On the services that the variables name; `None` where they name none.
///
/// # Errors
/// The services refuse something.
pub fn on_services() -> Result<Option<(Services, Vec<Pair>)>> {
    let (Some(brokers), Some(nodes)) = (named("PAYMUX_TEST_KAFKA"), named("PAYMUX_TEST_CQL")) else {
        return Ok(None);
    };
    let driver: Driver = Rc::new(Runtime::new()?);
    let name = format!("bench_storage_{}", std::process::id());
    let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    let kafka = KafkaConfig {
        topic_prefix: format!("{name}."),
        partitions: 2,
        topics: TopicSettings { replication: 1, min_in_sync: 1, ..TopicSettings::default() },
        ..KafkaConfig::new(list(&brokers), name.clone())
    };
    let mut cql = cql::CqlConfig::new(list(&nodes), name, "datacenter1");
    cql.replication = BTreeMap::from([("datacenter1".to_owned(), 1)]);
    cql.partitions = kafka.partitions;
    let (backend, store, rows) = driver.block_on(opened(&kafka, &cql))?;
    let log: Arc<dyn CommandLog> = backend.log();
    // The engine's records go to the other one.
    let place = Place { topic: format!("{}orders.log.v1", kafka.topic_prefix), partition: 1 };
    let producer = driver.block_on(async { Bare::start(&brokers) })?;
    let medium = Medium::Producer(driver.clone(), Rc::new(producer), place);
    let mut pairs = log_pairs("kafka", &driver, &log, &medium)?;
    let medium = Medium::Session(driver.clone(), Rc::new(rows));
    pairs.extend(store_pairs("cql", &driver, &store, &medium)?);
    Ok(Some((Services { driver, kafka, cql, backend }, pairs)))
}

async fn opened(
    kafka: &KafkaConfig,
    cql: &cql::CqlConfig,
) -> Result<(KafkaBackend, Arc<dyn OrderStore>, Rows)> {
    kafka::migrate(kafka).await?;
    cql::migrate(cql, cql::Step::Expand).await?;
    let backend = KafkaBackend::open(kafka.clone(), ReplyRouter::default())?;
    let store = Arc::new(cql::CqlStore::open(cql, clock()).await?);
    let session = SessionBuilder::new()
        .known_nodes(&cql.contact_points)
        .use_keyspace(&cql.keyspace, true)
        .build()
        .await?;
    let (mut write, mut read) = (session.prepare(WRITE).await?, session.prepare(READ).await?);
    write.set_consistency(Consistency::LocalQuorum);
    read.set_consistency(Consistency::LocalQuorum);
    Ok((backend, store, Rows { session, write, read }))
}

impl Services {
    /// Removes topics and keyspace; to be called once nothing is measured any more.
    ///
    /// # Errors
    /// The services refuse it.
    pub fn end(self) -> Result<()> {
        drop(self.backend);
        self.driver.block_on(async {
            kafka::remove(&self.kafka).await?;
            Ok(cql::remove(&self.cql).await?)
        })
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ScaledClock::new(ClockConfig { factor: ClockFactor::REAL, origin_ms: None }))
}
