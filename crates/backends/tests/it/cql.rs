//! The suite over a store in a real CQL database: the nodes that `PAYMUX_TEST_CQL` names, each world a keyspace of its
//! own that is dropped afterwards.

mod answers;
mod audit;
mod proxy;
mod schema;
mod size;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use paymux_backends::cql::{CqlConfig, CqlStore, Step, migrate};
use paymux_domain::ports::BoxFuture;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;

use crate::suite::{self, StoreWorld, TokioClock};

/// One word for all keyspaces of this run: another run may use the same nodes at the same time.
static RUN: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
static COUNT: AtomicU32 = AtomicU32::new(0);

/// The addresses of the nodes; says that the test is skipped where there are none.
#[expect(clippy::print_stdout, reason = "`cargo xtask test` counts these lines")]
pub(crate) fn nodes() -> Option<Vec<String>> {
    let named = std::env::vars_os().find(|(name, _)| name == "PAYMUX_TEST_CQL");
    let nodes = named.and_then(|(_, value)| value.into_string().ok()).unwrap_or_default();
    let nodes: Vec<String> =
        nodes.split(',').map(str::trim).filter(|node| !node.is_empty()).map(str::to_owned).collect();
    if nodes.is_empty() {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        println!("SKIPPED: {test}: PAYMUX_TEST_CQL names no node");
        return None;
    }
    Some(nodes)
}

/// A keyspace of one test.
pub(crate) struct Keyspace {
    pub(crate) config: CqlConfig,
}

impl Keyspace {
    /// Chooses a name; nothing is there yet.
    pub(crate) async fn name() -> Option<Self> {
        let nodes = nodes()?;
        let datacenter = datacenter(&nodes).await;
        let name = format!("paymux_test_{:016x}_{}", *RUN, COUNT.fetch_add(1, Ordering::Relaxed));
        let config = CqlConfig::new(nodes, name, &datacenter);
        // One copy: the tests also run against one node.
        Some(Self { config: CqlConfig { replication: BTreeMap::from([(datacenter, 1)]), ..config } })
    }

    /// Makes it with its tables.
    pub(crate) async fn migrated() -> Option<Self> {
        let keyspace = Self::name().await?;
        migrate(&keyspace.config, Step::Expand).await.expect("the keyspace is made");
        Some(keyspace)
    }

    pub(crate) async fn open(&self) -> CqlStore {
        CqlStore::open(&self.config, TokioClock::new()).await.expect("the keyspace opens")
    }

    /// A session beside the store's, to look behind it.
    pub(crate) async fn session(&self) -> Session {
        let session = connect(&self.config.contact_points).await;
        session.use_keyspace(&self.config.keyspace, false).await.expect("the keyspace is there");
        session
    }
}

impl Drop for Keyspace {
    fn drop(&mut self) {
        let (nodes, name) = (self.config.contact_points.clone(), self.config.keyspace.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime for the end of a test").block_on(async {
                let gone = format!("DROP KEYSPACE IF EXISTS {name}");
                connect(&nodes).await.query_unpaged(gone, ()).await.expect("the keyspace goes");
            });
        });
        // A test that failed has said why.
        drop(dropping.join());
    }
}

async fn connect(nodes: &[String]) -> Session {
    let builder = SessionBuilder::new().known_nodes(nodes).fetch_full_schema_metadata(false);
    builder.build().await.expect("PAYMUX_TEST_CQL names nodes that answer")
}

async fn datacenter(nodes: &[String]) -> String {
    let local = connect(nodes).await.query_unpaged("SELECT data_center FROM system.local", ()).await;
    let rows = local.expect("a node tells of itself").into_rows_result().expect("a row");
    rows.single_row::<(String,)>().expect("a name").0
}

/// The addresses of the nodes as they tell them.
pub(crate) async fn addresses(nodes: &[String]) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for node in nodes {
        addresses.extend(tokio::net::lookup_host(node).await.expect("a node's address").next());
    }
    addresses
}

pub(crate) async fn world() -> Option<StoreWorld> {
    let keyspace = Arc::new(Keyspace::migrated().await?);
    Some(opened(keyspace).await)
}

fn opened(keyspace: Arc<Keyspace>) -> BoxFuture<'static, StoreWorld> {
    Box::pin(async move {
        let store = Arc::new(keyspace.open().await);
        StoreWorld { store, restart: Box::new(|| opened(keyspace)) }
    })
}

#[tokio::test]
async fn a_board_in_a_keyspace() {
    let Some(keyspace) = Keyspace::migrated().await else { return };
    suite::shard_board::the_newest_ownership_is_told(&keyspace.open().await).await;
}

order_store_suite!(
    cql_store,
    match super::world().await {
        Some(world) => world,
        None => return,
    }
);
