//! Orders that go well, are repeated, are paid and are closed.

use std::time::Duration;

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::fact::{Cause, Fact, FactBody, FactKey};
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::payment::Payment;
use paymux_domain::time::Timestamp;
use serde_json::json;

use crate::rig::{Rig, attempt, launch_of};

#[track_caller]
fn payment_of(words: &[Word]) -> Payment {
    let [Word::Paid(payment), ..] = words else { panic!("not paid: {words:?}") };
    payment.clone()
}

#[track_caller]
fn check(report: &CallReport, class: Class, code: &str, words: &[Word]) {
    assert_eq!((report.class, report.code.as_str()), (class, code), "{}", report.message);
    assert_eq!(report.words, words);
}

/// The whole way: create, launch with paySign, payment, notification, query by both numbers.
#[tokio::test]
async fn every_product_goes_from_create_to_paid() {
    let mut rig = Rig::start().await;
    for (method, fen, app_id) in [
        ("jsapi", 1200, "wx8888888888888888"),
        ("partner_jsapi", 1300, "wxd678efh567hg6999"),
        ("scannedpos", 1400, "wx8888888888888888"),
    ] {
        let mut order = rig.order(method, fen);
        order.payer.app_id = Some(app_id.to_owned());
        assert_eq!(rig.provider.check(&order), []);
        let order = rig.provider.resolve(order);
        let launch = rig.launched(&order).await;
        assert_eq!(launch.app_id, app_id);
        assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::Open]);

        // The payer's device checks all six parameters, the signature too, and pays.
        let device = json!({
            "appId": launch.app_id, "timeStamp": launch.time_stamp, "nonceStr": launch.nonce_str,
            "package": launch.package, "signType": launch.sign_type, "paySign": launch.pay_sign,
        });
        rig.control("launch", device).await;

        let verified = rig.notified().await.result.unwrap();
        assert_eq!(
            (verified.account, verified.out_trade_no),
            (order.account.clone(), order.out_trade_no.clone())
        );
        let notified = payment_of(&verified.words);
        assert_eq!((notified.total_minor, notified.currency), (fen, Some(Currency::Cny)));

        let by_ours = rig.call(Operation::Query, &order).await;
        assert_eq!(payment_of(&by_ours.words), notified, "query and notification say the same");
        let fact = Fact {
            key: FactKey::Paid(notified.trade_no.clone()),
            body: FactBody::Paid(notified.clone()),
            time: Timestamp::EPOCH,
            cause: Cause::Answer,
        };
        let by_theirs = rig.call_after(Operation::Query, &order, vec![attempt(1), fact]).await;
        assert_eq!(payment_of(&by_theirs.words), notified);
    }
}

#[tokio::test]
async fn the_same_create_again_gives_the_same_order_and_fresh_parameters() {
    let rig = Rig::start().await;
    let order = rig.order("jsapi", 1200);
    let first = rig.launched(&order).await;
    let again = launch_of(&rig.call_after(Operation::Create, &order, vec![attempt(1), attempt(2)]).await);
    assert_ne!(first.package, again.package);
    assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::Open]);
}

#[tokio::test]
async fn other_content_under_the_number_is_refused_and_asked_about_after_an_earlier_attempt() {
    let rig = Rig::start().await;
    let order = rig.order("jsapi", 1200);
    rig.launched(&order).await;
    let mut other = order.clone();
    other.amount = Amount::new(1300, Currency::Cny).unwrap();
    check(&rig.call(Operation::Create, &other).await, Class::Final, "INVALID_REQUEST", &[]);
    let repeated = rig.call_after(Operation::Create, &other, vec![attempt(1), attempt(2)]).await;
    check(&repeated, Class::Unknown, "INVALID_REQUEST", &[]);
    assert!(repeated.ask);
}

#[tokio::test]
async fn a_create_after_the_payment_leads_to_a_query() {
    let rig = Rig::start().await;
    let order = rig.order("scannedpos", 1200);
    rig.launched(&order).await;
    rig.pay(&order).await;
    let repeated = rig.call_after(Operation::Create, &order, vec![attempt(1), attempt(2)]).await;
    check(&repeated, Class::Unknown, "ORDER_PAID", &[]);
    assert!(repeated.ask);
    assert_eq!(payment_of(&rig.call(Operation::Query, &order).await.words).total_minor, 1200);
}

#[tokio::test]
async fn a_close_comes_after_five_minutes_and_may_be_repeated() {
    let rig = Rig::start().await;
    let order = rig.order("partner_jsapi", 1200);
    rig.launched(&order).await;
    check(&rig.call(Operation::Close, &order).await, Class::Retry, "RULE_LIMIT", &[]);
    let age = paymux_providers::PROVIDERS[0].capabilities;
    let Some(paymux_domain::capabilities::CloseKind::Call { min_age, .. }) =
        age("partner_jsapi").map(|capabilities| capabilities.close)
    else {
        panic!("WeChat Pay closes")
    };
    rig.clock.advance_ms(i64::try_from(min_age.as_millis()).unwrap());
    for _ in 0..2 {
        check(&rig.call(Operation::Close, &order).await, Class::Done, "", &[Word::Closed]);
    }
    assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::Closed]);
    let revived = rig.call_after(Operation::Create, &order, vec![attempt(1), attempt(2)]).await;
    check(&revived, Class::Unknown, "ORDER_CLOSED", &[]);
    assert!(revived.ask);
}

#[tokio::test]
async fn a_paid_order_is_not_closed() {
    let rig = Rig::start().await;
    let order = rig.order("jsapi", 1200);
    rig.launched(&order).await;
    rig.pay(&order).await;
    rig.clock.advance_ms(6 * 60 * 1000);
    let report = rig.call(Operation::Close, &order).await;
    check(&report, Class::Unknown, "ORDER_PAID", &[]);
    assert!(report.ask);
}

#[tokio::test]
async fn an_order_that_was_never_made_does_not_exist() {
    let rig = Rig::start().await;
    let order = rig.order("jsapi", 1200);
    check(&rig.call(Operation::Query, &order).await, Class::Done, "ORDER_NOT_EXIST", &[Word::NotExist]);
    check(&rig.call(Operation::Close, &order).await, Class::Done, "ORDER_NOT_EXIST", &[Word::NotExist]);
}

#[tokio::test]
async fn a_refund_by_hand_is_told_beside_the_payment() {
    let rig = Rig::start().await;
    let order = rig.order("jsapi", 1200);
    rig.launched(&order).await;
    rig.pay(&order).await;
    rig.control("refund", json!({"mchid": "1900000109", "out_trade_no": order.out_trade_no.as_str()})).await;
    let report = rig.call(Operation::Query, &order).await;
    assert_eq!(payment_of(&report.words).total_minor, 1200);
    assert_eq!(report.words.last(), Some(&Word::RefundedElsewhere));
}

#[tokio::test]
async fn a_wrong_key_is_for_a_person() {
    let rig = Rig::start().await;
    let mut order = rig.order("jsapi", 1200);
    order.account = "stranger".parse().unwrap();
    check(&rig.call(Operation::Create, &order).await, Class::Ops, "SIGN_ERROR", &[]);
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_for_a_person() {
    let rig = Rig::start().await;
    let order = rig.order("jsapi", 1200);
    let behind = rig.now() - Duration::from_secs(6 * 60);
    let report = rig.call_at(behind, Operation::Create, &order, vec![attempt(1)]).await;
    // The provider refuses our time, and its refusal is signed with its own.
    check(&report, Class::Ops, "CLOCK_SKEW", &[]);
}
