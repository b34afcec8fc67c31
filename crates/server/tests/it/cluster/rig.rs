//! Processes on a real Kafka and a real CQL database: those that `PAYMUX_TEST_KAFKA` and `PAYMUX_TEST_CQL` name, or
//! others that a test has started.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::create_order_request::Expiry;
use paymux_proto::v1::{Fulfilment, OrderState};
use serde_json::json;

use crate::rig::{PAYMUX, Ports, Process, WAIT_S, World, order, paymux, seconds, skipped, until};

/// Merchants at WeChat Pay that every world has: three shard groups, since the first two share an account.
pub(crate) const MERCHANTS: [&str; 4] = ["m01", "m02", "m03", "m04"];

/// Partitions of each cluster.
pub(crate) const PARTITIONS: u16 = 8;

/// After which silence of a worker its partitions move: the least that brokers take by default.
pub(crate) const SESSION_TIMEOUT_MS: u64 = 6000;

/// The amount of each order in fen, which chooses no fault.
const AMOUNT: i64 = 1200;

/// How long an order can be paid, in schedule time.
const LIFE_S: i64 = 86_400;

/// Where log and store are.
#[derive(Clone, Debug)]
pub(crate) struct Services {
    /// Addresses of brokers, separated by commas.
    pub(crate) kafka: String,
    /// Addresses of nodes, separated by commas.
    pub(crate) cql: String,
    /// Copies of each topic and of each row; all but one must be there where there are several.
    pub(crate) copies: u16,
}

impl Services {
    /// Those that the tests are told, one broker and one node; `None`, with a word on it, where none are named.
    pub(crate) fn named(test: &str) -> Option<Self> {
        let named = |wanted: &str| {
            let found = std::env::vars_os().find(|(name, _)| name == wanted);
            found.and_then(|(_, value)| value.into_string().ok()).filter(|value| !value.is_empty())
        };
        match (named("PAYMUX_TEST_KAFKA"), named("PAYMUX_TEST_CQL")) {
            (Some(kafka), Some(cql)) => Some(Self { kafka, cql, copies: 1 }),
            _ => {
                skipped(test, "PAYMUX_TEST_KAFKA and PAYMUX_TEST_CQL name no services");
                None
            }
        }
    }

    /// The section `[backend]` of a cluster of this name.
    fn backend_toml(&self, name: &str) -> String {
        let list = |text: &str| text.split(',').map(|one| format!("{one:?}")).collect::<Vec<_>>().join(", ");
        let Self { kafka, cql, copies } = self;
        let min_in_sync = copies.saturating_sub(1).max(1);
        format!(
            "[backend]\nkind = \"cluster\"\npartitions = {PARTITIONS}\n\
             [backend.kafka]\nbrokers = [{}]\ntopic_prefix = \"{name}.\"\ngroup = \"{name}\"\n\
             session_timeout_ms = {SESSION_TIMEOUT_MS}\n\
             [backend.kafka.topics]\nreplication = {copies}\nmin_in_sync = {min_in_sync}\n\
             [backend.cql]\ncontact_points = [{}]\nkeyspace = \"{name}\"\ndatacenter = \"datacenter1\"\n\
             replication = [\"datacenter1:{copies}\"]\n",
            list(kafka),
            list(cql),
        )
    }
}

/// A world whose merchants are served by processes on a cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) world: World,
    pub(crate) services: Services,
    /// Its group and keyspace, and what its topics begin with.
    pub(crate) name: String,
    config: PathBuf,
    /// Where the first ingest listens, and the first notify.
    pub(crate) ports: Ports,
    /// Where providers send notifications to.
    pub(crate) notified_at: SocketAddr,
}

impl Cluster {
    /// Writes the configuration: that of the world, with another backend. Nothing is migrated yet.
    pub(crate) fn of(world: World, services: &Services, name: &str) -> Self {
        let name = format!("{name}_{}", std::process::id());
        let known = std::fs::read_to_string(world.config_file()).expect("the world's configuration");
        let (before, rest) = known.split_once("[backend]\n").expect("a section of its backend");
        let (_, after) = rest.split_once("\n[").expect("a section after it");
        let config = world.folder.path().join("cluster.toml");
        let text = format!("{before}{}\n[{after}", services.backend_toml(&name));
        std::fs::write(&config, text).expect("the configuration is written");
        let ports = Ports::free();
        Self { world, services: services.clone(), name, config, ports, notified_at: ports.notify }
    }

    pub(crate) fn migrate(&self) -> String {
        self.migrate_with(&[]).unwrap_or_else(|told| panic!("{told}"))
    }

    /// `paymux migrate` with settings beside those of the file; what it says, or why not.
    pub(crate) fn migrate_with(&self, settings: &[&str]) -> Result<String, String> {
        let mut args = vec!["migrate", "--config", self.config.to_str().expect("UTF-8"), "--log", "warn"];
        args.extend(settings.iter().flat_map(|setting| ["--set", *setting]));
        let done = paymux(&args);
        let told = String::from_utf8_lossy(if done.status.success() { &done.stdout } else { &done.stderr });
        if done.status.success() { Ok(told.into_owned()) } else { Err(told.into_owned()) }
    }

    /// `paymux serve` with some roles, the role ingest at the first address.
    pub(crate) fn command(&self, roles: &str) -> Command {
        self.command_at(roles, self.ports)
    }

    /// `paymux serve` with some roles at ports of their own.
    pub(crate) fn command_at(&self, roles: &str, ports: Ports) -> Command {
        let mut command = Command::new(PAYMUX);
        command.args(["serve", "--log", "info", "--log-format", "json", "--roles", roles, "--config"]);
        command.arg(&self.config).stdout(Stdio::null());
        for (key, value) in [
            ("server.grpc_listen", ports.grpc.to_string()),
            ("server.notify_listen", ports.notify.to_string()),
            ("server.notify_base_url", format!("http://{}", self.notified_at)),
        ] {
            command.args(["--set", &format!("{key}={value}")]);
        }
        command
    }

    /// A process with some roles; when it is there, its doors are open.
    pub(crate) fn start(&self, roles: &str) -> Process {
        self.start_at(roles, self.ports)
    }

    /// As [`Cluster::start`], at ports of its own.
    pub(crate) fn start_at(&self, roles: &str, ports: Ports) -> Process {
        let process = Process::start(&mut self.command_at(roles, ports));
        process.wait_for(&["\"serving\""]);
        process
    }

    /// A client of the first ingest.
    pub(crate) async fn client(&self) -> Client {
        client(self.ports.grpc).await
    }

    /// Creates an order and waits until its payer can pay.
    pub(crate) async fn create(&self, client: &Client, merchant: &str, number: &str) {
        // Long enough for its payer, also where schedules run faster than the machine.
        let expiry = Some(Expiry::ExpireAfter(seconds(LIFE_S)));
        let wait = Some(seconds(WAIT_S));
        let request = v1::CreateOrderRequest { wait, expiry, ..order(merchant, number, AMOUNT) };
        client.create(request).await.unwrap_or_else(|error| panic!("{merchant}/{number}: {error:?}"));
        until(client, merchant, number, |order| order.state() == OrderState::Pending).await;
    }

    /// The payer pays.
    pub(crate) async fn pay(&self, merchant: &str, number: &str) {
        let at = MERCHANTS.iter().position(|known| *known == merchant).expect("a known merchant");
        let known = &self.world.merchants[at];
        let paid = json!({ "mchid": known.mchid, "out_trade_no": format!("{}{number}", known.prefix) });
        self.world.control("pay", &paid).await;
    }

    /// The order is to be delivered, for the money that the provider took.
    pub(crate) async fn is_delivered(&self, client: &Client, merchant: &str, number: &str) {
        let is_told = |order: &v1::Order| order.fulfilment() == Fulfilment::Fulfil;
        let order = until(client, merchant, number, is_told).await;
        assert_eq!(order.state(), OrderState::Paid);
        assert_eq!(order.payments.len(), 1, "{order:?}");
        assert_eq!(order.payments[0].total.as_ref().map(|total| total.minor), Some(AMOUNT));
    }
}

/// A client of an ingest.
pub(crate) async fn client(grpc: SocketAddr) -> Client {
    Client::connect(&format!("http://{grpc}")).await.expect("the server answers")
}
