//! Each behaviour that amount digits choose.

use paymux_simulators::control::view::{PushKind, XorpayStatus};
use paymux_simulators::faults::{FaultKind, Mishap, XorpayFault};

use super::rig::{
    create, detail, form_of, is_signed, order, paid, pay, start_with, truth, try_create, try_query,
    try_refund, until, until_success,
};
use crate::client::Answer;
use crate::inbox::Inbox;
use crate::rig::Rig;

const URL: &str = "http://127.0.0.1:1/n";

fn total(kind: XorpayFault) -> i64 {
    1_200 + i64::from(FaultKind::Xorpay(kind).digits())
}

async fn quick() -> Rig {
    start_with(|config| {
        config.fault_tuning.hang_ms = 50;
        config.fault_tuning.oversized_bytes = 10_000;
    })
    .await
}

/// What a call came to, in one word.
fn came_to(sent: &Result<Answer, reqwest::Error>) -> String {
    match sent {
        Err(error) => {
            assert!(!error.is_timeout() && !error.is_connect(), "{error:?}");
            "cut".to_owned()
        }
        Ok(answer) if answer.status != 200 => answer.status.to_string(),
        Ok(answer) if answer.body.len() > 10_000 => "oversized".to_owned(),
        Ok(answer) => answer.json()["status"].as_str().unwrap_or("garbage").to_owned(),
    }
}

async fn assert_injected(rig: &Rig, kind: XorpayFault, times: u64) {
    let kind = FaultKind::Xorpay(kind);
    assert_eq!(rig.stats().await.faults[&kind], times, "{}", kind.name());
    assert_eq!(detail(rig, "T1").await.faults.contains(&kind), times > 0);
}

#[tokio::test]
async fn creates_fail_before_and_after_their_effect() {
    for (mishap, word, is_made, times) in [
        (Mishap::Slow, "ok", true, 1),
        (Mishap::AnswerLost, "cut", true, 1),
        (Mishap::Hung, "cut", false, 1),
        (Mishap::Dropped, "cut", false, 1),
        (Mishap::LandsLate, "cut", false, 1),
        (Mishap::ServerError, "500", false, 2),
        (Mishap::ErrorAfterEffect, "500", true, 1),
        (Mishap::Garbage, "garbage", true, 1),
        (Mishap::Throttled, "429", false, 3),
        (Mishap::Truncated, "cut", true, 1),
        (Mishap::Oversized, "oversized", true, 1),
    ] {
        let rig = quick().await;
        let kind = XorpayFault::Create(mishap);
        for _ in 0..times {
            let sent = try_create(&rig, order("T1", total(kind), URL)).await;
            assert_eq!(came_to(&sent), word, "{mishap:?}");
        }
        assert_eq!(detail(&rig, "T1").await.order.is_some(), is_made, "{mishap:?}");
        assert_injected(&rig, kind, times).await;
        create(&rig, "T1", total(kind), URL).await;
        assert_injected(&rig, kind, times).await;
    }
}

#[tokio::test]
async fn a_late_create_comes_into_being_by_itself() {
    let rig = quick().await;
    try_create(&rig, order("T1", total(XorpayFault::Create(Mishap::LandsLate)), URL)).await.unwrap_err();
    rig.simulator.clock().advance_ms(5_000);
    until(&rig, "T1", |detail| detail.order.is_some()).await;
    pay(&rig, "T1").await;
}

#[tokio::test]
async fn creates_are_refused_by_words() {
    for (kind, word, times) in [
        (XorpayFault::CreateRefused, "invalid_openid", 3),
        (XorpayFault::CreateUpstream, "wechat_api_error", 2),
        (XorpayFault::CreateFee, "fee_error", 1),
    ] {
        let rig = quick().await;
        for _ in 0..times {
            assert_eq!(came_to(&try_create(&rig, order("T1", total(kind), URL)).await), word);
        }
        assert!(detail(&rig, "T1").await.order.is_none());
        assert_injected(&rig, kind, times).await;
        let next = came_to(&try_create(&rig, order("T1", total(kind), URL)).await);
        assert_eq!(next, if kind == XorpayFault::CreateRefused { word } else { "ok" });
    }
    let rig = quick().await;
    let answer = create(&rig, "T1", total(XorpayFault::CreateOtherSpelling), URL).await;
    assert_eq!((&answer["expires_in"], answer.get("expire_in")), (&"1800".into(), None));
}

#[tokio::test]
async fn queries_fail_and_heal() {
    for (kind, word, times) in [
        (XorpayFault::Query(Mishap::Dropped), "cut", 1),
        (XorpayFault::Query(Mishap::ServerError), "500", 2),
        (XorpayFault::Query(Mishap::Garbage), "garbage", 1),
        (XorpayFault::Query(Mishap::Throttled), "429", 3),
        (XorpayFault::Query(Mishap::Slow), "payed", 1),
        (XorpayFault::QueryStale, "new", 1),
        (XorpayFault::QueryFee, "fee_error", 1),
    ] {
        let rig = quick().await;
        paid(&rig, URL, "T1", total(kind)).await;
        for _ in 0..times {
            assert_eq!(came_to(&try_query(&rig, "T1").await), word, "{kind:?}");
        }
        assert_eq!(came_to(&try_query(&rig, "T1").await), "payed", "{kind:?}");
        assert_injected(&rig, kind, times).await;
    }
    let rig = quick().await;
    create(&rig, "T1", total(XorpayFault::QueryLagging), URL).await;
    assert_eq!(came_to(&try_query(&rig, "T1").await), "not_exist");
    rig.simulator.clock().advance_ms(20_000);
    assert_eq!(came_to(&try_query(&rig, "T1").await), "new");
}

#[tokio::test]
async fn refunds_fail_before_and_after_their_effect() {
    for (kind, word, is_made, times) in [
        (XorpayFault::Refund(Mishap::Slow), "ok", true, 1),
        (XorpayFault::Refund(Mishap::AnswerLost), "cut", true, 1),
        (XorpayFault::Refund(Mishap::Hung), "cut", false, 1),
        (XorpayFault::Refund(Mishap::Dropped), "cut", false, 1),
        (XorpayFault::Refund(Mishap::LandsLate), "cut", false, 1),
        (XorpayFault::Refund(Mishap::ServerError), "500", false, 2),
        (XorpayFault::Refund(Mishap::ErrorAfterEffect), "500", true, 1),
        (XorpayFault::Refund(Mishap::Garbage), "garbage", true, 1),
        (XorpayFault::Refund(Mishap::Throttled), "429", false, 3),
        (XorpayFault::RefundNotYet, "order_error", false, 1),
    ] {
        let rig = quick().await;
        let inbox = Inbox::answering(200).await;
        let aoid = paid(&rig, &inbox.url, "T1", total(kind)).await;
        until_success(&rig, "T1").await;
        for _ in 0..times {
            assert_eq!(came_to(&try_refund(&rig, &aoid, "5.00").await), word, "{kind:?}");
        }
        assert_eq!(truth(&rig, "T1").await.0.refunds.refunded, if is_made { 500 } else { 0 }, "{kind:?}");
        assert_injected(&rig, kind, times).await;
        if kind == XorpayFault::Refund(Mishap::LandsLate) {
            rig.simulator.clock().advance_ms(5_000);
            until(&rig, "T1", |detail| {
                detail.order.as_ref().is_some_and(|order| order.refunds.refunded == 500)
            })
            .await;
        }
    }
}

#[tokio::test]
async fn pushes_are_doubled_delayed_and_lost_at_first() {
    let rig = quick().await;
    let mut inbox = Inbox::answering(200).await;
    paid(&rig, &inbox.url, "T1", total(XorpayFault::NotifyDoubled)).await;
    assert_eq!(inbox.next().await.body, inbox.next().await.body);
    paid(&rig, &inbox.url, "T2", total(XorpayFault::NotifyDelayed)).await;
    paid(&rig, &inbox.url, "T3", total(XorpayFault::NotifyLostAtFirst)).await;
    paid(&rig, &inbox.url, "T4", total(XorpayFault::NotifyLost)).await;
    rig.simulator.clock().advance_ms(90_000);
    assert_eq!(form_of(&inbox.next().await)["order_id"], "T2");
    rig.simulator.clock().advance_ms(30_000);
    assert_eq!(form_of(&inbox.next().await)["order_id"], "T3");
    rig.simulator.clock().advance_ms(300 * 60_000);
    paid(&rig, &inbox.url, "T5", 1200).await;
    assert_eq!(form_of(&inbox.next().await)["order_id"], "T5");
    assert_eq!(truth(&rig, "T4").await.1.status, XorpayStatus::Payed);
}

#[tokio::test]
async fn forgers_claim_what_was_not_paid() {
    let rig = quick().await;
    let mut inbox = Inbox::answering(400).await;
    create(&rig, "T1", total(XorpayFault::NotifyForged), &inbox.url).await;
    for is_sealed in [true, false] {
        let push = form_of(&inbox.next().await);
        assert!(!is_signed(&push) && push.contains_key("sign") == is_sealed);
        assert_ne!(push["aoid"], truth(&rig, "T1").await.1.aoid);
    }
    let stats = rig.stats_until(|stats| stats.notifications.forged_sent == 2).await;
    assert_eq!(stats.notifications.forged_acknowledged, 0);
}

#[tokio::test]
async fn shifted_pushes_carry_the_genuine_signature_over_other_fields() {
    let rig = quick().await;
    let mut inbox = Inbox::answering(200).await;
    let aoid = paid(&rig, &inbox.url, "T1", total(XorpayFault::NotifyShifted)).await;
    for _ in 0..2 {
        let push = form_of(&inbox.next().await);
        assert!(is_signed(&push));
        assert!(push["aoid"] != aoid || push["order_id"] != "T1");
    }
    let push = form_of(&inbox.next().await);
    assert_eq!((push["aoid"].as_str(), push["order_id"].as_str()), (aoid.as_str(), "T1"));
    until_success(&rig, "T1").await;
    let kinds: Vec<PushKind> = detail(&rig, "T1").await.pushes.iter().map(|push| push.kind).collect();
    assert_eq!(kinds, [PushKind::Forged, PushKind::Forged, PushKind::True]);
}

#[tokio::test]
async fn pushes_are_altered_where_nothing_is_proven_and_misreport_the_sum() {
    let rig = quick().await;
    let mut inbox = Inbox::answering(200).await;
    paid(&rig, &inbox.url, "T1", total(XorpayFault::NotifyAltered)).await;
    let push = form_of(&inbox.next().await);
    assert!(is_signed(&push) && push["more"] != "order:42" && push.len() == 8, "{push:?}");
    paid(&rig, &inbox.url, "T2", total(XorpayFault::AmountMisreported)).await;
    let push = form_of(&inbox.next().await);
    assert_eq!((push["pay_price"].as_str(), is_signed(&push)), ("12.96", true));
    assert_eq!(truth(&rig, "T2").await.0.payment.unwrap().total, 1295);
}
