//! The suite over a real Apache Kafka, each test with topics and a group of its own.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use paymux_backends::ReplyRouter;
use paymux_backends::kafka::{KafkaBackend, KafkaConfig, migrate};
use paymux_domain::command::{OrderCommand, Record, ReplyAddress};
use paymux_domain::ports::{CommandLog, Reply, ReplyKind};
use paymux_domain::shard::Partition;

use crate::suite::values::{event, key, record};
use crate::suite::{LogWorld, ends};

/// Names the brokers of the tests, comma by comma.
const BROKERS: &str = "PAYMUX_TEST_KAFKA";

/// Settings for topics that no other test has; `None`, and a word about it, where no broker is named.
#[expect(clippy::print_stdout, reason = "the test command counts what is skipped by this line")]
pub(crate) fn config() -> Option<KafkaConfig> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let Some(brokers) = std::env::var_os(BROKERS) else {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        println!("SKIPPED: {test}: {BROKERS} names no broker");
        return None;
    };
    let unique = format!("t{}-{}-{}", started(), std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    Some(config_of(brokers.to_str().expect("brokers in UTF-8"), &unique))
}

/// Settings for the topics and the group of one test.
pub(crate) fn config_of(brokers: &str, unique: &str) -> KafkaConfig {
    let mut config = KafkaConfig::new(brokers.split(',').map(str::to_owned).collect(), format!("{unique}-a"));
    config.topic_prefix = format!("{unique}.");
    config.group = unique.to_owned();
    config.partitions = 2;
    config.session_timeout_ms = 6_000;
    (config.topics.replication, config.topics.min_in_sync) = (1, 1);
    config
}

/// Tells the topics of this run from those of an earlier process of the same number.
#[expect(clippy::disallowed_methods, reason = "names of topics must differ from run to run")]
fn started() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() % 1_000_000)
}

/// The same settings for another process.
pub(crate) fn other(config: &KafkaConfig, name: &str) -> KafkaConfig {
    KafkaConfig { instance: format!("{}-{name}", config.group), ..config.clone() }
}

/// Runs a future to its end on a thread of its own: worlds are made outside of any async function.
pub(crate) fn wait_for<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let runtime =
            || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        scope.spawn(move || runtime().block_on(work)).join().expect("the work does not panic")
    })
}

/// A cluster with its topics.
pub(crate) fn migrated() -> Option<KafkaConfig> {
    let config = config()?;
    wait_for(migrate(&config)).expect("the topics are made");
    Some(config)
}

pub(crate) fn open(config: &KafkaConfig) -> KafkaBackend {
    KafkaBackend::open(config.clone(), ReplyRouter::default()).expect("the cluster answers")
}

pub(crate) fn log() -> Option<LogWorld> {
    Some(owned(&migrated()?))
}

fn owned(config: &KafkaConfig) -> LogWorld {
    let backend = open(config);
    let config = config.clone();
    LogWorld {
        log: backend.log(),
        consumer: backend.join().expect("a member"),
        replies: backend.replies().clone(),
        dead: Arc::new(move || wait_for(backend.dead_records(0, 1000)).expect("readable records").0),
        move_on: Box::new(move || owned(&config)),
    }
}

command_log_suite!(kafka_log, super::log());

#[tokio::test]
async fn a_reply_finds_its_way_to_another_process() {
    let Some(config) = migrated() else { return };
    let (here, there) = (open(&config), open(&other(&config, "b")));
    let mut replies = there.replies().subscribe(there.instance());
    let mut strangers = here.replies().subscribe(here.instance());
    let reply = |call| Reply {
        to: ReplyAddress { instance: there.instance().to_owned(), call },
        key: key("m", "o"),
        kind: ReplyKind::NotFound,
    };
    for call in [1, 2] {
        here.log().reply(reply(call));
        assert_eq!(ends(replies.recv()).await, Some(reply(call)));
    }
    assert!(strangers.try_recv().is_err());
    assert_eq!(here.log().replies_dropped(), 0);
}

#[tokio::test]
async fn long_records_that_come_at_once_are_taken() {
    let Some(config) = migrated() else { return };
    let (log, p) = (open(&config).log(), Partition(0));
    // Many times what the topic allows one message, so that they meet in batches.
    let long = |number| match record(number) {
        Record::Close(command) => Record::Close(OrderCommand { caller: "x".repeat(100 * 1024), ..command }),
        other => panic!("not a close: {other:?}"),
    };
    let appends = (0..60).map(|number| log.append(p, long(number)));
    let appended = ends(futures_util::future::join_all(appends)).await;
    assert_eq!(appended, (0..60).map(Ok).collect::<Vec<_>>());
}

#[tokio::test]
async fn events_far_behind_and_newest_ones_are_read_side_by_side() {
    let Some(config) = migrated() else { return };
    let backend = open(&config);
    let (log, p) = (backend.log(), Partition(1));
    let count = 1500_u64;
    let publishing = (0..count).map(|number| log.publish(p, event(usize::try_from(number).expect("small"))));
    for published in futures_util::future::join_all(publishing).await {
        published.expect("published");
    }
    // A page has what is fetched by then, and at least one event where there is one.
    for (first, max) in [(count - 3, 10), (0, 700)] {
        let mut from = first;
        while from < count {
            let page = ends(log.events(p, from, max, Duration::ZERO)).await.expect("a page");
            assert!(page.events.iter().map(|stored| stored.offset).eq(from..page.next) && page.next > from);
            from = page.next;
        }
    }
    let waiting = log.events(p, count, 10, Duration::from_secs(600));
    let (published, page) = tokio::join!(log.publish(p, event(7)), ends(waiting));
    published.expect("published");
    let page = page.expect("a page");
    assert_eq!(
        page.events.first().map(|stored| (stored.offset, stored.event.clone())),
        Some((count, event(7)))
    );
}
