//! The group of owners in memory: members, their assignments and what each of them has been told.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use paymux_domain::ports::{LogError, LogInput, Offset};
use paymux_domain::shard::Partition;
use tokio::sync::Notify;

use super::partition::PartitionState;

/// One member of the group, numbered in order of joining and never again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u64);

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "member {}", self.0)
    }
}

/// When a former owner hears that a partition is no longer its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// With the next input that it takes.
    Now,
    /// Not before [`MemoryCluster::tell`](super::MemoryCluster::tell): until then it goes on as a late former owner.
    Withheld,
}

/// What one member reads of one partition.
#[derive(Debug)]
struct View {
    position: Offset,
    paused: bool,
}

#[derive(Debug, Default)]
pub(super) struct Member {
    /// Takes part in assignments; an evicted member goes on without knowing.
    pub(super) live: bool,
    inputs: VecDeque<Told>,
    withheld: Vec<Partition>,
    views: BTreeMap<Partition, View>,
    last_read: Option<Partition>,
    pub(super) wake: Arc<Notify>,
}

/// A change of assignment on its way to a member.
#[derive(Debug)]
enum Told {
    Assigned(Partition, u64),
    Revoked(Partition),
}

impl Member {
    pub(super) fn joining() -> Self {
        Self { live: true, ..Self::default() }
    }

    pub(super) fn assigned(&mut self, partition: Partition, generation: u64) {
        self.tell_of(Some(partition));
        self.inputs.push_back(Told::Assigned(partition, generation));
        self.wake.notify_one();
    }

    pub(super) fn revoked(&mut self, partition: Partition, notice: Notice) {
        self.withheld.push(partition);
        if notice == Notice::Now {
            self.tell_of(Some(partition));
        }
    }

    /// Lets the member hear of withheld revocations: of one partition, or of all.
    pub(super) fn tell_of(&mut self, partition: Option<Partition>) {
        let (told, kept) =
            self.withheld.drain(..).partition(|withheld| partition.is_none_or(|wanted| wanted == *withheld));
        self.withheld = kept;
        let told: Vec<Partition> = told;
        self.inputs.extend(told.into_iter().map(Told::Revoked));
        self.wake.notify_one();
    }

    pub(super) fn set_paused(&mut self, partition: Partition, paused: bool) {
        if let Some(view) = self.views.get_mut(&partition) {
            view.paused = paused;
        }
        self.wake.notify_one();
    }

    pub(super) fn reads(&self, partition: Partition) -> bool {
        self.views.get(&partition).is_some_and(|view| !view.paused)
    }

    pub(super) fn forget_all(&mut self) {
        self.live = false;
        self.inputs.clear();
        self.withheld.clear();
        self.views.clear();
    }

    /// The next input, changes of assignment first, then records of the partitions in turn.
    pub(super) fn take(
        &mut self,
        partitions: &[PartitionState],
        max: usize,
    ) -> Option<Result<LogInput, LogError>> {
        if let Some(told) = self.inputs.pop_front() {
            return Some(Ok(self.apply(&told, partitions)));
        }
        // The partitions after the one that was read last come first, so that each has its turn.
        let later = self.last_read.map_or(Unbounded, Excluded);
        let in_turn = self.views.range((later, Unbounded)).chain(&self.views);
        let partition = in_turn.filter(|(p, v)| has_more(partitions, **p, v)).map(|(p, _)| *p).next()?;
        let view = self.views.get_mut(&partition)?;
        let state = state_of(partitions, partition)?;
        if view.position < state.records.first() {
            let text = format!("offset {} of partition {partition} is no longer kept", view.position);
            return Some(Err(LogError::Fatal(text)));
        }
        let records = state.deliver(view.position, max.max(1));
        view.position = records.last().map_or(view.position, |last| last.offset + 1);
        self.last_read = Some(partition);
        Some(Ok(LogInput::Records { partition, records }))
    }

    fn apply(&mut self, told: &Told, partitions: &[PartitionState]) -> LogInput {
        match *told {
            Told::Assigned(partition, generation) => {
                let start = state_of(partitions, partition).map_or(0, |state| state.committed);
                self.views.insert(partition, View { position: start, paused: false });
                LogInput::Assigned { partition, generation, start }
            }
            Told::Revoked(partition) => {
                self.views.remove(&partition);
                LogInput::Revoked { partition }
            }
        }
    }
}

fn state_of(partitions: &[PartitionState], partition: Partition) -> Option<&PartitionState> {
    partitions.get(usize::from(partition.0))
}

fn has_more(partitions: &[PartitionState], partition: Partition, view: &View) -> bool {
    !view.paused && state_of(partitions, partition).is_some_and(|state| state.records.end() > view.position)
}
