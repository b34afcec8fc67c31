//! One lane per partition: what comes while a batch of it is on its way is held back, and leaves as the next batch.
//!
//! librdkafka holds such records back as well: its idempotent client counts records, not requests, against the five
//! that may be on their way. But while it does, its thread looks for the end of that without a pause, and keeps a core
//! busy. So it is given nothing that it would hold back. What is held back here has never been handed over, and can be
//! taken back for certain.

use std::collections::VecDeque;
use std::ops::Range;

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
    next: u64,
}

#[derive(Debug)]
struct Held<R> {
    ticket: u64,
    bytes: usize,
    record: R,
}

/// Records that came together and are held back, by their numbers in their lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tickets(Range<u64>);

/// Whose turn is when, of records that came together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turns<R> {
    /// The first ones, if their turn is now: whoever brought them hands them over, in their order.
    pub(super) now: Vec<R>,
    /// The others leave with the next batches.
    pub(super) later: Tickets,
}

impl<R> Default for Turns<R> {
    fn default() -> Self {
        Self { now: Vec::new(), later: Tickets::default() }
    }
}

impl<R> Lanes<R> {
    /// So many lanes, each with batches of at most so many bytes, or of one record.
    pub(super) fn new(count: usize, batch_bytes_max: usize) -> Self {
        let lane = || Lane { on_their_way: 0, held: VecDeque::new(), next: 0 };
        Self { lanes: (0..count).map(|_| Mutex::new(lane())).collect(), batch_bytes_max }
    }

    /// Lets records into a lane, each with its bytes; `None` when there is no such one.
    pub(super) fn enter(&self, lane: usize, records: Vec<(usize, R)>) -> Option<Turns<R>> {
        let mut lane = self.lanes.get(lane)?.lock();
        let first = lane.next;
        for (bytes, record) in records {
            let ticket = lane.next;
            lane.next += 1;
            lane.held.push_back(Held { ticket, bytes, record });
        }
        // Where nothing was on its way nothing was held, either.
        let now = if lane.on_their_way == 0 { lane.take(self.batch_bytes_max) } else { Vec::new() };
        lane.on_their_way += now.len();
        let later = first + now.len() as u64..lane.next;
        Some(Turns { now, later: Tickets(later) })
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

    /// Takes back those of these records that are still held.
    pub(super) fn withdraw(&self, lane: usize, tickets: &Tickets) -> Vec<R> {
        let Some(lane) = self.lanes.get(lane) else { return Vec::new() };
        let mut lane = lane.lock();
        let from = lane.held.partition_point(|held| held.ticket < tickets.0.start);
        let to = lane.held.partition_point(|held| held.ticket < tickets.0.end);
        lane.held.drain(from..to).map(|held| held.record).collect()
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

impl Tickets {
    /// Whether none was held back.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records of one byte each; gives those whose turn is now.
    fn enter(lanes: &Lanes<char>, lane: usize, records: &str) -> (Vec<char>, Tickets) {
        let records = records.chars().map(|record| (1, record)).collect();
        let Turns { now, later } = lanes.enter(lane, records).expect("there is such a lane");
        (now, later)
    }

    #[test]
    fn what_comes_behind_a_record_leaves_as_one_batch_in_its_order() {
        let lanes = Lanes::new(2, 1000);
        assert_eq!(enter(&lanes, 0, "a").0, ['a']);
        assert_eq!(enter(&lanes, 0, "b").0, []);
        assert_eq!(enter(&lanes, 0, "c").0, []);
        assert_eq!(enter(&lanes, 1, "x").0, ['x'], "the other partition is free");
        assert_eq!(lanes.over(0, 1), ['b', 'c']);
        assert_eq!(enter(&lanes, 0, "d").0, []);
        assert_eq!(lanes.over(0, 1), [], "one of the batch is still on its way");
        assert_eq!(lanes.over(0, 1), ['d']);
        assert_eq!(lanes.over(0, 1), []);
        assert_eq!(enter(&lanes, 0, "e").0, ['e']);
        assert_eq!(lanes.enter(2, vec![(1, 'f')]), None);
    }

    #[test]
    fn what_comes_together_leaves_together_as_far_as_a_batch_holds_it() {
        let lanes = Lanes::new(1, 3);
        let (now, later) = enter(&lanes, 0, "abcde");
        assert_eq!(now, ['a', 'b', 'c']);
        assert!(!later.is_empty());
        assert_eq!(enter(&lanes, 0, "fg").0, []);
        assert_eq!(lanes.over(0, 2), []);
        assert_eq!(lanes.over(0, 1), ['d', 'e', 'f']);
        assert_eq!(lanes.withdraw(0, &later), [], "they have left");
        assert_eq!(lanes.over(0, 3), ['g']);
        assert_eq!(lanes.over(0, 1), []);
        assert!(enter(&lanes, 0, "h").1.is_empty());
    }

    #[test]
    fn records_can_be_taken_back_until_they_leave() {
        let lanes = Lanes::new(1, 1000);
        assert_eq!(enter(&lanes, 0, "a").0, ['a']);
        let held = ["bc", "de", "f"].map(|records| enter(&lanes, 0, records).1);
        assert_eq!(lanes.withdraw(0, &held[1]), ['d', 'e']);
        assert_eq!(lanes.withdraw(0, &held[1]), []);
        assert_eq!(lanes.over(0, 1), ['b', 'c', 'f']);
        assert_eq!(lanes.withdraw(0, &held[0]), [], "they have left");
    }

    #[test]
    fn a_batch_has_an_end_and_a_record_that_is_longer_than_a_batch_leaves_alone() {
        let lanes = Lanes::new(1, 10);
        let records = vec![(2, 1), (4, 2), (4, 3), (1, 4), (11, 5), (10, 6)];
        assert_eq!(lanes.enter(0, records).expect("a lane").now, [1, 2, 3]);
        assert_eq!(lanes.over(0, 3), [4]);
        assert_eq!(lanes.over(0, 1), [5]);
        assert_eq!(lanes.over(0, 1), [6]);
    }
}
