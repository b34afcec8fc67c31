//! The writing side of the embedded log.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use paymux_domain::command::Record;
use paymux_domain::event::Event;
use paymux_domain::ports::{
    AppendError, BoxFuture, CommandLog, DeadPage, DeadPlace, DeadRecord, EventPage, LogError, Offset, Reply,
    only,
};
use paymux_domain::shard::Partition;
use paymux_proto::records;
use tokio::time::timeout;

use super::keys::OffsetKey;
use super::open::Shared;
use super::signals::Ends;
use super::tables::Table;
use super::write::{Op, Row};
use crate::lengths::{self, Appended};

/// Events that are read in one go, however many are asked for.
const EVENTS_MAX: u64 = 1000;

/// Appends, events, dead records and replies of an [`EmbeddedBackend`](super::EmbeddedBackend).
pub struct EmbeddedLog {
    shared: Arc<Shared>,
}

impl fmt::Debug for EmbeddedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmbeddedLog({} partitions)", self.shared.config.partitions)
    }
}

impl EmbeddedLog {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    fn ends(&self, partition: Partition) -> Result<&Ends, LogError> {
        let unknown = || LogError::Fatal(format!("there is no partition {partition}"));
        self.shared.signals.ends(partition).ok_or_else(unknown)
    }

    /// They are part of one commit, so all have the same outcome.
    async fn append_bytes(&self, partition: Partition, records: Vec<Vec<u8>>) -> Vec<Appended> {
        let count = records.len();
        match self.shared.writer.submit(|ack| Op::Append { partition, records, ack }).await {
            Ok(first) => (first..).take(count).map(Ok).collect(),
            Err(fault) => vec![Err(AppendError::from(fault)); count],
        }
    }

    async fn page(&self, partition: Partition, from: Offset, max: usize) -> Result<EventPage, LogError> {
        let ends = self.ends(partition)?;
        let from = from.max(ends.events_first());
        let count = u64::try_from(max).unwrap_or(u64::MAX).clamp(1, EVENTS_MAX);
        let end = ends.events().min(from.saturating_add(count));
        if end <= from {
            return Ok(EventPage { events: Vec::new(), next: from });
        }
        let events = self.shared.read(end - from, move |view| view.events(partition, from, end)).await?;
        Ok(EventPage { events, next: end })
    }

    async fn page_when_there(
        &self,
        partition: Partition,
        from: Offset,
        max: usize,
    ) -> Result<EventPage, LogError> {
        let ends = self.ends(partition)?;
        loop {
            // Listening begins before the look, so that nothing slips between the two.
            let mut grew = std::pin::pin!(ends.events_grew.notified());
            grew.as_mut().enable();
            let page = self.page(partition, from, max).await?;
            if !page.events.is_empty() {
                return Ok(page);
            }
            tokio::select! {
                biased;
                reason = self.shared.signals.failed() => return Err(LogError::Fatal(reason)),
                () = grew => {}
            }
        }
    }
}

impl CommandLog for EmbeddedLog {
    fn partitions(&self) -> u16 {
        self.shared.config.partitions
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
        records::ORIGIN_TOPIC
    }

    /// By the partition that they came from, the last one first.
    fn dead(&self, before: Option<DeadPlace>, limit: usize) -> BoxFuture<'_, Result<DeadPage, LogError>> {
        Box::pin(async move {
            let rows = u64::try_from(limit).unwrap_or(u64::MAX);
            Ok(self.shared.read(rows, move |view| view.dead_before(before, limit.max(1))).await?)
        })
    }

    fn publish(&self, partition: Partition, event: Event) -> BoxFuture<'_, Result<(), AppendError>> {
        Box::pin(async move {
            let event = records::encode_event(&event);
            Ok(self.shared.writer.submit(|ack| Op::Publish { partition, event, ack }).await?)
        })
    }

    fn bury(&self, dead: DeadRecord) -> BoxFuture<'_, Result<(), AppendError>> {
        Box::pin(async move {
            let key = OffsetKey { partition: dead.partition, offset: dead.offset };
            let rows = vec![Row::put(Table::Dead, key.bytes(), records::encode_dead(&dead))];
            Ok(self.shared.writer.submit(|ack| Op::Rows { rows, ack }).await?)
        })
    }

    fn reply(&self, reply: Reply) {
        self.shared.replies.send(reply);
    }

    /// Events that are no longer kept are skipped: the first offset shows the gap.
    fn events(
        &self,
        partition: Partition,
        from: Offset,
        max: usize,
        wait: Duration,
    ) -> BoxFuture<'_, Result<EventPage, LogError>> {
        Box::pin(async move {
            if wait.is_zero() {
                return self.page(partition, from, max).await;
            }
            match timeout(wait, self.page_when_there(partition, from, max)).await {
                Ok(page) => page,
                Err(_) => self.page(partition, from, max).await,
            }
        })
    }

    fn events_end(&self, partition: Partition) -> BoxFuture<'_, Result<Offset, LogError>> {
        Box::pin(async move { Ok(self.ends(partition)?.events()) })
    }

    fn lag(&self, partition: Partition) -> BoxFuture<'_, Result<u64, LogError>> {
        Box::pin(async move {
            let ends = self.ends(partition)?;
            Ok(ends.log().saturating_sub(ends.committed()))
        })
    }
}
