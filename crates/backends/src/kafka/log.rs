//! The writing side: records, events, dead records and replies as messages of their topics.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use paymux_domain::command::Record;
use paymux_domain::event::Event;
use paymux_domain::limits::RECORD_BYTES_MAX;
use paymux_domain::ports::{
    AppendError, BoxFuture, CommandLog, DeadPage, DeadPlace, DeadRecord, EventPage, LogError, Offset, Reply,
    only,
};
use paymux_domain::shard::Partition;
use paymux_proto::records;

use super::deliveries::Target;
use super::positions;
use super::producer::Producer;
use super::reader::Reader;
use super::topics::{TopicNames, reply_partition};
use crate::lengths::{self, Appended};
use crate::replies::ReplyRouter;

/// Appends, events, dead records and replies of a [`KafkaBackend`](super::KafkaBackend).
pub struct KafkaLog {
    pub(super) partitions: u16,
    pub(super) topics: TopicNames,
    pub(super) producer: Producer,
    pub(super) reader: Arc<Reader>,
    pub(super) replies: ReplyRouter,
    pub(super) replies_dropped: AtomicU64,
}

impl fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KafkaLog({} partitions of {})", self.partitions, self.topics.log)
    }
}

/// Where the lanes of a log with so many partitions lead: one to each partition of its records, then one to each of its
/// events, and the last one to dead records.
pub(super) fn targets(topics: &TopicNames, partitions: u16) -> Vec<Target> {
    let numbers = || (0..partitions).map(|number| positions::number(Partition(number)));
    let target = |topic: &str, partition| Target { topic: topic.to_owned(), partition };
    let records = numbers().map(|number| target(&topics.log, number));
    let events = numbers().map(|number| target(&topics.events, number));
    records.chain(events).chain([target(&topics.dead, 0)]).collect()
}

impl KafkaLog {
    fn check(&self, partition: Partition) -> Result<(), String> {
        let is_known = partition.0 < self.partitions;
        if is_known { Ok(()) } else { Err(format!("there is no partition {partition}")) }
    }

    async fn append_bytes(&self, partition: Partition, records: Vec<Vec<u8>>) -> Vec<Appended> {
        if let Err(reason) = self.check(partition) {
            return vec![Err(AppendError::NotAppended(reason)); records.len()];
        }
        self.producer.send_all(usize::from(partition.0), records).await
    }

    /// Replies that found no way: nobody depends on one, and whoever waits reads the store.
    #[must_use]
    pub fn replies_dropped(&self) -> u64 {
        self.replies_dropped.load(Ordering::Relaxed) + self.replies.dropped()
    }
}

impl CommandLog for KafkaLog {
    fn partitions(&self) -> u16 {
        self.partitions
    }

    fn append_all(&self, partition: Partition, records: Vec<Record>) -> BoxFuture<'_, Vec<Appended>> {
        Box::pin(async move {
            let records = records.iter().map(records::encode_record).collect();
            lengths::append(records, |records| self.append_bytes(partition, records)).await
        })
    }

    fn append_raw(&self, partition: Partition, raw: Vec<u8>) -> BoxFuture<'_, Appended> {
        let appended = lengths::append(vec![raw], move |raw| self.append_bytes(partition, raw));
        Box::pin(async move { only(appended.await) })
    }

    fn topic(&self) -> &str {
        &self.topics.log
    }

    /// In the order of their burial, the newest first.
    fn dead(&self, before: Option<DeadPlace>, limit: usize) -> BoxFuture<'_, Result<DeadPage, LogError>> {
        Box::pin(async move { self.reader.dead_before(before.map(|place| place.offset), limit).await })
    }

    fn publish(&self, partition: Partition, event: Event) -> BoxFuture<'_, Result<(), AppendError>> {
        Box::pin(async move {
            self.check(partition).map_err(AppendError::NotAppended)?;
            let event = records::encode_event(&event);
            let lane = usize::from(self.partitions) + usize::from(partition.0);
            self.producer.send(lane, event).await.map(drop)
        })
    }

    fn bury(&self, dead: DeadRecord) -> BoxFuture<'_, Result<(), AppendError>> {
        Box::pin(async move {
            let lane = 2 * usize::from(self.partitions);
            self.producer.send(lane, records::encode_dead_of(&self.topics.log, &dead)).await.map(drop)
        })
    }

    /// A reply to this process takes no way through the brokers.
    fn reply(&self, reply: Reply) {
        if self.replies.is_here(&reply.to.instance) {
            return self.replies.send(reply);
        }
        let partition = reply_partition(&reply.to.instance);
        let record = records::encode_reply(&reply);
        let fits = record.len() <= RECORD_BYTES_MAX;
        if !fits || !self.producer.send_and_forget(&self.topics.replies, partition, &record) {
            self.replies_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn events(
        &self,
        partition: Partition,
        from: Offset,
        max: usize,
        wait: Duration,
    ) -> BoxFuture<'_, Result<EventPage, LogError>> {
        Box::pin(async move {
            self.check(partition).map_err(LogError::Fatal)?;
            self.reader.events(partition, from, max, wait).await
        })
    }

    fn events_end(&self, partition: Partition) -> BoxFuture<'_, Result<Offset, LogError>> {
        Box::pin(async move {
            self.check(partition).map_err(LogError::Fatal)?;
            Ok(self.reader.held(&self.topics.events, positions::number(partition)).await?.high)
        })
    }

    fn lag(&self, partition: Partition) -> BoxFuture<'_, Result<u64, LogError>> {
        Box::pin(async move {
            self.check(partition).map_err(LogError::Fatal)?;
            self.reader.lag(partition).await
        })
    }
}
