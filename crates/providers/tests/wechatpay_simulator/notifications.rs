//! Notifications over real HTTP: genuine, doubled, forged, probing, replayed and misreported ones.

use paymux_domain::outcome::{Operation, Word};
use paymux_domain::ports::RefusalReason;
use paymux_domain::time::Timestamp;
use paymux_simulators::faults::FaultKind;

use crate::rig::{Rig, attempt};

fn fen(kind: FaultKind) -> i64 {
    1200 + i64::from(kind.digits())
}

#[tokio::test]
async fn doubled_notifications_say_the_same() {
    let mut rig = Rig::start().await;
    let order = rig.order("scannedpos", fen(FaultKind::NotifyDoubled));
    rig.launched(&order).await;
    rig.pay(&order).await;
    let (first, second) = (rig.notified().await.result.unwrap(), rig.notified().await.result.unwrap());
    assert_eq!(first.words, second.words);
    assert_eq!(first.out_trade_no, order.out_trade_no);
}

#[tokio::test]
async fn forgeries_are_refused_and_the_genuine_one_is_not() {
    let mut rig = Rig::start().await;
    let order = rig.order("jsapi", fen(FaultKind::NotifyForged));
    rig.launched(&order).await;
    let mut reasons = Vec::new();
    for _ in 0..2 {
        reasons.push(rig.notified().await.result.unwrap_err().reason);
    }
    reasons.sort();
    assert_eq!(reasons, [RefusalReason::BadSignature, RefusalReason::UnknownKey]);
    assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::Open], "nobody has paid");
    rig.pay(&order).await;
    assert!(rig.notified().await.result.is_ok());
}

#[tokio::test]
async fn a_probe_is_refused_before_the_genuine_one_comes() {
    let mut rig = Rig::start().await;
    let order = rig.order("jsapi", fen(FaultKind::NotifySigntest));
    rig.launched(&order).await;
    rig.pay(&order).await;
    assert_eq!(rig.notified().await.result.unwrap_err().reason, RefusalReason::Probe);
    assert!(rig.notified().await.result.is_ok());
}

#[tokio::test]
async fn a_replay_is_stale_after_five_minutes_and_bytes_cannot_be_changed() {
    let mut rig = Rig::start().await;
    let order = rig.order("partner_jsapi", 1200);
    rig.launched(&order).await;
    rig.pay(&order).await;
    let received = rig.notified().await;
    let genuine = received.result.unwrap();
    assert_eq!(rig.provider.verify(&received.raw, rig.now()), Ok(genuine), "at once it says the same");
    let late = Timestamp::from_millis(rig.now().as_millis() + 6 * 60 * 1000);
    let reason = |raw, at| rig.provider.verify(raw, at).unwrap_err().reason;
    assert_eq!(reason(&received.raw, late), RefusalReason::Stale);
    let mut changed = received.raw.clone();
    let last = changed.body.len() - 2;
    changed.body[last] ^= 1;
    assert_eq!(reason(&changed, rig.now()), RefusalReason::BadSignature);
}

#[tokio::test]
async fn a_misreported_amount_is_told_as_stated() {
    let mut rig = Rig::start().await;
    let order = rig.order("jsapi", fen(FaultKind::AmountMisreported));
    rig.launched(&order).await;
    rig.pay(&order).await;
    let notified = rig.notified().await.result.unwrap();
    let asked = rig.call_after(Operation::Query, &order, vec![attempt(1)]).await;
    for words in [&notified.words, &asked.words] {
        let [Word::Paid(payment)] = words.as_slice() else { panic!("{words:?}") };
        assert_eq!(payment.total_minor, order.amount.minor() + 1);
    }
}
