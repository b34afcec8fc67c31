//! The store goes away under load, silent or refusing: creates are still accepted, orders wait, and all of it goes on
//! by itself.

use std::time::Duration;

use paymux_proto::client::Refusal;
use paymux_proto::v1::ErrorReason;
use tokio::time::Instant;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::HealthCheckResponse;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::load::{self, Load};
use super::proxy::{Proxy, Way};
use super::rig::{Cluster, Services};
use crate::rig::{get, is_full, skipped};

/// Longest wait until readiness follows.
const PATIENCE: Duration = Duration::from_secs(120);

/// Accepted orders of each merchant that show that the load goes on.
const MORE: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_parks_nothing_and_everything_goes_on_by_itself() {
    let test = "the store away";
    let Some(services) = Services::named(test) else { return };
    // Other nodes would be reached past the way that is closed here.
    let Ok(node) = services.cql.parse() else { return skipped(test, "more than one node is named") };
    let away = Duration::from_secs(if is_full() { 120 } else { 6 });
    let proxy = Proxy::to(node).await;
    let behind = Services { cql: proxy.address.to_string(), ..services };
    let cluster = Cluster::of(load::world().await, &behind, "it_away");
    cluster.migrate();
    let _running = ["worker", "worker", "ingest", "notify"].map(|roles| cluster.start(roles));
    let client = cluster.client().await;
    let mut health = watch_readiness(&cluster).await;
    let load = Load::start(&client);
    load.more_of_each("before", MORE).await;
    for way in [Way::Hangs, Way::Refuses] {
        is_told(&mut health, ServingStatus::Serving).await;
        proxy.set(way);
        let begun = Instant::now();
        is_told(&mut health, ServingStatus::NotServing).await;
        load.more_of_each("without a store", MORE).await;
        let read = client.orders().get_order(get("m01", "LOAD-000000", 0)).await;
        assert_eq!(Refusal::of(&read.unwrap_err()).reason, ErrorReason::StoreUnavailable);
        tokio::time::sleep_until(begun + away).await;
        proxy.set(Way::Open);
        load.more_of_each("after", MORE).await;
    }
    is_told(&mut health, ServingStatus::Serving).await;
    let judged = load.judge(&cluster, &client).await;
    println!("verified: store silent for {} s, then gone for as long, under load: {judged}", away.as_secs());
}

type Health = tonic::Streaming<HealthCheckResponse>;

async fn watch_readiness(cluster: &Cluster) -> Health {
    let address = format!("http://{}", cluster.ports.grpc);
    let endpoint = tonic::transport::Endpoint::from_shared(address).expect("an address");
    let mut health = HealthClient::new(endpoint.connect().await.expect("the server answers"));
    let request = HealthCheckRequest { service: "readiness".to_owned() };
    health.watch(request).await.expect("it can be watched").into_inner()
}

/// Waits until readiness is told to be as wanted.
async fn is_told(health: &mut Health, wanted: ServingStatus) {
    let mut next = async || health.message().await.expect("the watch goes on").expect("a status").status();
    let told = async { while next().await != wanted {} };
    tokio::time::timeout(PATIENCE, told).await.unwrap_or_else(|_| panic!("readiness: never {wanted:?}"));
}
