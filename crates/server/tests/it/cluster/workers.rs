//! Workers as their logs show them: which partitions each says that it owns.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::get_shard_request::Target;
use serde_json::Value;
use tokio::time::Instant;

use super::rig::{Cluster, PARTITIONS};
use crate::load::index;
use crate::rig::{Process, World};

/// Longest wait for partitions to move; generous, since a test machine may be busy.
const MOVES: Duration = Duration::from_secs(120);

/// Pause between two looks at logs and counters.
const LOOK: Duration = Duration::from_millis(20);

/// A worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) process: Process,
    /// The partitions that it owns, as far as its log was read, and since when.
    owned: BTreeMap<u16, Instant>,
    /// Partitions that it let go of, and when.
    let_go: Vec<(u16, Instant)>,
}

impl Worker {
    /// A worker with settings of its own.
    pub(crate) fn start(cluster: &Cluster, settings: &[String]) -> Self {
        let mut command = cluster.command("worker");
        for setting in settings {
            command.args(["--set", setting]);
        }
        Self { process: Process::start(&mut command), owned: BTreeMap::new(), let_go: Vec::new() }
    }

    /// The partitions that it owns, and since when.
    pub(crate) fn owned(&mut self) -> &BTreeMap<u16, Instant> {
        for (at, line) in self.process.said() {
            self.hear(at, &line);
        }
        &self.owned
    }

    fn hear(&mut self, at: Instant, line: &str) {
        let Ok(told) = serde_json::from_str::<Value>(line) else { return };
        let fields = &told["fields"];
        let Some(partition) = fields["partition"].as_u64().and_then(|number| u16::try_from(number).ok())
        else {
            return;
        };
        match fields["message"].as_str() {
            Some("a partition is owned") => drop(self.owned.insert(partition, at)),
            Some("a partition is let go of") => {
                self.owned.remove(&partition);
                self.let_go.push((partition, at));
            }
            _ => {}
        }
    }

    /// Stops it, and waits until it has let go of everything and ended.
    pub(crate) async fn stop(&mut self) {
        self.process.signal("TERM");
        let deadline = Instant::now() + MOVES;
        while !self.owned().is_empty() {
            assert!(Instant::now() < deadline, "it keeps {:?}", self.owned);
            look_again().await;
        }
        assert_eq!(self.process.exit_code(), Some(0));
    }

    /// How long each partition that this worker let go of had no owner until one of these had it.
    pub(crate) fn gaps(&self, heirs: &BTreeMap<u16, Instant>) -> Vec<Duration> {
        let gaps = self
            .let_go
            .iter()
            .filter_map(|(partition, at)| heirs.get(partition)?.checked_duration_since(*at));
        gaps.collect()
    }
}

/// Waits until every partition has an owner among these workers, and each of them owns one.
pub(crate) async fn all_owned(workers: &mut [Worker]) -> BTreeMap<u16, Instant> {
    let deadline = Instant::now() + MOVES;
    loop {
        let owned: Vec<BTreeMap<u16, Instant>> =
            workers.iter_mut().map(|worker| worker.owned().clone()).collect();
        let all: BTreeMap<u16, Instant> = owned.iter().flatten().map(|(p, at)| (*p, *at)).collect();
        if all.len() == usize::from(PARTITIONS) && owned.iter().all(|owned| !owned.is_empty()) {
            return all;
        }
        assert!(Instant::now() < deadline, "partitions have not moved: {owned:?}");
        look_again().await;
    }
}

/// Pauses before logs or counters are looked at again.
pub(crate) async fn look_again() {
    tokio::time::sleep(LOOK).await; // tidy: looks again
}

/// Accounts (merchant numbers at the provider) of merchants, by the partition that holds all of their orders.
pub(crate) async fn accounts(
    world: &World,
    client: &Client,
    merchants: &[&str],
) -> BTreeMap<u16, BTreeSet<String>> {
    let mut accounts: BTreeMap<u16, BTreeSet<String>> = BTreeMap::new();
    for merchant in merchants {
        let request = v1::GetShardRequest { target: Some(Target::MerchantId((*merchant).to_owned())) };
        let told = client.operator().get_shard(Client::request(request, None)).await;
        for status in told.expect("the merchant is known").into_inner().partitions {
            let partition = u16::try_from(status.partition).expect("few partitions");
            accounts.entry(partition).or_default().insert(world.merchants[index(merchant)].mchid.clone());
        }
    }
    accounts
}

/// Calls of all kinds that the provider counted on these accounts.
pub(crate) fn calls_of(stats: &Value, accounts: &BTreeSet<String>) -> u64 {
    let operations = accounts.iter().filter_map(|account| stats["calls"][account].as_object());
    operations.flat_map(|operations| operations.values()).filter_map(|view| view["calls"].as_u64()).sum()
}

/// How long after its owner was lost each partition had its next provider call: seen after one of the heirs had it.
pub(crate) async fn first_calls(
    world: &World,
    heirs: &mut [Worker],
    lost: &BTreeMap<u16, BTreeSet<String>>,
    since: Instant,
) -> Vec<Duration> {
    let deadline = Instant::now() + MOVES;
    let mut counted: BTreeMap<u16, u64> = BTreeMap::new();
    let mut first: BTreeMap<u16, Duration> = BTreeMap::new();
    while first.len() < lost.len() {
        assert!(Instant::now() < deadline, "no call of {lost:?}, only {first:?}");
        let mut owned = BTreeSet::new();
        for heir in heirs.iter_mut() {
            owned.extend(heir.owned().iter().filter(|(_, at)| **at > since).map(|(partition, _)| *partition));
        }
        let stats = world.stats().await;
        for (partition, accounts) in lost.iter().filter(|(partition, _)| owned.contains(*partition)) {
            let calls = calls_of(&stats, accounts);
            if calls > *counted.entry(*partition).or_insert(calls) {
                first.entry(*partition).or_insert_with(|| since.elapsed());
            }
        }
        look_again().await;
    }
    first.into_values().collect()
}
