//! Check, close and refund: by payjs_order_id only, signed both ways.

use paymux_simulators::control::view::{Operation, Pushing, TradeState, UNKNOWN_ACCOUNT};
use paymux_simulators::payjs::{CLOSE_AGE_MAX_MS, PayjsMerchant, RepeatedRefund, ZeroValues};
use serde_json::json;

use super::rig::{
    KEY, MCHID, OTHER_MCHID, call, detail, fields, impatient, is_signed, merchant, named, open, order, paid,
    pay, post, said, sign, signed, start, start_with, texts, truth, try_call,
};
use crate::client::read;
use crate::inbox::{Inbox, NO_ANSWER};
use crate::rig::Rig;

async fn start_as(change: impl FnOnce(&mut PayjsMerchant)) -> Rig {
    let mut own = merchant(MCHID);
    change(&mut own);
    start_with(|config| config.payjs.merchants = vec![own]).await
}

fn both(code: &str, message: &str) -> (String, String) {
    (code.to_owned(), message.to_owned())
}

#[tokio::test]
async fn a_check_tells_unpaid_and_paid() {
    let rig = start().await;
    open(&rig, order("T1", 1200, "")).await;
    let id = truth(&rig, "T1").await.1.payjs_order_id;
    let unpaid = call(&rig, "check", "T1").await;
    let mut expected =
        fields([("return_code", "1"), ("mchid", MCHID), ("out_trade_no", "T1"), ("status", "0")]);
    expected.extend(fields([("payjs_order_id", &id), ("total_fee", "1200"), ("attach", "order:42")]));
    expected.insert("sign".to_owned(), unpaid["sign"].clone());
    assert_eq!(unpaid, expected);

    let payment = pay(&rig, "T1").await;
    let paid = call(&rig, "check", "T1").await;
    assert_eq!((paid["status"].as_str(), paid["total_fee"].as_str()), ("1", "1200"));
    assert_eq!(paid["transaction_id"], payment["transaction_id"].as_str().unwrap());
    assert!(paid["openid"].starts_with('o'));
    let time = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", &paid["paid_time"]).unwrap();
    let beijing = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    let told_ms = time.to_zoned(beijing).unwrap().timestamp().as_millisecond();
    assert_eq!(told_ms, payment["paid_ms"].as_i64().unwrap() / 1000 * 1000);
    let calls = detail(&rig, "T1").await.calls;
    assert_eq!((calls.query, calls.query_after_payment), (2, 1));
}

#[tokio::test]
async fn values_0_are_signed_by_the_merchants_setting() {
    for (zero_values, drops_zero) in [(ZeroValues::Dropped, true), (ZeroValues::Kept, false)] {
        let rig = start_as(|own| own.zero_values = zero_values).await;
        open(&rig, order("T1", 1200, "")).await;
        let unpaid = call(&rig, "check", "T1").await;
        assert_eq!(unpaid["sign"], sign(&unpaid, KEY, drops_zero));
        assert_ne!(unpaid["sign"], sign(&unpaid, KEY, !drops_zero));
    }
}

#[tokio::test]
async fn calls_are_proved_by_signature_and_name_an_own_order_by_its_id() {
    let rig = start().await;
    open(&rig, order("T1", 1200, "")).await;
    let id = truth(&rig, "T1").await.1.payjs_order_id;
    let told = async |form: super::rig::Fields| {
        let answer = post(&rig, "check", &form).await.unwrap();
        (answer.status, texts(&answer)["return_msg"].clone(), is_signed(&texts(&answer)))
    };
    let right = [("mchid", MCHID), ("payjs_order_id", id.as_str())];
    let mut forged = signed(fields(right));
    forged.insert("sign".to_owned(), sign(&forged, "another key", false));
    assert_eq!(told(forged).await, (200, "签名错误".to_owned(), false));
    assert_eq!(told(fields(right)).await.1, "签名错误");
    let by_number = fields([("mchid", MCHID), ("out_trade_no", "T1")]);
    assert_eq!(told(signed(by_number)).await.1, "参数错误");
    assert_eq!(told(signed(fields([("mchid", MCHID)]))).await.1, "payjs_order_id 参数缺失");
    let stranger = [("mchid", "1699999999"), ("payjs_order_id", id.as_str())];
    assert_eq!(told(signed(fields(stranger))).await.1, "商户号或订单不存在");
    // Whoever has proved itself is answered with a signature.
    let foreign = [("mchid", OTHER_MCHID), ("payjs_order_id", id.as_str())];
    assert_eq!(told(signed(fields(foreign))).await, (200, "订单不存在".to_owned(), true));
    let unknown = [("mchid", MCHID), ("payjs_order_id", "2019101503054900456615858")];
    assert_eq!(told(signed(fields(unknown))).await, (200, "订单不存在".to_owned(), true));
    assert_eq!(detail(&rig, "T1").await.calls.query, 0);
    let stats = rig.stats().await;
    assert_eq!(stats.calls[MCHID][&Operation::Query].calls, 5);
    assert_eq!(stats.calls[UNKNOWN_ACCOUNT][&Operation::Query].calls, 1);
    assert!(stats.calls[MCHID][&Operation::Query].max_per_second >= 1);
}

#[tokio::test]
async fn mchid_may_be_left_out_and_json_is_taken() {
    let rig = start().await;
    open(&rig, order("T1", 1200, "")).await;
    let id = truth(&rig, "T1").await.1.payjs_order_id;
    let form = signed(fields([("payjs_order_id", &id)]));
    assert_eq!(texts(&post(&rig, "check", &form).await.unwrap())["return_code"], "1");
    let url = format!("{}/api/check", rig.simulator.base_url());
    let answer = read(rig.client.http.post(&url).json(&form).send().await.unwrap()).await.unwrap();
    assert_eq!(texts(&answer)["out_trade_no"], "T1");
    let text = read(rig.client.http.post(&url).body("x").send().await.unwrap()).await.unwrap();
    assert_eq!(texts(&text)["return_msg"], "参数错误");
    let native = post(&rig, "native", &form).await.unwrap();
    assert_eq!(native.status, 404);
}

#[tokio::test]
async fn failures_are_unsigned_where_the_setting_says_so() {
    let rig = start_as(|own| own.signs_failures = false).await;
    open(&rig, order("T1", 1200, "")).await;
    let refused = texts(&try_call(&rig, "refund", "T1").await.unwrap());
    assert_eq!((refused["return_code"].as_str(), refused.contains_key("sign")), ("0", false));
    assert_eq!(refused["msg"], refused["return_msg"]);
    call(&rig, "check", "T1").await;
}

#[tokio::test]
async fn a_check_that_tells_of_the_payment_stops_the_pushes() {
    let rig = impatient().await;
    let mut inbox = Inbox::answering(NO_ANSWER).await;
    paid(&rig, &inbox, "T1", 1200).await;
    inbox.next().await;
    rig.stats_until(|stats| stats.notifications.unanswered == 1).await;
    assert_eq!(call(&rig, "check", "T1").await["status"], "1");
    let payjs = truth(&rig, "T1").await.1;
    assert_eq!((payjs.pushing, payjs.undeterminable), (Pushing::StoppedByCheck, false));
    rig.simulator.clock().advance_ms(3_600_000);
    // Another order's push comes through meanwhile.
    paid(&rig, &inbox, "T2", 1200).await;
    inbox.next().await;
    let stats = rig.stats_until(|stats| stats.notifications.sent == 2).await;
    assert_eq!((stats.notifications.stopped_by_check, inbox.waiting()), (1, 0));
}

#[tokio::test]
async fn close_takes_unpaid_orders_of_the_last_thirty_days() {
    let rig = start().await;
    for number in ["OPEN", "PAID", "OLD"] {
        open(&rig, order(number, 1200, "")).await;
    }
    pay(&rig, "PAID").await;
    assert_eq!(said(&rig, "close", "OPEN").await, both("1", "关闭成功"));
    assert_eq!(said(&rig, "close", "OPEN").await, both("0", "订单已关闭"));
    assert_eq!(said(&rig, "close", "PAID").await, both("0", "订单已支付"));
    assert_eq!(call(&rig, "check", "OPEN").await["status"], "0");
    let (order, _) = truth(&rig, "OPEN").await;
    assert!(order.trade_state == TradeState::Closed && order.closed_ms.is_some());
    rig.simulator.clock().advance_ms(CLOSE_AGE_MAX_MS + 1_000);
    assert_eq!(said(&rig, "close", "OLD").await, both("0", "只能关闭30天内的订单"));
    let calls = detail(&rig, "OPEN").await.calls;
    assert_eq!((calls.close, calls.close_done), (2, 1));
}

#[tokio::test]
async fn a_refund_gives_everything_back_once() {
    let rig = start().await;
    open(&rig, order("T1", 1200, "")).await;
    assert_eq!(said(&rig, "refund", "T1").await, both("0", "订单未支付"));
    let payment = pay(&rig, "T1").await;
    let refunded = call(&rig, "refund", "T1").await;
    assert_eq!((refunded["return_code"].as_str(), refunded["return_msg"].as_str()), ("1", "退款成功"));
    assert_eq!(refunded["out_trade_no"], "T1");
    assert_eq!(refunded["transaction_id"], payment["transaction_id"].as_str().unwrap());
    assert!(!refunded.contains_key("refund"));
    let (order, _) = truth(&rig, "T1").await;
    assert_eq!((order.trade_state, order.refunds.refunded), (TradeState::Refund, 1200));
    assert_eq!((order.refunds.list.len(), order.refunds.list[0].is_by_hand), (1, false));
    let refunded_ms = order.payment.unwrap().refunded_ms;

    let again = call(&rig, "refund", "T1").await;
    assert_eq!((again["return_code"].as_str(), again["refund"].as_str()), ("0", "1"));
    assert_eq!(call(&rig, "check", "T1").await["status"], "1");
    let (order, payjs) = truth(&rig, "T1").await;
    assert_eq!((order.payment.unwrap().refunded_ms, payjs.refund_calls), (refunded_ms, 3));
}

#[tokio::test]
async fn a_repeated_refund_is_confirmed_where_the_setting_says_so() {
    let rig = start_as(|own| own.repeated_refund = RepeatedRefund::Confirmed).await;
    open(&rig, order("T1", 1200, "")).await;
    pay(&rig, "T1").await;
    call(&rig, "refund", "T1").await;
    let again = call(&rig, "refund", "T1").await;
    assert_eq!((again["return_code"].as_str(), again["refund"].as_str()), ("1", "1"));
}

#[tokio::test]
async fn a_refund_by_hand_is_the_only_one_as_well() {
    let rig = start().await;
    open(&rig, order("T1", 1200, "")).await;
    let unpaid = rig.control("refund", &named("T1")).await;
    assert_eq!((unpaid.status, unpaid.json()["error"].as_str()), (409, Some("the order is not paid")));
    pay(&rig, "T1").await;
    let refunded = rig.control("refund", &named("T1")).await;
    assert_eq!((refunded.status, refunded.json()["out_trade_no"].clone()), (200, json!("T1")));
    assert_eq!(rig.control("refund", &named("T1")).await.status, 409);
    assert_eq!(call(&rig, "refund", "T1").await["refund"], "1");
    let refunds = truth(&rig, "T1").await.0.refunds;
    assert_eq!((refunds.refunded, refunds.list.len(), refunds.list[0].is_by_hand), (1200, 1, true));
}
