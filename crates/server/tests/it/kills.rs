//! `kill -9` under load: what was acknowledged is there after the restart and reaches its right end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::{Fulfilment, OrderState};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;
use tempfile::TempDir;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use crate::rig::{Ports, Server, World, is_full, order, until};

/// Callers at once.
const CALLERS: usize = 16;

/// Orders at most in one round, so that the end is near on a fast machine too.
const PER_ROUND_MAX: u64 = 150;

/// Longest wait for the moment of a kill.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the callers know.
#[derive(Debug, Default)]
struct Known {
    acknowledged: BTreeSet<String>,
    sent: BTreeSet<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kills_and_ends_right() {
    let rounds = if is_full() { 30 } else { 3 };
    let world = World::start(&["--payers", "--clock-factor", "120", "--faults", "none"]);
    let data = TempDir::new().unwrap();
    let ports = Ports::free();
    let known = Arc::new(Mutex::new(Known::default()));
    let numbers = Arc::new(AtomicU64::new(0));
    let mut rng = ChaCha12Rng::seed_from_u64(3);
    let acknowledged = Arc::new(watch::Sender::new(0_u64));
    for round in 0..rounds {
        let mut server = Server::start(&world.config_file(), data.path(), ports);
        let client = server.client().await;
        let last = numbers.load(Ordering::Relaxed) + PER_ROUND_MAX;
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let known = Arc::clone(&known);
            let acknowledged = Arc::clone(&acknowledged);
            callers.spawn(call(client.clone(), Arc::clone(&numbers), last, known, acknowledged));
        }
        // The moment of the kill is what is tested: so many answers or events later, the load going on beside it.
        let moment = rng.random_range(1..PER_ROUND_MAX / 2);
        let in_time = if round % 2 == 0 {
            let wanted = acknowledged.borrow().saturating_add(moment);
            let mut counted = acknowledged.subscribe();
            let reached = async { drop(counted.wait_for(|count| *count >= wanted).await) };
            tokio::time::timeout(PATIENCE, reached).await
        } else {
            tokio::time::timeout(PATIENCE, events(&client, moment)).await
        };
        in_time.expect("the load goes on");
        server.process.kill();
        while callers.join_next().await.is_some() {}
    }
    let server = Server::start(&world.config_file(), data.path(), ports);
    let client = server.client().await;
    let Known { acknowledged, sent } = std::mem::take(&mut *known.lock().await);
    println!("{rounds} kills: {} orders acknowledged, {} sent", acknowledged.len(), sent.len());
    assert!(!acknowledged.is_empty());
    let (mut taken, mut recorded) = (0, 0);
    let mut ends = Vec::new();
    for number in &acknowledged {
        ends.push((number, until(&client, "m03", number, ended).await));
    }
    // What was sent and not acknowledged may be there; then it ends, too.
    for number in sent.difference(&acknowledged) {
        if client.orders().get_order(crate::rig::get("m03", number, 0)).await.is_ok() {
            ends.push((number, until(&client, "m03", number, ended).await));
        }
    }
    let truth = world.truth().await;
    for (number, order) in &ends {
        let provider = truth.get(*number);
        let paid = provider.and_then(|order| order["payment"]["reported_total"].as_i64()).unwrap_or(0);
        let ours: i64 =
            order.payments.iter().filter_map(|payment| payment.total.as_ref()).map(|total| total.minor).sum();
        assert_eq!(paid, ours, "{number}: {order:?}");
        if order.state() == OrderState::Closed {
            let state = provider.map_or("CLOSED", |order| order["trade_state"].as_str().unwrap());
            assert_eq!(state.to_uppercase(), "CLOSED", "{number}");
        }
        taken += paid;
        recorded += ours;
    }
    let all: i64 = truth.values().filter_map(|order| order["payment"]["reported_total"].as_i64()).sum();
    println!("money taken {all} fen, recorded {recorded} fen");
    assert_eq!((all, taken), (recorded, recorded));
    assert!(recorded > 0);
}

/// Waits for so many events.
async fn events(client: &Client, count: u64) {
    let request =
        v1::WatchOrdersRequest { merchant_id: "m03".to_owned(), ..v1::WatchOrdersRequest::default() };
    let mut watch = client.watch(request);
    for _ in 0..count {
        watch.next().await.expect("events go on");
    }
}

fn ended(order: &v1::Order) -> bool {
    match order.state() {
        OrderState::Closed | OrderState::Failed => true,
        OrderState::Paid => order.fulfilment() != Fulfilment::Pending,
        _ => false,
    }
}

/// Creates orders one after the other until the server is gone.
async fn call(
    client: Client,
    numbers: Arc<AtomicU64>,
    last: u64,
    known: Arc<Mutex<Known>>,
    acknowledged: Arc<watch::Sender<u64>>,
) {
    loop {
        let n = numbers.fetch_add(1, Ordering::Relaxed);
        if n >= last {
            return;
        }
        let number = format!("KILL-{n:06}");
        known.lock().await.sent.insert(number.clone());
        let minor = 100 + i64::try_from(n % 50).expect("below 50");
        match client.orders().create_order(order("m03", &number, minor)).await {
            Ok(_) => {
                known.lock().await.acknowledged.insert(number);
                acknowledged.send_modify(|count| *count += 1);
            }
            Err(_) => return,
        }
    }
}
