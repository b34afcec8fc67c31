//! `kill -9` of a random worker, ingest or notify under continuous load, again and again.

use std::collections::BTreeMap;
use std::time::Duration;

use paymux_server::load::Times;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;
use serde_json::json;
use tokio::time::Instant;

use super::rig::{Cluster, SESSION_TIMEOUT_MS, Services, client};
use super::workers::{Worker, accounts, all_owned, first_calls};
use crate::load::{Load, Wanted, judge};
use crate::rig::{Ports, Process, World, is_full};

/// Four on accounts of their own at WeChat Pay, then one at PayJS.
const MERCHANTS: [&str; 5] = ["m01", "m03", "m15", "m17", "m07"];

/// So many of these are at WeChat Pay.
const AT_WECHATPAY: usize = 4;

/// So many merchants have all of them among them.
const MERCHANTS_COUNT: u16 = 17;

/// Callers at once, each with an order a second.
const CALLERS: usize = 10;

/// How long an order can be paid: ten seconds here.
const LIFE_S: i64 = 1200;

/// Answers between two kills at most.
const ANSWERS_MAX: u64 = 20;

/// What the seed is.
const SEED: u64 = 5;

/// Longest wait for the moment of a kill.
const PATIENCE: Duration = Duration::from_secs(120);

/// A partition that was taken over has its first call within this time, in 99 of 100 cases.
const FIRST_CALL_MAX_MS: f64 = 15_000.0;

/// Who is killed.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Worker(usize),
    Ingest(usize),
    Notify,
}

const VICTIMS: [Victim; 5] =
    [Victim::Worker(0), Victim::Worker(1), Victim::Ingest(0), Victim::Ingest(1), Victim::Notify];

/// All processes of the cluster.
struct Crew<'a> {
    cluster: &'a Cluster,
    workers: Vec<Worker>,
    ingests: Vec<(Ports, Process)>,
    notify: Process,
}

impl<'a> Crew<'a> {
    fn start(cluster: &'a Cluster) -> Self {
        let ingest = |ports: Ports| (ports, cluster.start_at("ingest", ports));
        Self {
            workers: vec![Worker::start(cluster, &[]), Worker::start(cluster, &[])],
            ingests: vec![ingest(cluster.ports), ingest(Ports::free())],
            notify: cluster.start("notify"),
            cluster,
        }
    }

    /// Kills a process and starts another in its place; how long the partitions of a worker were without a call.
    async fn kill(&mut self, victim: Victim) -> Vec<Duration> {
        match victim {
            Victim::Ingest(at) => {
                let (ports, process) = &mut self.ingests[at];
                process.kill();
                *process = self.cluster.start_at("ingest", *ports);
            }
            Victim::Notify => {
                self.notify.kill();
                self.notify = self.cluster.start("notify");
            }
            Victim::Worker(at) => {
                let client = client(self.ingests[0].0.grpc).await;
                // The calls of PayJS are too few to tell of anything.
                let mut lost = accounts(&self.cluster.world, &client, &MERCHANTS[..AT_WECHATPAY]).await;
                let mut killed = self.workers.remove(at);
                killed.process.kill();
                let since = Instant::now();
                self.workers.push(Worker::start(self.cluster, &[]));
                let owned = killed.owned().clone();
                lost.retain(|partition, _| owned.contains_key(partition));
                let times = first_calls(&self.cluster.world, &mut self.workers, &lost, since).await;
                all_owned(&mut self.workers).await;
                return times;
            }
        }
        Vec::new()
    }
}

/// The first three are one of each kind, further ones are anybody.
fn victim(round: usize, first: &[Victim], rng: &mut ChaCha12Rng) -> Victim {
    first.get(round).copied().unwrap_or_else(|| VICTIMS[rng.random_range(0..VICTIMS.len())])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_ends_right_whoever_is_killed() {
    let Some(services) = Services::named("crashes on a cluster") else { return };
    let rounds = if is_full() { 100 } else { 3 };
    let args = ["--payers", "--clock-factor", "120", "--faults", "none"];
    let cluster = Cluster::of(World::of(MERCHANTS_COUNT, &args), &services, "it_crashes");
    // Whoever pays does so soon; payers who come late are the demo's.
    let payers = json!({ "enabled": true, "seed": SEED, "pays": 0.8, "pays_late": 0.0 });
    cluster.world.control("payers", &payers).await;
    cluster.migrate();
    let mut crew = Crew::start(&cluster);
    all_owned(&mut crew.workers).await;
    let clients = [client(crew.ingests[0].0.grpc).await, client(crew.ingests[1].0.grpc).await];
    let every = Some(Duration::from_secs(1));
    let load =
        Load::new(&cluster.world, Wanted { merchants: &MERCHANTS, prefix: "CRASH", life_s: LIFE_S, every });
    let callers = load.start(&clients, CALLERS, u64::MAX);
    let mut rng = ChaCha12Rng::seed_from_u64(SEED);
    let mut first = [VICTIMS[rng.random_range(0..2)], VICTIMS[rng.random_range(2..4)], Victim::Notify];
    first.shuffle(&mut rng);
    let (mut times, mut killed) = (Vec::new(), BTreeMap::<&str, usize>::new());
    for round in 0..rounds {
        let moment = async {
            let count = rng.random_range(1..ANSWERS_MAX);
            if round % 2 == 0 { load.more_orders(count).await } else { load.more_refunds(count).await }
        };
        tokio::time::timeout(PATIENCE, moment).await.expect("the load goes on");
        let victim = victim(round, &first, &mut rng);
        *killed.entry(kind(victim)).or_default() += 1;
        times.extend(crew.kill(victim).await);
    }
    load.stop(callers).await;
    load.ask_again(&clients[0]).await;
    let known = std::mem::take(&mut *load.known.lock());
    let ends = judge(&cluster.world, &clients[0], &known).await;
    let times: Times = times.into_iter().collect();
    let (count, p99_ms) = (times.count(), times.percentile_ms(99.0));
    println!(
        "verified: crashes: {rounds} rounds of kill -9 ({killed:?}), seed {SEED}: {} orders acknowledged, none lost; \
         {ends}; {} provider calls repeated; first provider call of {count} partitions taken over after {:.1} s (p99), \
         {:.1} s at most, with a session time-out of {} s",
        known.acknowledged.len(),
        ends.repeated_calls(),
        p99_ms / 1000.0,
        times.max_ms() / 1000.0,
        SESSION_TIMEOUT_MS / 1000,
    );
    assert!(!is_full() || p99_ms <= FIRST_CALL_MAX_MS, "after {p99_ms} ms (p99)");
}

const fn kind(victim: Victim) -> &'static str {
    match victim {
        Victim::Worker(_) => "worker",
        Victim::Ingest(_) => "ingest",
        Victim::Notify => "notify",
    }
}
