//! Shared parts of the benches: servers in this process or in one of their own, on the embedded backend or on a cluster,
//! their callers, their provider, and the bare clients that they are measured against.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use paymux_server::config::Config;
use paymux_server::roles::{Listeners, Node, Roles, Surroundings};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

mod appends;
mod bare;
mod callers;
mod cluster;
mod cpu;
mod driver;
mod figures;
mod http;
pub mod micro;
mod part;
mod platform;
mod provider;
mod pushes;
mod raw;
mod requests;
mod site;

pub use appends::Appends;
pub use bare::{Bare, Copied};
pub use callers::{Callers, IN_FLIGHT, ON_THEIR_WAY};
pub use cluster::{Cluster, Place, Topic, Worker};
pub use cpu::cpu_time;
pub use driver::{Driver, Work};
pub use figures::{Times, of_each};
pub use part::{Part, played};
pub use paymux_micro::{Goal, Line, Spread, is_for_report};
pub use platform::{Due, Platform};
pub use provider::{Course, SLOW};
pub use pushes::pushed_at;
pub use requests::{Signatures, requested};
pub use site::{At, Disk, Site};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Nobody reads the log while it is written here, so its lag is all that a run accepts.
const LAG_RECORDS_MAX: u32 = 100_000_000;

/// Calls of creates per second: so few that hardly an order of a bench gets as far as to its provider.
const CREATES_PER_S: u32 = 1;

/// A running ingest: it accepts commands durably, and nobody works on them.
#[derive(Debug)]
pub struct Server {
    address: String,
    running: Running,
    folder: Option<tempfile::TempDir>,
}

impl Server {
    /// Starts a server on free loopback ports over a new data folder.
    ///
    /// # Errors
    /// Whatever keeps a server from starting.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let backend = format!("folder = \"{}\"\n", folder.path().join("data").display());
        let config = load(folder.path(), &backend)?;
        Ok(Self { folder: Some(folder), ..Self::of(config).await? })
    }

    /// The record of an order that a server of its own accepts, as it lies in the log.
    ///
    /// # Errors
    /// Whatever keeps a server from starting.
    pub async fn accepted_record() -> Result<Vec<u8>> {
        let mut server = Self::start().await?;
        Callers::connect(&server).await?.streamed(1, 1).await?;
        let folder = server.folder.take().context("it was just made")?;
        server.stop().await?;
        appends::first_record(&folder.path().join("data")).await
    }

    async fn of(config: Config) -> Result<Self> {
        let listeners = Listeners::bind(config.server.grpc_listen, config.server.notify_listen).await?;
        let address = format!("http://{}", listeners.addresses()?.0);
        let roles = Roles { ingest: true, worker: false, notify: false };
        let node = Node::start(config, roles, listeners, Surroundings::default()).await?;
        Ok(Self { address, running: Running::of(node), folder: None })
    }

    /// Stops the server and waits for its end.
    ///
    /// # Errors
    /// It ended badly.
    pub async fn stop(self) -> Result<()> {
        self.running.stop().await
    }
}

/// A node that works until it is stopped.
#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Running {
    fn of(node: Node) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(async move {
            let stop = async move {
                // Dropping the sender stops the node as well.
                let _dropped = stopped.await;
            };
            if let Err(error) = node.run(stop).await {
                panic!("the server ended: {error}");
            }
        });
        Self { stop, ended }
    }

    async fn stop(self) -> Result<()> {
        drop(self.stop);
        Ok(self.ended.await?)
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a provider signs in real time")]
fn unix_s() -> Result<i64> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_secs())?)
}

/// How long some work takes.
async fn timed(work: impl Future<Output = Result<()>>) -> Result<Duration> {
    let began = now();
    work.await?;
    Ok(began.elapsed())
}

/// The configuration of a server with this backend.
fn load(folder: &Path, backend: &str) -> Result<Config> {
    let file = folder.join("paymux.toml");
    std::fs::write(&file, config(folder, backend))?;
    Config::load(Some(&file), [], &[]).map_err(|faults| anyhow!("{faults}"))
}

fn config(folder: &Path, backend: &str) -> String {
    let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
    format!(
        "[server]\ngrpc_listen = \"127.0.0.1:0\"\nnotify_listen = \"127.0.0.1:0\"\n\
         notify_base_url = \"http://127.0.0.1:1\"\n\
         [backend]\n{backend}\
         [ingest]\nlag_records_max = {LAG_RECORDS_MAX}\n\
         [accounts.bench]\nprovider = \"wechatpay\"\nbase_url = \"http://127.0.0.1:1\"\nkind = \"direct\"\n\
         mchid = \"1900000109\"\napp_ids = [\"wx8888888888888888\"]\nserial_no = \"5F1C72E2\"\n\
         private_key_file = \"{keys}/test_key.pem\"\napiv3_key_file = \"{}\"\n\
         platform_keys = [{{ id = \"PUB_KEY_ID_1\", public_key_file = \"{keys}/test_key_pub.pem\" }}]\n\
         [accounts.bench.budgets]\ncreate_per_s = {CREATES_PER_S}\n\
         [merchants.bench]\nname = \"Bench\"\naccept_per_s_max = 1000000\n\
         [[merchants.bench.routes]]\naccount = \"bench\"\nmethods = [\"jsapi\"]\n",
        apiv3_key(folder).display(),
    )
}

fn apiv3_key(folder: &Path) -> std::path::PathBuf {
    let file = folder.join("apiv3_key");
    std::fs::write(&file, provider::APIV3_KEY).expect("the bench's own folder can be written");
    file
}
