//! What only the inside shows: a failed commit, broken rows, what retention removes.

use std::sync::Arc;
use std::time::Duration;

use paymux_domain::command::{OrderCommand, Record};
use paymux_domain::event::{Event, EventKind};
use paymux_domain::fact::FactKey;
use paymux_domain::fold::State;
use paymux_domain::name::OrderKey;
use paymux_domain::ports::{
    AppendError, Bucket, CommandLog, DueRow, LedgerEntry, LogConsumer, LogError, LogInput, OrderStore,
    StoreError, Undecodable,
};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;
use tempfile::TempDir;
use tokio::time::timeout;

use super::keys::{DueKey, OffsetKey, fact_key, ledger_key};
use super::tables::Table;
use super::write::{Op, Row};
use super::*;

const P: Partition = Partition(0);

fn open(config: EmbeddedConfig) -> EmbeddedBackend {
    EmbeddedBackend::open(config, ReplyRouter::default()).expect("the folder opens")
}

fn new() -> (TempDir, EmbeddedBackend) {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let backend = open(EmbeddedConfig { partitions: 1, ..EmbeddedConfig::new(folder.path()) });
    (folder, backend)
}

async fn ends<T>(step: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), step).await.expect("a step that must end")
}

fn order() -> OrderKey {
    OrderKey { merchant_id: "m".parse().expect("valid"), order_no: "o".parse().expect("valid") }
}

fn record() -> Record {
    let request_id = "req".parse().expect("valid");
    Record::Close(OrderCommand { key: order(), request_id, caller: "shop".to_owned(), reply_to: None })
}

fn event() -> Event {
    Event {
        key: order(),
        subject: "paid/1".to_owned(),
        kind: EventKind::Paid,
        state: State::Paid,
        time: Timestamp::EPOCH,
    }
}

fn refund() -> LedgerEntry {
    let refund_no = "r1".parse().expect("valid");
    LedgerEntry { refund_no, trade_no: "t1".parse().expect("valid"), minor: 1 }
}

async fn put(backend: &EmbeddedBackend, row: Row) {
    let written = backend.shared.writer.submit(|ack| Op::Rows { rows: vec![row], ack });
    ends(written).await.expect("the row is written");
}

/// Makes the next commit fail: its reservation meets a row that cannot be read.
async fn fail(backend: &EmbeddedBackend) -> Result<(), StoreError> {
    put(backend, Row::put(Table::Ledger, ledger_key(&order(), &refund().refund_no), vec![0xff])).await;
    ends(backend.store().reserve_refund(&order(), &refund(), 9, 9)).await.map(|_| ())
}

#[tokio::test]
async fn after_a_failed_commit_nothing_is_acknowledged_any_more() {
    let (_folder, backend) = new();
    ends(backend.log().append(P, record())).await.expect("the log takes it");
    let consumer = backend.consumer();
    while !matches!(ends(consumer.next(9)).await, Ok(LogInput::Records { .. })) {}
    let (log, waiting) = (backend.log(), backend.consumer());
    let events = tokio::spawn(async move { log.events(P, 0, 9, Duration::from_secs(15)).await });
    let records = tokio::spawn(async move { waiting.next(9).await });

    assert!(matches!(fail(&backend).await, Err(StoreError::Fatal(_))));
    let reason = ends(backend.failed()).await;
    assert!(reason.contains("commit to the data folder failed"), "{reason}");
    assert_eq!(ends(events).await.expect("it ends"), Err(LogError::Fatal(reason.clone())));
    assert_eq!(ends(records).await.expect("it ends"), Err(LogError::Fatal(reason.clone())));
    assert_eq!(ends(backend.log().append(P, record())).await, Err(AppendError::NotAppended(reason.clone())));
    assert_eq!(ends(backend.log().publish(P, event())).await, Err(AppendError::NotAppended(reason.clone())));
    let due = DueRow { due_at: Timestamp::EPOCH, key: order() };
    assert_eq!(ends(backend.store().insert_due(P, &due)).await, Err(StoreError::Fatal(reason.clone())));
    assert!(ends(consumer.commit(P, backend.generation(), 1)).await.is_err());
    assert_eq!(ends(backend.log().lag(P)).await, Ok(1), "what was acknowledged stays readable");
}

#[tokio::test]
async fn a_record_that_is_none_is_delivered_with_its_bytes() {
    let (_folder, backend) = new();
    let broken =
        backend.shared.writer.submit(|ack| Op::Append { partition: P, records: vec![vec![0xff]], ack });
    ends(broken).await.expect("bytes are bytes");
    let consumer = backend.consumer();
    assert!(matches!(ends(consumer.next(9)).await, Ok(LogInput::Assigned { .. })));
    let Ok(LogInput::Records { records, .. }) = ends(consumer.next(9)).await else { panic!("no records") };
    assert!(matches!(&records[0].record, Err(Undecodable::Malformed { raw, .. }) if *raw == [0xff]));
}

#[tokio::test]
async fn a_record_that_was_acknowledged_and_is_missing_at_the_end_is_noticed() {
    let (_folder, backend) = new();
    append(&backend, 3).await;
    put(&backend, Row::remove(Table::Log, OffsetKey { partition: P, offset: 2 }.bytes())).await;
    let consumer = backend.consumer();
    assert!(matches!(ends(consumer.next(9)).await, Ok(LogInput::Assigned { .. })));
    assert_eq!(ends(consumer.next(9)).await, Err(LogError::Fatal("offset 2 is lost".to_owned())));
}

#[tokio::test]
async fn broken_rows_are_errors_and_no_guesses() {
    let (_folder, backend) = new();
    let fact = fact_key(&order(), &FactKey::Closed);
    put(&backend, Row::put(Table::Facts, fact, vec![0xff])).await;
    let refused = ends(backend.store().read(&order())).await;
    assert!(matches!(&refused, Err(StoreError::Fatal(text)) if text.contains("Facts")), "{refused:?}");
    let mut due = DueKey::from_time(P, Timestamp::EPOCH);
    due.push(0xff);
    put(&backend, Row::put(Table::Due, due, Vec::new())).await;
    let refused = ends(backend.store().read_due(P, Bucket(0), None, 9)).await;
    assert!(matches!(&refused, Err(StoreError::Fatal(text)) if text.contains("Due")), "{refused:?}");
}

/// The rows of a keyspace.
fn rows(backend: &EmbeddedBackend, table: Table) -> u64 {
    u64::try_from(backend.shared.tables.of(table).iter().count()).expect("few")
}

/// Runs steps at once, so that they share their commits.
async fn together<T: Send + 'static>(steps: impl Iterator<Item = impl Future<Output = T> + Send + 'static>) {
    let steps: Vec<_> = steps.map(tokio::spawn).collect();
    for step in steps {
        ends(step).await.expect("it ends");
    }
}

async fn append(backend: &EmbeddedBackend, count: u64) {
    let append = |log: Arc<EmbeddedLog>| async move { log.append(P, record()).await.expect("appended") };
    together((0..count).map(|_| append(backend.log()))).await;
}

#[tokio::test]
async fn committed_records_go_and_offsets_go_on() {
    let (folder, backend) = new();
    append(&backend, 1500).await;
    ends(backend.consumer().commit(P, 1, 1400)).await.expect("the owner commits");
    while rows(&backend, Table::Log) > 500 {
        append(&backend, 1).await;
    }
    let left = rows(&backend, Table::Log);
    assert!(left >= 100, "{left} left: nothing that is needed is removed");
    let end = ends(backend.log().lag(P)).await.expect("a number") + 1400;
    ends(backend.consumer().commit(P, 1, end)).await.expect("the owner commits");
    drop(backend);

    let backend = open(EmbeddedConfig { partitions: 1, ..EmbeddedConfig::new(folder.path()) });
    assert_eq!(ends(backend.log().append(P, record())).await, Ok(end));
    let consumer = backend.consumer();
    let told = ends(consumer.next(9)).await;
    assert_eq!(told, Ok(LogInput::Assigned { partition: P, generation: 2, start: end }));
    assert!(
        matches!(ends(consumer.next(9)).await, Ok(LogInput::Records { records, .. }) if records.len() == 1)
    );
}

#[tokio::test]
async fn the_oldest_events_go_and_their_readers_see_the_gap() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let config = EmbeddedConfig { partitions: 1, events_kept: 100, ..EmbeddedConfig::new(folder.path()) };
    let backend = open(config.clone());
    let publish = |log: Arc<EmbeddedLog>| async move { log.publish(P, event()).await.expect("published") };
    together((0..597).map(|_| publish(backend.log()))).await;
    for _ in 597..600 {
        ends(publish(backend.log())).await;
    }
    let page = ends(backend.log().events(P, 0, 10, Duration::ZERO)).await.expect("readable");
    let first = page.events.first().expect("some are left").offset;
    assert!((100..=500).contains(&first), "{first}");
    assert!(rows(&backend, Table::Events) >= 100);
    drop(backend);
    let backend = open(config);
    assert_eq!(ends(backend.log().events_end(P)).await, Ok(600));
    let page = ends(backend.log().events(P, 0, 10, Duration::ZERO)).await.expect("readable");
    assert_eq!(page.events.first().map(|stored| stored.offset), Some(first));
}

#[tokio::test]
async fn due_rows_of_buckets_swept_long_ago_go() {
    let (_folder, backend) = new();
    let insert = |store: Arc<EmbeddedStore>, bucket| async move {
        let row = DueRow { due_at: Bucket(bucket).start(), key: order() };
        store.insert_due(P, &row).await.expect("written");
    };
    together((0..1000).map(|bucket| insert(backend.store(), bucket))).await;
    let store = backend.store();
    ends(store.set_swept_through(P, Bucket(960))).await.expect("moved");
    // The batches that follow take the rows along, until only the last hour before the position is left.
    for _ in 0..3 {
        ends(store.raise_floor(P, Bucket(960))).await.expect("raised");
    }
    let first = Bucket::of(Bucket(960).start() - Duration::from_secs(3600));
    assert_eq!(rows(&backend, Table::Due), 1000 - u64::try_from(first.0).expect("positive"));
    assert_eq!(ends(store.read_due(P, first, None, 9)).await.expect("readable").len(), 1);
    assert_eq!(ends(store.read_due(P, Bucket(first.0 - 1), None, 9)).await, Ok(Vec::new()));
}

#[tokio::test]
async fn who_has_left_hears_nothing_more() {
    let (_folder, backend) = new();
    let consumer = backend.consumer();
    ends(consumer.leave()).await;
    append(&backend, 1).await;
    assert!(timeout(Duration::ZERO, consumer.next(9)).await.is_err());
}
