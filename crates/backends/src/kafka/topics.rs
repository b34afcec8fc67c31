//! The topics: their names, and what is wanted of each.

use paymux_domain::limits::RECORD_BYTES_MAX;
use paymux_domain::shard::stable_hash;

use super::config::KafkaConfig;

/// Partitions of the topic of replies; each instance reads the one that its name leads to.
pub(super) const REPLY_PARTITIONS: u16 = 16;
/// How long replies are kept: who waits has long given up.
const REPLY_RETENTION_MS: u64 = 10 * 60 * 1000;
/// Bytes by which a message may be longer than the record in it: headers and the frame of its batch.
const FRAME_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a dead record beyond those of the record in it.
const BURIAL_BYTES_MAX: usize = 4 * 1024;

/// The names of the four topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TopicNames {
    /// Commands and notifications.
    pub(super) log: String,
    /// Events, partition by partition as the log.
    pub(super) events: String,
    /// Replies to instances that wait.
    pub(super) replies: String,
    /// What could not be decoded.
    pub(super) dead: String,
}

impl TopicNames {
    pub(super) fn new(prefix: &str) -> Self {
        let name = |what: &str| format!("{prefix}orders.{what}.v1");
        Self { log: name("log"), events: name("events"), replies: name("replies"), dead: name("dead") }
    }
}

/// The partition of the topic of replies that an instance reads.
pub(super) fn reply_partition(instance: &str) -> i32 {
    let slot = stable_hash(instance.as_bytes()) % u64::from(REPLY_PARTITIONS);
    i32::try_from(slot).unwrap_or(0)
}

/// A topic as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// Its partitions.
    pub partitions: u16,
    /// Copies of each.
    pub replication: u16,
    /// Settings of the topic, each with its value as Kafka writes it.
    pub settings: Vec<(&'static str, String)>,
}

/// All topics as they are wanted, that of commands and notifications first.
#[must_use]
pub fn wanted(config: &KafkaConfig) -> Vec<Wanted> {
    let TopicNames { log, events, replies, dead } = TopicNames::new(&config.topic_prefix);
    let topics = &config.topics;
    let hours = |hours: u32| u64::from(hours) * 3600 * 1000;
    let message = RECORD_BYTES_MAX + FRAME_BYTES_MAX;
    let topic = |name: String, partitions: u16, retention_ms: u64, bytes_max: usize| Wanted {
        name,
        partitions,
        replication: topics.replication,
        settings: vec![
            ("cleanup.policy", "delete".to_owned()),
            ("retention.ms", retention_ms.to_string()),
            ("retention.bytes", "-1".to_owned()),
            ("min.insync.replicas", topics.min_in_sync.to_string()),
            ("unclean.leader.election.enable", "false".to_owned()),
            ("max.message.bytes", bytes_max.to_string()),
        ],
    };
    vec![
        topic(log, config.partitions, hours(topics.log_hours), message),
        topic(events, config.partitions, hours(topics.events_hours), message),
        topic(replies, REPLY_PARTITIONS, REPLY_RETENTION_MS, message),
        topic(dead, 1, hours(topics.dead_hours), message + BURIAL_BYTES_MAX),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_the_partition_of_an_instance_never_change() {
        let names = TopicNames::new("");
        let all = [names.log, names.events, names.replies, names.dead];
        assert_eq!(all, ["orders.log.v1", "orders.events.v1", "orders.replies.v1", "orders.dead.v1"]);
        // Computed independently of this code: two releases that are at work together must agree.
        assert_eq!(["ingest-1", "ingest-2", "worker-1"].map(reply_partition), [4, 4, 3]);
    }
}
