//! The processes: workers that start, crash at any await, stall, lose their partitions, stop and come back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use paymux_backends::faults::{FaultHook, Steps, Unreliable};
use paymux_backends::memory::{MemoryConsumer, MemorySteps, Notice};
use paymux_domain::name::{AccountId, MerchantId};
use paymux_domain::ports::{
    AccountPolicy, BoxFuture, Budget, Clock, Directory, DuplicatePolicy, Entropy, LatePolicy, LogConsumer,
    MerchantPolicy, StepWriter,
};
use paymux_domain::shard::Partition;
use paymux_domain::time::{ClockFactor, Timestamp};
use paymux_engine::spawn::Spawn;
use paymux_engine::{EngineConfig, Worker, WorkerParts};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::SimClock;
use crate::hook::ProcessHook;
use crate::plan::{HANDOVER_EVERY, Plan, Theme};
use crate::world::World;

/// The lease of the simulated workers, and the broker's session time-out: more than three leases.
pub(crate) const LEASE: Duration = Duration::from_secs(20);
const SESSION: Duration = Duration::from_secs(61);
const COMMIT: Duration = Duration::from_secs(6);

/// Budget of each account and operation.
pub(crate) const BUDGET: Budget = Budget { per_second: 2, burst: 4 };

/// The configuration as one process knows it.
struct SimDirectory {
    plan: Plan,
    clock: SimClock,
    /// A merchant that this process does not know yet, or no more, until that time.
    lacks: Mutex<Option<(MerchantId, Timestamp)>>,
}

impl Directory for SimDirectory {
    fn merchant(&self, merchant_id: &MerchantId) -> Option<MerchantPolicy> {
        let lacks = |(lacked, until): &(MerchantId, _)| lacked == merchant_id && *until > self.clock.now();
        if self.lacks.lock().as_ref().is_some_and(lacks) {
            return None;
        }
        // Every second merchant keeps late money for a person to judge; of the others some give it back.
        Some(match merchant_id.as_str().as_bytes().last().map_or(0, |digit| digit % 4) {
            0 => MerchantPolicy {
                late_payment: LatePolicy::Complete,
                duplicate_payment: DuplicatePolicy::Park,
            },
            2 => MerchantPolicy {
                late_payment: LatePolicy::Refund,
                duplicate_payment: DuplicatePolicy::Refund,
            },
            _ => MerchantPolicy { late_payment: LatePolicy::Park, duplicate_payment: DuplicatePolicy::Park },
        })
    }

    fn account(&self, account: &AccountId, partition: Partition) -> Option<AccountPolicy> {
        let whole = AccountPolicy { budgets: [BUDGET; 4], in_flight_max: self.plan.in_flight };
        // `KIND-N` is an account of merchant `mN`.
        let (_, number) = account.as_str().rsplit_once('-')?;
        let group = self.plan.group(&format!("m{number}"));
        let slices: Vec<u16> = group.slices_in(partition, self.plan.partitions).collect();
        Some(whole.share(slices, group.slices()))
    }
}

struct SimEntropy(Mutex<ChaCha8Rng>);

impl Entropy for SimEntropy {
    fn next_u64(&self) -> u64 {
        self.0.lock().random()
    }
}

/// Tasks of one process, so that a crash takes all of them at once.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<Vec<AbortHandle>>>);

impl Tasks {
    fn kill(&self) {
        for task in self.0.lock().drain(..) {
            task.abort();
        }
    }
}

impl Spawn for Tasks {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        let mut tasks = self.0.lock();
        if tasks.len() > 4096 {
            tasks.retain(|task| !task.is_finished());
        }
        tasks.push(tokio::spawn(task).abort_handle());
    }
}

struct Process {
    clock: SimClock,
    hook: Arc<ProcessHook>,
    directory: Arc<SimDirectory>,
    consumer: Arc<MemoryConsumer>,
    tasks: Tasks,
    stop: CancellationToken,
}

/// All processes of a world.
pub(crate) struct Fleet {
    world: Arc<World>,
    rng: ChaCha8Rng,
    processes: Vec<Process>,
}

impl Fleet {
    pub(crate) fn start(world: Arc<World>, rng: ChaCha8Rng) -> Self {
        let mut fleet = Self { world, rng, processes: Vec::new() };
        for _ in 0..fleet.world.plan.processes {
            fleet.add();
        }
        fleet.world.cluster.rebalance(Notice::Now);
        fleet
    }

    fn add(&mut self) {
        let world = &self.world;
        let offset = self.rng.random_range(-200..200);
        let clock = world.clock.with_offset(offset);
        let seed = |rng: &mut ChaCha8Rng| ChaCha8Rng::seed_from_u64(rng.random());
        let (faults, points) = (world.plan.faults.clone(), world.points.clone());
        let (active, whenever) = (world.active.clone(), world.trial.lands_whenever);
        let hook = ProcessHook::new(seed(&mut self.rng), faults, clock.clone(), points, active, whenever);
        let steps = Steps::new(hook.clone() as Arc<dyn FaultHook>, Arc::new(clock.clone()));
        let consumer = Arc::new(world.cluster.join());
        let mut config = EngineConfig::new(ClockFactor::REAL);
        config.lease = LEASE;
        config.commit_interval = COMMIT;
        config.takeover_overlap = SESSION * 2;
        config.wheel_max = world.plan.wheel;
        config.window_max = world.plan.window;
        config.timing.plant = world.trial.out;
        let tasks = Tasks::default();
        let plan = world.plan.clone();
        let directory = Arc::new(SimDirectory { plan, clock: clock.clone(), lacks: Mutex::new(None) });
        let store = world.store.clone().with_steps(steps.clone());
        let parts = WorkerParts {
            consumer: Arc::new(Unreliable::new(consumer.clone() as Arc<dyn LogConsumer>, steps.clone())),
            log: Arc::new(Unreliable::new(Arc::new(world.cluster.log()), steps.clone())),
            store: Arc::new(Unreliable::new(Arc::new(store), steps.clone())),
            steps: self.whole_steps(&steps),
            gateway: Arc::new(world.providers.called_by(consumer.member())),
            directory: directory.clone(),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SimEntropy(Mutex::new(seed(&mut self.rng)))),
            spawner: Arc::new(tasks.clone()),
            config,
        };
        let stop = CancellationToken::new();
        let worker = Worker::new(parts);
        let stopping = stop.clone();
        tasks.spawn(Box::pin(async move {
            // A drain that does not end in time leaves its work to the next owner, as a crash does.
            drop(worker.run(stopping).await);
        }));
        self.processes.push(Process { clock, hook, directory, consumer, tasks, stop });
    }

    /// What writes whole steps, where the seed has one database for log and store.
    fn whole_steps(&self, steps: &Arc<Steps>) -> Option<Arc<dyn StepWriter>> {
        let world = &self.world;
        let whole = MemorySteps::new(world.cluster.log(), world.store.clone());
        let whole = Unreliable::new(Arc::new(whole), steps.clone());
        // A rule that is taken out is one about the parts of a step.
        let is_wanted = world.plan.one_database && world.trial.out.is_none();
        is_wanted.then(|| Arc::new(whole) as Arc<dyn StepWriter>)
    }

    /// Spreads the partitions over all processes. As in a real group, nobody gets a partition before its former owner
    /// has let go of it or certainly has no lease any more.
    async fn spread(&self) {
        let cluster = &self.world.cluster;
        for partition in (0..self.world.plan.partitions).map(Partition) {
            cluster.revoke(partition, Notice::Now);
        }
        self.world.clock.sleep(LEASE + Duration::from_secs(1)).await;
        cluster.rebalance(Notice::Now);
    }

    /// Lets time pass, with whatever befalls processes meanwhile.
    pub(crate) async fn live_for(&mut self, time: Duration) {
        let until = self.world.clock.now() + time;
        loop {
            let now = self.world.clock.now();
            if now >= until {
                return;
            }
            if self.world.plan.theme == Theme::Handover && self.world.active.load(Ordering::Relaxed) {
                self.handover().await;
                continue;
            }
            let pause_max = if self.world.plan.theme == Theme::Zombies { 240 } else { 2400 };
            let mishap = Duration::from_secs(self.rng.random_range(30..pause_max)).min(until.since(now));
            let crashed = {
                let waits = self.processes.iter().map(|process| Box::pin(process.hook.crash.notified()));
                let waits: Vec<_> = waits.collect();
                tokio::select! {
                    biased;
                    ((), which, _) = futures_util::future::select_all(waits) => Some(which),
                    () = self.world.clock.sleep(mishap) => None,
                }
            };
            match crashed {
                Some(which) => self.crash(which).await,
                None if self.world.active.load(Ordering::Relaxed) => self.mishap().await,
                None => {}
            }
        }
    }

    async fn crash(&mut self, which: usize) {
        let gone = self.processes.remove(which);
        gone.tasks.kill();
        self.world.truth.lock().note(self.world.clock.now(), "crash");
        // The broker notices at once (the connection broke) or only when the session times out.
        if self.rng.random_bool(0.5) && !self.processes.is_empty() {
            self.world.clock.sleep(SESSION).await;
        }
        self.world.cluster.evict(gone.consumer.member());
        self.world.clock.sleep(Duration::from_millis(self.rng.random_range(100..20_000))).await;
        self.add();
        self.spread().await;
    }

    async fn mishap(&mut self) {
        let which = self.rng.random_range(0..self.processes.len());
        let faults = &self.world.plan.faults;
        match self.rng.random_range(0..6) {
            0 | 4 if faults.stall => self.stall(which).await,
            1 if faults.move_partitions => {
                self.world.truth.lock().note(self.world.clock.now(), "a process comes and one goes");
                self.add();
                self.spread().await;
                let gone = self.processes.remove(which);
                gone.stop.cancel();
                self.world.clock.sleep(Duration::from_secs(25)).await;
                gone.tasks.kill();
                self.world.cluster.evict(gone.consumer.member());
            }
            2 if faults.clock_jump => {
                let by = self.rng.random_range(0..3_000);
                self.processes[which].clock.jump(by);
            }
            3 if faults.outage => {
                let outage = &self.world.providers.outage;
                outage.store(true, Ordering::Relaxed);
                self.world.clock.sleep(Duration::from_secs(self.rng.random_range(10..1800))).await;
                outage.store(false, Ordering::Relaxed);
            }
            5 if faults.stale_config => {
                let merchant = self.rng.random_range(0..self.world.plan.merchants);
                let merchant: MerchantId = format!("m{merchant}").parse().expect("a valid merchant");
                self.world.truth.lock().note(self.world.clock.now(), format_args!("{merchant} is not known"));
                let process = &self.processes[which];
                let until = process.clock.now() + Duration::from_secs(self.rng.random_range(1..1200));
                *process.directory.lacks.lock() = Some((merchant, until));
            }
            _ => {}
        }
    }

    /// At every full interval one process falls silent; often the one that takes over does not live long.
    async fn handover(&mut self) {
        let every = i64::try_from(HANDOVER_EVERY.as_millis()).expect("fits");
        let now = self.world.clock.now();
        let next = Timestamp::from_millis((now.as_millis().div_euclid(every) + 1) * every);
        self.world.clock.sleep(next.since(now)).await;
        self.stall(0).await;
    }

    /// The broker hears nothing of a process for longer than its session: its partitions go to others while it goes
    /// on working without knowing; later it hears of it and takes part again.
    async fn stall(&mut self, which: usize) {
        let silent = SESSION + Duration::from_secs(self.rng.random_range(1..600));
        let now = self.world.clock.now();
        let process = &self.processes[which];
        process.hook.stall_until(process.clock.now() + silent);
        let member = process.consumer.member();
        self.world.truth.lock().note(now, "stall");
        self.world.clock.sleep(SESSION).await;
        if self.processes.len() == 1 {
            self.add();
        }
        // The session has run out: the others get its partitions, and it is not told.
        self.world.cluster.evict(member);
        if self.world.plan.theme == Theme::Handover && self.rng.random_bool(0.5) {
            self.world.clock.sleep(Duration::from_secs(self.rng.random_range(20..200))).await;
            let heir = (which + 1) % self.processes.len();
            self.crash(heir).await;
        }
        let left = (now + silent).since(self.world.clock.now());
        self.world.clock.sleep(left).await;
        self.world.cluster.readmit(member);
        self.spread().await;
    }

    /// Faults have stopped: processes that still wait for the broker wait no longer, and know every merchant.
    pub(crate) fn settle(&mut self) {
        self.world.providers.outage.store(false, Ordering::Relaxed);
        for process in &self.processes {
            process.hook.stall_until(process.clock.now());
            *process.directory.lacks.lock() = None;
        }
    }
}
