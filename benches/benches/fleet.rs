//! Whole lives of orders on Kafka and a CQL database: ingest, notify and workers as processes of their own, which share
//! the cores with the services, the provider and the platform.
#![expect(clippy::print_stdout, reason = "a bench says why it measures nothing")]

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use paymux_benches::{
    At, Cluster, Course, Driver, Due, Goal, Line, Part, Platform, SLOW, Site, Topic, of_each, played,
};
use tokio::runtime::{Builder, Runtime};

/// Rounds of each figure, and whole lives in each and before those that are measured.
const ROUNDS: usize = 3;
const LIVES: u64 = 3_000;
const WARM: u64 = 1_000;
/// Orders that are under way at once on a stream, and calls that wait at once.
const STREAMED: usize = 256;
const WAITING: usize = 64;
/// Workers that are compared with one.
const WORKERS: usize = 4;
/// Orders whose rows are counted.
const SAMPLE: u64 = 64;
/// Creates of a round that wait.
const CREATES: u64 = 2_000;
/// Shares of what is possible at which latency is looked at, and for how long.
const SHARES: [f64; 2] = [0.3, 0.7];
const STEADY_S: f64 = 4.0;
/// How long a steady rate goes on before a worker joins, and altogether.
const JOIN_AFTER: Duration = Duration::from_secs(4);
const JOIN_S: f64 = 14.0;

fn main() -> Result<()> {
    if played()? {
        return Ok(());
    }
    let services = Runtime::new()?;
    let Some(cluster) = services.block_on(Cluster::begin("fleet"))? else {
        println!("SKIPPED: lives on a cluster: PAYMUX_TEST_KAFKA and PAYMUX_TEST_CQL name no services");
        return Ok(());
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let fleet = Fleet::start(&cluster, &runtime)?;
    fleet.whole()?;
    services.block_on(fleet.bytes(&cluster))?;
    let capacity = fleet.waits()?;
    fleet.steady(capacity)?;
    fleet.joined(capacity * SHARES[0])?;
    fleet.end()?;
    services.block_on(cluster.end())
}

/// The processes, of which the workers change.
struct Fleet<'a> {
    runtime: &'a Runtime,
    site: Site,
    ingest: Part,
    notify: Part,
    worker: Part,
    platform: Arc<Platform>,
}

impl<'a> Fleet<'a> {
    fn start(cluster: &Cluster, runtime: &'a Runtime) -> Result<Self> {
        let site = Site::on(cluster, At::Xorpay)?;
        let start = |role| site.start(role).map(|(part, _)| part);
        let (worker, notify, ingest) = (start("worker")?, start("notify")?, start("ingest")?);
        let platform = runtime.block_on(Platform::connect(&site, 0))?;
        Ok(Self { runtime, ingest, notify, worker, platform, site })
    }

    fn lives(&self, count: u64) -> Result<Duration> {
        self.runtime.block_on(self.platform.streamed(Course::Pays, count, STREAMED))
    }

    fn end(self) -> Result<()> {
        drop(self.platform);
        [self.ingest, self.notify, self.worker].into_iter().try_for_each(Part::stop)
    }

    /// By one worker and by several, in turn.
    fn whole(&self) -> Result<()> {
        let mut one = Figures::default();
        let mut several = Figures::default();
        for _ in 0..ROUNDS {
            one.add(self.round(&[])?);
            let started = (1..WORKERS).map(|_| self.site.start("worker").map(|(part, _)| part));
            let others = started.collect::<Result<Vec<_>>>()?;
            several.add(self.round(&others)?);
            others.into_iter().try_for_each(Part::stop)?;
        }
        let note = format!("{LIVES} lives a round, {STREAMED} under way; accepted, created, paid, told");
        let line = |bench, unit, values| Line::new(bench, unit, values).note(note.clone());
        line("fleet/whole/rate", "1/s", one.rates).tell()?;
        line("fleet/whole/cpu", "ms", one.engine).goal(Goal::AtMost(0.6)).tell()?;
        line("fleet/whole/cpu/worker", "ms", one.workers.clone()).tell()?;
        line("fleet/whole/cpu/ingest", "ms", one.ingest).tell()?;
        line("fleet/whole/cpu/notify", "ms", one.notify).tell()?;
        line("fleet/workers/rate", "1/s", several.rates).tell()?;
        let per_cpu_s = |costs: Vec<f64>| costs.into_iter().map(|ms| 1000.0 / ms).collect();
        Line::new("fleet/workers/per_cpu_s", "1/s", per_cpu_s(several.workers))
            .beside("one worker", per_cpu_s(one.workers))
            .goal(Goal::AtLeast(0.9))
            .note(format!("orders per CPU second of {WORKERS} worker processes; {note}"))
            .tell()
    }

    /// What the lives so far have left in log and store.
    async fn bytes(&self, cluster: &Cluster) -> Result<()> {
        let lives = u32::try_from(self.platform.next())?;
        let note = format!("payload and headers, after {lives} whole lives");
        for (name, topic) in [("fleet/bytes/log", Topic::Log), ("fleet/bytes/events", Topic::Events)] {
            let each = cluster.bytes(topic)? / f64::from(lives);
            Line::new(name, "B", vec![each]).note(note.clone()).tell()?;
        }
        let driver = Driver::start(cluster).await?;
        let mut bytes = Vec::new();
        for number in 0..SAMPLE {
            let (merchant, order_no) = self.platform.name(number);
            bytes.push(f64::from(u32::try_from(driver.stored_bytes(merchant, &order_no).await?)?));
        }
        let note = format!("facts and follow-up of {SAMPLE} ended orders");
        Line::new("fleet/bytes/store", "B", bytes).note(note).tell()
    }

    /// Some lives, first to warm up.
    fn round(&self, others: &[Part]) -> Result<Costs> {
        self.lives(WARM)?;
        let used = || -> Result<[Duration; 3]> {
            let mut workers = self.worker.cpu_time()?;
            for other in others {
                workers += other.cpu_time()?;
            }
            Ok([workers, self.ingest.cpu_time()?, self.notify.cpu_time()?])
        };
        let before = used()?;
        let took = self.lives(LIVES)?;
        let after = used()?;
        let mut ms = [0.0; 3];
        for ((ms, after), before) in ms.iter_mut().zip(after).zip(before) {
            *ms = of_each(after.saturating_sub(before), LIVES)? / 1000.0;
        }
        Ok(Costs { rate: 1e6 / of_each(took, LIVES)?, ms })
    }

    /// Creates that wait for the answer, as many as fit.
    fn waits(&self) -> Result<f64> {
        let (mut rates, mut p99s) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let created = self.platform.created(Course::Pays, CREATES, WAITING);
            let (took, times) = self.runtime.block_on(created)?;
            rates.push(1e6 / of_each(took, CREATES)?);
            p99s.push(times.percentile_ms(99)?);
        }
        let mut sorted = rates.clone();
        sorted.sort_by(f64::total_cmp);
        let note = format!("{CREATES} creates a round, {WAITING} in flight, each paid");
        Line::new("fleet/wait/rate", "1/s", rates).note(note.clone()).tell()?;
        Line::new("fleet/wait/p99", "ms", p99s).note(note).tell()?;
        sorted.get(ROUNDS / 2).copied().context("no round")
    }

    /// The same at shares of what is possible, with a provider that takes its time.
    fn steady(&self, capacity: f64) -> Result<()> {
        let names = ["fleet/added/p99_at_30", "fleet/added/p99_at_70"];
        for ((name, share), goal) in names.into_iter().zip(SHARES).zip([Some(Goal::AtMost(30.0)), None]) {
            let rate = capacity * share;
            let mut p99s = Vec::new();
            for _ in 0..ROUNDS {
                let calls = self.platform.created_at(Course::Slow, rate, STEADY_S);
                let calls = self.runtime.block_on(calls)?;
                p99s.push(Due::times(&calls).percentile_ms(99)? - SLOW.as_secs_f64() * 1000.0);
            }
            let note = format!(
                "{rate:.0} creates/s of {capacity:.0}/s; the provider answers after {SLOW:?}, which is taken off"
            );
            Line::new(name, "ms", p99s).goal(goal).note(note).tell()?;
        }
        Ok(())
    }

    /// A second worker joins under a steady rate; beside the same rate before it came.
    fn joined(&self, rate: f64) -> Result<()> {
        let (mut at_rest, mut joining) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            // The worker of the round before has left, and what it owned is at its new place.
            self.lives(WARM)?;
            let (calls, joined) = self.runtime.block_on(async {
                let joins = async {
                    tokio::time::sleep(JOIN_AFTER).await;
                    // Until it is ready the thread is lent to it; the calls go on.
                    let site = self.site.config_file();
                    tokio::task::spawn_blocking(move || Part::worker(&site)).await?
                };
                tokio::join!(self.platform.created_at(Course::Pays, rate, JOIN_S), joins)
            });
            let (before, after): (Vec<Due>, Vec<Due>) =
                calls?.into_iter().partition(|call| call.at < JOIN_AFTER);
            at_rest.push(Due::times(&before).percentile_ms(99)?);
            joining.push(Due::times(&after).percentile_ms(99)?);
            joined?.stop()?;
        }
        let note = format!(
            "{rate:.0} creates/s, from the start of the worker for {:.0} s",
            JOIN_S - JOIN_AFTER.as_secs_f64()
        );
        Line::new("fleet/joins/p99", "ms", joining)
            .beside("p99 before it joins", at_rest)
            .goal(Goal::AtMost(5.0))
            .note(note)
            .tell()
    }
}

/// What a life cost: lives per second, and milliseconds of workers, ingest and notify.
struct Costs {
    rate: f64,
    ms: [f64; 3],
}

/// Rounds of these.
#[derive(Default)]
struct Figures {
    rates: Vec<f64>,
    engine: Vec<f64>,
    workers: Vec<f64>,
    ingest: Vec<f64>,
    notify: Vec<f64>,
}

impl Figures {
    fn add(&mut self, Costs { rate, ms }: Costs) {
        let [workers, ingest, notify] = ms;
        self.rates.push(rate);
        self.engine.push(workers + ingest + notify);
        self.workers.push(workers);
        self.ingest.push(ingest);
        self.notify.push(notify);
    }
}
