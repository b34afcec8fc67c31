//! The reader of a process, outside of the group: tails of the events, replies to this instance, and questions to the
//! brokers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use paymux_domain::ports::{DeadPage, DeadPlace, DeadRecord, EventPage, LogError, Offset, StoredEvent};
use paymux_domain::shard::Partition;
use paymux_proto::records;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset as At, TopicPartitionList};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::OpenError;
use super::client::{self, Told};
use super::config::KafkaConfig;
use super::patience::patiently;
use super::positions;
use super::tails::{Changes, Look, Tails};
use super::topics::{TopicNames, reply_partition};
use crate::replies::ReplyRouter;

/// How long a poll waits for a message: a partition that is asked for begins to be followed no later.
const POLL: Duration = Duration::from_millis(10);
/// Messages that are taken before the thread looks at what it is asked for.
const BATCH_MAX: usize = 512;
/// How long one question to the brokers may take.
const QUESTION_MAX: Duration = Duration::from_secs(5);
/// How long a question may take that holds up whoever follows events.
const SHORT_QUESTION_MAX: Duration = Duration::from_secs(1);
/// Pause before the place of the newest reply is asked for again.
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long what is surely in the log may take to arrive.
const ARRIVAL_MAX: Duration = Duration::from_secs(5);
/// Events behind the newest beyond which a reader catches up on its own before it joins the tail.
const BEHIND_MAX: u64 = 1024;
/// Readers that catch up at once, each with a connection of its own.
const CATCHING_UP_MAX: usize = 4;
/// How long one that wants to catch up waits for its turn.
const TURN_MAX: Duration = Duration::from_secs(30);
/// Records that one catching up brings at most.
const CAUGHT_MAX: usize = 1000;

/// The offsets that a partition holds: the first that is kept, and the one after the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) low: Offset,
    pub(super) high: Offset,
}

/// Reads what no owner reads.
pub(super) struct Reader {
    config: KafkaConfig,
    topics: TopicNames,
    consumer: Arc<BaseConsumer<Told>>,
    tails: Arc<Mutex<Tails>>,
    catching_up: Arc<Semaphore>,
    stop: Arc<AtomicBool>,
}

#[expect(clippy::disallowed_methods, reason = "tails that nobody asks for are dropped in real time")]
fn now() -> Instant {
    Instant::now()
}

impl Reader {
    /// Starts the reader; replies to this instance are heard from now on.
    pub(super) fn start(
        config: &KafkaConfig,
        topics: TopicNames,
        replies: ReplyRouter,
    ) -> Result<Self, OpenError> {
        let consumer: BaseConsumer<Told> =
            BaseConsumer::from_config_and_context(&client::reader(config), Told)?;
        let consumer = Arc::new(consumer);
        let tails = Arc::new(Mutex::new(Tails::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = Thread {
            consumer: Arc::clone(&consumer),
            topics: topics.clone(),
            instance: config.instance.clone(),
            tails: Arc::clone(&tails),
            replies,
            stop: Arc::clone(&stop),
            listen_at: None,
        };
        patiently(|| thread.listen(QUESTION_MAX))?;
        let body = move || thread.run();
        thread::Builder::new().name("kafka-reader".to_owned()).spawn(body).map_err(OpenError::Thread)?;
        let catching_up = Arc::new(Semaphore::new(CATCHING_UP_MAX));
        Ok(Self { config: config.clone(), topics, consumer, tails, catching_up, stop })
    }

    pub(super) const fn consumer(&self) -> &Arc<BaseConsumer<Told>> {
        &self.consumer
    }

    /// The offsets that a partition of a topic holds.
    pub(super) async fn held(&self, topic: &str, number: i32) -> Result<Held, LogError> {
        let (consumer, topic) = (Arc::clone(&self.consumer), topic.to_owned());
        blocking(move || held(&consumer, &topic, number)).await
    }

    /// How many records lie after the group's position.
    pub(super) async fn lag(&self, partition: Partition) -> Result<u64, LogError> {
        let (consumer, topic) = (Arc::clone(&self.consumer), self.topics.log.clone());
        blocking(move || {
            let ask = || positions::read(&consumer, &topic, &[partition], QUESTION_MAX);
            let known = patiently(ask).map_err(unavailable)?;
            let position = known.first().and_then(|(_, position)| *position);
            let lost =
                || LogError::Unavailable(format!("the group has no position in partition {partition}"));
            let next = position.ok_or_else(lost)?.next;
            let Held { high, .. } = held(&consumer, &topic, positions::number(partition))?;
            Ok(high.saturating_sub(next))
        })
        .await
    }

    /// Events from a position on; waits up to `wait` for the first. Events that are no longer kept are skipped.
    pub(super) async fn events(
        &self,
        partition: Partition,
        from: Offset,
        max: usize,
        wait: Duration,
    ) -> Result<EventPage, LogError> {
        let look = self.tails.lock().look(partition, from, max, now());
        let (from, patience) = match look {
            Look::Page(page) => return Ok(page),
            Look::Unreadable(reason) => return Err(LogError::Unavailable(reason)),
            Look::Awaited if !wait.is_zero() => (from, wait),
            Look::Awaited | Look::Elsewhere => {
                let Held { low, high } = self.held(&self.topics.events, positions::number(partition)).await?;
                let from = from.max(low);
                if look == Look::Elsewhere {
                    let is_far = high.saturating_sub(from) > BEHIND_MAX;
                    if is_far || !self.follows(partition, from.min(high)) {
                        return self.catch_up(partition, from, max).await;
                    }
                }
                if from >= high { (from, wait) } else { (from, wait.max(ARRIVAL_MAX)) }
            }
        };
        let arrived = timeout(patience, self.arrival(partition, from, max)).await;
        arrived.unwrap_or(Ok(EventPage { events: Vec::new(), next: from }))
    }

    /// Follows a partition; `false` when its tail already begins after the position.
    fn follows(&self, partition: Partition, from: Offset) -> bool {
        let mut tails = self.tails.lock();
        tails.follow(partition, from, now());
        tails.look(partition, from, 1, now()) != Look::Elsewhere
    }

    async fn arrival(&self, partition: Partition, from: Offset, max: usize) -> Result<EventPage, LogError> {
        loop {
            let look = self.tails.lock().look_or_wait(partition, from, max, now());
            match look {
                (Look::Page(page), _) => return Ok(page),
                (Look::Unreadable(reason), _) => return Err(LogError::Unavailable(reason)),
                (Look::Awaited, Some(grew)) => grew.await,
                // The tail was dropped because the client lost its place: it begins anew with the next question.
                (Look::Elsewhere | Look::Awaited, _) => {
                    return Ok(EventPage { events: Vec::new(), next: from });
                }
            }
        }
    }

    async fn catch_up(&self, partition: Partition, from: Offset, max: usize) -> Result<EventPage, LogError> {
        let read = self.read(self.topics.events.clone(), positions::number(partition), from, max).await?;
        let mut events = Vec::with_capacity(read.len());
        for (offset, payload) in read {
            match records::decode_event(&payload) {
                Ok(event) => events.push(StoredEvent { offset, event }),
                Err(error) if events.is_empty() => {
                    return Err(LogError::Unavailable(unreadable(offset, &error)));
                }
                Err(_) => break,
            }
        }
        let next = events.last().map_or(from, |last| last.offset + 1);
        Ok(EventPage { events, next })
    }

    /// Dead records from a position of their topic on, at most `max`, and where to read on.
    pub(super) async fn dead(&self, from: Offset, max: usize) -> Result<(Vec<DeadRecord>, Offset), LogError> {
        let Held { low, high } = self.held(&self.topics.dead, 0).await?;
        let from = from.max(low);
        if from >= high {
            return Ok((Vec::new(), from));
        }
        let read = self.read(self.topics.dead.clone(), 0, from, max).await?;
        let next = read.last().map_or(from, |(offset, _)| offset + 1);
        let decode = |(offset, payload): (Offset, Vec<u8>)| {
            records::decode_dead(&payload).map_err(|error| LogError::Unavailable(unreadable(offset, &error)))
        };
        let dead: Result<Vec<DeadRecord>, LogError> = read.into_iter().map(decode).collect();
        Ok((dead?, next))
    }

    /// Dead records before a position of their topic, the newest first. What cannot be read itself is left out.
    pub(super) async fn dead_before(&self, before: Option<Offset>, max: usize) -> Result<DeadPage, LogError> {
        let Held { low, high } = self.held(&self.topics.dead, 0).await?;
        let before = before.unwrap_or(high).min(high);
        let max = max.clamp(1, CAUGHT_MAX);
        let from = before.saturating_sub(u64::try_from(max).unwrap_or(u64::MAX)).max(low);
        let mut page = DeadPage::default();
        let mut next = from;
        // One read may end early; what is between two places must be whole.
        while next < before {
            let read = self.read(self.topics.dead.clone(), 0, next, max).await?;
            let Some((last, _)) = read.last() else { break };
            next = last + 1;
            for (offset, payload) in read.into_iter().filter(|(offset, _)| *offset < before) {
                match records::decode_dead(&payload) {
                    Ok(dead) => page.records.push((DeadPlace { partition: Partition(0), offset }, dead)),
                    Err(error) => {
                        tracing::warn!(reason = unreadable(offset, &error), "a dead record is left out")
                    }
                }
            }
        }
        page.records.reverse();
        page.next = (from > low).then_some(DeadPlace { partition: Partition(0), offset: from });
        Ok(page)
    }

    /// Messages from a position on, by a client of its own: at least one if there is any, at most `max`.
    async fn read(
        &self,
        topic: String,
        number: i32,
        from: Offset,
        max: usize,
    ) -> Result<Vec<(Offset, Vec<u8>)>, LogError> {
        let permit = timeout(TURN_MAX, Arc::clone(&self.catching_up).acquire_owned()).await;
        let permit = permit.map_err(|_| LogError::Unavailable("too many readers catch up".to_owned()))?;
        let config = self.config.clone();
        blocking(move || {
            // Held by the work itself: it goes on when nobody waits for it any more.
            let _permit = permit;
            read(&config, &topic, number, from, max.clamp(1, CAUGHT_MAX))
        })
        .await
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

/// Runs what blocks on the network off the async workers.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| LogError::Unavailable("the question was broken off".to_owned()))?
}

fn unavailable(error: KafkaError) -> LogError {
    LogError::Unavailable(error.to_string())
}

fn unreadable(offset: Offset, error: &records::RecordError) -> String {
    format!("what lies at offset {offset} cannot be read: {error}")
}

fn held(consumer: &BaseConsumer<Told>, topic: &str, number: i32) -> Result<Held, LogError> {
    let ask = || consumer.fetch_watermarks(topic, number, QUESTION_MAX);
    let (low, high) = patiently(ask).map_err(unavailable)?;
    Ok(Held { low: Offset::try_from(low).unwrap_or(0), high: Offset::try_from(high).unwrap_or(0) })
}

fn read(
    config: &KafkaConfig,
    topic: &str,
    number: i32,
    from: Offset,
    max: usize,
) -> Result<Vec<(Offset, Vec<u8>)>, LogError> {
    let consumer: BaseConsumer<Told> =
        BaseConsumer::from_config_and_context(&client::reader(config), Told).map_err(unavailable)?;
    let Held { high, .. } = held(&consumer, topic, number)?;
    let mut read = Vec::new();
    if from >= high {
        return Ok(read);
    }
    let list = placed(topic, [(number, At::Offset(i64::try_from(from).unwrap_or(i64::MAX)))])
        .map_err(unavailable)?;
    consumer.assign(&list).map_err(unavailable)?;
    while read.len() < max {
        match consumer.poll(ARRIVAL_MAX) {
            Some(message) => {
                let message = message.map_err(unavailable)?;
                let offset = Offset::try_from(message.offset()).unwrap_or(0);
                read.push((offset, message.payload().unwrap_or_default().to_vec()));
                if offset + 1 >= high {
                    break;
                }
            }
            None if read.is_empty() => {
                return Err(LogError::Unavailable("the log does not answer in time".to_owned()));
            }
            None => break,
        }
    }
    Ok(read)
}

fn placed(
    topic: &str,
    places: impl IntoIterator<Item = (i32, At)>,
) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for (number, at) in places {
        list.add_partition_offset(topic, number, at)?;
    }
    Ok(list)
}

/// The thread that fetches.
struct Thread {
    consumer: Arc<BaseConsumer<Told>>,
    topics: TopicNames,
    instance: String,
    tails: Arc<Mutex<Tails>>,
    replies: ReplyRouter,
    stop: Arc<AtomicBool>,
    /// When it is tried again to hear replies; `None` while they are heard.
    listen_at: Option<Instant>,
}

impl Thread {
    /// Hears replies from now on: who waits for an earlier one waits in another process.
    fn listen(&self, question_max: Duration) -> Result<(), KafkaError> {
        let number = reply_partition(&self.instance);
        let (_, high) = self.consumer.fetch_watermarks(&self.topics.replies, number, question_max)?;
        self.consumer.incremental_assign(&placed(&self.topics.replies, [(number, At::Offset(high))])?)
    }

    /// Hears replies again where their place was lost.
    fn listen_again(&mut self) {
        if self.listen_at.is_none_or(|at| now() < at) {
            return;
        }
        self.listen_at = match self.listen(SHORT_QUESTION_MAX) {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!(%error, "replies of other processes are not heard; it is tried again");
                Some(now() + LISTEN_AGAIN_AFTER)
            }
        };
    }

    fn run(mut self) {
        while !self.stop.load(Ordering::Acquire) {
            self.listen_again();
            let changes = self.tails.lock().changes(now());
            if let Err(error) = self.apply(&changes) {
                tracing::warn!(%error, "events are not followed");
                self.begin_anew();
            }
            self.poll();
        }
    }

    fn poll(&mut self) {
        let consumer = Arc::clone(&self.consumer);
        let mut patience = POLL;
        let mut grown = BTreeSet::new();
        for _ in 0..BATCH_MAX {
            match consumer.poll(patience) {
                Some(Ok(message)) => grown.extend(self.take(&message)),
                // A place that is gone shows without its partition. All other errors pass, and were logged.
                Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => {
                    self.begin_anew();
                }
                Some(Err(_)) => {}
                None => break,
            }
            patience = Duration::ZERO;
        }
        // Once for all that came of a partition: each who waits there looks through its tail.
        let tails = self.tails.lock();
        grown.into_iter().for_each(|partition| tails.wake(partition));
    }

    fn apply(&self, changes: &Changes) -> Result<(), KafkaError> {
        if !changes.end.is_empty() {
            let end = changes.end.iter().map(|partition| (positions::number(*partition), At::Invalid));
            self.consumer.incremental_unassign(&placed(&self.topics.events, end)?)?;
        }
        if !changes.begin.is_empty() {
            let at = |from: Offset| At::Offset(i64::try_from(from).unwrap_or(i64::MAX));
            let begin =
                changes.begin.iter().map(|(partition, from)| (positions::number(*partition), at(*from)));
            self.consumer.incremental_assign(&placed(&self.topics.events, begin)?)?;
        }
        Ok(())
    }

    /// Forgets all places. Whoever asks for events is given its place again, and replies are heard from then on.
    fn begin_anew(&mut self) {
        self.tails.lock().clear();
        if let Err(error) = self.consumer.unassign() {
            tracing::warn!(%error, "places that were lost are still followed");
        }
        self.listen_at = Some(now());
    }

    /// Takes a message; gives the partition that has grown by it.
    fn take(&self, message: &BorrowedMessage<'_>) -> Option<Partition> {
        let payload = message.payload().unwrap_or_default();
        if message.topic() == self.topics.replies {
            match records::decode_reply(payload) {
                Ok(reply) if reply.to.instance == self.instance => self.replies.send(reply),
                Ok(_) => {}
                // Nobody depends on a reply.
                Err(error) => tracing::warn!(%error, "a reply cannot be read"),
            }
            return None;
        }
        let partition = positions::partition(message.partition())?;
        let offset = Offset::try_from(message.offset()).ok()?;
        let event = records::decode_event(payload).map_err(|error| unreadable(offset, &error));
        self.tails.lock().fetched(partition, offset, event);
        Some(partition)
    }
}
