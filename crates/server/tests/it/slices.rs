//! A shard group that is divided: its owners keep the budget of the account together, every order is found in its
//! slice, and the number of slices changes only when nothing is open.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use futures_util::{StreamExt as _, stream};
use paymux_domain::shard::{Partition, SlicedGroup};
use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::get_shard_request::Target;
use paymux_proto::v1::{Fulfilment, OrderEventKind};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::rig::{PATIENCE, Ports, Server, World, order, paymux, until};

/// The merchant, at WeChat Pay with an account of its own, and the name of its account and of its group.
const MERCHANT: &str = "m03";
const ACCOUNT: &str = "direct-own-0";

const PARTITIONS: u16 = 8;
const SLICES: u16 = 4;

/// The budget of the account for creates: one slice has 5 a second.
const PER_SECOND: u64 = 20;
const BURST: u64 = 8;

/// Orders at once: what the account may do in more than ten seconds.
const ORDERS: usize = 260;

fn group(slices: u16) -> SlicedGroup {
    SlicedGroup::new(ACCOUNT.parse().expect("a valid group"), slices).expect("one that can be divided")
}

fn settings(slices: u16) -> Vec<String> {
    vec![
        format!("backend.partitions={PARTITIONS}"),
        format!("shard_groups.{ACCOUNT}.slices={slices}"),
        format!("accounts.{ACCOUNT}.budgets.create_per_s={PER_SECOND}"),
        format!("accounts.{ACCOUNT}.budgets.create_burst={BURST}"),
    ]
}

fn start(world: &World, data: &TempDir, ports: Ports, slices: u16) -> Server {
    let settings = settings(slices);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    Server::start_with(&world.config_file(), data.path(), ports, &settings)
}

fn number(n: usize) -> String {
    format!("SLICED-{n:04}")
}

/// The orders of which the watch tells that they can be paid, until so many have.
async fn launched(mut watch: tonic::Streaming<v1::WatchOrdersResponse>, wanted: usize) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let deadline = Instant::now() + PATIENCE + PATIENCE;
    while seen.len() < wanted {
        let next = tokio::time::timeout_at(deadline, watch.message()).await;
        let message = next.unwrap_or_else(|_| panic!("only {} of {wanted} are told", seen.len()));
        let Some(event) = message.expect("the watch goes on").expect("it does not end").event else {
            continue;
        };
        if event.kind() == OrderEventKind::Launched {
            seen.insert(event.order.expect("the order").merchant_order_no);
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_of_a_divided_group_keep_the_budget_together_and_every_order_is_found() {
    let (world, data) = (World::start(&[]), TempDir::new().unwrap());
    let server = start(&world, &data, Ports::free(), SLICES);
    let client = server.client().await;
    let request =
        v1::WatchOrdersRequest { merchant_id: MERCHANT.to_owned(), ..v1::WatchOrdersRequest::default() };
    let watch =
        client.orders().watch_orders(Client::request(request, None)).await.expect("an answer").into_inner();
    let telling = tokio::spawn(launched(watch, ORDERS));
    let create = |n: usize| {
        let client = client.clone();
        async move { client.create(order(MERCHANT, &number(n), 1200)).await.expect("it is taken") }
    };
    stream::iter(0..ORDERS).map(create).buffer_unordered(16).collect::<Vec<_>>().await;
    assert_eq!(telling.await.expect("told").len(), ORDERS, "the watch hears of every slice");

    let mchid = &world.merchants[2].mchid;
    let creates = &world.stats().await["calls"][mchid]["create"];
    let most = creates["max_per_ten_seconds"].as_u64().expect("creates were counted");
    assert!(creates["calls"].as_u64() >= u64::try_from(ORDERS).ok(), "every order left: {creates}");
    assert!(most <= PER_SECOND * 10 + BURST, "{most} in ten seconds");
    assert!(most > PER_SECOND * 5, "only {most} in ten seconds: the slices do not work beside each other");

    look_at_shards(&server, &client).await;
    // One order of each slice is paid: the notification finds it, and so do queries and commands.
    let mut of_slices: BTreeMap<String, usize> = BTreeMap::new();
    for n in 0..ORDERS {
        of_slices
            .entry(group(SLICES).key(&number(n).parse().expect("a valid number")).to_string())
            .or_insert(n);
    }
    assert_eq!(of_slices.len(), usize::from(SLICES));
    for (key, n) in of_slices {
        pay(&world, &number(n)).await;
        until(&client, MERCHANT, &number(n), |order| order.fulfilment() == Fulfilment::Fulfil).await;
        assert_eq!(created_in(&client, &number(n)).await, key);
    }
}

/// What operators are told: each slice once, with its part of the account, and the account as a whole.
async fn look_at_shards(server: &Server, client: &Client) {
    let told =
        paymux(&["shard", "list", "--merchant", MERCHANT, "--output", "json", "--server", &server.grpc]);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let mut slices = Vec::new();
    for line in String::from_utf8(told.stdout).expect("UTF-8").lines() {
        let shard: Value = serde_json::from_str(line).expect("JSON");
        let partition =
            Partition(u16::try_from(shard["partition"].as_u64().expect("a number")).expect("few"));
        let here: Vec<u16> = group(SLICES).slices_in(partition, PARTITIONS).collect();
        assert_eq!(shard["slices"], json!(here), "{shard}");
        let create = &shard["limits"][0]["operations"][0];
        let part = 5.0 * f64::from(u16::try_from(here.len()).expect("few"));
        assert_eq!(create["rate_per_s"].as_f64(), Some(part), "{shard}");
        slices.extend(here);
    }
    slices.sort_unstable();
    assert_eq!(slices, (0..SLICES).collect::<Vec<_>>());

    let request = v1::GetShardRequest { target: Some(Target::ShardGroup(ACCOUNT.to_owned())) };
    let shard = client.operator().get_shard(request).await.expect("an answer").into_inner();
    assert_eq!((shard.shard_group.as_str(), shard.slices), (ACCOUNT, u32::from(SLICES)));
    let request = v1::GetLimitsRequest { provider: "wechatpay".to_owned(), account: ACCOUNT.to_owned() };
    let whole =
        client.operator().get_limits(request).await.expect("an answer").into_inner().limits.expect("limits");
    let create = whole.operations.iter().find(|limit| limit.operation() == v1::ProviderOperation::Create);
    let create = create.expect("creates are limited");
    assert_eq!(create.rate_per_s, 20.0);
    assert!(create.rate_now_per_s.is_some_and(|rate| rate > 0.0), "every owner has told: {create:?}");
}

async fn pay(world: &World, number: &str) {
    let merchant = &world.merchants[2];
    let out_trade_no = format!("{}{number}", merchant.prefix);
    world.control("pay", &json!({ "mchid": merchant.mchid, "out_trade_no": out_trade_no })).await;
}

/// The shard key that the order was created with.
async fn created_in(client: &Client, number: &str) -> String {
    let request =
        v1::GetTimelineRequest { merchant_id: MERCHANT.to_owned(), merchant_order_no: number.to_owned() };
    let entries = client.orders().get_timeline(request).await.expect("an answer").into_inner().entries;
    let created = entries.into_iter().find(|entry| entry.fact_key == "created").expect("a created order");
    created.details["shard_group"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_slices_changes_only_when_no_order_that_had_it_is_open() {
    let (world, data, ports) = (World::start(&[]), TempDir::new().unwrap(), Ports::free());
    let lies =
        |n: usize, slices| group(slices).partition(&number(n).parse().expect("a valid number"), PARTITIONS);
    let open = (0..1000).find(|n| [2, 1].iter().all(|other| lies(*n, *other) != lies(*n, SLICES)));
    let open = number(open.expect("an order that would lie elsewhere"));

    let mut server = start(&world, &data, ports, SLICES);
    let client = server.client().await;
    client.create(order(MERCHANT, &open, 100)).await.expect("an answer");
    until(&client, MERCHANT, &open, |order| order.launch.is_some()).await;
    server.process.signal("TERM");
    assert_eq!(server.process.exit_code(), Some(0));

    for other in [2, 1] {
        let mut command = Server::command(&world.config_file(), data.path(), ports);
        for setting in settings(other) {
            command.args(["--set", &setting]);
        }
        let refused = command.stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{told}");
        let key = group(SLICES).key(&open.parse().expect("a valid number")).to_string();
        let fault = format!("shard_groups.{ACCOUNT}.slices must be what it was when orders went to {key}");
        assert!(told.contains(&format!("merchants.{MERCHANT}.shard_group: is {ACCOUNT}")), "{told}");
        assert!(told.contains(&fault), "{told}");
    }

    let mut server = start(&world, &data, ports, SLICES);
    let client = server.client().await;
    pay(&world, &open).await;
    until(&client, MERCHANT, &open, |order| order.fulfilment() == Fulfilment::Fulfil).await;
    server.process.signal("TERM");
    assert_eq!(server.process.exit_code(), Some(0));
    // Its refund, long after its end, goes where commands go now.
    let server = start(&world, &data, ports, 2);
    let client = server.client().await;
    let refund = v1::RefundOrderRequest {
        merchant_id: MERCHANT.to_owned(),
        merchant_order_no: open.clone(),
        refund_no: "R1".to_owned(),
        request_id: "refund-1".to_owned(),
        amount: Some(v1::Amount { currency: "CNY".to_owned(), minor: 40 }),
        ..v1::RefundOrderRequest::default()
    };
    client.orders().refund_order(refund).await.expect("an answer");
    until(&client, MERCHANT, &open, |order| {
        order.refunded_amount.as_ref().is_some_and(|sum| sum.minor == 40)
    })
    .await;
}
