//! `cargo xtask services`: real Kafka brokers and Cassandra nodes on loopback, started and stopped without containers.
//!
//! Everything lies in one folder: jars, configurations, data, logs, and the list of what was started. Only processes of
//! that list are ever stopped.

mod cassandra;
mod for_tests;
mod jars;
mod kafka;
mod ports;
pub(crate) mod prometheus;
mod secure;
mod started;
pub(crate) mod wait;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};

use crate::process;
pub(crate) use for_tests::{ForTests, Variable};
use secure::{Demand, Secrets};
pub(crate) use started::Kind;
use started::List;

/// Longest wait for a member to become ready: machines build beside it.
const READY_MAX: Duration = Duration::from_secs(300);
/// Longest run of a tool of a service.
const TOOL_MAX: Duration = Duration::from_secs(120);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask services up
  cargo xtask services up --brokers 3 --nodes 3
  cargo xtask services up --secure
  cargo xtask services status
  cargo xtask services kill kafka-2 cassandra-3
  cargo xtask services start kafka-2 cassandra-3
  cargo xtask services down")]
pub(crate) struct Services {
    /// Where jars, data and logs lie; absent: `services` in the folder that cargo builds into
    #[arg(long, env = "PAYMUX_SERVICES", global = true)]
    folder: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetches the jars by Maven, starts what does not run, waits until it is ready
    Up {
        /// Kafka brokers
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=3))]
        brokers: u8,
        /// Cassandra nodes, on 127.0.0.1 and the addresses after it
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=3))]
        nodes: u8,
        /// Nodes take nothing but TLS and login; without this they take TLS beside plain connections. Brokers have a
        /// second port that demands TLS and login, either way
        #[arg(long)]
        secure: bool,
    },
    /// Stops what was started from this folder, and deletes its data
    Down,
    /// What runs, where: names, addresses, process ids, folders
    Status,
    /// Kills members at once, as a crash would; they keep their data
    Kill {
        /// Names as `status` shows them
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Starts members that have ended once more, with their data, and waits until they are ready
    Start {
        /// Names as `status` shows them
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Stops everything once standard input ends, and deletes the folder
    #[command(hide = true)]
    Keep,
}

/// Where things lie.
#[derive(Clone, Debug)]
struct Place {
    /// The list of what was started, and a folder for each member.
    members: PathBuf,
    jars: PathBuf,
}

/// The folder that is used when none is named: beside what cargo builds.
fn default_folder(root: &Path) -> PathBuf {
    crate::target_folder(root).join("services")
}

/// Runs the command.
///
/// # Errors
/// A tool is missing, a service does not start, or other numbers of them run already.
pub(crate) fn run(root: &Path, services: &Services) -> Result<()> {
    let folder = services.folder.clone().unwrap_or_else(|| default_folder(root));
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let folder = folder.canonicalize()?;
    let place = Place { jars: folder.join("jars"), members: folder };
    let mut list = List::read(&place.members)?;
    match &services.command {
        Command::Up { brokers, nodes, secure } => {
            let wanted = [(Kind::Kafka, usize::from(*brokers)), (Kind::Cassandra, usize::from(*nodes))];
            up(&place, &wanted, demand(*secure), &mut list)?;
        }
        Command::Down => {
            down(&place, &mut list)?;
            println!("stopped");
            return Ok(());
        }
        Command::Status => {}
        Command::Kill { names } => {
            for name in names {
                list.kill(name)?;
            }
        }
        Command::Start { names } => start(&place, names, &mut list)?,
        Command::Keep => return for_tests::keep(&place, list),
    }
    tell(&place, &list);
    Ok(())
}

/// Whether this machine has what they need.
pub(crate) fn can_start() -> bool {
    process::succeeds("java", ["--version"])
}

/// Whether a variable names a service that is there.
pub(crate) fn is_named(kind: Kind) -> bool {
    std::env::var_os(kind.variable()).is_some_and(|value| !value.is_empty())
}

const fn demand(is_secure: bool) -> Demand {
    if is_secure { Demand::All } else { Demand::Nothing }
}

/// Starts so many members of each service, or those of them that have ended; waits until all are ready.
fn up(place: &Place, wanted: &[(Kind, usize)], demand: Demand, list: &mut List) -> Result<()> {
    ensure!(can_start(), "java is not installed (Java 17 is needed)");
    Secrets::at(&place.members).make()?;
    for (kind, count) in wanted.iter().copied() {
        let is_other = |one| secure::is_open(list, one) == (demand == Demand::All);
        if kind == Kind::Cassandra && list.running(kind).any(is_other) {
            bail!("{kind} runs, and TLS and login are not {demand}: `cargo xtask services down` first");
        }
        let (started, running) = (list.of(kind).count(), list.running(kind).count());
        if started == count {
            let ended = list.of(kind).filter(|one| !one.runs()).map(|one| one.name.clone());
            for name in ended.collect::<Vec<_>>() {
                list.start_again(&name)?;
            }
        } else if running > 0 {
            bail!("{started} of {kind} were started, {count} are wanted: `cargo xtask services down` first");
        } else {
            // What an earlier cluster left.
            list.forget(kind);
            drop(std::fs::remove_dir_all(place.members.join(kind.as_str())));
            match kind {
                _ if count == 0 => {}
                Kind::Kafka => kafka::start(place, count, list)?,
                Kind::Cassandra => cassandra::start(place, count, demand, list)?,
            }
        }
        let members: Vec<_> = list.of(kind).cloned().collect();
        wait_until_ready(place, kind, &members, list)?;
    }
    Ok(())
}

/// Starts members again; waits for those that run then, unless they are too few to work.
fn start(place: &Place, names: &[String], list: &mut List) -> Result<()> {
    for name in names {
        ensure!(!list.named(name)?.runs(), "{name} runs already");
    }
    let ran: Vec<_> = list.all().filter(|one| one.runs()).map(|one| one.name.clone()).collect();
    for name in names {
        list.start_again(name)?;
    }
    for kind in Kind::ALL {
        let touched = |name: &String| list.of(kind).any(|one| one.name == *name);
        if !names.iter().any(touched) {
            continue;
        }
        let members: Vec<_> = list.of(kind).cloned().collect();
        let expected = members.iter().filter(|one| names.contains(&one.name) || ran.contains(&one.name));
        let expected: Vec<_> = expected.cloned().collect();
        if expected.len() * 2 > members.len() {
            wait_until_ready(place, kind, &expected, list)?;
        } else {
            println!("{} of {} of {kind} run: too few to wait for", expected.len(), members.len());
        }
    }
    Ok(())
}

fn wait_until_ready(place: &Place, kind: Kind, members: &[started::Started], list: &List) -> Result<()> {
    match kind {
        _ if members.is_empty() => Ok(()),
        Kind::Kafka => kafka::wait_until_ready(place, members, list),
        Kind::Cassandra => cassandra::wait_until_ready(place, members, list),
    }
}

fn down(place: &Place, list: &mut List) -> Result<()> {
    list.stop_all()?;
    for kind in Kind::ALL {
        let data = place.members.join(kind.as_str());
        if data.exists() {
            std::fs::remove_dir_all(&data).with_context(|| format!("deleting {}", data.display()))?;
        }
    }
    Secrets::at(&place.members).forget()
}

/// Prints what runs, and the variables that make the tests use it.
fn tell(place: &Place, list: &List) {
    for one in list.all() {
        let state = if one.runs() { "runs" } else { "has ended" };
        let home = list.home(one.kind, &one.name);
        println!("{:<12} {:<16} pid {:<8} {state:<10} {}", one.name, one.address, one.pid, home.display());
    }
    let named: BTreeMap<_, _> = Kind::ALL.into_iter().flat_map(|kind| variables(place, list, kind)).collect();
    for (name, value) in named {
        println!("export {name}={value}");
    }
    if let Some(folder) = secure::folder(&place.members) {
        println!(
            "clients of the secured ports need ca.pem and, where they log in, kafka_user, kafka_password, cql_user and"
        );
        println!("cql_password, files in {folder}");
    }
    if list.all().next().is_none() {
        println!("nothing runs");
    }
}

/// Where the members of a service take clients; those that were killed are named, too, unless none runs.
fn addresses(list: &List, kind: Kind) -> Option<String> {
    let first = list.running(kind).next()?;
    if !secure::is_open(list, first) {
        return None;
    }
    let addresses: Vec<_> = list.of(kind).map(|one| one.address.to_string()).collect();
    Some(addresses.join(","))
}

/// The variables that name the running members of a service to the tests.
fn variables(place: &Place, list: &List, kind: Kind) -> Vec<Variable> {
    let open = addresses(list, kind).map(|addresses| (kind.variable(), addresses));
    let secured = secure::addresses(list, kind);
    let folder = secured.as_ref().and_then(|_| Some((secure::VARIABLE, secure::folder(&place.members)?)));
    [open, secured, folder].into_iter().flatten().collect()
}
