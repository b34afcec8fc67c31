//! Shared parts of the benches: a server of one process on the embedded backend, and its callers.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use bytes::Bytes;
use paymux_proto::v1;
use paymux_server::config::Config;
use paymux_server::roles::{Listeners, Node, Roles, Surroundings};
use prost::Message as _;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Request;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};

mod raw;

use raw::Raw;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CREATE: &str = "/paymux.v1.OrderService/CreateOrder";
const CHECK: &str = "/grpc.health.v1.Health/Check";

/// Calls in flight on the one connection.
pub const IN_FLIGHT: u64 = 64;

/// Nobody reads the log here, so its lag is all that a run accepts.
const LAG_RECORDS_MAX: u32 = 100_000_000;

/// A running ingest: it accepts commands durably, and nobody works on them.
#[derive(Debug)]
pub struct Server {
    address: String,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts a server on free loopback ports over a new data folder.
    ///
    /// # Errors
    /// Whatever keeps a server from starting.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("paymux.toml");
        std::fs::write(&file, config(folder.path()))?;
        let config = Config::load(Some(&file), [], &[]).map_err(|faults| anyhow::anyhow!("{faults}"))?;
        let listeners = Listeners::bind(config.server.grpc_listen, config.server.notify_listen).await?;
        let address = format!("http://{}", listeners.addresses()?.0);
        let roles = Roles { ingest: true, worker: false, notify: false };
        let node = Node::start(config, roles, listeners, Surroundings::default()).await?;
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
        Ok(Self { address, stop, ended, _folder: folder })
    }

    /// Stops the server and waits for its end.
    ///
    /// # Errors
    /// It ended badly.
    pub async fn stop(self) -> Result<()> {
        drop(self.stop);
        self.ended.await?;
        Ok(())
    }
}

/// Callers of a [`Server`], all over one connection.
///
/// They want a runtime of their own, as a caller is another process than the server: on the server's own threads the
/// two would take turns, and a figure would tell of that. They send bytes that were prepared before the clock starts and
/// read no answer beyond its length, as load generators do: what is measured is the server.
#[derive(Debug)]
pub struct Callers {
    grpc: Grpc<Channel>,
    number: AtomicU64,
}

impl Callers {
    /// Connects to a server.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn connect(server: &Server) -> Result<Arc<Self>> {
        let channel = Endpoint::from_shared(server.address.clone())?.tcp_nodelay(true).connect().await?;
        Ok(Arc::new(Self { grpc: Grpc::new(channel), number: AtomicU64::new(0) }))
    }

    /// The bytes of so many calls: creates of new orders, or health checks, which do nothing but travel.
    fn prepared(&self, count: u64, durable: bool) -> Vec<Bytes> {
        let number = || self.number.fetch_add(1, Ordering::Relaxed);
        let message = || if durable { create(number()).encode_to_vec().into() } else { Bytes::new() };
        (0..count).map(|_| message()).collect()
    }

    async fn call(&self, message: Bytes, durable: bool) -> Result<()> {
        let path = if durable { CREATE } else { CHECK };
        let mut grpc = self.grpc.clone();
        grpc.ready().await?;
        grpc.unary(Request::new(message), PathAndQuery::from_static(path), Raw)
            .await
            .context("a call was refused")?;
        Ok(())
    }

    /// Runs `count` calls, [`IN_FLIGHT`] at a time, and returns how long that took.
    ///
    /// # Errors
    /// The first call that failed.
    pub async fn timed(self: &Arc<Self>, count: u64, durable: bool) -> Result<Duration> {
        let messages = Arc::new(Mutex::new(self.prepared(count, durable)));
        let began = now();
        let callers: Vec<JoinHandle<Result<()>>> = (0..IN_FLIGHT.min(count))
            .map(|_| {
                let (callers, messages) = (Arc::clone(self), Arc::clone(&messages));
                tokio::spawn(async move {
                    loop {
                        let message = messages.lock().map_err(|_| anyhow!("a caller panicked"))?.pop();
                        let Some(message) = message else { return Ok(()) };
                        callers.call(message, durable).await?;
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await??;
        }
        Ok(began.elapsed())
    }
}

fn create(number: u64) -> v1::CreateOrderRequest {
    v1::CreateOrderRequest {
        merchant_id: "bench".to_owned(),
        merchant_order_no: format!("B{number:012}"),
        request_id: format!("r{number}"),
        method: "jsapi".to_owned(),
        amount: Some(v1::Amount { currency: "CNY".to_owned(), minor: 1234 }),
        description: "bench".to_owned(),
        payer: Some(v1::Payer {
            open_id: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned(),
            app_id: "wx8888888888888888".to_owned(),
            client_ip: "127.0.0.1".to_owned(),
        }),
        ..v1::CreateOrderRequest::default()
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn config(folder: &Path) -> String {
    let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
    let data = folder.join("data");
    format!(
        "[server]\ngrpc_listen = \"127.0.0.1:0\"\nnotify_listen = \"127.0.0.1:0\"\n\
         notify_base_url = \"http://127.0.0.1:1\"\n\
         [backend]\nfolder = \"{}\"\n\
         [ingest]\nlag_records_max = {LAG_RECORDS_MAX}\n\
         [accounts.bench]\nprovider = \"wechatpay\"\nbase_url = \"http://127.0.0.1:1\"\nkind = \"direct\"\n\
         mchid = \"1900000109\"\napp_ids = [\"wx8888888888888888\"]\nserial_no = \"5F1C72E2\"\n\
         private_key_file = \"{keys}/test_key.pem\"\napiv3_key_file = \"{}\"\n\
         platform_keys = [{{ id = \"PUB_KEY_ID_1\", public_key_file = \"{keys}/test_key_pub.pem\" }}]\n\
         [merchants.bench]\nname = \"Bench\"\naccept_per_s_max = 1000000\n\
         [[merchants.bench.routes]]\naccount = \"bench\"\nmethods = [\"jsapi\"]\n",
        data.display(),
        apiv3_key(folder).display(),
    )
}

fn apiv3_key(folder: &Path) -> std::path::PathBuf {
    let file = folder.join("apiv3_key");
    std::fs::write(&file, "0123456789abcdef0123456789abcdef").expect("the bench's own folder can be written");
    file
}
