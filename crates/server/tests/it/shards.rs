//! What operators and probes see of processes on a real Kafka and a real CQL database (`PAYMUX_TEST_KAFKA`,
//! `PAYMUX_TEST_CQL`): owners, lag and limits, health of every role, and ingest that refuses what would only pile up.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use paymux_domain::shard::Partition;
use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use paymux_proto::v1::get_shard_request::Target;
use paymux_proto::v1::{ErrorReason, OrderState};
use serde_json::Value;
use tokio::time::Instant;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::cluster::rig::{Cluster, PARTITIONS, Services};
use crate::rig::{PATIENCE, Ports, Process, World, order, paymux, until};

/// Records that may lie unread in one of them.
const LAG_MAX: usize = 5;

/// Processes of one configuration on a cluster, with the merchants of a world.
struct Site(Cluster);

impl Site {
    /// `None`, with a word on it, where no services are named. Everything is migrated.
    fn new(test: &str) -> Option<Self> {
        let cluster = Cluster::of(World::start(&[]), &Services::named(test)?, "it_shards");
        cluster.migrate();
        Some(Self(cluster))
    }

    fn command(&self, roles: &str, name: &str, health: SocketAddr) -> Command {
        let mut command = self.0.command(roles);
        for (key, value) in [
            ("backend.kafka.instance", name.to_owned()),
            ("ingest.lag_records_max", LAG_MAX.to_string()),
            // One of them is refused while another listens.
            ("server.notify_listen", Ports::free().notify.to_string()),
            ("server.health_listen", health.to_string()),
        ] {
            command.args(["--set", &format!("{key}={value}")]);
        }
        command
    }

    /// A process with a door for probes; when it is there, its doors are open.
    fn start(&self, roles: &str, name: &str) -> (Process, SocketAddr) {
        let health = Ports::free().grpc;
        let process = Process::start(&mut self.command(roles, name, health));
        let told = process.wait_for(&["\"serving\""]);
        assert!(told.contains(&health.to_string()), "it says where probes are answered: {told}");
        (process, health)
    }

    /// A process with some roles does not start with that setting, since open orders would lie elsewhere.
    fn refuses(&self, roles: &str, setting: &str) {
        let mut command = self.command(roles, "refused", Ports::free().grpc);
        let refused = command.args(["--set", setting]).stderr(Stdio::piped()).output().expect("it ends");
        let told = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{roles}: {told}");
        assert!(told.contains("merchants.m03.shard_group: is moved-"), "{roles}: {told}");
    }

    /// What the command line tells of the partitions, by number.
    fn shards(&self) -> BTreeMap<u64, Value> {
        let server = format!("http://{}", self.0.ports.grpc);
        let done = paymux(&["shard", "list", "--output", "json", "--server", &server]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let lines = String::from_utf8(done.stdout).expect("UTF-8");
        let shards = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        shards.map(|shard| (shard["partition"].as_u64().expect("a number"), shard)).collect()
    }

    /// Looks at the partitions again and again until all of them are as wanted.
    async fn shards_until(&self, wanted: impl Fn(&Value) -> bool) -> BTreeMap<u64, Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shards = self.shards();
            if shards.len() == usize::from(PARTITIONS) && shards.values().all(&wanted) {
                return shards;
            }
            assert!(Instant::now() < deadline, "not as wanted: {shards:#?}");
            pause().await;
        }
    }
}

/// Between two looks at what nothing else tells of.
async fn pause() {
    tokio::time::sleep(std::time::Duration::from_millis(200)).await; // tidy: looks again
}

/// Waits until a name of health has a status.
async fn health(at: SocketAddr, name: &str, wanted: ServingStatus) {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{at}")).expect("an address");
    let channel = endpoint.connect().await.expect("the door for probes is open");
    let request = HealthCheckRequest { service: name.to_owned() };
    let mut statuses = HealthClient::new(channel).watch(request).await.expect("it is served").into_inner();
    let watching =
        async { while statuses.message().await.expect("a status").expect("one more").status() != wanted {} };
    let watched = tokio::time::timeout(PATIENCE, watching).await;
    watched.unwrap_or_else(|_| panic!("{name} at {at} never became {wanted:?}"));
}

/// What is told of a merchant's partition as soon as its owner tells of an account.
async fn told_with_limits(client: &Client, merchant: &str) -> v1::PartitionStatus {
    let target = Some(Target::MerchantId(merchant.to_owned()));
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = client.operator().get_shard(v1::GetShardRequest { target: target.clone() }).await;
        let told = told.expect("it is told").into_inner().partitions.remove(0);
        if !told.limits.is_empty() {
            return told;
        }
        assert!(Instant::now() < deadline, "no limits are told: {told:?}");
        pause().await;
    }
}

async fn group_of(client: &Client, merchant: &str) -> String {
    let listed = client.operator().list_merchants(v1::ListMerchantsRequest::default()).await;
    let listed = listed.expect("merchants").into_inner().merchants;
    let found = listed.into_iter().find(|known| known.merchant_id == merchant);
    found.expect("a known merchant").shard_group
}

/// A group whose partition is another one.
fn elsewhere(group: &str) -> String {
    let partition = |group: &str| Partition::of(&group.parse().expect("a valid group"), PARTITIONS);
    let mut others = (0..).map(|n| format!("moved-{n}"));
    others.find(|other| partition(other) != partition(group)).expect("there are several partitions")
}

fn owner(shard: &Value) -> &str {
    shard["owner"].as_str().unwrap_or_default()
}

/// Creates orders of a merchant until one is refused; how many were taken.
async fn taken_until_overloaded(client: &Client) -> usize {
    for number in 0..LAG_MAX * 4 {
        match client.orders().create_order(order("m01", &format!("PILE-{number:02}"), 1200)).await {
            Ok(_) => {}
            Err(status) => {
                let refused = Refusal::of(&status);
                assert_eq!(refused.reason, ErrorReason::Overloaded, "{refused:?}");
                assert!(refused.retry_after.is_some(), "it says when to come back");
                return number;
            }
        }
    }
    panic!("nothing was refused although nobody reads");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_owners_lag_and_limits_of_other_processes() {
    let Some(site) = Site::new("shards on a cluster") else { return };
    let (mut ingest, ingest_health) = site.start("ingest", "ingest-1");
    let (mut notify, notify_health) = site.start("notify", "notify-1");
    for (at, name) in
        [(ingest_health, "readiness"), (notify_health, "readiness"), (notify_health, "liveness")]
    {
        health(at, name, ServingStatus::Serving).await;
    }
    let client = site.0.client().await;

    // Nobody works: nothing is guessed, and what would only pile up is refused.
    let shards = site.shards();
    assert!(shards.values().all(|shard| shard["owner"].is_null() && shard["unresolved_orders"].is_null()));
    let taken = taken_until_overloaded(&client).await;
    assert!(taken > LAG_MAX && taken <= LAG_MAX * 2, "{taken} were taken");
    let unread: u64 = site.shards().values().filter_map(|shard| shard["lag_records"].as_u64()).sum();
    assert_eq!(usize::try_from(unread).expect("few"), taken);

    let (mut first, first_health) = site.start("worker", "worker-1");
    health(first_health, "readiness", ServingStatus::Serving).await;
    let is_owned =
        |shard: &Value| owner(shard).starts_with("worker-1-") && !shard["lease_expire_time"].is_null();
    let owned = site.shards_until(|shard| is_owned(shard) && shard["lag_records"] == 0).await;
    until(&client, "m01", "PILE-00", |order| order.state() == OrderState::Pending).await;
    let told = told_with_limits(&client, "m01").await;
    assert_eq!((told.limits[0].operations.len(), told.limits[0].breaker()), (4, v1::BreakerState::Closed));
    // The lag is looked at again and again: ingest takes orders by itself.
    let deadline = Instant::now() + PATIENCE;
    while let Err(refused) = client.create(order("m01", "AGAIN-01", 1200)).await {
        assert_eq!(refused.reason, ErrorReason::Overloaded, "{refused:?}");
        assert!(Instant::now() < deadline, "the lag is gone, and orders are still refused");
    }

    // Whatever its roles, no process starts that would look for the orders of m03 elsewhere.
    client.create(order("m03", "OPEN-01", 1200)).await.expect("it is taken");
    until(&client, "m03", "OPEN-01", |order| order.state() == OrderState::Pending).await;
    let group = elsewhere(&group_of(&client, "m03").await);
    for roles in ["notify", "worker"] {
        site.refuses(roles, &format!("merchants.m03.shard_group={group}"));
    }

    // A killed worker's partitions have another owner of a later generation.
    let (mut second, second_health) = site.start("worker", "worker-2");
    health(second_health, "readiness", ServingStatus::Serving).await;
    first.kill();
    let moved = site.shards_until(|shard| owner(shard).starts_with("worker-2-")).await;
    for (number, shard) in &moved {
        let generation = |shards: &BTreeMap<u64, Value>| shards[number]["generation"].as_u64();
        assert!(generation(&moved) > generation(&owned), "{shard}");
    }
    for process in [&mut second, &mut ingest, &mut notify] {
        process.signal("TERM");
        assert_eq!(process.exit_code(), Some(0));
    }
}

/// The number of slices is the cluster's: no process starts with another one, and only a stopped cluster takes one.
#[tokio::test(flavor = "multi_thread")]
async fn the_slices_of_a_group_are_those_that_migrate_recorded() {
    let Some(services) = Services::named("slices on a cluster") else { return };
    let cluster = Cluster::of(World::start(&[]), &services, "it_slices");
    let slices = |number: u16| format!("shard_groups.direct-own-0.slices={number}");
    let refused = |number: u16, told: &str| {
        let mut process = Process::start(cluster.command("worker").args(["--set", &slices(number)]));
        process.wait_for(&[told]);
        assert_eq!(process.exit_code(), Some(1), "{number}");
    };
    cluster.migrate();
    refused(4, "shard_groups.direct-own-0.slices: is 4 and recorded as 1");
    let recorded = cluster.migrate_with(&[&slices(4)]).expect("nothing is open");
    assert!(recorded.contains("shard group direct-own-0 has 4 now, and had 1"), "{recorded}");
    refused(2, "shard_groups.direct-own-0.slices: is 2 and recorded as 4");

    let start = |roles: &str| {
        let process = Process::start(cluster.command(roles).args(["--set", &slices(4)]));
        process.wait_for(&["\"serving\""]);
        process
    };
    let mut running = ["ingest", "notify", "worker", "worker"].map(start);
    let client = cluster.client().await;
    for n in 0..8 {
        let number = format!("SLICED-{n}");
        cluster.create(&client, "m03", &number).await;
        cluster.pay("m03", &number).await;
        cluster.is_delivered(&client, "m03", &number).await;
    }
    cluster.create(&client, "m03", "OPEN-1").await;
    let target = Some(Target::MerchantId("m03".to_owned()));
    let told = client.operator().get_shard(v1::GetShardRequest { target }).await.expect("told").into_inner();
    let mut found: Vec<u32> = told.partitions.into_iter().flat_map(|status| status.slices).collect();
    found.sort_unstable();
    assert_eq!((told.slices, found), (4, vec![0, 1, 2, 3]));

    let fault = cluster.migrate_with(&[&slices(3)]).expect_err("workers run");
    assert!(fault.contains("while the worker"), "{fault}");
    for process in &mut running {
        process.signal("TERM");
        assert_eq!(process.exit_code(), Some(0));
    }
}
