//! The topics of a cluster as they lie on its brokers: written and read past the engine.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::rig::Cluster;
use crate::rig::PATIENCE;

/// Longest wait for one message that is there.
const MESSAGE: Duration = Duration::from_millis(500);

/// A topic's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) payload: Vec<u8>,
}

/// The topics of one cluster.
#[derive(Clone, Debug)]
pub(crate) struct Topics {
    brokers: String,
    /// What the names begin with; the group has it as its name.
    name: String,
}

impl Topics {
    pub(crate) fn of(cluster: &Cluster) -> Self {
        Self { brokers: cluster.services.kafka.clone(), name: cluster.name.clone() }
    }

    fn topic(&self, what: &str) -> String {
        format!("{}.orders.{what}.v1", self.name)
    }

    fn consumer(&self) -> BaseConsumer {
        let mut settings = ClientConfig::new();
        settings.set("bootstrap.servers", &self.brokers).set("group.id", &self.name);
        settings.set("enable.auto.commit", "false").set("socket.timeout.ms", "6000");
        settings.create().expect("a consumer")
    }

    /// Writes records to a partition of the log; the header that a release writes is there when it is told a version.
    pub(crate) fn write(&self, partition: i32, payloads: &[Vec<u8>], version: Option<u32>) {
        let mut settings = ClientConfig::new();
        settings.set("bootstrap.servers", &self.brokers).set("acks", "all").set("linger.ms", "0");
        let producer: BaseProducer = settings.create().expect("a producer");
        let topic = self.topic("log");
        for payload in payloads {
            let mut record = BaseRecord::<(), [u8]>::to(&topic).partition(partition).payload(payload);
            if let Some(version) = version {
                let header = Header { key: "format_version", value: Some(&version.to_string()) };
                record = record.headers(OwnedHeaders::new().insert(header));
            }
            producer.send(record).expect("there is room for it");
        }
        producer.flush(PATIENCE).expect("the brokers take them");
    }

    /// One past the last message.
    pub(crate) fn end(&self, what: &str, partition: i32) -> i64 {
        let held = self.consumer().fetch_watermarks(&self.topic(what), partition, PATIENCE);
        held.expect("the topic is there").1
    }

    /// All that a partition holds.
    pub(crate) fn read(&self, what: &str, partition: i32) -> Vec<Message> {
        let end = self.end(what, partition);
        let consumer = self.consumer();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic(what), partition, Offset::Beginning).expect("an offset");
        consumer.assign(&list).expect("it is assigned");
        let mut read = Vec::new();
        let mut silences = PATIENCE.as_millis() / MESSAGE.as_millis();
        while read.last().map_or(0, |last: &Message| last.offset + 1) < end {
            match consumer.poll(MESSAGE) {
                Some(message) => {
                    let message = message.expect("a message");
                    let payload = message.payload().unwrap_or_default().to_vec();
                    read.push(Message { partition, offset: message.offset(), payload });
                }
                None => {
                    silences -= 1;
                    assert!(silences > 0, "{what} {partition}: {} of {end} messages come", read.len());
                }
            }
        }
        read
    }

    /// The first record of a partition of the log that its owners still need.
    pub(crate) fn position(&self, partition: i32) -> i64 {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic("log"), partition);
        let committed = self.consumer().committed_offsets(list, PATIENCE).expect("positions");
        match committed.elements()[0].offset() {
            Offset::Offset(offset) => offset,
            other => panic!("no position: {other:?}"),
        }
    }
}
