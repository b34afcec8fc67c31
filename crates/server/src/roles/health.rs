//! Health for probes: `liveness` as long as the process turns, `readiness` while it can do its work.

use std::sync::Arc;
use std::time::Duration;

use paymux_engine::WorkerStatus;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::reach::Reach;

/// How often readiness is looked at.
const PERIOD: Duration = Duration::from_millis(250);

/// Served at once and until the end.
const LIVENESS: &str = "liveness";

/// What follows the worker and, on a cluster, log and store; the empty name is the server as a whole.
const READINESS: [&str; 3] = ["", "readiness", "paymux.v1.OrderService"];

/// Keeps the statuses up to date until the stop, which makes them NOT_SERVING.
pub(super) async fn follow(
    reporter: HealthReporter,
    worker: Option<Arc<WorkerStatus>>,
    reach: Option<Arc<Reach>>,
    stop: CancellationToken,
) {
    reporter.set_service_status(LIVENESS, ServingStatus::Serving).await;
    let mut told = None;
    loop {
        let works = worker.as_ref().is_none_or(|worker| worker.ready());
        let reaches = reach.as_ref().is_none_or(|reach| reach.is_there());
        let ready = !stop.is_cancelled() && works && reaches;
        if told != Some(ready) {
            let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
            for service in READINESS {
                reporter.set_service_status(service, status).await;
            }
            told = Some(ready);
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
