//! `paymux simulator`: the provider simulators alone.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use paymux_simulators::faults::{FaultPlan, Preset};
use paymux_simulators::{Simulator, SimulatorConfig};
use serde_json::json;

use super::{Exit, Output};
use crate::demo::Faults;
use crate::shutdown::Signals;

/// Arguments of `simulator`.
#[derive(Debug, Args)]
#[command(after_help = "\
Accounts are registered in the configuration or at POST /control/merchants,
those of PayJS at POST /control/merchants/payjs, of XorPay at POST /control/merchants/xorpay,
of UPaaS at POST /control/merchants/upaas, of 码钱 at POST /control/merchants/maqian.

Examples:
  paymux simulator --listen 127.0.0.1:7702
  paymux simulator --config simulator.toml --faults heavy --seed 7")]
pub(super) struct SimulatorArgs {
    /// A configuration file (TOML); its keys stand in the simulators' README.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address of provider and control API; loopback only.
    #[arg(long)]
    listen: Option<std::net::SocketAddr>,
    /// How many times faster than real time provider time runs.
    #[arg(long)]
    clock_factor: Option<f64>,
    /// From when on it does, in real milliseconds since 1970.
    #[arg(long)]
    clock_origin_ms: Option<i64>,
    /// How many faults are injected by chance.
    #[arg(long, value_enum)]
    faults: Option<Faults>,
    /// Let payers act on their own.
    #[arg(long)]
    payers: bool,
    /// What is drawn at random follows this number.
    #[arg(long)]
    seed: Option<u64>,
}

pub(super) async fn run(args: SimulatorArgs, output: &Output) -> anyhow::Result<Exit> {
    let mut signals = Signals::install().context("signals cannot be caught")?;
    let config = configured(&args)?;
    let simulator = Simulator::start(config).await?;
    let url = simulator.base_url();
    let text = format!("simulator  {url}\ncontrol    {url}/control/stats\nStop with Ctrl-C.");
    output.print(text, &json!({ "simulator": url }))?;
    signals.next().await;
    signals.exit_at_next();
    simulator.shutdown().await;
    Ok(Exit::Ok)
}

fn configured(args: &SimulatorArgs) -> anyhow::Result<SimulatorConfig> {
    let mut config = match &args.config {
        None => SimulatorConfig::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            toml::from_str(&text).map_err(|error| {
                // The parser's own words may repeat a line with a key.
                let at = error
                    .span()
                    .and_then(|span| text.get(..span.start))
                    .map_or(0, |t| t.matches('\n').count() + 1);
                anyhow::anyhow!("{}:{at}: {}", path.display(), error.message())
            })?
        }
    };
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    if let Some(factor) = args.clock_factor {
        config.clock_factor = factor;
    }
    config.clock_origin_ms = args.clock_origin_ms.or(config.clock_origin_ms);
    if let Some(faults) = args.faults {
        config.faults = FaultPlan::preset(Preset::from(faults), args.seed.unwrap_or_default());
    }
    config.payers.enabled |= args.payers;
    if let Some(seed) = args.seed {
        config.payers.seed = seed;
        config.faults.seed = seed;
    }
    Ok(config)
}
