//! gRPC: the services over ingest, with limits on everything a caller can send or hold open.

mod age;
mod ending;
mod filter;
mod guard;
mod operator;
mod orders;
mod status;
#[cfg(test)]
mod tests;
mod visible;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use paymux_proto::v1::operator_service_server::OperatorServiceServer;
use paymux_proto::v1::order_service_server::OrderServiceServer;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic_health::pb::health_server::{Health, HealthServer};

use crate::access::audit::AuditLog;
use crate::access::{Access, AccessLayer};
use crate::door::Door;
use crate::ingest::{Ingest, Refusal};
pub(crate) use age::age_of_process;
use ending::Ending;
use guard::Guarded;
pub use operator::OperatorParts;
pub(crate) use status::reason_of;

/// Bytes of one request, or of one request in a stream; a longer one is refused by OUT_OF_RANGE.
pub const REQUEST_BYTES_MAX: usize = 256 * 1024;

/// Bytes of all headers of a call.
const HEADER_BYTES_MAX: u32 = 16 * 1024;

/// Calls under way on one connection.
const STREAMS_PER_CONNECTION_MAX: u32 = 2048;

/// Probes and watches of health under way on one connection to their own door.
const PROBES_PER_CONNECTION_MAX: u32 = 16;

/// Watches open at once; they last, so they have a bound of their own and take no call's place. Each holds a bounded
/// number of unread messages.
const WATCHES_MAX: usize = 10_000;

/// How often an idle connection is probed, and how long the answer may take.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Bounds the calls under way, and refuses new ones once the server stops.
#[derive(Clone, Debug)]
pub struct Gate {
    slots: Arc<Semaphore>,
    watches: Arc<Semaphore>,
    retry_after: Duration,
    stop: CancellationToken,
    connection_age: Option<Duration>,
}

impl Gate {
    /// A gate for so many calls at once.
    #[must_use]
    pub fn new(calls_max: usize, retry_after: Duration, stop: CancellationToken) -> Self {
        let slots = Arc::new(Semaphore::new(calls_max));
        Self {
            slots,
            watches: Arc::new(Semaphore::new(WATCHES_MAX)),
            retry_after,
            stop,
            connection_age: None,
        }
    }

    /// Asks the clients of connections of this age to make other ones; `None`: connections last.
    #[must_use]
    pub fn with_connection_age(self, connection_age: Option<Duration>) -> Self {
        Self { connection_age, ..self }
    }

    /// Lets a call in; it holds the permit until it has answered.
    pub(crate) fn enter(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        self.enter_by(&self.slots)
    }

    /// Lets a watch in; it holds the permit until it ends.
    pub(crate) fn enter_watch(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        self.enter_by(&self.watches)
    }

    fn enter_by(&self, slots: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Refusal> {
        if self.stop.is_cancelled() {
            return Err(Refusal::ShuttingDown);
        }
        let overloaded = |_| Refusal::Overloaded(self.retry_after);
        Arc::clone(slots).try_acquire_owned().map_err(overloaded)
    }
}

/// Why gRPC cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The descriptors of the API cannot be read.
    #[error("reflection cannot be set up: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The listener failed.
    #[error("gRPC ended: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// Who may call, and where operators' acts are recorded.
#[derive(Clone, Debug)]
pub struct Guards {
    /// The callers.
    pub access: Arc<Access>,
    /// The audit log; `None`: none is kept.
    pub audit: Option<AuditLog>,
}

/// Serves health alone, to anybody and in the clear, for as long as it is not dropped: a process that drains its work
/// still lives.
pub(crate) async fn serve_health(door: Door, health: HealthServer<impl Health>) {
    let served = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .max_concurrent_streams(PROBES_PER_CONNECTION_MAX)
        .add_service(health)
        .serve_with_incoming(door.incoming())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "probes of health are answered no more");
    }
}

/// Serves until the stop, then until the calls under way have ended.
///
/// Health answers anybody; reflection, like every unknown path, asks for a known caller.
///
/// # Errors
/// See [`ServeError`].
pub(crate) async fn serve(
    door: Door,
    ingest: Arc<Ingest>,
    operator: OperatorParts,
    health: HealthServer<impl Health>,
    gate: Gate,
    guards: Guards,
) -> Result<(), ServeError> {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(paymux_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let (stop, connection_age) = (gate.stop.clone(), gate.connection_age);
    let Guards { access, audit } = guards;
    let refused = Arc::clone(access.refused());
    let orders = orders::Orders::new(Arc::clone(&ingest), gate.clone(), Arc::clone(&refused));
    let orders = Guarded::new(orders, audit.clone(), Arc::clone(&refused));
    let orders = OrderServiceServer::new(orders).max_decoding_message_size(REQUEST_BYTES_MAX);
    let operator = Guarded::new(operator::Operator::new(operator, ingest, gate), audit, refused);
    let operator = OperatorServiceServer::new(operator).max_decoding_message_size(REQUEST_BYTES_MAX);
    let mut server = Server::builder();
    if let Some(age) = connection_age {
        // Without tonic's grace: with one it tells the client nothing and cuts what is under way.
        server = server.max_connection_age(age);
    }
    server
        .layer(AccessLayer(access))
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .add_service(orders)
        .add_service(operator)
        .add_service(Ending::new(health, stop.clone()))
        .add_service(Ending::new(reflection, stop.clone()))
        .serve_with_incoming_shutdown(door.incoming(), async move { stop.cancelled().await })
        .await?;
    Ok(())
}
