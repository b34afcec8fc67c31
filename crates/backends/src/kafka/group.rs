//! What a member of the group owns and has been told: shared by the thread that polls and by whoever takes inputs.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};

use paymux_domain::ports::{LogInput, Offset};
use paymux_domain::shard::Partition;

/// Fetched records of one partition that wait to be taken; beyond it no more are fetched.
const WAITING_MAX: usize = 1024;
/// Bytes of them.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// Fetching goes on when no more than this part is left.
const RESUME_PART: usize = 4;

/// A record as it was fetched.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fetched {
    pub(super) offset: Offset,
    pub(super) payload: Vec<u8>,
    /// The format that the message says it has.
    pub(super) format_version: Option<u32>,
}

/// One partition of this member.
#[derive(Debug, Default)]
pub(super) struct View {
    /// Which joining of this member's brought it.
    joined: u64,
    /// Its generation; 0 until the position is known and marked with it.
    generation: u64,
    /// The highest position that was acknowledged for it, at first the one that it began at.
    committed: Offset,
    /// The first offset that is certainly beyond all that was fetched or heard of the log's end.
    end: Offset,
    waiting: VecDeque<Fetched>,
    bytes: usize,
    /// Whoever takes inputs wants none of it for now.
    is_paused: bool,
    /// The client fetches none of it for now.
    is_held: bool,
}

/// What may be told next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A change of the assignment.
    Told(LogInput),
    /// Records of one partition.
    Records(Partition, Vec<Fetched>),
}

/// A commit that may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sendable {
    /// Another generation has the partition, or none.
    Fenced,
    /// The position is beyond all that is known of the log: look how long it is first.
    Beyond,
    /// This position.
    At(Offset),
}

/// The partitions of one member, and what it has not taken yet.
#[derive(Debug, Default)]
pub(super) struct Group {
    told: VecDeque<LogInput>,
    views: BTreeMap<Partition, View>,
    last_read: Option<Partition>,
    joins: u64,
    /// A loss was handed out, and whoever took it has not come back yet.
    is_in_hand: bool,
}

impl Group {
    /// The group gave a partition; it is told only when it is owned.
    pub(super) fn join(&mut self, partition: Partition) {
        self.joins += 1;
        self.views.insert(partition, View { joined: self.joins, ..View::default() });
    }

    /// Partitions that were given and are not owned yet, each with the number of its joining.
    pub(super) fn joining(&self) -> Vec<(Partition, u64)> {
        let joining = self.views.iter().filter(|(_, view)| view.generation == 0);
        joining.map(|(partition, view)| (*partition, view.joined)).collect()
    }

    /// The position is marked with this generation: from now on the partition is owned.
    pub(super) fn own(&mut self, partition: Partition, generation: u64, start: Offset) {
        let Some(view) = self.views.get_mut(&partition) else { return };
        (view.generation, view.committed, view.end) = (generation, start, start.max(view.end));
        while view.waiting.front().is_some_and(|fetched| fetched.offset < start) {
            view.pop();
        }
        self.told.push_back(LogInput::Assigned { partition, generation, start });
    }

    /// The group took a partition; whoever was told of it is told now.
    pub(super) fn lose(&mut self, partition: Partition) {
        if self.views.remove(&partition).is_none_or(|view| view.generation == 0) {
            return;
        }
        let before = self.told.len();
        self.told
            .retain(|told| !matches!(told, LogInput::Assigned { partition: of, .. } if *of == partition));
        if self.told.len() == before {
            self.told.push_back(LogInput::Revoked { partition });
        }
    }

    /// Forgets everything: nobody takes inputs any more.
    pub(super) fn clear(&mut self) {
        *self = Self { joins: self.joins, ..Self::default() };
    }

    /// Whoever takes inputs comes for the next one: it has acted on the last.
    pub(super) fn came_back(&mut self) {
        self.is_in_hand = false;
    }

    /// Whether every loss has been taken and acted on.
    pub(super) fn has_let_go(&self) -> bool {
        !self.is_in_hand && !self.told.iter().any(|told| matches!(told, LogInput::Revoked { .. }))
    }

    /// A record was fetched.
    pub(super) fn fetched(&mut self, partition: Partition, fetched: Fetched) {
        if let Some(view) = self.views.get_mut(&partition) {
            view.end = view.end.max(fetched.offset + 1);
            view.bytes += fetched.payload.len();
            view.waiting.push_back(fetched);
        }
    }

    /// The next input, changes of the assignment first, then records of the partitions in turn.
    pub(super) fn take(&mut self, max: usize) -> Option<Next> {
        if let Some(told) = self.told.pop_front() {
            self.is_in_hand |= matches!(told, LogInput::Revoked { .. });
            return Some(Next::Told(told));
        }
        // The partitions after the one that was read last come first, so that each has its turn.
        let later = self.last_read.map_or(Unbounded, Excluded);
        let in_turn = self.views.range((later, Unbounded)).chain(&self.views);
        let mut ready =
            in_turn.filter(|(_, view)| view.generation > 0 && !view.is_paused && !view.waiting.is_empty());
        let partition = *ready.next()?.0;
        let view = self.views.get_mut(&partition)?;
        let count = view.waiting.len().min(max.max(1));
        let records = (0..count).filter_map(|_| view.pop()).collect();
        self.last_read = Some(partition);
        Some(Next::Records(partition, records))
    }

    pub(super) fn set_paused(&mut self, partition: Partition, is_paused: bool) {
        if let Some(view) = self.views.get_mut(&partition) {
            view.is_paused = is_paused;
        }
    }

    /// The client fetches of these partitions, whatever it was told before.
    pub(super) fn resumed(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            if let Some(view) = self.views.get_mut(partition) {
                view.is_held = false;
            }
        }
    }

    /// Partitions to fetch no more of for now, and partitions to fetch of again; each is named once.
    pub(super) fn changes_of_fetching(&mut self) -> (Vec<Partition>, Vec<Partition>) {
        let (mut hold, mut resume) = (Vec::new(), Vec::new());
        for (partition, view) in &mut self.views {
            let is_full = view.waiting.len() >= WAITING_MAX || view.bytes >= WAITING_BYTES_MAX;
            let is_low = view.waiting.len() <= WAITING_MAX / RESUME_PART
                && view.bytes <= WAITING_BYTES_MAX / RESUME_PART;
            if !view.is_held && is_full {
                view.is_held = true;
                hold.push(*partition);
            } else if view.is_held && is_low {
                view.is_held = false;
                resume.push(*partition);
            }
        }
        (hold, resume)
    }

    /// What of a commit may be sent for a generation: never less than was acknowledged before.
    pub(super) fn sendable(&self, partition: Partition, generation: u64, next: Offset) -> Sendable {
        match self.views.get(&partition) {
            Some(view) if view.generation == generation && generation > 0 => {
                if next > view.end {
                    Sendable::Beyond
                } else {
                    Sendable::At(next.max(view.committed))
                }
            }
            _ => Sendable::Fenced,
        }
    }

    /// The log of a partition is at least that long.
    pub(super) fn heard_of_end(&mut self, partition: Partition, end: Offset) {
        if let Some(view) = self.views.get_mut(&partition) {
            view.end = view.end.max(end);
        }
    }

    /// A commit was acknowledged.
    pub(super) fn committed(&mut self, partition: Partition, next: Offset) {
        if let Some(view) = self.views.get_mut(&partition) {
            view.committed = view.committed.max(next);
        }
    }
}

impl View {
    fn pop(&mut self) -> Option<Fetched> {
        let fetched = self.waiting.pop_front()?;
        self.bytes = self.bytes.saturating_sub(fetched.payload.len());
        Some(fetched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Partition = Partition(3);
    const Q: Partition = Partition(5);

    fn record(offset: Offset) -> Fetched {
        Fetched { offset, payload: vec![0; 10], format_version: None }
    }

    fn owned(generation: u64, start: Offset) -> Group {
        let mut group = Group::default();
        group.join(P);
        group.own(P, generation, start);
        assert_eq!(group.take(1), Some(Next::Told(LogInput::Assigned { partition: P, generation, start })));
        group
    }

    #[test]
    fn a_partition_is_silent_until_it_is_owned() {
        let mut group = Group::default();
        group.join(P);
        group.fetched(P, record(6));
        group.fetched(P, record(7));
        assert_eq!((group.take(9), group.joining()), (None, vec![(P, 1)]));
        group.own(P, 2, 7);
        assert_eq!(group.joining(), []);
        assert!(matches!(
            group.take(9),
            Some(Next::Told(LogInput::Assigned { generation: 2, start: 7, .. }))
        ));
        assert_eq!(group.take(9), Some(Next::Records(P, vec![record(7)])));
    }

    #[test]
    fn a_loss_is_told_to_who_knew_of_the_partition_and_to_nobody_else() {
        let mut group = owned(1, 0);
        group.fetched(P, record(0));
        group.lose(P);
        assert!(!group.has_let_go());
        assert_eq!(group.take(9), Some(Next::Told(LogInput::Revoked { partition: P })));
        assert!(!group.has_let_go(), "whoever took it may not have acted on it yet");
        group.came_back();
        assert!(group.has_let_go() && group.take(9).is_none());
        group.join(P);
        group.lose(P);
        assert!(group.take(9).is_none());
        group.join(P);
        group.own(P, 3, 0);
        group.lose(P);
        assert!(group.has_let_go() && group.take(9).is_none());
    }

    #[test]
    fn a_partition_that_is_lost_and_won_again_is_told_in_that_order() {
        let mut group = owned(1, 0);
        group.lose(P);
        group.join(P);
        group.own(P, 2, 4);
        assert_eq!(group.take(9), Some(Next::Told(LogInput::Revoked { partition: P })));
        assert_eq!(
            group.take(9),
            Some(Next::Told(LogInput::Assigned { partition: P, generation: 2, start: 4 }))
        );
    }

    #[test]
    fn a_commit_is_of_the_generation_within_the_log_and_never_falls() {
        let mut group = owned(4, 10);
        assert_eq!(group.sendable(P, 3, 10), Sendable::Fenced);
        assert_eq!(group.sendable(Q, 4, 10), Sendable::Fenced);
        assert_eq!(group.sendable(P, 4, 11), Sendable::Beyond);
        group.fetched(P, record(10));
        assert_eq!(group.sendable(P, 4, 11), Sendable::At(11));
        group.committed(P, 11);
        assert_eq!(group.sendable(P, 4, 10), Sendable::At(11));
        group.heard_of_end(P, 20);
        assert_eq!(group.sendable(P, 4, 20), Sendable::At(20));
        group.lose(P);
        assert_eq!(group.sendable(P, 4, 11), Sendable::Fenced);
    }

    #[test]
    fn what_is_not_taken_stops_the_fetching_of_its_partition() {
        let mut group = owned(1, 0);
        for offset in 0..1024 {
            assert_eq!(group.changes_of_fetching(), (vec![], vec![]));
            group.fetched(P, record(offset));
        }
        assert_eq!(group.changes_of_fetching(), (vec![P], vec![]));
        assert_eq!(group.changes_of_fetching(), (vec![], vec![]));
        group.take(767);
        assert_eq!(group.changes_of_fetching(), (vec![], vec![]));
        group.take(1);
        assert_eq!(group.changes_of_fetching(), (vec![], vec![P]));
    }

    #[test]
    fn a_partition_that_is_resumed_while_it_is_full_is_held_anew() {
        let mut group = Group::default();
        group.join(P);
        for offset in 0..1024 {
            group.fetched(P, record(offset));
        }
        assert_eq!(group.changes_of_fetching(), (vec![P], vec![]));
        group.resumed(&[P, Q]);
        assert_eq!(group.changes_of_fetching(), (vec![P], vec![]));
    }

    #[test]
    fn partitions_take_turns_and_a_paused_one_is_passed_over() {
        let mut group = owned(1, 0);
        group.join(Q);
        group.own(Q, 1, 0);
        group.take(1);
        for offset in 0..3 {
            group.fetched(P, record(offset));
            group.fetched(Q, record(offset));
        }
        let mut turn = || match group.take(1) {
            Some(Next::Records(partition, _)) => partition,
            other => panic!("no records: {other:?}"),
        };
        assert_eq!([turn(), turn(), turn(), turn()], [P, Q, P, Q]);
        group.set_paused(P, true);
        assert!(matches!(group.take(9), Some(Next::Records(Q, _))));
        assert_eq!(group.take(9), None);
    }
}
