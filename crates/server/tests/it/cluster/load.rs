//! A steady load: each create is sent once, what became of it is noted, and in the end all of it is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use paymux_proto::v1::ErrorReason;
use paymux_proto::v1::create_order_request::Expiry;
use paymux_server::load::Times;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::raw::Topics;
use super::rig::{Cluster, MERCHANTS};
use crate::rig::{World, get, order, seconds};

/// Callers at once unless a test says otherwise, and the pause of each before its next create.
const CALLERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(250);

/// How much longer than a call's usual deadline a caller waits: a machine that stands still for seconds is no refusal.
pub(crate) const LENIENCE: Duration = Duration::from_secs(20);

/// How much faster than real time the schedules run.
const CLOCK_FACTOR: &str = "20";

/// How long an order can be paid: a quarter of an hour of real time, so that each payer comes in time.
const LIFE_S: i64 = 18_000;

/// Longest wait for the load to come to what a test waits for.
const PATIENCE: Duration = Duration::from_secs(180);

/// The amount of each order in fen.
const AMOUNT: i64 = 1200;

/// Merchant and order number.
type Name = (&'static str, String);

/// A world whose payers all pay, each soon.
pub(crate) async fn world() -> World {
    let world = World::start(&["--payers", "--clock-factor", CLOCK_FACTOR, "--faults", "none"]);
    let plan = json!({
        "enabled": true, "seed": 5, "pays": 1.0, "pays_late": 0.0, "think_min_ms": 1000, "think_max_ms": 60_000
    });
    world.control("payers", &plan).await;
    world
}

/// Whoever hands creates over.
pub(crate) trait Accepts: Clone + Send + Sync + 'static {
    /// The create is accepted, or not.
    fn accept(&self, request: v1::CreateOrderRequest) -> impl Future<Output = Result<(), Status>> + Send;
}

impl Accepts for Client {
    async fn accept(&self, request: v1::CreateOrderRequest) -> Result<(), Status> {
        self.orders().create_order(Self::request(request, Some(LENIENCE))).await.map(drop)
    }
}

/// What became of the creates.
#[derive(Debug, Default)]
struct Told {
    accepted: BTreeSet<Name>,
    unknown: BTreeSet<Name>,
    refused: BTreeMap<Name, ErrorReason>,
    /// When each accepted one was sent, and how long that took.
    times: Vec<(Instant, Duration)>,
    /// The longest that a caller waited for a refusal or for word of an unknown outcome.
    longest: Duration,
}

/// How many there were of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) accepted: usize,
    pub(crate) unknown: usize,
    pub(crate) refused: usize,
    /// Of these, refused with UNAVAILABLE since the log was.
    pub(crate) unavailable: usize,
}

/// Callers at work until they are ended.
#[derive(Debug)]
pub(crate) struct Load {
    told: Arc<Mutex<Told>>,
    counts: watch::Sender<Counts>,
    callers: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Load {
    /// Sixteen orders per second.
    pub(crate) fn start(client: &Client) -> Self {
        Self::of(client, CALLERS)
    }

    /// Four orders per second of each caller.
    pub(crate) fn of<C: Accepts>(client: &C, callers: usize) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut load =
            Self { told: Arc::default(), counts: watch::Sender::default(), callers: JoinSet::new(), stop };
        let numbers = Arc::new(AtomicU64::new(0));
        for _ in 0..callers {
            let (told, counts) = (Arc::clone(&load.told), load.counts.clone());
            load.callers.spawn(call(client.clone(), Arc::clone(&numbers), told, counts, stopped.clone()));
        }
        load
    }

    pub(crate) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    /// How long accepts took that were sent at certain times.
    pub(crate) fn times(&self, wanted: impl Fn(Instant) -> bool) -> Times {
        self.told.lock().times.iter().filter(|(at, _)| wanted(*at)).map(|(_, took)| *took).collect()
    }

    /// Waits until the counts are as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl FnMut(&Counts) -> bool) -> Counts {
        let mut counted = self.counts.subscribe();
        let waited = tokio::time::timeout(PATIENCE, counted.wait_for(wanted)).await;
        *waited
            .unwrap_or_else(|_| panic!("{what}: it came to {:?}", self.counts()))
            .expect("the load is there")
    }

    /// Waits until each merchant has so many more accepted orders than now.
    pub(crate) async fn more_of_each(&self, what: &str, count: usize) {
        let of_each = || {
            let told = self.told.lock();
            MERCHANTS.map(|merchant| told.accepted.iter().filter(|(known, _)| *known == merchant).count())
        };
        let before = of_each();
        self.until(what, |_| of_each().iter().zip(before).all(|(now, before)| *now >= before + count)).await;
    }

    /// Ends the load, waits until every order has ended, and compares it with what the callers were told.
    pub(crate) async fn judge(mut self, cluster: &Cluster, client: &Client) -> String {
        self.stop.send_replace(true);
        while let Some(ended) = self.callers.join_next().await {
            ended.expect("a caller that ends");
        }
        let Told { accepted, unknown, refused, longest, times: _ } = std::mem::take(&mut *self.told.lock());
        for (merchant, number) in &accepted {
            cluster.is_delivered(client, merchant, number).await;
        }
        let mut found = 0;
        for (merchant, number) in &unknown {
            if client.orders().get_order(get(merchant, number, 0)).await.is_ok() {
                cluster.is_delivered(client, merchant, number).await;
                found += 1;
            }
        }
        for ((merchant, number), reason) in &refused {
            let absent = client.orders().get_order(get(merchant, number, 0)).await;
            let code = absent.as_ref().map_or_else(tonic::Status::code, |_| Code::Ok);
            assert_eq!(code, Code::NotFound, "{merchant}/{number}, refused for {reason:?}: {absent:?}");
        }
        let truth = cluster.world.truth().await;
        let paid = truth.values().filter_map(|order| order["payment"]["reported_total"].as_i64());
        let paid: Vec<i64> = paid.collect();
        assert_eq!(paid.len(), accepted.len() + found, "orders at the provider");
        let (taken, recorded) = (paid.iter().sum::<i64>(), AMOUNT * i64::try_from(paid.len()).expect("few"));
        assert_eq!(taken, recorded);
        let parked = client.operator().list_parked(v1::ListParkedRequest::default()).await;
        assert_eq!(parked.expect("a list").into_inner().orders, [], "nothing is parked");
        assert_eq!(Topics::of(cluster).end("dead", 0), 0, "nothing is dead");
        format!(
            "{} accepts, {} refused and not there, {} of unknown outcome ({found} there), {} ms at most until a refusal; \
             {taken} fen taken and recorded, all orders delivered once, none parked, no dead record",
            accepted.len(),
            refused.len(),
            unknown.len(),
            longest.as_millis()
        )
    }
}

/// One caller.
async fn call<C: Accepts>(
    client: C,
    numbers: Arc<AtomicU64>,
    told: Arc<Mutex<Told>>,
    counts: watch::Sender<Counts>,
    stopped: watch::Receiver<bool>,
) {
    let mut pause = tokio::time::interval(PAUSE);
    while !*stopped.borrow() {
        pause.tick().await;
        let n = numbers.fetch_add(1, Ordering::Relaxed);
        let at = usize::try_from(n).expect("few") % MERCHANTS.len();
        let name = (MERCHANTS[at], format!("LOAD-{n:06}"));
        let mut request = order(name.0, &name.1, AMOUNT);
        request.expiry = Some(Expiry::ExpireAfter(seconds(LIFE_S)));
        let sent = Instant::now();
        let answer = client.accept(request).await;
        let mut told = told.lock();
        match answer {
            Ok(()) => {
                told.times.push((sent, sent.elapsed()));
                told.accepted.insert(name);
            }
            Err(status) => {
                told.longest = told.longest.max(sent.elapsed());
                let refusal = Refusal::of(&status);
                match (refusal.code, refusal.reason) {
                    (Code::Unavailable, ErrorReason::AcceptUnknown) => drop(told.unknown.insert(name)),
                    (Code::Unavailable, ErrorReason::LogUnavailable)
                    | (Code::ResourceExhausted, ErrorReason::Overloaded | ErrorReason::MerchantLimited) => {
                        told.refused.insert(name, refusal.reason);
                    }
                    _ => panic!("{name:?}: {status:?}"),
                }
            }
        }
        let (accepted, unknown, refused) = (told.accepted.len(), told.unknown.len(), told.refused.len());
        let of_log = |reason: &&ErrorReason| **reason == ErrorReason::LogUnavailable;
        let unavailable = told.refused.values().filter(of_log).count();
        drop(told);
        counts.send_replace(Counts { accepted, unknown, refused, unavailable });
    }
}
