//! The bare clients of log and store: what a decision reads and writes, done by nothing but the clients themselves.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::future::{try_join, try_join_all};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::Message as _;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::Consistency;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::value::CqlTimestamp;
use tokio::sync::mpsc;

use crate::bare::{Bare, Copied};
use crate::cluster::{Cluster, Place};
use crate::now;

/// Decisions under way at once: as many as the engine's statements may be.
const AT_ONCE: usize = 256;

/// Records that are read ahead: the engine's window of a partition.
const AHEAD: usize = 4096;

/// How often the position is committed, as by the engine.
const COMMIT_INTERVAL: Duration = Duration::from_millis(500);

/// Longest wait for a record.
const PATIENCE: Duration = Duration::from_secs(30);

/// The merchant of the bare rows, and the partition of their due rows: nobody else's.
const MERCHANT: &str = "bare";
const PARTITION: i64 = 1000;

/// Slots of a merchant's day, and milliseconds of a due row's bucket and of a day.
const SLOTS: i64 = 8;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// Seconds that a due row is kept.
const DUE_TTL_S: i32 = 40 * 24 * 3600;

const READ_FACTS: &str = "SELECT body FROM order_facts WHERE merchant_id = ? AND order_no = ?";
const READ_FOLLOWUP: &str = "SELECT body FROM followups WHERE merchant_id = ? AND order_no = ?";
const ADD_BUCKET: &str = "INSERT INTO due_buckets (log_partition, day, bucket) VALUES (?, ?, ?) USING TTL ?";
const ADD_DUE: &str = "INSERT INTO due_orders (log_partition, bucket, due_at, merchant_id, order_no) \
     VALUES (?, ?, ?, ?, ?) USING TTL ?";
const ADD_INDEX: &str = "INSERT INTO order_index (merchant_id, day, slot, created_time, order_no) \
     VALUES (?, ?, ?, ?, ?)";
const ADD_FACT: &str = "INSERT INTO order_facts (merchant_id, order_no, fact_key, body) VALUES (?, ?, ?, ?)";
const PUT_FOLLOWUP: &str = "INSERT INTO followups (merchant_id, order_no, body) VALUES (?, ?, ?)";

/// The clients, their statements prepared as the engine's are.
pub struct Driver {
    session: Session,
    read_facts: PreparedStatement,
    read_followup: PreparedStatement,
    add_bucket: PreparedStatement,
    add_due: PreparedStatement,
    add_index: PreparedStatement,
    add_fact: PreparedStatement,
    put_followup: PreparedStatement,
    producer: Bare,
    log: Place,
    events: Place,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Driver")
    }
}

/// What one decision of the engine wrote.
#[derive(Debug)]
pub struct Work {
    facts: Vec<(String, Vec<u8>)>,
    followup: Vec<u8>,
    events: Vec<Copied>,
}

impl Work {
    /// In words.
    #[must_use]
    pub fn told(&self) -> String {
        format!("2 reads, {} fact rows, 3 other rows, {} events", self.facts.len(), self.events.len())
    }
}

impl Driver {
    /// Connects to the services of a cluster.
    ///
    /// # Errors
    /// They are not there, or do not take the statements.
    pub async fn start(cluster: &Cluster) -> Result<Self> {
        let (nodes, keyspace) = cluster.keyspace();
        let session = SessionBuilder::new().known_nodes(nodes).use_keyspace(keyspace, true).build().await?;
        let prepare = async |text: &str| -> Result<PreparedStatement> {
            let mut statement = session.prepare(text).await?;
            statement.set_consistency(Consistency::LocalQuorum);
            statement.set_is_idempotent(true);
            Ok(statement)
        };
        let (log, events) = cluster.places()?;
        Ok(Self {
            read_facts: prepare(READ_FACTS).await?,
            read_followup: prepare(READ_FOLLOWUP).await?,
            add_bucket: prepare(ADD_BUCKET).await?,
            add_due: prepare(ADD_DUE).await?,
            add_index: prepare(ADD_INDEX).await?,
            add_fact: prepare(ADD_FACT).await?,
            put_followup: prepare(PUT_FOLLOWUP).await?,
            producer: Bare::start(cluster.brokers())?,
            session,
            log,
            events,
        })
    }

    /// What the engine wrote of an order when it decided `decisions` of its kind.
    ///
    /// # Errors
    /// It wrote nothing of it.
    pub async fn work_of(&self, cluster: &Cluster, order_no: &str, decisions: u64) -> Result<Work> {
        let text = "SELECT fact_key, body FROM order_facts WHERE merchant_id = ? AND order_no = ?";
        let found = self.session.query_unpaged(text, ("bench", order_no)).await?.into_rows_result()?;
        let facts: Vec<(String, Vec<u8>)> = found.rows()?.collect::<Result<_, _>>()?;
        ensure!(!facts.is_empty(), "the engine has stored no fact of {order_no}");
        let found = self.session.execute_unpaged(&self.read_followup, ("bench", order_no)).await?;
        let (followup,) = found.into_rows_result()?.single_row::<(Vec<u8>,)>()?;
        let events = u64::try_from(cluster.end_of(&self.events)?)? / decisions;
        let events = (0..events).map(|n| cluster.record(&self.events, i64::try_from(n)?));
        Ok(Work { facts, followup, events: events.collect::<Result<_>>()? })
    }

    /// Bytes of an order's facts and follow-up, with their keys.
    ///
    /// # Errors
    /// The nodes do not answer.
    pub async fn stored_bytes(&self, merchant: &str, order_no: &str) -> Result<usize> {
        let text = "SELECT fact_key, body FROM order_facts WHERE merchant_id = ? AND order_no = ?";
        let found = self.session.query_unpaged(text, (merchant, order_no)).await?.into_rows_result()?;
        let key = merchant.len() + order_no.len();
        let mut bytes = 0;
        for fact in found.rows::<(String, Vec<u8>)>()? {
            let (fact_key, body) = fact?;
            bytes += key + fact_key.len() + body.len();
        }
        let found = self.session.execute_unpaged(&self.read_followup, (merchant, order_no)).await?;
        for followup in found.into_rows_result()?.rows::<(Vec<u8>,)>()? {
            bytes += key + followup?.0.len();
        }
        Ok(bytes)
    }

    /// Takes `count` records of the log from a position on and does for each what a decision does. `done` is told
    /// after each.
    ///
    /// # Errors
    /// The services refuse something.
    pub async fn run(
        &self,
        cluster: &Cluster,
        (from, count): (i64, u64),
        work: &Work,
        mut done: impl FnMut(),
    ) -> Result<()> {
        let consumer = cluster.reader(&self.log, from)?;
        let (sender, mut records) = mpsc::channel(AHEAD);
        let reading = tokio::task::spawn_blocking(move || read(&consumer, count, &sender));
        let numbers = stream::iter(from..);
        let records = stream::poll_fn(|context| records.poll_recv(context));
        let decided = records.zip(numbers).map(|(record, number)| self.decide(record, number, work));
        decided
            .buffer_unordered(AT_ONCE)
            .try_for_each(|()| {
                done();
                std::future::ready(Ok(()))
            })
            .await?;
        reading.await?
    }

    /// In the order of the engine: what is known is read; due row, index, facts, events, bookkeeping are written.
    async fn decide(&self, record: Vec<u8>, number: i64, work: &Work) -> Result<()> {
        ensure!(!record.is_empty(), "an empty record");
        let order_no = format!("N{number:012}");
        let order = (MERCHANT, order_no.as_str());
        let facts = self.session.execute_unpaged(&self.read_facts, order);
        let followup = self.session.execute_unpaged(&self.read_followup, order);
        let (facts, followup) = try_join(facts, followup).await?;
        ensure!(facts.into_rows_result()?.rows::<(Vec<u8>,)>()?.count() < 100, "an order of its own");
        ensure!(followup.into_rows_result()?.rows::<(Vec<u8>,)>()?.count() < 2, "one row at most");
        let due_ms = number * 1000;
        let bucket = due_ms / MINUTE_MS;
        if due_ms % MINUTE_MS == 0 {
            let entry = (PARTITION, due_ms / DAY_MS, bucket, DUE_TTL_S);
            self.session.execute_unpaged(&self.add_bucket, entry).await?;
        }
        let due = (PARTITION, bucket, CqlTimestamp(due_ms), MERCHANT, order.1, DUE_TTL_S);
        self.session.execute_unpaged(&self.add_due, due).await?;
        let index = (MERCHANT, 1_i64, number % SLOTS, CqlTimestamp(due_ms), order.1);
        self.session.execute_unpaged(&self.add_index, index).await?;
        self.add_facts(order, &work.facts).await?;
        try_join_all(work.events.iter().map(|event| self.producer.write(&self.events, event))).await?;
        self.session.execute_unpaged(&self.put_followup, (order.0, order.1, &work.followup)).await?;
        Ok(())
    }

    async fn add_facts(&self, order: (&str, &str), facts: &[(String, Vec<u8>)]) -> Result<()> {
        let row = |(key, body): &(String, Vec<u8>)| {
            (order.0.to_owned(), order.1.to_owned(), key.clone(), body.clone())
        };
        if let [fact] = facts {
            self.session.execute_unpaged(&self.add_fact, row(fact)).await?;
            return Ok(());
        }
        let mut batch = Batch::new(BatchType::Unlogged);
        batch.set_consistency(Consistency::LocalQuorum);
        batch.set_is_idempotent(true);
        for _ in facts {
            batch.append_statement(self.add_fact.clone());
        }
        let rows: Vec<_> = facts.iter().map(row).collect();
        self.session.batch(&batch, rows).await?;
        Ok(())
    }
}

/// Reads so many records, on a thread of its own as librdkafka wants it.
fn read(consumer: &BaseConsumer, count: u64, records: &mpsc::Sender<Vec<u8>>) -> Result<()> {
    let mut committed = now();
    for _ in 0..count {
        let message = consumer.poll(PATIENCE).context("no record comes")??;
        records
            .blocking_send(message.payload().unwrap_or_default().to_vec())
            .context("nobody takes records")?;
        if committed.elapsed() > COMMIT_INTERVAL {
            consumer.commit_message(&message, CommitMode::Async)?;
            committed = now();
        }
    }
    Ok(())
}
