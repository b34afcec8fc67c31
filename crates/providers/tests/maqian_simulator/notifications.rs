//! Notifications over real HTTP: genuine, doubled, forged, distorted, misreported, or without proof.

use paymux_domain::outcome::{Operation, Word};
use paymux_domain::ports::RefusalReason;
use paymux_domain::refund::RefundProgress;
use paymux_simulators::faults::{FaultKind, MaqianFault};

use crate::rig::{Rig, payment_of};

fn fen(kind: MaqianFault) -> i64 {
    1200 + i64::from(FaultKind::Maqian(kind).digits())
}

#[tokio::test]
async fn distorted_notifications_are_understood() {
    let mut rig = Rig::start().await;
    for kind in [MaqianFault::NotifyNumbers, MaqianFault::NotifyExtraField, MaqianFault::NotifyShuffled] {
        for account in ["shop", "bare"] {
            let order = rig.order(account, "mini_program", fen(kind));
            assert_eq!(rig.paid(&order).await.total_minor, fen(kind), "{kind:?} {account}");
        }
    }
}

#[tokio::test]
async fn doubled_notifications_are_the_same() {
    let mut rig = Rig::start().await;
    rig.pay(&rig.order("shop", "mini_program", fen(MaqianFault::NotifyDoubled))).await;
    let first = rig.notified().await.unwrap();
    assert_eq!(rig.notified().await.unwrap(), first);
}

#[tokio::test]
async fn forgeries_are_refused_and_the_genuine_one_is_not() {
    let mut rig = Rig::start().await;
    for account in ["shop", "bare"] {
        let order = rig.order(account, "mini_program", fen(MaqianFault::NotifyForged));
        assert_eq!(rig.open(&rig.launch(&order).await).await.0, 200);
        let mut reasons = Vec::new();
        for _ in 0..2 {
            reasons.push(rig.notified().await.unwrap_err().reason);
        }
        reasons.sort();
        assert_eq!(reasons, [RefusalReason::Malformed, RefusalReason::BadSignature], "{account}");
        assert!(rig.paid(&order).await.total_minor > 0);
    }
}

#[tokio::test]
async fn without_proof_true_and_forged_pushes_hint_alike_and_only_the_query_tells() {
    let mut rig = Rig::start().await;
    let order = rig.order("hinted", "mini_program", fen(MaqianFault::NotifyForged));
    assert_eq!(rig.open(&rig.launch(&order).await).await.0, 200);
    for _ in 0..2 {
        assert_eq!(rig.notified().await.unwrap().words, [Word::Hint]);
    }
    assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::Open], "it was forged");
    rig.pay(&order).await;
    assert_eq!(rig.notified().await.unwrap().words, [Word::Hint]);
    let payment = payment_of(&rig.call(Operation::Query, &order).await.words);
    assert_eq!(payment.total_minor, order.amount.minor());
}

#[tokio::test]
async fn the_end_of_a_refund_is_told_where_its_push_names_the_order() {
    let mut rig = Rig::start().await;
    for (kind, progress) in
        [(None, RefundProgress::Done), (Some(MaqianFault::RefundFailed), RefundProgress::Closed)]
    {
        let order = rig.order("told", "mini_program", kind.map_or(1200, fen));
        let payment = rig.paid(&order).await;
        rig.refund(Operation::Refund, &order, &payment, ("a1", 500)).await;
        let verified = rig.notified().await.unwrap();
        assert_eq!((&verified.account, &verified.out_trade_no), (&order.account, &order.out_trade_no));
        let [Word::Refund(word)] = verified.words.as_slice() else { panic!("{verified:?}") };
        assert_eq!((word.progress, word.amount_minor), (progress, Some(500)));
        assert_eq!(word.out_refund_no.as_ref().map(|no| no.as_str()), Some("a1"));
        assert!(word.provider_refund_no.is_some());
    }
}

/// The published fields name no order, and the engine keeps a refund with its order: the query of the refund tells.
#[tokio::test]
async fn a_push_of_a_refund_that_names_no_order_is_refused_as_what_it_is() {
    let mut rig = Rig::start().await;
    let order = rig.order("hinted", "mini_program", 1200);
    rig.pay(&order).await;
    assert_eq!(rig.notified().await.unwrap().words, [Word::Hint]);
    let payment = payment_of(&rig.call(Operation::Query, &order).await.words);
    rig.refund(Operation::Refund, &order, &payment, ("a1", 500)).await;
    let refusal = rig.notified().await.unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::UnknownKind, "{}", refusal.detail);
    let report = rig.refund(Operation::Query, &order, &payment, ("a1", 500)).await;
    let [Word::Refund(word)] = report.words.as_slice() else { panic!("{report:?}") };
    assert_eq!(word.progress, RefundProgress::Done);
}

#[tokio::test]
async fn a_wrong_amount_is_told_as_it_is_stated() {
    let mut rig = Rig::start().await;
    let order = rig.order("bare", "mini_program", fen(MaqianFault::AmountMisreported));
    assert_eq!(rig.paid(&order).await.total_minor, order.amount.minor() + 1);
    let order = rig.order("shop", "mini_program", fen(MaqianFault::AmountMisreported));
    assert_eq!(rig.paid(&order).await.total_minor, order.amount.minor() + 1);
    assert_eq!(
        payment_of(&rig.call(Operation::Query, &order).await.words).total_minor,
        order.amount.minor() + 1
    );
}
