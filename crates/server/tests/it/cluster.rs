//! Roles as processes of their own on a real Kafka and a real CQL database: they start, are killed, and every order
//! ends right.

mod away;
mod balanced;
mod cost;
mod crashes;
mod former_owner;
mod load;
mod loss;
mod poison;
mod proxy;
mod raw;
mod rebalance;
mod relay;
pub(crate) mod rig;
mod roll;
mod workers;

use paymux_proto::v1::OrderState;
use serde_json::Value;

use self::rig::{Cluster, MERCHANTS, Services};
use crate::rig::{Process, World, order, until};

/// Orders between two kills.
const PER_ROUND: usize = 12;

fn names(round: usize) -> Vec<(&'static str, String)> {
    (0..PER_ROUND).map(|n| (MERCHANTS[n % MERCHANTS.len()], format!("CLUSTER-{round}-{n:02}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_end_right_on_a_cluster_while_workers_are_killed() {
    let Some(services) = Services::named("roles on a cluster") else { return };
    let cluster = Cluster::of(World::start(&[]), &services, "it_roles");

    let mut refused = Process::start(&mut cluster.command("ingest"));
    refused.wait_for(&["`paymux migrate`"]);
    assert_eq!(refused.exit_code(), Some(1), "nothing was migrated");
    assert!(cluster.migrate().contains("went from schema version 0"));
    for (setting, told) in [
        ("backend.kafka.topic_prefix=none.", "there is no topic none."),
        ("backend.partitions=16", "opened for 16"),
        ("backend.kafka.group=none", "gives it its first ones"),
    ] {
        let mut refused = Process::start(cluster.command("worker").args(["--set", setting]));
        refused.wait_for(&[told]);
        assert_eq!(refused.exit_code(), Some(1), "{setting}");
    }
    let again = cluster.migrate();
    assert!(again.contains("all topics are there") && again.contains("nothing was missing"), "{again}");

    let mut ingest = cluster.start("ingest");
    let mut notify = cluster.start("notify");
    let mut workers = vec![cluster.start("worker"), cluster.start("worker")];
    let client = cluster.client().await;
    for round in 0..2 {
        for (merchant, number) in names(round) {
            cluster.create(&client, merchant, &number).await;
        }
        // Payments that the provider tells of while an owner is gone, and orders that are taken meanwhile.
        workers.remove(0).kill();
        let late = format!("CLUSTER-{round}-LATE");
        client.create(order("m01", &late, 1200)).await.expect("a create needs no worker");
        for (merchant, number) in names(round) {
            cluster.pay(merchant, &number).await;
        }
        workers.push(cluster.start("worker"));
        for (merchant, number) in names(round) {
            cluster.is_delivered(&client, merchant, &number).await;
        }
        until(&client, "m01", &late, |order| order.state() == OrderState::Pending).await;
        cluster.pay("m01", &late).await;
        cluster.is_delivered(&client, "m01", &late).await;
    }
    let truth = cluster.world.truth().await;
    let taken: i64 =
        truth.values().filter_map(|order: &Value| order["payment"]["reported_total"].as_i64()).sum();
    assert_eq!(taken, 1200 * i64::try_from(2 * (PER_ROUND + 1)).expect("few"));
    for process in workers.iter_mut().chain([&mut ingest, &mut notify]) {
        process.signal("TERM");
        assert_eq!(process.exit_code(), Some(0));
    }
}
