//! Notifications over real HTTP: genuine, doubled, forged, distorted, misreported, not taken at once.

use paymux_domain::outcome::Operation;
use paymux_domain::ports::RefusalReason;
use paymux_simulators::faults::{FaultKind, PayjsFault};

use crate::rig::{Rig, payment_of};

fn fen(kind: PayjsFault) -> i64 {
    1200 + i64::from(FaultKind::Payjs(kind).digits())
}

#[tokio::test]
async fn distorted_notifications_are_understood() {
    let mut rig = Rig::start().await;
    for kind in [PayjsFault::NotifyExtraField, PayjsFault::NotifyShuffled, PayjsFault::NotifyAttachZero] {
        for account in ["shop", "kept"] {
            let order = rig.order(account, fen(kind));
            assert_eq!(rig.paid(&order).await.total_minor, fen(kind), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn doubled_notifications_are_the_same() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", fen(PayjsFault::NotifyDoubled));
    rig.pay(&order).await;
    let first = rig.notified().await.unwrap();
    assert_eq!(rig.notified().await.unwrap(), first);
}

#[tokio::test]
async fn forgeries_are_refused_and_the_genuine_one_is_not() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", fen(PayjsFault::NotifyForged));
    rig.open(&rig.url(&order).await).await;
    let mut reasons = Vec::new();
    for _ in 0..2 {
        reasons.push(rig.notified().await.unwrap_err().reason);
    }
    reasons.sort();
    assert_eq!(reasons, [RefusalReason::Malformed, RefusalReason::BadSignature]);
    assert!(rig.paid(&order).await.total_minor > 0);
}

#[tokio::test]
async fn a_wrong_amount_is_told_as_it_is_stated() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", fen(PayjsFault::AmountMisreported));
    let payment = rig.paid(&order).await;
    assert_eq!(payment.total_minor, order.amount.minor() + 1);
    assert_eq!(payment_of(&rig.about(Operation::Query, &order, &payment).await.words), payment);
}

#[tokio::test]
async fn what_is_not_taken_at_once_comes_again() {
    let mut rig = Rig::start().await;
    rig.not_now(1);
    let order = rig.order("shop", 1200);
    let first = rig.paid(&order).await;
    // The answer that never came has ended; the schedule's next push is due 15 s after the payment.
    rig.clock.advance_ms(15_000);
    assert_eq!(payment_of(&rig.notified().await.unwrap().words), first);
}
