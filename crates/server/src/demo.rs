//! `paymux demo` and `paymux dev`: simulator and all roles in one process, on the embedded backend in a folder of
//! its own, or (`demo --backend cluster`) the roles as processes on real services; used from outside: orders through
//! gRPC, notifications through HTTP, truth from the simulator's HTTP API.

pub(crate) mod audit;
mod cluster;
mod ends;
mod kept;
mod load;
pub(crate) mod money;
mod newcomer;
mod parts;
mod payers;
#[cfg(feature = "plant")]
mod plant;
mod progress;
mod providers;
mod refunds;
mod report;
mod running;
mod site;
mod staying;
mod truth;
mod watching;
mod world;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use paymux_domain::time::ClockFactor;
use paymux_proto::client::Client;
use paymux_simulators::faults::Preset;
use tokio::time::Instant;

use crate::cli::{Exit, Output};
use crate::roles::Listeners;
use crate::shutdown::Signals;
use ends::Ends;
use load::{Created, Planned};
use newcomer::{Newcomer, Readers};
use progress::Progress;
use providers::ROUND;
use refunds::Refunding;
use report::Report;
use running::{Folder, Running, loopback, near};
use watching::Watching;
use world::{DemoMerchant, Wishes, World};

pub(crate) use parts::{PartArgs, part};
pub(crate) use payers::Payers;
pub(crate) use providers::opens_launch;
pub(crate) use staying::{DevArgs, dev};
pub(crate) use truth::Truth;

/// Real time that every demo may take before orders without an end count as wrong.
const TIMEOUT: Duration = Duration::from_secs(90);

/// Further real time for each order.
const TIMEOUT_PER_ORDER: Duration = Duration::from_millis(60);

/// How many faults the simulator injects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Faults {
    /// None.
    None,
    /// A bad day: each kind at one order in a hundred.
    Usual,
    /// Every kind, often.
    Heavy,
}

impl From<Faults> for Preset {
    fn from(faults: Faults) -> Self {
        match faults {
            Faults::None => Self::None,
            Faults::Usual => Self::Usual,
            Faults::Heavy => Self::Heavy,
        }
    }
}

/// Where log and store of a demo live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// In this process, with all roles.
    Embedded,
    /// On a Kafka and a CQL database, with two workers, one ingest and one notify as processes.
    Cluster,
}

/// How fast the providers may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Budgets {
    /// As fast as a demo needs: 2000 calls per second of each operation on an account.
    Usual,
    /// As fast as the configuration allows, so that a load meets the engine and not a budget.
    High,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit code 1 if an order's end is not the truth at the provider, was not told, or money differs.

Examples:
  paymux demo
  paymux demo --orders 5000 --seed 1 --faults heavy
  paymux demo --faults none --output json
  paymux demo --backend cluster --kafka 127.0.0.1:9092 --cql 127.0.0.1:9042

With --backend cluster two workers, one ingest and one notify run as processes on a Kafka and a ScyllaDB or Apache
Cassandra that you name, which take clients without TLS or login. The demo makes four topics and a keyspace there, whose
names begin with demo_ and end in random digits, and removes them at its end, also after a failure or Ctrl-C. A second
Ctrl-C, or killing it, leaves them: delete the topics demo_*.orders.*.v1 and drop the keyspace demo_* then.")]
pub(crate) struct DemoArgs {
    /// Where log and store live.
    #[arg(long, value_enum, default_value_t = Backend::Embedded)]
    backend: Backend,
    #[command(flatten)]
    services: cluster::Services,
    /// How many orders.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    orders: u32,
    /// How many merchants, of all providers by turns; by default one round of them.
    #[arg(long, default_value_t = ROUND, value_parser = clap::value_parser!(u16).range(1..=64))]
    merchants: u16,
    /// What is drawn at random follows this number.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many faults the provider's side injects.
    #[arg(long, value_enum, default_value_t = Faults::Usual)]
    faults: Faults,
    /// How many times faster than real time all schedules run.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=1000))]
    clock_factor: u32,
    /// Callers at once, each of which creates an order and waits for what its payer needs.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=2048))]
    at_once: u16,
    /// Seconds after which orders without an end count as wrong; absent: 90, and 0.06 for each order.
    #[arg(long)]
    timeout_s: Option<u64>,
    /// A folder for keys, configuration and data, which stays; absent: one that is deleted afterwards. A folder with
    /// the data of an earlier run is refused: the numbers of its orders would meet those of this one.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Plant a fault in the engine's surroundings; the demo must find it.
    #[cfg(feature = "plant")]
    #[arg(long, value_enum)]
    plant: Option<plant::Plant>,
}

impl DemoArgs {
    fn timeout(&self) -> Duration {
        self.timeout_s.map_or_else(|| TIMEOUT + TIMEOUT_PER_ORDER * self.orders, Duration::from_secs)
    }

    /// The world that is asked for, with its doors at these addresses and that section `[backend]`.
    fn wishes(&self, grpc: SocketAddr, notify: SocketAddr, backend: String) -> anyhow::Result<Wishes> {
        let factor = factor(self.clock_factor)?;
        Ok(Wishes {
            merchants: usize::from(self.merchants),
            life: load::life(self.orders, factor),
            seed: self.seed,
            faults: self.faults.into(),
            payers: true,
            newcomer: true,
            budgets: Budgets::Usual,
            orders_max: None,
            factor,
            grpc,
            notify,
            simulator: loopback(0),
            backend,
        })
    }
}

pub(crate) async fn run(args: DemoArgs, output: &Output) -> anyhow::Result<Exit> {
    if args.backend == Backend::Cluster {
        return Box::pin(cluster::run(args, output)).await;
    }
    let begun = Instant::now();
    let folder = Folder::make(args.folder.clone())?;
    let data = folder.path().join(kept::DATA_FOLDER);
    anyhow::ensure!(
        !data.exists(),
        "{} holds the data of an earlier run; give an empty folder",
        data.display()
    );
    let listeners = Listeners::bind(loopback(0), loopback(0)).await?;
    let (grpc, notify) = listeners.addresses()?;
    let wishes = args.wishes(grpc, notify, site::embedded_toml())?;
    let World { merchants, simulator, clock, config, newcomer, .. } =
        World::build(&wishes, folder.path()).await?;
    let surroundings = near(clock);
    #[cfg(feature = "plant")]
    let surroundings = plant::plant(args.plant, surroundings);
    let mut running = Running::start(config, listeners, surroundings).await?;
    let truth = Truth::new(simulator.base_url())?;
    let payers = Payers::new(&simulator.base_url())?;
    let address = format!("http://{}", wishes.grpc);
    let coming = newcomer.map(|newcomer| (newcomer, Readers::Here(running.reloader())));
    let work = interruptible(orders(&args, &address, (&merchants, coming), (&truth, &payers), begun));
    let report = Box::pin(running.during(work)).await;
    let refused = running.refused();
    let stopped = running.stop().await;
    simulator.shutdown().await;
    let mut report = report?;
    report.add_refused(refused);
    stopped?;
    output.print(report.text(), &report.json())?;
    Ok(if report.is_clean() { Exit::Ok } else { Exit::Failed })
}

/// Creates the orders, waits for their ends and judges them.
async fn orders(
    args: &DemoArgs,
    address: &str,
    (merchants, coming): (&[DemoMerchant], Option<(Newcomer, Readers)>),
    (truth, payers): (&Truth, &Payers),
    begun: Instant,
) -> anyhow::Result<Report> {
    let client = Client::connect(address).await.context("the demo's own server does not answer")?;
    let mut planned: Vec<Planned> = load::plan(merchants, args.orders, args.seed, factor(args.clock_factor)?);
    let comes = |merchant: &&DemoMerchant| {
        coming.as_ref().is_none_or(|(newcomer, _)| newcomer.merchant_id != merchant.id)
    };
    let known = merchants.iter().filter(comes).map(|merchant| merchant.id.clone());
    let mut watching = Watching::start(&client, known).await?;
    let progress = Progress::new(planned.len());
    let before = coming.as_ref().map_or(0, |(new, _)| load::put_back(&mut planned, &new.merchant_id));
    let (first, rest) = planned.split_at(before);
    let create = async |orders, created| {
        load::create_all(address, payers, orders, usize::from(args.at_once), &progress, created).await
    };
    let mut created = create(first, Created::default()).await?;
    let mut joined = None;
    if let Some((newcomer, readers)) = coming {
        let new = newcomer.join(&client, rest, readers).await?;
        watching.add(&client, new.merchant_id.clone()).await?;
        joined = Some(new);
    }
    created = create(rest, created).await?;
    let mut refunding = Refunding::new(client.clone());
    let ends = Ends { client, truth, planned: &planned };
    ends.wait(&mut watching, &mut refunding, begun + args.timeout(), &progress).await?;
    drop(progress);
    let mut report = ends.report(&watching, merchants).await?;
    report.add_joined(joined);
    report.add_answers(refunding.into_answers());
    report.add_times(&created, begun.elapsed().as_secs_f64());
    Ok(report)
}

/// The work, unless a person interrupts it: then everything is still stopped and cleaned up, unless they do it again.
async fn interruptible<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let mut signals = Signals::install().context("signals cannot be caught")?;
    tokio::select! {
        biased;
        _ = signals.next() => {
            signals.exit_at_next();
            anyhow::bail!("interrupted")
        }
        done = work => done,
    }
}

fn factor(factor: u32) -> anyhow::Result<ClockFactor> {
    ClockFactor::new(factor).with_context(|| format!("a clock factor of {factor} is not possible"))
}
