//! Owners in processes of their own: one that is killed, and one that sleeps for longer than its session.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use paymux_backends::kafka::KafkaConfig;
use paymux_domain::ports::{CommandLog, LogConsumer, LogInput};
use paymux_domain::shard::Partition;
use tokio::time::Instant;

use crate::kafka::{config_of, migrated, open, other};
use crate::suite::ends;
use crate::suite::values::record;

/// Set in a process that is an owner, to the brokers and the group.
const OWNER: &str = "PAYMUX_TEST_KAFKA_OWNER";
const P: Partition = Partition(1);

/// An owner in a process of its own; killed when it is dropped.
struct Process {
    child: Child,
    told: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Runs the same test again as an owner.
    fn start(test: &str, config: &KafkaConfig) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", test, "--nocapture"])
            .env(OWNER, format!("{} {}", config.brokers.join(","), config.group))
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let told = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self { child, told }
    }

    /// Waits for a line that begins with a word; the rest of it.
    fn tells(&mut self, word: &str) -> String {
        loop {
            let line = self.told.next().expect("it tells more").expect("text");
            if let Some(rest) = line.strip_prefix(word) {
                return rest.to_owned();
            }
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Owns partitions, commits one record of those it reads, then commits that again and again.
#[expect(clippy::print_stdout, reason = "so the process that started this one hears of it")]
async fn be_an_owner(settings: &OsStr) {
    let (brokers, group) =
        settings.to_str().and_then(|text| text.split_once(' ')).expect("brokers and group");
    let backend = open(&other(&config_of(brokers, group), "child"));
    let member = backend.join().expect("a member");
    let (mut generation, mut read) = (0, 0);
    while read < 3 {
        match member.next(100).await.expect("the group goes on") {
            LogInput::Assigned { partition: P, generation: new, .. } => generation = new,
            LogInput::Records { records, .. } => read += records.len(),
            _ => {}
        }
    }
    member.commit(P, generation, 1).await.expect("its owner commits");
    println!("\nowns {generation}");
    loop {
        let committed = member.commit(P, generation, 3).await;
        let answer = if committed.is_ok() { "committed" } else { "refused" };
        println!("{answer} {generation}");
        if committed.is_err() {
            return;
        }
    }
}

/// Takes over what a former owner leaves: how long it took, the generation, the start.
async fn take_over(config: &KafkaConfig) -> (Duration, u64, u64) {
    let began = Instant::now();
    let backend = open(&other(config, "heir"));
    let member = backend.join().expect("a member");
    loop {
        let input = ends(member.next(100)).await;
        if let LogInput::Assigned { partition: P, generation, start } = input.expect("the group goes on") {
            return (began.elapsed(), generation, start);
        }
    }
}

async fn appended(config: &KafkaConfig) {
    let log = open(config).log();
    for number in 0..3 {
        ends(log.append(P, record(number))).await.expect("appended");
    }
}

#[tokio::test]
async fn a_killed_owner_is_followed_after_its_session_from_its_last_position() {
    if let Some(settings) = std::env::var_os(OWNER) {
        return be_an_owner(&settings).await;
    }
    let Some(config) = migrated() else { return };
    appended(&config).await;
    let test = "kafka_crash::a_killed_owner_is_followed_after_its_session_from_its_last_position";
    let mut owner = Process::start(test, &config);
    let generation: u64 = owner.tells("owns ").parse().expect("a number");
    owner.tells("committed");
    owner.signal("KILL");
    let (took, next, start) = take_over(&config).await;
    assert_eq!((next, start), (generation + 1, 3));
    // The former owner may believe in its lease for so long. How soon a heir comes is for a quiet machine to show.
    assert!(took >= config.lease_max(), "{took:?}");
}

#[tokio::test]
async fn an_owner_that_slept_for_longer_than_its_session_commits_nothing_any_more() {
    if let Some(settings) = std::env::var_os(OWNER) {
        return be_an_owner(&settings).await;
    }
    let Some(config) = migrated() else { return };
    appended(&config).await;
    let test = "kafka_crash::an_owner_that_slept_for_longer_than_its_session_commits_nothing_any_more";
    let mut owner = Process::start(test, &config);
    let generation: u64 = owner.tells("owns ").parse().expect("a number");
    owner.tells("committed");
    owner.signal("STOP");
    let (_, next, _) = take_over(&config).await;
    assert_eq!(next, generation + 1);
    owner.signal("CONT");
    // What it had said before it was stopped may still be on its way to us.
    assert_eq!(owner.tells("refused "), generation.to_string());
    let end = open(&other(&config, "reader"));
    assert_eq!(ends(end.log().lag(P)).await.expect("it answers"), 0, "the position did not fall");
}
