//! A worker that is stopped for longer than its session, and goes on when others own its partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use paymux_proto::client::{Client, Watch};
use paymux_proto::v1;
use paymux_proto::v1::{FactKind, OrderEventKind};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;
use serde_json::json;
use tokio::time::Instant;

use super::relay::{Relay, Relayed};
use super::rig::{Cluster, SESSION_TIMEOUT_MS, Services};
use super::workers::{Worker, all_owned, look_again};
use crate::load::{Known, Load, Wanted, judge, out_trade_no, timelines};
use crate::rig::{World, is_full};

/// Merchants on three accounts at WeChat Pay, two of which share one.
const MERCHANTS: [&str; 4] = ["m01", "m02", "m03", "m04"];

/// The accounts of these.
const ACCOUNTS: [&str; 3] = ["direct-shared-0", "direct-own-0", "partner-0"];

/// Callers at once.
const CALLERS: usize = 16;

/// Orders of one round at most.
const PER_ROUND_MAX: u64 = 200;

/// How long an order can be paid: ten seconds here.
const LIFE_S: i64 = 1200;

/// Orders that are acknowledged before a worker is stopped, at least and at most.
const BEFORE: std::ops::Range<u64> = 20..60;

const SEED: u64 = 7;

/// Longest wait for what must happen; generous, since a test machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// What every fact says that was not there when the worker went on: its provider's words alone.
const WORDS: [FactKind; 7] = [
    FactKind::AttemptOutcome,
    FactKind::Launch,
    FactKind::Paid,
    FactKind::PaidStated,
    FactKind::PaidConfirmed,
    FactKind::RefundCallOutcome,
    FactKind::RefundOutcome,
];

/// What is stored of the orders of a round.
#[derive(Default)]
struct Stored {
    /// By order number: fact keys with their kinds.
    facts: BTreeMap<String, BTreeMap<String, FactKind>>,
    /// Their numbers at the provider, and those of their refunds.
    numbers: BTreeSet<String>,
}

/// What one round showed.
#[derive(Default)]
struct Sums {
    /// Calls of the former owner that arrived while it was stopped, which had left before.
    left_before: usize,
    /// Calls that it made when it went on, before it owned anything again.
    left_after: usize,
    /// Facts that it stored then.
    words: usize,
    /// Events of older facts that were told again then, by whoever owned their orders.
    told_again: usize,
    orders: usize,
    repeated: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_former_owner_that_goes_on_concludes_and_tells_nothing() {
    let Some(services) = Services::named("a former owner on a cluster") else { return };
    let rounds = if is_full() { 10 } else { 1 };
    let args = ["--payers", "--clock-factor", "120", "--faults", "none"];
    let cluster = Cluster::of(World::start(&args), &services, "it_former");
    cluster.migrate();
    let relay = Relay::start(&cluster.world.simulator).await;
    let through: Vec<String> =
        ACCOUNTS.iter().map(|account| format!("accounts.{account}.base_url={}", relay.url)).collect();
    let _ingest = cluster.start("ingest");
    let _notify = cluster.start("notify");
    let client = cluster.client().await;
    let mut rng = ChaCha12Rng::seed_from_u64(SEED);
    let mut workers = vec![Worker::start(&cluster, &through)];
    let mut sums = Sums::default();
    for round in 0..rounds {
        all_owned(&mut workers).await;
        let count = rng.random_range(BEFORE);
        one_round(&cluster, &client, &relay, &mut workers, (round, count), &mut sums).await;
        // The worker behind the relay is the only owner of the next round again.
        let mut other = workers.pop().expect("two of them");
        other.stop().await;
    }
    let Sums { left_before, left_after, words, told_again, orders, repeated } = sums;
    println!(
        "verified: former owner: {rounds} workers stopped under load for longer than the session time-out of {} s, seed \
         {SEED}: {left_after} calls left when they went on ({left_before} more were on their way when they were stopped), \
         all with the numbers of their orders; {words} words of the provider stored, no conclusion and no new event \
         ({told_again} old ones told again); {orders} orders ended right, {repeated} provider calls repeated",
        SESSION_TIMEOUT_MS / 1000,
    );
}

async fn one_round(
    cluster: &Cluster,
    client: &Client,
    relay: &Relay,
    workers: &mut Vec<Worker>,
    (round, before): (usize, u64),
    sums: &mut Sums,
) {
    let payers = json!({ "enabled": true, "seed": SEED, "pays": 0.8, "pays_late": 0.0 });
    cluster.world.control("payers", &payers).await;
    let prefixes = ["FA", "FB", "FC", "FD", "FE", "FF", "FG", "FH", "FI", "FJ"];
    let wanted = Wanted { merchants: &MERCHANTS, prefix: prefixes[round], life_s: LIFE_S, every: None };
    let load = Load::new(&cluster.world, wanted);
    let callers = load.start(std::slice::from_ref(client), CALLERS, PER_ROUND_MAX);
    tokio::time::timeout(PATIENCE, load.more_orders(before)).await.expect("the load goes on");
    workers[0].process.signal("STOP");
    let stopped = Instant::now();
    workers.push(Worker::start(cluster, &[]));
    all_owned(&mut workers[1..]).await;
    // However quick it was until here: something is wanted back.
    tokio::time::timeout(PATIENCE, load.more_refunds(1)).await.expect("orders are paid");
    load.stop(callers).await;
    load.ask_again(client).await;
    let known = std::mem::take(&mut *load.known.lock());
    let ends = judge(&cluster.world, client, &known).await;
    // From here on nothing happens but what the former owner does.
    cluster.world.control("payers", &json!({ "enabled": false })).await;
    let mut watches = watches(cluster, client, &format!("{}-BEFORE", prefixes[round])).await;
    let stored = stored(cluster, client, &known).await;
    workers[0].process.signal("CONT");
    let went_on = Instant::now();
    let owned_again = owned_after(&mut workers[0], went_on).await;
    let others = until_told(cluster, client, &mut watches, &format!("{}-AFTER", prefixes[round])).await;
    sums.told_again += others.iter().filter(|event| stored.has_told(event)).count();
    let is_known = |call: &Relayed| stored.numbers.iter().any(|number| call.names(number));
    let (early, late) = (relay.between(stopped, went_on), relay.between(went_on, owned_again));
    for call in early.iter().chain(&late) {
        assert!(is_known(call), "a call with a number of its own: {call:?}");
    }
    sums.left_before += early.len();
    sums.left_after += late.len();
    sums.words += stored.new_words(&self::stored(cluster, client, &known).await);
    let again = judge(&cluster.world, client, &known).await;
    assert_eq!((again.taken, again.back, again.refunds), (ends.taken, ends.back, ends.refunds));
    sums.orders += again.orders;
    sums.repeated += again.repeated_calls();
}

/// Waits until a worker owns something that it did not own before.
async fn owned_after(worker: &mut Worker, time: Instant) -> Instant {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let first = worker.owned().values().filter(|at| **at > time).min().copied();
        if let Some(first) = first {
            return first;
        }
        assert!(Instant::now() < deadline, "it gets no partition again");
        look_again().await;
    }
}

async fn stored(cluster: &Cluster, client: &Client, known: &Known) -> Stored {
    let mut stored = Stored::default();
    stored.numbers.extend(known.sent.iter().map(|name| out_trade_no(&cluster.world, name)));
    for (name, entries) in timelines(client, &known.acknowledged).await {
        stored.numbers.extend(entries.iter().filter_map(|entry| entry.details.get("out_refund_no").cloned()));
        let facts = entries.iter().map(|entry| (entry.fact_key.clone(), entry.kind())).collect();
        stored.facts.insert(name.1, facts);
    }
    stored
}

impl Stored {
    /// How many facts are new; none of them is a conclusion, and none has gone.
    fn new_words(&self, after: &Self) -> usize {
        let mut new = 0;
        for (number, facts) in &after.facts {
            let before = &self.facts[number];
            assert!(before.keys().all(|key| facts.contains_key(key)), "{number}: a fact has gone");
            for (key, kind) in facts.iter().filter(|(key, _)| !before.contains_key(*key)) {
                assert!(WORDS.contains(kind), "{number}: {key} was concluded by a former owner");
                new += 1;
            }
        }
        new
    }

    /// Whether an event tells again what was known before; fails at any other of these orders.
    fn has_told(&self, event: &v1::OrderEvent) -> bool {
        let number = event.order.as_ref().map(|order| &order.merchant_order_no);
        let Some(facts) = number.and_then(|number| self.facts.get(number)) else { return false };
        assert!(facts.contains_key(&event.fact_key), "a former owner told: {event:?}");
        true
    }
}

/// Opens a watch for each merchant, which stands behind the events of an order of its own that came last.
async fn watches(cluster: &Cluster, client: &Client, number: &str) -> Vec<(&'static str, Watch)> {
    let mut watches = Vec::new();
    for merchant in MERCHANTS {
        let request =
            v1::WatchOrdersRequest { merchant_id: merchant.to_owned(), ..v1::WatchOrdersRequest::default() };
        let mut watch = client.watch(request);
        watch.open().await.expect("a watch");
        watches.push((merchant, watch));
    }
    until_told(cluster, client, &mut watches, number).await;
    watches
}

/// Makes an order of each merchant and waits for its last event; gives the events of others that came before.
async fn until_told(
    cluster: &Cluster,
    client: &Client,
    watches: &mut [(&'static str, Watch)],
    number: &str,
) -> Vec<v1::OrderEvent> {
    let mut others = Vec::new();
    for (merchant, watch) in watches {
        cluster.create(client, merchant, number).await;
        cluster.pay(merchant, number).await;
        loop {
            let next = tokio::time::timeout(PATIENCE, watch.next()).await;
            let event = next.expect("events go on").expect("a watch goes on");
            let is_its = event.order.as_ref().is_some_and(|order| order.merchant_order_no == number);
            if is_its && event.kind() == OrderEventKind::Fulfil {
                break;
            }
            if !is_its {
                others.push(event);
            }
        }
    }
    others
}
