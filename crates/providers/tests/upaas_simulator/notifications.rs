//! Notifications over real HTTP: genuine, doubled, forged, distorted, misreported.

use paymux_domain::outcome::Operation;
use paymux_domain::ports::RefusalReason;
use paymux_simulators::faults::{FaultKind, UpaasFault};

use crate::rig::{Rig, payment_of};

fn fen(kind: UpaasFault) -> i64 {
    1200 + i64::from(FaultKind::Upaas(kind).digits())
}

#[tokio::test]
async fn a_field_that_nobody_knows_is_understood_in_both_forms() {
    let mut rig = Rig::start().await;
    for account in ["shop", "other"] {
        let order = rig.order(account, "alipay", fen(UpaasFault::NotifyExtraField));
        assert_eq!(rig.paid(&order).await.total_minor, order.amount.minor(), "{account}");
    }
}

#[tokio::test]
async fn doubled_notifications_are_the_same() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", "alipay", fen(UpaasFault::NotifyDoubled));
    let launch = rig.launched(&order).await;
    rig.launch(&launch).await;
    let first = rig.notified().await.unwrap();
    assert_eq!(rig.notified().await.unwrap(), first);
}

#[tokio::test]
async fn forgeries_are_refused_and_the_genuine_one_is_not() {
    let mut rig = Rig::start().await;
    for account in ["shop", "other"] {
        let order = rig.order(account, "alipay", fen(UpaasFault::NotifyForged));
        let launch = rig.launched(&order).await;
        let mut reasons = Vec::new();
        for _ in 0..2 {
            reasons.push(rig.notified().await.unwrap_err().reason);
        }
        reasons.sort();
        assert_eq!(reasons, [RefusalReason::Malformed, RefusalReason::BadSignature]);
        rig.launch(&launch).await;
        assert_eq!(payment_of(&rig.notified().await.unwrap().words).total_minor, order.amount.minor());
    }
}

#[tokio::test]
async fn a_wrong_amount_is_told_as_it_is_stated() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", "alipay", fen(UpaasFault::AmountMisreported));
    let payment = rig.paid(&order).await;
    assert_eq!(payment.total_minor, order.amount.minor() + 1);
    assert_eq!(payment_of(&rig.call(Operation::Query, &order, vec![]).await.words), payment);
}
