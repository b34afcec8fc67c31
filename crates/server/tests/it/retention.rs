//! Retention from outside: a server that comes back 401 days later forgets what is over, and nothing else.

use std::time::Duration;

use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use paymux_proto::v1::{ErrorReason, Fulfilment, ListOrdersRequest};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::rig::{Ports, Server, WAIT_S, World, get, order, seconds, until};

/// Schedule time runs so much faster in the second run, which has no other use than to be far ahead.
const FACTOR: i64 = 1000;
const AHEAD_MS: i64 = 401 * 24 * 3600 * 1000;

/// Longest wait for an order to be forgotten: the sweep passes each minute of 401 days first.
const PATIENCE: Duration = Duration::from_secs(300);

async fn create_and_pay(world: &World, client: &Client, number: &str, minor: i64) {
    let request = v1::CreateOrderRequest { wait: Some(seconds(WAIT_S)), ..order("m01", number, minor) };
    client.create(request).await.expect("created");
    let merchant = &world.merchants[0];
    let out_trade_no = format!("{}{number}", merchant.prefix);
    world.control("pay", &json!({ "mchid": merchant.mchid, "out_trade_no": out_trade_no })).await;
}

/// Reads an order again and again until there is none.
async fn until_forgotten(client: &Client, merchant: &str, number: &str) {
    let begun = Instant::now();
    let mut request = get(merchant, number, 2);
    loop {
        let mut asked = get(merchant, number, 2);
        asked.get_mut().known_version = request.get_ref().known_version.clone();
        match client.orders().get_order(asked).await {
            Ok(answer) => {
                request.get_mut().known_version = answer.into_inner().order.map(|order| order.version);
            }
            Err(status) => {
                assert_eq!(Refusal::of(&status).reason, ErrorReason::OrderNotFound);
                return;
            }
        }
        assert!(begun.elapsed() < PATIENCE, "{merchant}/{number} is still there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_forgotten_and_what_waits_for_a_person_is_kept() {
    let world = World::start(&[]);
    let data = TempDir::new().expect("a folder for the test");
    let ports = Ports::free();
    let mut server = Server::start_with(&world.config_file(), data.path(), ports, &["backend.partitions=1"]);
    let client = server.client().await;
    create_and_pay(&world, &client, "PAID-1", 1234).await;
    let paid = until(&client, "m01", "PAID-1", |order| order.fulfilment() == Fulfilment::Fulfil).await;
    // These digits make the provider state one fen more than the order has.
    create_and_pay(&world, &client, "PARKED-1", 1095).await;
    until(&client, "m01", "PARKED-1", |order| !order.attention.is_empty()).await;
    server.process.signal("TERM");
    assert_eq!(server.process.exit_code(), Some(0));

    // origin + (now - origin) * factor lies that far ahead of now.
    let now_ms = paid.create_time.map_or(0, |time| time.seconds * 1000);
    let origin = format!("clock_origin_ms={}", now_ms - AHEAD_MS / (FACTOR - 1));
    let factor = format!("clock_factor={FACTOR}");
    let settings = ["backend.partitions=1", "backend.retention_days=400", &factor, &origin];
    let server = Server::start_with(&world.config_file(), data.path(), ports, &settings);
    let client = server.client().await;
    until_forgotten(&client, "m01", "PAID-1").await;

    let all = ListOrdersRequest { merchant_id: "m01".to_owned(), ..ListOrdersRequest::default() };
    let listed = client.orders().list_orders(all).await.expect("a page").into_inner().orders;
    let listed: Vec<_> = listed.iter().map(|order| order.merchant_order_no.as_str()).collect();
    assert_eq!(listed, ["PARKED-1"]);
    let find = v1::FindOrderRequest {
        merchant_id: "m01".to_owned(),
        provider: "wechatpay".to_owned(),
        provider_trade_no: paid.payments[0].provider_trade_no.clone(),
    };
    let refused = client.orders().find_order(find).await.expect_err("it is forgotten");
    assert_eq!(Refusal::of(&refused).reason, ErrorReason::OrderNotFound);
    let parked = client.operator().list_parked(v1::ListParkedRequest::default()).await.expect("a page");
    assert_eq!(parked.into_inner().orders.len(), 1);
}
