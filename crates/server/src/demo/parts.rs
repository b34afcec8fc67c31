//! The processes of a demo on a cluster: started with some roles each, stopped by closing their standard input, which
//! also ends them when the demo itself is killed.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use futures_util::future::{select_all, try_join_all};
use parking_lot::Mutex;
use paymux_domain::ports::RefusalReason;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::running::near;
use crate::cli::{Exit, Output};
use crate::clock::ScaledClock;
use crate::config::Config;
use crate::reload::{Reloaded, Reloader};
use crate::roles::{Listeners, Node, Roles};
use crate::shutdown::Signals;

/// What a process says when its doors are open.
const READY: &str = "ready";

/// What a process is told, to read the merchants' files again, and how its answer begins.
const RELOAD: &str = "reload";
const RELOADED: &str = "reloaded ";

/// Longest wait for a process to be ready, and beyond its own drain time-out for its end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Names what is logged.
const LOG_VARIABLE: &str = "PAYMUX_LOG";

/// What the processes log unless that variable says otherwise: several write on one terminal.
const LOG: &str = "warn,scylla::network::connection=error";

/// Arguments of `demo-part`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paymux demo-part --config paymux.toml --roles worker")]
pub(crate) struct PartArgs {
    /// The configuration that the demo has written.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Which roles this process has.
    #[arg(long)]
    roles: Roles,
}

/// A process of a demo: works until its standard input ends, reads merchants again when it is told to there, and says at
/// last which notifications it refused.
pub(crate) async fn part(args: PartArgs, output: &Output) -> anyhow::Result<Exit> {
    let mut signals = Signals::install().context("signals cannot be caught")?;
    let config = Config::load(Some(&args.config), [], &[])?;
    let (grpc, notify) = (config.server.grpc_listen, config.server.notify_listen);
    let listeners = Listeners::bind_for(args.roles, grpc, notify).await?;
    let surroundings = near(ScaledClock::new(config.clock));
    let node = Node::start(config, args.roles, listeners, surroundings).await?;
    let notifications = node.status().notifications.clone();
    let reloader = Arc::clone(&node.status().reloader);
    output.print(READY, &READY.into())?;
    node.run(async move {
        tokio::select! {
            biased;
            () = obey(&reloader, output) => {}
            _signal = signals.next() => {}
        }
    })
    .await?;
    let refused = notifications.map(|notify| notify.counts().refused()).unwrap_or_default();
    let refused = serde_json::json!(refused);
    output.print(&refused, &refused)?;
    Ok(Exit::Ok)
}

/// Does what the demo asks for, until it asks for nothing more.
async fn obey(reloader: &Arc<Reloader>, output: &Output) {
    let (tell, mut told) = mpsc::channel(1);
    // Reads until the demo ends or this process does.
    drop(spawn_blocking(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if tell.blocking_send(line).is_err() {
                return;
            }
        }
    }));
    while let Some(line) = told.recv().await {
        if line == RELOAD {
            let answer = match reloader.reload().await {
                Ok(Reloaded { merchants, accounts, took }) => {
                    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                    json!({ "merchants": merchants, "accounts": accounts, "took_us": took_us })
                }
                Err(faults) => json!({ "faults": faults.to_string() }),
            };
            // Whoever asked has gone, and with it what this process is for.
            if output.print(format!("{RELOADED}{answer}"), &answer).is_err() {
                return;
            }
        }
    }
}

/// What one process is to be.
pub(super) struct Part<'a> {
    pub(super) roles: &'static str,
    pub(super) config: &'a Path,
}

/// Processes at work. Dropping them lets them stop by themselves.
pub(super) struct Parts {
    running: Vec<Running>,
}

struct Running {
    roles: &'static str,
    stdin: Stdin,
    /// Taken by who asks.
    answers: Option<mpsc::Receiver<String>>,
    /// `None` once its end was seen.
    ended: Option<JoinHandle<std::io::Result<Ended>>>,
}

/// Open for as long as a process is to work.
type Stdin = Arc<Mutex<Option<ChildStdin>>>;

/// Has all processes of a demo read the merchants' files again.
pub(super) struct Reloading {
    parts: Vec<(&'static str, Stdin, mpsc::Receiver<String>)>,
}

impl Reloading {
    /// Asks all of them at once and waits for each; gives what all have in force, and the longest time that one took.
    ///
    /// # Errors
    /// One cannot be asked, does not answer, finds faults, or has other merchants in force than another one.
    pub(super) async fn reload(mut self) -> anyhow::Result<Reloaded> {
        for (roles, stdin, _) in &self.parts {
            let told = stdin.lock().as_mut().map(|stdin| writeln!(stdin, "{RELOAD}"));
            let told = told.with_context(|| format!("the process with the role {roles} has ended"))?;
            told.with_context(|| format!("the process with the role {roles} cannot be asked"))?;
        }
        let mut all: Option<Reloaded> = None;
        for (roles, _, answers) in &mut self.parts {
            let answer = timeout(PATIENCE, answers.recv()).await.ok().flatten();
            let answer =
                answer.with_context(|| format!("the process with the role {roles} answers nothing"))?;
            let one = reloaded(&answer).with_context(|| format!("the process with the role {roles}"))?;
            let before = all.map_or(one, |all| Reloaded { took: all.took.max(one.took), ..all });
            anyhow::ensure!(
                (before.merchants, before.accounts) == (one.merchants, one.accounts),
                "the processes have different merchants in force"
            );
            all = Some(before);
        }
        all.context("there is no process")
    }
}

/// What a process answered.
fn reloaded(answer: &str) -> anyhow::Result<Reloaded> {
    let answer: Value = serde_json::from_str(answer)?;
    if let Some(faults) = answer["faults"].as_str() {
        anyhow::bail!("{faults}");
    }
    let number = |name: &str| answer[name].as_u64().with_context(|| format!("no {name} in {answer}"));
    Ok(Reloaded {
        merchants: usize::try_from(number("merchants")?)?,
        accounts: usize::try_from(number("accounts")?)?,
        took: Duration::from_micros(number("took_us")?),
    })
}

/// How a process ended, and the last line that it said.
struct Ended {
    status: ExitStatus,
    last: String,
}

impl Parts {
    /// Starts them side by side; when it returns, all doors are open.
    pub(super) async fn start<const N: usize>(parts: [Part<'_>; N]) -> anyhow::Result<Self> {
        let running = try_join_all(parts.into_iter().map(Running::start)).await?;
        Ok(Self { running })
    }

    /// What has all of them read the merchants' files again; once, since it takes their answers.
    pub(super) fn reloading(&mut self) -> Reloading {
        let asked = |one: &mut Running| Some((one.roles, Arc::clone(&one.stdin), one.answers.take()?));
        Reloading { parts: self.running.iter_mut().filter_map(asked).collect() }
    }

    /// The work, unless one of them ends before it.
    pub(super) async fn during<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let ends = select_all(self.running.iter_mut().map(|running| Box::pin(running.end())));
        tokio::select! {
            biased;
            (ended, ..) = ends => {
                ended?;
                anyhow::bail!("a process of the demo stopped by itself")
            }
            done = work => done,
        }
    }

    /// Stops and drains them; gives the notifications that were refused, by reason.
    pub(super) async fn stop(mut self) -> anyhow::Result<BTreeMap<&'static str, u64>> {
        for running in &mut self.running {
            drop(running.stdin.lock().take());
        }
        let mut refused = BTreeMap::new();
        for running in self.running.iter_mut().filter(|running| running.ended.is_some()) {
            let roles = running.roles;
            let last = timeout(PATIENCE, running.end())
                .await
                .with_context(|| format!("the process with the role {roles} does not end"))??;
            let counts: BTreeMap<String, u64> = serde_json::from_str(&last).unwrap_or_default();
            for reason in RefusalReason::ALL.into_iter().map(RefusalReason::as_str) {
                let count = counts.get(reason).copied().unwrap_or(0);
                if count > 0 {
                    *refused.entry(reason).or_insert(0) += count;
                }
            }
        }
        Ok(refused)
    }
}

impl Running {
    async fn start(part: Part<'_>) -> anyhow::Result<Self> {
        let Part { roles, config } = part;
        let binary = std::env::current_exe().context("this program does not know where it lies")?;
        let mut command = Command::new(binary);
        if std::env::var_os(LOG_VARIABLE).is_none() {
            command.env(LOG_VARIABLE, LOG);
        }
        let mut child = command
            .args(["demo-part", "--roles", roles, "--config"])
            .arg(config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("a process with the role {roles}"))?;
        let stdin = Arc::new(Mutex::new(child.stdin.take()));
        let (is_ready, ready) = oneshot::channel();
        let (answer, answers) = mpsc::channel(1);
        let ended = Some(spawn_blocking(move || watch(child, is_ready, &answer)));
        let running = Self { roles, stdin, answers: Some(answers), ended };
        match timeout(PATIENCE, ready).await {
            Ok(Ok(())) => Ok(running),
            Ok(Err(_)) => anyhow::bail!("the process with the role {roles} ended before it was ready"),
            Err(_) => anyhow::bail!("the process with the role {roles} is not ready"),
        }
    }

    /// Its last line once it has ended well; pending when that was seen before.
    async fn end(&mut self) -> anyhow::Result<String> {
        let Some(ended) = &mut self.ended else { return std::future::pending().await };
        let seen = ended.await;
        self.ended = None;
        let Ended { status, last } = seen.context("a process is not watched any more")??;
        anyhow::ensure!(status.success(), "the process with the role {} ended: {status}", self.roles);
        Ok(last)
    }
}

/// Reads what a process says until it ends.
fn watch(
    mut child: Child,
    is_ready: oneshot::Sender<()>,
    answer: &mpsc::Sender<String>,
) -> std::io::Result<Ended> {
    let mut is_ready = Some(is_ready);
    let mut last = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            if line == READY {
                // Whoever started it may have given up.
                let _gone = is_ready.take().map(|ready| ready.send(()));
            } else if let Some(told) = line.strip_prefix(RELOADED) {
                // Nobody waits for an answer that there was no question to, or any more.
                let _gone = answer.try_send(told.to_owned());
            } else {
                last = line;
            }
        }
    }
    let status = child.wait()?;
    Ok(Ended { status, last })
}
