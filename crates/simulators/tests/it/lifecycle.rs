//! Queries and closes in each state of an order, expiry, the five-minute rule, refunds by hand.

use paymux_simulators::wechatpay::{CLOSE_AGE_MIN_MS, LIFE_DEFAULT_MS, LIFE_MIN_MS};
use serde_json::{Value, json};

use crate::rig::{DIRECT, MCHID, PARTNER, SP_MCHID, SUB_MCHID};
use crate::rig::{direct_order, scannedpos_order, start, start_with};

const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn an_unknown_order_does_not_exist_for_anyone() {
    let rig = start().await;
    for answer in [rig.query("NOSUCH01").await, rig.close("NOSUCH01").await] {
        assert_eq!(answer.code(), (404, "ORDER_NOT_EXIST".to_owned()));
        rig.client.assert_signed(&answer);
    }
    let by_id = rig.client.get(&format!("{DIRECT}/id/4200000000?mchid={MCHID}")).await.unwrap();
    assert_eq!(by_id.code(), (404, "ORDER_NOT_EXIST".to_owned()));
}

#[tokio::test]
async fn a_paid_order_is_seen_by_both_numbers_and_cannot_be_closed_or_created() {
    let rig = start().await;
    let mut order = direct_order("ORDER0001");
    order["attach"] = json!("table 7");
    rig.create(&order).await;
    let payment = rig.pay("ORDER0001").await;
    let id = payment["transaction_id"].as_str().unwrap();

    let by_number = rig.query("ORDER0001").await;
    let by_id = rig.client.get(&format!("{DIRECT}/id/{id}?mchid={MCHID}")).await.unwrap();
    rig.client.assert_signed(&by_id);
    assert_eq!(by_number.json(), by_id.json());
    let seen = by_number.json();
    assert_eq!(seen["trade_state"], "SUCCESS");
    assert_eq!(seen["transaction_id"], id);
    assert_eq!(seen["attach"], "table 7");
    assert_eq!(
        seen["amount"],
        json!({"total": 1200, "payer_total": 1200, "currency": "CNY", "payer_currency": "CNY"})
    );
    let paid_at: jiff::Timestamp = seen["success_time"].as_str().unwrap().parse().unwrap();
    assert!((paid_at.as_millisecond() - payment["paid_ms"].as_i64().unwrap()).abs() < 1_000);

    rig.simulator.clock().advance_ms(CLOSE_AGE_MIN_MS);
    assert_eq!(rig.close("ORDER0001").await.code(), (400, "ORDER_PAID".to_owned()));
    assert_eq!(rig.create(&order).await.code(), (400, "ORDER_PAID".to_owned()));
    let again = rig.control("pay", &json!({"mchid": MCHID, "out_trade_no": "ORDER0001"})).await;
    assert_eq!((again.status, again.json()["error"].as_str()), (409, Some("the order is paid")));
}

#[tokio::test]
async fn an_order_can_be_closed_after_five_minutes_and_again() {
    let rig = start().await;
    rig.create(&direct_order("ORDER0001")).await;
    let early = rig.close("ORDER0001").await;
    assert_eq!(early.code(), (403, "RULE_LIMIT".to_owned()));
    assert_eq!(rig.state("ORDER0001").await, "NOTPAY");

    rig.simulator.clock().advance_ms(CLOSE_AGE_MIN_MS);
    for _ in 0..2 {
        let closed = rig.close("ORDER0001").await;
        assert_eq!((closed.status, closed.body.len()), (204, 0));
        rig.client.assert_signed(&closed);
    }
    assert_eq!(rig.state("ORDER0001").await, "CLOSED");
    assert_eq!(rig.create(&direct_order("ORDER0001")).await.code(), (400, "ORDER_CLOSED".to_owned()));
    let pay = rig.control("pay", &json!({"mchid": MCHID, "out_trade_no": "ORDER0001"})).await;
    assert_eq!((pay.status, pay.json()["error"].as_str()), (409, Some("the order is closed")));
}

#[tokio::test]
async fn the_five_minutes_pass_by_the_scaled_clock() {
    let rig = start_with(|config| config.clock_factor = 3_000.0).await;
    rig.create(&direct_order("ORDER0001")).await;
    let created_ms = rig.truth("ORDER0001").await.unwrap().created_ms;
    // Five minutes are 100 ms of real time here.
    rig.simulator.clock().sleep_until_ms(created_ms + CLOSE_AGE_MIN_MS).await;
    assert_eq!(rig.close("ORDER0001").await.status, 204);
}

#[tokio::test]
async fn an_expired_order_cannot_be_paid_but_stays_open_until_it_is_closed() {
    let rig = start().await;
    let mut order = direct_order("ORDER0001");
    let clock = rig.simulator.clock();
    let expire = jiff::Timestamp::from_millisecond(clock.now_ms() + 600_000).unwrap();
    order["time_expire"] = json!(expire.to_string());
    rig.create(&order).await;
    clock.advance_ms(600_000);

    let pay = rig.control("pay", &json!({"mchid": MCHID, "out_trade_no": "ORDER0001"})).await;
    assert_eq!((pay.status, pay.json()["error"].as_str()), (409, Some("the order has expired")));
    assert_eq!(rig.state("ORDER0001").await, "NOTPAY");
    assert_eq!(rig.create(&order).await.code(), (400, "ORDER_CLOSED".to_owned()));
    assert_eq!(rig.close("ORDER0001").await.status, 204);
    assert_eq!(rig.state("ORDER0001").await, "CLOSED");
}

#[tokio::test]
async fn expiries_are_held_between_one_minute_and_fifteen_days() {
    let rig = start().await;
    let now_ms = rig.simulator.clock().now_ms();
    for (number, ahead_ms, least_ms, most_ms) in [
        ("ORDER0001", -5_000, LIFE_MIN_MS, LIFE_MIN_MS + 60_000),
        ("ORDER0002", 400 * DAY_MS, 15 * DAY_MS, 15 * DAY_MS + 60_000),
    ] {
        let mut order = direct_order(number);
        let expire = jiff::Timestamp::from_millisecond(now_ms + ahead_ms).unwrap();
        order["time_expire"] = json!(expire.to_string());
        rig.create(&order).await;
        let life_ms = rig.truth(number).await.unwrap().expire_ms - now_ms;
        assert!((least_ms..=most_ms).contains(&life_ms), "{number}: {life_ms}");
    }
}

#[tokio::test]
async fn an_order_nobody_cares_for_is_closed_after_seven_days() {
    let rig = start().await;
    rig.create(&direct_order("ORDER0001")).await;
    rig.simulator.clock().advance_ms(LIFE_DEFAULT_MS);
    assert_eq!(rig.state("ORDER0001").await, "CLOSED");
}

#[tokio::test]
async fn partner_orders_are_seen_on_partner_paths_with_their_sub_merchant_only() {
    let rig = start().await;
    rig.partner.post(&format!("{PARTNER}/scannedpos"), &scannedpos_order("ORDER0001")).await.unwrap();
    let query = async |path: String| rig.partner.get(&path).await.unwrap().code();
    let base = format!("{PARTNER}/out-trade-no/ORDER0001");
    assert_eq!(query(format!("{base}?sp_mchid={SP_MCHID}&sub_mchid={SUB_MCHID}")).await.0, 200);
    let other = query(format!("{base}?sp_mchid={SP_MCHID}&sub_mchid={MCHID}")).await;
    assert_eq!(other, (400, "INVALID_REQUEST".to_owned()));
    let direct = query(format!("{DIRECT}/out-trade-no/ORDER0001?mchid={SP_MCHID}")).await;
    assert_eq!(direct, (404, "ORDER_NOT_EXIST".to_owned()));
    let foreign = query(format!("{base}?sp_mchid={MCHID}&sub_mchid={SUB_MCHID}")).await;
    assert_eq!(foreign, (403, "NO_AUTH".to_owned()));
    for bad in [format!("{base}?sp_mchid={SP_MCHID}"), format!("{base}?sp_mchid={SP_MCHID}&sub_mchid=1&x=1")]
    {
        assert_eq!(query(bad).await, (400, "PARAM_ERROR".to_owned()));
    }

    rig.simulator.clock().advance_ms(CLOSE_AGE_MIN_MS);
    let close = async |body: Value| rig.partner.post(&format!("{base}/close"), &body).await.unwrap().code();
    assert_eq!(close(json!({"sp_mchid": SP_MCHID})).await, (400, "PARAM_ERROR".to_owned()));
    assert_eq!(close(json!({"sp_mchid": MCHID, "sub_mchid": SUB_MCHID})).await, (403, "NO_AUTH".to_owned()));
    assert_eq!(close(json!({"sp_mchid": SP_MCHID, "sub_mchid": SUB_MCHID})).await.0, 204);
}

#[tokio::test]
async fn a_refund_by_hand_turns_the_order_to_refund() {
    let rig = start().await;
    rig.create(&direct_order("ORDER0001")).await;
    let named = json!({"mchid": MCHID, "out_trade_no": "ORDER0001"});
    assert_eq!(rig.control("refund", &named).await.status, 409);
    let payment = rig.pay("ORDER0001").await;
    assert_eq!(rig.control("refund", &named).await.status, 200);
    let seen = rig.query("ORDER0001").await.json();
    assert_eq!(seen["trade_state"], "REFUND");
    assert_eq!(seen["transaction_id"], payment["transaction_id"]);
}
