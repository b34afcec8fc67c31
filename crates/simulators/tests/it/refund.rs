//! Refunds and their queries: answers, refusals, idempotency, the bounds of sum, count and time.

use futures_util::{StreamExt, stream};
use paymux_simulators::control::view::{RefundState, TradeState};
use paymux_simulators::wechatpay::{REFUND_SPACING_MS, REFUND_WINDOW_MS, REFUNDS_MAX};
use serde_json::{Value, json};

use crate::client::Answer;
use crate::rig::{MCHID, PARTNER, REFUNDS, Rig, SP_MCHID, SUB_MCHID};
use crate::rig::{direct_order, refund_of, scannedpos_order, start, start_with};

const SETTLE_MS: i64 = 20_000;

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn assert_accepted(rig: &Rig, answer: &Answer) {
    assert_eq!(answer.status, 200, "{}", answer.json());
    rig.client.assert_signed(answer);
}

#[tokio::test]
async fn a_refund_is_processing_and_then_succeeds() {
    let rig = start().await;
    let transaction_id = rig.paid("ORDER0001").await;
    let answer = rig.refund(&refund_of("ORDER0001", "REFUND_1|*@-", 500)).await;
    assert_accepted(&rig, &answer);
    let made = answer.json();
    assert_eq!((&made["status"], &made["success_time"]), (&json!("PROCESSING"), &Value::Null));
    assert_eq!(made["transaction_id"], transaction_id.as_str());
    assert_eq!(made["out_trade_no"], "ORDER0001");
    assert_eq!(made["out_refund_no"], "REFUND_1|*@-");
    assert_eq!(made["channel"], "ORIGINAL");
    assert!(made["user_received_account"].is_string() && made["refund_id"].is_string());
    let amount = json!({
        "total": 1200, "refund": 500, "from": [], "payer_total": 1200, "payer_refund": 500,
        "settlement_refund": 500, "settlement_total": 1200, "discount_refund": 0, "currency": "CNY",
    });
    assert_eq!(made["amount"], amount);

    // The number is found under any spelling of the path, and an order is refunded once the money is back.
    for path in ["REFUND_1|*@-", "REFUND_1%7C*%40-"] {
        let seen = rig.query_refund(path).await;
        assert_accepted(&rig, &seen);
        assert_eq!(seen.json(), made);
    }
    assert_eq!(rig.state("ORDER0001").await, "SUCCESS");
    rig.simulator.clock().advance_ms(SETTLE_MS);
    let ended = rig.query_refund("REFUND_1|*@-").await.json();
    assert_eq!(ended["status"], "SUCCESS");
    let created: jiff::Timestamp = made["create_time"].as_str().unwrap().parse().unwrap();
    let ended_at: jiff::Timestamp = ended["success_time"].as_str().unwrap().parse().unwrap();
    assert_eq!(ended_at.as_millisecond() - created.as_millisecond(), SETTLE_MS);
    assert_eq!(rig.state("ORDER0001").await, "REFUND");

    let truth = rig.truth("ORDER0001").await.unwrap();
    let refunds = &truth.refunds;
    assert_eq!((refunds.refunded, refunds.reserved, refunds.list.len()), (500, 500, 1));
    let refund = &refunds.list[0];
    assert_eq!((refund.amount, refund.state, refund.is_by_hand), (500, RefundState::Success, false));
    assert_eq!((refund.calls.refund, refund.calls.query), (1, 3));
    assert_eq!(refund.ended_ms, Some(refund.created_ms + SETTLE_MS));
    assert_eq!(truth.trade_state, TradeState::Refund);
    assert_eq!(truth.payment.unwrap().refunded_ms, refund.ended_ms);
}

#[tokio::test]
async fn an_order_is_named_by_either_number_or_by_both() {
    let rig = start().await;
    let (first, second) = (rig.paid("ORDER0001").await, rig.paid("ORDER0002").await);
    let mut body = refund_of("ORDER0001", "REFUND1", 100);
    body["transaction_id"] = json!(second);
    assert_eq!(rig.refund(&body).await.code(), refused(400, "INVALID_REQUEST"));
    body["transaction_id"] = json!("4200000000000000000000000000");
    assert_eq!(rig.refund(&body).await.code(), refused(404, "RESOURCE_NOT_EXISTS"));
    body["transaction_id"] = json!(first);
    assert_accepted(&rig, &rig.refund(&body).await);

    let mut by_id = refund_of("ORDER0002", "REFUND2", 100);
    by_id.as_object_mut().unwrap().remove("out_trade_no");
    by_id["transaction_id"] = json!(second);
    let answer = rig.refund(&by_id).await;
    assert_accepted(&rig, &answer);
    assert_eq!(answer.json()["out_trade_no"], "ORDER0002");
    // Another account does not see the payment.
    let foreign = rig.partner.post(REFUNDS, &by_id).await.unwrap();
    assert_eq!(foreign.code(), refused(404, "RESOURCE_NOT_EXISTS"));
}

#[tokio::test]
async fn what_is_unknown_or_unpaid_cannot_be_refunded() {
    let rig = start().await;
    let unknown = rig.refund(&refund_of("NOSUCH01", "REFUND1", 100)).await;
    assert_eq!(unknown.code(), refused(404, "RESOURCE_NOT_EXISTS"));
    rig.client.assert_signed(&unknown);
    rig.create(&direct_order("ORDER0001")).await;
    let unpaid = rig.refund(&refund_of("ORDER0001", "REFUND1", 100)).await;
    assert_eq!(unpaid.code(), refused(404, "RESOURCE_NOT_EXISTS"));
    let query = rig.query_refund("REFUND1").await;
    assert_eq!(query.code(), refused(404, "RESOURCE_NOT_EXISTS"));
    rig.client.assert_signed(&query);
    let superfluous = rig.query_refund("REFUND1?x=1").await;
    assert_eq!(superfluous.code(), refused(400, "PARAM_ERROR"));

    // A number under which nothing was made is free.
    rig.pay("ORDER0001").await;
    assert_accepted(&rig, &rig.refund(&refund_of("ORDER0001", "REFUND1", 100)).await);
}

#[tokio::test]
async fn faulty_bodies_are_refused_with_the_field_named() {
    let rig = start().await;
    rig.paid("ORDER0001").await;
    let cases: [(&str, Value, &str); 6] = [
        ("extra", json!(1), "/extra"),
        ("out_refund_no", json!("R/1"), "/out_refund_no"),
        ("amount", json!({"refund": 0, "total": 1200, "currency": "CNY"}), "/amount/refund"),
        ("amount", json!({"refund": 100, "total": 1200, "currency": "USD"}), "/amount/currency"),
        ("amount", json!({"refund": 100, "total": 1200}), "/amount/currency"),
        ("notify_url", json!("https://pay.example.com/n?x=1"), "/notify_url"),
    ];
    for (name, value, field) in cases {
        let mut body = refund_of("ORDER0001", "REFUND1", 100);
        body[name] = value;
        let answer = rig.refund(&body).await;
        assert_eq!(answer.code(), refused(400, "PARAM_ERROR"), "{name}");
        assert_eq!(answer.json()["detail"]["field"], field);
    }
    let unsigned = rig.client.send_with("POST", REFUNDS, "{}".to_owned(), "nonsense").await.unwrap();
    assert_eq!(unsigned.code(), refused(401, "SIGN_ERROR"));
    assert!(rig.refunds("ORDER0001").await.list.is_empty());
}

#[tokio::test]
async fn a_partner_refunds_for_the_sub_merchant_of_the_order_only() {
    let rig = start().await;
    rig.partner.post(&format!("{PARTNER}/scannedpos"), &scannedpos_order("ORDER0001")).await.unwrap();
    rig.control("pay", &json!({"mchid": SP_MCHID, "out_trade_no": "ORDER0001"})).await;
    let refund = async |sub_mchid: Option<&str>| {
        let mut body = refund_of("ORDER0001", "REFUND1", 100);
        if let Some(sub_mchid) = sub_mchid {
            body["sub_mchid"] = json!(sub_mchid);
        }
        rig.partner.post(REFUNDS, &body).await.unwrap()
    };
    assert_eq!(refund(None).await.code(), refused(400, "PARAM_ERROR"));
    assert_eq!(refund(Some(MCHID)).await.code(), refused(403, "NO_AUTH"));
    let answer = refund(Some(SUB_MCHID)).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    rig.partner.assert_signed(&answer);

    let query = async |query: &str| rig.partner.get(&format!("{REFUNDS}/REFUND1{query}")).await.unwrap();
    assert_eq!(query(&format!("?sub_mchid={SUB_MCHID}")).await.json(), answer.json());
    assert_eq!(query("").await.code(), refused(400, "PARAM_ERROR"));
    assert_eq!(query(&format!("?sub_mchid={MCHID}")).await.code(), refused(400, "INVALID_REQUEST"));

    // The same numbers on another account are another order and another refund.
    rig.paid("ORDER0001").await;
    assert_eq!(rig.query_refund("REFUND1").await.code(), refused(404, "RESOURCE_NOT_EXISTS"));
    assert_accepted(&rig, &rig.refund(&refund_of("ORDER0001", "REFUND1", 200)).await);
    let mut stranger = refund_of("ORDER0001", "REFUND2", 200);
    stranger["sub_mchid"] = json!(SUB_MCHID);
    assert_eq!(rig.refund(&stranger).await.code(), refused(403, "NO_AUTH"));
}

#[tokio::test]
async fn a_refund_number_refunds_once_and_takes_no_other_content() {
    let rig = start().await;
    rig.paid("ORDER0001").await;
    rig.paid("ORDER0002").await;
    let body = refund_of("ORDER0001", "REFUND1", 500);
    let first = rig.refund(&body).await.json();
    assert_eq!(rig.refund(&body).await.json(), first);
    rig.simulator.clock().advance_ms(SETTLE_MS);
    let ended = rig.refund(&body).await.json();
    assert_eq!((&ended["refund_id"], &ended["status"]), (&first["refund_id"], &json!("SUCCESS")));

    let mut reason = body.clone();
    reason["reason"] = json!("other");
    for other in [refund_of("ORDER0001", "REFUND1", 501), reason, refund_of("ORDER0002", "REFUND1", 500)] {
        let answer = rig.refund(&other).await;
        assert_eq!(answer.code(), refused(400, "INVALID_REQUEST"), "{other}");
        rig.client.assert_signed(&answer);
    }
    let refunds = rig.refunds("ORDER0001").await;
    assert_eq!((refunds.refunded, refunds.list.len(), refunds.list[0].calls.refund), (500, 1, 5));
    assert!(rig.refunds("ORDER0002").await.list.is_empty());
}

#[tokio::test]
async fn refunds_never_exceed_the_payment_and_keep_a_minute_apart() {
    let rig = start().await;
    rig.paid("ORDER0001").await;
    let refund = async |number: &str, fen: i64| rig.refund(&refund_of("ORDER0001", number, fen)).await.code();
    let mut other_total = refund_of("ORDER0001", "REFUND1", 100);
    other_total["amount"]["total"] = json!(1201);
    assert_eq!(rig.refund(&other_total).await.code(), refused(400, "INVALID_REQUEST"));
    assert_eq!(refund("REFUND1", 1201).await, refused(400, "INVALID_REQUEST"));
    assert_eq!(refund("REFUND1", 800).await.0, 200);
    // Too much is too much while the first one is on its way, and is told before the minute.
    assert_eq!(refund("REFUND2", 401).await, refused(400, "INVALID_REQUEST"));
    assert_eq!(refund("REFUND3", 400).await, refused(429, "FREQUENCY_LIMITED"));
    rig.simulator.clock().advance_ms(REFUND_SPACING_MS);
    assert_eq!(refund("REFUND2", 401).await, refused(400, "INVALID_REQUEST"));
    assert_eq!(refund("REFUND3", 400).await.0, 200);
    rig.simulator.clock().advance_ms(REFUND_SPACING_MS);
    assert_eq!(refund("REFUND4", 1).await, refused(400, "INVALID_REQUEST"));
    let refunds = rig.refunds("ORDER0001").await;
    assert_eq!((refunds.refunded, refunds.reserved, refunds.list.len()), (1200, 1200, 2));
}

#[tokio::test]
async fn an_order_takes_fifty_refunds() {
    let rig = start().await;
    rig.paid("ORDER0001").await;
    for n in 0..REFUNDS_MAX {
        assert_accepted(&rig, &rig.refund(&refund_of("ORDER0001", &format!("REFUND{n}"), 1)).await);
        rig.simulator.clock().advance_ms(REFUND_SPACING_MS);
    }
    let one_more = rig.refund(&refund_of("ORDER0001", "ONEMORE", 1)).await;
    assert_eq!(one_more.code(), refused(400, "INVALID_REQUEST"));
    assert_eq!(rig.refunds("ORDER0001").await.refunded, 50);
}

#[tokio::test]
async fn a_payment_can_be_refunded_for_a_year() {
    let rig = start().await;
    rig.paid("ORDER0001").await;
    // Half a minute stays for the call itself.
    rig.simulator.clock().advance_ms(REFUND_WINDOW_MS - 30_000);
    assert_accepted(&rig, &rig.refund(&refund_of("ORDER0001", "REFUND1", 1)).await);
    rig.simulator.clock().advance_ms(2 * REFUND_SPACING_MS);
    let late = rig.refund(&refund_of("ORDER0001", "REFUND2", 1)).await;
    assert_eq!(late.code(), refused(400, "INVALID_REQUEST"));
}

#[tokio::test]
async fn a_discount_is_shared_by_the_refunds() {
    let rig = start().await;
    rig.create(&direct_order("ORDER0001")).await;
    rig.control("pay", &json!({"mchid": MCHID, "out_trade_no": "ORDER0001", "payer_total": 1000})).await;
    let mut parts = Vec::new();
    for n in 0..3 {
        let made = rig.refund(&refund_of("ORDER0001", &format!("REFUND{n}"), 400)).await.json();
        parts.push((made["amount"]["payer_refund"].clone(), made["amount"]["discount_refund"].clone()));
        rig.simulator.clock().advance_ms(REFUND_SPACING_MS);
    }
    let wanted = [(json!(333), json!(67)), (json!(333), json!(67)), (json!(334), json!(66))];
    assert_eq!(parts, wanted);
}

#[tokio::test]
async fn a_refund_by_hand_takes_what_is_left_and_stands_in_the_same_book() {
    let rig = start().await;
    rig.paid("ORDER0001").await;
    rig.refund(&refund_of("ORDER0001", "REFUND1", 500)).await;
    let named = json!({"mchid": MCHID, "out_trade_no": "ORDER0001"});
    let by_hand = rig.control("refund", &named).await;
    assert_eq!(by_hand.status, 200, "{}", by_hand.json());
    assert!(by_hand.json()["payment"]["refunded_ms"].is_i64());
    assert_eq!(rig.state("ORDER0001").await, "REFUND");

    let refunds = rig.refunds("ORDER0001").await;
    assert_eq!((refunds.refunded, refunds.reserved), (700, 1200));
    let made = refunds.list.iter().find(|refund| refund.is_by_hand).unwrap();
    assert_eq!((made.amount, made.state), (700, RefundState::Success));
    assert_eq!(rig.query_refund(&made.out_refund_no).await.json()["status"], "SUCCESS");

    let again = rig.control("refund", &named).await;
    assert_eq!((again.status, again.json()["error"].as_str()), (409, Some("nothing is left to refund")));
    let more = rig.refund(&refund_of("ORDER0001", "REFUND2", 1)).await;
    assert_eq!(more.code(), refused(400, "INVALID_REQUEST"));
}

/// Asks for a refund, again while only the minute is in its way.
async fn insist(rig: &Rig, body: Value) -> (u16, String) {
    for _ in 0..1_000 {
        let code = rig.refund(&body).await.code();
        if code.0 != 429 {
            return code;
        }
    }
    panic!("the minute never passed: {body}");
}

#[tokio::test]
async fn of_many_concurrent_refunds_exactly_those_succeed_that_may() {
    // A minute passes in 0.6 ms of real time.
    let rig = start_with(|config| config.clock_factor = 100_000.0).await;
    // First the sum binds, then the number of refunds.
    for (number, fen, may) in [("ORDER0001", 100, 12), ("ORDER0002", 1, REFUNDS_MAX)] {
        rig.paid(number).await;
        let bodies = (0..300).map(|n| refund_of(number, &format!("{number}_{n}"), fen));
        let codes: Vec<(u16, String)> =
            stream::iter(bodies).map(|body| insist(&rig, body)).buffer_unordered(50).collect().await;
        let good = codes.iter().filter(|code| code.0 == 200).count();
        assert_eq!(good, may);
        let rest = codes.iter().filter(|code| **code == refused(400, "INVALID_REQUEST")).count();
        assert_eq!(good + rest, 300);
        let refunds = rig.refunds(number).await;
        assert_eq!(refunds.list.len(), may);
        assert_eq!(refunds.reserved, fen * i64::try_from(may).unwrap());
    }
}
