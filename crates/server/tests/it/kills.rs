//! `kill -9` under load: orders and refunds that were acknowledged are there after the restart and reach their right
//! end, and no money goes back twice.

use std::time::Duration;

use paymux_proto::client::Client;
use paymux_proto::v1;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;
use serde_json::json;
use tempfile::TempDir;

use crate::load::{Load, Wanted, judge};
use crate::rig::{Ports, Server, World, is_full};

/// Merchants on accounts of their own: one at WeChat Pay, which refunds parts, one at PayJS, which refunds the whole.
const MERCHANTS: [&str; 2] = ["m03", "m07"];

/// So many merchants have both of them among them.
const MERCHANTS_COUNT: u16 = 7;

/// Callers at once.
const CALLERS: usize = 16;

/// Orders at most in one round, so that the end is near on a fast machine too.
const PER_ROUND_MAX: u64 = 150;

/// Refunds in one round before a kill at most; two of three paid orders of WeChat Pay alone bring more.
const REFUNDS_MAX: u64 = 40;

/// Longest wait for the moment of a kill.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long an order can be paid, a quarter of a minute here: on a busy machine too most payers come in time.
const LIFE_S: i64 = 1800;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kills_and_ends_right() {
    let rounds = if is_full() { 50 } else { 3 };
    let world = World::of(MERCHANTS_COUNT, &["--payers", "--clock-factor", "120", "--faults", "none"]);
    // Whoever pays does so soon; payers who come late are the demo's.
    world.control("payers", &json!({ "enabled": true, "seed": 3, "pays": 0.8, "pays_late": 0.0 })).await;
    let data = TempDir::new().unwrap();
    let ports = Ports::free();
    let wanted = Wanted { merchants: &MERCHANTS, prefix: "KILL", life_s: LIFE_S, every: None };
    let load = Load::new(&world, wanted);
    let mut rng = ChaCha12Rng::seed_from_u64(3);
    for round in 0..rounds {
        let mut server = Server::start(&world.config_file(), data.path(), ports);
        let client = server.client().await;
        let callers = load.start(std::slice::from_ref(&client), CALLERS, load.drawn() + PER_ROUND_MAX);
        // The moment of the kill is what is tested: so many answers or events later, the load going on beside it.
        let moment = async {
            match round % 3 {
                0 => load.more_orders(rng.random_range(1..PER_ROUND_MAX / 2)).await,
                1 => load.more_refunds(rng.random_range(1..REFUNDS_MAX)).await,
                _ => events(&client, rng.random_range(1..PER_ROUND_MAX / 2)).await,
            }
        };
        tokio::time::timeout(PATIENCE, moment).await.expect("the load goes on");
        server.process.kill();
        callers.ended().await;
    }
    let server = Server::start(&world.config_file(), data.path(), ports);
    let client = server.client().await;
    load.ask_again(&client).await;
    let known = std::mem::take(&mut *load.known.lock());
    println!(
        "verified: {rounds} kills: {} orders acknowledged, {} sent, {} refunds",
        known.acknowledged.len(),
        known.sent.len(),
        known.refunds.len()
    );
    println!("verified: {}", judge(&world, &client, &known).await);
}

/// Waits for so many events of the first merchant.
async fn events(client: &Client, count: u64) {
    let request =
        v1::WatchOrdersRequest { merchant_id: MERCHANTS[0].to_owned(), ..v1::WatchOrdersRequest::default() };
    let mut watch = client.watch(request);
    for _ in 0..count {
        watch.next().await.expect("events go on");
    }
}
