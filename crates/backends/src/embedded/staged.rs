//! One batch under way: each write in turn is decided on what lies before it, durable or in the same batch.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use fjall::{OwnedWriteBatch, PersistMode};
use paymux_domain::name::{OrderKey, RefundNo};
use paymux_domain::ports::{Bucket, CallMark, CommitError, LedgerEntry, Offset, Reserved};
use paymux_domain::shard::Partition;
use paymux_proto::records;
use tokio::sync::OwnedSemaphorePermit;

use super::keys::{MetaKey, OffsetKey, PositionKey, ledger_key, ordered};
use super::prune::{Prunable, PrunedLately, mark_of};
use super::signals::Positions;
use super::tables::{ReadFault, Table, Tables};
use super::write::{Ack, Op, Pending, Row, Write, WriteFault};
use crate::ledger::{Ledger, LedgerRow};

/// A batch and those who wait for it.
pub(super) struct Staged<'a> {
    tables: &'a Tables,
    pub(super) positions: &'a mut [Positions],
    pruned_lately: &'a mut PrunedLately,
    generation: u64,
    is_alone: bool,
    batch: OwnedWriteBatch,
    size: usize,
    pub(super) pending: Vec<Pending>,
    rooms: Vec<OwnedSemaphorePermit>,
    ledgers: BTreeMap<OrderKey, Ledger>,
}

/// What is left of a batch once all its writes are decided.
pub(super) struct Ready {
    pub(super) batch: OwnedWriteBatch,
    pub(super) pending: Vec<Pending>,
    /// Held until the batch is durable: its memory counts as taken.
    pub(super) rooms: Vec<OwnedSemaphorePermit>,
}

impl<'a> Staged<'a> {
    pub(super) fn new(
        tables: &'a Tables,
        positions: &'a mut [Positions],
        pruned_lately: &'a mut PrunedLately,
        generation: u64,
    ) -> Self {
        Self {
            tables,
            positions,
            pruned_lately,
            generation,
            is_alone: false,
            batch: tables.database.batch().durability(Some(PersistMode::SyncData)),
            size: 0,
            pending: Vec::new(),
            rooms: Vec::new(),
            ledgers: BTreeMap::new(),
        }
    }

    /// About how many bytes the batch holds.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    pub(super) const fn tables(&self) -> &Tables {
        self.tables
    }

    pub(super) fn ready(self) -> Ready {
        Ready { batch: self.batch, pending: self.pending, rooms: self.rooms }
    }

    pub(super) fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.batch.insert(self.tables.of(table), key, value);
    }

    pub(super) fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.batch.remove(self.tables.of(table), key);
    }

    /// Whether this batch may take a write. Pruning judges orders by what is durable, so it is alone in its batch.
    pub(super) fn may_take(&self, op: &Op) -> bool {
        self.rooms.is_empty() || !(self.is_alone || matches!(op, Op::Prune { .. }))
    }

    /// Decides one write. An error means that the batch cannot go on.
    pub(super) fn add(&mut self, write: Write) -> Result<(), ReadFault> {
        self.size += write.op.size();
        self.rooms.push(write.room);
        match write.op {
            Op::Append { partition, records, ack } => self.append(partition, records, ack),
            Op::Publish { partition, event, ack } => self.publish(partition, event, ack),
            Op::Rows { rows, ack } => {
                self.put_rows(rows);
                self.pending.push(Pending::Done(ack));
            }
            Op::OfOrder { mark, begins, rows, ack } => self.put_of_order(mark, begins, rows, ack),
            Op::Step { whole, ack } => self.step(*whole, ack),
            Op::Prune { prunable, ack } => {
                self.is_alone = true;
                let count = self.prune(prunable);
                self.pending.push(Pending::Pruned(ack, count));
            }
            Op::Commit { partition, generation, next, ack } => {
                let outcome = self.commit(partition, generation, next);
                self.pending.push(Pending::Committed(ack, outcome));
            }
            Op::RaiseFloor { partition, floor, ack } => self.raise_floor(partition, floor, ack),
            Op::SweptThrough { partition, bucket, ack } => self.swept_through(partition, bucket, ack),
            // Whoever no longer waits misses nothing.
            Op::Reserve { order, ack, .. } if self.pruned_lately.has(mark_of(&order)) => {
                drop(ack.send(Err(WriteFault::Pruned)));
            }
            Op::Reserve { order, entry, sum_max, count_max, ack } => {
                let outcome = self.reserve(order, &entry, sum_max, count_max)?;
                self.pending.push(Pending::Reserved(ack, outcome));
            }
            Op::Release { order, refund_no, ack } => {
                self.release(order, &refund_no)?;
                self.pending.push(Pending::Done(ack));
            }
            Op::Mark { order, refund_no, mark, ack } => {
                let stands = self.mark(order, &refund_no, mark)?;
                self.pending.push(Pending::Marked(ack, stands));
            }
        }
        Ok(())
    }

    pub(super) fn put_rows(&mut self, rows: Vec<Row>) {
        for Row { table, key, value } in rows {
            match value {
                Some(value) => self.put(table, key, value),
                None => self.remove(table, key),
            }
        }
    }

    /// Whether rows of an order may be written: what was decided on one that is gone since would be half an order.
    pub(super) fn admits(&mut self, mark: u64, begins: bool) -> bool {
        if begins {
            self.pruned_lately.forget(mark);
        }
        begins || !self.pruned_lately.has(mark)
    }

    fn put_of_order(&mut self, mark: u64, begins: bool, rows: Vec<Row>, ack: Ack<()>) {
        if !self.admits(mark, begins) {
            // Whoever no longer waits misses nothing.
            return drop(ack.send(Err(WriteFault::Pruned)));
        }
        self.put_rows(rows);
        self.pending.push(Pending::Done(ack));
    }

    /// Removes orders that are still over, each with all its rows, and moves the cursor; counts the orders.
    fn prune(&mut self, prunable: Prunable) -> u64 {
        let Prunable { orders, others, gate, next } = prunable;
        let view = self.tables.view();
        let mut count = 0;
        for key in orders {
            // What cannot be read stays, and the step before has counted it.
            let Ok(Some(rows)) = gate.rows_to_remove(&view, &key) else { continue };
            self.put_rows(rows);
            self.pruned_lately.note(mark_of(&key.order()));
            count += 1;
        }
        self.put_rows(others);
        match next {
            Some(next) => self.put(Table::Meta, MetaKey::PruneNext.bytes().to_vec(), next),
            None => self.remove(Table::Meta, MetaKey::PruneNext.bytes().to_vec()),
        }
        count
    }

    fn positions_of(&mut self, partition: Partition) -> Option<&mut Positions> {
        self.positions.get_mut(usize::from(partition.0))
    }

    fn append(&mut self, partition: Partition, records: Vec<Vec<u8>>, ack: Ack<Offset>) {
        let Some(positions) = self.positions_of(partition) else {
            return Op::Append { partition, records, ack }.refuse(&unknown(partition));
        };
        let first = positions.log;
        positions.log += records.len() as Offset;
        for (offset, record) in (first..).zip(records) {
            self.put(Table::Log, OffsetKey { partition, offset }.bytes(), record);
        }
        self.pending.push(Pending::Offset(ack, first));
    }

    fn publish(&mut self, partition: Partition, event: Vec<u8>, ack: Ack<()>) {
        if self.positions_of(partition).is_none() {
            return Op::Publish { partition, event, ack }.refuse(&unknown(partition));
        }
        self.put_event(partition, event);
        self.pending.push(Pending::Done(ack));
    }

    fn commit(&mut self, partition: Partition, generation: u64, next: Offset) -> Result<(), CommitError> {
        let owner = self.generation;
        let Some(positions) = self.positions_of(partition) else {
            return Err(CommitError::Unavailable(unknown(partition)));
        };
        if generation != owner {
            return Err(CommitError::Fenced(generation));
        }
        if next > positions.log {
            let end = positions.log;
            return Err(CommitError::Unavailable(format!("offset {next} is beyond the log's end {end}")));
        }
        if next > positions.committed {
            positions.committed = next;
            self.put_number(PositionKey::Committed(partition), next);
        }
        Ok(())
    }

    fn raise_floor(&mut self, partition: Partition, floor: Bucket, ack: Ack<()>) {
        let Some(positions) = self.positions_of(partition) else {
            return Op::RaiseFloor { partition, floor, ack }.refuse(&unknown(partition));
        };
        if positions.floor < Some(floor) {
            positions.floor = Some(floor);
            self.put(Table::Positions, PositionKey::Floor(partition).bytes(), ordered(floor.0).to_vec());
        }
        self.pending.push(Pending::Done(ack));
    }

    fn swept_through(&mut self, partition: Partition, bucket: Bucket, ack: Ack<()>) {
        let Some(positions) = self.positions_of(partition) else {
            return Op::SweptThrough { partition, bucket, ack }.refuse(&unknown(partition));
        };
        positions.swept_through = Some(bucket);
        let key = PositionKey::SweptThrough(partition).bytes();
        self.put(Table::Positions, key, ordered(bucket.0).to_vec());
        self.pending.push(Pending::Done(ack));
    }

    fn reserve(
        &mut self,
        order: OrderKey,
        entry: &LedgerEntry,
        sum_max: i64,
        count_max: u32,
    ) -> Result<Reserved, ReadFault> {
        self.ruled(order, &entry.refund_no, |ledger| ledger.reserve(entry, sum_max, count_max))
    }

    fn release(&mut self, order: OrderKey, refund_no: &RefundNo) -> Result<(), ReadFault> {
        self.ruled(order, refund_no, |ledger| ledger.release(refund_no))
    }

    fn mark(&mut self, order: OrderKey, refund_no: &RefundNo, mark: CallMark) -> Result<bool, ReadFault> {
        self.ruled(order, refund_no, |ledger| ledger.mark(refund_no, mark))
    }

    /// Applies one rule of the ledger and writes the refund's row if it is another one afterwards.
    fn ruled<T>(
        &mut self,
        order: OrderKey,
        refund_no: &RefundNo,
        rule: impl FnOnce(&mut Ledger) -> T,
    ) -> Result<T, ReadFault> {
        let key = ledger_key(&order, refund_no);
        let ledger = self.ledger(order)?;
        let before = ledger.row(refund_no).cloned();
        let outcome = rule(ledger);
        let row = ledger.row(refund_no).filter(|row| before.as_ref() != Some(row)).cloned();
        if let Some(LedgerRow { entry, mark }) = row {
            self.put(Table::Ledger, key, records::encode_ledger_row(&entry, mark));
        }
        Ok(outcome)
    }

    /// The reservations of an order, those of this batch included.
    fn ledger(&mut self, order: OrderKey) -> Result<&mut Ledger, ReadFault> {
        match self.ledgers.entry(order) {
            Entry::Occupied(found) => Ok(found.into_mut()),
            Entry::Vacant(vacant) => {
                let held = self.tables.view().ledger(vacant.key())?;
                Ok(vacant.insert(held))
            }
        }
    }

    pub(super) fn put_number(&mut self, key: PositionKey, number: u64) {
        self.put(Table::Positions, key.bytes(), number.to_be_bytes().to_vec());
    }
}

pub(super) fn unknown(partition: Partition) -> String {
    format!("there is no partition {partition}")
}
