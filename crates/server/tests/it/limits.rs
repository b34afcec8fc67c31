//! Limits: an account's budget holds at the provider, is used, and holds up nobody else.

use std::time::Duration;

use paymux_proto::client::Client;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::rig::{Ports, Server, World, http, order, until};

/// The budget of the account that is short of it, and the orders that wait for it.
const PER_SECOND: u64 = 50;
const BURST: u64 = 10;
const WAITING: u64 = 500;

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_holds_is_used_and_holds_up_nobody_else() {
    let world = World::start(&[]);
    let data = TempDir::new().unwrap();
    let per_second = format!("accounts.direct-own-0.budgets.create_per_s={PER_SECOND}");
    let burst = format!("accounts.direct-own-0.budgets.create_burst={BURST}");
    let ports = Ports::free();
    let server = Server::start_with(&world.config_file(), data.path(), ports, &[&per_second, &burst]);
    let client = server.client().await;

    let begun = Instant::now();
    accept_all(&client, "m03", WAITING).await;
    accept_all(&client, "m01", 50).await;
    for n in 0..50 {
        until(&client, "m01", &number("m01", n), |order| order.launch.is_some()).await;
    }
    let others = begun.elapsed();
    for n in 0..WAITING {
        until(&client, "m03", &number("m03", n), |order| order.launch.is_some()).await;
    }

    let calls = creates_of(&world, &world.merchants[2].mchid).await;
    assert_eq!(calls["calls"], WAITING);
    let most = calls["max_per_ten_seconds"].as_u64().unwrap();
    assert!(most <= PER_SECOND * 10 + BURST, "{most} in ten seconds");
    assert!(most * 100 >= WAITING * 95, "only {most} in ten seconds: the budget is not used");
    let needed = Duration::from_millis(WAITING * 1000 / PER_SECOND);
    assert!(others < needed / 2, "the other account's orders took {others:?}");
}

fn number(merchant: &str, n: u64) -> String {
    format!("LIMIT-{merchant}-{n:04}")
}

async fn accept_all(client: &Client, merchant: &'static str, count: u64) {
    let mut creates = JoinSet::new();
    for n in 0..count {
        let client = client.clone();
        creates.spawn(async move { client.create(order(merchant, &number(merchant, n), 100)).await });
    }
    while let Some(created) = creates.join_next().await {
        created.expect("a task that ends").expect("an order that is accepted");
    }
}

/// The simulator's count of creates of an account.
async fn creates_of(world: &World, mchid: &str) -> serde_json::Value {
    let url = format!("{}/control/stats", world.simulator);
    let stats: serde_json::Value =
        http().get(url).send().await.expect("an answer").json().await.expect("JSON");
    let calls = &stats["calls"][mchid]["create"];
    assert!(calls.is_object(), "no creates of {mchid}: {stats}");
    calls.clone()
}
