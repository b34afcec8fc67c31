//! The demo on a cluster: the roles as processes of their own on named services, everything else as in one process.

use anyhow::Context as _;
use clap::Args;
use paymux_backends::{cql, kafka};
use paymux_domain::ports::Entropy as _;
use tokio::time::Instant;

use super::newcomer::Readers;
use super::parts::{Part, Parts};
use super::payers::Payers;
use super::report::Report;
use super::running::{Folder, loopback};
use super::site::PARTITIONS;
use super::truth::Truth;
use super::world::World;
use super::{DemoArgs, interruptible, orders};
use crate::cli::{Exit, Output};
use crate::clock::SystemEntropy;
use crate::config::{ClusterConfig, Config};
use crate::roles::Listeners;

/// The processes, in the order of their start.
const ROLES: [&str; 4] = ["worker", "worker", "ingest", "notify"];

/// Copies of the log and of each row, where there are brokers and nodes enough.
const COPIES_MAX: usize = 3;

const UNNAMED: &str = "a demo on a cluster needs a Kafka and a CQL database that it may make topics and a keyspace on:\n\
    name them with --kafka HOST:PORT and --cql HOST:PORT (PAYMUX_TEST_KAFKA, PAYMUX_TEST_CQL).\n\
    In the source tree `cargo xtask services up` starts both and prints these variables";

/// Where a demo on a cluster finds its services.
#[derive(Clone, Debug, Args)]
pub(super) struct Services {
    /// With --backend cluster: brokers of a Kafka, separated by commas.
    #[arg(long, value_name = "HOST:PORT", env = "PAYMUX_TEST_KAFKA", value_delimiter = ',')]
    kafka: Vec<String>,
    /// With --backend cluster: nodes of a ScyllaDB or Apache Cassandra, separated by commas.
    #[arg(long, value_name = "HOST:PORT", env = "PAYMUX_TEST_CQL", value_delimiter = ',')]
    cql: Vec<String>,
    /// With --backend cluster: the datacenter of these nodes.
    #[arg(long, value_name = "NAME", default_value = "datacenter1")]
    datacenter: String,
}

impl Services {
    /// The section of the configuration.
    pub(super) fn toml(&self, name: &str) -> anyhow::Result<String> {
        let Self { kafka, cql, datacenter } = self;
        anyhow::ensure!(!kafka.is_empty() && !cql.is_empty(), UNNAMED);
        let copies = kafka.len().min(COPIES_MAX);
        let in_sync = copies.div_ceil(2);
        let rows = cql.len().min(COPIES_MAX);
        Ok(format!(
            "kind = \"cluster\"\npartitions = {PARTITIONS}\n\
             [backend.kafka]\nbrokers = {kafka:?}\ntopic_prefix = \"{name}.\"\ngroup = \"{name}\"\n\
             [backend.kafka.topics]\nreplication = {copies}\nmin_in_sync = {in_sync}\n\
             [backend.cql]\ncontact_points = {cql:?}\nkeyspace = \"{name}\"\ndatacenter = {datacenter:?}\n\
             replication = [{:?}]\n",
            format!("{datacenter}:{rows}"),
        ))
    }
}

/// What the demo has made on the services.
pub(super) struct Made {
    name: String,
    cluster: ClusterConfig,
}

/// A name for topics and keyspace that nobody else has.
pub(super) fn draw_name() -> String {
    format!("demo_{:016x}", SystemEntropy::from_system().next_u64())
}

impl Made {
    /// What a configuration with such a section wants there under this name.
    pub(super) fn of(config: &Config, name: String) -> anyhow::Result<Self> {
        let cluster = config.backend.cluster().context("the demo's configuration names no cluster")?.clone();
        Ok(Self { name, cluster })
    }

    /// Makes topics and keyspace.
    pub(super) async fn make(&self) -> anyhow::Result<()> {
        kafka::migrate(&self.cluster.kafka).await.context("topics")?;
        cql::migrate(&self.cluster.cql, cql::Step::Expand).await.context("schema")?;
        Ok(())
    }

    /// Removes both, whether or not they were made; the processes have let go of them.
    pub(super) async fn remove(&self) -> anyhow::Result<()> {
        let topics = kafka::remove(&self.cluster.kafka).await.context("topics");
        let keyspace = cql::remove(&self.cluster.cql).await.context("keyspace");
        let left = [topics.map(drop), keyspace].into_iter().filter_map(Result::err);
        let left: Vec<String> = left.map(|error| format!("{error:#}")).collect();
        anyhow::ensure!(
            left.is_empty(),
            "left on the services: {}; delete the topics {name}.orders.*.v1 and drop the keyspace {name}",
            left.join("; "),
            name = self.name,
        );
        Ok(())
    }
}

/// As [`super::run`], with two workers, one ingest and one notify as processes.
pub(super) async fn run(args: DemoArgs, output: &Output) -> anyhow::Result<Exit> {
    let begun = Instant::now();
    let name = draw_name();
    let backend = args.services.toml(&name)?;
    let folder = Folder::make(args.folder.clone())?;
    // Free again for the processes: they are told where to listen, so that the provider knows, too.
    let (grpc, notify) = Listeners::bind(loopback(0), loopback(0)).await?.addresses()?;
    let wishes = args.wishes(grpc, notify, backend)?;
    let world = World::build(&wishes, folder.path()).await?;
    let made = Made::of(&world.config, name)?;
    let report = Box::pin(on_services(&args, world, &made, begun)).await;
    if report.is_err() {
        let name = &made.name;
        tracing::warn!(
            name,
            "topics and keyspace of the demo are being removed; a further signal leaves them there"
        );
    }
    let removed = made.remove().await;
    let report = match (report, removed) {
        (Err(error), Err(left)) => return Err(error.context(left)),
        (report, removed) => {
            let report = report?;
            output.print(report.text(), &report.json())?;
            removed?;
            report
        }
    };
    Ok(if report.is_clean() { Exit::Ok } else { Exit::Failed })
}

/// Makes topics and keyspace, starts the processes, has the orders done, and stops what it started.
async fn on_services(args: &DemoArgs, world: World, made: &Made, begun: Instant) -> anyhow::Result<Report> {
    let World { merchants, simulator, config, config_file, newcomer, .. } = world;
    let truth = Truth::new(simulator.base_url())?;
    let payers = Payers::new(&simulator.base_url())?;
    let mut parts = interruptible(async {
        made.make().await?;
        Parts::start(ROLES.map(|roles| Part { roles, config: &config_file })).await
    })
    .await?;
    let coming = newcomer.map(|newcomer| (newcomer, Readers::Apart(parts.reloading())));
    let address = format!("http://{}", config.server.grpc_listen);
    let work = interruptible(orders(args, &address, (&merchants, coming), (&truth, &payers), begun));
    let report = Box::pin(parts.during(work)).await;
    let stopped = parts.stop().await;
    simulator.shutdown().await;
    let mut report = report?;
    report.add_refused(stopped?);
    Ok(report)
}
