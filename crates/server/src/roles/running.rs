//! A node at work: its tasks, how it ends by itself, how it is stopped.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use paymux_engine::EngineError;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic_health::pb::health_server::{Health, HealthServer};

use super::backend::Backend;
use super::health::Readiness;
use super::reach::Reach;
use super::{
    Listeners, NodeStatus, Roles, Shared, StartError, Surroundings, door, health, metrics, open, pruning,
    upkeep,
};
use crate::clock::SystemEntropy;
use crate::config::Config;
use crate::door::{Door, http};
use crate::grpc::{self, Guards, OperatorParts, ServeError};
use crate::ingest::{Ingest, ReplyWaits};
use crate::notify::Notify;

/// The doors may take this part of the drain time-out; the rest is the worker's.
const DOORS_SHARE: u32 = 4;

/// How long a node that failed for good waits for its doors: callers hear a refusal instead of a broken connection.
const FATAL_DRAIN: Duration = Duration::from_secs(1);

/// However little of the drain time-out is left, closing the data folder may take this long.
const CLOSE_TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// How long a provider, or whoever scrapes, may keep a connection on which it says nothing.
const HTTP_IDLE_MAX: Duration = Duration::from_secs(60);

/// Why a node ended other than by being stopped.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Log or store failed for good: start again on the same data.
    #[error("log or store failed: {0}")]
    Backend(String),
    /// gRPC failed.
    #[error(transparent)]
    Grpc(#[from] ServeError),
    /// A task ended that never should.
    #[error("a task of the node ended: {0}")]
    Task(String),
}

/// A node at work.
#[derive(Debug)]
pub struct Node {
    status: NodeStatus,
    doors: CancellationToken,
    open_doors: JoinSet<Result<(), NodeError>>,
    worker: Option<WorkerTask>,
    background: JoinSet<()>,
    backend: Backend,
    drain_timeout: Duration,
}

#[derive(Debug)]
struct WorkerTask {
    stop: CancellationToken,
    task: JoinHandle<Result<(), EngineError>>,
}

impl Node {
    /// Starts the roles; when it returns, the doors are open.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(
        mut config: Config,
        roles: Roles,
        listeners: Listeners,
        mut surroundings: Surroundings,
    ) -> Result<Self, StartError> {
        let drain_timeout = config.server.drain_timeout;
        config.engine.drain_timeout = drain_timeout - drain_timeout / DOORS_SHARE;
        let shared = open(config, &mut surroundings).await?;
        let access = &shared.config.access;
        let grpc = listeners.grpc.filter(|_| roles.ingest);
        let grpc = grpc.map(|listener| door(listener, access.grpc_tls.as_ref())).transpose()?;
        let notify_door = listeners.notify.filter(|_| roles.notify);
        let notify_door =
            notify_door.map(|listener| door(listener, access.notify_tls.as_ref())).transpose()?;
        let health_door = listeners.health.map(|listener| door(listener, None)).transpose()?;
        let metrics_door = listeners.metrics.map(|listener| door(listener, None)).transpose()?;
        let guards = roles.ingest.then(|| shared.guards()).transpose()?;
        let consumer = roles.worker.then(|| shared.backend.consumer()).transpose()?;
        // Nothing runs before everything that may fail is there.
        let mut status = NodeStatus {
            grpc: grpc.as_ref().and_then(Door::address),
            notify: notify_door.as_ref().and_then(Door::address),
            health: health_door.as_ref().and_then(Door::address),
            metrics: metrics_door.as_ref().and_then(Door::address),
            worker: None,
            notifications: None,
            access: guards.as_ref().map(|guards| Arc::clone(&guards.access)),
            reloader: Arc::clone(&shared.reloader),
        };
        let mut background = JoinSet::new();
        keep_house(&shared, roles, [&grpc, &notify_door], &mut background);
        let worker = consumer.map(|consumer| {
            let worker = shared.worker(consumer, surroundings);
            status.worker = Some(worker.status());
            let stop = CancellationToken::new();
            let task = tokio::spawn(worker.run(stop.clone()));
            WorkerTask { stop, task }
        });
        let (probes, readiness) = follow_health(&shared, roles, &status, &mut background).await;
        if let Some(door) = health_door {
            background.spawn(grpc::serve_health(door, probes.clone()));
        }
        let shards = shared.shards(status.worker.clone());
        background.spawn(shards.clone().tell(shared.doors.clone()));
        let mut open_doors = JoinSet::new();
        let mut ingest = None;
        if let (Some(door), Some(guards)) = (grpc, guards) {
            let operator = shared.operator(shards);
            let opened =
                open_grpc(&shared, (door, guards), operator, probes, &mut open_doors, &mut background);
            ingest = Some(opened);
        }
        if let Some(door) = notify_door {
            status.notifications = Some(open_notify(&shared, door, &mut open_doors));
        }
        if let Some(door) = metrics_door {
            let door = door.with_idle_max(HTTP_IDLE_MAX);
            metrics::open(&shared, door, roles, &status, ingest, readiness, &mut background);
        }
        let Shared { doors, backend, .. } = shared;
        Ok(Self { status, doors, open_doors, worker, background, backend, drain_timeout })
    }

    /// Where it listens, and its counters.
    #[must_use]
    pub fn status(&self) -> &NodeStatus {
        &self.status
    }

    /// Works until `stop` completes or something fails, then stops and drains.
    ///
    /// # Errors
    /// When it ended by itself.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), NodeError> {
        let mut stop = std::pin::pin!(stop);
        let ended = tokio::select! {
            biased;
            reason = self.backend.failed() => Err(NodeError::Backend(reason)),
            ended = end_of_worker(&mut self.worker) => Err(ended),
            Some(ended) = self.open_doors.join_next() => Err(end_of_door(ended)),
            () = &mut stop => Ok(()),
        };
        let Err(error) = ended else {
            tracing::info!("stopping");
            let timeout = self.drain_timeout;
            return self.drain(timeout).await;
        };
        tracing::error!(%error, "ending");
        tokio::select! {
            biased;
            // What the drain of a failed node finds is less than why it failed.
            _drained = self.drain(FATAL_DRAIN) => {}
            () = &mut stop => tracing::warn!("stopped while it was ending"),
        }
        Err(error)
    }

    /// Shuts the doors, lets calls finish, drains the worker; what lasts beyond the deadline is broken off, and is
    /// found again at the next start.
    async fn drain(mut self, timeout: Duration) -> Result<(), NodeError> {
        let deadline = Instant::now() + timeout;
        let doors_deadline = Instant::now() + timeout / DOORS_SHARE;
        self.doors.cancel();
        let mut failed = Ok(());
        loop {
            match tokio::time::timeout_at(doors_deadline, self.open_doors.join_next()).await {
                Ok(Some(Ok(Ok(())))) => {}
                Ok(Some(ended)) => failed = Err(end_of_door(ended)),
                Ok(None) => break,
                Err(_) => {
                    tracing::warn!("calls were still under way when their share of the drain time-out ended");
                    break;
                }
            }
        }
        if let Some(WorkerTask { stop, mut task }) = self.worker.take() {
            stop.cancel();
            match tokio::time::timeout_at(deadline, &mut task).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(EngineError::DrainTimeout(orders)))) => {
                    tracing::warn!(orders, "orders were still in work; they go on at the next start");
                }
                Ok(Ok(Err(EngineError::Fatal(reason)))) => failed = Err(NodeError::Backend(reason)),
                Ok(Err(error)) => failed = Err(NodeError::Task(error.to_string())),
                Err(_) => {
                    tracing::warn!("the worker was still draining at the drain time-out");
                    task.abort();
                }
            }
        }
        self.open_doors.shutdown().await;
        self.background.shutdown().await;
        failed.and(close(self.backend, deadline.max(Instant::now() + CLOSE_TIMEOUT_MIN)).await)
    }
}

/// Closes the data folder, which waits for the commit under way, on the disk. A disk that does not answer is not
/// waited for: what was acknowledged is on it, and the next start repairs the rest.
async fn close(backend: Backend, deadline: Instant) -> Result<(), NodeError> {
    let closing = tokio::task::spawn_blocking(move || drop(backend));
    match tokio::time::timeout_at(deadline, closing).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return Err(NodeError::Task("closing the data folder".to_owned())),
        Err(_) => tracing::warn!("the data folder was still closing at the drain time-out"),
    }
    Ok(())
}

/// What goes on beside the roles: pruning, reloading, upkeep of the providers, certificates that are exchanged.
fn keep_house(shared: &Shared, roles: Roles, doors: [&Option<Door>; 2], background: &mut JoinSet<()>) {
    if let Some(pruner) = shared.backend.pruner().filter(|_| roles.worker) {
        let retention = shared.config.backend.retention;
        background.spawn(pruning::run(pruner, Arc::clone(&shared.clock), retention));
    }
    background.spawn(Arc::clone(&shared.reloader).run(shared.doors.clone()));
    // Ingest alone calls no provider and hears from none.
    if roles.worker || roles.notify {
        let (gateway, clock) = (Arc::clone(&shared.gateway), Arc::clone(&shared.clock));
        background.spawn(upkeep::run(gateway, clock, SystemEntropy::from_system(), shared.doors.clone()));
    }
    for tls in doors.into_iter().flatten().filter_map(Door::tls) {
        background.spawn(tls.follow(shared.doors.clone()));
    }
}

/// Keeps health up to date for whoever asks; without a door where anybody could ask it asks nobody itself.
async fn follow_health(
    shared: &Shared,
    roles: Roles,
    status: &NodeStatus,
    background: &mut JoinSet<()>,
) -> (HealthServer<impl Health>, Arc<Readiness>) {
    let (reporter, probes) = tonic_health::server::health_reporter();
    let is_asked = status.grpc.is_some() || status.health.is_some();
    let reach = shared.backend.is_cluster().then(Reach::new);
    let readiness = Readiness { roles, worker: status.worker.clone(), reach: reach.clone() };
    let readiness = Arc::new(readiness);
    if !is_asked {
        tracing::info!("probes of health are answered nowhere: server.health_listen says where");
    }
    if !is_asked && status.metrics.is_none() {
        return (probes, readiness);
    }
    if let Some(reach) = &reach {
        // What notify takes needs the log alone.
        let store = (roles.ingest || roles.worker).then(|| Arc::clone(&shared.store));
        background.spawn(Arc::clone(reach).follow(Arc::clone(&shared.log), store, shared.doors.clone()));
    }
    health::begin(&reporter, roles).await;
    background.spawn(health::follow(reporter, Arc::clone(&readiness), shared.doors.clone()));
    (probes, readiness)
}

fn open_grpc(
    shared: &Shared,
    (door, guards): (Door, Guards),
    operator: OperatorParts,
    probes: HealthServer<impl Health>,
    open_doors: &mut JoinSet<Result<(), NodeError>>,
    background: &mut JoinSet<()>,
) -> Arc<Ingest> {
    let instance = shared.backend.instance();
    let waits = ReplyWaits::new(instance.to_owned());
    background.spawn(Arc::clone(&waits).run(shared.backend.replies().subscribe(instance)));
    let ingest = shared.ingest(waits);
    let following = Arc::clone(&ingest);
    background.spawn(async move { following.follow_lag().await });
    let serving = grpc::serve(door, Arc::clone(&ingest), operator, probes, shared.gate(), guards);
    open_doors.spawn(async move { Ok(serving.await?) });
    ingest
}

fn open_notify(shared: &Shared, door: Door, open_doors: &mut JoinSet<Result<(), NodeError>>) -> Arc<Notify> {
    let notify = shared.notify();
    let router = Arc::clone(&notify).router();
    let serving = http::serve(door.with_idle_max(HTTP_IDLE_MAX), router, shared.doors.clone());
    open_doors.spawn(async move {
        serving.await;
        Ok(())
    });
    notify
}

/// Completes only when the worker ends by itself.
async fn end_of_worker(worker: &mut Option<WorkerTask>) -> NodeError {
    let Some(running) = worker else { return std::future::pending().await };
    let ended = (&mut running.task).await;
    *worker = None;
    match ended {
        Ok(Err(EngineError::Fatal(reason))) => NodeError::Backend(reason),
        Ok(ended) => NodeError::Task(format!("the worker ended: {ended:?}")),
        Err(error) => NodeError::Task(error.to_string()),
    }
}

fn end_of_door(ended: Result<Result<(), NodeError>, tokio::task::JoinError>) -> NodeError {
    match ended {
        Ok(Ok(())) => NodeError::Task("a listener ended".to_owned()),
        Ok(Err(error)) => error,
        Err(error) => NodeError::Task(error.to_string()),
    }
}
