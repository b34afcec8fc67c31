//! One partition in memory: its records, its events and the position that its owner committed.

use std::collections::VecDeque;

use paymux_domain::command::Record;
use paymux_domain::event::Event;
use paymux_domain::ports::{CommitError, Delivered, EventPage, Offset, StoredEvent, Undecodable};

/// A vector whose first entries may be gone: positions stay what they were.
#[derive(Debug)]
pub(super) struct Journal<T> {
    first: Offset,
    entries: VecDeque<T>,
}

impl<T> Default for Journal<T> {
    fn default() -> Self {
        Self { first: 0, entries: VecDeque::new() }
    }
}

impl<T> Journal<T> {
    /// The oldest position that is still there.
    pub(super) const fn first(&self) -> Offset {
        self.first
    }

    /// The position after the newest entry.
    pub(super) fn end(&self) -> Offset {
        self.first + self.entries.len() as u64
    }

    pub(super) fn push(&mut self, entry: T) -> Offset {
        self.entries.push_back(entry);
        self.end() - 1
    }

    /// Entries with their positions from `from` on, or from the oldest that is left.
    pub(super) fn from(&self, from: Offset) -> impl Iterator<Item = (Offset, &T)> {
        let start = from.max(self.first);
        let skip = usize::try_from(start - self.first).unwrap_or(usize::MAX);
        (start..).zip(self.entries.iter().skip(skip))
    }

    /// Forgets entries below `below` until at most `keep` of those are left.
    pub(super) fn trim(&mut self, below: Offset, keep: usize) {
        let keep = u64::try_from(keep).unwrap_or(u64::MAX);
        while self.first < below && below - self.first > keep && self.entries.pop_front().is_some() {
            self.first += 1;
        }
    }
}

/// The state of one partition of the log.
#[derive(Debug, Default)]
pub(super) struct PartitionState {
    pub(super) records: Journal<Result<Record, Undecodable>>,
    pub(super) events: Journal<Event>,
    pub(super) committed: Offset,
    /// The generation of the newest assignment; a commit of any other is fenced.
    pub(super) generation: u64,
    pub(super) owner: Option<super::MemberId>,
}

impl PartitionState {
    pub(super) fn commit(&mut self, generation: u64, next: Offset, keep: usize) -> Result<(), CommitError> {
        if self.owner.is_none() || generation != self.generation {
            return Err(CommitError::Fenced(generation));
        }
        if next > self.records.end() {
            let end = self.records.end();
            return Err(CommitError::Unavailable(format!("offset {next} is beyond the log's end {end}")));
        }
        // Two commits of one owner may overtake each other on their way; the position never falls.
        self.committed = self.committed.max(next);
        self.records.trim(self.committed, keep);
        Ok(())
    }

    pub(super) fn deliver(&self, from: Offset, max: usize) -> Vec<Delivered> {
        let records = self.records.from(from).take(max);
        records.map(|(offset, record)| Delivered { offset, record: record.clone() }).collect()
    }

    pub(super) fn events(&self, from: Offset, max: usize) -> EventPage {
        let events = self.events.from(from).take(max);
        let events: Vec<StoredEvent> =
            events.map(|(offset, event)| StoredEvent { offset, event: event.clone() }).collect();
        let next = events.last().map_or(from, |last| last.offset + 1);
        EventPage { events, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trimmed_journal_keeps_its_positions() {
        let mut journal = Journal::default();
        for n in 0..10 {
            assert_eq!(journal.push(n), n);
        }
        journal.trim(6, 2);
        assert_eq!((journal.first(), journal.end()), (4, 10));
        assert_eq!(journal.from(0).map(|(offset, n)| (offset, *n)).next(), Some((4, 4)));
        assert_eq!(journal.from(8).map(|(_, n)| *n).collect::<Vec<_>>(), [8, 9]);
        journal.trim(3, 0);
        assert_eq!(journal.first(), 4);
    }
}
