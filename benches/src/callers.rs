//! Callers of a server, all over one connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use bytes::Bytes;
use paymux_proto::v1;
use paymux_proto::v1::create_order_request::Expiry;
use prost::Message as _;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tonic::Request;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};

use crate::raw::{Raw, as_places_come_free};
use crate::{Server, timed};

pub(crate) const CREATE: &str = "/paymux.v1.OrderService/CreateOrder";
pub(crate) const SUBMIT: &str = "/paymux.v1.OrderService/SubmitOrders";
const CHECK: &str = "/grpc.health.v1.Health/Check";

/// Calls in flight on the one connection.
pub const IN_FLIGHT: u64 = 64;

/// Orders of a stream, and records of a bare producer, that are on their way at once: as many as calls are in flight
/// elsewhere, and about as many as the server takes before it stops reading.
pub const ON_THEIR_WAY: [usize; 2] = [64, 1000];

/// How long an order can be paid, in seconds: past the time at which the last order of a run gets its turn.
const LIFE_S: i64 = 86_400;

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
        let message = || if durable { self.order().encode_to_vec().into() } else { Bytes::new() };
        (0..count).map(|_| message()).collect()
    }

    /// The next new order.
    fn order(&self) -> v1::CreateOrderRequest {
        create(self.number.fetch_add(1, Ordering::Relaxed))
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
        timed(async {
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
            Ok(())
        })
        .await
    }

    /// Submits `count` orders on one stream, at most `unanswered` of them at once without an answer, and returns how long
    /// that took. Whether all were accepted is seen in the log: of the answers only the number is read.
    ///
    /// # Errors
    /// The stream broke.
    pub async fn streamed(&self, count: u64, unanswered: usize) -> Result<Duration> {
        let order = || v1::SubmitOrdersRequest { order: Some(self.order()) };
        let messages: Vec<Bytes> = (0..count).map(|_| order().encode_to_vec().into()).collect();
        let places = Arc::new(Semaphore::new(unanswered));
        let messages = as_places_come_free(messages, &places);
        let mut grpc = self.grpc.clone();
        grpc.ready().await?;
        timed(async {
            let path = PathAndQuery::from_static(SUBMIT);
            let answers = grpc.streaming(Request::new(messages), path, Raw).await;
            let mut answers = answers.context("the stream was refused")?.into_inner();
            for _ in 0..count {
                answers.message().await?.context("the stream ended early")?;
                places.add_permits(1);
            }
            Ok(())
        })
        .await
    }
}

fn create(number: u64) -> v1::CreateOrderRequest {
    order_of("bench", format!("B{number:012}"))
}

/// An order of a merchant.
pub(crate) fn order_of(merchant: &str, number: String) -> v1::CreateOrderRequest {
    v1::CreateOrderRequest {
        merchant_id: merchant.to_owned(),
        request_id: format!("r{number}"),
        merchant_order_no: number,
        method: "jsapi".to_owned(),
        amount: Some(v1::Amount { currency: "CNY".to_owned(), minor: 1234 }),
        description: "bench".to_owned(),
        payer: Some(v1::Payer {
            open_id: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned(),
            app_id: "wx8888888888888888".to_owned(),
            client_ip: "127.0.0.1".to_owned(),
        }),
        expiry: Some(Expiry::ExpireAfter(prost_types::Duration { seconds: LIFE_S, nanos: 0 })),
        ..v1::CreateOrderRequest::default()
    }
}
