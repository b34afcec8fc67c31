//! One lane per partition: what comes while a batch of it is on its way is held back, and leaves as the next batch.
//!
//! librdkafka holds such records back as well: its idempotent client counts records, not requests, against the five
//! that may be on their way. But while it does, its thread looks for the end of that without a pause, and keeps a core
//! busy. So it is given nothing that it would hold back. What is held back here has never been handed over, and can be
//! taken back for certain.

use std::collections::VecDeque;

use parking_lot::Mutex;

/// The lanes of all partitions.
#[derive(Debug)]
pub(super) struct Lanes<R> {
    lanes: Vec<Mutex<Lane<R>>>,
    batch_bytes_max: usize,
}

#[derive(Debug)]
struct Lane<R> {
    /// Records that were handed over and of which nothing was heard yet.
    on_their_way: usize,
    held: VecDeque<Held<R>>,
    next: Ticket,
}

#[derive(Debug)]
struct Held<R> {
    ticket: Ticket,
    bytes: usize,
    record: R,
}

/// A record that is held back, by its number in its lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// When a record's turn is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn<R> {
    /// Now: whoever brought it hands it over.
    Now(R),
    /// With the next batch.
    Later(Ticket),
}

impl<R> Lanes<R> {
    /// So many lanes, each with batches of at most so many bytes, or of one record.
    pub(super) fn new(count: usize, batch_bytes_max: usize) -> Self {
        let lane = || Lane { on_their_way: 0, held: VecDeque::new(), next: Ticket::default() };
        Self { lanes: (0..count).map(|_| Mutex::new(lane())).collect(), batch_bytes_max }
    }

    /// Lets a record into a lane; `None` when there is no such one.
    pub(super) fn enter(&self, lane: usize, bytes: usize, record: R) -> Option<Turn<R>> {
        let mut lane = self.lanes.get(lane)?.lock();
        // Where nothing is on its way nothing is held, either.
        if lane.on_their_way == 0 {
            lane.on_their_way = 1;
            return Some(Turn::Now(record));
        }
        let ticket = lane.next;
        lane.next = Ticket(ticket.0.wrapping_add(1));
        lane.held.push_back(Held { ticket, bytes, record });
        Some(Turn::Later(ticket))
    }

    /// So many records of a lane are no longer on their way. When they were the last ones, the next batch is, and
    /// whoever gets it hands it over, in its order.
    pub(super) fn over(&self, lane: usize, count: usize) -> Vec<R> {
        let Some(lane) = self.lanes.get(lane) else { return Vec::new() };
        let mut lane = lane.lock();
        lane.on_their_way = lane.on_their_way.saturating_sub(count);
        if lane.on_their_way > 0 {
            return Vec::new();
        }
        let batch = lane.take(self.batch_bytes_max);
        lane.on_their_way = batch.len();
        batch
    }

    /// Takes a record back; `None` when it is not held any more.
    pub(super) fn withdraw(&self, lane: usize, ticket: Ticket) -> Option<R> {
        let mut lane = self.lanes.get(lane)?.lock();
        let index = lane.held.binary_search_by_key(&ticket, |held| held.ticket).ok()?;
        lane.held.remove(index).map(|held| held.record)
    }
}

impl<R> Lane<R> {
    fn take(&mut self, bytes_max: usize) -> Vec<R> {
        let mut bytes = 0_usize;
        let fits = |held: &&Held<R>| {
            bytes = bytes.saturating_add(held.bytes);
            bytes <= bytes_max
        };
        let count = self.held.iter().take_while(fits).count().max(1).min(self.held.len());
        self.held.drain(..count).map(|held| held.record).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_behind_a_record_leaves_as_one_batch_in_its_order() {
        let lanes = Lanes::new(2, 1000);
        assert_eq!(lanes.enter(0, 1, 'a'), Some(Turn::Now('a')));
        assert!(matches!(lanes.enter(0, 1, 'b'), Some(Turn::Later(_))));
        assert!(matches!(lanes.enter(0, 1, 'c'), Some(Turn::Later(_))));
        assert_eq!(lanes.enter(1, 1, 'x'), Some(Turn::Now('x')), "the other partition is free");
        assert_eq!(lanes.over(0, 1), ['b', 'c']);
        assert!(matches!(lanes.enter(0, 1, 'd'), Some(Turn::Later(_))));
        assert_eq!(lanes.over(0, 1), [], "one of the batch is still on its way");
        assert_eq!(lanes.over(0, 1), ['d']);
        assert_eq!(lanes.over(0, 1), []);
        assert_eq!(lanes.enter(0, 1, 'e'), Some(Turn::Now('e')));
        assert_eq!(lanes.enter(2, 1, 'f'), None);
    }

    #[test]
    fn a_record_can_be_taken_back_until_it_leaves() {
        let lanes = Lanes::new(1, 1000);
        assert_eq!(lanes.enter(0, 1, 'a'), Some(Turn::Now('a')));
        let tickets = ['b', 'c', 'd'].map(|record| match lanes.enter(0, 1, record) {
            Some(Turn::Later(ticket)) => ticket,
            other => panic!("it is not held: {other:?}"),
        });
        assert_eq!(lanes.withdraw(0, tickets[1]), Some('c'));
        assert_eq!(lanes.withdraw(0, tickets[1]), None);
        assert_eq!(lanes.over(0, 1), ['b', 'd']);
        assert_eq!(lanes.withdraw(0, tickets[0]), None, "it has left");
    }

    #[test]
    fn a_batch_has_an_end_and_a_record_that_is_longer_than_a_batch_leaves_alone() {
        let lanes = Lanes::new(1, 10);
        assert_eq!(lanes.enter(0, 1, 1), Some(Turn::Now(1)));
        for (record, bytes) in [(2, 4), (3, 6), (4, 1), (5, 11), (6, 10)] {
            assert!(matches!(lanes.enter(0, bytes, record), Some(Turn::Later(_))));
        }
        assert_eq!(lanes.over(0, 1), [2, 3]);
        assert_eq!(lanes.over(0, 2), [4]);
        assert_eq!(lanes.over(0, 1), [5]);
        assert_eq!(lanes.over(0, 1), [6]);
    }
}
