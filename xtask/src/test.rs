//! `cargo xtask test`: every test, summed up in the last line.

mod evidence;
mod loss;
mod page;
mod ratios;
mod verified;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;
use clap::Args;

use crate::check;
use crate::count::{self, Counted};
use crate::fuzz;
use crate::manifests::{self, Fetching};
use crate::process::{self, Status};
use crate::services::{self, ForTests, Kind, prometheus};
use evidence::Evidence;
use verified::Verified;

/// Cases of each property test with `--full`.
const FULL_PROPERTY_CASES: &str = "10000";
/// Without `--full` the properties draw the same cases in every run, so that a run's verdict is the tree's alone; the
/// variable of whoever runs it goes before.
const PROPERTY_SEED: (&str, &str) = ("PROPTEST_RNG_SEED", "1");
/// Tells the tests that the long counts are asked for.
const FULL: (&str, &str) = ("PAYMUX_FULL", "1");
/// Seeds of the simulation, and with `--full`.
const SIMULATION_SEEDS: u64 = 200;
const FULL_SIMULATION_SEEDS: u64 = 5000;
/// Seconds of fuzzing for each target, with `--full`.
const FUZZ_S: u32 = 60;
/// How a test says in its output that something was skipped, and why.
const SKIP_MARK: &str = "SKIPPED: ";

/// How to test.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Long counts: more cases of each property, more seeds of the simulation, more rounds and longer times of the tests
    /// on real services, which are started for it where Java is installed; three brokers and three nodes, too, of which
    /// members are killed. Writes docs/verification.md
    #[arg(long)]
    full: bool,
    /// What must run: a comma list out of `buf`, `cql`, `kafka`, `manifests`, `prometheus`; what is named here and does
    /// not run is a failure. Kafka and a CQL database are started for it unless `PAYMUX_TEST_KAFKA` and `PAYMUX_TEST_CQL` name
    /// existing ones; Prometheus is fetched as a Debian package unless `PAYMUX_TEST_PROMETHEUS` names a folder with it
    #[arg(long, env = "PAYMUX_REQUIRE", default_value = "", hide_default_value = true, value_parser = parse_require)]
    require: Require,
}

/// Things that some tests need and a machine may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Capability {
    Buf,
    Cql,
    Kafka,
    Manifests,
    Prometheus,
}

impl Capability {
    const ALL: [Self; 5] = [Self::Buf, Self::Cql, Self::Kafka, Self::Manifests, Self::Prometheus];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Buf => "buf",
            Self::Cql => "cql",
            Self::Kafka => "kafka",
            Self::Manifests => "manifests",
            Self::Prometheus => "prometheus",
        }
    }

    /// What its tests need beside this tree; `None`: no test of a crate needs it.
    const fn need(self) -> Option<Need> {
        match self {
            Self::Buf => None,
            Self::Cql => Some(Need::of(Kind::Cassandra, "cql_store")),
            Self::Kafka => Some(Need::of(Kind::Kafka, "kafka_log")),
            Self::Manifests => Some(Need { service: None, variable: manifests::VARIABLE, suite: "overlays" }),
            Self::Prometheus => {
                Some(Need { service: None, variable: prometheus::VARIABLE, suite: "prometheus_scrape" })
            }
        }
    }
}

/// What tests need from outside.
struct Need {
    /// The service that must run, if it is one.
    service: Option<Kind>,
    /// The variable that names it to the tests.
    variable: &'static str,
    /// The module of the tests that cannot do without it.
    suite: &'static str,
}

impl Need {
    const fn of(kind: Kind, suite: &'static str) -> Self {
        Self { service: Some(kind), variable: kind.variable(), suite }
    }
}

/// What must not be skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Require(BTreeSet<Capability>);

fn parse_require(text: &str) -> Result<Require, String> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let known = |name: &str| Capability::ALL.into_iter().find(|known| known.as_str() == name);
    let found = names.map(|name| {
        known(name).ok_or_else(|| format!("unknown: {name}; known: buf, cql, kafka, manifests, prometheus"))
    });
    found.collect::<Result<_, _>>().map(Require)
}

/// Counts of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    fn count(&mut self, status: Status) {
        match status {
            Status::Succeeded => self.passed += 1,
            Status::Failed => self.failed += 1,
        }
    }

    /// A program that says that it failed has failed, even where no line of its output counted a failure.
    fn settle(mut self, status: Status) -> Self {
        if status == Status::Failed && self.failed == 0 {
            self.failed = 1;
        }
        self
    }
}

/// Reads the counts of a line that the test harness ends a test binary with.
fn parse_result(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut tally = Tally::default();
    for part in counts.split(';') {
        match part.trim().split_once(' ') {
            Some((count, "passed")) => tally.passed = count.parse().ok()?,
            Some((count, "failed")) => tally.failed = count.parse().ok()?,
            Some((count, "ignored")) => tally.skipped = count.parse().ok()?,
            _ => {}
        }
    }
    Some(tally)
}

/// Runs everything; the last line that it prints is the sum.
///
/// # Errors
/// Cargo cannot be started, or the page of the long run cannot be written.
pub(crate) fn run(root: &Path, options: &Options) -> Result<ExitCode> {
    let mut verified = Verified::default();
    let mut tally = workspace(root, options, &mut verified)?;
    if options.full && services::can_start() {
        verified.begin("TLS and logins");
        tally.add(secured(root, &mut verified)?);
        tally.add(loss::run(root, &mut verified)?);
        tally.add(ratios::run(root, &mut verified)?);
    }
    verified.begin("simulation");
    let seeds = if options.full { FULL_SIMULATION_SEEDS } else { SIMULATION_SEEDS };
    tally.add(counted(&mut crate::simulation(None, Some(seeds), &[]), &mut verified)?);
    verified.begin("simulation, rules taken out");
    let quick = if options.full { &["--plants"][..] } else { &["--plants", "--quick"] };
    let quick: Vec<String> = quick.iter().map(ToString::to_string).collect();
    tally.add(counted(&mut crate::simulation(None, None, &quick), &mut verified)?);
    // Faults that tests plant into the demo: what is built with them is never shipped.
    let mut planted =
        process::cargo(["test", "-p", "paymux", "--features", "plant", "--test", "it", "planted"]);
    tally.add(counted(&mut planted, &mut verified)?);
    instructions(root, &mut tally, &mut verified);
    if options.full {
        fuzzed(root, &mut tally, &mut verified)?;
    }
    match check::lint_protos()? {
        Some(status) => {
            println!("buf lint: {}", if status == Status::Succeeded { "ok" } else { "FAILED" });
            tally.count(status);
        }
        None if options.require.0.contains(&Capability::Buf) => {
            fail(&mut tally, "PAYMUX_REQUIRE names buf, and it is not installed");
        }
        None => skip(&mut tally, &mut verified, "buf lint: buf is not installed"),
    }
    if options.full {
        page::write(root, &verified, tally)?;
        println!("written: {}", page::FILE);
    }
    verified.failures().for_each(|failure| println!("{failure}"));
    println!("{tally}");
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The tests of all crates, with the services that are required, or can be had for a long run.
fn workspace(root: &Path, options: &Options, verified: &mut Verified) -> Result<Tally> {
    let mut tests = process::cargo(["test", "--workspace", "--no-fail-fast", "--", "--show-output"]);
    if options.full {
        tests.env("PROPTEST_CASES", FULL_PROPERTY_CASES).env(FULL.0, FULL.1);
    } else if std::env::var_os(PROPERTY_SEED.0).is_none() {
        tests.env(PROPERTY_SEED.0, PROPERTY_SEED.1);
    }
    let mut tally = Tally::default();
    let is_wanted = |capability| options.full || options.require.0.contains(&capability);
    if is_wanted(Capability::Prometheus) && !prometheus::is_named() {
        match prometheus::fetched(root) {
            Ok(folder) => {
                tests.env(prometheus::VARIABLE, folder);
            }
            // Its tests say that they were skipped, which is a failure where it is required.
            Err(error) => println!("Prometheus cannot be had: {error:#}"),
        }
    }
    let is_possible = services::can_start();
    if options.full && is_possible {
        // They have a run of their own.
        tests.args(["--skip", loss::TESTS]);
    }
    let is_fetched = is_wanted(Capability::Manifests) && !manifests::are_named();
    let fetching = is_fetched.then(|| Fetching::begin(root));
    let absent = to_start(&options.require, options.full && is_possible, services::is_named);
    if absent.is_empty() {
        hand_over(fetching, &mut tests);
        tally.add(workspace_tests(&mut tests, &options.require, verified)?);
        return Ok(tally);
    }
    let mut services = ForTests::begin(root, &one_each(&absent), false)?;
    // They start while cargo builds.
    let built = process::run(&mut process::cargo(["test", "--workspace", "--no-run"]))?;
    match services.ready() {
        Ok(variables) => {
            for (name, value) in &variables {
                println!("started for the tests: {name}={value}");
            }
            tests.envs(variables);
        }
        Err(error) => fail(&mut tally, &format!("the services do not start: {error:#}")),
    }
    hand_over(fetching, &mut tests);
    if built == Status::Succeeded {
        tally.add(workspace_tests(&mut tests, &options.require, verified)?);
    } else {
        fail(&mut tally, "the tests cannot be built");
    }
    if let Err(error) = services.end() {
        fail(&mut tally, &format!("the services of the tests: {error:#}"));
    }
    Ok(tally)
}

/// Names the tools of the manifests to the tests. Where they cannot be had the tests say that they were skipped, which is
/// a failure where they are required.
fn hand_over(fetching: Option<Fetching>, tests: &mut Command) {
    match fetching.map(Fetching::end) {
        Some(Ok(tools)) => {
            tests.env(manifests::VARIABLE, tools);
        }
        Some(Err(error)) => println!("no tools for the manifests: {error:#}"),
        None => {}
    }
}

/// The tests of TLS and logins over a node that takes nothing else: the one of the other tests takes plain clients, too.
fn secured(root: &Path, verified: &mut Verified) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut services = ForTests::begin(root, &one_each(&[Kind::Kafka, Kind::Cassandra]), true)?;
    match services.ready() {
        Ok(variables) => {
            let mut tests = on_services("secure::");
            tests.env_remove(Kind::Cassandra.variable()).envs(variables);
            tally.add(counted(&mut tests, verified)?);
        }
        Err(error) => fail(&mut tally, &format!("the secured services do not start: {error:#}")),
    }
    if let Err(error) = services.end() {
        fail(&mut tally, &format!("the secured services: {error:#}"));
    }
    Ok(tally)
}

/// Some tests of the server, built as with those of all crates: alone they would be built again with fewer features.
fn on_services(tests: &str) -> Command {
    process::cargo(["test", "--workspace", "--test", "it", tests, "--", "--show-output"])
}

/// Counts the instructions of the hot path against their budget.
fn instructions(root: &Path, tally: &mut Tally, verified: &mut Verified) {
    match count::run(root, false) {
        Ok(Counted::Judged(status)) => {
            println!("instruction counts: {}", if status == Status::Succeeded { "ok" } else { "FAILED" });
            tally.count(status);
        }
        Ok(Counted::Skipped(why)) => skip(tally, verified, &format!("instruction counts: {why}")),
        Err(error) => fail(tally, &format!("instruction counts: {error:#}")),
    }
}

/// Fuzzes each target for a bounded time; the seeds are replayed with the tests of all crates.
fn fuzzed(root: &Path, tally: &mut Tally, verified: &mut Verified) -> Result<()> {
    if !fuzz::is_installed() {
        skip(tally, verified, "fuzzing: cargo-fuzz is not installed");
        return Ok(());
    }
    for target in fuzz::TARGETS {
        verified.begin(&format!("fuzzing, {target}"));
        let status = fuzz::target_run(root, target, FUZZ_S)?;
        match status {
            Status::Succeeded => verified.read(&format!("verified: {FUZZ_S} s without a finding")),
            Status::Failed => println!("FAILED: fuzzing found something in {target}"),
        }
        tally.count(status);
    }
    Ok(())
}

/// Runs the tests of all crates, and looks whether what is required was used.
fn workspace_tests(tests: &mut Command, require: &Require, verified: &mut Verified) -> Result<Tally> {
    let required = require.0.iter().filter(|capability| capability.need().is_some());
    let mut seen: BTreeMap<Capability, Evidence> =
        required.map(|capability| (*capability, Evidence::default())).collect();
    let mut tally = observed(tests, |line| {
        verified.read(line);
        for (capability, evidence) in &mut seen {
            evidence.read(*capability, line);
        }
    })?;
    for (capability, evidence) in &seen {
        if let Some(gap) = evidence.gap() {
            fail(&mut tally, &format!("PAYMUX_REQUIRE names {}, and {gap}", capability.as_str()));
        }
    }
    Ok(tally)
}

/// Services that are required, or wanted all of them, and that nobody named.
fn to_start(require: &Require, wants_all: bool, is_named: impl Fn(Kind) -> bool) -> Vec<Kind> {
    let required = |kind: Kind| {
        require.0.iter().filter_map(|capability| capability.need()?.service).any(|service| service == kind)
    };
    Kind::ALL.into_iter().filter(|kind| (wants_all || required(*kind)) && !is_named(*kind)).collect()
}

fn one_each(kinds: &[Kind]) -> Vec<(Kind, usize)> {
    kinds.iter().map(|kind| (*kind, 1)).collect()
}

/// Runs test programs, shows what they print and adds up what they counted.
fn counted(command: &mut Command, verified: &mut Verified) -> Result<Tally> {
    observed(command, |line| verified.read(line))
}

/// The same, with each line shown to somebody else, too.
fn observed(command: &mut Command, mut observe: impl FnMut(&str)) -> Result<Tally> {
    let mut tally = Tally::default();
    let status = process::run_lines(command, |line| {
        println!("{line}");
        tally.add(parse_result(line).unwrap_or_default());
        tally.skipped += u64::from(line.starts_with(SKIP_MARK));
        observe(line);
    })?;
    Ok(tally.settle(status))
}

fn fail(tally: &mut Tally, why: &str) {
    println!("FAILED: {why}");
    tally.failed += 1;
}

fn skip(tally: &mut Tally, verified: &mut Verified, what: &str) {
    println!("{SKIP_MARK}{what}");
    verified.skip(what);
    tally.skipped += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_counted_and_others_are_not() {
        let ok =
            "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 7 filtered out; finished in 0.07s";
        assert_eq!(parse_result(ok), Some(Tally { passed: 12, failed: 0, skipped: 3 }));
        let bad =
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s";
        assert_eq!(parse_result(bad), Some(Tally { passed: 1, failed: 2, skipped: 0 }));
        for other in ["running 3 tests", "test a::b ... ok", "  test result: ok. 1 passed"] {
            assert_eq!(parse_result(other), None, "{other}");
        }
    }

    #[test]
    fn the_sum_reads_as_promised() {
        let mut tally = Tally { passed: 1, failed: 0, skipped: 2 };
        tally.add(Tally { passed: 10, failed: 1, skipped: 0 });
        assert_eq!(tally.to_string(), "11 passed, 1 failed, 2 skipped");
    }

    #[test]
    fn a_failed_build_without_any_result_line_is_a_failure() {
        assert_eq!(Tally::default().settle(Status::Failed).failed, 1);
        assert_eq!(Tally { failed: 3, ..Tally::default() }.settle(Status::Failed).failed, 3);
        assert_eq!(Tally::default().settle(Status::Succeeded).failed, 0);
    }

    #[test]
    fn known_capabilities_are_read_and_unknown_ones_refused() {
        assert_eq!(parse_require(""), Ok(Require::default()));
        let both = Require([Capability::Buf, Capability::Kafka].into());
        assert_eq!(parse_require("kafka, buf,"), Ok(both.clone()));
        let fetched = Require([Capability::Prometheus].into());
        assert_eq!(parse_require("prometheus"), Ok(fetched.clone()));
        assert_eq!(to_start(&fetched, false, |_| false), []);
        assert_eq!(to_start(&both, false, |_| false), [Kind::Kafka]);
        assert_eq!(to_start(&both, false, |kind| kind == Kind::Kafka), []);
        assert_eq!(to_start(&Require::default(), false, |_| false), []);
        assert_eq!(to_start(&Require::default(), true, |kind| kind == Kind::Kafka), [Kind::Cassandra]);
        assert_eq!(
            parse_require("kafak"),
            Err("unknown: kafak; known: buf, cql, kafka, manifests, prometheus".to_owned())
        );
    }
}
