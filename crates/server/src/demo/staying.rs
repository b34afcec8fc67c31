//! `paymux dev`: the demo's world staying up, for grpcurl, load drivers and the command line.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use paymux_domain::limits::EXPIRY_DEFAULT;
use serde_json::json;
use tokio::net::TcpListener;

use super::cluster::{self, Made};
use super::providers::{PROVIDERS, ROUND, Refunds, at, of};
use super::running::{Folder, Running, loopback, near};
use super::site::embedded_toml;
use super::world::{DemoMerchant, Wishes, World};
use super::{Backend, Budgets, Faults, factor};
use crate::cli::{Exit, Output};
use crate::roles::Listeners;
use crate::shutdown::Signals;

/// Number and amount in fen of the order in the commands that `dev` prints; the amount, and its half, choose no fault.
const ORDER_NO: &str = "ORDER1";
const AMOUNT: i64 = 1240;

/// Arguments of `dev`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paymux dev
  paymux dev --seed 7 --payers --clock-factor 60 --faults usual
  paymux dev --budgets high --simulator-orders-max 5000000
  paymux dev --backend cluster --kafka 127.0.0.1:9092 --cql 127.0.0.1:9042
  paymux dev --grpc-port 0 --notify-port 0 --simulator-port 0 --folder ./dev --output json

With --backend cluster log and store lie on a Kafka and a ScyllaDB or Apache Cassandra that you name, in topics and a
keyspace whose names begin with demo_; they are removed at the end, unless a second Ctrl-C or a kill leaves them.")]
pub(crate) struct DevArgs {
    /// Where log and store live; all roles are in this process either way.
    #[arg(long, value_enum, default_value_t = Backend::Embedded)]
    backend: Backend,
    #[command(flatten)]
    services: cluster::Services,
    /// Port of gRPC; 0 takes a free one.
    #[arg(long, default_value_t = 7700)]
    grpc_port: u16,
    /// Port of the notifications; 0 takes a free one.
    #[arg(long, default_value_t = 7701)]
    notify_port: u16,
    /// Port of the simulator and its control API; 0 takes a free one.
    #[arg(long, default_value_t = 7702)]
    simulator_port: u16,
    /// Port on which Prometheus may scrape /metrics; 0 takes a free one. Absent: none.
    #[arg(long)]
    metrics_port: Option<u16>,
    /// How many merchants, of all providers by turns; by default one round of them.
    #[arg(long, default_value_t = ROUND, value_parser = clap::value_parser!(u16).range(1..=64))]
    merchants: u16,
    /// What is drawn at random follows this number.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many faults the provider's side injects by chance; amounts that end on 50 to 99 fen ask for one.
    #[arg(long, value_enum, default_value_t = Faults::None)]
    faults: Faults,
    /// Let payers act on their own; without it orders are paid at the simulator's control API.
    #[arg(long)]
    payers: bool,
    /// How many times faster than real time all schedules run.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    clock_factor: u32,
    /// How fast the providers may be called.
    #[arg(long, value_enum, default_value_t = Budgets::Usual)]
    budgets: Budgets,
    /// How many orders of each provider the simulator holds at most; beyond, its creates fail. Absent: 200,000.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    simulator_orders_max: Option<u32>,
    /// A folder for keys, configuration and data, which stays; absent: one that is deleted afterwards. A later run on
    /// it goes on with its keys, its time and its orders; the simulator begins without any.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

impl DevArgs {
    /// The world that is asked for, with its doors at these addresses and that section `[backend]`.
    fn wishes(&self, grpc: SocketAddr, notify: SocketAddr, backend: String) -> anyhow::Result<Wishes> {
        Ok(Wishes {
            merchants: usize::from(self.merchants),
            life: EXPIRY_DEFAULT,
            seed: self.seed,
            faults: self.faults.into(),
            payers: self.payers,
            newcomer: false,
            budgets: self.budgets,
            orders_max: self.simulator_orders_max,
            factor: factor(self.clock_factor)?,
            grpc,
            notify,
            simulator: loopback(self.simulator_port),
            backend,
        })
    }
}

pub(crate) async fn dev(args: DevArgs, output: &Output) -> anyhow::Result<Exit> {
    let signals = Signals::install().context("signals cannot be caught")?;
    let folder = Folder::make(args.folder.clone())?;
    let listeners = Listeners::bind(loopback(args.grpc_port), loopback(args.notify_port)).await?;
    let listeners = listeners.with_metrics(args.metrics_port.map(loopback)).await?;
    let (grpc, notify) = listeners.addresses()?;
    let name = cluster::draw_name();
    let backend = match args.backend {
        Backend::Embedded => embedded_toml(),
        Backend::Cluster => args.services.toml(&name)?,
    };
    let wishes = args.wishes(grpc, notify, backend)?;
    let world = World::build(&wishes, folder.path()).await?;
    let made = match args.backend {
        Backend::Embedded => None,
        Backend::Cluster => Some(Made::of(&world.config, name)?),
    };
    let stayed = Box::pin(stay(&wishes, world, (listeners, signals), made.as_ref(), output)).await;
    let removed = match &made {
        Some(made) => made.remove().await,
        None => Ok(()),
    };
    stayed?;
    removed?;
    Ok(Exit::Ok)
}

/// Runs the world until a signal comes.
async fn stay(
    wishes: &Wishes,
    world: World,
    (listeners, mut signals): (Listeners, Signals),
    made: Option<&Made>,
    output: &Output,
) -> anyhow::Result<()> {
    let metrics = listeners.metrics.as_ref().map(TcpListener::local_addr).transpose()?;
    let (text, json) = (told(wishes, &world, metrics), told_json(wishes, &world, metrics));
    let World { simulator, clock, config, .. } = world;
    if let Some(made) = made {
        made.make().await?;
    }
    let mut running = Running::start(config, listeners, near(clock)).await?;
    output.print(text, &json)?;
    let waiting = async move {
        signals.next().await;
        signals.exit_at_next();
        Ok(())
    };
    let waited = running.during(waiting).await;
    let stopped = running.stop().await;
    simulator.shutdown().await;
    waited?;
    stopped
}

/// Everything that a person needs to go on from here.
fn told(wishes: &Wishes, world: &World, metrics: Option<SocketAddr>) -> String {
    let Wishes { grpc, notify, seed, factor, .. } = wishes;
    let sim = world.simulator.base_url();
    let mut text = format!(
        "process         {}\n\
         gRPC            {grpc}\n\
         notifications   http://{notify}\n\
         simulator       {sim}  (control API under /control/)\n\
         configuration   {}\n\
         seed {seed}, schedules run {} times as fast as real time\n\n\
         merchant  provider   method         mchid       prefix\n",
        std::process::id(),
        world.config_file.display(),
        factor.get(),
    );
    for merchant in &world.merchants {
        let DemoMerchant { id, method, mchid, prefix, .. } = merchant;
        let provider = merchant.provider_name();
        // Writing to a string cannot fail.
        let _ok = writeln!(text, "{id:9} {provider:10} {method:14} {mchid:11} {prefix}");
    }
    for at in PROVIDERS {
        if let Some(merchant) = of(at.provider, &world.merchants).first() {
            let _ok = write!(text, "\n{}: create an order, pay it, give it back, look at it\n\n", at.title);
            for command in commands(&grpc.to_string(), &sim, merchant) {
                let _ok = writeln!(text, "  {command}");
            }
        }
    }
    if let Some(metrics) = metrics {
        let _ok = write!(text, "\nMetrics:   curl -s http://{metrics}/metrics");
    }
    let _ok = write!(
        text,
        "\nThe truth: curl -s {sim}/control/orders    What was counted: curl -s {sim}/control/stats\n\
         Faults:    curl -s {sim}/control/faults -d '{{\"preset\":\"heavy\",\"seed\":7}}'\n\
         Stop with Ctrl-C; a second one leaves at once.",
    );
    text
}

/// Commands that take an order of a merchant from its creation to its refund, ready to paste.
fn commands(grpc: &str, sim: &str, merchant: &DemoMerchant) -> Vec<String> {
    let DemoMerchant { id, mchid, .. } = merchant;
    let paid = json!({ "mchid": mchid, "out_trade_no": merchant.number_there(ORDER_NO) });
    let at = at(merchant.provider);
    let mut create = create_command(grpc, merchant);
    if let Some(filter) = at.opened_by {
        // The payer opens the launch: only then does the provider know the order.
        let _ok = write!(create, " | jq '{filter}' | curl -s {sim}/control/open -d @-");
    }
    let refunded = match at.refunds {
        Refunds::NumberedParts | Refunds::UnnumberedParts => AMOUNT / 2,
        Refunds::WholePayments => AMOUNT,
    };
    let refund = json!({
        "merchant_id": id,
        "merchant_order_no": ORDER_NO,
        "refund_no": "R-1",
        "request_id": "refund-1",
        "amount": { "currency": "CNY", "minor": refunded },
        "wait": "5s",
    });
    vec![
        create,
        format!("curl -s {sim}/control/pay -d '{paid}'"),
        format!("grpcurl -plaintext -d '{refund}' {grpc} paymux.v1.OrderService/RefundOrder"),
        format!("paymux order explain --server http://{grpc} --merchant {id} --order {ORDER_NO}"),
    ]
}

/// A grpcurl command that creates an order.
fn create_command(grpc: &str, merchant: &DemoMerchant) -> String {
    let request = json!({
        "merchant_id": merchant.id,
        "merchant_order_no": ORDER_NO,
        "request_id": "create-1",
        "amount": { "currency": "CNY", "minor": AMOUNT },
        "description": "Tea",
        "payer": { "open_id": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "client_ip": "127.0.0.1" },
        "wait": "5s",
    });
    format!("grpcurl -plaintext -d '{request}' {grpc} paymux.v1.OrderService/CreateOrder")
}

fn told_json(wishes: &Wishes, world: &World, metrics: Option<SocketAddr>) -> serde_json::Value {
    let merchant = |merchant: &DemoMerchant| {
        json!({
            "merchant_id": merchant.id,
            "provider": merchant.provider_name(),
            "account": merchant.account,
            "method": merchant.method,
            "mchid": merchant.mchid,
            "sub_mchid": merchant.sub_mchid,
            "order_prefix": merchant.prefix,
        })
    };
    json!({
        "pid": std::process::id(),
        "grpc": wishes.grpc.to_string(),
        "notify": format!("http://{}", wishes.notify),
        "simulator": world.simulator.base_url(),
        "metrics": metrics.map(|metrics| format!("http://{metrics}/metrics")),
        "config": world.config_file,
        "seed": wishes.seed,
        "clock_factor": wishes.factor.get(),
        "merchants": world.merchants.iter().map(merchant).collect::<Vec<_>>(),
        "grpcurl": world.merchants.first().map(|first| create_command(&wishes.grpc.to_string(), first)),
    })
}
