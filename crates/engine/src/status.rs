//! What a worker says of itself: readiness and counters.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use paymux_domain::ports::ShardReport;
use paymux_domain::shard::Partition;

use crate::orders::OrderTallies;
use crate::partition::{Figures, Owner};
use crate::requests::{LogRequests, StoreRequests};
use crate::tally::{Counter, Gauge};

/// Counters and readiness of one worker; cheap to read at any time.
#[derive(Debug, Default)]
pub struct WorkerStatus {
    reads_log: AtomicBool,
    /// The log could not be read when it was last tried.
    log_failed: AtomicBool,
    store_failed: AtomicBool,
    /// Generation of each owned partition, and whether its lease was held after the last commit.
    leases: Mutex<BTreeMap<Partition, (u64, bool)>>,
    /// The newest generation of each partition that was ever owned.
    owners: Mutex<BTreeMap<Partition, Weak<Owner>>>,
    /// Records taken from the log.
    pub records: Counter,
    /// Decisions carried out.
    pub steps: Counter,
    /// Provider calls that left.
    pub calls: Counter,
    /// Calls that were not sent for want of lease, margin or line.
    pub calls_withheld: Counter,
    /// Events acknowledged.
    pub events: Counter,
    /// Due rows that led to a decision.
    pub rows_fired: Counter,
    /// Due rows dropped as superseded.
    pub rows_dropped: Counter,
    /// Steps that waited for store, log or lease.
    pub infrastructure_waits: Counter,
    /// Records buried as undecodable.
    pub buried: Counter,
    /// Records, reports and timers that had to wait for a merchant, account or provider that is not configured.
    pub waiting_for_configuration: Counter,
    /// Orders that hold a slot of a budget and wait for it.
    pub waiting_for_budget: Gauge,
    /// Orders, their ends and their calls.
    pub orders: OrderTallies,
    /// Requests to the store.
    pub store: StoreRequests,
    /// Requests to the log.
    pub log: LogRequests,
}

impl WorkerStatus {
    /// Whether the worker reads its log, holds the leases of its partitions and was answered by the store when it
    /// last asked.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.reads_log.load(Ordering::Acquire)
            && !self.store_failed.load(Ordering::Acquire)
            && self.leases.lock().values().all(|(_, held)| *held)
    }

    /// Whether nothing failed of what the worker did last: as [`WorkerStatus::ready`], but it need not have been given
    /// a partition yet. Of several workers some may have none for ever.
    #[must_use]
    pub fn is_well(&self) -> bool {
        !self.log_failed.load(Ordering::Acquire)
            && !self.store_failed.load(Ordering::Acquire)
            && self.leases.lock().values().all(|(_, held)| *held)
    }

    /// What each owned partition tells of itself, under the worker's name.
    #[must_use]
    pub fn reports(&self, name: &str) -> Vec<ShardReport> {
        let owners: Vec<_> = self.owners.lock().values().filter_map(Weak::upgrade).collect();
        owners.iter().filter_map(|owner| owner.report(name)).collect()
    }

    /// What one partition tells of itself; `None` when it is not owned by this worker.
    #[must_use]
    pub fn report(&self, partition: Partition, name: &str) -> Option<ShardReport> {
        let owner = self.owners.lock().get(&partition).and_then(Weak::upgrade)?;
        owner.report(name)
    }

    /// The figures of each owned partition.
    #[must_use]
    pub fn figures(&self) -> Vec<Figures> {
        let owners: Vec<_> = self.owners.lock().values().filter_map(Weak::upgrade).collect();
        owners.iter().filter_map(|owner| owner.figures()).collect()
    }

    pub(crate) fn owns(&self, owner: &Arc<Owner>) {
        self.owners.lock().insert(owner.partition, Arc::downgrade(owner));
    }

    pub(crate) fn set_reads_log(&self, reads: bool) {
        self.reads_log.store(reads, Ordering::Release);
        self.log_failed.store(!reads, Ordering::Release);
    }

    pub(crate) fn store_answered(&self, well: bool) {
        self.store_failed.store(!well, Ordering::Release);
    }

    pub(crate) fn set_lease(&self, partition: Partition, generation: u64, held: bool) {
        let mut leases = self.leases.lock();
        let known = leases.entry(partition).or_insert((generation, held));
        if known.0 <= generation {
            *known = (generation, held);
        }
    }

    /// A generation has ended. Whoever owns nothing asks the store for nothing, and so is not held to its last answer.
    pub(crate) fn forget_lease(&self, partition: Partition, generation: u64) {
        let mut leases = self.leases.lock();
        if leases.get(&partition).is_some_and(|(known, _)| *known == generation) {
            leases.remove(&partition);
        }
        if leases.is_empty() {
            self.store_answered(true);
        }
    }
}
