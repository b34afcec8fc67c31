//! `cargo xtask bench`: every bench in the release profile, each figure beside the bare cost of the same run.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::count::{self, Counted};
use crate::process::{self, Status};
use crate::services::{self, ForTests, Kind};

/// The benches that need no services.
const ALONE: [&str; 2] = ["--bench", "accept"];
/// Those on Kafka and a CQL database.
const ON_SERVICES: [&str; 4] = ["--bench", "submit", "--bench", "decide"];
/// The test that reads the processor time of real processes, with its long count.
const COST: &str = "cluster::cost::";
const FULL: (&str, &str) = ("PAYMUX_FULL", "1");

/// Runs what the arguments choose, on services that the variables name; without arguments all of it, on services that
/// are started for it where none are named.
///
/// # Errors
/// Cargo or the keeper of the services cannot be started, or a service does not start or stop.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<ExitCode> {
    if !args.is_empty() {
        return process::run(bench(&[]).args(args)).map(ExitCode::from);
    }
    // Before there are services: what stands beside a bench is in its figures.
    let mut statuses = vec![process::run(&mut bench(&ALONE))?];
    let absent: Vec<_> = Kind::ALL.into_iter().filter(|kind| !services::is_named(*kind)).collect();
    if !absent.is_empty() && !services::can_start() {
        println!(
            "SKIPPED: benches on Kafka and a CQL database: no services are named, and java is not installed"
        );
        return Ok(told(&statuses));
    }
    let mut own = match absent.as_slice() {
        [] => None,
        absent => {
            let one_each: Vec<_> = absent.iter().map(|kind| (*kind, 1)).collect();
            Some(ForTests::begin(root, &one_each, false)?)
        }
    };
    let variables = own.as_mut().map(ForTests::ready).transpose()?.unwrap_or_default();
    for mut command in [bench(&ON_SERVICES), cost()] {
        statuses.push(process::run(command.envs(variables.iter().cloned()))?);
    }
    own.map(ForTests::end).transpose()?;
    Ok(told(&statuses))
}

/// Counts instructions against the budget.
///
/// # Errors
/// They cannot be counted although everything for it is there.
pub(crate) fn quick(root: &Path, is_blessed: bool) -> Result<ExitCode> {
    match count::run(root, is_blessed)? {
        Counted::Judged(status) => Ok(status.into()),
        Counted::Skipped(why) => {
            println!("SKIPPED: instruction counts: {why}");
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn bench(which: &[&str]) -> Command {
    let mut bench = process::cargo(["bench", "-p", "paymux-benches"]);
    bench.args(which);
    bench
}

fn cost() -> Command {
    let mut cost = process::cargo(["test", "--release", "-p", "paymux", "--test", "it", COST]);
    cost.args(["--", "--show-output"]).env(FULL.0, FULL.1);
    cost
}

fn told(statuses: &[Status]) -> ExitCode {
    if statuses.contains(&Status::Failed) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
