//! The command line: arguments, help with examples, exit codes.

mod account;
mod audit;
mod caller;
mod config_cmd;
mod connect;
mod dead;
mod json;
#[cfg(feature = "demo")]
mod load;
mod merchants;
mod metrics;
mod migrate;
mod movements;
mod order;
mod output;
mod pages;
mod parked;
mod patience;
mod serve;
mod settle;
mod shard;
mod sign;
#[cfg(feature = "demo")]
mod simulator;
mod totals;
mod unresolved;
mod verify;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use output::Output;

/// What a run of the binary ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything went well.
    Ok = 0,
    /// It failed while running, or the demo or a load found an order whose end is not the truth.
    Failed = 1,
    /// Wrong usage of the command line.
    Usage = 2,
    /// The server refused the call, there is no such order, or `verify` found a notification that would be refused.
    Refused = 3,
    /// What was compared contradicts what is known, or an audit left something missing: a person has to look.
    Differs = 4,
    /// The configuration has faults.
    BadConfig = 64,
    /// What was given to be read has faults; nothing was done.
    BadInput = 65,
}

impl Exit {
    /// What the process ends with.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }
}

/// What stands below the help: exit codes and examples, as far as this build has the commands.
fn after_help() -> String {
    let (wrong_end, demo) = if cfg!(feature = "demo") {
        (", or the demo or a load found a wrong end", "\n  paymux demo")
    } else {
        ("", "")
    };
    format!(
        "\
Exit codes:
  0   everything went well
  1   it failed while running{wrong_end}
  2   wrong usage of the command line
  3   the server refused the call, there is no such order, or a verified notification would be refused
  4   what was compared contradicts what is known (settle import), or due rows are missing (audit)
  64  the configuration has faults
  65  what was given to be read (sign, verify, settle import) has faults, and nothing was done

Examples:{demo}
  paymux config example > paymux.toml
  paymux config check --config paymux.toml
  paymux serve --config paymux.toml
  paymux order get --merchant tea-house --order ORDER-1"
    )
}

/// Payment order processing: every order is brought to a known end.
#[derive(Debug, Parser)]
#[command(name = "paymux", version, after_help = after_help(), max_term_width = 110)]
pub struct Cli {
    /// Settings that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

/// What is logged unless it is told otherwise: of the libraries below only what is wrong. The connections of the CQL
/// driver pass on the nodes' advice on statements, each time.
const LOG_DEFAULT: &str = "info,lsm_tree=warn,fjall=warn,scylla=warn,scylla::network::connection=error";

/// Settings that every command takes.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// How results are printed on standard output.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    output: Format,
    /// What is logged on standard error, such as `info` or `paymux_engine=debug,warn`.
    #[arg(long, global = true, env = "PAYMUX_LOG", default_value = LOG_DEFAULT)]
    log: String,
    /// How it is logged.
    #[arg(long, global = true, env = "PAYMUX_LOG_FORMAT", value_enum, default_value_t = Format::Text)]
    log_format: Format,
}

/// How something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the engine.
    Serve(serve::ServeArgs),
    /// Make topics and schema of a cluster ready, before the first start and before each new release.
    Migrate(migrate::MigrateArgs),
    /// Look through all orders for such that nothing would bring back, and repair them.
    Audit(audit::AuditArgs),
    /// Create, read, close, confirm and explain orders at a running server.
    Order(Box<order::OrderArgs>),
    /// List orders that wait for a person, and set them going again.
    Parked(parked::ParkedArgs),
    /// List records that could not be decoded, and send them on their way again.
    Dead(dead::DeadArgs),
    /// List calls to providers whose outcome is not known.
    Unresolved(unresolved::UnresolvedArgs),
    /// Compare a provider's console export with the orders, and confirm in bulk what nobody knew.
    Settle(settle::SettleArgs),
    /// Count and sum the money that moved, by business date, account, currency and kind.
    Totals(totals::TotalsArgs),
    /// Look at the partitions of the log: who owns them, what lies unread, how far the sweep is, what is left of budgets.
    Shard(shard::ShardArgs),
    /// Look at the merchants of a running server.
    Merchants(merchants::MerchantsArgs),
    /// List what a process tells Prometheus on /metrics.
    #[command(after_help = "Examples:
  paymux metrics
  paymux metrics --output json")]
    Metrics,
    /// Check, show or make a configuration.
    Config(config_cmd::ConfigArgs),
    /// Make keys for callers.
    Caller(caller::CallerArgs),
    /// Sign a request or a launch as the engine does, to compare it with your own.
    Sign(sign::SignArgs),
    /// Say what is right and what is wrong with a notification.
    Verify(verify::VerifyArgs),
    /// Run everything in one process and check every order's end against the providers' truth.
    #[cfg(feature = "demo")]
    Demo(crate::demo::DemoArgs),
    /// One process of a demo on a cluster.
    #[cfg(feature = "demo")]
    #[command(hide = true)]
    DemoPart(crate::demo::PartArgs),
    /// As demo, but staying up, for grpcurl and the CLI.
    #[cfg(feature = "demo")]
    Dev(crate::demo::DevArgs),
    /// Put load on a running server whose providers are simulated, and judge what became of its orders.
    #[cfg(feature = "demo")]
    Load(Box<load::LoadArgs>),
    /// Run the provider simulators alone.
    #[cfg(feature = "demo")]
    Simulator(simulator::SimulatorArgs),
}

/// Which configuration.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigSource {
    /// The configuration file (TOML).
    #[arg(long, value_name = "FILE", env = "PAYMUX_CONFIG")]
    config: Option<std::path::PathBuf>,
    /// Override one key, such as server.drain_timeout_ms=5000; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
}

impl ConfigSource {
    /// Reads file, environment and flags.
    fn load(&self) -> Result<crate::config::Config, crate::config::Faults> {
        crate::config::Config::load(self.config.as_deref(), std::env::vars_os(), &self.set)
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("must be KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

impl Cli {
    /// Carries the command out.
    ///
    /// # Errors
    /// What ended it, with its context; faults of the configuration as [`crate::config::Faults`].
    pub async fn run(self) -> anyhow::Result<Exit> {
        let output = Output::new(self.global.output);
        match self.command {
            Command::Serve(args) => serve::run(args).await,
            Command::Migrate(args) => migrate::run(args, &output).await,
            Command::Audit(args) => audit::run(args, &output).await,
            Command::Order(args) => order::run(*args, &output).await,
            Command::Parked(args) => parked::run(args, &output).await,
            Command::Dead(args) => dead::run(args, &output).await,
            Command::Unresolved(args) => unresolved::run(args, &output).await,
            Command::Settle(args) => settle::run(args, &output).await,
            Command::Merchants(args) => merchants::run(args, &output).await,
            Command::Totals(args) => totals::run(args, &output).await,
            Command::Shard(args) => shard::run(args, &output).await,
            Command::Metrics => metrics::run(&output),
            Command::Config(args) => config_cmd::run(args, &output),
            Command::Caller(args) => caller::run(args, &output),
            Command::Sign(args) => sign::run(args, &output).await,
            Command::Verify(args) => verify::run(&args, &output).await,
            #[cfg(feature = "demo")]
            Command::Demo(args) => crate::demo::run(args, &output).await,
            #[cfg(feature = "demo")]
            Command::DemoPart(args) => crate::demo::part(args, &output).await,
            #[cfg(feature = "demo")]
            Command::Dev(args) => crate::demo::dev(args, &output).await,
            #[cfg(feature = "demo")]
            Command::Load(args) => load::run(*args, &output).await,
            #[cfg(feature = "demo")]
            Command::Simulator(args) => simulator::run(args, &output).await,
        }
    }
}

impl Global {
    /// Sets logging up; the filter is told when it cannot be read.
    ///
    /// # Errors
    /// A filter that is none, or logging that was set up before.
    pub fn init_logging(&self) -> anyhow::Result<()> {
        use anyhow::Context as _;
        let filter = tracing_subscriber::EnvFilter::try_new(&self.log)
            .with_context(|| format!("--log {:?} is no filter", self.log))?;
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        let set_up = match self.log_format {
            Format::Text => builder.try_init(),
            Format::Json => builder.json().try_init(),
        };
        set_up.map_err(|error| anyhow::anyhow!("logging cannot be set up: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples() {
        fn visit(command: &clap::Command, path: &str) {
            for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
                let path = format!("{path} {}", sub.get_name());
                if sub.get_subcommands().next().is_none() {
                    let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
                    assert!(help.contains(path.as_str()), "{path} has no example");
                }
                visit(sub, &path);
            }
        }
        visit(&Cli::command(), "paymux");
    }

    #[test]
    fn the_help_names_the_demo_only_where_it_is_built_in() {
        assert_eq!(Cli::command().render_help().to_string().contains("demo"), cfg!(feature = "demo"));
    }

    /// The last two digits of an amount choose a fault at the simulator; 00 to 49 choose none.
    #[test]
    fn no_example_asks_for_a_fault() {
        fn amounts(command: &clap::Command) -> Vec<String> {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let words: Vec<&str> = help.split_whitespace().collect();
            let named = words.windows(2).filter(|pair| pair[0] == "--amount");
            let named = named.map(|pair| pair[1].to_owned()).collect::<Vec<_>>();
            command.get_subcommands().flat_map(amounts).chain(named).collect()
        }
        let amounts = amounts(&Cli::command());
        assert!(!amounts.is_empty());
        for amount in amounts {
            assert!(amount.parse::<u64>().unwrap() % 100 < 50, "{amount}");
        }
    }

    #[test]
    fn an_override_is_a_key_and_a_value() {
        assert_eq!(key_value("a.b=c=d"), Ok(("a.b".to_owned(), "c=d".to_owned())));
        assert!(key_value("a.b").is_err());
    }
}
