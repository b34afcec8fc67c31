//! Health for probes: `liveness` as long as the process turns, `readiness` while it can do its work.

use std::sync::Arc;
use std::time::Duration;

use paymux_engine::WorkerStatus;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::Roles;
use super::reach::Reach;

/// How often readiness is looked at.
const PERIOD: Duration = Duration::from_millis(250);

/// Served at once and until the end.
const LIVENESS: &str = "liveness";

/// What follows the worker and, on a cluster, log and store; the empty name is the process as a whole.
const READINESS: [&str; 2] = ["", "readiness"];

/// As readiness, of a process that serves it.
const SERVICE: &str = "paymux.v1.OrderService";

/// What readiness hangs on.
pub(super) struct Readiness {
    pub(super) roles: Roles,
    pub(super) worker: Option<Arc<WorkerStatus>>,
    /// On a cluster.
    pub(super) reach: Option<Arc<Reach>>,
}

impl Readiness {
    /// Whether the process can do its work.
    pub(super) fn is_there(&self) -> bool {
        let reaches = self.reach.as_ref().is_none_or(|reach| reach.is_there());
        let works = self.worker.as_ref().is_none_or(|worker| match self.reach {
            // One worker of many may have no partition, and is none the worse for it.
            Some(_) => worker.is_well(),
            None => worker.ready(),
        });
        reaches && works
    }
}

/// What follows readiness in a process with these roles.
fn ready_names(roles: Roles) -> impl Iterator<Item = &'static str> {
    READINESS.into_iter().chain(Some(SERVICE).filter(|_| roles.ingest))
}

/// Gives every name its first status, so that whoever asks once the doors are open hears one.
pub(super) async fn begin(reporter: &HealthReporter, roles: Roles) {
    reporter.set_service_status(LIVENESS, ServingStatus::Serving).await;
    for name in ready_names(roles) {
        reporter.set_service_status(name, ServingStatus::NotServing).await;
    }
}

/// Keeps the statuses up to date until the stop, which makes them NOT_SERVING.
pub(super) async fn follow(reporter: HealthReporter, readiness: Arc<Readiness>, stop: CancellationToken) {
    let mut told = false;
    loop {
        let ready = !stop.is_cancelled() && readiness.is_there();
        if told != ready {
            let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
            for name in ready_names(readiness.roles) {
                reporter.set_service_status(name, status).await;
            }
            told = ready;
        }
        if stop.is_cancelled() {
            return;
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}
