//! What an order costs the processors in each role: created, launched, paid, told.

use std::time::Duration;

use tokio::time::{Instant, interval};

use super::load::{self, Load};
use super::rig::{Cluster, Services};
use crate::rig::{Process, is_full};

const ROLES: [&str; 3] = ["worker", "ingest", "notify"];

/// How long the processes are looked at before the first order, so that it is known what they use without any.
const IDLE: Duration = Duration::from_secs(5);

/// Processor time of the three processes, and when it was read.
struct Mark {
    ms: [u64; 3],
    at: Instant,
}

impl Mark {
    fn of(running: &[Process; 3]) -> Self {
        Self { ms: running.each_ref().map(Process::cpu_ms), at: Instant::now() }
    }

    /// Milliseconds that a role has used from another mark to this one, and the seconds between them.
    fn since(&self, before: &Self, role: usize) -> (f64, f64) {
        let used = self.ms[role].checked_sub(before.ms[role]).expect("it only grows");
        let used = u32::try_from(used).expect("less than a month");
        (f64::from(used), self.at.duration_since(before.at).as_secs_f64())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_tells_what_an_order_costs_it() {
    let Some(services) = Services::named("the cost of an order") else { return };
    let (callers, wanted) = if is_full() { (25, 5_000) } else { (4, 100) };
    let cluster = Cluster::of(load::world().await, &services, "it_cost");
    cluster.migrate();
    let running = ROLES.map(|roles| cluster.start(roles));
    let client = cluster.client().await;
    let began = Mark::of(&running);
    let mut idle = interval(IDLE);
    idle.tick().await;
    idle.tick().await;
    let before = Mark::of(&running);
    let load = Load::of(&client, callers);
    let counts = load.until("the load", |counts| counts.accepted >= wanted).await;
    // The judge reads each order again and again: that is not what an order costs the ingest.
    let loaded = Mark::of(&running);
    load.judge(&cluster, &client).await;
    let ended = Mark::of(&running);
    let orders = f64::from(u32::try_from(counts.accepted).expect("few"));
    let each = |role: usize| {
        let (idle_ms, idle_s) = before.since(&began, role);
        let last = if ROLES[role] == "ingest" { &loaded } else { &ended };
        let (used_ms, used_s) = last.since(&before, role);
        let idle_share = idle_ms / idle_s;
        let beyond = (used_ms - idle_share * used_s) * 1000.0 / orders;
        format!("{} {beyond:.0} us and {idle_share:.0} ms per second without orders", ROLES[role])
    };
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    println!(
        "verified: CPU per order over {} orders at a steady {}/s, profile {profile}: {}",
        counts.accepted,
        callers * 4,
        [0, 1, 2].map(each).join(", ")
    );
    assert!(ended.ms[0] > before.ms[0]);
}
