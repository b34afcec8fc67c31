//! Orders that go well, and those that are refused: created, created again, paid, asked about, refunded, expired.

use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::refund::RefundProgress;

use crate::rig::{AID, Rig, launch_of, launched, named, payment_of, told};

#[track_caller]
fn check(report: &CallReport, class: Class, code: &str) {
    assert_eq!((report.class, report.code.as_str()), (class, code), "{}", report.message);
}

#[track_caller]
fn refunded(report: &CallReport) {
    check(report, Class::Done, "");
    let [Word::Refund(word)] = report.words.as_slice() else { panic!("not refunded: {report:?}") };
    assert_eq!((word.progress, &word.out_refund_no), (RefundProgress::Done, &None));
}

/// The whole way; the launch parameters pass the payer's client.
#[tokio::test]
async fn an_order_goes_from_create_to_refund() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", 1200);
    let payment = rig.paid(&order).await;
    assert_eq!((payment.total_minor, payment.evidence), (1200, Evidence::Stated));
    assert!(payment.success_time.is_some());
    let by_aoid = rig.call(Operation::Query, &order, vec![told(&payment)]).await;
    let assumed = Payment { success_time: None, evidence: Evidence::Assumed, ..payment.clone() };
    assert_eq!(payment_of(&by_aoid.words), assumed, "the notification is confirmed");
    rig.until_success(&order).await;
    for part in [500, 700] {
        refunded(&rig.refund(&order, &payment.trade_no, part).await);
    }
    let more = rig.refund(&order, &payment.trade_no, 1).await;
    check(&more, Class::Final, "price_error");
    assert_eq!(more.message, "price", "the argument is named");
    assert_eq!(rig.truth(&order).await["refunds"]["refunded"], 1200);
}

#[tokio::test]
async fn both_queries_say_the_same() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", 1200);
    assert_eq!(rig.call(Operation::Query, &order, vec![]).await.words, [Word::NotExist]);
    let launch = rig.launched(&order).await;
    assert_eq!(rig.call(Operation::Query, &order, vec![launched(&launch)]).await.words, [Word::Open]);
    rig.not_now(1);
    let payment = rig.paid(&order).await;
    for status in ["payed", "success"] {
        assert_eq!(rig.truth(&order).await["xorpay"]["status"], status);
        let by_number = rig.call(Operation::Query, &order, vec![launched(&launch)]).await;
        let by_aoid = rig.call(Operation::Query, &order, vec![told(&payment)]).await;
        assert_eq!(payment_of(&by_number.words), payment_of(&by_aoid.words), "{status}");
        assert_eq!(payment_of(&by_number.words).trade_no, payment.trade_no);
        let unnamed = rig.call(Operation::Query, &order, vec![]).await;
        check(&unnamed, Class::Retry, "AOID_UNKNOWN");
        assert!(unnamed.words.is_empty());
        if status == "payed" {
            rig.control("resend", &named(&order)).await;
            rig.notified().await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_same_create_gives_the_same_order_and_another_is_refused() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", 1200);
    let first = rig.launched(&order).await;
    rig.clock.advance_ms(30_000);
    let again = launch_of(&rig.create_again(&order).await);
    assert_eq!((&again.params, &again.provider_order_no), (&first.params, &first.provider_order_no));
    let mut other = order.clone();
    other.description = "something else".to_owned();
    check(&rig.create(&other).await, Class::Final, "order_exist");
    let report = rig.create_again(&other).await;
    check(&report, Class::Unknown, "order_exist");
    assert!(report.ask, "an earlier attempt may have made it");

    rig.paid(&order).await;
    let report = rig.create_again(&order).await;
    check(&report, Class::Unknown, "order_payed");
    assert!(report.ask);
}

#[tokio::test]
async fn an_order_ends_by_its_expiry() {
    let rig = Rig::start().await;
    let order = rig.order("shop", 1200);
    let launch = rig.launched(&order).await;
    let life = launch.expire_time.unwrap();
    rig.clock.advance_ms(1_800_000);
    assert!(life.as_millis() <= rig.clock.now_ms());
    assert_eq!(rig.call(Operation::Query, &order, vec![launched(&launch)]).await.words, [Word::Expired]);
    let report = rig.create_again(&order).await;
    check(&report, Class::Unknown, "order_expire");
    check(&rig.call(Operation::Close, &order, vec![]).await, Class::Ops, "LACKING");
}

/// Whoever has begun to pay in time ends it a moment later: after `expire` comes `payed`.
#[tokio::test]
async fn a_late_payment_is_found_by_the_last_query() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", 1200);
    let launch = rig.launched(&order).await;
    rig.clock.advance_ms(1_800_000 + 10_000);
    assert_eq!(rig.call(Operation::Query, &order, vec![launched(&launch)]).await.words, [Word::Expired]);
    rig.pay_unseen(&order).await;
    let notified = payment_of(&rig.notified().await.unwrap().words);
    rig.clock.advance_ms(60_000);
    let asked = rig.call(Operation::Query, &order, vec![launched(&launch)]).await;
    assert_eq!(payment_of(&asked.words).trade_no, notified.trade_no);
}

#[tokio::test]
async fn a_refund_waits_for_the_notification() {
    let mut rig = Rig::start().await;
    rig.not_now(1);
    let order = rig.order("shop", 1200);
    let payment = rig.paid(&order).await;
    let early = rig.refund(&order, &payment.trade_no, 1200).await;
    check(&early, Class::NotSent, "order_error");
    assert!(early.retry_after.is_some() && early.words.is_empty());
    rig.clock.advance_ms(60_000);
    rig.notified().await.unwrap();
    // The answer to the push may still be on its way when the inbox has it.
    rig.until_success(&order).await;
    refunded(&rig.refund(&order, &payment.trade_no, 1200).await);
}

#[tokio::test]
async fn fifty_refunds_and_no_more() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", 1200);
    let payment = rig.paid(&order).await;
    rig.until_success(&order).await;
    for _ in 0..50 {
        refunded(&rig.refund(&order, &payment.trade_no, 1).await);
    }
    check(&rig.refund(&order, &payment.trade_no, 1).await, Class::NotSent, "order_error");
    let truth = rig.truth(&order).await;
    assert_eq!((&truth["refunds"]["refunded"], &truth["xorpay"]["refund_calls"]), (&50.into(), &51.into()));
}

#[tokio::test]
async fn what_is_wrong_with_the_account_is_for_a_person() {
    let rig = Rig::start().await;
    let stranger = rig.order("stranger", 1200);
    check(&rig.create(&stranger).await, Class::Ops, "sign_error");
    check(&rig.call(Operation::Query, &stranger, vec![]).await, Class::Ops, "sign_error");
    check(&rig.create(&rig.order("frozen", 1200)).await, Class::Ops, "app_off");
}

#[tokio::test]
async fn an_open_id_is_xorpays_own() {
    let rig = Rig::start().await;
    let mut order = rig.order("strict", 1200);
    check(&rig.create(&order).await, Class::Final, "invalid_openid");
    let callback = "https%3A%2F%2Fshop.example.com%2Fpay%3Fa%3D1";
    let (status, location) = rig.browse(&format!("/api/openid/15630?callback={callback}")).await;
    assert_eq!(status, 302);
    let open_id = location.strip_prefix("https://shop.example.com/pay?a=1&openid=").unwrap();
    order.payer.open_id = Some(open_id.to_owned());
    launch_of(&rig.create(&order).await);
    order.out_trade_no = "T2".parse().unwrap();
    order.account = "shop".parse().unwrap();
    launch_of(&rig.create(&order).await);
}

#[tokio::test]
async fn wrong_launch_parameters_open_nothing() {
    let rig = Rig::start().await;
    let order = rig.order("shop", 1200);
    let launch = rig.launched(&order).await;
    let paymux_domain::launch::LaunchParams::WechatJsapi(params) = launch.params else {
        panic!("other parameters")
    };
    for (sign_type, time_stamp) in [("RSA", params.time_stamp.as_str()), ("MD5", "1")] {
        let body = serde_json::json!({
            "appId": params.app_id, "timeStamp": time_stamp, "nonceStr": params.nonce_str,
            "package": params.package, "signType": sign_type, "paySign": params.pay_sign,
        });
        assert_eq!(rig.control_status("launch", &body).await, 409);
    }
    assert!(rig.truth(&order).await["payment"].is_null());
    assert_eq!(rig.truth(&order).await["mchid"], AID);
}
