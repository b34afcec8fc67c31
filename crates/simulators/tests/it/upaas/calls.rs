//! Query, close, refund and its query, with their rules and faults.

use paymux_simulators::control::view::{RefundState, TradeState};
use paymux_simulators::faults::{FaultKind, UpaasFault};
use serde_json::{Value, json};

use super::rig::{STORE, about, call, detail, named, order, pay, start, truth, yuan};
use crate::rig::Rig;

async fn made(rig: &Rig, number: &str) -> Value {
    let (code, data) = call(rig, "jsapi", order(number, "12.00", "")).await;
    assert_eq!(code, "000000");
    data
}

async fn status(rig: &Rig, number: &str) -> Value {
    about(rig, "query", number, json!({})).await.1["order_status"].clone()
}

/// A refund of an order of so much, or with `path` its query.
async fn refund(rig: &Rig, path: &str, refund_no: &str, yuan: &str) -> (String, Value) {
    let (code, data) = about(rig, path, "T1", json!({ "refund_no": refund_no, "refund_amount": yuan })).await;
    (code, data["refund_status"].clone())
}

#[tokio::test]
async fn a_query_tells_each_state_by_either_number() {
    let rig = start().await;
    let created = made(&rig, "T1").await;
    let both = json!({ "order_number": created["order_number"] });
    let (code, open) = about(&rig, "query", "T1", both).await;
    assert_eq!((code.as_str(), open["order_status"].as_str()), ("000000", Some("UNPAID")));
    assert_eq!(about(&rig, "query", "T1", json!({ "order_number": "1" })).await.0, "200404");
    assert_eq!(about(&rig, "query", "T2", json!({})).await.0, "200404");
    pay(&rig, "T1").await;
    let (_, paid) = about(&rig, "query", "T1", json!({})).await;
    assert_eq!((paid["order_status"].as_str(), paid["amount"].as_str()), (Some("PAID"), Some("12.00")));
    assert!(paid["pay_time"].is_string());
    made(&rig, "T3").await;
    about(&rig, "close", "T3", json!({})).await;
    assert_eq!(status(&rig, "T3").await, "CLOSED");
}

#[tokio::test]
async fn an_unpaid_order_is_closed_again_and_again_and_a_paid_one_never() {
    let rig = start().await;
    made(&rig, "T1").await;
    for _ in 0..2 {
        assert_eq!(about(&rig, "close", "T1", json!({})).await.0, "000000");
    }
    assert_eq!(rig.control("pay", &named("T1")).await.status, 409);
    assert_eq!(truth(&rig, "T1").await.trade_state, TradeState::Closed);
    made(&rig, "T2").await;
    pay(&rig, "T2").await;
    assert_eq!(about(&rig, "close", "T2", json!({})).await.0, "300002");
    let calls = detail(&rig, "T1").await.calls;
    assert_eq!((calls.create, calls.close, calls.close_done), (1, 2, 1));
}

#[tokio::test]
async fn refunds_are_made_in_parts_once_under_a_number() {
    let rig = start().await;
    made(&rig, "T1").await;
    assert_eq!(refund(&rig, "refund", "R0", "1.00").await.0, "400001", "nothing is paid");
    pay(&rig, "T1").await;
    for _ in 0..2 {
        assert_eq!(refund(&rig, "refund", "R1", "7.00").await, ("000000".to_owned(), "PROCESSING".into()));
    }
    assert_eq!(refund(&rig, "refund", "R1", "6.00").await.0, "400003");
    assert_eq!(refund(&rig, "refund", "R2", "6.00").await.0, "400001");
    for wrong in ["6", "0.00"] {
        assert_eq!(refund(&rig, "refund", "R3", wrong).await.0, "100001");
    }
    assert_eq!(status(&rig, "T1").await, "PAID");
    rig.simulator.clock().advance_ms(20_000);
    assert_eq!(refund(&rig, "refund_query", "R1", "7.00").await.1, "SUCCESS");
    assert_eq!(refund(&rig, "refund_query", "R9", "7.00").await.0, "500404");
    assert_eq!(refund(&rig, "refund_query", "R2", "7.00").await.0, "500404", "it was refused");
    assert_eq!(status(&rig, "T1").await, "REFUNDED");
    let rest = rig.control("refund", &named("T1")).await;
    assert_eq!(rest.status, 200);
    assert_eq!(rig.control("refund", &named("T1")).await.status, 409, "nothing is left");
    let refunds = truth(&rig, "T1").await.refunds;
    assert_eq!((refunds.refunded, refunds.reserved, refunds.list.len()), (1200, 1200, 2));
    assert!(refunds.list.iter().any(|refund| refund.is_by_hand && refund.amount == 500));
}

#[tokio::test]
async fn digits_87_fail_a_refund_and_free_its_money() {
    let rig = start().await;
    made(&rig, "T1").await;
    pay(&rig, "T1").await;
    assert_eq!(refund(&rig, "refund", "R1", "10.87").await.1, "PROCESSING");
    assert_eq!(refund(&rig, "refund", "R2", "12.00").await.0, "400001");
    rig.simulator.clock().advance_ms(20_000);
    assert_eq!(refund(&rig, "refund_query", "R1", "10.87").await.1, "FAILED");
    assert_eq!(status(&rig, "T1").await, "PAID");
    assert_eq!(refund(&rig, "refund", "R2", "12.00").await.1, "PROCESSING");
    let refunds = truth(&rig, "T1").await.refunds;
    assert_eq!((refunds.refunded, refunds.reserved), (0, 1200));
    assert_eq!(refunds.list[0].state, RefundState::Closed);
    assert!(refunds.list[0].faults.contains(&FaultKind::Upaas(UpaasFault::RefundFailed)));
}

#[tokio::test]
async fn digits_67_and_95_make_queries_lag_and_misreport() {
    let rig = start().await;
    call(&rig, "jsapi", order("T1", &yuan(UpaasFault::QueryStale), "")).await;
    pay(&rig, "T1").await;
    assert_eq!(status(&rig, "T1").await, "UNPAID");
    assert_eq!(status(&rig, "T1").await, "PAID");
    call(&rig, "jsapi", order("T2", &yuan(UpaasFault::AmountMisreported), "")).await;
    let payment = pay(&rig, "T2").await;
    assert_eq!((&payment["total"], &payment["reported_total"]), (&json!(1295), &json!(1296)));
    assert_eq!(about(&rig, "query", "T2", json!({})).await.1["amount"], "12.96");
    assert_eq!(detail(&rig, "T2").await.order.unwrap().mchid, STORE);
}
