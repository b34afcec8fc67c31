//! The happy path and the ends of an order, by both methods and with both kinds of credentials.

use paymux_domain::launch::AlipayMiniProgram;
use paymux_domain::outcome::{Class, Operation, Word};
use paymux_domain::refund::RefundProgress;

use crate::rig::{Rig, payment_of};

#[tokio::test]
async fn an_order_is_opened_paid_told_and_confirmed_by_both_methods() {
    let mut rig = Rig::start().await;
    for (method, fen) in [("mini_program", 1200), ("app", 1201)] {
        let order = rig.order("shop", method, fen);
        let launch = rig.launch(&order).await;
        assert!(rig.launch(&order).await == launch, "the same create gives the same launch");
        assert_eq!(launch.app_uri.is_some(), method == "app");
        let payment = rig.paid(&order).await;
        assert_eq!((payment.total_minor, payment.payer_total_minor), (fen, Some(fen)));
        assert_eq!(payment_of(&rig.confirm(&order, &payment).await.words), payment);
        assert_eq!(payment_of(&rig.call(Operation::Query, &order).await.words), payment);
    }
}

#[tokio::test]
async fn without_the_server_api_a_push_by_rsa_tells_of_the_newer_launch() {
    let mut rig = Rig::start().await;
    for (method, fen) in [("mini_program", 1200), ("app", 1201)] {
        let order = rig.order("bare", method, fen);
        let payment = rig.paid(&order).await;
        assert_eq!((payment.total_minor, payment.fee_minor), (fen, Some(0)));
        let report = rig.call(Operation::Query, &order).await;
        assert_eq!((report.class, report.code.as_str()), (Class::Ops, "LACKING"), "it cannot be asked");
    }
}

#[tokio::test]
async fn what_is_changed_on_the_payers_device_is_refused() {
    let rig = Rig::start().await;
    let mini = rig.launch(&rig.order("shop", "mini_program", 1200)).await;
    let app = rig.launch(&rig.order("shop", "app", 1201)).await;
    let cheaper = AlipayMiniProgram { data: mini.data.replace("12.00", "0.01"), ..mini.clone() };
    let uri = app.app_uri.clone().map(|uri| uri.replace("12.01", "0.01"));
    let elsewhere = AlipayMiniProgram { app_id: "2021001104615521".to_owned(), ..mini };
    for (launch, told) in [
        (cheaper, "the cashier refuses: 验签失败"),
        (AlipayMiniProgram { app_uri: uri, ..app }, "the cashier refuses: 验签失败"),
        (elsewhere, "another mini program or page than the cashier"),
    ] {
        let (status, body) = rig.open(&launch).await;
        assert_eq!((status, body["error"].as_str()), (409, Some(told)));
    }
}

#[tokio::test]
async fn an_order_is_absent_until_it_is_opened_then_open_then_closed() {
    let rig = Rig::start().await;
    let order = rig.order("shop", "mini_program", 1200);
    let launch = rig.launch(&order).await;
    for operation in [Operation::Query, Operation::Close] {
        assert_eq!(rig.call(operation, &order).await.words, [Word::NotExist], "nobody has come");
    }
    assert_eq!(rig.open(&launch).await.0, 200);
    assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::Open]);
    for _ in 0..2 {
        assert_eq!(rig.call(Operation::Close, &order).await.words, [Word::Closed], "also again");
    }
    assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::Closed]);
    assert_eq!(rig.open(&launch).await.0, 409, "it cannot be paid any more");
}

#[tokio::test]
async fn other_content_under_a_used_number_is_refused_and_a_paid_order_is_not_closed() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", "mini_program", 1200);
    let mut other = order.clone();
    other.description = "another".to_owned();
    rig.paid(&order).await;
    let (status, told) = rig.open(&rig.launch(&other).await).await;
    assert_eq!((status, told["error"].as_str()), (409, Some("the cashier refuses: 商户订单号重复")));
    let closed = rig.call(Operation::Close, &order).await;
    assert_eq!((closed.class, closed.ask, closed.words.len()), (Class::Retry, true, 0), "{}", closed.message);
}

#[tokio::test]
async fn refunds_in_part_again_too_much_and_asked_about() {
    use Operation::{Query, Refund};
    let mut rig = Rig::start().await;
    let order = rig.order("shop", "mini_program", 1200);
    let payment = rig.paid(&order).await;
    let told = async |operation, refund| {
        let report = rig.refund(operation, &order, &payment, refund).await;
        let progress = report.words.iter().map(|word| match word {
            Word::Refund(word) => (word.progress, word.amount_minor, word.provider_refund_no.is_some()),
            other => panic!("{other:?}"),
        });
        (report.class, progress.collect::<Vec<_>>())
    };
    let done = (Class::Done, vec![(RefundProgress::Done, Some(500), true)]);
    assert_eq!(told(Refund, ("a1", 500)).await, done);
    assert_eq!(told(Refund, ("a1", 500)).await, done, "its repeat");
    assert_eq!(told(Query, ("a1", 500)).await, done);
    assert_eq!(told(Refund, ("a2", 701)).await, (Class::Final, vec![]), "more than is left");
    assert_eq!(told(Refund, ("a1", 600)).await, (Class::Final, vec![]), "other content");
    assert_eq!(told(Refund, ("a2", 700)).await.0, Class::Done);
    assert_eq!(told(Query, ("a9", 1)).await, (Class::Retry, vec![]), "a text proves no absence of a refund");
}
