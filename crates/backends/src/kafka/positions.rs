//! The group's positions as the brokers keep them: an offset, and beside it the generation that committed it.
//!
//! Kafka numbers the generations of a whole group and tells its clients none of them. What fences an owner here is
//! counted per partition: each new owner writes the next number beside the position before it is told anything.

use std::time::Duration;

use paymux_domain::ports::Offset;
use paymux_domain::shard::Partition;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset as At, TopicPartitionList};

/// How the text beside a position begins.
const MARK: &str = "paymux g=";

/// Where a partition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The first record that is still needed.
    pub(super) next: Offset,
    /// The generation that said so; 0 before the first owner.
    pub(super) generation: u64,
}

/// The number of a partition as Kafka has it.
pub(super) fn number(partition: Partition) -> i32 {
    i32::from(partition.0)
}

/// A partition by Kafka's number.
pub(super) fn partition(number: i32) -> Option<Partition> {
    u16::try_from(number).ok().map(Partition)
}

/// Reads the positions of partitions; `None` for one that has none.
///
/// # Errors
/// The coordinator does not answer in time, or refuses.
pub(super) fn read<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[Partition],
    timeout: Duration,
) -> Result<Vec<(Partition, Option<Position>)>, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition(topic, number(*partition));
    }
    let committed = consumer.committed_offsets(list, timeout)?;
    let mut positions = Vec::with_capacity(partitions.len());
    for element in committed.elements() {
        element.error()?;
        let Some(partition) = partition(element.partition()) else { continue };
        let next = match element.offset() {
            At::Offset(offset) => Offset::try_from(offset).ok(),
            _ => None,
        };
        positions
            .push((partition, next.map(|next| Position { next, generation: read_mark(element.metadata()) })));
    }
    Ok(positions)
}

/// Writes positions and waits for the coordinator's word. Nothing may run on this thread meanwhile: a commit that was
/// sent and not answered yet could otherwise pass a change of the assignment.
///
/// # Errors
/// The coordinator refuses, or does not answer.
pub(super) fn write<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    positions: &[(Partition, Position)],
) -> Result<(), KafkaError> {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for (partition, position) in positions {
        let mut element = list.add_partition(topic, number(*partition));
        element.set_offset(At::Offset(i64::try_from(position.next).unwrap_or(i64::MAX)))?;
        element.set_metadata(format!("{MARK}{}", position.generation));
    }
    consumer.commit(&list, CommitMode::Sync)
}

/// The generation in the text beside a position; 0 where somebody else wrote it, such as a tool that reset it.
fn read_mark(text: &str) -> u64 {
    text.strip_prefix(MARK).and_then(|generation| generation.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_is_written_and_foreign_text_is_none() {
        assert_eq!(read_mark(&format!("{MARK}17")), 17);
        assert_eq!(["", "reset", "paymux g=", "paymux g=-1"].map(read_mark), [0; 4]);
    }
}
