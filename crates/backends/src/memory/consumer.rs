//! The reading side in memory: one member of the group.

use std::fmt;
use std::sync::Arc;

use paymux_domain::ports::{BoxFuture, CommitError, LogConsumer, LogError, LogInput, Offset};
use paymux_domain::shard::Partition;
use tokio::sync::Notify;

use super::cluster::Shared;
use super::group::{MemberId, Notice};

/// A member of the group; [`MemoryCluster::join`](super::MemoryCluster::join) makes one.
///
/// Dropping it tells nobody: to the group it is a silent member until it is evicted.
pub struct MemoryConsumer {
    shared: Arc<Shared>,
    member: MemberId,
    wake: Arc<Notify>,
}

impl fmt::Debug for MemoryConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryConsumer({})", self.member)
    }
}

impl MemoryConsumer {
    pub(super) fn new(shared: Arc<Shared>, member: MemberId, wake: Arc<Notify>) -> Self {
        Self { shared, member, wake }
    }

    /// Which member this is.
    #[must_use]
    pub const fn member(&self) -> MemberId {
        self.member
    }
}

impl LogConsumer for MemoryConsumer {
    fn next(&self, max: usize) -> BoxFuture<'_, Result<LogInput, LogError>> {
        Box::pin(async move {
            loop {
                if let Some(input) = self.shared.take(self.member, max) {
                    return input;
                }
                self.wake.notified().await;
            }
        })
    }

    fn commit(
        &self,
        partition: Partition,
        generation: u64,
        next_offset: Offset,
    ) -> BoxFuture<'_, Result<(), CommitError>> {
        Box::pin(async move {
            let keep = self.shared.config.records_kept;
            let mut state = self.shared.state.lock();
            match state.partition_mut(partition) {
                Some(found) => found.commit(generation, next_offset, keep),
                None => Err(CommitError::Unavailable(format!("there is no partition {partition}"))),
            }
        })
    }

    fn set_paused(&self, partition: Partition, paused: bool) {
        if let Some(member) = self.shared.state.lock().members.get_mut(&self.member) {
            member.set_paused(partition, paused);
        }
    }

    fn leave(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let mut state = self.shared.state.lock();
            state.hand_over(self.member, Notice::Now);
            if let Some(member) = state.members.get_mut(&self.member) {
                member.forget_all();
            }
        })
    }
}
