//! What `migrate` makes of a real cluster, and what it refuses to go on with.

use paymux_backends::ReplyRouter;
use paymux_backends::kafka::{KafkaBackend, KafkaConfig, MigrateError, OpenError, migrate};
use paymux_domain::ports::CommandLog;
use paymux_domain::shard::Partition;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::kafka::{config, migrated, open, other};
use crate::suite::ends;
use crate::suite::values::record;

async fn mismatches(config: &KafkaConfig) -> Vec<String> {
    match migrate(config).await {
        Err(MigrateError::Mismatches(found)) => found.iter().map(ToString::to_string).collect(),
        other => panic!("no mismatch: {other:?}"),
    }
}

#[tokio::test]
async fn a_migration_makes_what_is_missing_and_a_second_one_changes_nothing() {
    let Some(config) = config() else { return };
    let first = migrate(&config).await.expect("the cluster takes it");
    assert_eq!((first.created.len(), first.positioned), (4, vec![Partition(0), Partition(1)]));
    let second = migrate(&config).await.expect("all is there");
    assert_eq!((second.created, second.positioned), (vec![], vec![]));
}

#[tokio::test]
async fn what_differs_is_named_with_what_is_there_and_what_is_wanted() {
    let Some(config) = migrated() else { return };
    let log = format!("{}orders.log.v1", config.topic_prefix);
    let mut wanted = config.clone();
    wanted.partitions = 3;
    let found = mismatches(&wanted).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0], format!("{log}: the number of partitions is 2, wanted is 3"));

    let mut wanted = config.clone();
    wanted.topics.log_hours = 1;
    let found = mismatches(&wanted).await;
    assert_eq!(found, [format!("{log}: retention.ms is 34560000000, wanted is 3600000")]);
}

#[tokio::test]
async fn a_process_refuses_topics_that_are_missing_or_of_another_number() {
    let Some(mut config) = config() else { return };
    let open = |config: &KafkaConfig| KafkaBackend::open(config.clone(), ReplyRouter::default());
    assert!(matches!(open(&config), Err(OpenError::Missing { .. })));
    migrate(&config).await.expect("the cluster takes it");
    assert!(open(&config).is_ok());
    config.partitions = 4;
    let refused = open(&config);
    assert!(matches!(refused, Err(OpenError::Partitions { found: 2, configured: 4, .. })), "{refused:?}");
    config.partitions = 0;
    assert!(matches!(open(&config), Err(OpenError::Config(_))));
}

#[tokio::test]
async fn a_position_that_is_lost_is_never_made_up() {
    let Some(config) = migrated() else { return };
    let log = open(&config).log();
    for number in 0..3 {
        ends(log.append(Partition(1), record(number))).await.expect("appended");
    }
    let topic = format!("{}orders.log.v1", config.topic_prefix);
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", config.brokers.join(","))
        .create()
        .expect("an administrator");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 1, Offset::Offset(2)).expect("a place");
    admin.delete_records(&list, &AdminOptions::new()).await.expect("records are deleted");

    let mut stranger = other(&config, "b");
    stranger.group = format!("{}-b", config.group);
    let found = mismatches(&stranger).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("in partition 1 is lost, and the log begins at 2"), "{found:?}");
}
