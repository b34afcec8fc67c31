//! `kill -9` under load: orders and refunds that were acknowledged are there after the restart and reach their right
//! end, and no money goes back twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::create_order_request::Expiry;
use paymux_proto::v1::launch::Params;
use paymux_proto::v1::{FactKind, Fulfilment, OrderEventKind, OrderState, RefundState};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::Code;

use crate::rig::{Ports, Server, World, get, http, is_full, order, seconds, until};

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

/// Longest wait for the last end: payers think, and PayJS pushes for an hour, half a minute here.
const ENDS: Duration = Duration::from_secs(300);

/// How long an order can be paid, a quarter of a minute here: on a busy machine too most payers come in time.
const LIFE_S: i64 = 1800;

/// Merchant and order number.
type Name = (&'static str, String);

/// What the callers know.
#[derive(Debug, Default)]
struct Known {
    acknowledged: BTreeSet<Name>,
    sent: BTreeSet<Name>,
    /// Refunds that were asked for with their amounts; true: acknowledged.
    refunds: BTreeMap<(Name, &'static str), (i64, bool)>,
    /// Where each merchant's watch goes on.
    resume: BTreeMap<&'static str, String>,
}

/// What callers of all rounds share.
#[derive(Debug)]
struct Shared {
    known: Mutex<Known>,
    numbers: AtomicU64,
    orders: watch::Sender<u64>,
    refunds: watch::Sender<u64>,
    open_url: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kills_and_ends_right() {
    let rounds = if is_full() { 50 } else { 3 };
    let world = World::of(MERCHANTS_COUNT, &["--payers", "--clock-factor", "120", "--faults", "none"]);
    // Whoever pays does so soon; payers who come late are the demo's.
    world.control("payers", &json!({ "enabled": true, "seed": 3, "pays": 0.8, "pays_late": 0.0 })).await;
    let data = TempDir::new().unwrap();
    let ports = Ports::free();
    let shared = Arc::new(Shared {
        known: Mutex::default(),
        numbers: AtomicU64::new(0),
        orders: watch::Sender::new(0),
        refunds: watch::Sender::new(0),
        open_url: format!("{}/control/open", world.simulator),
    });
    let mut rng = ChaCha12Rng::seed_from_u64(3);
    for round in 0..rounds {
        let mut server = Server::start(&world.config_file(), data.path(), ports);
        let client = server.client().await;
        let last = shared.numbers.load(Ordering::Relaxed) + PER_ROUND_MAX;
        let (mut creating, mut refunding) = (JoinSet::new(), JoinSet::new());
        for _ in 0..CALLERS {
            creating.spawn(create(client.clone(), last, Arc::clone(&shared)));
        }
        for merchant in MERCHANTS {
            refunding.spawn(refund(client.clone(), merchant, Arc::clone(&shared)));
        }
        // The moment of the kill is what is tested: so many answers or events later, the load going on beside it.
        let moment = async {
            match round % 3 {
                0 => more(&shared.orders, rng.random_range(1..PER_ROUND_MAX / 2)).await,
                1 => more(&shared.refunds, rng.random_range(1..REFUNDS_MAX)).await,
                _ => events(&client, rng.random_range(1..PER_ROUND_MAX / 2)).await,
            }
        };
        tokio::time::timeout(PATIENCE, moment).await.expect("the load goes on");
        server.process.kill();
        while creating.join_next().await.is_some() {}
        refunding.shutdown().await;
    }
    let server = Server::start(&world.config_file(), data.path(), ports);
    let client = server.client().await;
    for merchant in MERCHANTS {
        assert!(ask_again(&client, merchant, &shared).await, "refunds of {merchant} are refused");
    }
    let known = std::mem::take(&mut *shared.known.lock());
    println!(
        "verified: {rounds} kills: {} orders acknowledged, {} sent, {} refunds",
        known.acknowledged.len(),
        known.sent.len(),
        known.refunds.len()
    );
    println!("verified: {}", judge(&world, &client, &known).await);
}

/// Waits for so many answers more.
async fn more(counted: &watch::Sender<u64>, count: u64) {
    let wanted = counted.borrow().saturating_add(count);
    drop(counted.subscribe().wait_for(|counted| *counted >= wanted).await);
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

/// Creates orders one after the other, and opens the pages of PayJS, until the server is gone.
async fn create(client: Client, last: u64, shared: Arc<Shared>) {
    let browser = http();
    loop {
        let n = shared.numbers.fetch_add(1, Ordering::Relaxed);
        if n >= last {
            return;
        }
        let merchant = MERCHANTS[usize::from(n % 2 == 1)];
        let name = (merchant, format!("KILL-{n:06}"));
        shared.known.lock().sent.insert(name.clone());
        let minor = 100 + i64::try_from(n % 50).expect("below 50");
        let expiry = Some(Expiry::ExpireAfter(seconds(LIFE_S)));
        let request = v1::CreateOrderRequest { expiry, ..order(merchant, &name.1, minor) };
        if client.orders().create_order(request).await.is_err() {
            return;
        }
        shared.known.lock().acknowledged.insert(name.clone());
        shared.orders.send_modify(|count| *count += 1);
        let launch = match client.orders().get_order(get(merchant, &name.1, 5)).await {
            Ok(answer) => answer.into_inner().order.and_then(|order| order.launch),
            // It is still on its way to its owner.
            Err(status) if status.code() == Code::NotFound => continue,
            Err(_) => return,
        };
        if let Some(Params::RedirectUrl(url)) = launch.and_then(|launch| launch.params) {
            let opened = browser.post(&shared.open_url).body(json!({ "url": url }).to_string());
            assert!(opened.send().await.expect("the simulator answers").status().is_success());
        }
    }
}

/// Asks again for what was asked and not acknowledged, then for the refunds of each order that is to be delivered, until
/// the server is gone.
async fn refund(client: Client, merchant: &'static str, shared: Arc<Shared>) {
    if !ask_again(&client, merchant, &shared).await {
        return;
    }
    let resume_token = shared.known.lock().resume.get(merchant).cloned();
    let request = v1::WatchOrdersRequest {
        merchant_id: merchant.to_owned(),
        resume_token,
        ..v1::WatchOrdersRequest::default()
    };
    let mut watch = client.watch(request);
    loop {
        let Ok(event) = watch.next().await else { return };
        let order = event.order.clone().unwrap_or_default();
        if event.kind() == OrderEventKind::Fulfil {
            // PayJS gives back the whole payment; at WeChat Pay two parts leave something.
            let whole = order.amount.as_ref().map_or(0, |amount| amount.minor);
            let parts =
                if merchant == MERCHANTS[0] { vec![("R1", 40), ("R2", 45)] } else { vec![("R1", whole)] };
            for (no, minor) in parts {
                let name = (merchant, order.merchant_order_no.clone());
                if !ask(&client, &name, no, minor, &shared).await {
                    return;
                }
            }
        }
        let token = watch.resume_token().expect("behind a message").to_owned();
        shared.known.lock().resume.insert(merchant, token);
    }
}

async fn ask_again(client: &Client, merchant: &str, shared: &Shared) -> bool {
    let open: Vec<_> = shared
        .known
        .lock()
        .refunds
        .iter()
        .filter(|((name, _), (_, acknowledged))| name.0 == merchant && !acknowledged)
        .map(|((name, no), (minor, _))| (name.clone(), *no, *minor))
        .collect();
    for (name, no, minor) in open {
        if !ask(client, &name, no, minor, shared).await {
            return false;
        }
    }
    true
}

/// Asks for a refund; whether it was acknowledged.
async fn ask(client: &Client, name: &Name, no: &'static str, minor: i64, shared: &Shared) -> bool {
    shared.known.lock().refunds.entry((name.clone(), no)).or_insert((minor, false));
    let request = v1::RefundOrderRequest {
        merchant_id: name.0.to_owned(),
        merchant_order_no: name.1.clone(),
        refund_no: no.to_owned(),
        request_id: format!("{}-{no}", name.1),
        amount: Some(v1::Amount { currency: "CNY".to_owned(), minor }),
        ..v1::RefundOrderRequest::default()
    };
    let is_acknowledged = client.orders().refund_order(Client::request(request, None)).await.is_ok();
    if is_acknowledged {
        shared.known.lock().refunds.insert((name.clone(), no), (minor, true));
        shared.refunds.send_modify(|count| *count += 1);
    }
    is_acknowledged
}

/// Compares every order's end, its refunds included, with the provider's truth; tells the sums.
async fn judge(world: &World, client: &Client, known: &Known) -> String {
    assert!(!known.acknowledged.is_empty() && !known.refunds.is_empty());
    let mut names = known.acknowledged.clone();
    // What was sent and not acknowledged may be there; then it ends, too.
    for name in known.sent.difference(&known.acknowledged) {
        if client.orders().get_order(get(name.0, &name.1, 0)).await.is_ok() {
            names.insert(name.clone());
        }
    }
    let (mut sums, mut refunds, mut calls) = ((0, 0), [0, 0], [0, 0]);
    let deadline = Instant::now() + ENDS;
    for name in &names {
        let (order, truth) = settled(world, client, name, deadline).await;
        let (recorded, refunded) = check(name, &order, truth.as_ref());
        sums = (sums.0 + recorded, sums.1 + refunded);
        let asked = known.refunds.iter().filter(|((refunded, _), _)| refunded == name);
        assert_eq!(order.refunds.len(), asked.clone().count(), "{name:?}: {order:?}");
        for ((_, no), (minor, _)) in asked {
            let refund = order.refunds.iter().find(|refund| refund.refund_no == *no);
            let refund = refund.unwrap_or_else(|| panic!("{name:?}: no {no} in {order:?}"));
            assert_eq!(refund.state(), RefundState::Done, "{name:?}: {refund:?}");
            assert_eq!(refund.amount.as_ref().map(|amount| amount.minor), Some(*minor));
        }
        let at = usize::from(name.0 != MERCHANTS[0]);
        refunds[at] += order.refunds.len();
        calls[at] += refund_calls(client, name, &order, truth.as_ref()).await;
    }
    let truth = world.truth().await;
    let paid =
        |order: &Value| order["payment"]["reported_total"].as_i64().filter(|_| !is_undeterminable(order));
    let taken: i64 = truth.values().filter_map(paid).sum();
    let back: i64 = truth.values().filter_map(|order| order["refunds"]["refunded"].as_i64()).sum();
    assert_eq!((taken, back), sums);
    assert!(taken > 0 && back > 0);
    format!(
        "{taken} fen taken, {back} fen given back, all of it recorded; {refunds:?} refunds at WeChat Pay and PayJS in \
         {calls:?} calls"
    )
}

/// The calls that the provider counted for an order's refunds: none that was not on record before it left.
async fn refund_calls(client: &Client, name: &Name, order: &v1::Order, truth: Option<&Value>) -> u64 {
    let list = truth.iter().flat_map(|truth| truth["refunds"]["list"].as_array().expect("a list"));
    let made = list.map(|refund| refund["calls"]["refund"].as_u64().expect("a number")).sum();
    if order.refunds.is_empty() {
        assert_eq!(made, 0, "{name:?}: {truth:?}");
        return 0;
    }
    let request =
        v1::GetTimelineRequest { merchant_id: name.0.to_owned(), merchant_order_no: name.1.clone() };
    let timeline = client.orders().get_timeline(Client::request(request, None)).await;
    let entries = timeline.expect("the order is there").into_inner().entries;
    let recorded = entries.iter().filter(|entry| entry.kind() == FactKind::RefundCall).count();
    assert!(made <= u64::try_from(recorded).expect("few"), "{name:?}: {made} calls, on record: {entries:?}");
    made
}

/// Waits until an order has ended with what the provider knows of it; gives both.
async fn settled(
    world: &World,
    client: &Client,
    name: &Name,
    deadline: Instant,
) -> (v1::Order, Option<Value>) {
    loop {
        let order = until(client, name.0, &name.1, ended).await;
        let truth = world.truth_of(&world.merchants[index(name.0)].mchid, &name.1).await;
        let is_paid = truth.as_ref().is_some_and(|truth| !truth["payment"].is_null());
        let may_come = truth.as_ref().is_some_and(|truth| is_paid && !is_undeterminable(truth));
        if !may_come || !order.payments.is_empty() {
            return (order, truth);
        }
        assert!(Instant::now() < deadline, "{name:?}: paid there, not here: {order:?} {truth:?}");
        let mut news = get(name.0, &name.1, 5);
        news.get_mut().known_version = Some(order.version);
        client.orders().get_order(news).await.expect("the order is there");
    }
}

/// Compares money and end; gives what is recorded as taken and as given back.
fn check(name: &Name, order: &v1::Order, truth: Option<&Value>) -> (i64, i64) {
    let minor = |amount: &Option<v1::Amount>| amount.as_ref().map_or(0, |amount| amount.minor);
    let recorded: i64 = order.payments.iter().map(|payment| minor(&payment.total)).sum();
    let knowable = truth.filter(|truth| !is_undeterminable(truth));
    let paid = knowable.and_then(|truth| truth["payment"]["reported_total"].as_i64()).unwrap_or(0);
    assert_eq!(paid, recorded, "{name:?}: {order:?} {truth:?}");
    if order.state() == OrderState::Closed && name.0 == MERCHANTS[0] {
        let state = truth.map_or("CLOSED", |truth| truth["trade_state"].as_str().expect("a state"));
        assert_eq!(state.to_uppercase(), "CLOSED", "{name:?}");
    }
    let back = truth.map_or(0, |truth| truth["refunds"]["refunded"].as_i64().expect("a sum"));
    let list = truth.map_or(0, |truth| truth["refunds"]["list"].as_array().expect("a list").len());
    assert_eq!(list, order.refunds.len(), "{name:?}: {order:?} {truth:?}");
    assert_eq!(back, minor(&order.refunded_amount), "{name:?}: {order:?} {truth:?}");
    (recorded, back)
}

/// Paid at PayJS, each push of it while the server was down.
fn is_undeterminable(truth: &Value) -> bool {
    truth["payjs"]["undeterminable"] == Value::Bool(true)
}

/// The place of a merchant in the world: they are numbered from 1.
fn index(merchant: &str) -> usize {
    merchant.trim_start_matches('m').parse::<usize>().expect("a number") - 1
}

fn ended(order: &v1::Order) -> bool {
    let refunds_ended =
        order.refunds.iter().all(|refund| matches!(refund.state(), RefundState::Done | RefundState::Failed));
    refunds_ended
        && match order.state() {
            OrderState::Closed | OrderState::Failed => true,
            OrderState::Paid => order.fulfilment() != Fulfilment::Pending,
            _ => false,
        }
}
