//! Two members of a group on a real cluster: no partition has two owners who may act.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use paymux_backends::kafka::{KafkaBackend, KafkaConsumer};
use paymux_domain::ports::{CommandLog, CommitError, Delivered, LogConsumer, LogInput, Offset, Undecodable};
use paymux_domain::shard::Partition;
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use tokio::time::{Instant, timeout};

use crate::kafka::{migrated, open, other};
use crate::suite::ends;
use crate::suite::values::record;

/// What a member owns.
#[derive(Default)]
struct Owner {
    owned: BTreeMap<Partition, (u64, Offset)>,
    records: Vec<(Partition, Offset)>,
}

impl Owner {
    async fn hear(&mut self, member: &KafkaConsumer) -> LogInput {
        let input = ends(member.next(100)).await.expect("the group goes on");
        match &input {
            LogInput::Assigned { partition, generation, start } => {
                let before = self.owned.insert(*partition, (*generation, *start));
                assert_eq!(before, None, "it is told of a partition that it has");
            }
            LogInput::Revoked { partition } => {
                assert!(self.owned.remove(partition).is_some(), "it is told of a loss that is none");
            }
            LogInput::Records { partition, records } => {
                assert!(self.owned.contains_key(partition), "records of a stranger's partition");
                self.records.extend(records.iter().map(|Delivered { offset, .. }| (*partition, *offset)));
            }
        }
        input
    }

    async fn until(&mut self, member: &KafkaConsumer, count: usize) {
        while self.owned.len() != count {
            self.hear(member).await;
        }
    }
}

fn join(backend: &KafkaBackend) -> Arc<KafkaConsumer> {
    backend.join().expect("a member")
}

#[tokio::test]
async fn a_partition_moves_when_its_owner_has_let_go() {
    let Some(mut config) = migrated() else { return };
    // Its lease outlasts all that is done here before it lets go.
    config.session_timeout_ms = 60_000;
    let (here, there) = (open(&config), open(&other(&config, "b")));
    let (first, mut owner) = (join(&here), Owner::default());
    owner.until(&first, 2).await;
    let second = join(&there);
    let mut newcomer = Owner::default();
    // The first is told of its loss; until it comes back for the next input nobody else is told anything.
    let lost = loop {
        if let LogInput::Revoked { partition } = owner.hear(&first).await {
            break partition;
        }
    };
    let early = timeout(Duration::from_millis(500), second.next(1)).await;
    assert!(early.is_err(), "{early:?}: the owner has not let go yet");
    let resumed = tokio::spawn({
        let first = Arc::clone(&first);
        async move { first.next(1).await }
    });
    newcomer.until(&second, 1).await;
    assert_eq!(newcomer.owned.keys().collect::<Vec<_>>(), [&lost]);
    let (former, current) = (1, newcomer.owned[&lost].0);
    assert!(current > former);
    assert_eq!(ends(first.commit(lost, former, 0)).await, Err(CommitError::Fenced(former)));
    ends(second.commit(lost, current, 0)).await.expect("its owner commits");
    assert!(!resumed.is_finished(), "the first has nothing to hear");
    resumed.abort();
}

#[tokio::test]
async fn an_owner_that_does_not_answer_keeps_its_partition_for_a_lease_and_no_longer() {
    let Some(config) = migrated() else { return };
    let (here, there) = (open(&config), open(&other(&config, "b")));
    let (first, mut owner) = (join(&here), Owner::default());
    owner.until(&first, 2).await;
    let (a, generation) = (Partition(0), owner.owned[&Partition(0)].0);
    ends(first.commit(a, generation, 0)).await.expect("its owner commits");
    let joined = Instant::now();
    let second = join(&there);
    let mut newcomer = Owner::default();
    newcomer.until(&second, 1).await;
    assert!(joined.elapsed() >= config.lease_max(), "{:?}", joined.elapsed());
    let lost = *newcomer.owned.keys().next().expect("one");
    let stale = owner.owned[&lost].0;
    assert_eq!(ends(first.commit(lost, stale, 0)).await, Err(CommitError::Fenced(stale)));
}

#[tokio::test]
async fn who_leaves_hands_its_partitions_over_at_once_and_what_it_did_not_commit_comes_again() {
    let Some(config) = migrated() else { return };
    let (here, there) = (open(&config), open(&other(&config, "b")));
    let (first, mut owner) = (join(&here), Owner::default());
    owner.until(&first, 2).await;
    let p = Partition(1);
    for number in 0..10 {
        ends(here.log().append(p, record(number))).await.expect("appended");
    }
    while owner.records.len() < 10 {
        owner.hear(&first).await;
    }
    let generation = owner.owned[&p].0;
    ends(first.commit(p, generation, 6)).await.expect("its owner commits");
    ends(first.leave()).await;
    assert_eq!(ends(first.commit(p, generation, 7)).await, Err(CommitError::Fenced(generation)));
    let (second, mut newcomer) = (join(&there), Owner::default());
    newcomer.until(&second, 2).await;
    while newcomer.records.len() < 4 {
        newcomer.hear(&second).await;
    }
    assert_eq!(newcomer.owned[&p].1, 6);
    assert_eq!(newcomer.records, [6, 7, 8, 9].map(|offset| (p, offset)));
    assert!(timeout(Duration::from_millis(100), first.next(1)).await.is_err(), "who has left hears nothing");
}

#[tokio::test]
async fn a_static_member_that_comes_back_waits_for_the_lease_of_its_former_self() {
    let Some(mut config) = migrated() else { return };
    config.group_instance_id = Some("worker-0".to_owned());
    let (here, there) = (open(&config), open(&other(&config, "b")));
    let (first, mut owner) = (join(&here), Owner::default());
    owner.until(&first, 2).await;
    let started = Instant::now();
    let (second, mut newcomer) = (join(&there), Owner::default());
    newcomer.until(&second, 2).await;
    assert!(started.elapsed() >= config.lease_max(), "{:?}", started.elapsed());
    let (p, generation) = (Partition(0), owner.owned[&Partition(0)].0);
    assert!(newcomer.owned[&p].0 > generation);
    assert!(ends(first.commit(p, generation, 0)).await.is_err(), "a former self commits nothing");
    // The name has one bearer: the former one must end.
    ends(here.failed()).await;
}

#[tokio::test]
async fn a_window_that_is_full_holds_back_its_partition_alone_and_loses_nothing() {
    let Some(config) = migrated() else { return };
    let backend = open(&config);
    let (member, mut owner, log) = (join(&backend), Owner::default(), backend.log());
    owner.until(&member, 2).await;
    let (a, b) = (Partition(0), Partition(1));
    member.set_paused(a, true);
    let appends = (0..4000).map(|number| log.append(a, record(number)));
    for appended in futures_util::future::join_all(appends).await {
        appended.expect("appended");
    }
    for number in 0..100 {
        ends(log.append(b, record(number))).await.expect("appended");
    }
    while owner.records.len() < 100 {
        owner.hear(&member).await;
    }
    assert!(owner.records.iter().all(|(partition, _)| *partition == b));
    member.set_paused(a, false);
    owner.records.clear();
    while owner.records.len() < 4000 {
        owner.hear(&member).await;
    }
    assert!(owner.records.iter().copied().eq((0..4000).map(|offset| (a, offset))));
}

#[tokio::test]
async fn rubbish_is_told_as_such_and_a_newer_record_as_newer() {
    let Some(config) = migrated() else { return };
    let topic = format!("{}orders.log.v1", config.topic_prefix);
    let stranger: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", config.brokers.join(",")).create().expect("a producer");
    let newer = OwnedHeaders::new().insert(Header { key: "format_version", value: Some("9") });
    for headers in [OwnedHeaders::new(), newer] {
        let message: BaseRecord<'_, (), [u8]> =
            BaseRecord::to(&topic).partition(0).payload(&[0xff_u8, 0xfe][..]).headers(headers);
        assert!(stranger.send(message).is_ok(), "it is taken");
    }
    stranger.flush(Duration::from_secs(10)).expect("written");
    let backend = open(&config);
    let (member, mut owner) = (join(&backend), Owner::default());
    let mut found = Vec::new();
    while found.len() < 2 {
        if let LogInput::Records { records, .. } = owner.hear(&member).await {
            found.extend(records.into_iter().map(|delivered| delivered.record));
        }
    }
    assert!(
        matches!(&found[0], Err(Undecodable::Malformed { raw, .. }) if raw == &[0xff, 0xfe]),
        "{found:?}"
    );
    assert_eq!(found[1], Err(Undecodable::NewerFormat { format_version: 9 }));
}
