//! The reading side: one member of the group of owners.

use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use paymux_domain::ports::{
    BoxFuture, CommitError, Delivered, LogConsumer, LogError, LogInput, Offset, Undecodable,
};
use paymux_domain::shard::Partition;
use paymux_proto::records::{self, FORMAT_VERSION};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::OpenError;
use super::client;
use super::config::KafkaConfig;
use super::failure::Failure;
use super::group::{Fetched, Next};
use super::member::{Callbacks, Member, Shared};

/// How long a member that leaves waits until the group knows.
const LEAVE_MAX: Duration = Duration::from_secs(5);

/// A member of the group; [`KafkaBackend::join`](super::KafkaBackend::join) makes one.
///
/// [`LogConsumer::next`] is for one caller at a time. After [`LogConsumer::leave`] it never completes. Dropping the
/// consumer leaves the group, too, without waiting for it; a process that is killed leaves when its session times out.
pub struct KafkaConsumer {
    shared: Arc<Shared>,
    /// Completes when the thread has left the group.
    ended: parking_lot::Mutex<Option<oneshot::Receiver<()>>>,
    topic: String,
}

impl fmt::Debug for KafkaConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KafkaConsumer({})", self.topic)
    }
}

impl KafkaConsumer {
    pub(super) fn join(config: &KafkaConfig, topic: String, failure: Failure) -> Result<Self, OpenError> {
        let shared = Shared::new(failure);
        let lease_max = config.lease_max();
        let callbacks = Callbacks { shared: Arc::clone(&shared), lease_max };
        let consumer = BaseConsumer::from_config_and_context(&client::member(config), callbacks)?;
        consumer.subscribe(&[&topic])?;
        let quarantine = if config.group_instance_id.is_some() { lease_max } else { Duration::ZERO };
        let member = Member::new(Arc::clone(&shared), consumer, topic.clone(), quarantine);
        let (end, ended) = oneshot::channel();
        let body = move || {
            member.run();
            // Nobody may wait for it.
            let _gone = end.send(());
        };
        thread::Builder::new().name("kafka-member".to_owned()).spawn(body).map_err(OpenError::Thread)?;
        Ok(Self { shared, ended: parking_lot::Mutex::new(Some(ended)), topic })
    }

    fn come_back(&self) {
        self.shared.group.lock().came_back();
        self.shared.let_go.notify_all();
    }

    fn has_left(&self) -> bool {
        self.shared.is_leaving.load(Ordering::Acquire)
    }

    fn begin_to_leave(&self) {
        self.shared.is_leaving.store(true, Ordering::Release);
        let mut group = self.shared.group.lock();
        group.clear();
        self.shared.let_go.notify_all();
    }
}

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        self.begin_to_leave();
    }
}

impl LogConsumer for KafkaConsumer {
    fn next(&self, max: usize) -> BoxFuture<'_, Result<LogInput, LogError>> {
        Box::pin(async move {
            self.come_back();
            loop {
                if self.has_left() {
                    return pending().await;
                }
                if let Some(reason) = self.shared.failure.get() {
                    return Err(LogError::Fatal(reason));
                }
                let next = self.shared.group.lock().take(max);
                match next {
                    Some(Next::Told(input)) => return Ok(input),
                    Some(Next::Records(partition, fetched)) => {
                        let records = fetched.into_iter().map(delivered).collect();
                        return Ok(LogInput::Records { partition, records });
                    }
                    None => tokio::select! {
                        biased;
                        reason = self.shared.failure.wait() => return Err(LogError::Fatal(reason)),
                        () = self.shared.wake.notified() => {}
                    },
                }
            }
        })
    }

    fn commit(
        &self,
        partition: Partition,
        generation: u64,
        next_offset: Offset,
    ) -> BoxFuture<'_, Result<(), CommitError>> {
        Box::pin(async move {
            if self.has_left() {
                return Err(CommitError::Fenced(generation));
            }
            let answered = self.shared.ask(partition, generation, next_offset)?;
            let gone = |_| CommitError::Unavailable("the consumer has ended".to_owned());
            answered.await.map_err(gone)?
        })
    }

    fn set_paused(&self, partition: Partition, paused: bool) {
        self.shared.group.lock().set_paused(partition, paused);
        self.shared.wake.notify_one();
    }

    fn leave(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.begin_to_leave();
            let Some(ended) = self.ended.lock().take() else { return };
            if timeout(LEAVE_MAX, ended).await.is_err() {
                tracing::warn!("the group did not confirm in time that this member leaves");
            }
        })
    }
}

/// A record as it is told. What says that a newer version wrote it waits, whatever it looks like to this one.
fn delivered(fetched: Fetched) -> Delivered {
    let Fetched { offset, payload, format_version } = fetched;
    let record =
        records::decode_record(&payload).map_err(|undecodable| match (undecodable, format_version) {
            (Undecodable::Malformed { .. }, Some(format_version)) if format_version > FORMAT_VERSION => {
                Undecodable::NewerFormat { format_version }
            }
            (undecodable, _) => undecodable,
        });
    Delivered { offset, record }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(payload: &[u8], format_version: Option<u32>) -> Result<(), bool> {
        let fetched = Fetched { offset: 7, payload: payload.to_vec(), format_version };
        let record = delivered(fetched).record;
        record.map(drop).map_err(|error| matches!(error, Undecodable::NewerFormat { .. }))
    }

    #[test]
    fn rubbish_is_buried_unless_its_header_names_a_newer_version() {
        assert_eq!(judged(b"\xff\xff", None), Err(false));
        assert_eq!(judged(b"\xff\xff", Some(FORMAT_VERSION)), Err(false));
        assert_eq!(judged(b"\xff\xff", Some(FORMAT_VERSION + 1)), Err(true));
    }
}
