//! Workers come and go under load: from one to four and back, while some accounts have more to do than they may.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::FactKind;
use paymux_server::load::Times;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::rig::{Cluster, Services, client};
use super::workers::{Worker, all_owned, look_again};
use crate::load::{Load, Wanted, index, judge, timelines};
use crate::rig::{WAIT_S, World, is_full, order, seconds};

/// On accounts of their own at WeChat Pay, each with more orders than its budget.
const BUSY: [&str; 4] = ["m01", "m03", "m15", "m17"];

/// The accounts of these.
const BUSY_ACCOUNTS: [&str; 4] = ["direct-shared-0", "direct-own-0", "direct-shared-1", "direct-own-1"];

/// Others, whose orders show how long one takes.
const TIMED: [&str; 2] = ["m29", "m31"];

/// So many merchants have all of them among them.
const MERCHANTS_COUNT: u16 = 31;

/// The budget of creates of each busy account. The burst lets it make up for moments at which a busy machine runs
/// something else.
const PER_SECOND: u32 = 3;
const BURST: u32 = 6;

/// Callers at once, each with an order a second: a quarter more than the budgets.
const CALLERS: usize = 15;

/// How long an order can be paid, in schedule time: longer than any waits for its budget.
const LIFE_S: i64 = 86_400;

/// Percent of a budget that is used while partitions move, too.
const USED_MIN: f64 = 90.0;

/// Pause of the one who times orders.
const PAUSE: Duration = Duration::from_millis(100);

/// The stretches of time that the test tells apart.
struct Phases {
    begun: Instant,
    /// Workers came, then went: from when to when partitions moved, the start and the end of processes included.
    moves: [(Instant, Instant); 2],
    /// How long a partition had no owner at most.
    gap: Duration,
    ended: Instant,
    /// Creates of each busy account at begin and end.
    calls: [BTreeMap<String, u64>; 2],
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_and_budgets_are_kept_while_workers_come_and_go() {
    let Some(services) = Services::named("moves of partitions on a cluster") else { return };
    let args = ["--payers", "--clock-factor", "60", "--faults", "none"];
    let cluster = Cluster::of(World::of(MERCHANTS_COUNT, &args), &services, "it_moves");
    let payers = json!({ "enabled": true, "seed": 11, "pays": 1.0, "pays_late": 0.0 });
    cluster.world.control("payers", &payers).await;
    cluster.migrate();
    let _ingest = cluster.start("ingest");
    let _notify = cluster.start("notify");
    let client = client(cluster.ports.grpc).await;
    let every = Some(Duration::from_secs(1));
    let load = Load::new(&cluster.world, Wanted { merchants: &BUSY, prefix: "MOVE", life_s: LIFE_S, every });
    let (stop, times) = (CancellationToken::new(), Arc::default());
    let mut workers = vec![Worker::start(&cluster, &settings())];
    all_owned(&mut workers).await;
    let callers = load.start(std::slice::from_ref(&client), CALLERS, u64::MAX);
    let timing = tokio::spawn(time_orders(client.clone(), stop.clone(), Arc::clone(&times)));
    let phases = moves(&cluster, &mut workers).await;
    stop.cancel();
    timing.await.expect("orders go on");
    load.stop(callers).await;
    load.ask_again(&client).await;
    let known = std::mem::take(&mut *load.known.lock());
    let ends = judge(&cluster.world, &client, &known).await;
    let mut facts = 0;
    for (_, entries) in timelines(&client, &known.acknowledged).await {
        check_order_of_facts(&entries);
        facts += entries.len();
    }
    let fullest = check_budgets(&cluster.world.stats().await, &cluster.world);
    let used = used_percent(&phases);
    let [come, gone] = phases.moves.map(|(from, to)| to.duration_since(from).as_secs_f64());
    println!(
        "verified: rebalance: workers 1 -> 4 -> 1 under load for {:.0} s, come after {come:.1} s and gone after {gone:.1} s, \
         no partition without an owner for longer than {:.1} s: {ends}; {facts} \
         facts, each order's in order; at most {fullest} creates of an account in any 10 s, {} allowed; {used:.0} % of the \
         budgets used; {}",
        phases.ended.duration_since(phases.begun).as_secs_f64(),
        phases.gap.as_secs_f64(),
        PER_SECOND * 10 + BURST,
        latency(&phases, &times.lock()),
    );
    assert!(!is_full() || used >= USED_MIN, "only {used:.1} % of the budgets was used");
}

/// Budgets of the busy accounts.
fn settings() -> Vec<String> {
    let settings = BUSY_ACCOUNTS.iter().flat_map(|account| {
        let budgets = format!("accounts.{account}.budgets");
        [format!("{budgets}.create_per_s={PER_SECOND}"), format!("{budgets}.create_burst={BURST}")]
    });
    settings.collect()
}

/// Three more workers come, and go again, with a pause before, between and after.
async fn moves(cluster: &Cluster, workers: &mut Vec<Worker>) -> Phases {
    let steady = Duration::from_secs(if is_full() { 60 } else { 3 });
    // The first orders fill the lines.
    pass(Duration::from_secs(3)).await;
    let (begun, first) = (Instant::now(), creates(&cluster.world).await);
    pass(steady).await;
    let coming = Instant::now();
    for _ in 0..3 {
        workers.push(Worker::start(cluster, &settings()));
    }
    let owned = all_owned(workers).await;
    let mut gaps = workers[0].gaps(&owned);
    let come = Instant::now();
    pass(steady).await;
    let going = Instant::now();
    let mut leaving = workers.split_off(1);
    join_all(leaving.iter_mut().map(Worker::stop)).await;
    let owned = all_owned(workers).await;
    gaps.extend(leaving.iter().flat_map(|worker| worker.gaps(&owned)));
    let gone = Instant::now();
    pass(steady).await;
    let (ended, last) = (Instant::now(), creates(&cluster.world).await);
    let gap = gaps.into_iter().max().expect("partitions have moved");
    Phases { begun, moves: [(coming, come), (going, gone)], gap, ended, calls: [first, last] }
}

/// Lets the load go on.
async fn pass(time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        look_again().await;
    }
}

/// Creates of the busy accounts that the provider counted.
async fn creates(world: &World) -> BTreeMap<String, u64> {
    let stats = world.stats().await;
    let of = |merchant: &str| {
        let mchid = world.merchants[index(merchant)].mchid.clone();
        let calls = stats["calls"][&mchid]["create"]["calls"].as_u64().unwrap_or(0);
        (mchid, calls)
    };
    BUSY.into_iter().map(of).collect()
}

/// The most creates of a busy account within any ten seconds; more than its budget is a fault.
fn check_budgets(stats: &Value, world: &World) -> u64 {
    let most = BUSY.iter().map(|merchant| {
        let mchid = &world.merchants[index(merchant)].mchid;
        let most = stats["calls"][mchid]["create"]["max_per_ten_seconds"].as_u64().expect("creates");
        assert!(most <= u64::from(PER_SECOND * 10 + BURST), "{merchant}: {most} in ten seconds");
        most
    });
    most.max().expect("accounts")
}

/// How much of the budgets was used from begin to end, moves included.
fn used_percent(phases: &Phases) -> f64 {
    let [first, last] = &phases.calls;
    let made: u64 = last.iter().map(|(mchid, calls)| calls - first[mchid]).sum();
    let seconds = phases.ended.duration_since(phases.begun).as_secs_f64();
    let allowed = f64::from(PER_SECOND) * seconds * f64::from(u32::try_from(BUSY.len()).expect("few"));
    f64::from(u32::try_from(made).expect("few")) * 100.0 / allowed
}

/// Creates orders one after the other and notes when each was sent and how long its payer waited.
async fn time_orders(client: Client, stop: CancellationToken, times: Arc<Mutex<Vec<(Instant, Duration)>>>) {
    let mut pace = tokio::time::interval(PAUSE);
    for n in 0_usize.. {
        if stop.is_cancelled() {
            return;
        }
        pace.tick().await;
        let wait = Some(seconds(WAIT_S));
        let request = order(TIMED[n % TIMED.len()], &format!("TIMED-{n:06}"), 100);
        let sent = Instant::now();
        client.create(v1::CreateOrderRequest { wait, ..request }).await.expect("an order that is accepted");
        times.lock().push((sent, sent.elapsed()));
    }
}

/// How long payers waited while nothing moved, and while something did.
fn latency(phases: &Phases, times: &[(Instant, Duration)]) -> String {
    let meets_a_move = |sent: Instant, took: Duration| {
        phases.moves.iter().any(|(from, to)| sent <= *to && sent + took >= *from)
    };
    let (moved, steady): (Vec<_>, Vec<_>) =
        times.iter().copied().partition(|(sent, took)| meets_a_move(*sent, *took));
    let summary = |times: Vec<(Instant, Duration)>| {
        let times: Times = times.into_iter().map(|(_, took)| took).collect();
        (times.count(), times.percentile_ms(50.0), times.percentile_ms(99.0))
    };
    let (calm, move_time) = (summary(steady), summary(moved));
    format!(
        "create to launch of others {:.0} ms (p50), {:.0} ms (p99) of {} while nothing moved, {:.0} and {:.0} ms of {} \
         meanwhile: {:.0} ms added (p99)",
        calm.1,
        calm.2,
        calm.0,
        move_time.1,
        move_time.2,
        move_time.0,
        (move_time.2 - calm.2).max(0.0),
    )
}

/// What led to a fact was decided before it; attempts are numbered without a gap.
fn check_order_of_facts(entries: &[v1::TimelineEntry]) {
    let time = |key: &str| {
        let found = entries.iter().find(|entry| entry.fact_key == key)?;
        found.fact_time.as_ref().map(|time| (time.seconds, time.nanos))
    };
    let before = |first: &str, then: &str| {
        let (first_time, then_time) = (time(first), time(then));
        assert!(first_time.is_some() && first_time <= then_time, "{first} is not before {then}: {entries:?}");
    };
    for entry in entries {
        let key = entry.fact_key.as_str();
        match entry.kind() {
            FactKind::Attempt | FactKind::Launch | FactKind::Paid => before("created", key),
            FactKind::AttemptOutcome | FactKind::RefundCallOutcome => {
                before(key.trim_end_matches("/outcome"), key);
            }
            FactKind::RefundCall => {
                let refund = key.split("/call/").next().expect("a refund");
                before(&format!("{refund}/requested"), key);
            }
            FactKind::Fulfilment => {
                let paid = entries.iter().find(|entry| entry.kind() == FactKind::Paid);
                before(&paid.expect("a payment before what follows from it").fact_key, key);
            }
            _ => {}
        }
    }
    let attempts = entries.iter().filter(|entry| entry.kind() == FactKind::Attempt).count();
    for number in 1..=attempts {
        assert!(time(&format!("attempt/{number}")).is_some(), "no attempt {number}: {entries:?}");
        if number > 1 {
            before(&format!("attempt/{}", number - 1), &format!("attempt/{number}"));
        }
    }
}
