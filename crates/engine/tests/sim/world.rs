//! One simulated day: cluster, store, providers, processes and callers, driven by one seed on one thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use paymux_backends::ReplyRouter;
use paymux_backends::memory::{MemoryCluster, MemoryLogConfig, MemoryStore};
use paymux_domain::command::Record;
use paymux_domain::name::ShardGroup;
use paymux_domain::plant::Plant;
use paymux_domain::ports::{AppendError, CommandLog};
use paymux_domain::shard::Partition;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::auditor;
use crate::clock::SimClock;
use crate::doors::Early;
use crate::fleet::Fleet;
use crate::hook::Points;
use crate::people;
use crate::plan::{DAY, Plan, QUIET};
use crate::provider::SimProviders;
use crate::truth::Truth;
use crate::workload::{self, Accepted};

/// Appends records as ingest and notify do: until the log has acknowledged them.
#[derive(Clone)]
pub(crate) struct Notifier {
    pub(crate) log: Arc<dyn CommandLog>,
    pub(crate) clock: SimClock,
    pub(crate) rng: Arc<Mutex<ChaCha8Rng>>,
    pub(crate) active: Arc<AtomicBool>,
    pub(crate) duplicates: u32,
}

impl Notifier {
    /// Appends; the acknowledgement may be lost, and then the same record is appended again.
    pub(crate) async fn send(&self, group: &ShardGroup, record: Record) {
        let partition = Partition::of(group, self.log.partitions());
        loop {
            let (faulty, draw) =
                (self.active.load(Ordering::Relaxed), self.rng.lock().random_range(0..1000_u32));
            let appended: Result<_, AppendError> = self.log.append(partition, record.clone()).await;
            let acknowledged = appended.is_ok() && !(faulty && draw < self.duplicates);
            if acknowledged {
                return;
            }
            self.clock.sleep(Duration::from_millis(500)).await;
        }
    }
}

/// What is tried besides the seed's own faults.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trial {
    /// The rule that is out.
    pub(crate) out: Option<Plant>,
    /// Stalled processes break the margins, to see that a rule holds even then.
    pub(crate) lands_whenever: bool,
}

/// Everything that outlives a process.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) plan: Plan,
    pub(crate) trial: Trial,
    pub(crate) clock: SimClock,
    pub(crate) cluster: MemoryCluster,
    pub(crate) store: MemoryStore,
    pub(crate) truth: Arc<Mutex<Truth>>,
    pub(crate) providers: SimProviders,
    pub(crate) active: Arc<AtomicBool>,
    pub(crate) points: Points,
    pub(crate) accepted: Arc<Mutex<Vec<Accepted>>>,
}

/// What a run led to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) orders: u32,
    pub(crate) violations: Vec<auditor::Violation>,
    pub(crate) trace: Vec<String>,
    pub(crate) story: Vec<String>,
}

/// Runs a seed, with a rule taken out or none.
pub(crate) fn run(seed: u64, trial: Trial, points: &Points) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime on this thread");
    runtime.block_on(async {
        let world = World::new(seed, trial, points.clone());
        world.day().await
    })
}

impl World {
    fn new(seed: u64, trial: Trial, points: Points) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let plan = Plan::draw(&mut rng, seed);
        let clock = SimClock::new();
        let active = Arc::new(AtomicBool::new(true));
        let config = MemoryLogConfig { partitions: plan.partitions, ..MemoryLogConfig::default() };
        let cluster = MemoryCluster::new(config, Arc::new(clock.clone()), ReplyRouter::default());
        let truth = Arc::new(Mutex::new(Truth::default()));
        let mut stream = || Arc::new(Mutex::new(ChaCha8Rng::seed_from_u64(rng.random())));
        let log: Arc<dyn CommandLog> = if trial.out == Some(Plant::AckAfterDurable) {
            let rng = Mutex::new(ChaCha8Rng::seed_from_u64(seed));
            Arc::new(Early { log: cluster.log(), rng, active: active.clone() })
        } else {
            Arc::new(cluster.log())
        };
        let notifier = Notifier {
            log,
            clock: clock.clone(),
            rng: stream(),
            active: active.clone(),
            duplicates: plan.faults.duplicate_records,
        };
        let providers = SimProviders {
            clock: clock.clone(),
            truth: truth.clone(),
            faults: plan.faults.clone(),
            active: active.clone(),
            outage: Arc::default(),
            rng: stream(),
            notifier,
            form_is_checked: trial.out != Some(Plant::CanonicalForm),
            process: 0,
            live: Arc::default(),
            theme: plan.theme,
            flight_ms_max: plan.flight_ms_max,
        };
        let store = MemoryStore::new();
        let accepted = Arc::default();
        Self { seed, plan, trial, clock, cluster, store, truth, providers, active, points, accepted }
    }

    async fn day(self) -> Outcome {
        let world = Arc::new(self);
        let mut rng = ChaCha8Rng::seed_from_u64(world.seed ^ 0x5eed);
        workload::start(&world, ChaCha8Rng::seed_from_u64(rng.random()));
        people::start(&world);
        let mut fleet = Fleet::start(world.clone(), ChaCha8Rng::seed_from_u64(rng.random()));
        let mut violations = Vec::new();
        let hour = Duration::from_secs(3600);
        let mut elapsed = Duration::ZERO;
        while elapsed < DAY - QUIET && violations.is_empty() {
            fleet.live_for(hour).await;
            elapsed += hour;
            violations = auditor::at_any_time(&world);
        }
        // Faults stop; whatever is owed must now come to its end by itself.
        world.active.store(false, Ordering::Relaxed);
        fleet.settle();
        while elapsed < DAY && violations.is_empty() {
            fleet.live_for(hour).await;
            elapsed += hour;
            violations = auditor::at_any_time(&world);
        }
        if violations.is_empty() {
            violations = auditor::at_the_end(&world);
        }
        world.truth.lock().count();
        let story =
            violations.iter().take(1).flat_map(|violation| auditor::story(&world, violation)).collect();
        let trace = std::mem::take(&mut world.truth.lock().trace);
        Outcome { orders: world.plan.orders, violations, trace, story }
    }
}
