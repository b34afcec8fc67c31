//! The Rust client: one connection with deadlines, errors as reasons, repeats where the API allows them, and a watch
//! that resumes by itself.

mod credentials;
mod refusal;
mod watch;

use std::time::Duration;

use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

pub use credentials::{Bearer, ConnectError, Credentials};
pub use refusal::Refusal;
pub use watch::Watch;

use crate::v1;
use crate::v1::operator_service_client::OperatorServiceClient;
use crate::v1::order_service_client::OrderServiceClient;

/// Bytes of one answer that are read: a full page of orders fits.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of an answer's headers, in which errors travel with their details; several times what this API sends.
const HEADER_BYTES_MAX: u32 = 64 * 1024;

/// Time for connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often an idle connection is probed, and how long an answer to that may take.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// Time for a call beside its `wait`.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Times that a create is sent at most when its outcome is unknown or the server asks to wait.
pub const CREATE_SENDS_MAX: u32 = 8;

/// Longest pause between two sends of a create; the server's own RetryInfo is cut to it.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);

/// First pause between two sends where the server names none; it doubles.
const RETRY_PAUSE_FIRST: Duration = Duration::from_millis(50);

/// A connection that shows the caller's key with each call.
pub type Connection = InterceptedService<Channel, Bearer>;

/// A connection to an ingest server. Clones share it.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
    bearer: Bearer,
}

impl Client {
    /// Connects to an address such as `http://127.0.0.1:7700` without credentials.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(address: &str) -> Result<Self, ConnectError> {
        Self::connect_as(address, &Credentials::default()).await
    }

    /// Connects with credentials; an address that begins with `https://` with TLS.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect_as(address: &str, credentials: &Credentials) -> Result<Self, ConnectError> {
        let endpoint = Endpoint::from_shared(address.to_owned())?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_max_header_list_size(HEADER_BYTES_MAX)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE);
        let channel = credentials.secure(address, endpoint)?.connect().await?;
        Ok(Self { channel, bearer: credentials.bearer() })
    }

    /// The generated client of `OrderService`.
    #[must_use]
    pub fn orders(&self) -> OrderServiceClient<Connection> {
        OrderServiceClient::new(self.connection()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// The generated client of `OperatorService`.
    #[must_use]
    pub fn operator(&self) -> OperatorServiceClient<Connection> {
        OperatorServiceClient::new(self.connection()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    fn connection(&self) -> Connection {
        InterceptedService::new(self.channel.clone(), self.bearer.clone())
    }

    /// A request with a deadline that leaves room for its own `wait`.
    pub fn request<T>(message: T, wait: Option<Duration>) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request.set_timeout(CALL_TIMEOUT.saturating_add(wait.unwrap_or_default()));
        request
    }

    /// Creates an order. The same request is sent again, at most [`CREATE_SENDS_MAX`] times, where the server asks for
    /// that or the outcome of a send is not known: the number makes it the same order.
    ///
    /// # Errors
    /// The last refusal.
    pub async fn create(&self, order: v1::CreateOrderRequest) -> Result<v1::CreateOrderResponse, Refusal> {
        let wait = order.wait.as_ref().and_then(crate::api::duration);
        let mut pause = RETRY_PAUSE_FIRST;
        let mut sends = 1;
        loop {
            let sent = self.orders().create_order(Self::request(order.clone(), wait)).await;
            let refusal = match sent {
                Ok(response) => return Ok(response.into_inner()),
                Err(status) => Refusal::of(&status),
            };
            if sends >= CREATE_SENDS_MAX || !refusal.may_be_sent_again() {
                return Err(refusal);
            }
            tokio::time::sleep(refusal.retry_after.unwrap_or(pause).min(RETRY_PAUSE_MAX)).await;
            pause = pause.saturating_mul(2);
            sends += 1;
        }
    }

    /// Watches orders of a merchant from now on, or from a token on.
    #[must_use]
    pub fn watch(&self, request: v1::WatchOrdersRequest) -> Watch {
        Watch::new(self.clone(), request)
    }
}
