//! Ingest is scaled out under load, then every process is replaced by another, one after the other: callers who follow
//! the shipped service config notice nothing but time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::balanced::{Balanced, Names};
use super::load::{self, Load};
use super::proxy::Proxy;
use super::rig::{Cluster, Services, client};
use super::workers::{Worker, all_owned};
use crate::rig::{Ports, Process, is_full};

/// After this time a server asks its clients for a new connection.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(3);

/// What closing a connection and making others may take beyond that; generous, since a test machine may be busy.
const MOMENT: Duration = Duration::from_secs(30);

/// Ingests after the scaling.
const INGESTS: usize = 3;

/// What each of them gets at least of all calls, in percent.
const SHARE_MIN: u64 = 20;

/// Calls over which shares are counted.
const COUNTED: usize = 150;

/// Callers, with four orders a second each.
const CALLERS: usize = 6;

/// The processes of the cluster, and the way of notifications to the one that takes them.
struct Crew<'a> {
    cluster: &'a Cluster,
    names: Names,
    ingests: Vec<(SocketAddr, Process)>,
    workers: Vec<Worker>,
    notify: Process,
    way: Proxy,
}

impl<'a> Crew<'a> {
    /// One ingest, two workers, one notify.
    async fn start(cluster: &'a Cluster, way: Proxy) -> Self {
        let mut crew = Self {
            names: Names::default(),
            ingests: Vec::new(),
            workers: vec![Worker::start(cluster, &[]), Worker::start(cluster, &[])],
            notify: cluster.start("notify"),
            way,
            cluster,
        };
        crew.add_ingest();
        all_owned(&mut crew.workers).await;
        crew
    }

    fn add_ingest(&mut self) {
        let ports = Ports { grpc: Ports::free().grpc, ..self.cluster.ports };
        let age = format!("server.connection_age_max_ms={}", CONNECTION_AGE_MAX.as_millis());
        let process = Process::start(self.cluster.command_at("ingest", ports).args(["--set", &age]));
        process.wait_for(&["\"serving\""]);
        self.ingests.push((ports.grpc, process));
        self.name();
    }

    fn name(&self) {
        let addresses: Vec<SocketAddr> = self.ingests.iter().map(|(address, _)| *address).collect();
        self.names.set(&addresses);
    }

    /// Puts another ingest into the place of the oldest. Its name is taken away last, so that callers find its door
    /// closed, as they do where DNS is slow.
    fn replace_ingest(&mut self) {
        self.add_ingest();
        self.ingests[0].1.signal("TERM");
        assert_eq!(self.ingests[0].1.exit_code(), Some(0));
        self.ingests.remove(0);
        self.name();
    }

    /// The oldest worker goes, and another comes.
    async fn replace_worker(&mut self) {
        let mut oldest = self.workers.remove(0);
        oldest.stop().await;
        self.workers.push(Worker::start(self.cluster, &[]));
        all_owned(&mut self.workers).await;
    }

    fn replace_notify(&mut self) {
        let ports = Ports { notify: Ports::free().notify, ..self.cluster.ports };
        let next = self.cluster.start_at("notify", ports);
        self.way.lead_to(ports.notify);
        let mut last = std::mem::replace(&mut self.notify, next);
        last.signal("TERM");
        assert_eq!(last.exit_code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_fails_no_accept_and_new_ingests_get_their_share() {
    let Some(services) = Services::named("a rolling restart") else { return };
    let rest = Duration::from_secs(if is_full() { 60 } else { 3 });
    let mut cluster = Cluster::of(load::world().await, &services, "it_roll");
    let way = Proxy::to(cluster.ports.notify).await;
    cluster.notified_at = way.address;
    cluster.migrate();
    let mut crew = Crew::start(&cluster, way).await;
    let balanced = Balanced::of(&crew.names);
    let load = Load::of(&balanced, CALLERS);
    load.until("orders at one ingest", |counts| counts.accepted >= CALLERS).await;
    let (spread, shares) = scaled_out(&mut crew, &balanced, &load).await;

    let resting = Instant::now();
    pass(&load, rest).await;
    let rolling = Instant::now();
    for _ in 0..INGESTS {
        crew.replace_ingest();
    }
    for _ in 0..2 {
        crew.replace_worker().await;
    }
    crew.replace_notify();
    let rolled = Instant::now();
    // What the last of them might have left undone would show now.
    pass(&load, rest).await;
    let at_rest = load.times(|at| at >= resting && (at < rolling || at >= rolled));
    let in_roll = load.times(|at| at >= rolling && at < rolled);
    let counts = load.counts();
    let ends = load.judge(&cluster, &client(crew.ingests[0].0).await).await;
    println!(
        "verified: rolling restart of {INGESTS} ingests, 2 workers and notify in {:.1} s under load: {} accepts, none \
         failed, {} attempts repeated; p99 of an accept {:.1} ms in the roll, {:.1} ms at rest; 1 -> {INGESTS} ingests: \
         all of them have calls after {:.1} s of {} s, then {shares:?} of {COUNTED}; {ends}",
        rolled.duration_since(rolling).as_secs_f64(),
        counts.accepted,
        balanced.repeated(),
        in_roll.percentile_ms(99.0),
        at_rest.percentile_ms(99.0),
        spread.as_secs_f64(),
        CONNECTION_AGE_MAX.as_secs()
    );
    assert_eq!((counts.unknown, counts.refused), (0, 0), "nothing but what a further attempt mended");
}

/// Two more ingests come; when all have calls, which is when the connection to the first has reached its age, and how
/// many of the next calls each gets.
async fn scaled_out(crew: &mut Crew<'_>, balanced: &Balanced, load: &Load) -> (Duration, Vec<u64>) {
    for _ in 1..INGESTS {
        crew.add_ingest();
    }
    let come = Instant::now();
    load.until("calls of new ingests", |_| balanced.answered().len() == INGESTS).await;
    let spread = come.elapsed();
    assert!(spread < CONNECTION_AGE_MAX + MOMENT, "{spread:?}");
    let (before, accepted) = (balanced.answered(), load.counts().accepted);
    load.until("calls of all ingests", |counts| counts.accepted >= accepted + COUNTED).await;
    let counted = |before: &BTreeMap<SocketAddr, u64>, address| before.get(address).copied().unwrap_or(0);
    let after = balanced.answered();
    let shares: Vec<u64> = crew
        .ingests
        .iter()
        .map(|(address, _)| counted(&after, address) - counted(&before, address))
        .collect();
    let all: u64 = shares.iter().sum();
    assert!(shares.iter().all(|share| share * 100 >= all * SHARE_MIN), "{shares:?}");
    (spread, shares)
}

/// Lets the load go on for a time, and a little longer where nothing was accepted meanwhile.
async fn pass(load: &Load, time: Duration) {
    let (until, accepted) = (Instant::now() + time, load.counts().accepted);
    load.until("the load goes on", |counts| Instant::now() >= until && counts.accepted > accepted).await;
}
