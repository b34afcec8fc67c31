//! The cluster in memory: partitions, the group of owners, and the hands of the test that moves partitions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use paymux_domain::ports::{
    Clock, DeadRecord, Delivered, LogError, LogInput, Offset, StoredEvent, Undecodable,
};
use paymux_domain::shard::Partition;
use tokio::sync::Notify;

use super::consumer::MemoryConsumer;
use super::group::{Member, MemberId, Notice};
use super::log::MemoryLog;
use super::partition::PartitionState;
use crate::replies::ReplyRouter;

/// What the log in memory keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLogConfig {
    /// How many partitions there are, at least 1.
    pub partitions: u16,
    /// Records below the committed position that each partition keeps for late former owners.
    pub records_kept: usize,
    /// Events that each partition keeps.
    pub events_kept: usize,
}

impl Default for MemoryLogConfig {
    fn default() -> Self {
        Self { partitions: 8, records_kept: 1 << 20, events_kept: 1 << 20 }
    }
}

/// A broker in memory with one group of owners. Clones share it; it outlives every simulated crash.
///
/// Nothing moves by itself: the test joins members and assigns partitions. A former owner may be told late
/// ([`Notice::Withheld`]): until then it reads, appends and publishes as before, and only its commits are fenced.
#[derive(Clone)]
pub struct MemoryCluster {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) config: MemoryLogConfig,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) replies: ReplyRouter,
    pub(super) event_added: Notify,
    pub(super) state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) partitions: Vec<PartitionState>,
    pub(super) members: BTreeMap<MemberId, Member>,
    pub(super) dead: Vec<DeadRecord>,
    next_member: u64,
    generation: u64,
}

impl fmt::Debug for MemoryCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCluster").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

impl MemoryCluster {
    /// An empty cluster without members.
    #[must_use]
    pub fn new(config: MemoryLogConfig, clock: Arc<dyn Clock>, replies: ReplyRouter) -> Self {
        let config = MemoryLogConfig { partitions: config.partitions.max(1), ..config };
        let partitions = (0..config.partitions).map(|_| PartitionState::default()).collect();
        let state =
            State { partitions, members: BTreeMap::new(), dead: Vec::new(), next_member: 1, generation: 0 };
        let event_added = Notify::new();
        Self { shared: Arc::new(Shared { config, clock, replies, event_added, state: Mutex::new(state) }) }
    }

    /// The writing side.
    #[must_use]
    pub fn log(&self) -> MemoryLog {
        MemoryLog::new(Arc::clone(&self.shared))
    }

    /// The replies of this cluster.
    #[must_use]
    pub fn replies(&self) -> &ReplyRouter {
        &self.shared.replies
    }

    /// Adds a member that owns nothing yet.
    #[must_use]
    pub fn join(&self) -> MemoryConsumer {
        let mut state = self.shared.state.lock();
        let id = MemberId(state.next_member);
        state.next_member += 1;
        let member = Member::joining();
        let wake = Arc::clone(&member.wake);
        state.members.insert(id, member);
        MemoryConsumer::new(Arc::clone(&self.shared), id, wake)
    }

    /// Gives a partition to a member under a new generation, even if it is the owner already.
    ///
    /// Unknown partitions and members change nothing.
    pub fn assign(&self, partition: Partition, to: MemberId, notice: Notice) {
        self.shared.state.lock().assign(partition, to, notice);
    }

    /// Takes a partition away; nobody owns it until the next assignment.
    pub fn revoke(&self, partition: Partition, notice: Notice) {
        self.shared.state.lock().revoke(partition, notice);
    }

    /// Spreads all partitions over the live members in turn; those that stay where they are keep their generation.
    pub fn rebalance(&self, notice: Notice) {
        let mut state = self.shared.state.lock();
        let live: Vec<MemberId> = state.live().collect();
        for (number, to) in (0..self.shared.config.partitions).zip(live.iter().cycle()) {
            let partition = Partition(number);
            if state.partition(partition).is_some_and(|p| p.owner != Some(*to)) {
                state.assign(partition, *to, notice);
            }
        }
    }

    /// Lets a member hear of every revocation that was withheld from it.
    pub fn tell(&self, member: MemberId) {
        if let Some(member) = self.shared.state.lock().members.get_mut(&member) {
            member.tell_of(None);
        }
    }

    /// The group gives a member up (crash, session time-out): its partitions go to the others, and it is not told.
    pub fn evict(&self, member: MemberId) {
        let mut state = self.shared.state.lock();
        if let Some(gone) = state.members.get_mut(&member) {
            gone.live = false;
            state.hand_over(member, Notice::Withheld);
        }
    }

    /// An evicted member finds its way back: it hears of what it lost and takes part in assignments again.
    pub fn readmit(&self, member: MemberId) {
        if let Some(member) = self.shared.state.lock().members.get_mut(&member) {
            member.live = true;
            member.tell_of(None);
        }
    }

    /// Live members in order of joining.
    #[must_use]
    pub fn members(&self) -> Vec<MemberId> {
        self.shared.state.lock().live().collect()
    }

    /// Who owns a partition, and its generation.
    #[must_use]
    pub fn owner(&self, partition: Partition) -> Option<(MemberId, u64)> {
        let state = self.shared.state.lock();
        let state = state.partition(partition)?;
        state.owner.map(|owner| (owner, state.generation))
    }

    /// The committed position of a partition.
    #[must_use]
    pub fn committed(&self, partition: Partition) -> Offset {
        self.shared.state.lock().partition(partition).map_or(0, |state| state.committed)
    }

    /// Records of a partition from `from` on: what an auditor reads.
    #[must_use]
    pub fn records(&self, partition: Partition, from: Offset) -> Vec<Delivered> {
        let state = self.shared.state.lock();
        state.partition(partition).map_or_else(Vec::new, |state| state.deliver(from, usize::MAX))
    }

    /// Events of a partition from `from` on: what an auditor reads.
    #[must_use]
    pub fn events(&self, partition: Partition, from: Offset) -> Vec<StoredEvent> {
        let state = self.shared.state.lock();
        state.partition(partition).map_or_else(Vec::new, |state| state.events(from, usize::MAX).events)
    }

    /// Dead records in order of their burial.
    #[must_use]
    pub fn dead(&self) -> Vec<DeadRecord> {
        self.shared.state.lock().dead.clone()
    }

    /// Puts something into the log that no version of this program can read, or only a newer one.
    pub fn append_undecodable(&self, partition: Partition, what: Undecodable) {
        let mut state = self.shared.state.lock();
        if let Some(found) = state.partition_mut(partition) {
            found.records.push(Err(what));
            state.wake_readers(partition);
        }
    }
}

impl Shared {
    /// The next input of a member, if there is one.
    pub(super) fn take(&self, member: MemberId, max: usize) -> Option<Result<LogInput, LogError>> {
        let mut state = self.state.lock();
        let State { partitions, members, .. } = &mut *state;
        members.get_mut(&member)?.take(partitions, max)
    }
}

impl State {
    pub(super) fn partition(&self, partition: Partition) -> Option<&PartitionState> {
        self.partitions.get(usize::from(partition.0))
    }

    pub(super) fn partition_mut(&mut self, partition: Partition) -> Option<&mut PartitionState> {
        self.partitions.get_mut(usize::from(partition.0))
    }

    fn live(&self) -> impl Iterator<Item = MemberId> {
        self.members.iter().filter(|(_, member)| member.live).map(|(id, _)| *id)
    }

    pub(super) fn wake_readers(&self, partition: Partition) {
        for member in self.members.values().filter(|member| member.reads(partition)) {
            member.wake.notify_one();
        }
    }

    fn assign(&mut self, partition: Partition, to: MemberId, notice: Notice) {
        if self.members.contains_key(&to) {
            self.revoke(partition, notice);
        }
        let generation = self.generation + 1;
        let State { partitions, members, .. } = self;
        let found = (partitions.get_mut(usize::from(partition.0)), members.get_mut(&to));
        if let (Some(state), Some(member)) = found {
            (state.owner, state.generation) = (Some(to), generation);
            member.assigned(partition, generation);
            self.generation = generation;
        }
    }

    fn revoke(&mut self, partition: Partition, notice: Notice) {
        let Some(former) = self.partition_mut(partition).and_then(|state| state.owner.take()) else { return };
        if let Some(member) = self.members.get_mut(&former) {
            member.revoked(partition, notice);
        }
    }

    /// Gives each partition of a member to the live member that owns the fewest.
    pub(super) fn hand_over(&mut self, from: MemberId, notice: Notice) {
        let owned: Vec<Partition> = (0_u16..)
            .zip(&self.partitions)
            .filter(|(_, state)| state.owner == Some(from))
            .map(|(number, _)| Partition(number))
            .collect();
        for partition in owned {
            let owned_by = |id: MemberId| self.partitions.iter().filter(|p| p.owner == Some(id)).count();
            let fewest = self.live().filter(|id| *id != from).min_by_key(|id| (owned_by(*id), *id));
            match fewest {
                Some(to) => self.assign(partition, to, notice),
                None => self.revoke(partition, notice),
            }
        }
    }
}
