//! A client that does what the service config of the Kubernetes manifests says: round robin over the addresses of all
//! ingests, and further attempts for UNAVAILABLE. As the libraries of gRPC do, it looks for new addresses when it loses a
//! connection, and sends a call again that never left since its connection was just being closed.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::order_service_client::OrderServiceClient;
use serde_json::Value;
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Status};

use super::load::{Accepts, LENIENCE};

/// The service config that is shipped.
const SERVICE_CONFIG: &str = include_str!("../../../../../k8s/components/doors/grpc-service-config.json");

/// The addresses that a name stands for, as DNS tells them of a headless Service.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(Arc<Mutex<Vec<SocketAddr>>>);

impl Names {
    pub(crate) fn set(&self, addresses: &[SocketAddr]) {
        *self.0.lock() = addresses.to_vec();
    }
}

/// The policy of further attempts.
#[derive(Clone, Copy, Debug)]
struct Retries {
    attempts_max: u64,
    first: Duration,
    longest: Duration,
    factor: f64,
}

impl Retries {
    /// As the service config has them.
    fn shipped() -> Self {
        let config: Value = serde_json::from_str(SERVICE_CONFIG).expect("the service config is JSON");
        assert_eq!(config["loadBalancingConfig"][0]["round_robin"], serde_json::json!({}));
        let policy = &config["methodConfig"][0]["retryPolicy"];
        assert_eq!(policy["retryableStatusCodes"], serde_json::json!(["UNAVAILABLE"]));
        let span = |name: &str| {
            let text = policy[name].as_str().and_then(|text| text.strip_suffix('s')).expect("seconds");
            Duration::from_secs_f64(text.parse().expect("a number"))
        };
        Self {
            attempts_max: policy["maxAttempts"].as_u64().expect("a number"),
            first: span("initialBackoff"),
            longest: span("maxBackoff"),
            factor: policy["backoffMultiplier"].as_f64().expect("a number"),
        }
    }
}

#[derive(Debug)]
struct Shared {
    names: Names,
    retries: Retries,
    channels: Mutex<BTreeMap<SocketAddr, Channel>>,
    /// A connection was lost since the names were looked up.
    is_lost: Arc<AtomicBool>,
    turn: AtomicUsize,
    answered: Mutex<BTreeMap<SocketAddr, u64>>,
    repeated: AtomicU64,
}

/// The client; copies are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Balanced(Arc<Shared>);

impl Balanced {
    /// Of the ingests that a name stands for.
    pub(crate) fn of(names: &Names) -> Self {
        Self(Arc::new(Shared {
            names: names.clone(),
            retries: Retries::shipped(),
            channels: Mutex::default(),
            is_lost: Arc::new(AtomicBool::new(true)),
            turn: AtomicUsize::new(0),
            answered: Mutex::default(),
            repeated: AtomicU64::new(0),
        }))
    }

    /// Calls that each address answered with success so far.
    pub(crate) fn answered(&self) -> BTreeMap<SocketAddr, u64> {
        self.0.answered.lock().clone()
    }

    /// Attempts beyond the first of a call.
    pub(crate) fn repeated(&self) -> u64 {
        self.0.repeated.load(Ordering::Relaxed)
    }

    fn next(&self) -> (SocketAddr, Channel) {
        let mut channels = self.0.channels.lock();
        if self.0.is_lost.swap(false, Ordering::AcqRel) {
            let named = self.0.names.0.lock().clone();
            channels.retain(|address, _| named.contains(address));
            for address in named {
                channels.entry(address).or_insert_with(|| channel(address, Arc::clone(&self.0.is_lost)));
            }
        }
        let turn = self.0.turn.fetch_add(1, Ordering::Relaxed) % channels.len();
        let (address, channel) = channels.iter().nth(turn).expect("the name stands for somebody");
        (*address, channel.clone())
    }
}

/// What the libraries say of a call that came behind the last one of which the server says, in its goodbye, that it takes it.
const BEHIND_GOODBYE: &str = "GoAway(b\"\", NO_ERROR, Remote)";

/// Whether the server has not seen the call: the connection was closed before it was sent, or it came behind the goodbye.
fn never_left(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return error.is_canceled() || format!("{error:?}").contains(BEHIND_GOODBYE);
        }
        cause = error.source();
    }
    false
}

/// A channel that connects when it is used and tells when it has to do so again.
fn channel(address: SocketAddr, is_lost: Arc<AtomicBool>) -> Channel {
    let had_one = Arc::new(AtomicBool::new(false));
    let connect = tower::service_fn(move |_: Uri| {
        if had_one.swap(true, Ordering::AcqRel) {
            is_lost.store(true, Ordering::Release);
        }
        async move { TcpStream::connect(address).await.map(TokioIo::new) }
    });
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    endpoint.connect_with_connector_lazy(connect)
}

impl Accepts for Balanced {
    async fn accept(&self, request: v1::CreateOrderRequest) -> Result<(), Status> {
        let Retries { attempts_max, first, longest, factor } = self.0.retries;
        let mut pause = first;
        let mut attempt = 1;
        loop {
            let (address, channel) = self.next();
            let sent = Client::request(request.clone(), Some(LENIENCE));
            match OrderServiceClient::new(channel).create_order(sent).await {
                Ok(_) => {
                    *self.0.answered.lock().entry(address).or_default() += 1;
                    return Ok(());
                }
                Err(status) if never_left(&status) => {}
                Err(status) if status.code() == Code::Unavailable && attempt < attempts_max => {
                    self.0.repeated.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(pause).await; // tidy: looks again
                    pause = pause.mul_f64(factor).min(longest);
                    attempt += 1;
                }
                Err(status) => return Err(status),
            }
        }
    }
}
