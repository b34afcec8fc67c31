//! The group of owners in memory, as the simulation moves partitions: late former owners, evictions, returns.

use std::sync::Arc;
use std::time::Duration;

use paymux_backends::ReplyRouter;
use paymux_backends::memory::{MemoryCluster, MemoryConsumer, MemoryLogConfig, Notice};
use paymux_domain::ports::{CommandLog, CommitError, LogConsumer, LogError, LogInput, Undecodable};
use paymux_domain::shard::Partition;
use tokio::time::timeout;

use crate::suite::values::record;
use crate::suite::{TokioClock, ends};

const P: Partition = Partition(0);

fn cluster(config: MemoryLogConfig) -> MemoryCluster {
    MemoryCluster::new(config, TokioClock::new(), ReplyRouter::default())
}

fn two_partitions() -> MemoryCluster {
    cluster(MemoryLogConfig { partitions: 2, ..MemoryLogConfig::default() })
}

async fn next(consumer: &MemoryConsumer) -> LogInput {
    ends(consumer.next(100)).await.expect("an input")
}

/// Nothing is there to hear.
async fn silent(consumer: &MemoryConsumer) -> bool {
    timeout(Duration::ZERO, consumer.next(100)).await.is_err()
}

fn offsets(input: LogInput) -> Vec<u64> {
    match input {
        LogInput::Records { records, .. } => records.iter().map(|delivered| delivered.offset).collect(),
        other => panic!("no records: {other:?}"),
    }
}

async fn append(cluster: &MemoryCluster, count: usize) {
    for number in 0..count {
        ends(cluster.log().append(P, record(number))).await.expect("the log takes it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_former_owner_reads_on_and_is_fenced() {
    let cluster = two_partitions();
    let (old, new) = (cluster.join(), cluster.join());
    cluster.assign(P, old.member(), Notice::Now);
    append(&cluster, 3).await;
    assert_eq!(next(&old).await, LogInput::Assigned { partition: P, generation: 1, start: 0 });
    assert_eq!(offsets(next(&old).await), [0, 1, 2]);
    ends(old.commit(P, 1, 2)).await.expect("the owner commits");

    cluster.assign(P, new.member(), Notice::Withheld);
    assert_eq!(next(&new).await, LogInput::Assigned { partition: P, generation: 2, start: 2 });
    assert_eq!(offsets(next(&new).await), [2]);
    append(&cluster, 1).await;
    assert_eq!(offsets(next(&old).await), [3], "it does not know yet");
    assert_eq!(ends(old.commit(P, 1, 4)).await, Err(CommitError::Fenced(1)));
    assert_eq!(cluster.committed(P), 2);

    cluster.tell(old.member());
    assert_eq!(next(&old).await, LogInput::Revoked { partition: P });
    append(&cluster, 1).await;
    assert!(silent(&old).await);
    assert_eq!(offsets(next(&new).await), [3, 4]);
}

#[tokio::test(start_paused = true)]
async fn an_evicted_member_is_replaced_and_may_come_back() {
    let cluster = two_partitions();
    let (first, second) = (cluster.join(), cluster.join());
    cluster.rebalance(Notice::Now);
    assert_eq!(cluster.owner(P).map(|owner| owner.0), Some(first.member()));
    assert_eq!(cluster.owner(Partition(1)).map(|owner| owner.0), Some(second.member()));
    assert!(matches!(next(&first).await, LogInput::Assigned { .. }));

    cluster.evict(first.member());
    assert_eq!(cluster.members(), [second.member()]);
    assert_eq!(cluster.owner(P).map(|owner| owner.0), Some(second.member()));
    assert!(silent(&first).await);
    cluster.readmit(first.member());
    assert_eq!(next(&first).await, LogInput::Revoked { partition: P });
    cluster.rebalance(Notice::Now);
    assert_eq!(cluster.owner(P).map(|owner| owner.0), Some(first.member()));
    assert_eq!(next(&first).await, LogInput::Assigned { partition: P, generation: 4, start: 0 });
}

#[tokio::test(start_paused = true)]
async fn who_leaves_hands_its_partitions_over_and_hears_nothing_more() {
    let cluster = two_partitions();
    let (first, second) = (cluster.join(), cluster.join());
    cluster.assign(P, first.member(), Notice::Now);
    ends(first.leave()).await;
    assert_eq!(cluster.owner(P), Some((second.member(), 2)));
    append(&cluster, 1).await;
    assert!(silent(&first).await);
    assert_eq!(ends(first.commit(P, 1, 1)).await, Err(CommitError::Fenced(1)));
    ends(second.leave()).await;
    assert_eq!(cluster.owner(P), None);
    assert_eq!(ends(second.commit(P, 2, 1)).await, Err(CommitError::Fenced(2)));
}

#[tokio::test(start_paused = true)]
async fn an_assignment_to_its_own_owner_begins_again_from_the_committed_position() {
    let cluster = two_partitions();
    let owner = cluster.join();
    cluster.assign(P, owner.member(), Notice::Now);
    append(&cluster, 2).await;
    next(&owner).await;
    assert_eq!(offsets(next(&owner).await), [0, 1]);
    cluster.assign(P, owner.member(), Notice::Now);
    assert_eq!(next(&owner).await, LogInput::Revoked { partition: P });
    assert_eq!(next(&owner).await, LogInput::Assigned { partition: P, generation: 2, start: 0 });
    assert_eq!(offsets(next(&owner).await), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn undecodable_records_are_delivered_as_such() {
    let cluster = two_partitions();
    let owner = cluster.join();
    cluster.assign(P, owner.member(), Notice::Now);
    next(&owner).await;
    let newer = Undecodable::NewerFormat { format_version: 9 };
    cluster.append_undecodable(P, newer.clone());
    match next(&owner).await {
        LogInput::Records { records, .. } => assert_eq!(records[0].record, Err(newer)),
        other => panic!("no records: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_kept_is_an_error_for_a_late_reader_and_a_gap_for_events() {
    let small = MemoryLogConfig { partitions: 1, records_kept: 2, events_kept: 3 };
    let cluster = cluster(small);
    let (late, owner) = (cluster.join(), cluster.join());
    cluster.assign(P, late.member(), Notice::Now);
    append(&cluster, 5).await;
    next(&late).await;
    cluster.assign(P, owner.member(), Notice::Withheld);
    ends(owner.commit(P, 2, 5)).await.expect("the owner commits");
    assert!(matches!(ends(late.next(1)).await, Err(LogError::Fatal(_))));
    assert_eq!(cluster.records(P, 0).len(), 2);

    let log = Arc::new(cluster.log());
    for number in 0..5 {
        ends(log.publish(P, crate::suite::values::event(number))).await.expect("published");
    }
    assert_eq!(cluster.events(P, 0).first().map(|stored| stored.offset), Some(2));
}
