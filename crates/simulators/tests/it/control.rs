//! The control API: truth with paging, statistics, plans at run time, launch, reset.

use paymux_simulators::control::view::{ClockView, Operation, OrdersPage, UNKNOWN_ACCOUNT};
use paymux_simulators::faults::FaultKind;
use paymux_simulators::wechatpay::{PREPAY_LIFE_MS, PlatformPublic};
use serde_json::{Value, json};

use crate::client::sign;
use crate::inbox::Inbox;
use crate::rig::{APPID, DIRECT, MCHID, Rig, direct_order, refund_of, start};

fn named(out_trade_no: &str) -> Value {
    json!({"mchid": MCHID, "out_trade_no": out_trade_no})
}

async fn page(rig: &Rig, query: &str) -> OrdersPage {
    serde_json::from_slice(&rig.look(&format!("orders?{query}")).await.body).unwrap()
}

#[tokio::test]
async fn the_truth_is_listed_page_by_page() {
    let rig = start().await;
    for n in 0..5 {
        rig.create(&direct_order(&format!("ORDER{n:04}"))).await;
    }
    rig.create_for("ORDER0009", 1258).await.unwrap();
    let payment = rig.pay("ORDER0003").await;

    let mut seen = Vec::new();
    let mut query = "limit=2".to_owned();
    loop {
        let page = page(&rig, &query).await;
        seen.extend(page.orders);
        let Some(next) = page.next else { break };
        query = format!("limit=2&after={next}");
    }
    let numbers: Vec<&str> = seen.iter().map(|order| order.out_trade_no.as_str()).collect();
    assert_eq!(numbers, ["ORDER0000", "ORDER0001", "ORDER0002", "ORDER0003", "ORDER0004"]);
    let paid = seen[3].payment.as_ref().unwrap();
    assert_eq!(payment["transaction_id"], paid.transaction_id.as_str());
    assert_eq!(serde_json::to_value(seen[3].trade_state).unwrap(), "SUCCESS");
    assert!(seen.iter().filter(|order| order.payment.is_some()).count() == 1);

    for bad in ["limit=0", "limit=1001", "limit=x", "after=noslash", "more=1"] {
        assert_eq!(rig.look(&format!("orders?{bad}")).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn an_expired_order_can_no_longer_be_paid() {
    let rig = start().await;
    rig.create(&direct_order("ORDER0001")).await;
    assert_eq!(rig.control("expire", &named("ORDER0001")).await.status, 200);
    let pay = rig.control("pay", &named("ORDER0001")).await;
    assert_eq!((pay.status, pay.json()["error"].as_str()), (409, Some("the order has expired")));

    rig.create(&direct_order("ORDER0002")).await;
    rig.pay("ORDER0002").await;
    assert_eq!(rig.control("expire", &named("ORDER0002")).await.status, 409);
    assert_eq!(rig.control("expire", &named("NOSUCH01")).await.status, 409);
    assert_eq!(rig.look(&format!("orders/{MCHID}/NOSUCH01")).await.status, 404);
}

#[tokio::test]
async fn faulty_control_bodies_are_refused() {
    let rig = start().await;
    for (path, body) in [
        ("pay", json!({"mchid": MCHID})),
        ("pay", json!({"mchid": MCHID, "out_trade_no": "A", "tip": 1})),
        ("faults", json!({"preset": "worst"})),
        ("faults", json!({"rates": {"notify_lost": 2.0}})),
        ("faults", json!({"rates": {"no_such_kind": 0.1}})),
        ("payers", json!({"pays": 0.9, "pays_late": 0.2})),
        ("merchants", json!({})),
    ] {
        let answer = rig.control(path, &body).await;
        assert_eq!(answer.status, 400, "{path} {body}");
        assert!(answer.json()["error"].is_string());
    }
}

#[tokio::test]
async fn calls_are_counted_per_account_and_operation() {
    let rig = start().await;
    rig.create(&direct_order("ORDER0001")).await;
    for _ in 0..9 {
        rig.query("ORDER0001").await;
    }
    rig.query("NOSUCH01").await;
    rig.close("ORDER0001").await;
    rig.refund(&refund_of("ORDER0001", "REFUND1", 100)).await;
    rig.query_refund("REFUND1").await;
    let path = format!("{DIRECT}/jsapi");
    rig.client.send_with("POST", &path, "{}".to_owned(), "nonsense").await.unwrap();

    let stats = rig.stats().await;
    let own = &stats.calls[MCHID];
    let queries = &own[&Operation::Query];
    assert_eq!((queries.calls, queries.unanswered), (10, 0));
    assert_eq!((queries.answers[&200], queries.answers[&404]), (9, 1));
    assert_eq!(queries.max_per_ten_seconds, 10);
    assert!((1..=10).contains(&queries.max_per_second));
    assert_eq!(own[&Operation::Create].calls, 1);
    assert_eq!(own[&Operation::Close].answers[&403], 1);
    assert_eq!(own[&Operation::Refund].answers[&404], 1);
    assert_eq!(own[&Operation::RefundQuery].answers[&404], 1);
    assert_eq!(stats.calls[UNKNOWN_ACCOUNT][&Operation::Create].answers[&401], 1);
    assert_eq!(stats.orders.known, 1);
}

#[tokio::test]
async fn a_new_fault_plan_takes_effect_at_the_next_call() {
    let rig = start().await;
    let lost = json!({"seed": 1, "rates": {"create_system_error": 1.0}});
    assert_eq!(rig.control("faults", &lost).await.status, 200);
    assert_eq!(rig.create(&direct_order("ORDER0001")).await.status, 500);
    let calm = rig.control("faults", &json!({"preset": "none", "by_amount": false})).await.json();
    assert_eq!((&calm["rates"], &calm["by_amount"]), (&json!({}), &json!(false)));
    assert_eq!(rig.create(&direct_order("ORDER0002")).await.status, 200);
    assert_eq!(rig.create_for("ORDER0003", 1258).await.unwrap().status, 200);

    let heavy = rig.control("faults", &json!({"preset": "heavy", "seed": 3})).await.json();
    assert_eq!(heavy["rates"].as_object().unwrap().len(), FaultKind::ALL.len());
    assert_eq!(rig.look("faults").await.json(), heavy);
}

/// Launch parameters as the engine gives them to the payer's page.
fn launch(prepay_id: &str, appid: &str) -> Value {
    let package = format!("prepay_id={prepay_id}");
    let pay_sign = sign(format!("{appid}\n1704038401\nNONCE\n{package}\n").as_bytes());
    json!({
        "appId": appid, "timeStamp": "1704038401", "nonceStr": "NONCE", "package": package,
        "signType": "RSA", "paySign": pay_sign,
    })
}

#[tokio::test]
async fn the_payers_client_pays_with_right_launch_parameters_only() {
    let rig = start().await;
    let created = rig.create(&direct_order("ORDER0001")).await.json();
    let prepay_id = created["prepay_id"].as_str().unwrap();
    let refused = async |change: (&str, &str), reason: &str| {
        let mut parameters = launch(prepay_id, APPID);
        parameters[change.0] = json!(change.1);
        let answer = rig.control("launch", &parameters).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (409, Some(reason)));
    };
    refused(("nonceStr", "OTHER"), "paySign does not verify").await;
    refused(("paySign", "AA=="), "paySign does not verify").await;
    refused(("signType", "MD5"), "signType must be RSA").await;
    refused(("timeStamp", "now"), "timeStamp is not a number of seconds").await;
    refused(("package", "prepay_id=wx0"), "package names no known prepay_id").await;
    refused(("appId", "wx0"), "appId is not the application whose openid the order was made for").await;

    let paid = rig.control("launch", &launch(prepay_id, APPID)).await;
    assert_eq!(paid.status, 200, "{}", paid.json());
    assert_eq!(paid.json()["out_trade_no"], "ORDER0001");
    assert_eq!(rig.state("ORDER0001").await, "SUCCESS");
    let again = rig.control("launch", &launch(prepay_id, APPID)).await;
    assert_eq!(again.json()["error"], "the order is paid");
}

#[tokio::test]
async fn a_prepay_id_runs_out_after_two_hours_and_a_fresh_one_does_not() {
    let rig = start().await;
    let old = rig.create(&direct_order("ORDER0001")).await.json()["prepay_id"].clone();
    rig.simulator.clock().advance_ms(PREPAY_LIFE_MS);
    let answer = rig.control("launch", &launch(old.as_str().unwrap(), APPID)).await;
    assert_eq!(answer.json()["error"], "the prepay_id is older than two hours");
    let fresh = rig.create(&direct_order("ORDER0001")).await.json()["prepay_id"].clone();
    assert_eq!(rig.control("launch", &launch(fresh.as_str().unwrap(), APPID)).await.status, 200);
}

#[tokio::test]
async fn a_reset_forgets_orders_and_counters_and_keeps_accounts() {
    let rig = start().await;
    let inbox = Inbox::start().await;
    inbox.answer([500; 40]);
    let mut order = direct_order("ORDER0001");
    order["notify_url"] = json!(inbox.url);
    rig.create(&order).await;
    rig.pay("ORDER0001").await;
    rig.stats_until(|stats| stats.notifications.refused == 1).await;
    assert_eq!(rig.control("reset", &json!({})).await.status, 204);
    let stats = rig.stats().await;
    assert_eq!((stats.orders.known, stats.notifications.sent, stats.calls.len()), (0, 0, 0));
    assert_eq!(rig.query("ORDER0001").await.status, 404);

    // What was pending is forgotten too: after all pauses only the new order has notified.
    rig.simulator.clock().advance_ms(86_640_000);
    rig.create(&order).await;
    rig.pay("ORDER0001").await;
    rig.stats_until(|stats| stats.notifications.sent == 1).await;
    assert_eq!(rig.detail("ORDER0001").await.pushes.len(), 1);
}

#[tokio::test]
async fn keys_and_clock_are_shown_to_an_outside_engine() {
    let rig = start().await;
    let platform: PlatformPublic = serde_json::from_slice(&rig.look("platform").await.body).unwrap();
    assert_eq!(platform, rig.simulator.platform());
    let clock: ClockView = serde_json::from_slice(&rig.look("clock").await.body).unwrap();
    assert_eq!(clock.origin_ms, rig.simulator.clock().origin_ms());
    assert!((clock.now_ms - rig.simulator.clock().now_ms()).abs() < 60_000);
}
