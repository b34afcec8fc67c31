//! Orders that go well: opened, opened again, paid, asked about, refunded, closed.

use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::refund::RefundProgress;

use crate::rig::{Rig, payment_of};

#[track_caller]
fn check(report: &CallReport, class: Class, code: &str, words: &[Word]) {
    assert_eq!((report.class, report.code.as_str()), (class, code), "{}", report.message);
    assert_eq!(report.words, words);
}

#[track_caller]
fn refunded(report: &CallReport, code: &str) {
    assert_eq!((report.class, report.code.as_str()), (Class::Done, code), "{}", report.message);
    let [Word::Refund(word)] = report.words.as_slice() else { panic!("not refunded: {report:?}") };
    assert_eq!((word.progress, &word.out_refund_no), (RefundProgress::Done, &None));
}

/// The whole way, with each reading of the documents' open points.
#[tokio::test]
async fn every_account_goes_from_create_to_refund() {
    let mut rig = Rig::start().await;
    for account in ["shop", "kept"] {
        let order = rig.order(account, 1200);
        let notified = rig.paid(&order).await;
        assert_eq!(notified.total_minor, 1200);
        assert!(notified.success_time.is_some());
        let asked = rig.about(Operation::Query, &order, &notified).await;
        assert_eq!(payment_of(&asked.words), notified, "check and notification say the same");
        refunded(&rig.about(Operation::Refund, &order, &notified).await, "");
        for _ in 0..2 {
            refunded(&rig.about(Operation::Refund, &order, &notified).await, "REFUNDED_BEFORE");
        }
    }
}

#[tokio::test]
async fn the_same_order_opens_the_same_cashier_again() {
    let rig = Rig::start().await;
    let order = rig.order("shop", 1200);
    let url = rig.url(&order).await;
    let first = rig.open(&url).await;
    assert_eq!(first.0, 302);
    assert_eq!(rig.url(&order).await, url);
    assert_eq!(rig.open(&url).await, first);
    let (status, text) = rig.open(&url.replace("total_fee=1200", "total_fee=1")).await;
    assert_eq!(status, 200);
    assert!(text.contains("签名错误"), "{text}");
}

#[tokio::test]
async fn before_a_notification_nothing_can_be_asked() {
    let rig = Rig::start().await;
    let order = rig.order("shop", 1200);
    rig.open(&rig.url(&order).await).await;
    for operation in [Operation::Query, Operation::Close] {
        check(&rig.call(operation, &order, vec![]).await, Class::Ops, "LACKING", &[]);
    }
}

#[tokio::test]
async fn with_a_known_number_an_open_order_is_asked_about_and_closed() {
    let rig = Rig::start().await;
    for account in ["shop", "kept"] {
        let order = rig.order(account, 1200);
        rig.open(&rig.url(&order).await).await;
        let known = rig.secret_id(&order).await;
        check(&rig.about(Operation::Query, &order, &known).await, Class::Done, "", &[Word::Open]);
        let early = rig.about(Operation::Refund, &order, &known).await;
        check(&early, Class::Retry, "RETURN_CODE_0", &[]);
        assert_eq!(early.message, "订单未支付");
        check(&rig.about(Operation::Close, &order, &known).await, Class::Done, "", &[Word::Closed]);
    }
}

#[tokio::test]
async fn a_paid_order_is_not_closed() {
    let mut rig = Rig::start().await;
    let order = rig.order("kept", 1200);
    let payment = rig.paid(&order).await;
    let report = rig.about(Operation::Close, &order, &payment).await;
    check(&report, Class::Retry, "RETURN_CODE_0", &[]);
    assert!(report.ask);
}

#[tokio::test]
async fn a_wrong_key_is_for_a_person() {
    let rig = Rig::start().await;
    let order = rig.order("stranger", 1200);
    let (status, text) = rig.open(&rig.url(&order).await).await;
    assert!(status == 200 && text.contains("签名错误"), "the payer alone is told: {status} {text}");
    let shop = rig.order("shop", 1200);
    rig.open(&rig.url(&shop).await).await;
    let payment = rig.secret_id(&shop).await;
    for operation in [Operation::Query, Operation::Close, Operation::Refund] {
        let report = rig.about(operation, &order, &payment).await;
        check(&report, Class::Ops, "RETURN_CODE_0", &[]);
        assert_eq!(report.message, "签名错误");
    }
}

#[tokio::test]
async fn somebody_elses_order_is_not_ours() {
    let mut rig = Rig::start().await;
    let (first, second) = (rig.order("shop", 1200), rig.order("shop", 1300));
    let payment = rig.paid(&first).await;
    let report = rig.about(Operation::Query, &second, &payment).await;
    check(&report, Class::Unknown, "MISMATCH", &[Word::Mismatch { field: "out_trade_no" }]);
}
