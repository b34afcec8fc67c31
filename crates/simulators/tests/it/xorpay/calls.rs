//! Queries by both numbers, and refunds.

use paymux_simulators::control::view::{Operation, TradeState, UNKNOWN_ACCOUNT};
use paymux_simulators::xorpay::REFUNDS_MAX;

use super::rig::{
    AID, OTHER_AID, SECRET, create, detail, fields, get, named, paid, pay, post, said, sign, start, truth,
    try_query, try_refund, until_success, word,
};
use crate::inbox::Inbox;

fn both(status: &str, info: &str) -> (String, String) {
    (status.to_owned(), info.to_owned())
}

#[tokio::test]
async fn both_queries_tell_where_an_order_stands() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    inbox.answer([500]);
    assert_eq!(said(&try_query(&rig, "T1").await.unwrap()).0, "not_exist");
    create(&rig, "T1", 1200, &inbox.url).await;
    assert_eq!(word(&rig, "T1").await, "new");
    pay(&rig, "T1").await;
    inbox.next().await;
    assert_eq!(word(&rig, "T1").await, "payed");
    assert_eq!(rig.control("resend", &named("T1")).await.status, 200);
    assert_eq!(word(&rig, "T1").await, "success");
    let calls = detail(&rig, "T1").await.calls;
    assert_eq!((calls.create, calls.query, calls.query_after_payment), (1, 6, 4));
    let counted = rig.stats().await.calls;
    assert_eq!(counted[AID][&Operation::Query].calls, 7);
}

#[tokio::test]
async fn queries_are_of_those_who_know_secret_or_number() {
    let rig = start().await;
    create(&rig, "T1", 1200, "http://127.0.0.1:1/n").await;
    let ask = async |path: String| said(&get(&rig, &path).await.unwrap());
    assert_eq!(
        ask(format!("/api/query2/{AID}?order_id=T1&sign={}", sign(&["T1"], "x"))).await,
        both("sign_error", "order_id")
    );
    assert_eq!(ask(format!("/api/query2/{AID}?sign=1")).await, both("missing_argument", "order_id"));
    assert_eq!(ask(format!("/api/query2/{AID}?order_id=T1")).await, both("missing_argument", "sign"));
    let good = sign(&["T1"], SECRET);
    assert_eq!(ask(format!("/api/query2/{OTHER_AID}?order_id=T1&sign={good}")).await.0, "not_exist");
    assert_eq!(ask(format!("/api/query2/999?order_id=T1&sign={good}")).await, both("aid_not_exist", "aid"));
    assert_eq!(ask("/api/query/0123456789abcdef0123456789abcdef".to_owned()).await.0, "not_exist");
    assert_eq!(rig.stats().await.calls[UNKNOWN_ACCOUNT][&Operation::Query].calls, 2);
}

#[tokio::test]
async fn refunds_give_back_in_parts_what_was_paid() {
    let rig = start().await;
    let inbox = Inbox::answering(200).await;
    let aoid = paid(&rig, &inbox.url, "T1", 1200).await;
    until_success(&rig, "T1").await;
    let refund = async |price: &str| said(&try_refund(&rig, &aoid, price).await.unwrap());
    assert_eq!(refund("5.00").await.0, "ok");
    assert_eq!(refund("5.00").await.0, "ok", "the same again is another refund");
    assert_eq!(refund("2.01").await, both("price_error", "price"));
    assert_eq!(refund("0.00").await, both("price_error", "price"));
    assert_eq!(refund("2.00").await.0, "ok");
    let (order, xorpay) = truth(&rig, "T1").await;
    assert_eq!(
        (order.trade_state, order.refunds.refunded, order.refunds.list.len()),
        (TradeState::Refund, 1200, 3)
    );
    assert_eq!((xorpay.refund_calls, word(&rig, "T1").await.as_str()), (4, "success"));
}

#[tokio::test]
async fn refunds_are_refused_by_their_reason() {
    let rig = start().await;
    let aoid = create(&rig, "T1", 1200, "http://127.0.0.1:1/n").await["aoid"].as_str().unwrap().to_owned();
    assert_eq!(
        said(&try_refund(&rig, &aoid, "1.00").await.unwrap()),
        both("order_error", "aoid"),
        "not paid"
    );
    pay(&rig, "T1").await;
    assert_eq!(
        said(&try_refund(&rig, &aoid, "1.00").await.unwrap()),
        both("order_error", "aoid"),
        "no push answered"
    );
    let unknown = try_refund(&rig, "0123456789abcdef0123456789abcdef", "1.00").await.unwrap();
    assert_eq!(said(&unknown), both("order_error", "aoid"));
    let form = fields([("price", "1.00"), ("sign", &sign(&["1.0"], SECRET))]);
    assert_eq!(
        said(&post(&rig, &format!("/api/refund/{aoid}"), &form).await.unwrap()),
        both("sign_error", "price")
    );
    assert_eq!(truth(&rig, "T1").await.0.refunds.refunded, 0);
}

#[tokio::test]
async fn fifty_refunds_and_no_more_and_the_rest_by_hand() {
    let rig = start().await;
    let inbox = Inbox::answering(200).await;
    let aoid = paid(&rig, &inbox.url, "T1", 1200).await;
    paid(&rig, "http://127.0.0.1:1/n", "T2", 1200).await;
    until_success(&rig, "T1").await;
    for _ in 0..REFUNDS_MAX {
        assert_eq!(said(&try_refund(&rig, &aoid, "0.01").await.unwrap()).0, "ok");
    }
    assert_eq!(said(&try_refund(&rig, &aoid, "0.01").await.unwrap()).0, "order_error");
    assert_eq!(rig.control("refund", &named("T2")).await.status, 200);
    assert_eq!(rig.control("refund", &named("T2")).await.status, 409);
    let refunds = truth(&rig, "T2").await.0.refunds;
    assert!(refunds.list[0].is_by_hand && refunds.refunded == 1200);
}
