//! Members of a cluster of three are killed under load: with one broker and one node gone accepts go on; with two
//! brokers gone they are refused, and nothing that was refused as not accepted is there later.

use std::process::Command;

use super::load::{self, Load};
use super::rig::{Cluster, Services};
use crate::rig::skipped;

/// Members of each service, and copies of everything.
const MEMBERS: u16 = 3;

/// Accepted orders of each merchant that show that the load goes on.
const MORE: usize = 10;

/// Refusals that show that nothing is accepted.
const REFUSALS: usize = 20;

/// Brokers and nodes that may be killed.
#[derive(Debug)]
struct Members {
    folder: String,
    xtask: String,
}

impl Members {
    /// Those that the run of all tests has started; `None`, with a word on it, where there are none.
    fn named(test: &str) -> Option<Self> {
        let named = |wanted: &str| {
            let found = std::env::vars_os().find(|(name, _)| name == wanted);
            found.and_then(|(_, value)| value.into_string().ok()).filter(|value| !value.is_empty())
        };
        match (named("PAYMUX_TEST_CLUSTER_FOLDER"), named("PAYMUX_TEST_XTASK")) {
            (Some(folder), Some(xtask)) => Some(Self { folder, xtask }),
            _ => {
                skipped(
                    test,
                    "it kills brokers and nodes of its own, which `cargo xtask test --full` starts",
                );
                None
            }
        }
    }

    /// `cargo xtask services` with some members; returns when it is done.
    async fn ask(&self, what: &str, members: &[&str]) {
        let mut command = Command::new(&self.xtask);
        command.args(["services", "--folder", &self.folder, what]).args(members);
        let done = tokio::task::spawn_blocking(move || command.output()).await.expect("it ends");
        let done = done.expect("it runs");
        assert!(done.status.success(), "{what} {members:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_go_on_without_one_member_and_nothing_refused_without_two_is_there_later() {
    let test = "loss of members";
    let Some(members) = Members::named(test) else { return };
    let Some(services) = Services::named(test) else { return };
    let services = Services { copies: MEMBERS, ..services };
    let cluster = Cluster::of(load::world().await, &services, "it_loss");
    cluster.migrate();
    let _running = ["worker", "worker", "ingest", "notify"].map(|roles| cluster.start(roles));
    let client = cluster.client().await;
    let load = Load::start(&client);
    load.more_of_each("with all members", MORE).await;

    members.ask("kill", &["kafka-2", "cassandra-2"]).await;
    load.more_of_each("without one broker and one node", MORE).await;
    let without_one = load.counts();

    members.ask("kill", &["kafka-3"]).await;
    let refused = |before: usize| move |counts: &load::Counts| counts.refused >= before + REFUSALS;
    let without_two = load.until("without two brokers", refused(without_one.refused)).await;
    let unavailable = without_two.unavailable - without_one.unavailable;
    assert!(unavailable > 0, "without a quorum of brokers accepts are refused with UNAVAILABLE");
    members.ask("start", &["kafka-2", "kafka-3", "cassandra-2"]).await;
    load.more_of_each("with all members again", MORE).await;
    let again = load.counts();
    let judged = load.judge(&cluster, &client).await;
    println!(
        "verified: kill -9 of 1 broker of 3 and 1 node of 3 under load, then of a second broker: {} accepts before the \
         second, {} refused while it was away, {unavailable} of them with UNAVAILABLE, {} accepted in all after both were back; {judged}",
        without_one.accepted,
        without_two.refused - without_one.refused,
        again.accepted
    );
}
