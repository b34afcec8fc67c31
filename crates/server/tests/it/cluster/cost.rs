//! What an order costs the processors in each role: created, launched, paid, told.

use super::load::{self, Load};
use super::rig::{Cluster, Services};
use crate::rig::{Process, is_full};

#[tokio::test(flavor = "multi_thread")]
async fn each_role_tells_what_an_order_costs_it() {
    let Some(services) = Services::named("the cost of an order") else { return };
    let wanted = if is_full() { 2_000 } else { 100 };
    let cluster = Cluster::of(load::world().await, &services, "it_cost");
    cluster.migrate();
    let roles = ["worker", "ingest", "notify"];
    let running = roles.map(|roles| cluster.start(roles));
    let client = cluster.client().await;
    let before = running.each_ref().map(Process::cpu_ms);
    let load = Load::start(&client);
    let counts = load.until("the load", |counts| counts.accepted >= wanted).await;
    // The judge reads each order again and again: that is not what an order costs.
    let ingest = running[1].cpu_ms();
    load.judge(&cluster, &client).await;
    let mut after = running.each_ref().map(Process::cpu_ms);
    after[1] = ingest;
    let each = |n: usize| {
        let used = after[n].checked_sub(before[n]).expect("it only grows");
        format!("{} {} us", roles[n], used * 1000 / u64::try_from(counts.accepted).expect("few"))
    };
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    println!(
        "verified: CPU per order over {} orders at a steady 16/s, profile {profile}, idle work included: {}",
        counts.accepted,
        [0, 1, 2].map(each).join(", ")
    );
    assert!(after[0] > before[0]);
}
