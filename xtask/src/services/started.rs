//! The list of what was started: written before anything else can go wrong, so that nothing is left behind unknown.
//!
//! Each member has a folder of its own with its configuration, its data, its `log`, and the `command` that starts it.

use std::fmt;
use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::{READY_MAX, wait};
use crate::process;

/// How long a member may take to stop by itself, and after it was killed.
const STOP_MAX: Duration = Duration::from_secs(30);
/// How long one attempt to connect may take.
const CONNECT_MAX: Duration = Duration::from_millis(500);

/// Which service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Kafka,
    Cassandra,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Kafka, Self::Cassandra];

    /// Its name, that of its folder, and how the names of its members begin.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Cassandra => "cassandra",
        }
    }

    /// The variable that names its members to the tests.
    pub(crate) const fn variable(self) -> &'static str {
        match self {
            Self::Kafka => "PAYMUX_TEST_KAFKA",
            Self::Cassandra => "PAYMUX_TEST_CQL",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A process that was started: one broker or node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Started {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) pid: u32,
    /// The kernel's time of its start: a later process of the same number has another.
    since: u64,
    /// Where it takes clients.
    pub(super) address: SocketAddr,
    /// The port of its other side: Kafka's controller, Cassandra's JMX.
    pub(super) control: u16,
}

impl Started {
    /// Whether it still runs.
    pub(super) fn runs(&self) -> bool {
        start_time(self.pid) == Some(self.since)
    }

    fn line(&self) -> String {
        let Self { kind, name, pid, since, address, control } = self;
        format!("{kind} {name} {pid} {since} {address} {control}")
    }

    fn parse(line: &str) -> Option<Self> {
        let [kind, name, pid, since, address, control] =
            line.split(' ').collect::<Vec<_>>().try_into().ok()?;
        Some(Self {
            kind: Kind::ALL.into_iter().find(|known| known.as_str() == kind)?,
            name: name.to_owned(),
            pid: pid.parse().ok()?,
            since: since.parse().ok()?,
            address: address.parse().ok()?,
            control: control.parse().ok()?,
        })
    }
}

/// All of them, in the file that names them.
#[derive(Debug)]
pub(super) struct List {
    folder: PathBuf,
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
        Ok(Self { folder: folder.to_owned(), started })
    }

    fn write(&self) -> Result<()> {
        let lines: Vec<_> = self.started.iter().map(Started::line).collect();
        let file = self.folder.join("started");
        std::fs::write(&file, lines.join("\n")).with_context(|| format!("writing {}", file.display()))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Started> {
        self.started.iter()
    }

    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Started> {
        self.started.iter().filter(move |one| one.kind == kind)
    }

    pub(super) fn running(&self, kind: Kind) -> impl Iterator<Item = &Started> {
        self.of(kind).filter(|one| one.runs())
    }

    /// The folder of a member.
    pub(super) fn home(&self, kind: Kind, name: &str) -> PathBuf {
        self.folder.join(kind.as_str()).join(name)
    }

    /// A member by its name.
    ///
    /// # Errors
    /// There is none of that name.
    pub(super) fn named(&self, name: &str) -> Result<&Started> {
        let found = self.started.iter().find(|one| one.name == name);
        found.with_context(|| match &self.started[..] {
            [] => format!("{name} is not there: nothing was started"),
            some => {
                let names: Vec<_> = some.iter().map(|one| one.name.as_str()).collect();
                format!("{name} is not there, only {}", names.join(", "))
            }
        })
    }

    /// Strikes out a service: its members must have ended.
    pub(super) fn forget(&mut self, kind: Kind) {
        self.started.retain(|one| one.kind != kind || one.runs());
    }

    /// Starts a member that outlives this process, in its folder, with its output in `log`.
    ///
    /// # Errors
    /// It cannot be started, or the list cannot be written.
    pub(super) fn spawn(
        &mut self,
        kind: Kind,
        name: &str,
        (address, control): (SocketAddr, u16),
        command: &Command,
    ) -> Result<()> {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
        let home = self.home(kind, name);
        let file = home.join("command");
        std::fs::write(&file, words.join("\n")).with_context(|| format!("writing {}", file.display()))?;
        let (pid, since) = launch(&home)?;
        self.started.push(Started { kind, name: name.to_owned(), pid, since, address, control });
        self.write()
    }

    /// Starts a member that has ended once more, on its ports and with its data.
    ///
    /// # Errors
    /// It cannot be started, or the list cannot be written.
    pub(super) fn start_again(&mut self, name: &str) -> Result<()> {
        let Started { kind, .. } = *self.named(name)?;
        let (pid, since) = launch(&self.home(kind, name))?;
        for one in self.started.iter_mut().filter(|one| one.name == name) {
            (one.pid, one.since) = (pid, since);
        }
        self.write()
    }

    /// Waits until members take connections.
    ///
    /// # Errors
    /// One has ended, or takes too long; the message shows the end of its log.
    pub(super) fn wait_until_open(&self, members: &[Started]) -> Result<()> {
        for one in members {
            let is_open = || Ok(TcpStream::connect_timeout(&one.address, CONNECT_MAX).is_ok());
            self.wait_until(one, "takes no connections", is_open)?;
        }
        Ok(())
    }

    /// Waits until something holds for a member; `not_yet` says what is wrong as long as it does not.
    ///
    /// # Errors
    /// It has ended, or it does not hold in time; the message shows the end of its log.
    pub(super) fn wait_until(
        &self,
        one: &Started,
        not_yet: &str,
        mut holds: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        let waited = wait::until(READY_MAX, || {
            ensure!(one.runs(), "it has ended");
            holds()
        });
        waited.map_err(|error| {
            anyhow!("{} at {} {not_yet}: {error:#}; its log, {}", one.name, one.address, self.log_of(one))
        })
    }

    /// Who has ended without being stopped from here, each with the end of its log.
    pub(super) fn died(&self) -> Vec<String> {
        let ended = self.started.iter().filter(|one| !one.runs());
        ended.map(|one| format!("{}; its log, {}", one.name, self.log_of(one))).collect()
    }

    fn log_of(&self, one: &Started) -> String {
        wait::last_lines(&self.home(one.kind, &one.name).join("log"))
    }

    /// Kills a member: it has no time to say goodbye. It stays in the list, and can be started again.
    ///
    /// # Errors
    /// There is none of that name, it does not run, or it does not end.
    pub(super) fn kill(&self, name: &str) -> Result<()> {
        let one = self.named(name)?;
        ensure!(one.runs(), "{name} does not run");
        signal(one, "KILL");
        wait::until(STOP_MAX, || Ok(!one.runs())).with_context(|| format!("killing {name}"))
    }

    /// Stops everything, politely first, and empties the list.
    ///
    /// # Errors
    /// Something does not stop.
    pub(super) fn stop_all(&mut self) -> Result<()> {
        for name in ["TERM", "KILL"] {
            for one in self.started.iter().filter(|one| one.runs()) {
                signal(one, name);
            }
            // Who does not go is killed, then named below.
            drop(wait::until(STOP_MAX, || Ok(!self.started.iter().any(Started::runs))));
        }
        self.started.retain(Started::runs);
        self.write()?;
        let left: Vec<_> = self.started.iter().map(|one| one.name.as_str()).collect();
        if !left.is_empty() {
            bail!("does not stop: {}", left.join(", "));
        }
        Ok(())
    }
}

fn signal(one: &Started, name: &str) {
    // It may end by itself before the signal comes; who sends it looks whether it still runs.
    process::succeeds("kill", ["-s", name, &one.pid.to_string()]);
}

/// Runs the command of a folder there, in a group of its own: a Ctrl-C here is none there.
fn launch(home: &Path) -> Result<(u32, u64)> {
    let file = home.join("command");
    let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let mut words = text.lines();
    let mut command = Command::new(words.next().context("an empty command")?);
    let log = File::options().create(true).append(true).open(home.join("log"))?;
    command.args(words).current_dir(home).process_group(0);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let child = command.spawn().with_context(|| format!("starting {}", file.display()))?;
    let since = start_time(child.id()).with_context(|| format!("{} ended at once", file.display()))?;
    Ok((child.id(), since))
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

    const ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 9);

    /// A list with one member that only sleeps.
    fn asleep(folder: &Path) -> List {
        let mut list = List::read(folder).unwrap();
        std::fs::create_dir_all(list.home(Kind::Kafka, "kafka-1")).unwrap();
        let mut command = Command::new("sleep");
        list.spawn(Kind::Kafka, "kafka-1", (ADDRESS.into(), 10), command.arg("600")).unwrap();
        list
    }

    #[test]
    fn the_list_survives_and_knows_who_still_runs() {
        let folder = tempfile::tempdir().unwrap();
        let list = asleep(folder.path());
        let mut read = List::read(folder.path()).unwrap();
        assert_eq!(read.all().collect::<Vec<_>>(), list.all().collect::<Vec<_>>());
        assert!(read.all().all(Started::runs));
        read.stop_all().unwrap();
        assert_eq!(List::read(folder.path()).unwrap().all().count(), 0);
    }

    #[test]
    fn a_member_is_killed_and_comes_back_with_its_command() {
        let folder = tempfile::tempdir().unwrap();
        let mut list = asleep(folder.path());
        let before = list.named("kafka-1").unwrap().clone();
        list.kill("kafka-1").unwrap();
        assert!(!before.runs() && list.running(Kind::Kafka).count() == 0);
        assert!(list.kill("kafka-1").is_err());
        list.start_again("kafka-1").unwrap();
        let after = List::read(folder.path()).unwrap().named("kafka-1").unwrap().clone();
        assert!(after.runs() && after.pid != before.pid && after.address == before.address);
        let unknown = format!("{:#}", list.kill("kafka-2").unwrap_err());
        assert_eq!(unknown, "kafka-2 is not there, only kafka-1");
        list.stop_all().unwrap();
    }

    #[test]
    fn who_ended_while_it_was_waited_for_is_shown_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut list = List::read(folder.path()).unwrap();
        std::fs::create_dir_all(list.home(Kind::Kafka, "kafka-1")).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no memory; kill -s STOP $$"]);
        list.spawn(Kind::Kafka, "kafka-1", (ADDRESS.into(), 10), &command).unwrap();
        let log = list.home(Kind::Kafka, "kafka-1").join("log");
        let told = || Ok(std::fs::read_to_string(&log).is_ok_and(|text| text.ends_with('\n')));
        wait::until(READY_MAX, told).unwrap();
        let one = list.named("kafka-1").unwrap().clone();
        list.kill("kafka-1").unwrap();
        let text = format!("{:#}", list.wait_until(&one, "is not ready", || Ok(false)).unwrap_err());
        assert!(text.starts_with("kafka-1 at 127.0.0.1:9 is not ready: it has ended; its log, "), "{text}");
        assert!(text.ends_with("/log:\n  | no memory"), "{text}");
        let died = list.died();
        assert!(died.len() == 1 && died[0].ends_with("/log:\n  | no memory"), "{died:?}");
    }

    #[test]
    fn another_process_of_that_number_is_not_it() {
        let ours = Started {
            kind: Kind::Kafka,
            name: "kafka-1".to_owned(),
            pid: std::process::id(),
            since: 1,
            address: ADDRESS.into(),
            control: 10,
        };
        assert!(!ours.runs());
        assert_eq!(Started::parse(&ours.line()), Some(ours));
        assert_eq!(Started::parse("kafka kafka-1 x 1 127.0.0.1:9 10"), None);
    }
}
