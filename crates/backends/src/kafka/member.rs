//! The thread of a member: it alone polls, commits, pauses, and answers when the group moves partitions.
//!
//! A commit is waited for on this thread. So none is on its way while a partition is given back, and none that was
//! asked for by a former owner can reach the brokers under the number of the group's next generation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use paymux_domain::ports::{CommitError, Offset};
use paymux_domain::shard::Partition;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::TopicPartitionList;
use tokio::sync::{Notify, oneshot};

use super::client::told;
use super::failure::Failure;
use super::group::{Fetched, Group, Sendable};
use super::headers;
use super::positions::{self, Position};

/// How long a poll waits for a record: what the thread is asked for waits no longer either.
const POLL: Duration = Duration::from_millis(10);
/// Records that are polled before the thread looks at what it is asked for.
const BATCH_MAX: usize = 512;
/// Pause between two commits, so that those of many partitions go together.
const COMMIT_EVERY: Duration = Duration::from_millis(20);
/// Commits that may wait; one partition has one at a time, and perhaps some that nobody waits for any more.
const COMMITS_MAX: usize = 8192;
/// How long a question to the brokers may hold up the thread.
const QUESTION_MAX: Duration = Duration::from_secs(3);
/// Pause before a partition's position is asked for again.
const RETRY: Duration = Duration::from_millis(200);
/// Polls within which a member that leaves hears that its partitions are given back.
const LEAVING_POLLS_MAX: usize = 300;

/// What the thread and the callers of a member share.
pub(super) struct Shared {
    pub(super) group: Mutex<Group>,
    /// Something new may be taken.
    pub(super) wake: Notify,
    /// A loss was taken.
    pub(super) let_go: Condvar,
    pub(super) failure: Failure,
    /// No input is taken any more.
    pub(super) is_leaving: AtomicBool,
    /// Commits that wait; `None` when nobody is left to send them.
    commits: Mutex<Option<Vec<Request>>>,
}

/// A commit that somebody waits for.
struct Request {
    partition: Partition,
    generation: u64,
    next: Offset,
    answer: oneshot::Sender<Result<(), CommitError>>,
}

impl Shared {
    pub(super) fn new(failure: Failure) -> Arc<Self> {
        Arc::new(Self {
            group: Mutex::default(),
            wake: Notify::new(),
            let_go: Condvar::new(),
            failure,
            is_leaving: AtomicBool::new(false),
            commits: Mutex::new(Some(Vec::new())),
        })
    }

    /// Asks for a commit.
    ///
    /// # Errors
    /// Too many wait, or nobody is left to send it.
    pub(super) fn ask(
        &self,
        partition: Partition,
        generation: u64,
        next: Offset,
    ) -> Result<oneshot::Receiver<Result<(), CommitError>>, CommitError> {
        let mut commits = self.commits.lock();
        let Some(commits) = commits.as_mut() else {
            return Err(CommitError::Unavailable("the consumer has ended".to_owned()));
        };
        if commits.len() >= COMMITS_MAX {
            return Err(CommitError::Unavailable("too many commits wait".to_owned()));
        }
        let (answer, answered) = oneshot::channel();
        commits.push(Request { partition, generation, next, answer });
        Ok(answered)
    }
}

/// What the client calls while it is polled.
pub(super) struct Callbacks {
    pub(super) shared: Arc<Shared>,
    /// No lease lasts longer.
    pub(super) lease_max: Duration,
}

impl ClientContext for Callbacks {
    fn error(&self, error: KafkaError, reason: &str) {
        told(&error, reason);
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.shared.failure.set(format!("the consumer: {reason}"));
            self.shared.wake.notify_one();
        }
    }
}

impl ConsumerContext for Callbacks {
    /// Gives partitions back only when whoever works on them has let go, or has surely no lease any more: no commit is
    /// acknowledged while this waits.
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let mut group = self.shared.group.lock();
        match rebalance {
            Rebalance::Assign(list) => {
                for partition in partitions_in(list) {
                    group.join(partition);
                }
            }
            Rebalance::Revoke(list) => {
                for partition in partitions_in(list) {
                    group.lose(partition);
                }
                self.shared.wake.notify_one();
                if self.shared.is_leaving.load(Ordering::Acquire) {
                    group.clear();
                } else if !consumer.assignment_lost() {
                    let is_held = |group: &mut Group| !group.has_let_go();
                    let waited = self.shared.let_go.wait_while_for(&mut group, is_held, self.lease_max);
                    if waited.timed_out() {
                        tracing::warn!(
                            "partitions are given back without their owner's word; its lease is over"
                        );
                    }
                }
            }
            Rebalance::Error(error) => tracing::warn!(%error, "the group could not be rebalanced"),
        }
    }
}

fn partitions_in(list: &TopicPartitionList) -> Vec<Partition> {
    list.elements().iter().filter_map(|element| positions::partition(element.partition())).collect()
}

/// The thread's own state.
pub(super) struct Member {
    pub(super) shared: Arc<Shared>,
    pub(super) consumer: BaseConsumer<Callbacks>,
    pub(super) topic: String,
    /// How long an owned partition is kept to itself: with static membership the group gives partitions to the new
    /// process of a name while the old one may still hold a lease.
    pub(super) quarantine: Duration,
    quarantined: BTreeMap<(Partition, u64), (Position, Instant)>,
    committed_at: Instant,
    asked_at: Option<Instant>,
}

#[expect(clippy::disallowed_methods, reason = "the thread paces its requests to the brokers in real time")]
fn now() -> Instant {
    Instant::now()
}

impl Member {
    pub(super) fn new(
        shared: Arc<Shared>,
        consumer: BaseConsumer<Callbacks>,
        topic: String,
        quarantine: Duration,
    ) -> Self {
        let quarantined = BTreeMap::new();
        Self { shared, consumer, topic, quarantine, quarantined, committed_at: now(), asked_at: None }
    }

    /// Works until the member leaves, then leaves the group.
    pub(super) fn run(mut self) {
        while !self.shared.is_leaving.load(Ordering::Acquire) && self.shared.failure.get().is_none() {
            self.poll();
            self.own();
            self.commit();
            self.pause();
        }
        self.refuse_commits();
        self.consumer.unsubscribe();
        let has_partitions =
            |consumer: &BaseConsumer<Callbacks>| consumer.assignment().is_ok_and(|list| list.count() > 0);
        for _ in 0..LEAVING_POLLS_MAX {
            if !has_partitions(&self.consumer) {
                break;
            }
            drop(self.consumer.poll(POLL));
        }
        self.shared.group.lock().clear();
        // Dropping the client leaves the group; it waits for the coordinator's answer.
    }

    fn poll(&self) {
        let mut fetched = Vec::new();
        let mut patience = POLL;
        while fetched.len() < BATCH_MAX {
            match self.consumer.poll(patience) {
                Some(Ok(message)) => fetched.extend(taken(&message)),
                Some(Err(error)) => self.judge(&error),
                None => break,
            }
            patience = Duration::ZERO;
        }
        if fetched.is_empty() {
            return;
        }
        let mut group = self.shared.group.lock();
        for (partition, record) in fetched {
            group.fetched(partition, record);
        }
        drop(group);
        self.shared.wake.notify_one();
    }

    /// Errors pass by themselves, except those after which nothing would ever be read again.
    fn judge(&self, error: &KafkaError) {
        let is_lost = error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset);
        if is_lost || matches!(error, KafkaError::MessageConsumptionFatal(_)) {
            let text = if is_lost {
                "a committed position is gone, or no longer in the log"
            } else {
                "the consumer"
            };
            self.fail(format!("{text}: {error}"));
        }
    }

    fn fail(&self, reason: String) {
        self.shared.failure.set(reason);
        self.shared.wake.notify_one();
    }

    /// Makes partitions that the group gave our own: the next generation is written beside their positions, and only
    /// an acknowledgement of that lets anybody hear of them.
    fn own(&mut self) {
        self.release_quarantined();
        let mut joining = self.shared.group.lock().joining();
        joining.retain(|joining| !self.quarantined.contains_key(joining));
        let is_early = self.asked_at.is_some_and(|asked| now().duration_since(asked) < RETRY);
        if joining.is_empty() || is_early {
            return;
        }
        match self.mark(&joining) {
            Ok(owned) => {
                self.asked_at = None;
                let ready = now() + self.quarantine;
                let joined = owned.into_iter().filter_map(|(partition, position)| {
                    let joined = joining.iter().find(|joined| joined.0 == partition)?;
                    Some((*joined, (position, ready)))
                });
                self.quarantined.extend(joined);
                self.release_quarantined();
            }
            Err(error) => {
                self.asked_at = Some(now());
                tracing::warn!(%error, "positions cannot be marked; it is tried again");
            }
        }
    }

    fn mark(&self, joining: &[(Partition, u64)]) -> Result<Vec<(Partition, Position)>, KafkaError> {
        let joining: Vec<Partition> = joining.iter().map(|joined| joined.0).collect();
        // The client remembers a pause from an earlier ownership.
        self.consumer.resume(&self.list(&joining))?;
        self.shared.group.lock().resumed(&joining);
        let known = positions::read(&self.consumer, &self.topic, &joining, QUESTION_MAX)?;
        let mut marked = Vec::with_capacity(known.len());
        for (partition, position) in known {
            let Some(Position { next, generation }) = position else {
                self.fail(format!(
                    "the group has no position in partition {partition}: it is new, and `paymux migrate` gives it its \
                     first ones, or it was lost"
                ));
                return Ok(Vec::new());
            };
            marked.push((partition, Position { next, generation: generation + 1 }));
        }
        positions::write(&self.consumer, &self.topic, &marked)?;
        if self.consumer.assignment_lost() {
            return Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::UnknownMemberId));
        }
        Ok(marked)
    }

    fn release_quarantined(&mut self) {
        if self.quarantined.is_empty() {
            return;
        }
        let now = now();
        let mut group = self.shared.group.lock();
        let joining = group.joining();
        self.quarantined.retain(|joined, (position, ready)| {
            let is_ready = now >= *ready;
            if is_ready && joining.contains(joined) {
                group.own(joined.0, position.generation, position.next);
            }
            // A partition that was lost meanwhile is marked anew when it comes back.
            !is_ready && joining.contains(joined)
        });
        drop(group);
        self.shared.wake.notify_one();
    }

    /// Sends what is asked for, all partitions in one request, and waits for the answer.
    fn commit(&mut self) {
        if now().duration_since(self.committed_at) < COMMIT_EVERY {
            return;
        }
        let requests = self.shared.commits.lock().as_mut().map(std::mem::take).unwrap_or_default();
        if requests.is_empty() {
            return;
        }
        let mut sent: BTreeMap<Partition, Position> = BTreeMap::new();
        let mut waiting = Vec::new();
        for request in requests {
            match self.sendable(&request) {
                Ok(next) => {
                    let at = Position { next, generation: request.generation };
                    let position = sent.entry(request.partition).or_insert(at);
                    position.next = position.next.max(next);
                    waiting.push(request);
                }
                Err(error) => drop(request.answer.send(Err(error))),
            }
        }
        if sent.is_empty() {
            return;
        }
        let positions: Vec<(Partition, Position)> = sent.into_iter().collect();
        let result = self.send(&positions);
        self.committed_at = now();
        if result.is_ok() {
            let mut group = self.shared.group.lock();
            for (partition, position) in &positions {
                group.committed(*partition, position.next);
            }
        }
        for request in waiting {
            // Whoever asked may have given up.
            drop(request.answer.send(result.clone()));
        }
    }

    fn sendable(&self, request: &Request) -> Result<Offset, CommitError> {
        let Request { partition, generation, next, .. } = *request;
        let judged = self.shared.group.lock().sendable(partition, generation, next);
        let judged = if judged == Sendable::Beyond {
            let end = self.end_of(partition)?;
            let mut group = self.shared.group.lock();
            group.heard_of_end(partition, end);
            group.sendable(partition, generation, next)
        } else {
            judged
        };
        match judged {
            Sendable::At(next) => Ok(next),
            Sendable::Fenced => Err(CommitError::Fenced(generation)),
            Sendable::Beyond => {
                Err(CommitError::Unavailable(format!("offset {next} is beyond the log's end")))
            }
        }
    }

    fn end_of(&self, partition: Partition) -> Result<Offset, CommitError> {
        let number = positions::number(partition);
        let marks = self.consumer.fetch_watermarks(&self.topic, number, QUESTION_MAX);
        let (_, high) = marks.map_err(|error| CommitError::Unavailable(error.to_string()))?;
        Ok(Offset::try_from(high).unwrap_or(0))
    }

    /// An assignment that is lost shows before and after the commit: the client then has no name in the group, and a
    /// coordinator takes the commit of a nameless one if the group has no members at all.
    fn send(&self, positions: &[(Partition, Position)]) -> Result<(), CommitError> {
        let lost = || CommitError::Unavailable("the group has moved on".to_owned());
        if self.consumer.assignment_lost() {
            return Err(lost());
        }
        positions::write(&self.consumer, &self.topic, positions)
            .map_err(|error| CommitError::Unavailable(error.to_string()))?;
        if self.consumer.assignment_lost() { Err(lost()) } else { Ok(()) }
    }

    /// From now on nothing is committed any more.
    fn refuse_commits(&self) {
        let requests = self.shared.commits.lock().take().unwrap_or_default();
        for request in requests {
            drop(request.answer.send(Err(CommitError::Fenced(request.generation))));
        }
    }

    fn pause(&self) {
        let (hold, resume) = self.shared.group.lock().changes_of_fetching();
        let results = [
            (!hold.is_empty()).then(|| self.consumer.pause(&self.list(&hold))),
            (!resume.is_empty()).then(|| self.consumer.resume(&self.list(&resume))),
        ];
        for error in results.into_iter().flatten().filter_map(Result::err) {
            tracing::warn!(%error, "fetching was not paused or resumed");
        }
    }

    fn list(&self, partitions: &[Partition]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.topic, positions::number(*partition));
        }
        list
    }
}

/// A message as the group keeps it.
fn taken(message: &BorrowedMessage<'_>) -> Option<(Partition, Fetched)> {
    let partition = positions::partition(message.partition())?;
    let offset = Offset::try_from(message.offset()).ok()?;
    if let Some(trace) = headers::trace(message) {
        tracing::debug!(partition = partition.0, offset, traceparent = trace, "a record is delivered");
    }
    let payload = message.payload().unwrap_or_default().to_vec();
    Some((partition, Fetched { offset, payload, format_version: headers::format_version(message) }))
}
