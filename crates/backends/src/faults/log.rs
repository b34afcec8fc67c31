//! Faults around both sides of a log.

use std::sync::Arc;
use std::time::Duration;

use paymux_domain::command::Record;
use paymux_domain::event::Event;
use paymux_domain::ports::{
    AppendError, BoxFuture, CommandLog, CommitError, DeadPage, DeadPlace, DeadRecord, EventPage, LogConsumer,
    LogError, LogInput, Offset, Reply,
};
use paymux_domain::shard::Partition;

use super::{Then, Unreliable, When};

impl<T: CommandLog + ?Sized + 'static> CommandLog for Unreliable<T> {
    fn partitions(&self) -> u16 {
        self.inner.partitions()
    }

    /// What happens to one of them happens to all.
    fn append_all(
        &self,
        partition: Partition,
        records: Vec<Record>,
    ) -> BoxFuture<'_, Vec<Result<Offset, AppendError>>> {
        let (inner, count) = (Arc::clone(&self.inner), records.len());
        let appended =
            self.steps.write("append", async move { Ok(inner.append_all(partition, records).await) });
        Box::pin(async move { appended.await.unwrap_or_else(|error| vec![Err(error); count]) })
    }

    fn append_raw(&self, partition: Partition, raw: Vec<u8>) -> BoxFuture<'_, Result<Offset, AppendError>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(self.steps.write("append_raw", async move { inner.append_raw(partition, raw).await }))
    }

    fn topic(&self) -> &str {
        self.inner.topic()
    }

    fn dead(&self, before: Option<DeadPlace>, limit: usize) -> BoxFuture<'_, Result<DeadPage, LogError>> {
        Box::pin(self.steps.read("dead", self.inner.dead(before, limit)))
    }

    fn publish(&self, partition: Partition, event: Event) -> BoxFuture<'_, Result<(), AppendError>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(self.steps.write("publish", async move { inner.publish(partition, event).await }))
    }

    fn bury(&self, dead: DeadRecord) -> BoxFuture<'_, Result<(), AppendError>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(self.steps.write("bury", async move { inner.bury(dead).await }))
    }

    fn reply(&self, reply: Reply) {
        if !self.steps.loses("reply") {
            self.inner.reply(reply);
        }
    }

    fn events(
        &self,
        partition: Partition,
        from: Offset,
        max: usize,
        wait: Duration,
    ) -> BoxFuture<'_, Result<EventPage, LogError>> {
        Box::pin(self.steps.read("events", self.inner.events(partition, from, max, wait)))
    }

    fn events_end(&self, partition: Partition) -> BoxFuture<'_, Result<Offset, LogError>> {
        Box::pin(self.steps.read("events_end", self.inner.events_end(partition)))
    }

    fn lag(&self, partition: Partition) -> BoxFuture<'_, Result<u64, LogError>> {
        Box::pin(self.steps.read("lag", self.inner.lag(partition)))
    }
}

impl<T: LogConsumer + ?Sized + 'static> LogConsumer for Unreliable<T> {
    fn next(&self, max: usize) -> BoxFuture<'_, Result<LogInput, LogError>> {
        Box::pin(async move {
            let step = self.steps.begin();
            let failed = || LogError::Unavailable("injected into next".to_owned());
            if self.steps.pass("next", step, When::Before).await != Then::Proceed {
                return Err(failed());
            }
            let held = self.held_back.lock().take();
            let input = match held {
                Some(input) => input,
                None => self.inner.next(max).await?,
            };
            // Held back while a delay passes: if this future is dropped meanwhile, the next one hands it over.
            *self.held_back.lock() = Some(input);
            if self.steps.pass("next", step, When::After).await != Then::Proceed {
                return Err(failed());
            }
            self.held_back.lock().take().ok_or_else(failed)
        })
    }

    fn commit(
        &self,
        partition: Partition,
        generation: u64,
        next_offset: Offset,
    ) -> BoxFuture<'_, Result<(), CommitError>> {
        let inner = Arc::clone(&self.inner);
        let effect = async move { inner.commit(partition, generation, next_offset).await };
        Box::pin(self.steps.write("commit", effect))
    }

    fn set_paused(&self, partition: Partition, paused: bool) {
        self.inner.set_paused(partition, paused);
    }

    fn leave(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let step = self.steps.begin();
            if self.steps.pass("leave", step, When::Before).await == Then::Proceed {
                self.inner.leave().await;
            }
        })
    }
}
