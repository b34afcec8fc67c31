//! What may go: records that are committed, the oldest events, due rows of buckets that were swept long ago.
//!
//! A little rides along with each batch, one partition in turn, so that it costs no fsync of its own and never
//! holds up a commit for long.

use std::time::Duration;

use paymux_domain::ports::Offset;
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;

use super::keys::{DueKey, OffsetKey, PositionKey};
use super::staged::Staged;
use super::tables::{ReadFault, Table};

/// Removing begins when at least so many rows of one kind may go.
const ROWS_MIN: u64 = 256;
/// Rows of one kind that go with one batch.
const ROWS_MAX: u64 = 512;
/// Schedule time below `swept_through` whose rows are kept, for whoever looks into what happened.
const SWEPT_KEPT: Duration = Duration::from_secs(3600);

/// Remembers whose turn it is, and up to where due rows are gone.
#[derive(Debug)]
pub(super) struct Retention {
    events_kept: u64,
    turn: usize,
    /// By partition: no due row lies before.
    due_first: Vec<Option<Timestamp>>,
}

impl Retention {
    pub(super) fn new(partitions: u16, events_kept: u64) -> Self {
        Self { events_kept, turn: 0, due_first: vec![None; usize::from(partitions)] }
    }

    /// Adds some removals of one partition to a batch.
    pub(super) fn ride_along(&mut self, staged: &mut Staged<'_>) -> Result<(), ReadFault> {
        self.turn = (self.turn + 1) % self.due_first.len().max(1);
        let Ok(number) = u16::try_from(self.turn) else { return Ok(()) };
        let partition = Partition(number);
        self.log(partition, staged);
        self.events(partition, staged);
        self.due(partition, staged)
    }

    fn log(&self, partition: Partition, staged: &mut Staged<'_>) {
        let Some(positions) = staged.positions.get_mut(self.turn) else { return };
        if let Some(gone) = some_of(positions.log_first, positions.committed) {
            positions.log_first = gone.end;
            staged.put_number(PositionKey::LogFirst(partition), gone.end);
            for offset in gone {
                staged.remove(Table::Log, OffsetKey { partition, offset }.bytes());
            }
        }
    }

    fn events(&self, partition: Partition, staged: &mut Staged<'_>) {
        let Some(positions) = staged.positions.get_mut(self.turn) else { return };
        if let Some(gone) = some_of(positions.events_first, positions.events.saturating_sub(self.events_kept))
        {
            positions.events_first = gone.end;
            staged.put_number(PositionKey::EventsFirst(partition), gone.end);
            for offset in gone {
                staged.remove(Table::Events, OffsetKey { partition, offset }.bytes());
            }
        }
    }

    fn due(&mut self, partition: Partition, staged: &mut Staged<'_>) -> Result<(), ReadFault> {
        let Some(swept) = staged.positions.get(self.turn).and_then(|positions| positions.swept_through)
        else {
            return Ok(());
        };
        let Some(first) = self.due_first.get_mut(self.turn) else { return Ok(()) };
        let end = swept.start() - SWEPT_KEPT;
        let start = first.unwrap_or(Timestamp::from_millis(i64::MIN));
        if start >= end {
            return Ok(());
        }
        let range = DueKey::from_time(partition, start)..DueKey::from_time(partition, end);
        let limit = usize::try_from(ROWS_MAX).unwrap_or(usize::MAX);
        let mut gone = Vec::new();
        for row in staged.tables().view().range(Table::Due, range).take(limit) {
            gone.push(row.key()?.to_vec());
        }
        let last = gone.last().and_then(|key| DueKey::parse(key)).map(|key| key.row.due_at);
        // More may lie there: the next turn begins where this one ended.
        *first = if gone.len() == limit { last } else { Some(end) };
        for key in gone {
            staged.remove(Table::Due, key);
        }
        Ok(())
    }
}

/// The first rows between `first` and `end`, if it is worth the while.
fn some_of(first: Offset, end: Offset) -> Option<std::ops::Range<Offset>> {
    let count = end.saturating_sub(first);
    (count >= ROWS_MIN).then(|| first..first + count.min(ROWS_MAX))
}
