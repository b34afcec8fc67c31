//! The other processes of a bench: this program again, as engine or as provider, so that what each of them uses is told
//! apart.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use paymux_server::config::Config;
use paymux_server::roles::{Listeners, Node, Roles, Surroundings};
use tokio::runtime::Builder;

use crate::{cpu, now, provider};

/// What a part says once it is there.
pub(crate) const READY: &str = "ready";

const ENGINE: &str = "engine";
const PROVIDER: &str = "provider";

/// Longest wait for a part to end, and the pause between two looks.
const END_MAX: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(5);

/// Plays the part that the arguments name; `false` where they name none, so that this process is the bench itself.
///
/// # Errors
/// The part ended badly.
pub fn played() -> Result<bool> {
    let arguments: Vec<String> = std::env::args().collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [_, ENGINE, config, roles] => engine(config, roles)?,
        [_, PROVIDER, port] => provider::run(port.parse()?)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// What `paymux serve` does, without its log.
#[expect(clippy::print_stdout, reason = "whoever started it waits for the word")]
fn engine(config: &str, roles: &str) -> Result<()> {
    let roles: Roles = roles.parse().map_err(anyhow::Error::msg)?;
    let config =
        Config::load(Some(config.as_ref()), [], &[]).map_err(|faults| anyhow::anyhow!("{faults}"))?;
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let listeners =
            Listeners::bind_for(roles, config.server.grpc_listen, config.server.notify_listen).await?;
        let node = Node::start(config, roles, listeners, Surroundings::default()).await?;
        println!("{READY}");
        node.run(left_alone()).await.context("the node failed")
    });
    runtime.shutdown_background();
    ended
}

/// Until whoever started this process closes its standard input, or has ended.
pub(crate) async fn left_alone() {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    // However it ended, nobody is there any more.
    drop(read.await);
}

/// A process that plays a part. It ends when this is dropped.
#[derive(Debug)]
pub struct Part {
    child: Child,
    stdin: Option<ChildStdin>,
    output: Option<JoinHandle<()>>,
}

impl Part {
    /// The engine with some roles; when it returns, the doors are open.
    pub(crate) fn engine(config: &std::path::Path, roles: &str) -> Result<Self> {
        let config = config.to_str().context("the folder's name is no UTF-8")?;
        Self::start(&[ENGINE, config, roles])
    }

    /// A worker by this configuration, as [`Site::start`](crate::Site::start).
    ///
    /// # Errors
    /// It does not start.
    pub fn worker(config: &std::path::Path) -> Result<Self> {
        Self::engine(config, "worker")
    }

    /// A provider on that port of loopback.
    pub(crate) fn provider(port: u16) -> Result<Self> {
        Self::start(&[PROVIDER, &port.to_string()])
    }

    fn start(arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        ensure!(line.trim() == READY, "{arguments:?} did not start");
        // What it says later is read away, so that it never waits for a reader.
        let output = std::thread::spawn(move || drop(std::io::copy(&mut output, &mut std::io::sink())));
        Ok(Self { child, stdin, output: Some(output) })
    }

    /// Processor time since its start.
    ///
    /// # Errors
    /// It does not run any more.
    pub fn cpu_time(&self) -> Result<Duration> {
        cpu::cpu_time_of(&self.child.id().to_string())
    }

    /// Resident memory in MiB.
    ///
    /// # Errors
    /// It does not run any more.
    pub fn memory_mib(&self) -> Result<f64> {
        cpu::memory_mib(&self.child.id().to_string())
    }

    /// Stops it as SIGTERM would, and waits for its end.
    ///
    /// # Errors
    /// It ended badly, or not in half a minute.
    pub fn stop(mut self) -> Result<()> {
        self.stdin = None;
        let began = now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "it ended with {status}");
                return Ok(());
            }
            if began.elapsed() > END_MAX {
                bail!("it did not end in {END_MAX:?}");
            }
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(output) = self.output.take() {
            drop(output.join());
        }
    }
}
