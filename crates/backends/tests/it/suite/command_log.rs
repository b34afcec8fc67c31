//! What every command log must do, for its writers and for the owner of its partitions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use paymux_domain::command::{Record, ReplyAddress};
use paymux_domain::ports::{
    AppendError, CommandLog, CommitError, DeadPage, DeadRecord, LogConsumer, LogInput, Offset, Reply,
    ReplyKind, Undecodable,
};
use paymux_domain::shard::Partition;
use paymux_proto::records;
use tokio::time::timeout;

use super::values::{at, event, key, record};
use super::{LogWorld, ends};

/// One test per behaviour over a world that `$world` makes.
macro_rules! command_log_suite {
    ($name:ident, $world:expr $(, $attribute:meta)*) => {
        command_log_suite! { @tests $name, $world, ($($attribute),*)
            every_partition_is_assigned_once_from_its_start
            records_come_in_the_order_of_their_offsets
            records_that_are_appended_together_keep_their_order_and_each_has_an_outcome
            concurrent_appends_each_have_an_offset_of_their_own
            what_was_not_committed_comes_again_to_the_next_owner
            a_former_generation_is_fenced
            the_committed_position_never_falls
            a_paused_partition_is_silent_until_it_is_resumed
            partitions_take_turns
            a_dropped_next_loses_nothing
            events_come_in_order_and_in_pages
            a_read_of_events_waits_for_the_first
            a_dead_record_may_be_buried_twice
            dead_records_are_listed_newest_first_and_in_pages
            what_is_appended_raw_comes_as_it_is
            the_lag_counts_what_is_not_committed
            a_reply_reaches_its_instance
            an_unknown_partition_takes_nothing
        }
    };
    (@tests $name:ident, $world:expr, $arguments:tt $($test:ident)*) => {
        mod $name {
            $(
                #[tokio::test $arguments]
                async fn $test() {
                    // A world that needs a service may be missing; it has said so.
                    if let Some(world) = Option::<$crate::suite::LogWorld>::from($world) {
                        $crate::suite::command_log::$test(world).await;
                    }
                }
            )*
        }
    };
}

const A: Partition = Partition(0);
const B: Partition = Partition(1);
const NO_WAIT: Duration = Duration::ZERO;

/// What an owner has heard so far.
#[derive(Debug, Default)]
struct Heard {
    assigned: Vec<(Partition, u64, Offset)>,
    records: Vec<(Partition, Offset, Record)>,
}

impl Heard {
    /// Hears one more input.
    async fn hear(&mut self, consumer: &dyn LogConsumer, max: usize) {
        match done!(consumer.next(max)) {
            LogInput::Assigned { partition, generation, start } => {
                self.assigned.push((partition, generation, start));
            }
            LogInput::Revoked { partition } => panic!("{partition} was revoked"),
            LogInput::Records { partition, records } => {
                assert!(!records.is_empty() && records.len() <= max);
                for delivered in records {
                    let record = delivered.record.expect("what was appended can be read");
                    self.records.push((partition, delivered.offset, record));
                }
            }
        }
    }

    /// Hears until the newest record of a partition is that one.
    async fn until(&mut self, consumer: &dyn LogConsumer, partition: Partition, newest: &Record) {
        while self.records_of(partition).last() != Some(newest) {
            self.hear(consumer, 7).await;
        }
    }

    /// The records of a partition; an append that was repeated counts once.
    fn records_of(&self, partition: Partition) -> Vec<Record> {
        let mut records: Vec<Record> =
            self.records.iter().filter(|heard| heard.0 == partition).map(|heard| heard.2.clone()).collect();
        records.dedup();
        records
    }

    fn generation_of(&self, partition: Partition) -> u64 {
        self.assigned.iter().find(|assigned| assigned.0 == partition).expect("it is assigned").1
    }
}

/// An owner that has been told of all its partitions.
async fn owner(world: &LogWorld) -> Heard {
    let mut heard = Heard::default();
    while heard.assigned.len() < usize::from(world.log.partitions()) {
        heard.hear(&*world.consumer, 7).await;
    }
    heard
}

async fn append(log: &dyn CommandLog, partition: Partition, numbers: std::ops::Range<usize>) -> Vec<Offset> {
    let mut offsets = Vec::new();
    for number in numbers {
        offsets.push(done!(log.append(partition, record(number))));
    }
    offsets
}

fn numbered(numbers: std::ops::Range<usize>) -> Vec<Record> {
    numbers.map(record).collect()
}

pub(crate) async fn every_partition_is_assigned_once_from_its_start(world: LogWorld) {
    let heard = owner(&world).await;
    let partitions: BTreeSet<Partition> = heard.assigned.iter().map(|assigned| assigned.0).collect();
    assert_eq!(partitions, (0..world.log.partitions()).map(Partition).collect());
    assert!(heard.assigned.iter().all(|(_, generation, start)| *generation > 0 && *start == 0));
    assert_eq!(heard.records, []);
}

pub(crate) async fn records_come_in_the_order_of_their_offsets(world: LogWorld) {
    let offsets = append(&*world.log, A, 0..20).await;
    append(&*world.log, B, 50..60).await;
    assert!(offsets.is_sorted());
    let mut heard = owner(&world).await;
    heard.until(&*world.consumer, A, &record(19)).await;
    heard.until(&*world.consumer, B, &record(59)).await;
    assert_eq!(heard.records_of(A), numbered(0..20));
    assert_eq!(heard.records_of(B), numbered(50..60));
    for partition in [A, B] {
        let offsets = heard.records.iter().filter(|heard| heard.0 == partition).map(|heard| heard.1);
        assert!(offsets.eq(0..heard.records.iter().filter(|heard| heard.0 == partition).count() as u64));
    }
}

pub(crate) async fn records_that_are_appended_together_keep_their_order_and_each_has_an_outcome(
    world: LogWorld,
) {
    let appended = |records| {
        let outcomes = world.log.append_all(A, records);
        async { outcomes.await.into_iter().collect::<Result<Vec<Offset>, AppendError>>() }
    };
    let first = done!(appended(numbered(0..100)));
    let second = done!(appended(numbered(100..103)));
    let offsets: Vec<Offset> = first.iter().chain(&second).copied().collect();
    assert_eq!((first.len(), second.len()), (100, 3));
    assert!(offsets.is_sorted_by(|one, next| one < next), "{offsets:?}");
    assert_eq!(done!(appended(Vec::new())), Vec::<Offset>::new());
    let mut heard = owner(&world).await;
    while heard.records.iter().all(|heard| Some(&heard.1) != offsets.last()) {
        heard.hear(&*world.consumer, 7).await;
    }
    // What was sent again after an unknown outcome lies there twice.
    let acknowledged = heard.records.into_iter().filter(|heard| offsets.contains(&heard.1));
    assert!(acknowledged.map(|heard| heard.2).eq(numbered(0..103)));

    let nowhere = ends(world.log.append_all(Partition(u16::MAX), numbered(0..2))).await;
    assert!(matches!(nowhere.as_slice(), [Err(_), Err(_)]), "{nowhere:?}");
}

pub(crate) async fn concurrent_appends_each_have_an_offset_of_their_own(world: LogWorld) {
    let mut tasks = Vec::new();
    for number in 0..64 {
        let log = Arc::clone(&world.log);
        tasks.push(tokio::spawn(async move { done!(log.append(A, record(number))) }));
    }
    let mut acknowledged = BTreeSet::new();
    for task in tasks {
        let offset = ends(task).await.expect("an append ends");
        assert!(acknowledged.insert(offset), "offset {offset} was given twice");
    }
    assert_eq!(acknowledged.len(), 64);
}

pub(crate) async fn what_was_not_committed_comes_again_to_the_next_owner(world: LogWorld) {
    let offsets = append(&*world.log, A, 0..10).await;
    let mut heard = owner(&world).await;
    heard.until(&*world.consumer, A, &record(9)).await;
    done!(world.consumer.commit(A, heard.generation_of(A), offsets[6]));

    let world = world.moved();
    append(&*world.log, A, 10..12).await;
    let mut again = owner(&world).await;
    assert_eq!(again.assigned.iter().find(|assigned| assigned.0 == A).map(|a| a.2), Some(offsets[6]));
    again.until(&*world.consumer, A, &record(11)).await;
    assert_eq!(again.records_of(A), numbered(6..12));
}

pub(crate) async fn a_former_generation_is_fenced(world: LogWorld) {
    append(&*world.log, A, 0..3).await;
    let former = owner(&world).await.generation_of(A);
    let world = world.moved();
    let generation = owner(&world).await.generation_of(A);
    assert!(generation > former);
    let fenced = loop {
        match ends(world.consumer.commit(A, former, 3)).await {
            Err(CommitError::Unavailable(_)) => {}
            other => break other,
        }
    };
    assert_eq!(fenced, Err(CommitError::Fenced(former)));
    done!(world.consumer.commit(A, generation, 2));
    assert_eq!(done!(world.log.lag(A)) + 2, append(&*world.log, A, 3..4).await[0]);
}

pub(crate) async fn the_committed_position_never_falls(world: LogWorld) {
    let offsets = append(&*world.log, A, 0..5).await;
    let generation = owner(&world).await.generation_of(A);
    done!(world.consumer.commit(A, generation, offsets[4]));
    done!(world.consumer.commit(A, generation, offsets[1]));
    let end = offsets[4] + 1 + done!(world.log.lag(A));
    for _ in 0..5 {
        let refused = ends(world.consumer.commit(A, generation, end + 1)).await;
        assert!(matches!(refused, Err(CommitError::Unavailable(_))), "{refused:?}");
    }
    let world = world.moved();
    let again = owner(&world).await;
    assert!(again.assigned.contains(&(A, again.generation_of(A), offsets[4])));
}

pub(crate) async fn a_paused_partition_is_silent_until_it_is_resumed(world: LogWorld) {
    let mut heard = owner(&world).await;
    world.consumer.set_paused(A, true);
    append(&*world.log, A, 0..3).await;
    append(&*world.log, B, 10..12).await;
    heard.until(&*world.consumer, B, &record(11)).await;
    assert_eq!(heard.records_of(A), []);
    world.consumer.set_paused(A, false);
    heard.until(&*world.consumer, A, &record(2)).await;
    assert_eq!(heard.records_of(A), numbered(0..3));
}

pub(crate) async fn partitions_take_turns(world: LogWorld) {
    let mut heard = owner(&world).await;
    append(&*world.log, A, 0..10).await;
    append(&*world.log, B, 10..20).await;
    for _ in 0..10 {
        heard.hear(&*world.consumer, 1).await;
    }
    let count = |partition| heard.records.iter().filter(|heard| heard.0 == partition).count();
    assert_eq!((count(A), count(B)), (5, 5));
}

pub(crate) async fn a_dropped_next_loses_nothing(world: LogWorld) {
    let mut heard = owner(&world).await;
    for number in 0..5 {
        let mut next = world.consumer.next(7);
        let early = timeout(NO_WAIT, &mut next).await;
        assert!(!matches!(early, Ok(Ok(_))), "there is nothing to hear yet");
        append(&*world.log, A, number..number + 1).await;
        // It was woken and is dropped without being asked again.
        drop(next);
        heard.until(&*world.consumer, A, &record(number)).await;
    }
    assert_eq!(heard.records_of(A), numbered(0..5));
}

pub(crate) async fn events_come_in_order_and_in_pages(world: LogWorld) {
    let log = &world.log;
    let empty = done!(log.events(A, 0, 10, NO_WAIT));
    assert_eq!((empty.events.len(), empty.next, done!(log.events_end(A))), (0, 0, 0));
    for number in [0, 1, 1, 2, 3] {
        done!(log.publish(A, event(number)));
    }
    done!(log.publish(B, event(9)));
    let (mut from, mut subjects) = (0, Vec::new());
    loop {
        let page = done!(log.events(A, from, 2, NO_WAIT));
        assert!(page.events.len() <= 2);
        assert!(page.events.iter().map(|stored| stored.offset).eq(from..page.next));
        if page.events.is_empty() {
            break;
        }
        from = page.next;
        subjects.extend(page.events.into_iter().map(|stored| stored.event));
    }
    assert_eq!(done!(log.events_end(A)), from);
    assert!(subjects.len() >= 5, "an event that is published twice is there twice");
    subjects.dedup();
    assert_eq!(subjects, [0, 1, 2, 3].map(event));
}

pub(crate) async fn a_read_of_events_waits_for_the_first(world: LogWorld) {
    let log = Arc::clone(&world.log);
    let waiting = tokio::spawn(async move { done!(log.events(A, 0, 10, Duration::from_secs(15))) });
    tokio::task::yield_now().await;
    done!(world.log.publish(B, event(1)));
    done!(world.log.publish(A, event(2)));
    let page = ends(waiting).await.expect("the read ends");
    assert_eq!(page.events.first().map(|stored| &stored.event), Some(&event(2)));
    let short = done!(world.log.events(A, 100, 10, Duration::from_millis(5)));
    assert_eq!((short.events, short.next), (Vec::new(), 100));
}

pub(crate) async fn a_dead_record_may_be_buried_twice(world: LogWorld) {
    let (reason, find_time) = ("broken".to_owned(), Some(at(0)));
    let dead = DeadRecord { partition: A, offset: 4, reason, find_time, raw: vec![0xff] };
    done!(world.log.bury(dead.clone()));
    done!(world.log.bury(dead.clone()));
    let world = world.moved();
    let mut kept = (world.dead)();
    kept.dedup();
    assert_eq!(kept, [dead], "with its origin, reason and bytes, also for the next owner");
}

pub(crate) async fn dead_records_are_listed_newest_first_and_in_pages(world: LogWorld) {
    assert_eq!(done!(world.log.dead(None, 10)), DeadPage::default());
    let dead = |n: u32| DeadRecord {
        partition: if n.is_multiple_of(2) { A } else { B },
        offset: Offset::from(n),
        reason: format!("broken {n}"),
        find_time: (n > 0).then(|| at(i64::from(n))),
        raw: vec![0xff; 3],
    };
    for n in 0..7 {
        done!(world.log.bury(dead(n)));
    }
    let world = world.moved();
    for limit in [1, 2, 3, 100] {
        let (mut listed, mut before) = (Vec::new(), None);
        loop {
            let page = done!(world.log.dead(before, limit));
            assert!(page.records.len() <= limit);
            listed.extend(page.records.into_iter().map(|(_, dead)| dead));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        // A burial that was repeated counts once.
        listed.dedup();
        let of = |partition| listed.iter().filter(move |dead| dead.partition == partition).cloned();
        assert_eq!(of(A).collect::<Vec<_>>(), [6, 4, 2, 0].map(dead), "{limit} at once");
        assert_eq!(of(B).collect::<Vec<_>>(), [5, 3, 1].map(dead), "{limit} at once");
    }
}

pub(crate) async fn what_is_appended_raw_comes_as_it_is(world: LogWorld) {
    let (good, bad) = (record(1), vec![0xff, 0x00, 0xff]);
    done!(world.log.append_raw(A, bad.clone()));
    done!(world.log.append_raw(A, records::encode_record(&good)));
    assert!(!world.log.topic().is_empty());
    let mut heard = Vec::new();
    while heard.last() != Some(&Ok(good.clone())) {
        if let LogInput::Records { records, .. } = done!(world.consumer.next(7)) {
            heard.extend(records.into_iter().map(|delivered| delivered.record));
        }
    }
    let raw = |record: &Result<Record, Undecodable>| match record {
        Err(Undecodable::Malformed { raw, .. }) => Some(raw.clone()),
        _ => None,
    };
    heard.dedup();
    assert_eq!(heard.iter().map(raw).collect::<Vec<_>>(), [Some(bad), None]);
}

pub(crate) async fn the_lag_counts_what_is_not_committed(world: LogWorld) {
    assert_eq!(done!(world.log.lag(A)), 0);
    let offsets = append(&*world.log, A, 0..4).await;
    let generation = owner(&world).await.generation_of(A);
    let all = done!(world.log.lag(A));
    assert!(all >= 4);
    done!(world.consumer.commit(A, generation, offsets[3]));
    assert_eq!(done!(world.log.lag(A)), all - offsets[3]);
    assert_eq!(done!(world.log.lag(B)), 0);
}

pub(crate) async fn a_reply_reaches_its_instance(world: LogWorld) {
    let mut replies = world.replies.subscribe("ingest-1");
    let to = ReplyAddress { instance: "ingest-1".to_owned(), call: 3 };
    let reply = Reply { to, key: key("m", "o"), kind: ReplyKind::NotFound };
    // Best effort: some may be lost on the way.
    let mut tries = 0;
    while replies.is_empty() {
        tries += 1;
        assert!(tries < super::TRIES_MAX, "no reply ever arrives");
        world.log.reply(reply.clone());
    }
    assert_eq!(replies.try_recv(), Ok(reply));
}

pub(crate) async fn an_unknown_partition_takes_nothing(world: LogWorld) {
    let nowhere = Partition(world.log.partitions());
    let refused = ends(world.log.append(nowhere, record(1))).await;
    assert!(matches!(refused, Err(AppendError::NotAppended(_) | AppendError::Unknown(_))), "{refused:?}");
    assert!(ends(world.log.publish(nowhere, event(1))).await.is_err());
    assert!(ends(world.log.lag(nowhere)).await.is_err());
}
