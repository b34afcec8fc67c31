//! `cargo xtask bench`: every bench in the release profile, each figure beside the bare cost of the same run, in rounds;
//! their medians with the goals are the pages under `docs/performance/`.

mod capacity;
mod goals;
mod lines;
mod machine;
mod report;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use clap::Args;
use toml::Table;

use crate::count::{self, Counted};
use crate::process::{self, Status};
use crate::services::{self, ForTests, Kind, Variable};
use goals::Goals;
use lines::Figures;
use machine::Machine;
use report::Report;

/// The variable that names the file of figures to the benches.
const LINES: &str = "PAYMUX_BENCH_LINES";
/// That file, in the folder that cargo builds into.
const LINES_FILE: &str = "bench-lines.jsonl";
/// The manifest that names the benches, and which of them need services.
const MANIFEST: &str = "benches/Cargo.toml";
/// Where the pages stand.
const PAGES: &str = "docs/performance";

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Instructions of the hot path, counted by valgrind, against benches/budget.toml: more than 10 % above it fails
    #[arg(long, conflicts_with = "args")]
    quick: bool,
    /// Write what was counted as the budget
    #[arg(long, requires = "quick")]
    bless: bool,
    /// Write the pages again from the figures of the last run: the goals' words and reasons stand in benches/goals.toml
    #[arg(long, conflicts_with_all = ["quick", "args"])]
    pages: bool,
    /// How often each bench runs, in turn with the others
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Cargo's own: `--bench accept` runs that one alone, and writes no page
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// Runs what the arguments choose, on services that the variables name; without arguments all of it, on services that
/// are started for it where none are named, and writes the pages.
///
/// # Errors
/// Cargo or the keeper of the services cannot be started, a service does not start or stop, a page cannot be written.
pub(crate) fn run(root: &Path, options: &Options) -> Result<ExitCode> {
    if options.quick {
        return quick(root, options.bless);
    }
    if options.pages {
        Report::read(root)?.write_pages(root, &Goals::read(root)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !options.args.is_empty() {
        return process::run(command().args(&options.args)).map(ExitCode::from);
    }
    let file = crate::target_folder(root).join(LINES_FILE);
    let mut runs = Runs { benches: Benches::read(root)?, rounds: options.rounds, file, failed: Vec::new() };
    // Built before the first is measured.
    if process::run(command().arg("--no-run"))? == Status::Failed {
        return Ok(ExitCode::FAILURE);
    }
    std::fs::write(&runs.file, "").with_context(|| format!("emptying {}", runs.file.display()))?;
    // Before there are services: what stands beside a bench is in its figures.
    let alone = runs.benches.alone.clone();
    runs.all(&alone, &[])?;
    on_services(root, &mut runs)?;
    let report = Report { run: Machine::now(root, options.rounds)?, figures: Figures::read(&runs.file)? };
    report.save(root)?;
    let goals = Goals::read(root)?;
    report.write_pages(root, &goals)?;
    print!("{}", report::table(&report.figures, &goals));
    for failed in &runs.failed {
        println!("FAILED: {failed}");
    }
    Ok(if runs.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The benches on Kafka and a CQL database, where those can be had.
fn on_services(root: &Path, runs: &mut Runs) -> Result<()> {
    let are_named = Kind::ALL.into_iter().all(services::is_named);
    if !are_named && !services::can_start() {
        println!(
            "SKIPPED: benches on Kafka and a CQL database: no services are named, and java is not installed"
        );
        return Ok(());
    }
    let mut own = ForTests::begin_absent(root)?;
    let variables = own.as_mut().map(ForTests::ready).transpose()?.unwrap_or_default();
    let names = runs.benches.on_services.clone();
    runs.all(&names, &variables)?;
    own.map(ForTests::end).transpose().map(drop)
}

/// What is to run, and what failed.
struct Runs {
    benches: Benches,
    rounds: u32,
    file: PathBuf,
    failed: Vec<String>,
}

impl Runs {
    /// All of these in turn, again and again: what else happens on the machine meanwhile meets all of them.
    fn all(&mut self, names: &[String], variables: &[Variable]) -> Result<()> {
        for round in 1..=self.rounds {
            for name in names {
                println!("\nround {round} of {}: {name}", self.rounds);
                let mut command = command();
                command.args(["--bench", name]).env(LINES, &self.file).envs(variables.iter().cloned());
                if process::run(&mut command)? == Status::Failed {
                    self.failed.push(format!("{name}, round {round}"));
                }
            }
        }
        Ok(())
    }
}

/// Counts instructions against the budget.
///
/// # Errors
/// They cannot be counted although everything for it is there.
fn quick(root: &Path, is_blessed: bool) -> Result<ExitCode> {
    match count::run(root, is_blessed)? {
        Counted::Judged(status) => Ok(status.into()),
        Counted::Skipped(why) => {
            println!("SKIPPED: instruction counts: {why}");
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The benches of the manifest.
#[derive(Debug, PartialEq, Eq)]
struct Benches {
    alone: Vec<String>,
    on_services: Vec<String>,
}

impl Benches {
    fn read(root: &Path) -> Result<Self> {
        let file = root.join(MANIFEST);
        let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        Self::of(&text)
    }

    fn of(manifest: &str) -> Result<Self> {
        let manifest: Table = manifest.parse()?;
        let words = |value: Option<&toml::Value>| -> Vec<String> {
            let list = value.and_then(toml::Value::as_array).into_iter().flatten();
            list.filter_map(|word| word.as_str().map(str::to_owned)).collect()
        };
        let metadata = manifest.get("package").and_then(|package| package.get("metadata"));
        let needing = words(metadata.and_then(|metadata| metadata.get("bench")?.get("on_services")));
        let benches = manifest.get("bench").and_then(toml::Value::as_array).context("no benches")?;
        let names = benches.iter().filter_map(|bench| bench.get("name")?.as_str().map(str::to_owned));
        let (on_services, alone) = names.partition(|name| needing.contains(name));
        Ok(Self { alone, on_services })
    }
}

/// Cargo's run of the benches.
pub(crate) fn command() -> Command {
    process::cargo(["bench", "-p", "paymux-benches"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_need_services_run_apart() {
        let manifest = "[package.metadata.bench]\non_services = [\"b\"]\n\
            [[bench]]\nname = \"a\"\n[[bench]]\nname = \"b\"\n[[bench]]\nname = \"c\"\n";
        let benches = Benches::of(manifest).expect("a manifest");
        assert_eq!(benches.alone, ["a", "c"]);
        assert_eq!(benches.on_services, ["b"]);
    }

    #[test]
    fn every_bench_that_is_said_to_need_services_is_there() {
        let benches = Benches::read(&crate::root()).expect("the manifest");
        assert!(benches.on_services.len() >= 3 && benches.alone.len() >= 3, "{benches:?}");
    }
}
