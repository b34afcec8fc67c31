//! The Kafka log against brokers in this process that can be told to fail: what is certain, what is unknown, and that
//! it goes on when they are back.

use std::time::Duration;

use paymux_backends::ReplyRouter;
use paymux_backends::kafka::{KafkaBackend, KafkaConfig, KafkaConsumer};
use paymux_domain::command::ReplyAddress;
use paymux_domain::ports::{
    AppendError, CommandLog, CommitError, Delivered, LogConsumer, LogError, LogInput, Offset, Reply,
    ReplyKind,
};
use paymux_domain::shard::Partition;
use paymux_proto::records::encode_reply;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::topic_partition_list::{Offset as At, TopicPartitionList};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use tokio::time::timeout;

use crate::suite::ends;
use crate::suite::values::{event, key, record};

const P: Partition = Partition(0);
const BROKER: i32 = 1;
/// How long events are waited for that do not come: longer than any step.
const FOLLOWED: Duration = Duration::from_secs(600);

/// A broker with topics and positions, as a migration leaves them.
struct World {
    broker: MockCluster<'static, DefaultProducerContext>,
    config: KafkaConfig,
}

impl World {
    fn new() -> Self {
        let world = Self::without_positions();
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", world.broker.bootstrap_servers())
            .set("group.id", &world.config.group)
            .create()
            .expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset("orders.log.v1", 0, At::Offset(0)).expect("a place");
        consumer.commit(&list, CommitMode::Sync).expect("a position");
        world
    }

    fn without_positions() -> Self {
        let broker = MockCluster::new(1).expect("a broker");
        for (topic, partitions) in [("log", 1), ("events", 1), ("replies", 16), ("dead", 1)] {
            broker.create_topic(&format!("orders.{topic}.v1"), partitions, 1).expect("a topic");
        }
        let mut config = KafkaConfig::new(vec![broker.bootstrap_servers()], "w1");
        (config.partitions, config.append_timeout_ms, config.session_timeout_ms) = (1, 2000, 6000);
        Self { broker, config }
    }

    fn open(&self) -> KafkaBackend {
        KafkaBackend::open(self.config.clone(), ReplyRouter::default()).expect("the broker answers")
    }
}

fn reply(instance: &str, call: u64) -> Reply {
    let to = ReplyAddress { instance: instance.to_owned(), call };
    Reply { to, key: key("m", "o"), kind: ReplyKind::NotFound }
}

async fn owned(member: &KafkaConsumer) -> (u64, Offset) {
    match ends(member.next(10)).await.expect("the group goes on") {
        LogInput::Assigned { partition: P, generation, start } => (generation, start),
        other => panic!("no assignment: {other:?}"),
    }
}

async fn records(member: &KafkaConsumer, count: usize) -> Vec<Delivered> {
    let mut found = Vec::new();
    while found.len() < count {
        if let LogInput::Records { records, .. } = ends(member.next(100)).await.expect("the group goes on") {
            found.extend(records);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_away_takes_nothing_and_goes_on_by_itself_when_it_is_back() {
    let world = World::new();
    let backend = world.open();
    let log = backend.log();
    done!(log.append(P, record(0)));
    world.broker.broker_down(BROKER).expect("it goes");
    let first = ends(log.append(P, record(1))).await;
    assert!(matches!(first, Err(AppendError::Unknown(_))), "{first:?}");
    // From now on one tries, and the others are refused at once and for certain.
    let (one, other) = tokio::join!(ends(log.append(P, record(2))), ends(log.append(P, record(2))));
    let both = [one, other];
    let is_refused = |answer: &Result<Offset, AppendError>| matches!(answer, Err(AppendError::NotAppended(reason)) if reason.contains("takes no records now"));
    assert_eq!(both.iter().filter(|answer| is_refused(answer)).count(), 1, "{both:?}");
    assert!(both.iter().any(|answer| matches!(answer, Err(AppendError::Unknown(_)))), "{both:?}");
    assert!(matches!(ends(log.lag(P)).await, Err(LogError::Unavailable(_))));

    world.broker.broker_up(BROKER).expect("it comes back");
    let mut tries = 0;
    while ends(log.append(P, record(3))).await.is_err() {
        tries += 1;
        assert!(tries < 20, "it never takes anything again");
    }
    let member = backend.join().expect("a member");
    owned(&member).await;
    let mut kept = Vec::new();
    while kept.last() != Some(&record(3)) {
        kept.extend(
            records(&member, 1).await.into_iter().map(|delivered| delivered.record.expect("readable")),
        );
    }
    assert_eq!(kept.first(), Some(&record(0)));
    assert!(ends(log.lag(P)).await.expect("it answers") >= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_without_an_answer_is_unknown_and_may_be_there() {
    let world = World::new();
    let backend = world.open();
    let log = backend.log();
    done!(log.append(P, record(0)));
    world.broker.broker_round_trip_time(BROKER, Duration::from_secs(4)).expect("it is slow");
    let late = ends(log.append(P, record(1))).await;
    assert!(matches!(late, Err(AppendError::Unknown(_))), "{late:?}");
    world.broker.broker_round_trip_time(BROKER, Duration::ZERO).expect("it is quick");
    let member = world.open().join().expect("a member");
    owned(&member).await;
    let mut kept = Vec::new();
    while kept.last() != Some(&Ok(record(1))) {
        kept.extend(records(&member, 1).await.into_iter().map(|delivered| delivered.record));
    }
    assert_eq!(kept.first(), Some(&Ok(record(0))), "it landed, and nobody was told otherwise");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_the_group_refuses_renews_nothing_and_the_partition_comes_back_under_a_new_generation()
{
    let world = World::new();
    let backend = world.open();
    let member = backend.join().expect("a member");
    let (generation, start) = owned(&member).await;
    assert_eq!((generation, start), (1, 0));
    ends(member.commit(P, generation, 0)).await.expect("its owner commits");
    let unknown = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID];
    world.broker.request_errors(RDKafkaApiKey::OffsetCommit, &unknown);
    let refused = ends(member.commit(P, generation, 0)).await;
    assert!(matches!(refused, Err(CommitError::Unavailable(_))), "{refused:?}");
    assert_eq!(ends(member.next(1)).await, Ok(LogInput::Revoked { partition: P }));
    let (again, _) = owned(&member).await;
    assert!(again > generation);
    assert_eq!(ends(member.commit(P, generation, 0)).await, Err(CommitError::Fenced(generation)));
    ends(member.commit(P, again, 0)).await.expect("its owner commits");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_during_a_rebalance_renews_nothing_and_the_next_one_does() {
    let world = World::new();
    let backend = world.open();
    let member = backend.join().expect("a member");
    let (generation, _) = owned(&member).await;
    let busy = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS];
    world.broker.request_errors(RDKafkaApiKey::OffsetCommit, &busy);
    let refused = ends(member.commit(P, generation, 0)).await;
    assert!(matches!(refused, Err(CommitError::Unavailable(_))), "{refused:?}");
    ends(member.commit(P, generation, 0)).await.expect("it is still its owner");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_without_a_position_fails_for_good_instead_of_beginning_somewhere() {
    let world = World::without_positions();
    let backend = world.open();
    let member = backend.join().expect("a member");
    let failed = ends(member.next(1)).await;
    assert!(matches!(failed, Err(LogError::Fatal(_))), "{failed:?}");
    assert!(ends(backend.failed()).await.contains("position"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_too_long_is_refused_for_certain_and_shuts_no_door() {
    let world = World::new();
    let log = world.open().log();
    let too_large = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE];
    done!(log.append(P, record(0)));
    world.broker.request_errors(RDKafkaApiKey::Produce, &too_large);
    let refused = ends(log.append(P, record(0))).await;
    assert!(matches!(refused, Err(AppendError::NotAppended(_))), "{refused:?}");
    done!(log.append(P, record(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_are_heard_again_after_their_place_was_lost_while_the_broker_could_not_tell_the_next() {
    let world = World::new();
    let backend = world.open();
    let (log, mut replies) = (backend.log(), backend.replies().subscribe("w1"));
    done!(log.publish(P, event(0)));
    assert_eq!(ends(log.events(P, 0, 1, FOLLOWED)).await.expect("a page").next, 1);
    let lose = async {
        let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 2];
        world.broker.request_errors(RDKafkaApiKey::ListOffsets, &refused);
        let lost = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE];
        world.broker.request_errors(RDKafkaApiKey::Fetch, &lost);
    };
    // Who waits for events hears at once that their place is gone, too.
    let (page, ()) = tokio::join!(ends(log.events(P, 1, 1, FOLLOWED)), lose);
    assert_eq!(page.expect("a page").events, []);
    let stranger: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", &world.config.brokers[0]).create().expect("a producer");
    let told = encode_reply(&reply("w1", 7));
    let heard = async {
        loop {
            for partition in 0..16 {
                let message =
                    BaseRecord::<(), [u8]>::to("orders.replies.v1").partition(partition).payload(&told);
                assert!(stranger.send(message).is_ok(), "it is taken");
            }
            stranger.flush(Duration::from_secs(30)).expect("written");
            if let Ok(heard) = timeout(Duration::from_millis(200), replies.recv()).await {
                return heard;
            }
        }
    };
    assert_eq!(ends(heard).await, Some(reply("w1", 7)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_that_are_on_their_way_leave_room_for_records() {
    let mut world = World::new();
    (world.config.in_flight_max, world.config.append_timeout_ms) = (100, 20_000);
    let backend = world.open();
    let log = backend.log();
    done!(log.append(P, record(0)));
    world.broker.broker_round_trip_time(BROKER, Duration::from_secs(1)).expect("it is slow");
    for call in 0..200 {
        log.reply(reply("w2", call));
    }
    ends(log.append(P, record(1))).await.expect("a record has its place");
    assert!(log.replies_dropped() > 0, "nobody depends on a reply");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_while_a_batch_is_on_its_way_leaves_together_and_in_its_order() {
    let world = World::new();
    let log = world.open().log();
    done!(log.append(P, record(0)));
    // One after another they would take a minute, and each has two seconds.
    world.broker.broker_round_trip_time(BROKER, Duration::from_millis(200)).expect("it is slow");
    let appends = (1..=300).map(|number| log.append(P, record(number)));
    let appended = ends(futures_util::future::join_all(appends)).await;
    assert_eq!(appended, (1..=300).map(Ok).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_held_back_until_its_time_is_over_is_certainly_not_written() {
    let world = World::new();
    let backend = world.open();
    let log = backend.log();
    done!(log.append(P, record(0)));
    world.broker.broker_down(BROKER).expect("it goes");
    let (first, held) = tokio::join!(ends(log.append(P, record(1))), ends(log.append(P, record(2))));
    assert!(matches!(first, Err(AppendError::Unknown(_))), "{first:?}");
    assert!(matches!(held, Err(AppendError::NotAppended(_))), "{held:?}");
    world.broker.broker_up(BROKER).expect("it comes back");
    while ends(log.append(P, record(3))).await.is_err() {}
    let member = backend.join().expect("a member");
    owned(&member).await;
    let mut kept = Vec::new();
    while kept.last() != Some(&Ok(record(3))) {
        kept.extend(records(&member, 1).await.into_iter().map(|delivered| delivered.record));
    }
    assert!(!kept.contains(&Ok(record(2))), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_records_that_came_together_those_held_back_or_without_a_place_are_certainly_not_written() {
    let mut world = World::new();
    world.config.in_flight_max = 3;
    let backend = world.open();
    let log = backend.log();
    done!(log.append(P, record(0)));
    world.broker.broker_down(BROKER).expect("it goes");
    let first = ends(log.append(P, record(1)));
    let together = ends(log.append_all(P, vec![record(2), record(3), record(4)]));
    let (first, together) = tokio::join!(first, together);
    assert!(matches!(first, Err(AppendError::Unknown(_))), "{first:?}");
    let reasons: Vec<&str> = together
        .iter()
        .map(|outcome| match outcome {
            Err(AppendError::NotAppended(reason)) => reason.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(reasons[..2].iter().all(|reason| !reason.contains("too many")), "{reasons:?}");
    assert!(reasons[2].contains("too many"), "{reasons:?}");
    world.broker.broker_up(BROKER).expect("it comes back");
    while ends(log.append(P, record(5))).await.is_err() {}
    assert_eq!(ends(log.append_all(P, vec![record(6), record(7)])).await.len(), 2);
    let member = backend.join().expect("a member");
    owned(&member).await;
    let mut kept = Vec::new();
    while kept.last() != Some(&Ok(record(7))) {
        kept.extend(records(&member, 1).await.into_iter().map(|delivered| delivered.record));
    }
    assert!([2, 3, 4].iter().all(|number| !kept.contains(&Ok(record(*number)))), "{kept:?}");
    assert!(kept.ends_with(&[Ok(record(6)), Ok(record(7))]), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_held_back_is_taken_back_by_whoever_gives_up_and_leaves_its_place_to_another() {
    let mut world = World::new();
    (world.config.in_flight_max, world.config.append_timeout_ms) = (2, 60_000);
    let log = world.open().log();
    done!(log.append(P, record(0)));
    world.broker.broker_down(BROKER).expect("it goes");
    let mut first = log.append(P, record(1));
    assert!(timeout(Duration::ZERO, &mut first).await.is_err(), "it is on its way");
    let mut given_up = log.append(P, record(2));
    assert!(timeout(Duration::ZERO, &mut given_up).await.is_err(), "it is held back");
    let full = ends(log.append(P, record(3))).await;
    assert!(
        matches!(&full, Err(AppendError::NotAppended(reason)) if reason.contains("too many")),
        "{full:?}"
    );
    drop(given_up);
    let mut last = log.append(P, record(4));
    let told = timeout(Duration::ZERO, &mut last).await;
    assert!(told.is_err(), "there is room for it: {told:?}");
    world.broker.broker_up(BROKER).expect("it comes back");
    assert_eq!(ends(first).await, Ok(1));
    assert_eq!(ends(last).await, Ok(2), "nothing lies between them");
}
