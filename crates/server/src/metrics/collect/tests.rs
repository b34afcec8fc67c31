//! Pages of processes that have just been put together: what is on them, and what never is.

use std::collections::BTreeSet;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use paymux_backends::ReplyRouter;
use paymux_backends::embedded::{EmbeddedBackend, EmbeddedConfig};
use paymux_backends::memory::MemoryLogConfig;
use paymux_domain::capabilities::Capabilities;
use paymux_domain::command::Created;
use paymux_domain::outcome::CallReport;
use paymux_domain::ports::{BoxFuture, Call, ProviderGateway};
use paymux_providers::signing::{PoolOptions, SigningKeys};
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use super::*;
use crate::access::Callers;
use crate::config::IngestConfig;
use crate::fixture::Stage;
use crate::ingest::{Ingest, IngestParts, ReplyWaits};
use crate::metrics::{catalog, router};
use crate::notify::NotifyParts;
use crate::store_view::StoreView;

/// A door calls nobody.
struct Nobody;

impl ProviderGateway for Nobody {
    fn capabilities(&self, _: &Created) -> Option<Capabilities> {
        None
    }

    fn call(&self, _: Call) -> BoxFuture<'_, CallReport> {
        unreachable!("a door calls nobody")
    }
}

/// A process with all roles, over two partitions.
fn everything(merchants_counted_max: usize) -> (Sources, TempDir) {
    let stage = Stage::new(MemoryLogConfig { partitions: 2, ..MemoryLogConfig::default() }, 1);
    let folder = TempDir::new().unwrap();
    let backend = EmbeddedBackend::open(EmbeddedConfig::new(folder.path()), ReplyRouter::default()).unwrap();
    let view = StoreView::new(backend.store());
    let ingest = Ingest::new(IngestParts {
        registry: stage.registry.clone(),
        gateway: Arc::new(Nobody),
        log: Arc::new(stage.cluster.log()),
        store: view.clone(),
        clock: stage.clock.clone(),
        waits: ReplyWaits::new("here".to_owned()),
        config: IngestConfig {
            appends_in_flight_max: 1,
            lag_records_max: 100,
            retry_after: Duration::from_millis(100),
        },
        notify_base_url: String::new(),
        merchants_counted_max,
        stop: CancellationToken::new(),
    });
    let notify = Notify::new(NotifyParts {
        registry: stage.registry,
        log: Arc::new(stage.cluster.log()),
        clock: stage.clock.clone(),
        in_flight_max: 1,
    });
    let options = PoolOptions { threads: 1, queue: 7 };
    let worker = WorkerSources {
        status: Arc::default(),
        lags: Arc::default(),
        signer: Arc::new(SigningPool::start(options, SigningKeys::default()).unwrap()),
    };
    let sources = Sources {
        build: Build { roles: "ingest,worker,notify".to_owned(), backend: "embedded" },
        clock: stage.clock.clone(),
        is_ready: Box::new(|| false),
        ingest: Some(IngestSources {
            counted: Arc::clone(ingest.counted()),
            access: Access::new(Callers::default(), stage.clock.clone()),
            store: Arc::clone(view.counted()),
        }),
        notify: Some(notify),
        worker: Some(worker),
    };
    (sources, folder)
}

fn families(page: &str) -> Vec<&str> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    lines.filter_map(|line| line.split(' ').next()).collect()
}

#[tokio::test]
async fn a_process_with_all_roles_tells_every_family_of_the_catalog_once() {
    let (sources, _folder) = everything(1);
    let page = sources.page();
    let told = families(&page);
    let mut wanted: BTreeSet<&str> =
        catalog::ALL.iter().flat_map(|(_, families)| families.iter().map(|family| family.name)).collect();
    if !cfg!(target_os = "linux") {
        wanted.retain(|name| !name.starts_with("process_"));
    }
    assert_eq!(told.iter().copied().collect::<BTreeSet<_>>(), wanted);
    assert_eq!(told.len(), wanted.len(), "one of them twice: {told:?}");
    for line in [
        "paymux_ready 0",
        "paymux_signing_queue_jobs_max 7",
        "paymux_commands_accepted_total{command=\"create\"} 0",
        "paymux_calls_refused_total{reason=\"overloaded\"} 0",
        "paymux_notifications_total{verdict=\"bad_signature\"} 0",
        "paymux_log_lag_records{partition=\"1\"} 0",
        "paymux_orders_parked_total{reason=\"unknown_order\"} 0",
        "paymux_store_request_duration_seconds_count{role=\"ingest\",request=\"read_order\"} 0",
    ] {
        assert!(page.lines().any(|known| known == line), "{line} in\n{page}");
    }
}

#[tokio::test]
async fn without_the_switch_no_merchant_is_named_and_a_role_that_is_not_there_tells_nothing() {
    let (sources, _folder) = everything(0);
    let with_all = sources.page();
    assert!(!families(&with_all).iter().any(|name| name.contains("merchant")), "{with_all}");
    let bare = Sources { ingest: None, notify: None, worker: None, ..sources };
    let page = bare.page();
    for part in ["commands", "notifications", "orders", "provider", "signing", "partition", "sweeper", "lag"]
    {
        assert!(
            !page.lines().any(|line| !line.starts_with('#') && line.contains(&format!("_{part}"))),
            "{part}"
        );
    }
    assert!(page.contains("paymux_build_info{"), "{page}");
}

#[tokio::test]
async fn metrics_are_served_under_their_path_alone() {
    let (sources, _folder) = everything(0);
    let mut router = router(sources);
    let mut ask = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router.call(request).await.unwrap();
        let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        (answer.status().as_u16(), kind, to_bytes(answer.into_body(), 1 << 20).await.unwrap())
    };
    let (status, kind, body) = ask("/metrics").await;
    assert_eq!((status, kind.as_deref()), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    assert!(body.starts_with(b"# HELP paymux_build_info "));
    for elsewhere in ["/", "/metrics/x", "/debug"] {
        assert_eq!(ask(elsewhere).await.0, 404, "{elsewhere}");
    }
}
