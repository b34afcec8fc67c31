//! The log as ingest and notify see it; a rule that a test took out makes it acknowledge too early.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use paymux_backends::memory::MemoryLog;
use paymux_domain::command::Record;
use paymux_domain::event::Event;
use paymux_domain::ports::{
    AppendError, BoxFuture, CommandLog, DeadPage, DeadPlace, DeadRecord, EventPage, LogError, Offset, Reply,
};
use paymux_domain::shard::Partition;
use rand_chacha::ChaCha8Rng;

use crate::plan::chance;

/// Records in a thousand that a log loses which acknowledges before it is durable, while faults are on.
const LOST: u32 = 30;

/// A log that loses some of what it has acknowledged: a crash came before it was durable.
pub(crate) struct Early {
    pub(crate) log: MemoryLog,
    pub(crate) rng: Mutex<ChaCha8Rng>,
    pub(crate) active: Arc<AtomicBool>,
}

impl CommandLog for Early {
    fn partitions(&self) -> u16 {
        self.log.partitions()
    }

    fn append_all(
        &self,
        partition: Partition,
        records: Vec<Record>,
    ) -> BoxFuture<'_, Vec<Result<Offset, AppendError>>> {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(records.len());
            for record in records {
                let is_lost = self.active.load(Ordering::Relaxed) && chance(&mut self.rng.lock(), LOST);
                outcomes.push(if is_lost { Ok(0) } else { self.log.append(partition, record).await });
            }
            outcomes
        })
    }

    fn append_raw(&self, partition: Partition, raw: Vec<u8>) -> BoxFuture<'_, Result<Offset, AppendError>> {
        self.log.append_raw(partition, raw)
    }

    fn topic(&self) -> &str {
        self.log.topic()
    }

    fn dead(&self, before: Option<DeadPlace>, limit: usize) -> BoxFuture<'_, Result<DeadPage, LogError>> {
        self.log.dead(before, limit)
    }

    fn publish(&self, partition: Partition, event: Event) -> BoxFuture<'_, Result<(), AppendError>> {
        self.log.publish(partition, event)
    }

    fn bury(&self, dead: DeadRecord) -> BoxFuture<'_, Result<(), AppendError>> {
        self.log.bury(dead)
    }

    fn reply(&self, reply: Reply) {
        self.log.reply(reply);
    }

    fn events(
        &self,
        partition: Partition,
        from: Offset,
        max: usize,
        wait: Duration,
    ) -> BoxFuture<'_, Result<EventPage, LogError>> {
        self.log.events(partition, from, max, wait)
    }

    fn events_end(&self, partition: Partition) -> BoxFuture<'_, Result<Offset, LogError>> {
        self.log.events_end(partition)
    }

    fn lag(&self, partition: Partition) -> BoxFuture<'_, Result<u64, LogError>> {
        self.log.lag(partition)
    }
}
