//! The roles of a process, wired from one configuration: ingest (gRPC), worker (engine), notify (HTTP).
//!
//! A node owns its tasks. It stops in this order: readiness off and doors shut, calls under way finished, worker
//! drained, data folder closed; all of it within the drain time-out.

mod audit;
mod backend;
mod health;
mod metrics;
mod placement;
mod pruning;
mod reach;
mod running;
mod slices;
mod upkeep;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use paymux_domain::ports::{Clock, CommandLog, Entropy, LogConsumer, OrderStore, ProviderGateway, Signer};
use paymux_engine::spawn::TokioSpawn;
use paymux_engine::{EngineConfig, Worker, WorkerParts, WorkerStatus};
use paymux_providers::http::{Transport, TransportBuildError};
use paymux_providers::signing::PoolOptions;
use paymux_providers::{Gateway, SigningPool};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::access::audit::{AuditError, AuditLog};
use crate::clock::{ScaledClock, SystemEntropy};
use crate::config::{Config, LiveRegistry, Providers, Registry};
use crate::door::Door;
use crate::grpc::{Gate, Guards, OperatorParts, age_of_process};
use crate::ingest::{Ingest, IngestParts, ReplyWaits};
use crate::notify::{Notify, NotifyParts};
use crate::reload::{InUse, Reloader, lookup_in};
use crate::shards::Shards;
use crate::store_view::StoreView;
use crate::tls::{Tls, TlsConfig, TlsFaults};

use backend::Backend;

pub use audit::audit_parts;
pub use backend::BackendError;
pub use placement::{Moved, PlacementError};
pub use running::{Node, NodeError};
pub use slices::{SlicesChange, SlicesError, record_cluster_slices};

/// Which roles a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// gRPC.
    pub ingest: bool,
    /// Engine.
    pub worker: bool,
    /// Notifications.
    pub notify: bool,
}

impl Roles {
    /// All of them.
    pub const ALL: Self = Self { ingest: true, worker: true, notify: true };

    /// Whether they would accept what nobody works on, where one process has the log for itself.
    #[must_use]
    pub const fn accept_without_work(self) -> bool {
        (self.ingest || self.notify) && !self.worker
    }
}

impl FromStr for Roles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut roles = Self { ingest: false, worker: false, notify: false };
        for word in text.split(',').map(str::trim) {
            match word {
                "all" => roles = Self::ALL,
                "ingest" => roles.ingest = true,
                "worker" => roles.worker = true,
                "notify" => roles.notify = true,
                other => return Err(format!("{other:?} is not a role: ingest, worker, notify or all")),
            }
        }
        Ok(roles)
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(self.ingest, "ingest"), (self.worker, "worker"), (self.notify, "notify")];
        let names: Vec<&str> = names.into_iter().filter(|(has, _)| *has).map(|(_, name)| name).collect();
        f.write_str(&names.join(","))
    }
}

/// The listeners of a process, bound before anything else starts.
#[derive(Debug)]
pub struct Listeners {
    /// For gRPC; needed by the role ingest.
    pub grpc: Option<TcpListener>,
    /// For notifications; needed by the role notify.
    pub notify: Option<TcpListener>,
    /// For probes; `None`: probes are answered where gRPC is, or nowhere.
    pub health: Option<TcpListener>,
    /// For scrapes; `None`: metrics are told nowhere.
    pub metrics: Option<TcpListener>,
}

impl Listeners {
    /// Binds both addresses.
    ///
    /// # Errors
    /// An address is taken or not ours.
    pub async fn bind(grpc: SocketAddr, notify: SocketAddr) -> Result<Self, StartError> {
        Self::bind_for(Roles::ALL, grpc, notify).await
    }

    /// Binds the addresses that the roles need.
    ///
    /// # Errors
    /// An address is taken or not ours.
    pub async fn bind_for(roles: Roles, grpc: SocketAddr, notify: SocketAddr) -> Result<Self, StartError> {
        let grpc = bind(Some(grpc).filter(|_| roles.ingest)).await?;
        let notify = bind(Some(notify).filter(|_| roles.notify)).await?;
        Ok(Self { grpc, notify, health: None, metrics: None })
    }

    /// Binds an address for probes, too, where there is one.
    ///
    /// # Errors
    /// It is taken or not ours.
    pub async fn with_health(self, health: Option<SocketAddr>) -> Result<Self, StartError> {
        Ok(Self { health: bind(health).await?, ..self })
    }

    /// Binds an address for scrapes, too, where there is one.
    ///
    /// # Errors
    /// It is taken or not ours.
    pub async fn with_metrics(self, metrics: Option<SocketAddr>) -> Result<Self, StartError> {
        Ok(Self { metrics: bind(metrics).await?, ..self })
    }

    /// Where gRPC and notifications are listened to.
    ///
    /// # Errors
    /// A listener is missing, or does not know.
    pub fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        let address = |listener: &Option<TcpListener>| {
            listener.as_ref().ok_or(io::ErrorKind::NotConnected)?.local_addr()
        };
        Ok((address(&self.grpc)?, address(&self.notify)?))
    }
}

async fn bind(address: Option<SocketAddr>) -> Result<Option<TcpListener>, StartError> {
    let Some(address) = address else { return Ok(None) };
    let bound = TcpListener::bind(address).await;
    bound.map(Some).map_err(|source| StartError::Listen { address, source })
}

/// Why a process does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Log and store cannot be opened.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Open orders lie where the groups of their merchants do not lead.
    #[error(transparent)]
    Placement(#[from] PlacementError),
    /// Shard groups are divided otherwise than before.
    #[error(transparent)]
    Slices(#[from] SlicesError),
    /// The HTTP client for providers cannot be built.
    #[error(transparent)]
    Transport(#[from] TransportBuildError),
    /// The operating system gives no threads for signing.
    #[error("the signing threads cannot be started: {0}")]
    Signing(#[source] io::Error),
    /// The certificates of a door cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsFaults),
    /// The audit log cannot be written.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A task of the start was torn down.
    #[error("the start was interrupted")]
    Interrupted,
}

/// A change to the engine's surroundings, for tests that plant a fault.
pub type Wrap<T> = Option<Box<dyn FnOnce(Arc<T>) -> Arc<T> + Send>>;

/// What may differ from production: the demo's clock, and faults that tests plant.
#[derive(Default)]
pub struct Surroundings {
    /// Schedule time; absent: by the configuration.
    pub clock: Option<ScaledClock>,
    /// Around the engine's gateway.
    pub gateway: Wrap<dyn ProviderGateway>,
    /// Around the engine's log.
    pub log: Wrap<dyn CommandLog>,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Surroundings")
    }
}

/// Everything of a process that its roles share.
struct Shared {
    config: Config,
    clock: Arc<dyn Clock>,
    registry: Arc<LiveRegistry>,
    reloader: Arc<Reloader>,
    gateway: Arc<Gateway>,
    signer: Arc<SigningPool>,
    backend: Backend,
    log: Arc<dyn CommandLog>,
    store: Arc<dyn OrderStore>,
    /// The store as whoever only reads it sees it.
    view: StoreView,
    /// Shuts the doors and ends waits.
    doors: CancellationToken,
}

/// Opens everything; nothing runs yet.
async fn open(mut config: Config, surroundings: &mut Surroundings) -> Result<Shared, StartError> {
    let clock = surroundings.clock.take().unwrap_or_else(|| ScaledClock::new(config.clock));
    let clock: Arc<dyn Clock> = Arc::new(clock);
    let Providers { registry: known, signing_keys } = config.providers.clone();
    let signer = SigningPool::start(PoolOptions::default(), signing_keys).map_err(StartError::Signing)?;
    let signer = Arc::new(signer);
    let gateway = Gateway::new(Arc::clone(&known), Arc::clone(&signer) as Arc<dyn Signer>, Transport::new()?);
    let providers = lookup_in(known.in_force());
    let live = Arc::new(LiveRegistry::new(config.registry.clone(), providers));
    let in_use = InUse { live: Arc::clone(&live), providers: known, signer: Arc::clone(&signer) };
    let reloader = Reloader::new(&config, in_use, Arc::clone(&clock));
    let backend = Backend::open(&config.backend, &clock).await?;
    let (log, store) = (backend.log(), backend.store());
    let view = StoreView::new(Arc::clone(&store));
    let divided = slices::check(&backend, &config.registry)?;
    placement::check(&view, log.partitions(), &config.registry, clock.now()).await?;
    slices::record(&backend, &config.registry, &divided).await?;
    // They live on in what is in force alone.
    config.registry = Registry::default();
    Ok(Shared {
        registry: live,
        reloader,
        config,
        clock,
        gateway: Arc::new(gateway),
        signer,
        backend,
        log,
        store,
        view,
        doors: CancellationToken::new(),
    })
}

impl Shared {
    fn worker(&self, consumer: Arc<dyn LogConsumer>, surroundings: Surroundings) -> Worker {
        let Surroundings { gateway, log, .. } = surroundings;
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::from_system());
        // A log that lies must be asked.
        let steps = if log.is_some() { None } else { self.backend.steps() };
        Worker::new(WorkerParts {
            consumer,
            log: wrapped(Arc::clone(&self.log), log),
            store: Arc::clone(&self.store),
            steps,
            gateway: wrapped(Arc::clone(&self.gateway) as Arc<dyn ProviderGateway>, gateway),
            directory: Arc::clone(&self.registry) as Arc<dyn paymux_domain::ports::Directory>,
            clock: Arc::clone(&self.clock),
            entropy,
            spawner: Arc::new(TokioSpawn),
            config: EngineConfig { ..self.config.engine.clone() },
        })
    }

    fn ingest(&self, waits: Arc<ReplyWaits>) -> Arc<Ingest> {
        Arc::new(Ingest::new(IngestParts {
            registry: Arc::clone(&self.registry),
            gateway: Arc::clone(&self.gateway) as Arc<dyn ProviderGateway>,
            log: Arc::clone(&self.log),
            store: self.view.clone(),
            clock: Arc::clone(&self.clock),
            waits,
            config: self.config.ingest,
            notify_base_url: self.config.server.notify_base_url.clone(),
            merchants_counted_max: self.config.server.metrics_merchants_max,
            stop: self.doors.clone(),
        }))
    }

    /// Who may call, and the audit log, which belongs to the one process that takes calls.
    fn guards(&self) -> Result<Guards, StartError> {
        let clock = || Arc::clone(&self.clock);
        let config = &self.config.access;
        let audit = config.audit.as_ref().map(|audit| AuditLog::open(audit, clock())).transpose()?;
        Ok(Guards { access: Access::new(config.callers.clone(), clock()), audit })
    }

    fn gate(&self) -> Gate {
        let server = &self.config.server;
        let gate = Gate::new(server.calls_in_flight_max, self.config.ingest.retry_after, self.doors.clone());
        let drawn = SystemEntropy::from_system().next_u64();
        gate.with_connection_age(server.connection_age_max.map(|age_max| age_of_process(age_max, drawn)))
    }

    /// What is known of the partitions' owners.
    fn shards(&self, own: Option<Arc<WorkerStatus>>) -> Shards {
        Shards::new(self.backend.instance(), own, self.backend.board())
    }

    fn operator(&self, shards: Shards) -> OperatorParts {
        OperatorParts {
            shards,
            clock: Arc::clone(&self.clock),
            registry: Arc::clone(&self.registry),
            reloads: self.reloader.status(),
            log: Arc::clone(&self.log),
            store: self.view.clone(),
        }
    }

    fn notify(&self) -> Arc<Notify> {
        Notify::new(NotifyParts {
            registry: Arc::clone(&self.registry),
            log: Arc::clone(&self.log),
            clock: Arc::clone(&self.clock),
            in_flight_max: self.config.server.notifications_in_flight_max,
        })
    }
}

/// A door with its certificates. The files are small and read before anything is served.
fn door(listener: TcpListener, tls: Option<&TlsConfig>) -> Result<Door, StartError> {
    let tls = tls.cloned().map(Tls::load).transpose()?.map(Arc::new);
    Ok(Door::new(listener, tls))
}

fn wrapped<T: ?Sized>(inner: Arc<T>, wrap: Wrap<T>) -> Arc<T> {
    match wrap {
        Some(wrap) => wrap(inner),
        None => inner,
    }
}

/// What a node tells of itself.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// Where gRPC listens; `None` without the role.
    pub grpc: Option<SocketAddr>,
    /// Where notifications arrive; `None` without the role.
    pub notify: Option<SocketAddr>,
    /// Where probes are answered, and nothing else; `None` without that address.
    pub health: Option<SocketAddr>,
    /// Where metrics are scraped; `None` without that address.
    pub metrics: Option<SocketAddr>,
    /// The worker's counters; `None` without the role.
    pub worker: Option<Arc<WorkerStatus>>,
    /// The notifications' counters; `None` without the role.
    pub notifications: Option<Arc<Notify>>,
    /// Reads merchants and accounts again.
    pub reloader: Arc<Reloader>,
    /// Who may call; `None` without the role ingest.
    pub access: Option<Arc<Access>>,
}
