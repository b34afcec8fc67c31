//! The worker: takes records of its partitions from the log and hands each to its order's queue.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use paymux_domain::ports::{
    Clock, CommandLog, DeadRecord, Delivered, Directory, Entropy, LogConsumer, LogError, LogInput,
    OrderStore, ProviderGateway, StepWriter, Undecodable,
};
use paymux_domain::shard::Partition;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::EngineConfig;
use crate::deadline::Bounded;
use crate::partition::{Owner, Shared};
use crate::queue::{self, Work};
use crate::spawn::Spawn;
use crate::status::WorkerStatus;
use crate::unconfigured::Alerts;
use crate::waiters::Waiters;

/// Records taken from the log at once.
const BATCH_MAX: usize = 512;
/// Physical pause between looks at whether what was begun has ended.
const DRAIN_LOOK: Duration = Duration::from_millis(20);

/// What a worker is made of.
pub struct WorkerParts {
    /// Its membership in the group of owners.
    pub consumer: Arc<dyn LogConsumer>,
    /// The log's writing side.
    pub log: Arc<dyn CommandLog>,
    /// The store.
    pub store: Arc<dyn OrderStore>,
    /// Writes whole steps, where log and store are one database; `None`: each part of a step is written by itself, in
    /// the order in which they heal each other.
    pub steps: Option<Arc<dyn StepWriter>>,
    /// The providers.
    pub gateway: Arc<dyn ProviderGateway>,
    /// Merchants and accounts.
    pub directory: Arc<dyn Directory>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for nonces.
    pub entropy: Arc<dyn Entropy>,
    /// Where its tasks run.
    pub spawner: Arc<dyn Spawn>,
    /// Settings.
    pub config: EngineConfig,
}

impl std::fmt::Debug for WorkerParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WorkerParts")
    }
}

/// Why a worker ended other than by being stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The log or the store failed for good: the process must end, and start again on the same data.
    #[error("{0}")]
    Fatal(String),
    /// What was in work did not end within the drain time-out; it is found again at the next start.
    #[error("{0} orders were still in work when the drain time-out ended")]
    DrainTimeout(usize),
}

/// A worker.
pub struct Worker {
    shared: Arc<Shared>,
    owners: BTreeMap<Partition, Arc<Owner>>,
    fatal: watch::Receiver<Option<String>>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Worker({} partitions)", self.owners.len())
    }
}

impl Worker {
    /// Puts a worker together; nothing runs yet.
    #[must_use]
    pub fn new(parts: WorkerParts) -> Self {
        let WorkerParts { consumer, log, store, steps, gateway, directory, clock, entropy, spawner, config } =
            parts;
        let (sender, fatal) = watch::channel(None);
        let status = Arc::new(WorkerStatus::default());
        let shared = Arc::new(Shared {
            consumer: Arc::new(Bounded::new(consumer, clock.clone(), status.clone())),
            log: Arc::new(Bounded::new(log, clock.clone(), status.clone())),
            store: Arc::new(Bounded::new(store, clock.clone(), status.clone())),
            steps: steps.map(|steps| Arc::new(Bounded::new(steps, clock.clone(), status.clone())) as _),
            gateway,
            directory,
            clock,
            entropy,
            spawner,
            config,
            waiters: Waiters::default(),
            confirming: tokio::sync::Mutex::default(),
            status,
            alerts: Alerts::default(),
            fatal: sender,
        });
        Self { shared, owners: BTreeMap::new(), fatal }
    }

    /// Readiness and counters; lives on while the worker runs.
    #[must_use]
    pub fn status(&self) -> Arc<WorkerStatus> {
        self.shared.status.clone()
    }

    /// Works until it is stopped, then drains within the configured time.
    ///
    /// # Errors
    /// When log or store fail for good, or the drain does not end in time.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), EngineError> {
        let mut fatal = self.fatal.clone();
        let ended = loop {
            let input = tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                failed = fatal.wait_for(Option::is_some) => {
                    let reason = failed.ok().and_then(|reason| reason.clone()).unwrap_or_default();
                    break Err(EngineError::Fatal(reason));
                }
                input = self.shared.consumer.next(BATCH_MAX) => input,
            };
            match input {
                Ok(input) => {
                    self.shared.status.set_reads_log(true);
                    self.take(input).await;
                }
                Err(LogError::Unavailable(reason)) => {
                    self.shared.status.set_reads_log(false);
                    tracing::warn!(%reason, "the log cannot be read");
                    self.shared.pause(self.shared.config.infrastructure_pause).await;
                }
                Err(LogError::Fatal(reason)) => break Err(EngineError::Fatal(reason)),
            }
        };
        self.shared.status.set_reads_log(false);
        let drained = if ended.is_ok() { self.drain().await } else { Ok(()) };
        for owner in self.owners.values() {
            owner.end();
        }
        ended.and(drained)
    }

    /// Acts on an input. A partition that was lost is let go of before the next input is asked for: until then the log
    /// gives it to nobody else.
    async fn take(&mut self, input: LogInput) {
        match input {
            LogInput::Assigned { partition, generation, start } => {
                if let Some(former) = self.owners.remove(&partition) {
                    former.let_go().await;
                }
                let owner = Owner::start(self.shared.clone(), partition, generation, start);
                self.owners.insert(partition, owner);
            }
            LogInput::Revoked { partition } => {
                if let Some(owner) = self.owners.remove(&partition) {
                    self.finish(&owner).await;
                    owner.let_go().await;
                }
            }
            LogInput::Records { partition, records } => {
                let Some(owner) = self.owners.get(&partition) else { return };
                for delivered in records {
                    self.deliver(owner, delivered);
                }
            }
        }
    }

    /// Begins nothing more for a partition, and waits a little for its calls: an answer that comes now need not be asked
    /// for by the next owner, and a call that has not left yet is noted as not sent.
    async fn finish(&self, owner: &Owner) {
        owner.draining.cancel();
        let Some(until) = owner.may_finish_until() else { return };
        while !owner.is_idle() && self.shared.clock.now() < until {
            self.shared.pause(DRAIN_LOOK).await;
        }
    }

    fn deliver(&self, owner: &Arc<Owner>, delivered: Delivered) {
        let Delivered { offset, record } = delivered;
        if let Err(Undecodable::NewerFormat { format_version }) = record {
            let partition = owner.partition.0;
            tracing::error!(
                partition,
                offset,
                format_version,
                "a record of a newer version: the partition waits for a newer binary"
            );
            owner.halt();
        }
        if !owner.enter(offset) {
            return;
        }
        self.shared.status.records.add();
        match record {
            Ok(record) => {
                let key = record.key().clone();
                queue::push(owner, &key, Work::Record { offset, record });
            }
            Err(Undecodable::Malformed { reason, raw }) => {
                let find_time = Some(self.shared.clock.now());
                let dead = DeadRecord { partition: owner.partition, offset, reason, find_time, raw };
                self.shared.spawner.spawn(Box::pin(bury(owner.clone(), dead)));
            }
            Err(Undecodable::NewerFormat { .. }) => {}
        }
    }

    /// Begins nothing more, waits until nothing is in work, then commits and leaves the group.
    async fn drain(&mut self) -> Result<(), EngineError> {
        let shared = self.shared.clone();
        for owner in self.owners.values() {
            owner.draining.cancel();
        }
        let deadline = shared.clock.now() + shared.stretch(shared.config.drain_timeout);
        loop {
            let busy: usize =
                self.owners.values().filter(|owner| !owner.is_idle()).map(|owner| owner.queues.len()).sum();
            let idle = self.owners.values().all(|owner| owner.is_idle());
            if !idle && shared.clock.now() < deadline {
                self.let_go_while_draining().await;
                continue;
            }
            for owner in self.owners.values() {
                owner.commit().await;
                // Before the group hears of it: whoever gets the partition next must be alone.
                owner.let_go().await;
            }
            shared.consumer.leave().await;
            return if idle { Ok(()) } else { Err(EngineError::DrainTimeout(busy)) };
        }
    }

    /// Waits a little, and lets go of a partition that the log asks back meanwhile: until then it gives it to nobody,
    /// and renews no lease. Whatever else comes is for the next owner.
    async fn let_go_while_draining(&mut self) {
        let shared = self.shared.clone();
        let revoked = async {
            loop {
                match shared.consumer.next(BATCH_MAX).await {
                    Ok(LogInput::Revoked { partition }) => return partition,
                    Ok(LogInput::Assigned { .. } | LogInput::Records { .. }) => {}
                    Err(_) => shared.pause(DRAIN_LOOK).await,
                }
            }
        };
        let partition = tokio::select! {
            biased;
            () = shared.pause(DRAIN_LOOK) => return,
            partition = revoked => partition,
        };
        if let Some(owner) = self.owners.remove(&partition) {
            owner.let_go().await;
        }
    }
}

/// Keeps a record that cannot be read; only then may the position pass it.
async fn bury(owner: Arc<Owner>, dead: DeadRecord) {
    let offset = dead.offset;
    tracing::error!(
        partition = owner.partition.0,
        offset,
        reason = dead.reason,
        "a record cannot be read: buried"
    );
    while !owner.cancel.is_cancelled() {
        match owner.shared.log.bury(dead.clone()).await {
            Ok(()) => {
                owner.shared.status.buried.add();
                owner.record_done(offset);
                return;
            }
            Err(_) => owner.shared.pause(owner.shared.config.infrastructure_pause).await,
        }
    }
}
