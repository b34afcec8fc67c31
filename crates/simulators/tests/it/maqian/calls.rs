//! The server API: query, close, refund, the query of a refund; who may call it, and what it says.

use serde_json::json;

use super::rig::{self, Fields, MERCH_NO, call, call_with, fields, open, order};

const QUERY: &str = "/api/v2/pay/order-query";
const CLOSE: &str = "/api/v2/pay/close-order";
const REFUND: &str = "/api/v2/pay/refund";
const REFUND_QUERY: &str = "/api/v1/pay/polymeric/refundquery";

fn said<'f>(told: &'f Fields, name: &str) -> &'f str {
    told.get(name).map_or("", String::as_str)
}

#[tokio::test]
async fn the_states_of_an_order_by_both_numbers() {
    let rig = rig::start().await;
    let unknown = call(&rig, QUERY, [("out_trade_no", "A1")]).await;
    assert_eq!((said(&unknown, "result_code"), said(&unknown, "result_msg")), ("20000", "订单不存在"));
    assert_eq!(open(&rig, &order("A1", "12.00", "")).await.status, 200);
    let opened = call(&rig, QUERY, [("out_trade_no", "A1")]).await;
    assert_eq!((said(&opened, "result_code"), said(&opened, "trade_status")), ("10000", "3"));
    rig::pay(&rig, "A1").await;
    let trade_no = said(&opened, "trade_no").to_owned();
    let paid = call(&rig, QUERY, [("trade_no", &trade_no)]).await;
    assert_eq!((said(&paid, "trade_status"), said(&paid, "order_amount")), ("1", "12.00"));
    assert_eq!(said(&paid, "out_trade_no"), "A1");

    assert_eq!(open(&rig, &order("A2", "1.00", "")).await.status, 200);
    let named = json!({ "mchid": MERCH_NO, "out_trade_no": "A2" });
    assert_eq!(rig.control("expire", &named).await.status, 200);
    assert_eq!(said(&call(&rig, QUERY, [("out_trade_no", "A2")]).await, "trade_status"), "4");
}

#[tokio::test]
async fn a_close_is_granted_while_nothing_is_paid() {
    let rig = rig::start().await;
    assert_eq!(said(&call(&rig, CLOSE, [("out_trade_no", "A1")]).await, "result_msg"), "订单不存在");
    assert_eq!(open(&rig, &order("A1", "12.00", "")).await.status, 200);
    for _ in 0..2 {
        assert_eq!(said(&call(&rig, CLOSE, [("out_trade_no", "A1")]).await, "result_code"), "10000");
    }
    assert_eq!(said(&call(&rig, QUERY, [("out_trade_no", "A1")]).await, "trade_status"), "2");
    rig::paid(&rig, &order("A2", "1.00", "")).await;
    assert_eq!(said(&call(&rig, CLOSE, [("out_trade_no", "A2")]).await, "result_msg"), "订单已支付");
    assert_eq!(rig::detail(&rig, "A1").await.calls.close_done, 2);
}

#[tokio::test]
async fn refunds_never_exceed_the_payment() {
    let rig = rig::start().await;
    rig::paid(&rig, &order("A1", "10.00", "")).await;
    let trade_no = rig::truth(&rig, "A1").await.1.trade_no;
    let refund = async |no: &str, yuan: &str| {
        let asked = [("agent_no", "FW1"), ("pn", "XN000003"), ("trade_no", trade_no.as_str())];
        let [agent, pn, trade] = asked;
        call(&rig, REFUND, [agent, pn, trade, ("out_refund_no", no), ("refund_amount", yuan)]).await
    };
    let first = refund("R1", "4.00").await;
    assert_eq!((said(&first, "trade_status"), said(&first, "refund_amount")), ("1", "4.00"));
    assert_eq!(refund("R1", "4.00").await, first, "its repeat");
    assert_eq!(said(&refund("R1", "5.00").await, "result_msg"), "退款单号重复");
    assert_eq!(said(&refund("R2", "6.01").await, "result_msg"), "退款金额超过可退金额");
    assert_eq!(said(&refund("R2", "6.00").await, "result_code"), "10000");
    let asked = call(&rig, REFUND_QUERY, [("out_refund_no", "R2")]).await;
    assert_eq!((said(&asked, "refund_status"), said(&asked, "refund_amount")), ("1", "6.00"));
    assert_eq!(
        said(&call(&rig, REFUND_QUERY, [("out_refund_no", "R3")]).await, "result_msg"),
        "退款单不存在"
    );
    let (order, _) = rig::truth(&rig, "A1").await;
    assert_eq!((order.refunds.refunded, order.refunds.list.len()), (1000, 2));
    let by_hand = rig.control("refund", &json!({ "mchid": MERCH_NO, "out_trade_no": "A1" })).await;
    assert_eq!(by_hand.json()["error"], "nothing is left of the payment");
}

#[tokio::test]
async fn whoever_is_not_the_merchant_is_refused_without_a_signature() {
    let rig = rig::start().await;
    assert_eq!(open(&rig, &order("A1", "12.00", "")).await.status, 200);
    let told = async |more: Fields, key: &str| {
        let answer = call_with(&rig, QUERY, &more, key).await.json();
        assert_eq!(answer.get("sign"), None);
        answer["return_msg"].as_str().unwrap().to_owned()
    };
    assert_eq!(told(fields([("out_trade_no", "A1")]), "another key").await, "签名错误");
    assert_eq!(told(fields([("accessid", "id9")]), rig::KEY).await, "accessid不存在");
    assert_eq!(told(fields([("merch_no", "9")]), rig::KEY).await, "商户不存在");
    assert_eq!(told(fields([("pn", "XN9")]), rig::KEY).await, "参数错误");
    assert_eq!(told(fields([("extra", "x")]), rig::KEY).await, "参数错误");
    assert_eq!(told(fields([("req_id", "")]), rig::KEY).await, "参数缺失");
    let stats = rig.stats().await;
    assert_eq!(stats.calls["unknown"][&paymux_simulators::control::view::Operation::Query].calls, 1);
    let other = [("merch_no", rig::OTHER_MERCH_NO), ("out_trade_no", "A1")];
    assert_eq!(said(&call(&rig, QUERY, other).await, "result_msg"), "订单不存在", "another merchant's");
}
