//! Roles as processes of their own on a real Kafka and a real CQL database: those that `PAYMUX_TEST_KAFKA` and
//! `PAYMUX_TEST_CQL` name.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::{Fulfilment, OrderState};
use serde_json::{Value, json};

use crate::rig::{PAYMUX, Ports, Process, WAIT_S, World, order, paymux, seconds, skipped, until};

/// Merchants of the test: three shard groups.
const MERCHANTS: [&str; 4] = ["m01", "m02", "m03", "m04"];

/// Orders between two kills.
const PER_ROUND: usize = 12;

/// Where log and store are, as the tests are told.
struct Services {
    kafka: String,
    cql: String,
}

impl Services {
    /// `None`, with a word on it, where they are not named.
    fn named(test: &str) -> Option<Self> {
        let named = |wanted: &str| {
            let found = std::env::vars_os().find(|(name, _)| name == wanted);
            found.and_then(|(_, value)| value.into_string().ok()).filter(|value| !value.is_empty())
        };
        match (named("PAYMUX_TEST_KAFKA"), named("PAYMUX_TEST_CQL")) {
            (Some(kafka), Some(cql)) => Some(Self { kafka, cql }),
            _ => {
                skipped(test, "PAYMUX_TEST_KAFKA and PAYMUX_TEST_CQL name no services");
                None
            }
        }
    }
}

/// A world whose merchants are served by processes on a cluster.
struct Cluster {
    world: World,
    config: PathBuf,
    ports: Ports,
}

impl Cluster {
    /// Writes the configuration: that of the world, with another backend. Nothing is migrated yet.
    fn of(world: World, services: &Services, name: &str) -> Self {
        let name = format!("{name}_{}", std::process::id());
        let list = |text: &str| text.split(',').map(|one| format!("{one:?}")).collect::<Vec<_>>().join(", ");
        let known = std::fs::read_to_string(world.config_file()).expect("the world's configuration");
        let (before, rest) = known.split_once("[backend]\n").expect("a section of its backend");
        let (_, after) = rest.split_once("\n[").expect("a section after it");
        let text = format!(
            "{before}[backend]\nkind = \"cluster\"\npartitions = 8\n\
             [backend.kafka]\nbrokers = [{}]\ntopic_prefix = \"{name}.\"\ngroup = \"{name}\"\n\
             session_timeout_ms = 6000\n\
             [backend.kafka.topics]\nreplication = 1\nmin_in_sync = 1\n\
             [backend.cql]\ncontact_points = [{}]\nkeyspace = \"{name}\"\ndatacenter = \"datacenter1\"\n\
             replication = [\"datacenter1:1\"]\n\n[{after}",
            list(&services.kafka),
            list(&services.cql),
        );
        let config = world.folder.path().join("cluster.toml");
        std::fs::write(&config, text).expect("the configuration is written");
        Self { world, config, ports: Ports::free() }
    }

    fn migrate(&self) -> String {
        let config = self.config.to_str().expect("UTF-8");
        let done = paymux(&["migrate", "--config", config, "--log", "warn"]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("UTF-8")
    }

    fn command(&self, roles: &str) -> Command {
        let Ports { grpc, notify } = self.ports;
        let mut command = Command::new(PAYMUX);
        command.args(["serve", "--log", "info", "--log-format", "json", "--roles", roles, "--config"]);
        command.arg(&self.config).stdout(Stdio::null());
        for (key, value) in [
            ("server.grpc_listen", grpc.to_string()),
            ("server.notify_listen", notify.to_string()),
            ("server.notify_base_url", format!("http://{notify}")),
        ] {
            command.args(["--set", &format!("{key}={value}")]);
        }
        command
    }

    /// A process with some roles; when it is there, its doors are open.
    fn start(&self, roles: &str) -> Process {
        let process = Process::start(&mut self.command(roles));
        process.wait_for(&["\"serving\""]);
        process
    }

    /// Creates an order and waits until its payer can pay.
    async fn create(&self, client: &Client, merchant: &str, number: &str) {
        let request = v1::CreateOrderRequest { wait: Some(seconds(WAIT_S)), ..order(merchant, number, 1200) };
        client.create(request).await.unwrap_or_else(|error| panic!("{merchant}/{number}: {error:?}"));
        until(client, merchant, number, |order| order.state() == OrderState::Pending).await;
    }

    /// The payer pays.
    async fn pay(&self, merchant: &str, number: &str) {
        let at = MERCHANTS.iter().position(|known| *known == merchant).expect("a known merchant");
        let known = &self.world.merchants[at];
        let paid = json!({ "mchid": known.mchid, "out_trade_no": format!("{}{number}", known.prefix) });
        self.world.control("pay", &paid).await;
    }

    /// The order is to be delivered, for the money that the provider took.
    async fn is_delivered(&self, client: &Client, merchant: &str, number: &str) {
        let is_told = |order: &v1::Order| order.fulfilment() == Fulfilment::Fulfil;
        let order = until(client, merchant, number, is_told).await;
        assert_eq!(order.state(), OrderState::Paid);
        assert_eq!(order.payments.len(), 1, "{order:?}");
        assert_eq!(order.payments[0].total.as_ref().map(|total| total.minor), Some(1200));
    }
}

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
    let client = client(cluster.ports.grpc).await;
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

async fn client(grpc: SocketAddr) -> Client {
    Client::connect(&format!("http://{grpc}")).await.expect("the server answers")
}
