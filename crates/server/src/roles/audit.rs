//! What an audit of due rows looks at: the store alone, with the configuration of the processes that work on it.

use std::sync::Arc;

use paymux_backends::ReplyRouter;
use paymux_backends::cql::CqlStore;
use paymux_backends::embedded::EmbeddedBackend;
use paymux_domain::ports::{Clock, OrderStore, Signer};
use paymux_engine::audit::AuditParts;
use paymux_providers::http::Transport;
use paymux_providers::signing::PoolOptions;
use paymux_providers::{Gateway, SigningPool};
use tokio::task::spawn_blocking;

use super::{BackendError, SlicesError, StartError, slices};
use crate::clock::ScaledClock;
use crate::config::{Config, LiveRegistry, Place, Providers};
use crate::reload::lookup_in;

/// Opens the store of a configuration; the log stays alone. A data folder must be there and in nobody's use.
///
/// # Errors
/// The store cannot be opened, or what signs and sends cannot be set up.
pub async fn audit_parts(config: Config) -> Result<AuditParts, StartError> {
    let clock: Arc<dyn Clock> = Arc::new(ScaledClock::new(config.clock));
    let Providers { registry: known, signing_keys } = config.providers.clone();
    let signer = SigningPool::start(PoolOptions::default(), signing_keys).map_err(StartError::Signing)?;
    let directory = LiveRegistry::new(config.registry.clone(), lookup_in(known.in_force()));
    let gateway = Gateway::new(known, Arc::new(signer) as Arc<dyn Signer>, Transport::new()?);
    let (store, partitions) = open(&config, &clock).await?;
    Ok(AuditParts {
        store,
        gateway: Arc::new(gateway),
        directory: Arc::new(directory),
        clock,
        partitions,
        timing: config.engine.timing,
    })
}

/// The store and the number of partitions; shard groups must be divided as it is recorded, since rows are looked for by
/// it.
async fn open(config: &Config, clock: &Arc<dyn Clock>) -> Result<(Arc<dyn OrderStore>, u16), StartError> {
    let Config { backend, registry, .. } = config;
    match &backend.place {
        Place::Embedded(config) => {
            let (config, partitions) = (config.clone(), config.partitions);
            let opening = spawn_blocking(move || {
                if !config.folder.is_dir() {
                    return Err(BackendError::NoFolder(config.folder));
                }
                EmbeddedBackend::open(config, ReplyRouter::default()).map_err(BackendError::Embedded)
            });
            let backend = opening.await.map_err(|_| StartError::Interrupted)??;
            slices::as_recorded(&backend.slices().map_err(SlicesError::Store)?, registry)?;
            Ok((backend.store(), partitions))
        }
        Place::Cluster(config) => {
            let store = CqlStore::open(&config.cql, Arc::clone(clock)).await.map_err(BackendError::Store)?;
            slices::as_recorded(store.slices(), registry)?;
            Ok((Arc::new(store), config.cql.partitions))
        }
    }
}
