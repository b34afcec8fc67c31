//! The life of orders: each channel, closes, refunds, repeats, and an account that names nothing.

use paymux_domain::outcome::{Class, Operation, Word};
use paymux_domain::refund::RefundProgress;
use paymux_providers::gateway::LACKING;

use crate::rig::{Rig, payment_of, remembered};

#[track_caller]
fn refund_of(words: &[Word]) -> RefundProgress {
    let [Word::Refund(word)] = words else { panic!("no refund: {words:?}") };
    word.progress
}

#[tokio::test]
async fn every_channel_is_launched_paid_notified_and_asked_about() {
    let mut rig = Rig::start().await;
    for (at, account) in (0..).zip(["shop", "other"]) {
        for (nth, method) in (0..).zip(["weixin_jsapi", "weixin_mini_program", "alipay", "unionpay"]) {
            let order = rig.order(account, method, 1_000 + 100 * nth + at);
            let launch = rig.launched(&order).await;
            let open = rig.call(Operation::Query, &order, remembered(&launch)).await;
            assert_eq!(open.words, [Word::Open], "{account} {method}");
            rig.launch(&launch).await;
            let notified = payment_of(&rig.notified().await.unwrap().words);
            assert_eq!(notified.total_minor, order.amount.minor());
            assert!(notified.success_time.is_some());
            let asked = rig.call(Operation::Query, &order, remembered(&launch)).await;
            assert_eq!(payment_of(&asked.words), notified, "query and notification say the same");
        }
    }
}

#[tokio::test]
async fn an_account_that_names_nothing_gets_launch_parameters_and_can_ask_nobody() {
    let rig = Rig::start().await;
    for (nth, method) in (0..).zip(["weixin_jsapi", "weixin_mini_program", "alipay", "unionpay"]) {
        let order = rig.order("bare", method, 1_000 + 100 * nth);
        let launch = rig.launched(&order).await;
        assert!(launch.provider_order_no.is_some());
        rig.launch(&launch).await;
        for operation in [Operation::Query, Operation::Close] {
            let report = rig.call(operation, &order, remembered(&launch)).await;
            assert_eq!((report.class, report.code.as_str()), (Class::Ops, LACKING));
        }
    }
}

#[tokio::test]
async fn a_repeated_create_is_the_same_order_or_refused_as_the_account_says() {
    let rig = Rig::start().await;
    let order = rig.order("other", "alipay", 1_200);
    let first = rig.launched(&order).await;
    assert!(rig.launched(&order).await == first);
    let order = rig.order("shop", "alipay", 1_200);
    rig.launched(&order).await;
    let again = rig.call(Operation::Create, &order, vec![]).await;
    assert_eq!((again.class, again.code.as_str(), again.ask), (Class::Unknown, "100010", true));
}

#[tokio::test]
async fn an_unpaid_order_is_closed_and_a_paid_one_is_asked_about() {
    let mut rig = Rig::start().await;
    let unpaid = rig.order("shop", "alipay", 1_200);
    let launch = rig.launched(&unpaid).await;
    for _ in 0..2 {
        let closed = rig.call(Operation::Close, &unpaid, remembered(&launch)).await;
        assert_eq!((closed.class, closed.words.as_slice()), (Class::Done, [Word::Closed].as_slice()));
    }
    let asked = rig.call(Operation::Query, &unpaid, remembered(&launch)).await;
    assert_eq!(asked.words, [Word::Closed]);

    let paid = rig.order("shop", "alipay", 1_300);
    rig.paid(&paid).await;
    let refused = rig.call(Operation::Close, &paid, vec![]).await;
    assert_eq!((refused.class, refused.ask, refused.words.len()), (Class::Retry, true, 0));
}

#[tokio::test]
async fn an_order_that_never_came_into_being_does_not_exist() {
    let rig = Rig::start().await;
    let report = rig.call(Operation::Query, &rig.order("shop", "alipay", 1_200), vec![]).await;
    assert_eq!((report.class, report.words.as_slice()), (Class::Done, [Word::NotExist].as_slice()));
}

#[tokio::test]
async fn parts_are_refunded_once_under_their_numbers_and_never_too_much() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", "weixin_jsapi", 1_200);
    rig.paid(&order).await;
    for _ in 0..2 {
        let report = rig.refund(Operation::Refund, &order, "R1", 700).await;
        assert_eq!(refund_of(&report.words), RefundProgress::Processing, "the same number refunds once");
    }
    let too_much = rig.refund(Operation::Refund, &order, "R2", 600).await;
    assert_eq!((too_much.class, too_much.code.as_str()), (Class::Final, "400001"));
    rig.clock.advance_ms(60_000);
    let asked = rig.refund(Operation::Query, &order, "R1", 700).await;
    assert_eq!(refund_of(&asked.words), RefundProgress::Done);
    let absent = rig.refund(Operation::Query, &order, "R9", 700).await;
    assert_eq!(refund_of(&absent.words), RefundProgress::NotExist);
    let query = rig.call(Operation::Query, &order, vec![]).await;
    assert!(matches!(query.words.as_slice(), [Word::Paid(_), Word::RefundedElsewhere]), "{query:?}");
    assert_eq!(
        refund_of(&rig.refund(Operation::Refund, &order, "R3", 500).await.words),
        RefundProgress::Processing
    );
}

#[tokio::test]
async fn a_wrong_key_is_for_a_person() {
    let rig = Rig::start().await;
    let order = rig.order("stranger", "alipay", 1_200);
    for operation in [Operation::Create, Operation::Query] {
        let report = rig.call(operation, &order, vec![]).await;
        assert_eq!((report.class, report.code.as_str()), (Class::Ops, "100003"));
        assert_eq!(report.message, "验签失败");
    }
}
