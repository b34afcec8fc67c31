//! Developer commands: check, test, manifests, sim, fuzz, codegen, bench, ghz, services.
#![expect(clippy::print_stdout, reason = "a command-line tool talks on its standard output")]

mod bench;
mod check;
mod codegen;
mod count;
mod fuzz;
mod ghz;
mod manifests;
mod process;
mod services;
mod test;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Developer commands of Paymux", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Formatting, lints, documentation, dependencies, tidiness, protos, generated code
    Check,
    /// Every test; the last line is `N passed, N failed, N skipped`
    Test(test::Options),
    /// The tests of `k8s/`, with kustomize and kubernetes-validate, which are fetched for it
    Manifests,
    /// The seeded simulation: one seed with its story, or many seeds
    Sim(Sim),
    /// Fuzzing from the seeds of `fuzz/corpus`, for a bounded time; needs cargo-fuzz
    Fuzz(fuzz::Options),
    /// Rust and descriptors from the protos
    Codegen {
        /// Change nothing, fail when something is out of date
        #[arg(long)]
        check: bool,
    },
    /// Real Kafka and Cassandra on this machine, without containers
    Services(services::Services),
    /// The benches in rounds, each beside the bare cost of the same run; those on Kafka and a CQL database on services that
    /// are started for it unless `PAYMUX_TEST_KAFKA` and `PAYMUX_TEST_CQL` name some. Writes docs/performance
    Bench(bench::Options),
    /// The configurations of `benches/ghz`, each at its rate, by ghz, which is built for it where it is not installed
    Ghz(ghz::Options),
}

#[derive(Debug, Args)]
struct Sim {
    /// Run this seed and tell its story
    #[arg(conflicts_with = "count")]
    seed: Option<u64>,
    /// Run this many seeds
    #[arg(long)]
    count: Option<u64>,
    /// Further arguments of the simulation
    #[arg(last = true)]
    args: Vec<String>,
}

/// The workspace's folder.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(PathBuf::new, PathBuf::from)
}

/// The folder that cargo builds into: cargo's own configuration may have moved it.
fn target_folder(root: &Path) -> PathBuf {
    // This program is `<target>/debug/xtask`.
    let target = std::env::current_exe().ok().and_then(|own| own.ancestors().nth(2).map(Path::to_owned));
    target.unwrap_or_else(|| root.join("target"))
}

fn main() -> Result<ExitCode> {
    let root = root();
    match Cli::parse().command {
        Command::Check => check::run(&root),
        Command::Test(options) => test::run(&root, &options),
        Command::Sim(sim) => {
            process::run(&mut simulation(sim.seed, sim.count, &sim.args)).map(ExitCode::from)
        }
        Command::Fuzz(options) => fuzz::run(&root, &options),
        Command::Codegen { check } => codegen::run(&root, check).map(|()| ExitCode::SUCCESS),
        Command::Manifests => manifests::run(&root),
        Command::Services(services) => services::run(&root, &services).map(|()| ExitCode::SUCCESS),
        Command::Bench(options) => bench::run(&root, &options),
        Command::Ghz(options) => ghz::run(&root, &options),
    }
}

/// The one place that knows how the simulation is started: a test program of the engine with a main of its own.
fn simulation(seed: Option<u64>, count: Option<u64>, args: &[String]) -> std::process::Command {
    let mut run = process::cargo(["test", "--release", "-p", "paymux-engine", "--features", "plant"]);
    run.args(["--test", "sim", "--"]);
    run.args(seed.map(|seed| seed.to_string()));
    if let Some(count) = count {
        run.args(["--count", &count.to_string()]);
    }
    // A rule that is taken out must be noticed within the allowed seeds: the run of all rules, of this one alone.
    if seed.is_none() && count.is_none() && args.iter().any(|arg| arg == "--plant") {
        run.arg("--plants");
    }
    run.args(args);
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_is_taken_out_must_be_noticed() {
        let planted = ["--plant".to_owned(), "SendMargin".to_owned()];
        let args = |seed, count| {
            let run = simulation(seed, count, &planted);
            run.get_args().filter_map(|arg| arg.to_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        assert!(args(None, None).ends_with(&["--plants".to_owned(), planted[0].clone(), planted[1].clone()]));
        // One seed tells its story, a count says how many are looked at.
        assert!(!args(Some(7), None).contains(&"--plants".to_owned()));
        assert!(!args(None, Some(7)).contains(&"--plants".to_owned()));
    }
}
