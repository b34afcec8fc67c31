//! Faults planted around the engine, to show that the demo's audit finds them; only with the test feature `plant`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::ValueEnum;
use paymux_domain::capabilities::Capabilities;
use paymux_domain::command::{Created, Record};
use paymux_domain::event::{Event, EventKind};
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::ports::{
    AppendError, BoxFuture, Call, CommandLog, DeadPage, DeadPlace, DeadRecord, EventPage, LogError, Offset,
    ProviderGateway, Reply,
};
use paymux_domain::shard::Partition;

use crate::roles::Surroundings;

/// One of so many events FULFIL is dropped.
const DROP_EVERY: u64 = 10;

/// A planted fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Plant {
    /// Orders are closed here without asking the provider.
    CloseWithoutQuery,
    /// A create without an answer counts as refused.
    GuessFailed,
    /// A refund without an answer counts as refused.
    GuessRefundFailed,
    /// Some events are acknowledged and never told.
    DropEvent,
    /// Orders that were closed unpaid are to be delivered all the same.
    FulfilUnpaid,
}

/// The surroundings with the fault in them.
pub(super) fn plant(plant: Option<Plant>, surroundings: Surroundings) -> Surroundings {
    let Surroundings { clock, gateway, log } = surroundings;
    match plant {
        None => Surroundings { clock, gateway, log },
        Some(fault @ (Plant::DropEvent | Plant::FulfilUnpaid)) => {
            let log: crate::roles::Wrap<dyn CommandLog> = Some(Box::new(move |inner| {
                Arc::new(LyingLog { inner, fault, fulfilled: AtomicU64::new(0) })
            }));
            Surroundings { clock, gateway, log }
        }
        Some(fault) => {
            let outer: crate::roles::Wrap<dyn ProviderGateway> = Some(Box::new(move |inner| {
                let inner = gateway.map_or_else(|| inner.clone(), |wrap| wrap(inner.clone()));
                Arc::new(LyingGateway { inner, fault })
            }));
            Surroundings { clock, gateway: outer, log }
        }
    }
}

struct LyingGateway {
    inner: Arc<dyn ProviderGateway>,
    fault: Plant,
}

impl ProviderGateway for LyingGateway {
    fn capabilities(&self, created: &Created) -> Option<Capabilities> {
        self.inner.capabilities(created)
    }

    fn call(&self, call: Call) -> BoxFuture<'_, CallReport> {
        Box::pin(async move {
            let operation = call.operation;
            if self.fault == Plant::CloseWithoutQuery && operation == Operation::Close {
                return CallReport::done(vec![Word::Closed]);
            }
            let report = self.inner.call(call).await;
            let guesses = match self.fault {
                Plant::GuessFailed => operation == Operation::Create,
                Plant::GuessRefundFailed => operation == Operation::Refund,
                _ => false,
            };
            if guesses && report.class == Class::Unknown {
                return CallReport { class: Class::Final, ..report };
            }
            report
        })
    }
}

struct LyingLog {
    inner: Arc<dyn CommandLog>,
    fault: Plant,
    fulfilled: AtomicU64,
}

impl CommandLog for LyingLog {
    fn partitions(&self) -> u16 {
        self.inner.partitions()
    }

    fn append_all(
        &self,
        partition: Partition,
        records: Vec<Record>,
    ) -> BoxFuture<'_, Vec<Result<Offset, AppendError>>> {
        self.inner.append_all(partition, records)
    }

    fn publish(&self, partition: Partition, event: Event) -> BoxFuture<'_, Result<(), AppendError>> {
        match (self.fault, &event.kind) {
            (Plant::FulfilUnpaid, EventKind::Closed(_)) => Box::pin(async move {
                let subject = "fulfilment/FULFIL".to_owned();
                let lie = Event { kind: EventKind::Fulfil, subject, ..event.clone() };
                self.inner.publish(partition, event).await?;
                self.inner.publish(partition, lie).await
            }),
            (Plant::DropEvent, EventKind::Fulfil)
                if self.fulfilled.fetch_add(1, Ordering::Relaxed).is_multiple_of(DROP_EVERY) =>
            {
                Box::pin(async { Ok(()) })
            }
            _ => self.inner.publish(partition, event),
        }
    }

    fn bury(&self, dead: DeadRecord) -> BoxFuture<'_, Result<(), AppendError>> {
        self.inner.bury(dead)
    }

    fn append_raw(&self, partition: Partition, raw: Vec<u8>) -> BoxFuture<'_, Result<Offset, AppendError>> {
        self.inner.append_raw(partition, raw)
    }

    fn topic(&self) -> &str {
        self.inner.topic()
    }

    fn dead(&self, before: Option<DeadPlace>, limit: usize) -> BoxFuture<'_, Result<DeadPage, LogError>> {
        self.inner.dead(before, limit)
    }

    fn reply(&self, reply: Reply) {
        self.inner.reply(reply);
    }

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
        self.inner.events_end(partition)
    }

    fn lag(&self, partition: Partition) -> BoxFuture<'_, Result<u64, LogError>> {
        self.inner.lag(partition)
    }
}
