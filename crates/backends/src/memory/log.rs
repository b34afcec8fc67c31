//! The writing side of the log in memory.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use paymux_domain::command::Record;
use paymux_domain::event::Event;
use paymux_domain::ports::{
    AppendError, BoxFuture, CommandLog, DeadPage, DeadPlace, DeadRecord, EventPage, LogError, Offset, Reply,
};
use paymux_domain::shard::Partition;
use paymux_proto::records;

use super::cluster::{Shared, State};
use super::partition::PartitionState;

/// Appends, events, dead records and replies of a [`MemoryCluster`](super::MemoryCluster).
#[derive(Clone)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

impl fmt::Debug for MemoryLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryLog({} partitions)", self.shared.config.partitions)
    }
}

impl MemoryLog {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    fn write<T>(
        &self,
        partition: Partition,
        effect: impl FnOnce(&mut State) -> Option<T>,
    ) -> Result<T, AppendError> {
        effect(&mut self.shared.state.lock())
            .ok_or_else(|| AppendError::NotAppended(format!("there is no partition {partition}")))
    }

    pub(super) fn put_events(
        &self,
        partition: Partition,
        added: impl IntoIterator<Item = Event>,
    ) -> Result<(), AppendError> {
        let keep = self.shared.config.events_kept;
        self.write(partition, |state| {
            let events = &mut state.partition_mut(partition)?.events;
            for event in added {
                events.push(event);
                let end = events.end();
                events.trim(end, keep);
            }
            Some(())
        })?;
        self.shared.event_added.notify_waiters();
        Ok(())
    }

    fn read<T>(&self, partition: Partition, what: impl FnOnce(&PartitionState) -> T) -> Result<T, LogError> {
        self.shared
            .state
            .lock()
            .partition(partition)
            .map(what)
            .ok_or_else(|| LogError::Fatal(format!("there is no partition {partition}")))
    }
}

impl CommandLog for MemoryLog {
    fn partitions(&self) -> u16 {
        self.shared.config.partitions
    }

    fn append_all(
        &self,
        partition: Partition,
        records: Vec<Record>,
    ) -> BoxFuture<'_, Vec<Result<Offset, AppendError>>> {
        Box::pin(async move {
            let push = |record| {
                self.write(partition, |state| {
                    let offset = state.partition_mut(partition)?.records.push(Ok(record));
                    state.wake_readers(partition);
                    Some(offset)
                })
            };
            records.into_iter().map(push).collect()
        })
    }

    fn append_raw(&self, partition: Partition, raw: Vec<u8>) -> BoxFuture<'_, Result<Offset, AppendError>> {
        Box::pin(async move {
            self.write(partition, |state| {
                let offset = state.partition_mut(partition)?.records.push(records::decode_record(&raw));
                state.wake_readers(partition);
                Some(offset)
            })
        })
    }

    fn topic(&self) -> &str {
        records::ORIGIN_TOPIC
    }

    /// One list of all partitions, as one topic is.
    fn dead(&self, before: Option<DeadPlace>, limit: usize) -> BoxFuture<'_, Result<DeadPage, LogError>> {
        Box::pin(async move {
            let state = self.shared.state.lock();
            let partition = Partition(0);
            let placed = (0..).map(|offset| DeadPlace { partition, offset }).zip(state.dead.iter().cloned());
            let mut placed: Vec<_> =
                placed.take_while(|(place, _)| before.is_none_or(|before| *place < before)).collect();
            let records = placed.split_off(placed.len().saturating_sub(limit.max(1)));
            let next = records.first().map(|(place, _)| *place).filter(|_| !placed.is_empty());
            Ok(DeadPage { records: records.into_iter().rev().collect(), next })
        })
    }

    fn publish(&self, partition: Partition, event: Event) -> BoxFuture<'_, Result<(), AppendError>> {
        Box::pin(async move { self.put_events(partition, [event]) })
    }

    fn bury(&self, dead: DeadRecord) -> BoxFuture<'_, Result<(), AppendError>> {
        Box::pin(async move {
            self.shared.state.lock().dead.push(dead);
            Ok(())
        })
    }

    fn reply(&self, reply: Reply) {
        self.shared.replies.send(reply);
    }

    fn events(
        &self,
        partition: Partition,
        from: Offset,
        max: usize,
        wait: Duration,
    ) -> BoxFuture<'_, Result<EventPage, LogError>> {
        Box::pin(async move {
            let page = self.read(partition, |state| state.events(from, max.max(1)))?;
            if !page.events.is_empty() || wait.is_zero() {
                return Ok(page);
            }
            let clock = &self.shared.clock;
            let mut deadline = clock.sleep_until(clock.now() + clock.factor().stretch(wait));
            loop {
                // Listening begins before the look, so that nothing slips between the two.
                let mut added = Box::pin(self.shared.event_added.notified());
                added.as_mut().enable();
                let page = self.read(partition, |state| state.events(from, max.max(1)))?;
                if !page.events.is_empty() {
                    return Ok(page);
                }
                match select(added, deadline).await {
                    Either::Left((_, left)) => deadline = left,
                    Either::Right(_) => return Ok(page),
                }
            }
        })
    }

    fn events_end(&self, partition: Partition) -> BoxFuture<'_, Result<Offset, LogError>> {
        Box::pin(async move { self.read(partition, |state| state.events.end()) })
    }

    fn lag(&self, partition: Partition) -> BoxFuture<'_, Result<u64, LogError>> {
        Box::pin(
            async move { self.read(partition, |state| state.records.end().saturating_sub(state.committed)) },
        )
    }
}
