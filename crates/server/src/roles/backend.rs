//! Log and store of a process, wherever they live.

use std::fmt;
use std::sync::Arc;

use paymux_backends::ReplyRouter;
use paymux_backends::cql::{CqlOpenError, CqlStore, SchemaFault};
use paymux_backends::embedded::{EmbeddedBackend, EmbeddedPruner, OpenError};
use paymux_backends::kafka::{self, KafkaBackend, KafkaConfig};
use paymux_domain::ports::{Clock, CommandLog, Entropy, LogConsumer, OrderStore, ShardBoard, StepWriter};
use tokio::task::spawn_blocking;

use super::StartError;
use crate::clock::SystemEntropy;
use crate::config::{BackendConfig, ClusterConfig, Place};

/// The one ingest of a process on the embedded backend, in reply addresses.
const EMBEDDED_INSTANCE: &str = "local";

/// Why log and store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The data folder.
    #[error(transparent)]
    Embedded(OpenError),
    /// The data folder was never used.
    #[error("there is no data folder {}", .0.display())]
    NoFolder(std::path::PathBuf),
    /// The log of a cluster.
    #[error("log: {error}{advice}", error = .0, advice = log_advice(.0))]
    Log(kafka::OpenError),
    /// The store of a cluster.
    #[error("{error}{advice}", error = .0, advice = store_advice(.0))]
    Store(CqlOpenError),
}

const MIGRATE: &str = "\n`paymux migrate` with this configuration makes topics and schema ready";
const UPGRADE: &str = "\nthis release is too old for the schema: start one that knows it";

fn log_advice(error: &kafka::OpenError) -> &'static str {
    if matches!(error, kafka::OpenError::Missing { .. }) { MIGRATE } else { "" }
}

fn store_advice(error: &CqlOpenError) -> &'static str {
    let CqlOpenError::Schema { faults, .. } = error else { return "" };
    let is_old = |fault: &SchemaFault| matches!(fault, SchemaFault::Ahead { .. });
    let is_behind = |fault: &SchemaFault| {
        matches!(fault, SchemaFault::Missing | SchemaFault::Behind { .. } | SchemaFault::Retention { .. })
    };
    match (faults.iter().any(is_old), faults.iter().any(is_behind)) {
        (true, _) => UPGRADE,
        (false, true) => MIGRATE,
        (false, false) => "",
    }
}

/// Log and store of a process.
pub(super) enum Backend {
    /// In one folder.
    Embedded(EmbeddedBackend),
    /// On Kafka and in a CQL database.
    Cluster {
        /// The log.
        log: KafkaBackend,
        /// The store.
        store: Arc<CqlStore>,
    },
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(backend) => backend.fmt(f),
            Self::Cluster { log, .. } => log.fmt(f),
        }
    }
}

impl Backend {
    /// Opens log and store; what blocks is done off the async workers.
    pub(super) async fn open(config: &BackendConfig, clock: &Arc<dyn Clock>) -> Result<Self, StartError> {
        match &config.place {
            Place::Embedded(config) => {
                let config = config.clone();
                let opening = spawn_blocking(move || EmbeddedBackend::open(config, ReplyRouter::default()));
                let opened = opening.await.map_err(|_| StartError::Interrupted)?;
                Ok(Self::Embedded(opened.map_err(BackendError::Embedded)?))
            }
            Place::Cluster(config) => Self::open_cluster(config, clock).await,
        }
    }

    async fn open_cluster(config: &ClusterConfig, clock: &Arc<dyn Clock>) -> Result<Self, StartError> {
        let kafka = KafkaConfig { instance: instance(&config.kafka.instance), ..config.kafka.clone() };
        tracing::info!(instance = kafka.instance, "this process is known to the cluster");
        let store = CqlStore::open(&config.cql, Arc::clone(clock)).await.map_err(BackendError::Store)?;
        let opening = spawn_blocking(move || KafkaBackend::open(kafka, ReplyRouter::default()));
        let log = opening.await.map_err(|_| StartError::Interrupted)?.map_err(BackendError::Log)?;
        Ok(Self::Cluster { log, store: Arc::new(store) })
    }

    /// The writing side of the log.
    pub(super) fn log(&self) -> Arc<dyn CommandLog> {
        match self {
            Self::Embedded(backend) => backend.log(),
            Self::Cluster { log, .. } => log.log(),
        }
    }

    /// The store.
    pub(super) fn store(&self) -> Arc<dyn OrderStore> {
        match self {
            Self::Embedded(backend) => backend.store(),
            Self::Cluster { store, .. } => Arc::clone(store) as Arc<dyn OrderStore>,
        }
    }

    /// What writes whole steps: there log and store are one database.
    pub(super) fn steps(&self) -> Option<Arc<dyn StepWriter>> {
        match self {
            Self::Embedded(backend) => Some(backend.store()),
            Self::Cluster { .. } => None,
        }
    }

    /// The reading side of the log: on a cluster this joins the group of owners, once.
    pub(super) fn consumer(&self) -> Result<Arc<dyn LogConsumer>, StartError> {
        match self {
            Self::Embedded(backend) => Ok(backend.consumer()),
            Self::Cluster { log, .. } => Ok(log.join().map_err(BackendError::Log)?),
        }
    }

    /// Where the owners of a cluster's partitions tell of themselves; one process needs no such place.
    pub(super) fn board(&self) -> Option<Arc<dyn ShardBoard>> {
        match self {
            Self::Embedded(_) => None,
            Self::Cluster { store, .. } => Some(Arc::clone(store) as Arc<dyn ShardBoard>),
        }
    }

    /// What removes orders past their retention; in a CQL database rows go by themselves.
    pub(super) fn pruner(&self) -> Option<EmbeddedPruner> {
        match self {
            Self::Embedded(backend) => Some(backend.pruner()),
            Self::Cluster { .. } => None,
        }
    }

    /// Whether other machines hold log and store.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster { .. })
    }

    /// The replies to this process.
    pub(super) fn replies(&self) -> &ReplyRouter {
        match self {
            Self::Embedded(backend) => backend.replies(),
            Self::Cluster { log, .. } => log.replies(),
        }
    }

    /// The name of this process in reply addresses.
    pub(super) fn instance(&self) -> &str {
        match self {
            Self::Embedded(_) => EMBEDDED_INSTANCE,
            Self::Cluster { log, .. } => log.instance(),
        }
    }

    /// Completes with the reason when log or store have failed for good.
    pub(super) async fn failed(&self) -> String {
        match self {
            Self::Embedded(backend) => backend.failed().await,
            Self::Cluster { log, .. } => log.failed().await,
        }
    }
}

/// A name that no other process has, nor this one at its last start: a reply to a call from before must find nobody.
fn instance(name: &str) -> String {
    let start = SystemEntropy::from_system().next_u64();
    format!("{name}-{start:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_start_has_a_name_of_its_own() {
        let (one, other) = (instance("ingest-1"), instance("ingest-1"));
        assert!(one.starts_with("ingest-1-") && one != other, "{one} {other}");
        assert!(instance(&"n".repeat(40)).len() <= 64);
    }

    #[test]
    fn who_cannot_start_is_told_what_helps() {
        let told = |faults| {
            let keyspace = "paymux".to_owned();
            BackendError::Store(CqlOpenError::Schema { keyspace, faults }).to_string()
        };
        assert!(told(vec![SchemaFault::Missing]).contains("`paymux migrate`"));
        assert!(told(vec![SchemaFault::Behind { recorded: 1, needed: 2 }]).contains("`paymux migrate`"));
        let ahead =
            told(vec![SchemaFault::Ahead { min_compatible_binary: 2, known: 1 }, SchemaFault::Missing]);
        assert!(ahead.contains("too old") && !ahead.contains("`paymux migrate`"), "{ahead}");
        let missing = kafka::OpenError::Missing { topic: "orders.log.v1".to_owned() };
        assert!(BackendError::Log(missing).to_string().contains("`paymux migrate`"));
    }
}
