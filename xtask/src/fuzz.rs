//! `cargo xtask fuzz`: goes on from the seeds of `fuzz/corpus` for a bounded time, each target in turn.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::process::{self, Status};

/// The targets, as `fuzz/Cargo.toml` has them.
pub(crate) const TARGETS: [&str; 4] = ["answer", "notification", "record", "section"];
/// Longest input in bytes: above the longest notification body.
const INPUT_BYTES_MAX: u32 = 128 * 1024;
/// Longest time for one input, in seconds: what takes longer is a finding.
const INPUT_S_MAX: u32 = 10;
/// Most memory of a fuzzer, in MiB.
const MEMORY_MIB_MAX: u32 = 2048;

/// What to fuzz.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// These targets alone
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TARGETS))]
    targets: Vec<String>,
    /// Seconds for each target
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
}

/// Whether cargo-fuzz is installed.
pub(crate) fn is_installed() -> bool {
    process::succeeds("cargo", ["fuzz", "--version"])
}

/// Runs what is asked for; every target, also after a finding.
///
/// # Errors
/// cargo-fuzz is not installed or cannot be started, or the folder of new inputs cannot be made.
pub(crate) fn run(root: &Path, options: &Options) -> Result<ExitCode> {
    anyhow::ensure!(is_installed(), "cargo-fuzz is not installed: cargo install cargo-fuzz");
    let all = TARGETS.map(str::to_owned);
    let targets = if options.targets.is_empty() { &all[..] } else { &options.targets };
    let mut status = Status::Succeeded;
    for target in targets {
        if target_run(root, target, options.seconds)? == Status::Failed {
            println!("FAILED: {target}; the input lies in fuzz/artifacts/{target}");
            status = Status::Failed;
        }
    }
    Ok(status.into())
}

/// Fuzzes one target. What it finds to be new on the way is kept below `target`, not among the seeds.
///
/// # Errors
/// As [`run`].
pub(crate) fn target_run(root: &Path, target: &str, seconds: u32) -> Result<Status> {
    let found = root.join("target/fuzz-corpus").join(target);
    fs::create_dir_all(&found).with_context(|| format!("making {}", found.display()))?;
    let seeds = root.join("fuzz/corpus").join(target);
    process::run(&mut fuzzer(target, &found, &seeds, seconds))
}

fn fuzzer(target: &str, found: &Path, seeds: &Path, seconds: u32) -> Command {
    // Without a sanitizer it builds with the stable toolchain; memory safety is the compiler's, there is no unsafe code.
    let mut fuzzer = process::cargo(["fuzz", "run", "--fuzz-dir", "fuzz", "--sanitizer", "none"]);
    fuzzer.args(["--features", "libfuzzer", target]).arg(found).arg(seeds).arg("--");
    fuzzer.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={INPUT_BYTES_MAX}"));
    fuzzer.arg(format!("-timeout={INPUT_S_MAX}")).arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"));
    fuzzer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_are_those_of_the_crate() {
        let manifest = fs::read_to_string(crate::root().join("fuzz/Cargo.toml")).expect("the manifest");
        let manifest: toml::Table = manifest.parse().expect("TOML");
        let bins = manifest["bin"].as_array().expect("targets").iter();
        let names: Vec<&str> = bins.filter_map(|bin| bin["name"].as_str()).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, TARGETS);
    }

    #[test]
    fn a_run_ends_by_itself() {
        let run = fuzzer("record", Path::new("found"), Path::new("seeds"), 7);
        let args: Vec<&str> = run.get_args().filter_map(|arg| arg.to_str()).collect();
        assert!(args.contains(&"-max_total_time=7"), "{args:?}");
        assert!(args.ends_with(&["-timeout=10", "-rss_limit_mb=2048"]), "{args:?}");
    }
}
