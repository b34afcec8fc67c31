//! Notifications over real HTTP: genuine, doubled, forged, shifted, altered, misreported, not taken at once.

use paymux_domain::outcome::{Operation, Word};
use paymux_domain::ports::RefusalReason;
use paymux_simulators::faults::{FaultKind, XorpayFault};

use crate::rig::{Rig, payment_of, told};

fn fen(kind: XorpayFault) -> i64 {
    1200 + i64::from(FaultKind::Xorpay(kind).digits())
}

#[tokio::test]
async fn what_is_not_proven_may_be_altered() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", fen(XorpayFault::NotifyAltered));
    assert_eq!(rig.paid(&order).await.total_minor, order.amount.minor());
}

#[tokio::test]
async fn doubled_notifications_are_the_same() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", fen(XorpayFault::NotifyDoubled));
    rig.pay(&order).await;
    let first = rig.notified().await.unwrap();
    assert_eq!(rig.notified().await.unwrap(), first);
}

#[tokio::test]
async fn forgeries_are_refused_and_the_genuine_one_is_not() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", fen(XorpayFault::NotifyForged));
    rig.launched(&order).await;
    let mut reasons = Vec::new();
    for _ in 0..2 {
        reasons.push(rig.notified().await.unwrap_err().reason);
    }
    reasons.sort();
    assert_eq!(reasons, [RefusalReason::Malformed, RefusalReason::BadSignature]);
    assert_eq!(rig.paid(&order).await.total_minor, order.amount.minor());
}

/// The genuine signature over the same text, cut elsewhere: the digits of a price become part of a number.
#[tokio::test]
async fn shifted_notifications_are_refused_and_the_genuine_one_is_not() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", fen(XorpayFault::NotifyShifted));
    rig.pay(&order).await;
    for field in ["order_id", "aoid"] {
        let refusal = rig.notified().await.unwrap_err();
        assert_eq!(refusal.detail, format!("{field} cannot be read"));
    }
    assert_eq!(payment_of(&rig.notified().await.unwrap().words).total_minor, order.amount.minor());
}

#[tokio::test]
async fn a_wrong_sum_is_told_as_it_is_stated() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", fen(XorpayFault::AmountMisreported));
    let payment = rig.paid(&order).await;
    assert_eq!(payment.total_minor, order.amount.minor() + 1);
    let asked = rig.call(Operation::Query, &order, vec![told(&payment)]).await;
    assert_eq!(payment_of(&asked.words).total_minor, order.amount.minor(), "a query tells no sum");
}

#[tokio::test]
async fn what_is_not_taken_comes_again_on_the_schedule() {
    let mut rig = Rig::start().await;
    rig.not_now(2);
    let order = rig.order("shop", 1200);
    let first = rig.paid(&order).await;
    for minutes in [1, 1] {
        rig.clock.advance_ms(minutes * 60_000);
        assert_eq!(payment_of(&rig.notified().await.unwrap().words), first);
    }
}

/// Every push before two minutes is lost; a query finds the payment in between, under the aoid of the create.
#[tokio::test]
async fn a_payment_is_found_while_its_notification_is_late() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", fen(XorpayFault::NotifyLostAtFirst));
    let launch = rig.pay(&order).await;
    let asked = rig.call(Operation::Query, &order, vec![crate::rig::launched(&launch)]).await;
    let [Word::Paid(found)] = asked.words.as_slice() else { panic!("not found: {asked:?}") };
    rig.clock.advance_ms(120_000);
    let notified = payment_of(&rig.notified().await.unwrap().words);
    assert_eq!((&notified.trade_no, notified.total_minor), (&found.trade_no, found.total_minor));
}
