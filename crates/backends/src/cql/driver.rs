//! The session with its prepared statements: bounds on what is in flight, time-outs, retries, pages.
//!
//! The driver itself retries nothing. Whether an earlier attempt may have had its effect must be known when the last one
//! is refused, and the driver tells of the last one alone.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use scylla::client::execution_profile::{ExecutionProfile, ExecutionProfileHandle};
use scylla::client::session::Session;
use scylla::deserialize::row::DeserializeRow;
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::policies::retry::FallthroughRetryPolicy;
use scylla::policies::speculative_execution::SimpleSpeculativeExecutionPolicy;
use scylla::response::query_result::QueryResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency, SerialConsistency};
use scylla::value::{CqlValue, Row};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::config::{CqlConfig, OPERATION_MAX};
use super::failure::Failure;
use super::statements::{Cql, Kind};

/// Attempts of one operation.
const ATTEMPTS_MAX: usize = 3;
/// Pause before another attempt.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// A read that has no answer by then asks another replica, too.
const SPECULATE_AFTER: Duration = Duration::from_millis(50);
/// Rows of one page.
const PAGE_ROWS: i32 = 1000;

/// A session whose statements are prepared.
pub(super) struct Driver {
    session: Session,
    /// In the order of [`Cql::ALL`].
    prepared: Vec<PreparedStatement>,
    permits: Semaphore,
}

/// How statements of one kind are run.
pub(super) struct Profiles {
    reads: ExecutionProfileHandle,
    others: ExecutionProfileHandle,
}

impl Profiles {
    pub(super) fn new(config: &CqlConfig) -> Self {
        let balancing = DefaultPolicy::builder()
            .prefer_datacenter(config.local_datacenter.clone())
            .token_aware(true)
            .build();
        let base = ExecutionProfile::builder()
            .consistency(Consistency::LocalQuorum)
            .serial_consistency(Some(SerialConsistency::LocalSerial))
            .request_timeout(Some(config.request_timeout))
            .retry_policy(Arc::new(FallthroughRetryPolicy))
            .load_balancing_policy(balancing);
        let speculative =
            SimpleSpeculativeExecutionPolicy { max_retry_count: 1, retry_interval: SPECULATE_AFTER };
        let reads = base.clone().speculative_execution_policy(Some(Arc::new(speculative))).build();
        Self { reads: reads.into_handle(), others: base.build().into_handle() }
    }

    /// For everything without a profile of its own.
    pub(super) fn usual(&self) -> ExecutionProfileHandle {
        self.others.clone()
    }

    fn set(&self, statement: &mut PreparedStatement, kind: Kind) {
        statement.set_page_size(PAGE_ROWS);
        statement.set_is_idempotent(kind != Kind::Conditional);
        statement.set_execution_profile_handle(Some(match kind {
            Kind::Read => self.reads.clone(),
            Kind::Walk | Kind::Write | Kind::SerialRead | Kind::Conditional => self.others.clone(),
        }));
        if kind == Kind::SerialRead {
            statement.set_consistency(Consistency::LocalSerial);
        }
    }
}

impl Driver {
    /// Prepares every statement.
    ///
    /// # Errors
    /// Every statement that the nodes do not take, with their reason.
    pub(super) async fn prepare(
        session: Session,
        profiles: &Profiles,
        in_flight_max: u32,
    ) -> Result<Self, Vec<String>> {
        let mut prepared = Vec::with_capacity(Cql::ALL.len());
        let mut faults = Vec::new();
        for cql in Cql::ALL {
            match session.prepare(cql.text()).await {
                Ok(mut statement) => {
                    profiles.set(&mut statement, cql.kind());
                    prepared.push(statement);
                }
                Err(error) => faults.push(format!("{cql:?}: {error}")),
            }
        }
        let permits = Semaphore::new(usize::try_from(in_flight_max).unwrap_or(Semaphore::MAX_PERMITS));
        if faults.is_empty() { Ok(Self { session, prepared, permits }) } else { Err(faults) }
    }

    fn of(&self, cql: Cql) -> &PreparedStatement {
        &self.prepared[cql as usize]
    }

    /// Writes one row.
    pub(super) async fn write(&self, cql: Cql, values: impl SerializeRow + Sync) -> Result<(), Failure> {
        let statement = self.of(cql);
        self.run(ATTEMPTS_MAX, || self.session.execute_unpaged(statement, &values)).await.map(drop)
    }

    /// Writes rows of one partition in one batch: all of them or none, and seen together.
    pub(super) async fn write_all(&self, cql: Cql, rows: &[impl SerializeRow + Sync]) -> Result<(), Failure> {
        match rows {
            [] => return Ok(()),
            [row] => return self.write(cql, row).await,
            _ => {}
        }
        let mut batch = Batch::new(BatchType::Unlogged);
        for _ in rows {
            batch.append_statement(self.of(cql).clone());
        }
        batch.set_is_idempotent(true);
        batch.set_execution_profile_handle(self.of(cql).get_execution_profile_handle().cloned());
        self.run(ATTEMPTS_MAX, || self.session.batch(&batch, rows)).await.map(drop)
    }

    /// Reads rows, page by page, at most `max`. A page may be empty with more to come.
    pub(super) async fn rows<R>(
        &self,
        cql: Cql,
        values: impl SerializeRow + Sync,
        max: usize,
    ) -> Result<Vec<R>, Failure>
    where
        R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata> + Send + 'static,
    {
        let (statement, values) = (self.of(cql), &values);
        let read = || async move {
            let pager = self.session.execute_iter(statement.clone(), values).await?;
            let stream =
                pager.rows_stream::<R>().map_err(|error| Failure::Row(format!("{cql:?}: {error}")))?;
            let mut stream = pin!(stream);
            let mut rows = Vec::new();
            while rows.len() < max
                && let Some(row) = stream.next().await
            {
                rows.push(row?);
            }
            Ok::<_, Failure>(rows)
        };
        self.run(ATTEMPTS_MAX, read).await.map_err(Failure::of_a_read)
    }

    /// Reads the one row that there may be.
    pub(super) async fn row<R>(
        &self,
        cql: Cql,
        values: impl SerializeRow + Sync,
    ) -> Result<Option<R>, Failure>
    where
        R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata> + Send + 'static,
    {
        Ok(self.rows(cql, values, 1).await?.pop())
    }

    /// Runs a conditional write once; says whether its condition held and it was applied.
    pub(super) async fn apply(&self, cql: Cql, values: impl SerializeRow + Sync) -> Result<bool, Failure> {
        let statement = self.of(cql);
        let answer = self.run(1, || self.session.execute_unpaged(statement, &values)).await;
        // Consensus has several rounds: a refusal may come after the one that decided.
        is_applied(answer.map_err(Failure::after_an_effect)?)
    }

    /// Tries until there is an answer, the attempts are used up or the operation's time is over.
    async fn run<T, E, F>(&self, attempts: usize, mut attempt: impl FnMut() -> F + Send) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, E>> + Send,
        E: Into<Failure>,
    {
        let mut is_perhaps_done = false;
        let mut is_sent = false;
        let tries = async {
            let _permit = self.permits.acquire().await;
            let mut left = attempts;
            loop {
                is_sent = true;
                let failure = match attempt().await {
                    Ok(answer) => return Ok(answer),
                    Err(error) => error.into(),
                };
                is_perhaps_done |= matches!(failure, Failure::Unknown(_));
                left -= 1;
                if left == 0 || matches!(failure, Failure::Row(_)) {
                    return Err(failure);
                }
                sleep(RETRY_PAUSE).await;
            }
        };
        let outcome = timeout(OPERATION_MAX, tries).await;
        let late = || format!("no answer within {} s", OPERATION_MAX.as_secs());
        match outcome {
            Ok(Err(failure)) if is_perhaps_done => Err(failure.after_an_effect()),
            Ok(outcome) => outcome,
            Err(_) if is_sent => Err(Failure::Unknown(late())),
            Err(_) => Err(Failure::None(late())),
        }
    }
}

/// The cell is found by its name: ScyllaDB sends the row's cells in any case, Cassandra only when it was not applied.
fn is_applied(answer: QueryResult) -> Result<bool, Failure> {
    let odd = |reason: String| Failure::Unknown(format!("a conditional write's answer: {reason}"));
    let rows = answer.into_rows_result().map_err(|error| odd(error.to_string()))?;
    let place = rows.column_specs().iter().position(|column| column.name() == "[applied]");
    let row: Option<Row> = rows.maybe_first_row().map_err(|error| odd(error.to_string()))?;
    match place.zip(row).and_then(|(place, mut row)| row.columns.get_mut(place)?.take()) {
        Some(CqlValue::Boolean(is_applied)) => Ok(is_applied),
        _ => Err(odd("it does not say whether it was applied".to_owned())),
    }
}
