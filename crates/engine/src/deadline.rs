//! Deadlines around the seams: no request to store or log is waited for longer than the margins allow.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use paymux_domain::command::Record;
use paymux_domain::event::Event;
use paymux_domain::fact::Fact;
use paymux_domain::followup::Followup;
use paymux_domain::name::{OrderKey, ProviderId, ProviderTradeNo, RefundNo};
use paymux_domain::ports::{
    AppendError, BoxFuture, Bucket, CallMark, Clock, CommandLog, CommitError, DeadPage, DeadPlace,
    DeadRecord, DueRow, EventPage, LedgerEntry, ListPage, ListQuery, LogConsumer, LogError, LogInput,
    MovementPage, MovementQuery, Offset, OrderStore, ParkedOrder, Reply, Reserved, Snapshot, StepWriter,
    StepWrites, StoreError,
};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;

use crate::requests::{LogRequest, StoreRequest};
use crate::status::WorkerStatus;
use crate::tally::Requests;

/// Physical time within which store and log must answer. On a cluster that is longer than a lease: what an owner writes
/// of its own is given up when its lease ends, if that is sooner.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(8);

const LATE: &str = "no answer within the deadline";

/// A store, a log or a consumer that answers in time. A read that is late is unavailable; a write that is late may
/// have had its effect, or may have it yet. An event that is late may come yet, too: it says what it always said.
pub(crate) struct Bounded<T: ?Sized> {
    inner: Arc<T>,
    clock: Arc<dyn Clock>,
    status: Arc<WorkerStatus>,
}

impl<T: ?Sized> Bounded<T> {
    pub(crate) fn new(inner: Arc<T>, clock: Arc<dyn Clock>, status: Arc<WorkerStatus>) -> Self {
        Self { inner, clock, status }
    }

    /// What the request answers; `late` when the deadline comes first. It is counted with the time that it took, unless
    /// nobody waits for its end.
    async fn answer<R, E>(
        &self,
        counted: &Requests,
        request: impl Future<Output = Result<R, E>>,
        late: impl FnOnce(String) -> E,
    ) -> Result<R, E> {
        let began = self.clock.physical();
        let deadline = self.clock.now() + self.clock.factor().stretch(REQUEST_DEADLINE);
        let answer = tokio::select! {
            biased;
            answer = request => answer,
            () = self.clock.sleep_until(deadline) => Err(late(LATE.to_owned())),
        };
        counted.record(self.clock.physical().saturating_sub(began), answer.is_ok());
        answer
    }

    async fn read<R>(
        &self,
        kind: StoreRequest,
        request: impl Future<Output = Result<R, StoreError>>,
    ) -> Result<R, StoreError> {
        let answer = self.answer(self.status.store.of(kind), request, StoreError::Unavailable).await;
        self.status.store_answered(answer.is_ok());
        answer
    }

    async fn write<R>(
        &self,
        kind: StoreRequest,
        request: impl Future<Output = Result<R, StoreError>>,
    ) -> Result<R, StoreError> {
        let answer = self.answer(self.status.store.of(kind), request, StoreError::Unknown).await;
        self.status.store_answered(answer.is_ok());
        answer
    }
}

impl<T: StepWriter + ?Sized> StepWriter for Bounded<T> {
    fn write_step(&self, writes: StepWrites) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>> {
        Box::pin(self.write(StoreRequest::WriteStep, self.inner.write_step(writes)))
    }
}

impl<T: OrderStore + ?Sized> OrderStore for Bounded<T> {
    fn read(&self, key: &OrderKey) -> BoxFuture<'_, Result<Snapshot, StoreError>> {
        Box::pin(self.read(StoreRequest::ReadOrder, self.inner.read(key)))
    }

    fn read_facts(&self, key: &OrderKey) -> BoxFuture<'_, Result<Vec<Fact>, StoreError>> {
        Box::pin(self.read(StoreRequest::ReadOrder, self.inner.read_facts(key)))
    }

    fn add_facts(&self, key: &OrderKey, facts: &[Fact]) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.write(StoreRequest::AddFacts, self.inner.add_facts(key, facts)))
    }

    fn index_movements(&self, key: &OrderKey, facts: &[Fact]) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.write(StoreRequest::AddFacts, self.inner.index_movements(key, facts)))
    }

    fn put_followup(&self, key: &OrderKey, followup: &Followup) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.write(StoreRequest::PutFollowup, self.inner.put_followup(key, followup)))
    }

    fn insert_due(&self, partition: Partition, row: &DueRow) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.write(StoreRequest::InsertDue, self.inner.insert_due(partition, row)))
    }

    fn read_due(
        &self,
        partition: Partition,
        bucket: Bucket,
        after: Option<&DueRow>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DueRow>, StoreError>> {
        Box::pin(self.read(StoreRequest::ReadDue, self.inner.read_due(partition, bucket, after, limit)))
    }

    fn read_due_between(
        &self,
        partition: Partition,
        buckets: Range<Bucket>,
        after: Option<&DueRow>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DueRow>, StoreError>> {
        Box::pin(
            self.read(StoreRequest::ReadDue, self.inner.read_due_between(partition, buckets, after, limit)),
        )
    }

    fn has_due(&self, partition: Partition, row: &DueRow) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.read(StoreRequest::ReadDue, self.inner.has_due(partition, row)))
    }

    fn floor(&self, partition: Partition) -> BoxFuture<'_, Result<Option<Bucket>, StoreError>> {
        Box::pin(self.read(StoreRequest::SweepPosition, self.inner.floor(partition)))
    }

    fn raise_floor(&self, partition: Partition, floor: Bucket) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.write(StoreRequest::SweepPosition, self.inner.raise_floor(partition, floor)))
    }

    fn swept_through(&self, partition: Partition) -> BoxFuture<'_, Result<Option<Bucket>, StoreError>> {
        Box::pin(self.read(StoreRequest::SweepPosition, self.inner.swept_through(partition)))
    }

    fn set_swept_through(
        &self,
        partition: Partition,
        bucket: Bucket,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.write(StoreRequest::SweepPosition, self.inner.set_swept_through(partition, bucket)))
    }

    fn walk_orders(
        &self,
        after: Option<&OrderKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OrderKey>, StoreError>> {
        Box::pin(self.read(StoreRequest::List, self.inner.walk_orders(after, limit)))
    }

    fn list_orders(&self, query: &ListQuery) -> BoxFuture<'_, Result<ListPage, StoreError>> {
        Box::pin(self.read(StoreRequest::List, self.inner.list_orders(query)))
    }

    fn list_movements(&self, query: &MovementQuery) -> BoxFuture<'_, Result<MovementPage, StoreError>> {
        Box::pin(self.read(StoreRequest::List, self.inner.list_movements(query)))
    }

    fn find_by_trade_no(
        &self,
        provider: &ProviderId,
        trade_no: &ProviderTradeNo,
    ) -> BoxFuture<'_, Result<Option<OrderKey>, StoreError>> {
        Box::pin(self.read(StoreRequest::List, self.inner.find_by_trade_no(provider, trade_no)))
    }

    fn list_parked(
        &self,
        after: Option<&OrderKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ParkedOrder>, StoreError>> {
        Box::pin(self.read(StoreRequest::List, self.inner.list_parked(after, limit)))
    }

    fn reserve_refund(
        &self,
        key: &OrderKey,
        entry: &LedgerEntry,
        sum_max: i64,
        count_max: u32,
    ) -> BoxFuture<'_, Result<Reserved, StoreError>> {
        Box::pin(
            self.write(StoreRequest::RefundLedger, self.inner.reserve_refund(key, entry, sum_max, count_max)),
        )
    }

    fn release_refund(&self, key: &OrderKey, refund_no: &RefundNo) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.write(StoreRequest::RefundLedger, self.inner.release_refund(key, refund_no)))
    }

    fn mark_refund_call(
        &self,
        key: &OrderKey,
        refund_no: &RefundNo,
        mark: CallMark,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.write(StoreRequest::RefundLedger, self.inner.mark_refund_call(key, refund_no, mark)))
    }

    fn refund_ledger(&self, key: &OrderKey) -> BoxFuture<'_, Result<Vec<LedgerEntry>, StoreError>> {
        Box::pin(self.read(StoreRequest::RefundLedger, self.inner.refund_ledger(key)))
    }
}

impl<T: CommandLog + ?Sized> CommandLog for Bounded<T> {
    fn partitions(&self) -> u16 {
        self.inner.partitions()
    }

    fn append_all(
        &self,
        partition: Partition,
        records: Vec<Record>,
    ) -> BoxFuture<'_, Vec<Result<Offset, AppendError>>> {
        let count = records.len();
        let appended = async move { Ok(self.inner.append_all(partition, records).await) };
        Box::pin(async move {
            let requests = self.status.log.of(LogRequest::Append);
            let answered = self.answer(requests, appended, AppendError::Unknown).await;
            answered.unwrap_or_else(|error| vec![Err(error); count])
        })
    }

    fn append_raw(&self, partition: Partition, raw: Vec<u8>) -> BoxFuture<'_, Result<Offset, AppendError>> {
        Box::pin(self.answer(
            self.status.log.of(LogRequest::Append),
            self.inner.append_raw(partition, raw),
            AppendError::Unknown,
        ))
    }

    fn topic(&self) -> &str {
        self.inner.topic()
    }

    fn dead(&self, before: Option<DeadPlace>, limit: usize) -> BoxFuture<'_, Result<DeadPage, LogError>> {
        Box::pin(self.answer(
            self.status.log.of(LogRequest::Read),
            self.inner.dead(before, limit),
            LogError::Unavailable,
        ))
    }

    fn publish(&self, partition: Partition, event: Event) -> BoxFuture<'_, Result<(), AppendError>> {
        Box::pin(self.answer(
            self.status.log.of(LogRequest::Publish),
            self.inner.publish(partition, event),
            AppendError::Unknown,
        ))
    }

    fn bury(&self, dead: DeadRecord) -> BoxFuture<'_, Result<(), AppendError>> {
        Box::pin(self.answer(
            self.status.log.of(LogRequest::Bury),
            self.inner.bury(dead),
            AppendError::Unknown,
        ))
    }

    fn reply(&self, reply: Reply) {
        self.inner.reply(reply);
    }

    /// Waits as long as its reader asked for.
    fn events(
        &self,
        partition: Partition,
        from: Offset,
        max: usize,
        wait: Duration,
    ) -> BoxFuture<'_, Result<EventPage, LogError>> {
        self.inner.events(partition, from, max, wait)
    }

    fn events_end(&self, partition: Partition) -> BoxFuture<'_, Result<Offset, LogError>> {
        Box::pin(self.answer(
            self.status.log.of(LogRequest::Read),
            self.inner.events_end(partition),
            LogError::Unavailable,
        ))
    }

    fn lag(&self, partition: Partition) -> BoxFuture<'_, Result<u64, LogError>> {
        Box::pin(self.answer(
            self.status.log.of(LogRequest::Read),
            self.inner.lag(partition),
            LogError::Unavailable,
        ))
    }
}

impl<T: LogConsumer + ?Sized> LogConsumer for Bounded<T> {
    /// Waits as long as there is nothing.
    fn next(&self, max: usize) -> BoxFuture<'_, Result<LogInput, LogError>> {
        self.inner.next(max)
    }

    fn commit(
        &self,
        partition: Partition,
        generation: u64,
        next_offset: Offset,
    ) -> BoxFuture<'_, Result<(), CommitError>> {
        Box::pin(self.answer(
            self.status.log.of(LogRequest::Commit),
            self.inner.commit(partition, generation, next_offset),
            CommitError::Unavailable,
        ))
    }

    fn set_paused(&self, partition: Partition, paused: bool) {
        self.inner.set_paused(partition, paused);
    }

    fn leave(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let left = async {
                self.inner.leave().await;
                Ok::<_, String>(())
            };
            if let Err(late) = self.answer(self.status.log.of(LogRequest::Leave), left, |late| late).await {
                tracing::warn!(late, "the group was left without an answer");
            }
        })
    }
}
