//! What goes once its retention is over: ended orders with all their rows, and dead records.
//!
//! A table's TTL in a CQL database does this by itself; here it is done in small steps. The retention counts from an
//! order's creation, so the index by creation time is walked, merchant by merchant, and the place is durable: a
//! restart goes on where it was. An order goes as a whole, in one batch, when nothing of it is open
//! ([`paymux_domain::retention`]) and nothing can bring it up again from before:
//!
//! - its log records are committed: what lay in its partition's log when the round before began. A create that is
//!   delivered again would make the order anew.
//! - its last due row is swept: what it still owed is done.
//! - no step that has read the order writes it afterwards: such a write is refused as unavailable
//!   ([`PrunedLately`]), and whoever repeats it reads again and finds no order.
//!
//! The place that this gives back on disk is free once the database has compacted, which goes with its writes.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use paymux_domain::fact::Fact;
use paymux_domain::fold::Order;
use paymux_domain::name::OrderKey;
use paymux_domain::ports::{Bucket, Offset, Snapshot, StoreError};
use paymux_domain::retention::is_over;
use paymux_domain::shard::{Partition, stable_hash};
use paymux_domain::time::Timestamp;
use paymux_proto::records;

use super::keys::{OffsetKey, PositionKey, TimeKey, order_prefix};
use super::open::Shared;
use super::reads::View;
use super::store::rows_of;
use super::tables::{ReadFault, Table};
use super::write::{Op, Row};

/// Orders that go in one step.
const STEP_ORDERS_MAX: usize = 32;
/// Rows that one step removes, but for its last order: an order has far fewer.
const STEP_ROWS_MAX: usize = 2048;
/// Orders, and merchants without old orders, that one step looks at.
const STEP_LOOKS_MAX: usize = 512;
/// Dead records that go in one step.
const STEP_DEAD_MAX: usize = 256;

/// Pruned orders that are remembered: with 32 orders every 25 ms those of 200 s, longer than any step of an order.
const PRUNED_LATELY_MAX: usize = 1 << 18;

/// Told to the blocking threads: a step reads many rows.
const MANY_ROWS: u64 = u64::MAX;

/// What one step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Orders that are gone.
    pub orders: u64,
    /// Orders past their retention that are kept: something of them is open.
    pub kept: u64,
    /// Orders that are kept because they cannot be read.
    pub unreadable: u64,
    /// Dead records that are gone.
    pub dead_records: u64,
    /// Everything has been looked at: the next step begins a new round.
    pub is_round_over: bool,
}

/// Removes what is past its retention, a step at a time.
pub struct EmbeddedPruner {
    shared: Arc<Shared>,
    /// Ends of the partitions when the round before this one began.
    marks: Vec<Offset>,
    /// Ends of the partitions when this round began.
    marks_next: Vec<Offset>,
}

impl fmt::Debug for EmbeddedPruner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedPruner").finish_non_exhaustive()
    }
}

impl EmbeddedPruner {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let marks = ends(&shared);
        Self { shared, marks_next: marks.clone(), marks }
    }

    /// Removes some of what was created, or found dead, before a time.
    ///
    /// # Errors
    /// As [`OrderStore`](paymux_domain::ports::OrderStore)'s; the next step goes on where this one was.
    pub async fn step(&mut self, before: Timestamp) -> Result<Pruned, StoreError> {
        let gate = Gate { before, marks: self.marks.clone() };
        let found = self.shared.read(MANY_ROWS, move |view| Found::of(view, gate)).await?;
        let Found { prunable, was_at_start, mut pruned } = found;
        let is_idle = prunable.orders.is_empty() && prunable.others.is_empty() && prunable.next.is_none();
        if !(is_idle && was_at_start) {
            pruned.orders = self.shared.writer.submit(|ack| Op::Prune { prunable, ack }).await?;
        }
        if pruned.is_round_over {
            self.marks = std::mem::replace(&mut self.marks_next, ends(&self.shared));
        }
        Ok(pruned)
    }
}

/// The end of the log in each partition.
fn ends(shared: &Shared) -> Vec<Offset> {
    let end = |number| shared.signals.ends(Partition(number)).map_or(0, |ends| ends.log());
    (0..shared.config.partitions).map(end).collect()
}

/// What a step found; the committer looks again at each order before it goes.
#[derive(Debug)]
pub(super) struct Prunable {
    pub(super) orders: Vec<TimeKey>,
    /// Removals beside those of orders.
    pub(super) others: Vec<Row>,
    pub(super) gate: Gate,
    /// Where the next step goes on; `None`: at the beginning.
    pub(super) next: Option<Vec<u8>>,
}

struct Found {
    prunable: Prunable,
    was_at_start: bool,
    pruned: Pruned,
}

impl Found {
    fn of(view: &View<'_>, gate: Gate) -> Result<Self, ReadFault> {
        let others = dead(view, &gate)?;
        let mut pruned = Pruned { dead_records: count(others.len()), ..Pruned::default() };
        let mut next = view.prune_next()?;
        let was_at_start = next.is_empty();
        let (mut orders, mut rows_found) = (Vec::new(), 0);
        let mut rows = view.range(Table::OrdersByTime, next.clone()..);
        for _ in 0..STEP_LOOKS_MAX {
            let Some(row) = rows.next() else {
                next.clear();
                break;
            };
            let bytes = row.key()?;
            let key = TimeKey::parse(&bytes).ok_or(ReadFault::key(Table::OrdersByTime))?;
            if key.created_time >= gate.before {
                next = TimeKey::after_merchant(&key.merchant_id);
                rows = view.range(Table::OrdersByTime, next.clone()..);
                continue;
            }
            // The first key after this one.
            next = [&bytes[..], &[0]].concat();
            match gate.rows_to_remove(view, &key) {
                Ok(Some(removals)) => {
                    rows_found += removals.len();
                    orders.push(key);
                }
                Ok(None) => pruned.kept += 1,
                Err(ReadFault::Row { .. }) => pruned.unreadable += 1,
                Err(fault) => return Err(fault),
            }
            if orders.len() == STEP_ORDERS_MAX || rows_found >= STEP_ROWS_MAX {
                break;
            }
        }
        pruned.is_round_over = next.is_empty() && others.len() < STEP_DEAD_MAX;
        let next = Some(next).filter(|next| !next.is_empty());
        Ok(Self { prunable: Prunable { orders, others, gate, next }, was_at_start, pruned })
    }
}

/// Removals of dead records that were found before the time; offsets of a partition were found in their order.
fn dead(view: &View<'_>, gate: &Gate) -> Result<Vec<Row>, ReadFault> {
    let mut removals = Vec::new();
    for partition in (0..count(gate.marks.len())).filter_map(|number| u16::try_from(number).ok()) {
        let key = |offset| OffsetKey { partition: Partition(partition), offset }.bytes();
        for row in view.range(Table::Dead, key(0)..=key(Offset::MAX)) {
            let (key, value) = row.into_inner()?;
            // One that cannot be read, or was buried without a time, is left where it is.
            let found = records::decode_dead(&value).ok().and_then(|dead| dead.find_time);
            match found {
                Some(time) if time >= gate.before => break,
                Some(_) if removals.len() == STEP_DEAD_MAX => return Ok(removals),
                Some(_) => removals.push(Row::remove(Table::Dead, key.to_vec())),
                None => {}
            }
        }
    }
    Ok(removals)
}

/// What an order must have behind it before it may go.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    /// Its creation lies before.
    before: Timestamp,
    /// By partition: the log is committed so far.
    marks: Vec<Offset>,
}

impl Gate {
    /// The removals of all rows of an order; `None` when it is kept.
    pub(super) fn rows_to_remove(
        &self,
        view: &View<'_>,
        key: &TimeKey,
    ) -> Result<Option<Vec<Row>>, ReadFault> {
        let order_key = key.order();
        let Snapshot { facts, followup } = view.snapshot(&order_key)?;
        let found_by = found_by(&order_key, &facts);
        let order = Order::from_facts(facts);
        let Some(created) = order.created().filter(|created| created.created_time == key.created_time) else {
            return Ok(None);
        };
        let partition = Partition::of(&created.shard_group, u16::try_from(self.marks.len()).unwrap_or(1));
        let is_past = key.created_time < self.before
            && is_over(&order, &followup)
            && self.is_committed(view, partition)?
            && is_swept(view, partition, followup.next_due)?;
        if !is_past {
            return Ok(None);
        }
        let prefix = order_prefix(&order_key);
        let mut rows = vec![
            Row::remove(Table::OrdersByTime, key.bytes()),
            Row::remove(Table::Followups, prefix.clone()),
        ];
        rows.extend(found_by);
        for table in [Table::Facts, Table::Parked, Table::Ledger] {
            for row in view.prefix(table, &prefix) {
                rows.push(Row::remove(table, row.key()?.to_vec()));
            }
        }
        Ok(Some(rows))
    }

    fn is_committed(&self, view: &View<'_>, partition: Partition) -> Result<bool, ReadFault> {
        let mark = self.marks.get(usize::from(partition.0)).copied().unwrap_or(0);
        Ok(view.position(PositionKey::Committed(partition))?.unwrap_or(0) >= mark)
    }
}

fn is_swept(view: &View<'_>, partition: Partition, due: Option<Timestamp>) -> Result<bool, ReadFault> {
    let Some(due) = due else { return Ok(true) };
    Ok(view.bucket(PositionKey::SweptThrough(partition))?.is_some_and(|swept| Bucket::of(due) < swept))
}

/// Removals of the rows by which an order is found by the numbers of its payments and by the days of its money.
fn found_by(order: &OrderKey, facts: &[Fact]) -> Vec<Row> {
    let mut written = Vec::new();
    facts.iter().for_each(|fact| rows_of(order, fact, &mut written));
    let rows = written.into_iter();
    let rows = rows.filter(|row| matches!(row.table, Table::OrdersByTradeNo | Table::OrdersByDay));
    rows.map(|row| Row::remove(row.table, row.key)).collect()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// By what an order is remembered when it is gone. Two orders of one mark would only wait for each other.
pub(super) fn mark_of(order: &OrderKey) -> u64 {
    stable_hash(&order_prefix(order))
}

/// The orders that were pruned last, by their marks.
#[derive(Debug, Default)]
pub(super) struct PrunedLately {
    marks: BTreeSet<u64>,
    /// In the order in which they went.
    queue: VecDeque<u64>,
}

impl PrunedLately {
    pub(super) fn has(&self, mark: u64) -> bool {
        !self.marks.is_empty() && self.marks.contains(&mark)
    }

    pub(super) fn note(&mut self, mark: u64) {
        if self.queue.len() == PRUNED_LATELY_MAX
            && let Some(oldest) = self.queue.pop_front()
        {
            self.marks.remove(&oldest);
        }
        self.queue.push_back(mark);
        self.marks.insert(mark);
    }

    /// There is an order under the number again.
    pub(super) fn forget(&mut self, mark: u64) {
        self.marks.remove(&mark);
    }
}

#[cfg(test)]
mod tests;
