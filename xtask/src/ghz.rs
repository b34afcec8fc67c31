//! `cargo xtask ghz`: the configurations of `benches/ghz` run by ghz against an engine and simulators of their own.
//!
//! ghz is another client than ours: it shows that the API works for it, and latencies at fixed rates. On a small machine
//! it ends at its own cost long before the engine does, so it says nothing of capacity.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::process;
use crate::services::{ForTests, Variable, wait};

/// Built from the Go module proxy, in this version.
const GHZ: &str = "github.com/bojand/ghz/cmd/ghz@v0.121.0";

/// How long building it may take.
const BUILD_MAX: Duration = Duration::from_secs(900);

/// How long the engine may take to stop.
const STOP_MAX: Duration = Duration::from_secs(60);

/// Beyond the time of its calls, how long a run may take.
const RUN_MAX: Duration = Duration::from_secs(120);

/// Configurations, in the order in which they run.
const CONFIGURATIONS: [&str; 3] = ["accept", "create", "stream"];

/// What ghz tells bytes of the API by.
const DESCRIPTORS: &str = "crates/proto/src/generated/descriptor.bin";

/// Where log and store of the engine live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Backend {
    /// In its own process.
    Embedded,
    /// On a Kafka and a CQL database.
    Cluster,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask ghz
  cargo xtask ghz --seconds 30
  cargo xtask ghz --backend cluster")]
pub(crate) struct Options {
    /// Where log and store live; a cluster is that of `PAYMUX_TEST_KAFKA` and `PAYMUX_TEST_CQL`, or started for the run
    #[arg(long, value_enum, default_value_t = Backend::Embedded)]
    backend: Backend,
    /// How long each configuration runs, in seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
}

/// Runs every configuration and prints a table.
///
/// # Errors
/// ghz or the engine cannot be built or started, or ghz says nothing that can be read.
pub(crate) fn run(root: &Path, options: &Options) -> Result<ExitCode> {
    let ghz = ghz(root)?;
    let built = process::run(&mut process::cargo(["build", "--release", "-p", "paymux"]))?;
    ensure!(built == process::Status::Succeeded, "the engine cannot be built");
    let mut own = match options.backend {
        Backend::Embedded => None,
        Backend::Cluster => ForTests::begin_absent(root)?,
    };
    let variables = own.as_mut().map(ForTests::ready).transpose()?.unwrap_or_default();
    let ran = on_engine(root, &ghz, options, &variables);
    own.map(ForTests::end).transpose()?;
    let rows = ran?;
    println!("{}", table(&rows));
    let is_clean = rows.iter().all(|row| row.errors == 0);
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn on_engine(root: &Path, ghz: &Path, options: &Options, variables: &[Variable]) -> Result<Vec<Row>> {
    let mut engine = Engine::start(root, options.backend, variables)?;
    let rows = CONFIGURATIONS.iter().map(|name| one(root, ghz, name, options.seconds, &engine.grpc));
    let rows: Result<Vec<Row>> = rows.collect();
    engine.stop()?;
    rows
}

/// The program: that on the path, or one that is built below the folder that cargo builds into.
fn ghz(root: &Path) -> Result<PathBuf> {
    if process::succeeds("ghz", ["--version"]) {
        return Ok("ghz".into());
    }
    let tools = crate::target_folder(root).join("tools");
    let (_, version) = GHZ.split_once('@').context("a version")?;
    let folder = tools.join(format!("ghz-{version}"));
    let program = folder.join("ghz");
    if program.is_file() {
        return Ok(program.canonicalize()?);
    }
    ensure!(process::succeeds("go", ["version"]), "neither ghz nor go, which builds it, is installed");
    println!("building {GHZ}");
    std::fs::create_dir_all(&tools).with_context(|| format!("making {}", tools.display()))?;
    // Built beside its place: what is there is complete, also after a build that was broken off.
    let built = tempfile::Builder::new().prefix("ghz-").tempdir_in(tools.canonicalize()?)?;
    let log = built.path().join("build.log");
    let mut go = process::command("go", ["install", "-ldflags=-s -w", GHZ]);
    let answer = wait::answer(go.env("GOBIN", built.path()), &log, BUILD_MAX)?;
    ensure!(answer.status.success(), "go failed: {}", wait::last_lines(&log));
    if !program.is_file() {
        std::fs::rename(built.path(), &folder)
            .with_context(|| format!("moving ghz to {}", folder.display()))?;
    }
    Ok(program.canonicalize()?)
}

/// `paymux dev` on free ports.
struct Engine {
    child: Child,
    /// Held: closed, it would hold up who writes to it.
    _told: BufReader<ChildStdout>,
    grpc: String,
}

impl Engine {
    fn start(root: &Path, backend: Backend, variables: &[Variable]) -> Result<Self> {
        let binary = crate::target_folder(root).join("release/paymux");
        let mut command = Command::new(&binary);
        command.args(["dev", "--budgets", "high", "--simulator-orders-max", "5000000", "--output", "json"]);
        command.args(["--grpc-port", "0", "--notify-port", "0", "--simulator-port", "0", "--log", "warn"]);
        if backend == Backend::Cluster {
            command.args(["--backend", "cluster"]);
        }
        command.envs(variables.iter().cloned()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("starting {}", binary.display()))?;
        let mut told = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut line = String::new();
        told.read_line(&mut line)?;
        let Ok(Value::Object(known)) = serde_json::from_str(&line) else {
            let status = child.wait()?;
            bail!("paymux dev does not start: {status}");
        };
        let grpc = known.get("grpc").and_then(Value::as_str).context("its address")?.to_owned();
        Ok(Self { child, _told: told, grpc })
    }

    /// Ends it in order, so that it removes what it has made.
    fn stop(&mut self) -> Result<()> {
        let id = self.child.id().to_string();
        ensure!(process::succeeds("kill", ["-s", "TERM", &id]), "the engine cannot be told to stop");
        let child = &mut self.child;
        wait::until(STOP_MAX, || Ok(child.try_wait()?.is_some())).context("the engine does not stop")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Ended before, or by the way out after an error, which is told.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn configuration(root: &Path, name: &str) -> PathBuf {
    root.join("benches/ghz").join(format!("{name}.json"))
}

fn one(root: &Path, ghz: &Path, name: &str, seconds: u32, grpc: &str) -> Result<Row> {
    let file = configuration(root, name);
    let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let known: Value = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
    let number = |key: &str| known.get(key).and_then(Value::as_u64);
    let rate = number("rps").with_context(|| format!("{} names no rps", file.display()))?;
    let messages = number("stream-call-count").unwrap_or(1);
    let total = rate * u64::from(seconds) + number("skipFirst").unwrap_or(0);
    println!("{name}: {rate} calls/s for {seconds} s");
    let folder = tempfile::tempdir()?;
    let (result, log) = (folder.path().join("result.json"), folder.path().join("ghz.log"));
    let mut command = Command::new(ghz);
    command.arg("--config").arg(&file).arg("--protoset").arg(root.join(DESCRIPTORS));
    command.args(["--total", &total.to_string(), "--format", "json", "--output"]).arg(&result).arg(grpc);
    let answer = wait::answer(&mut command, &log, RUN_MAX + Duration::from_secs(u64::from(seconds)))?;
    ensure!(answer.status.success(), "ghz failed: {}", wait::last_lines(&log));
    let told = std::fs::read_to_string(&result).with_context(|| wait::last_lines(&log))?;
    Row::of(name, rate, messages, &serde_json::from_str(&told)?)
}

/// What one configuration came to.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    name: String,
    rate: u64,
    messages: u64,
    calls: u64,
    calls_per_s: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    errors: u64,
}

impl Row {
    /// From ghz's result as JSON.
    fn of(name: &str, rate: u64, messages: u64, result: &Value) -> Result<Self> {
        let calls = result["count"].as_u64().context("ghz tells of no calls")?;
        let latencies = result["latencyDistribution"].as_array();
        let latency_ms = |percent: u64| {
            let found = latencies.into_iter().flatten().find(|entry| entry["percentage"] == percent);
            found.and_then(|entry| entry["latency"].as_f64()).map_or(f64::NAN, |ns| ns / 1e6)
        };
        let statuses = result["statusCodeDistribution"].as_object().context("ghz tells of no codes")?;
        let ok = statuses.get("OK").and_then(Value::as_u64).unwrap_or(0);
        let all: u64 = statuses.values().filter_map(Value::as_u64).sum();
        Ok(Self {
            name: name.to_owned(),
            rate,
            messages,
            calls,
            calls_per_s: result["rps"].as_f64().context("ghz tells of no rate")?,
            p50_ms: latency_ms(50),
            p95_ms: latency_ms(95),
            p99_ms: latency_ms(99),
            errors: all.max(calls) - ok.min(all.max(calls)),
        })
    }
}

fn table(rows: &[Row]) -> String {
    let head = format!(
        "{:10} {:>8} {:>8} {:>10} {:>11} {:>9} {:>9} {:>9} {:>7}",
        "", "asked/s", "calls", "requests/s", "messages/s", "p50 ms", "p95 ms", "p99 ms", "errors"
    );
    let line = |row: &Row| {
        let Row { name, rate, messages, calls, calls_per_s, p50_ms, p95_ms, p99_ms, errors } = row;
        let messages_per_s = calls_per_s * f64::from(u32::try_from(*messages).unwrap_or(u32::MAX));
        format!(
            "{name:10} {rate:>8} {calls:>8} {calls_per_s:>10.1} {messages_per_s:>11.1} {p50_ms:>9.2} {p95_ms:>9.2} \
             {p99_ms:>9.2} {errors:>7}"
        )
    };
    let lines: Vec<String> = std::iter::once(head).chain(rows.iter().map(line)).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
