//! Making, migrating and opening a keyspace, and what is refused by name.

use std::collections::BTreeMap;
use std::time::Duration;

use paymux_backends::cql::{CqlConfig, CqlOpenError, CqlStore, Migrated, SchemaFault, Step, migrate};
use paymux_domain::ports::OrderStore as _;

use super::Keyspace;
use crate::suite::values::{at, created, key};
use crate::suite::{TokioClock, ends};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn faults(config: &CqlConfig) -> Vec<SchemaFault> {
    match CqlStore::open(config, TokioClock::new()).await {
        Err(CqlOpenError::Schema { faults, .. }) => faults,
        other => panic!("not refused for the schema: {other:?}"),
    }
}

#[tokio::test]
async fn a_keyspace_is_made_once_and_migrating_again_changes_nothing() {
    let Some(keyspace) = Keyspace::name().await else { return };
    assert_eq!(faults(&keyspace.config).await, [SchemaFault::Missing]);
    let made = migrate(&keyspace.config, Step::Expand).await.expect("made");
    assert_eq!(
        made,
        Migrated {
            from: 0,
            to: 3,
            applied: vec!["tables", "shard_reports", "movements"],
            changed_retention: false
        }
    );
    for step in [Step::Expand, Step::Contract] {
        let again = migrate(&keyspace.config, step).await.expect("nothing to do");
        assert_eq!(again, Migrated { from: 3, to: 3, ..Migrated::default() });
    }
    keyspace.open().await;
}

#[tokio::test]
async fn how_a_shard_group_is_divided_is_remembered() {
    let Some(keyspace) = Keyspace::migrated().await else { return };
    let store = CqlStore::open(&keyspace.config, TokioClock::new()).await.expect("it opens");
    assert!(store.slices().is_empty(), "nothing was ever divided");
    let group = "big".parse().expect("a valid group");
    store.record_slices(&group, 4).await.expect("recorded");
    let store = CqlStore::open(&keyspace.config, TokioClock::new()).await.expect("it opens");
    assert_eq!(*store.slices(), [(group, 4)].into());
    migrate(&keyspace.config, Step::Contract).await.expect("what it does not know it lets be");
}

#[tokio::test]
async fn a_migration_that_ended_halfway_is_finished_by_the_next() {
    let Some(keyspace) = Keyspace::migrated().await else { return };
    let session = keyspace.session().await;
    for cql in ["DELETE FROM cluster WHERE name = 'schema_version'", "DROP TABLE refund_ledger"] {
        session.query_unpaged(cql, ()).await.expect("the state of a migration that ended halfway");
    }
    assert_eq!(faults(&keyspace.config).await, [SchemaFault::Missing]);
    assert_eq!(migrate(&keyspace.config, Step::Expand).await.expect("finished").to, 3);
    keyspace.open().await;
}

#[tokio::test]
async fn a_retention_that_changed_before_the_first_migration_ended_is_put_in_force() {
    let Some(keyspace) = Keyspace::migrated().await else { return };
    let halfway = "DELETE FROM cluster WHERE name = 'retention_s'";
    keyspace.session().await.query_unpaged(halfway, ()).await.expect("as a migration leaves it halfway");
    assert_eq!(faults(&keyspace.config).await, [SchemaFault::Missing]);
    let longer = CqlConfig { retention: DAY * 500, ..keyspace.config.clone() };
    assert!(migrate(&longer, Step::Expand).await.expect("finished").changed_retention);
    CqlStore::open(&longer, TokioClock::new()).await.expect("it opens");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_name() {
    let Some(keyspace) = Keyspace::migrated().await else { return };
    let other = CqlConfig { partitions: 8, ..keyspace.config.clone() };
    let partitions = SchemaFault::Partitions { recorded: 64, configured: 8 };
    assert_eq!(faults(&other).await, std::slice::from_ref(&partitions));
    let refused = migrate(&other, Step::Expand).await;
    assert!(
        matches!(&refused, Err(CqlOpenError::Schema { faults, .. }) if *faults == [partitions]),
        "{refused:?}"
    );

    let (datacenter, _) = keyspace.config.replication.first_key_value().expect("one datacenter");
    let replication = BTreeMap::from([(datacenter.clone(), 2)]);
    let refused = migrate(&CqlConfig { replication, ..keyspace.config.clone() }, Step::Expand).await;
    let text = refused.expect_err("one copy is not two").to_string();
    assert!(
        text.contains(&format!("{datacenter}: 1")) && text.contains(&format!("{datacenter}: 2")),
        "{text}"
    );

    let session = keyspace.session().await;
    let contracted = "UPDATE cluster SET number = 4 WHERE name = 'min_compatible_binary'";
    session.query_unpaged(contracted, ()).await.expect("as a newer program leaves it");
    let ahead = SchemaFault::Ahead { min_compatible_binary: 4, known: 3 };
    assert_eq!(faults(&keyspace.config).await, std::slice::from_ref(&ahead));
    let refused = migrate(&keyspace.config, Step::Contract).await;
    assert!(
        matches!(&refused, Err(CqlOpenError::Schema { faults, .. }) if *faults == [ahead]),
        "{refused:?}"
    );
}

#[tokio::test]
async fn every_table_that_is_not_as_expected_is_named() {
    let Some(keyspace) = Keyspace::migrated().await else { return };
    let session = keyspace.session().await;
    for cql in ["DROP TABLE followups", "ALTER TABLE refund_ledger DROP calling_token"] {
        session.query_unpaged(cql, ()).await.expect("a table that somebody changed");
    }
    match CqlStore::open(&keyspace.config, TokioClock::new()).await {
        Err(CqlOpenError::Statements { faults, .. }) => {
            let names: Vec<_> = faults.iter().filter_map(|fault| fault.split(':').next()).collect();
            assert_eq!(names, ["PutFollowup", "ReadFollowup", "ReadLedger", "PutLedgerRow"]);
        }
        other => panic!("not refused for its tables: {other:?}"),
    }
}

#[tokio::test]
async fn a_retention_is_put_in_force_by_migrating() {
    let Some(keyspace) = Keyspace::migrated().await else { return };
    let longer = CqlConfig { retention: DAY * 500, ..keyspace.config.clone() };
    let days = |days: i64| days * 24 * 3600;
    let fault = SchemaFault::Retention { recorded_s: days(400), configured_s: days(500).unsigned_abs() };
    assert_eq!(faults(&longer).await, [fault]);
    assert!(migrate(&longer, Step::Expand).await.expect("altered").changed_retention);
    let store = CqlStore::open(&longer, TokioClock::new()).await.expect("it opens");
    let order = key("m", "o");
    ends(store.add_facts(&order, &[created(&order, "wechatpay", at(0))])).await.expect("written");
    let answer = keyspace.session().await.query_unpaged("SELECT TTL(body) FROM order_facts", ()).await;
    let rows = answer.expect("readable").into_rows_result().expect("rows");
    let (ttl,) = rows.single_row::<(i32,)>().expect("one row");
    assert!((days(500) - 600..=days(500)).contains(&i64::from(ttl)), "{ttl}");
}

#[tokio::test]
async fn a_node_that_is_not_there_is_named() {
    let mut config = CqlConfig::new(vec!["127.0.0.1:1".to_owned()], "paymux", "dc1");
    config.connect_timeout = Duration::from_millis(500);
    let refused = ends(CqlStore::open(&config, TokioClock::new())).await;
    assert!(matches!(&refused, Err(CqlOpenError::Connect { .. })), "{refused:?}");
    assert!(refused.expect_err("nobody is there").to_string().contains("127.0.0.1:1"));
}
