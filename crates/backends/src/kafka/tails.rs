//! The newest events of partitions that somebody follows, in memory: one fetch serves all who wait for news.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use paymux_domain::event::Event;
use paymux_domain::ports::{EventPage, Offset, StoredEvent};
use paymux_domain::shard::Partition;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Events of one partition that are kept.
pub(super) const KEPT_MAX: usize = 4096;
/// A partition that nobody has asked for so long is followed no more.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// The tails of all partitions that are followed.
#[derive(Debug, Default)]
pub(super) struct Tails {
    tails: BTreeMap<Partition, Tail>,
}

#[derive(Debug)]
struct Tail {
    /// The client has been told to fetch it.
    is_fetched: bool,
    first: Offset,
    next: Offset,
    kept: VecDeque<(Offset, Result<Event, String>)>,
    asked: Instant,
    /// Wakes who waits for events of this partition.
    grew: Arc<Notify>,
}

impl Tail {
    fn new(from: Offset, now: Instant) -> Self {
        let (kept, grew) = (VecDeque::new(), Arc::default());
        Self { is_fetched: false, first: from, next: from, kept, asked: now, grew }
    }
}

/// What a tail knows of a position.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// These events.
    Page(EventPage),
    /// The event there cannot be read by this version.
    Unreadable(String),
    /// It comes here when it is published.
    Awaited,
    /// It lies before the tail, or there is no tail.
    Elsewhere,
}

/// What the client is to fetch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) begin: Vec<(Partition, Offset)>,
    pub(super) end: Vec<Partition>,
}

impl Tails {
    /// The events from a position on.
    pub(super) fn look(&mut self, partition: Partition, from: Offset, max: usize, now: Instant) -> Look {
        let Some(tail) = self.tails.get_mut(&partition) else { return Look::Elsewhere };
        tail.asked = now;
        if from < tail.first {
            return Look::Elsewhere;
        }
        let later = tail.kept.partition_point(|(offset, _)| *offset < from);
        let found = tail.kept.range(later..).take(max.max(1));
        let mut events = Vec::new();
        for (offset, event) in found {
            match event {
                Ok(event) => events.push(StoredEvent { offset: *offset, event: event.clone() }),
                Err(reason) if events.is_empty() => return Look::Unreadable(reason.clone()),
                Err(_) => break,
            }
        }
        match events.last().map(|last| last.offset + 1) {
            Some(next) => Look::Page(EventPage { events, next }),
            None => Look::Awaited,
        }
    }

    /// The same, with the next growth of the partition where it is followed. Both are of one moment: whatever comes after
    /// the look completes the wait, also where the tail goes.
    pub(super) fn look_or_wait(
        &mut self,
        partition: Partition,
        from: Offset,
        max: usize,
        now: Instant,
    ) -> (Look, Option<OwnedNotified>) {
        let look = self.look(partition, from, max, now);
        (look, self.tails.get(&partition).map(|tail| Arc::clone(&tail.grew).notified_owned()))
    }

    /// Follows a partition from a position on, unless it is followed already.
    pub(super) fn follow(&mut self, partition: Partition, from: Offset, now: Instant) {
        self.tails.entry(partition).or_insert_with(|| Tail::new(from, now));
    }

    /// Wakes who waits for events of a partition.
    pub(super) fn wake(&self, partition: Partition) {
        if let Some(tail) = self.tails.get(&partition) {
            tail.grew.notify_waiters();
        }
    }

    /// An event was fetched.
    pub(super) fn fetched(&mut self, partition: Partition, offset: Offset, event: Result<Event, String>) {
        let Some(tail) = self.tails.get_mut(&partition) else { return };
        if offset < tail.next {
            return;
        }
        tail.next = offset + 1;
        tail.kept.push_back((offset, event));
        if tail.kept.len() > KEPT_MAX
            && let Some((oldest, _)) = tail.kept.pop_front()
        {
            tail.first = oldest + 1;
        }
    }

    /// What the client is to fetch from now on, and what no longer; each is named once.
    pub(super) fn changes(&mut self, now: Instant) -> Changes {
        let mut changes = Changes::default();
        self.tails.retain(|partition, tail| {
            let is_idle = now.saturating_duration_since(tail.asked) > IDLE_MAX;
            match (is_idle, tail.is_fetched) {
                (true, true) => changes.end.push(*partition),
                (false, false) => {
                    tail.is_fetched = true;
                    changes.begin.push((*partition, tail.next));
                }
                (true, false) | (false, true) => {}
            }
            if is_idle {
                tail.grew.notify_waiters();
            }
            !is_idle
        });
        changes
    }

    /// Forgets everything; whoever waits looks again.
    pub(super) fn clear(&mut self) {
        self.tails.values().for_each(|tail| tail.grew.notify_waiters());
        self.tails.clear();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use paymux_domain::event::EventKind;
    use paymux_domain::fold::State;
    use paymux_domain::name::OrderKey;
    use paymux_domain::time::Timestamp;

    use super::*;

    const P: Partition = Partition(2);

    fn event() -> Event {
        Event {
            key: OrderKey {
                merchant_id: "m".parse().expect("a valid merchant"),
                order_no: "o".parse().expect("a valid number"),
            },
            subject: "paid/1".to_owned(),
            kind: EventKind::Paid,
            state: State::Paid,
            time: Timestamp::from_millis(0),
        }
    }

    fn offsets(look: Look) -> (Vec<Offset>, Offset) {
        match look {
            Look::Page(page) => (page.events.iter().map(|stored| stored.offset).collect(), page.next),
            other => panic!("no page: {other:?}"),
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an instant has no other beginning")]
    fn a_tail_serves_what_it_holds_and_lets_others_wait_or_look_elsewhere() {
        let now = Instant::now();
        let mut tails = Tails::default();
        assert_eq!(tails.look(P, 5, 9, now), Look::Elsewhere);
        tails.follow(P, 5, now);
        tails.follow(P, 99, now);
        assert_eq!(tails.changes(now).begin, [(P, 5)]);
        assert_eq!(tails.changes(now), Changes::default());
        assert_eq!(tails.look(P, 5, 9, now), Look::Awaited);
        for offset in [5, 6, 6, 8] {
            tails.fetched(P, offset, Ok(event()));
        }
        assert_eq!(offsets(tails.look(P, 5, 2, now)), (vec![5, 6], 7));
        assert_eq!(offsets(tails.look(P, 7, 9, now)), (vec![8], 9));
        assert_eq!((tails.look(P, 9, 9, now), tails.look(P, 4, 9, now)), (Look::Awaited, Look::Elsewhere));

        tails.fetched(P, 9, Err("newer".to_owned()));
        assert_eq!(offsets(tails.look(P, 8, 9, now)), (vec![8], 9));
        assert_eq!(tails.look(P, 9, 9, now), Look::Unreadable("newer".to_owned()));

        for offset in 10..10 + KEPT_MAX as u64 {
            tails.fetched(P, offset, Ok(event()));
        }
        assert_eq!(tails.look(P, 9, 1, now), Look::Elsewhere);
        assert_eq!(offsets(tails.look(P, 10, 1, now)), (vec![10], 11));

        assert_eq!(tails.changes(now + IDLE_MAX), Changes::default());
        assert_eq!(tails.changes(now + IDLE_MAX * 2).end, [P]);
        assert_eq!(tails.look(P, 10, 1, now), Look::Elsewhere);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an instant has no other beginning")]
    fn who_waits_is_woken_for_its_own_partition_and_when_its_tail_goes() {
        let now = Instant::now();
        let is_woken_by = |what: fn(&mut Tails, Instant)| {
            let mut tails = Tails::default();
            tails.follow(P, 5, now);
            tails.follow(Partition(3), 5, now);
            let (look, waits) = tails.look_or_wait(P, 5, 1, now);
            assert_eq!(look, Look::Awaited);
            what(&mut tails, now);
            waits.expect("it is followed").now_or_never().is_some()
        };
        assert!(is_woken_by(|tails, _| tails.wake(P)));
        assert!(!is_woken_by(|tails, _| tails.wake(Partition(3))));
        assert!(is_woken_by(|tails, _| tails.clear()));
        assert!(is_woken_by(|tails, now| drop(tails.changes(now + IDLE_MAX * 2))));
        assert!(Tails::default().look_or_wait(P, 5, 1, now).1.is_none());
    }
}
