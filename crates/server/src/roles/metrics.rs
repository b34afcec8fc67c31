//! Opens the door for scrapes, and gives it what the roles of the process have counted.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::health::Readiness;
use super::{NodeStatus, Roles, Shared};
use crate::door::{Door, http};
use crate::ingest::Ingest;
use crate::metrics::{self, Build, IngestSources, OwnedLags, Sources, WorkerSources};

/// Serves `/metrics` for as long as the node's tasks live: a process that drains is worth looking at, too.
pub(super) fn open(
    shared: &Shared,
    door: Door,
    roles: Roles,
    status: &NodeStatus,
    ingest: Option<Arc<Ingest>>,
    readiness: Arc<Readiness>,
    background: &mut JoinSet<()>,
) {
    let worker = status.worker.clone().map(|status| {
        let lags = Arc::new(OwnedLags::default());
        if !roles.ingest {
            let log = Arc::clone(&shared.log);
            let following = Arc::clone(&lags).follow(log, Arc::clone(&status), shared.doors.clone());
            background.spawn(following);
        }
        WorkerSources { status, lags, signer: Arc::clone(&shared.signer) }
    });
    let ingest = ingest.zip(status.access.clone()).map(|(ingest, access)| IngestSources {
        counted: Arc::clone(ingest.counted()),
        access,
        store: Arc::clone(shared.view.counted()),
    });
    let backend = if shared.backend.is_cluster() { "cluster" } else { "embedded" };
    let stop = shared.doors.clone();
    let sources = Sources {
        build: Build { roles: roles.to_string(), backend },
        clock: Arc::clone(&shared.clock),
        is_ready: Box::new(move || !stop.is_cancelled() && readiness.is_there()),
        ingest,
        notify: status.notifications.clone(),
        worker,
    };
    background.spawn(http::serve(door, metrics::router(sources), CancellationToken::new()));
}
