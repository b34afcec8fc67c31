//! Shared parts of the benches: a server of one process on the embedded backend, and its callers.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_server::config::Config;
use paymux_server::roles::{Listeners, Node, Roles, Surroundings};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
        let address = format!("http://{}", listeners.grpc.local_addr()?);
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
/// two would take turns, and a figure would tell of that.
#[derive(Debug)]
pub struct Callers {
    client: Client,
    health: HealthClient<tonic::transport::Channel>,
    number: AtomicU64,
}

impl Callers {
    /// Connects to a server.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn connect(server: &Server) -> Result<Arc<Self>> {
        let client = Client::connect(&server.address).await?;
        let channel = tonic::transport::Endpoint::from_shared(server.address.clone())?.tcp_nodelay(true);
        let health = HealthClient::new(channel.connect().await?);
        Ok(Arc::new(Self { client, health, number: AtomicU64::new(0) }))
    }

    /// One durable accept of a new order.
    ///
    /// # Errors
    /// The server refused it.
    pub async fn accept(&self) -> Result<()> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let request = v1::CreateOrderRequest {
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
        };
        self.client.orders().create_order(request).await.context("a create was refused")?;
        Ok(())
    }

    /// One call that does nothing but travel: a health check on the same server.
    ///
    /// # Errors
    /// The server did not answer.
    pub async fn null(&self) -> Result<()> {
        self.health.clone().check(HealthCheckRequest::default()).await?;
        Ok(())
    }

    /// Runs `count` calls, [`IN_FLIGHT`] at a time, and returns how long that took.
    ///
    /// # Errors
    /// The first call that failed.
    pub async fn timed(self: &Arc<Self>, count: u64, durable: bool) -> Result<Duration> {
        let began = now();
        let left = Arc::new(AtomicU64::new(count));
        let callers: Vec<JoinHandle<Result<()>>> = (0..IN_FLIGHT.min(count))
            .map(|_| {
                let (callers, left) = (Arc::clone(self), Arc::clone(&left));
                tokio::spawn(async move {
                    while left
                        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                        .is_ok()
                    {
                        if durable { callers.accept().await? } else { callers.null().await? }
                    }
                    Ok(())
                })
            })
            .collect();
        for caller in callers {
            caller.await??;
        }
        Ok(began.elapsed())
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
