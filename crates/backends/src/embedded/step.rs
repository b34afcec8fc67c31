//! Whole steps: everything that one writes is in one batch.

use paymux_domain::ports::{BoxFuture, DueRow, StepWriter, StepWrites, StoreError};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;
use paymux_proto::records;

use super::keys::{DueKey, OffsetKey, order_prefix};
use super::prune::mark_of;
use super::staged::{Staged, unknown};
use super::store::{EmbeddedStore, begins_an_order, rows_of};
use super::tables::Table;
use super::write::{Ack, Op, Pending, Row, WriteFault};

/// A step on its way to the committer, who decides the offsets of its events, and whether its due row must lie higher.
#[derive(Debug)]
pub(super) struct Whole {
    mark: u64,
    begins: bool,
    rows: Vec<Row>,
    events: Vec<Vec<u8>>,
    /// The rest of it: partition, order, due row and bookkeeping.
    writes: StepWrites,
}

impl Whole {
    fn new(mut writes: StepWrites) -> Self {
        let facts = std::mem::take(&mut writes.facts);
        let mut rows = Vec::with_capacity(facts.len() + 4);
        facts.iter().for_each(|fact| rows_of(&writes.key, fact, &mut rows));
        Self {
            mark: mark_of(&writes.key),
            begins: facts.iter().any(|fact| begins_an_order(&fact.key)),
            rows,
            events: std::mem::take(&mut writes.events).iter().map(records::encode_event).collect(),
            writes,
        }
    }

    /// About how many bytes it holds.
    pub(super) fn size(&self) -> usize {
        /// Due row and bookkeeping of an order without many refunds.
        const REST_BYTES: usize = 512;
        let rows: usize = self.rows.iter().map(Row::size).sum();
        REST_BYTES + rows + self.events.iter().map(Vec::len).sum::<usize>()
    }
}

impl StepWriter for EmbeddedStore {
    fn write_step(&self, writes: StepWrites) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>> {
        let whole = Box::new(Whole::new(writes));
        self.write(move |ack| Op::Step { whole, ack })
    }
}

impl Staged<'_> {
    /// As rows of one order, events and a due row, one after the other.
    pub(super) fn step(&mut self, whole: Whole, ack: Ack<Option<Timestamp>>) {
        let Whole { mark, begins, mut rows, events, mut writes } = whole;
        let partition = writes.partition;
        let Some(positions) = self.positions.get(usize::from(partition.0)) else {
            // Whoever no longer waits misses nothing.
            return drop(ack.send(Err(WriteFault::Refused(unknown(partition)))));
        };
        if let Some(floor) = positions.floor {
            writes.lift(floor.start());
        }
        if !self.admits(mark, begins) {
            return drop(ack.send(Err(WriteFault::Pruned)));
        }
        let StepWrites { key, due_at, followup, .. } = writes;
        if let Some(followup) = followup {
            let body = records::encode_followup(&followup);
            rows.push(Row::put(Table::Followups, order_prefix(&key), body));
        }
        if let Some(due_at) = due_at {
            let key = DueKey { partition, row: DueRow { due_at, key } };
            rows.push(Row::put(Table::Due, key.bytes(), Vec::new()));
        }
        self.put_rows(rows);
        events.into_iter().for_each(|event| self.put_event(partition, event));
        self.pending.push(Pending::Written(ack, due_at));
    }

    /// The next event of a partition that is there.
    pub(super) fn put_event(&mut self, partition: Partition, event: Vec<u8>) {
        let Some(positions) = self.positions.get_mut(usize::from(partition.0)) else { return };
        let offset = positions.events;
        positions.events += 1;
        self.put(Table::Events, OffsetKey { partition, offset }.bytes(), event);
    }
}
