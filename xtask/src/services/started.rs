//! The list of what was started: written before anything else can go wrong, so that nothing is left behind unknown.

use std::fmt;
use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{LOOK_EVERY, READY_MAX};
use crate::process;

/// How long a service may take to stop by itself.
const STOP_MAX: Duration = Duration::from_secs(20);

/// Which service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Kafka,
    Cassandra,
}

impl Kind {
    /// Its name, and that of its folder.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Cassandra => "cassandra",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A process that was started from the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Started {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) pid: u32,
    /// The kernel's time of its start: a later process of the same number has another.
    since: u64,
    pub(super) address: SocketAddr,
}

impl Started {
    /// Whether it still runs.
    pub(super) fn runs(&self) -> bool {
        start_time(self.pid) == Some(self.since)
    }

    fn line(&self) -> String {
        format!("{} {} {} {} {}", self.kind, self.name, self.pid, self.since, self.address)
    }

    fn parse(line: &str) -> Option<Self> {
        let [kind, name, pid, since, address] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
        Some(Self {
            kind: [Kind::Kafka, Kind::Cassandra].into_iter().find(|known| known.as_str() == kind)?,
            name: name.to_owned(),
            pid: pid.parse().ok()?,
            since: since.parse().ok()?,
            address: address.parse().ok()?,
        })
    }
}

/// All of them, in the file that names them.
#[derive(Debug)]
pub(super) struct List {
    file: PathBuf,
    started: Vec<Started>,
}

impl List {
    /// Reads the list of a folder; none was started where there is no list.
    ///
    /// # Errors
    /// The file cannot be read, or is no such list.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let file = folder.join("started");
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
        };
        let parsed = text.lines().map(|line| {
            Started::parse(line)
                .with_context(|| format!("{}: not a started service: {line:?}", file.display()))
        });
        let started = parsed.collect::<Result<_>>()?;
        Ok(Self { file, started })
    }

    fn write(&self) -> Result<()> {
        let lines: Vec<_> = self.started.iter().map(Started::line).collect();
        std::fs::write(&self.file, lines.join("\n"))
            .with_context(|| format!("writing {}", self.file.display()))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Started> {
        self.started.iter()
    }

    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Started> {
        self.started.iter().filter(move |one| one.kind == kind)
    }

    pub(super) fn forget_ended(&mut self) {
        self.started.retain(Started::runs);
    }

    /// Starts a process that outlives this one, with its output in `<folder>/log`.
    ///
    /// # Errors
    /// It cannot be started, or the list cannot be written.
    pub(super) fn spawn(
        &mut self,
        kind: Kind,
        name: &str,
        address: SocketAddr,
        folder: &Path,
        command: &mut Command,
    ) -> Result<()> {
        let log = File::create(folder.join("log")).with_context(|| format!("{name}: its log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let child = command.spawn().with_context(|| format!("starting {name}"))?;
        let pid = child.id();
        let since = start_time(pid).with_context(|| format!("{name} ended at once"))?;
        self.started.push(Started { kind, name: name.to_owned(), pid, since, address });
        self.write()
    }

    /// Waits until every service of a kind takes connections.
    ///
    /// # Errors
    /// One has ended, or takes too long; the message names its log.
    pub(super) fn wait_until_open(&self, kind: Kind) -> Result<()> {
        for one in self.of(kind) {
            let log = || self.file.with_file_name(kind.as_str()).join(&one.name).join("log");
            wait_until(|| {
                ensure!(one.runs(), "{} has ended; its log: {}", one.name, log().display());
                Ok(TcpStream::connect_timeout(&one.address, LOOK_EVERY).is_ok())
            })
            .with_context(|| format!("{} at {}; its log: {}", one.name, one.address, log().display()))?;
        }
        Ok(())
    }

    /// Stops everything, politely first.
    ///
    /// # Errors
    /// Something does not stop.
    pub(super) fn stop_all(&mut self) -> Result<()> {
        for (signal, patience) in [("TERM", STOP_MAX), ("KILL", STOP_MAX)] {
            for one in self.started.iter().filter(|one| one.runs()) {
                process::succeeds("kill", ["-s", signal, &one.pid.to_string()]);
            }
            let deadline = Deadline::after(patience);
            while self.started.iter().any(Started::runs) && !deadline.is_over() {
                sleep(LOOK_EVERY);
            }
        }
        self.forget_ended();
        self.write()?;
        let left: Vec<_> = self.started.iter().map(|one| one.name.as_str()).collect();
        ensure!(left.is_empty(), "does not stop: {}", left.join(", "));
        Ok(())
    }
}

/// Looks again and again until something is so.
///
/// # Errors
/// A look fails, or it is not so in time.
pub(super) fn wait_until(mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Deadline::after(READY_MAX);
    while !is_so()? {
        ensure!(!deadline.is_over(), "not ready after {} s", READY_MAX.as_secs());
        sleep(LOOK_EVERY);
    }
    Ok(())
}

/// A time by which something must have happened.
struct Deadline {
    began: Instant,
    patience: Duration,
}

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "other programs are waited for in real time")]
    fn after(patience: Duration) -> Self {
        Self { began: Instant::now(), patience }
    }

    fn is_over(&self) -> bool {
        self.began.elapsed() > self.patience
    }
}

/// When a process was started, in the kernel's ticks; `None` if there is none, or it is dead and only not buried yet.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if state == "Z" { None } else { fields.nth(18)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_survives_and_knows_who_still_runs() {
        let folder = tempfile::tempdir().unwrap();
        let mut list = List::read(folder.path()).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], 9));
        let mut command = Command::new("sleep");
        list.spawn(Kind::Kafka, "kafka-1", address, folder.path(), command.arg("600")).unwrap();
        let mut read = List::read(folder.path()).unwrap();
        assert_eq!(read.all().collect::<Vec<_>>(), list.all().collect::<Vec<_>>());
        assert!(read.all().all(Started::runs));
        read.stop_all().unwrap();
        assert_eq!(List::read(folder.path()).unwrap().all().count(), 0);
    }

    #[test]
    fn another_process_of_that_number_is_not_it() {
        let ours = Started {
            kind: Kind::Kafka,
            name: "kafka-1".to_owned(),
            pid: std::process::id(),
            since: 1,
            address: SocketAddr::from(([127, 0, 0, 1], 9)),
        };
        assert!(!ours.runs());
        assert_eq!(Started::parse(&ours.line()), Some(ours));
        assert_eq!(Started::parse("kafka kafka-1 x 1 127.0.0.1:9"), None);
    }
}
