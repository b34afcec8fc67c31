//! A platform that uses an engine: it submits orders, creates them and waits for the answer, watches what becomes of
//! them.
//!
//! Like [`Callers`](crate::Callers) it wants a runtime of its own and sends bytes that were prepared before the clock
//! starts. Of answers and events it reads as much as says whether the order went the way that it should.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use paymux_proto::v1;
use prost::Message as _;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};

use crate::callers::{CREATE, SUBMIT, order_of};
use crate::figures::Times;
use crate::provider::Course;
use crate::raw::{Lean, Raw, as_places_come_free};
use crate::site::Site;
use crate::{now, timed};

const WATCH: &str = "/paymux.v1.OrderService/WatchOrders";

/// How long a create waits for its answer, in seconds.
const WAIT_S: i64 = 20;

/// Longest wait for all that is under way.
const PATIENCE: Duration = Duration::from_secs(120);

/// Connections: one for what is asked, one for events, as calls and watches of a real platform are of different
/// processes.
#[derive(Debug)]
pub struct Platform {
    calls: Grpc<Channel>,
    events: Grpc<Channel>,
    merchants: Vec<String>,
    number: AtomicU64,
}

/// As much of `WatchOrdersResponse` as tells an event from a sign of life.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Told {
    #[prost(message, optional, tag = "1")]
    event: Option<()>,
}

/// As much of `CreateOrderResponse` as tells whether the payer can pay.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Answered {
    #[prost(message, optional, tag = "1")]
    order: Option<State>,
}

/// As much of `Order`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct State {
    #[prost(enumeration = "v1::OrderState", tag = "7")]
    state: i32,
}

impl Platform {
    /// Connects to the engine of a site. Its orders are numbered from there on, so that two platforms of one site
    /// differ.
    ///
    /// # Errors
    /// The engine cannot be reached.
    pub async fn connect(site: &Site, first: u64) -> Result<Arc<Self>> {
        let connect = async || Endpoint::from_shared(site.grpc())?.tcp_nodelay(true).connect().await;
        Ok(Arc::new(Self {
            calls: Grpc::new(connect().await?),
            events: Grpc::new(connect().await?),
            merchants: site.merchants().to_vec(),
            number: AtomicU64::new(first),
        }))
    }

    /// Merchant and order number of the n-th order.
    #[must_use]
    pub fn name(&self, number: u64) -> (&str, String) {
        let at = usize::try_from(number).unwrap_or(0) % self.merchants.len();
        (&self.merchants[at], format!("L{number:010}"))
    }

    /// The number of the next order.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    fn orders(&self, course: Course, count: u64, wait: bool) -> Vec<v1::CreateOrderRequest> {
        let first = self.number.fetch_add(count, Ordering::Relaxed);
        let order = |number| {
            let (merchant, number) = self.name(number);
            let mut order = order_of(merchant, number);
            course.description().clone_into(&mut order.description);
            order.wait = wait.then_some(prost_types::Duration { seconds: WAIT_S, nanos: 0 });
            order
        };
        (first..first + count).map(order).collect()
    }

    /// Submits so many orders on one stream, at most `at_once` of them not yet as far as the course leads: the payer can
    /// pay, or has paid and the goods are to be delivered. Gives the time from the first to the last.
    ///
    /// # Errors
    /// An order is not that far after two minutes, or the connection breaks.
    pub async fn streamed(&self, course: Course, count: u64, at_once: usize) -> Result<Duration> {
        let submit = |order| v1::SubmitOrdersRequest { order: Some(order) };
        let orders = self.orders(course, count, false).into_iter().map(submit);
        let messages: Vec<Bytes> = orders.map(|order| order.encode_to_vec().into()).collect();
        let places = Arc::new(Semaphore::new(at_once));
        let (mut watches, told) = self.watched(course, &places).await?;
        let messages = as_places_come_free(messages, &places);
        let mut grpc = self.calls.clone();
        grpc.ready().await?;
        let work = async {
            let answers =
                grpc.streaming(Request::new(messages), PathAndQuery::from_static(SUBMIT), Raw).await;
            let mut answers = answers.context("the stream was refused")?.into_inner();
            while answers.message().await?.is_some() {}
            // All are submitted: those under way have ended when every place is free again.
            let all = u32::try_from(at_once)?;
            drop(places.acquire_many(all).await?);
            Ok(())
        };
        let work = timed(async { tokio::time::timeout(PATIENCE, work).await? });
        let took = tokio::select! {
            biased;
            ended = watches.join_next() => bail!("a watch ended: {ended:?}"),
            took = work => took,
        };
        let far = told.load(Ordering::Relaxed);
        took.with_context(|| format!("{far} of {count} orders came as far as {course:?} leads"))
    }

    /// Watches all merchants; each event frees a place.
    async fn watched(
        &self,
        course: Course,
        places: &Arc<Semaphore>,
    ) -> Result<(JoinSet<Result<()>>, Arc<AtomicU64>)> {
        let kind = match course {
            Course::Pays | Course::Slow => v1::OrderEventKind::Fulfil,
            Course::Waits => v1::OrderEventKind::Launched,
        };
        let told = Arc::new(AtomicU64::new(0));
        let mut watches = JoinSet::new();
        for merchant in &self.merchants {
            let request = v1::WatchOrdersRequest {
                merchant_id: merchant.clone(),
                kinds: vec![kind.into()],
                ..v1::WatchOrdersRequest::default()
            };
            let mut grpc = self.events.clone();
            grpc.ready().await?;
            let message = Bytes::from(request.encode_to_vec());
            let (path, codec) = (PathAndQuery::from_static(WATCH), Lean::<Told>::default());
            let stream = grpc.server_streaming(Request::new(message), path, codec).await?;
            let mut stream = stream.into_inner();
            // The first is a sign of life: from here on everything is told.
            ensure!(stream.message().await?.is_some_and(|first| first.event.is_none()), "no sign of life");
            let (places, told) = (Arc::clone(places), Arc::clone(&told));
            watches.spawn(async move {
                while let Some(message) = stream.message().await? {
                    if message.event.is_some() {
                        told.fetch_add(1, Ordering::Relaxed);
                        places.add_permits(1);
                    }
                }
                bail!("the server ended it")
            });
        }
        Ok((watches, told))
    }

    /// Creates so many orders and waits for each answer, `at_once` at a time.
    ///
    /// # Errors
    /// An answer does not say that the payer can pay.
    pub async fn created(&self, course: Course, count: u64, at_once: usize) -> Result<(Duration, Times)> {
        let messages = self.creates(course, count);
        let mut times = Vec::with_capacity(messages.len());
        let took = timed(async {
            let calls = stream::iter(messages).map(|message| async {
                let began = now();
                self.create(message).await.map(|()| began.elapsed())
            });
            let mut calls = calls.buffer_unordered(at_once);
            while let Some(time) = calls.try_next().await? {
                times.push(time);
            }
            Ok(())
        });
        let took = took.await?;
        Ok((took, Times::of(times)))
    }

    /// Creates orders at a steady rate for some time, whether or not answers come, and waits for each. Times count from
    /// the moment at which a call was due.
    ///
    /// # Errors
    /// As [`Platform::created`].
    pub async fn created_at(self: &Arc<Self>, course: Course, per_s: f64, seconds: f64) -> Result<Vec<Due>> {
        let count = (per_s * seconds).round();
        ensure!((1.0..1e6).contains(&count), "{count} orders");
        // In the range of a million.
        let messages = self.creates(course, format!("{count:.0}").parse()?);
        let mut calls = JoinSet::new();
        let begin = now();
        for (n, message) in (0_u32..).zip(messages) {
            let due = begin + Duration::from_secs_f64(f64::from(n) / per_s);
            tokio::time::sleep_until(due.into()).await;
            let platform = Arc::clone(self);
            calls.spawn(async move {
                platform.create(message).await?;
                anyhow::Ok(Due { at: due.duration_since(begin), took: due.elapsed() })
            });
        }
        let mut times = Vec::with_capacity(calls.len());
        while let Some(time) = calls.join_next().await {
            times.push(time??);
        }
        Ok(times)
    }

    fn creates(&self, course: Course, count: u64) -> Vec<Bytes> {
        self.orders(course, count, true).iter().map(|order| order.encode_to_vec().into()).collect()
    }

    async fn create(&self, message: Bytes) -> Result<()> {
        let mut grpc = self.calls.clone();
        grpc.ready().await?;
        let call =
            grpc.unary(Request::new(message), PathAndQuery::from_static(CREATE), Lean::<Answered>::default());
        let answer = match tokio::time::timeout(PATIENCE, call).await? {
            Ok(answer) => answer,
            Err(status) if status.code() == Code::ResourceExhausted => bail!("limited: {}", status.message()),
            Err(status) => return Err(anyhow!("a create was refused: {status}")),
        };
        let answer: Answered = answer.into_inner();
        let state = answer.order.map(|order| order.state());
        ensure!(state >= Some(v1::OrderState::Pending), "the payer cannot pay: {state:?}");
        Ok(())
    }
}

/// A call of a steady rate.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// When it was due, since the first.
    pub at: Duration,
    /// From then until its answer.
    pub took: Duration,
}

impl Due {
    /// The times of many.
    #[must_use]
    pub fn times(all: &[Self]) -> Times {
        Times::of(all.iter().map(|due| due.took).collect())
    }
}
