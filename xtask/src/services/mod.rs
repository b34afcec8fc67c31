//! `cargo xtask services`: real Kafka brokers and Cassandra nodes on loopback, started and stopped without containers.
//!
//! Everything lies in one folder: jars, configurations, data, logs, and the list of what was started. Only processes of
//! that list are ever stopped.

mod cassandra;
mod jars;
mod kafka;
mod ports;
mod started;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};

use crate::process;
use started::{Kind, List};

/// Longest wait for a service that was started.
const READY_MAX: Duration = Duration::from_secs(120);
/// Pause between two looks at something that is not ready yet.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask services up
  cargo xtask services up --brokers 3 --nodes 3
  cargo xtask services status
  cargo xtask services down")]
pub(crate) struct Services {
    /// Where jars, data and logs lie; absent: `target/services` of the workspace
    #[arg(long, env = "PAYMUX_SERVICES", global = true)]
    folder: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetches the jars by Maven, starts what does not run yet, waits until it is ready
    Up {
        /// Kafka brokers
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=3))]
        brokers: u8,
        /// Cassandra nodes, on 127.0.0.1 and the addresses after it
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=3))]
        nodes: u8,
    },
    /// Stops what was started from this folder, and deletes its data
    Down,
    /// What runs, where
    Status,
}

/// Runs the command.
///
/// # Errors
/// A tool is missing, a service does not start, or other numbers of them run already.
pub(crate) fn run(root: &Path, services: &Services) -> Result<()> {
    let folder = services.folder.clone().unwrap_or_else(|| root.join("target/services"));
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let folder = folder.canonicalize()?;
    match services.command {
        Command::Up { brokers, nodes } => up(&folder, brokers, nodes),
        Command::Down => down(&folder),
        Command::Status => List::read(&folder).map(|list| tell(&list)),
    }
}

fn up(folder: &Path, brokers: u8, nodes: u8) -> Result<()> {
    for tool in ["java", "mvn"] {
        ensure!(
            process::succeeds(tool, ["--version"]),
            "{tool} is not installed (Java 17 and Maven are needed)"
        );
    }
    let mut list = List::read(folder)?;
    list.forget_ended();
    for (kind, wanted) in [(Kind::Kafka, brokers), (Kind::Cassandra, nodes)] {
        let running = list.of(kind).count();
        if running == usize::from(wanted) {
            continue;
        }
        if running > 0 {
            bail!("{running} of {kind} run already, {wanted} are wanted: `cargo xtask services down` first");
        }
        match kind {
            Kind::Kafka => kafka::start(folder, wanted, &mut list)?,
            Kind::Cassandra => cassandra::start(folder, wanted, &mut list)?,
        }
    }
    tell(&list);
    Ok(())
}

fn down(folder: &Path) -> Result<()> {
    let mut list = List::read(folder)?;
    list.stop_all()?;
    for kind in [Kind::Kafka, Kind::Cassandra] {
        let data = folder.join(kind.as_str());
        if data.exists() {
            std::fs::remove_dir_all(&data).with_context(|| format!("deleting {}", data.display()))?;
        }
    }
    println!("stopped");
    Ok(())
}

/// Prints what runs, and the variables that make the tests use it.
fn tell(list: &List) {
    for one in list.all() {
        let state = if one.runs() { "runs" } else { "has ended" };
        println!("{:<12} {:<21} pid {:<8} {state}", one.name, one.address, one.pid);
    }
    for (kind, variable) in [(Kind::Kafka, "PAYMUX_TEST_KAFKA"), (Kind::Cassandra, "PAYMUX_TEST_CQL")] {
        let addresses: Vec<_> =
            list.of(kind).filter(|one| one.runs()).map(|one| one.address.to_string()).collect();
        if !addresses.is_empty() {
            println!("export {variable}={}", addresses.join(","));
        }
    }
    if list.all().next().is_none() {
        println!("nothing runs");
    }
}
