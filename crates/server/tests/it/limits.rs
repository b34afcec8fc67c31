//! Limits: an account's budget holds at the provider, is used, and holds up nobody else.

use paymux_proto::client::Client;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::rig::{Ports, Server, World, http, order, until};

/// The budget of the account that is short of it. The burst lets it make up for moments at which a busy machine runs
/// something else.
const PER_SECOND: u64 = 50;
const BURST: u64 = 40;
/// Orders that wait for it, for half as long again as a window of the count, so that the count could pass the limit.
const WAITING: u64 = 750;
/// Orders of another account.
const OTHERS: u64 = 50;

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_holds_is_used_and_holds_up_nobody_else() {
    let world = World::start(&[]);
    let data = TempDir::new().unwrap();
    let per_second = format!("accounts.direct-own-0.budgets.create_per_s={PER_SECOND}");
    let burst = format!("accounts.direct-own-0.budgets.create_burst={BURST}");
    let ports = Ports::free();
    let server = Server::start_with(&world.config_file(), data.path(), ports, &[&per_second, &burst]);
    let client = server.client().await;
    let short_of_budget = &world.merchants[2].mchid;

    tokio::join!(accept_all(&client, "m03", WAITING), accept_all(&client, "m01", OTHERS));
    for n in 0..OTHERS {
        until(&client, "m01", &number("m01", n), |order| order.launch.is_some()).await;
    }
    let meanwhile = creates_of(&world, short_of_budget).await["calls"].as_u64().unwrap();
    for n in 0..WAITING {
        until(&client, "m03", &number("m03", n), |order| order.launch.is_some()).await;
    }

    let calls = creates_of(&world, short_of_budget).await;
    assert_eq!(calls["calls"], WAITING);
    let most = calls["max_per_ten_seconds"].as_u64().unwrap();
    println!(
        "verified: {most} calls in the fullest ten seconds; {meanwhile} of {WAITING} while the others went"
    );
    assert!(most <= PER_SECOND * 10 + BURST, "{most} in ten seconds");
    assert!(most * 100 >= PER_SECOND * 10 * 95, "only {most} in ten seconds: the budget is not used");
    assert!(meanwhile < WAITING / 2, "the other account's orders waited for {meanwhile} calls of this one");
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
