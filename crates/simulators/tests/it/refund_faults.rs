//! Each behaviour that the digits of a refund's amount choose on its call, its end and its query.

use std::time::Duration;

use paymux_simulators::control::view::{RefundState, RefundTruth};
use paymux_simulators::faults::FaultKind;
use serde_json::{Value, json};

use crate::client::Answer;
use crate::rig::{Rig, refund_of, start, start_with};

const ORDER: &str = "ORDER0001";
const REFUND: &str = "REFUND1";

type Sent = Result<Answer, reqwest::Error>;

/// A refund of a normal order whose own amount chooses this kind.
fn body(kind: FaultKind) -> Value {
    refund_of(ORDER, REFUND, 100 + i64::from(kind.digits()))
}

async fn refund(rig: &Rig, kind: FaultKind) -> Sent {
    rig.try_refund(&body(kind)).await
}

async fn paid() -> Rig {
    let rig = start().await;
    rig.paid(ORDER).await;
    rig
}

async fn made(rig: &Rig) -> Option<RefundTruth> {
    rig.refunds(ORDER).await.list.into_iter().next()
}

/// The fault was injected so often; the refund then goes through like any other, and once.
async fn assert_heals(rig: &Rig, kind: FaultKind, injected: u64) {
    let again = refund(rig, kind).await.unwrap();
    assert_eq!(again.status, 200, "{}", again.json());
    rig.client.assert_signed(&again);
    rig.simulator.clock().advance_ms(20_000);
    assert_eq!(rig.query_refund(REFUND).await.json()["status"], "SUCCESS");
    assert_injected(rig, kind, injected).await;
    let refunds = rig.refunds(ORDER).await;
    assert_eq!((refunds.list.len(), refunds.refunded), (1, 100 + i64::from(kind.digits())));
}

async fn assert_injected(rig: &Rig, kind: FaultKind, injected: u64) {
    assert_eq!(rig.stats().await.faults[&kind], injected, "{}", kind.name());
    assert!(rig.detail(ORDER).await.faults.contains(&kind));
    assert!(made(rig).await.is_none_or(|refund| refund.faults.contains(&kind)));
}

fn assert_cut(sent: &Sent) {
    let error = sent.as_ref().expect_err("the connection should have been cut");
    assert!(!error.is_timeout() && !error.is_connect(), "{error:?}");
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn refund_slow_answers_after_the_client_has_gone_and_the_refund_exists() {
    let kind = FaultKind::RefundSlow;
    let rig = start_with(|config| config.fault_tuning.hang_ms = 600_000).await;
    rig.paid(ORDER).await;
    tokio::select! {
        answered = refund(&rig, kind) => panic!("answered: {:?}", answered.map(|answer| answer.status)),
        _ = rig.stats_until(|stats| stats.faults[&kind] == 1) => {}
    }
    assert!(made(&rig).await.is_some());
    assert_heals(&rig, kind, 1).await;
}

#[tokio::test]
async fn refund_answer_lost_cuts_the_connection_behind_the_effect() {
    let rig = paid().await;
    assert_cut(&refund(&rig, FaultKind::RefundAnswerLost).await);
    assert!(made(&rig).await.is_some());
    assert_heals(&rig, FaultKind::RefundAnswerLost, 1).await;
}

#[tokio::test]
async fn refund_hung_and_refund_dropped_have_no_effect() {
    for kind in [FaultKind::RefundHung, FaultKind::RefundDropped] {
        let rig = start_with(|config| config.fault_tuning.hang_ms = 50).await;
        rig.paid(ORDER).await;
        assert_cut(&refund(&rig, kind).await);
        assert_eq!(made(&rig).await, None);
        assert_eq!(rig.query_refund(REFUND).await.code(), refused(404, "RESOURCE_NOT_EXISTS"));
        assert_heals(&rig, kind, 1).await;
    }
}

#[tokio::test]
async fn refund_lands_late_has_its_effect_after_the_connection_went() {
    let kind = FaultKind::RefundLandsLate;
    let rig = start_with(|config| config.fault_tuning.late_landing_ms = 3_600_000).await;
    rig.paid(ORDER).await;
    assert_cut(&refund(&rig, kind).await);
    assert_eq!(rig.query_refund(REFUND).await.code(), refused(404, "RESOURCE_NOT_EXISTS"));
    rig.simulator.clock().advance_ms(3_600_000);
    let landed = tokio::time::timeout(Duration::from_secs(20), async {
        while made(&rig).await.is_none() {
            tokio::task::yield_now().await;
        }
    });
    landed.await.expect("the refund should have landed");
    assert_heals(&rig, kind, 1).await;
}

#[tokio::test]
async fn refund_errors_come_with_and_without_an_effect() {
    for (kind, times, code, has_effect) in [
        (FaultKind::RefundSystemError, 1, refused(500, "SYSTEM_ERROR"), false),
        (FaultKind::RefundErrorAfterEffect, 1, refused(500, "SYSTEM_ERROR"), true),
        (FaultKind::RefundThrottled, 3, refused(429, "FREQUENCY_LIMITED"), false),
        (FaultKind::RefundThrottledAfterEffect, 1, refused(429, "FREQUENCY_LIMITED"), true),
    ] {
        let rig = paid().await;
        for _ in 0..times {
            assert_eq!(refund(&rig, kind).await.unwrap().code(), code);
        }
        assert_eq!(made(&rig).await.is_some(), has_effect);
        assert_heals(&rig, kind, times).await;
    }
}

#[tokio::test]
async fn refund_not_enough_passes_with_time_alone() {
    let kind = FaultKind::RefundNotEnough;
    let rig = paid().await;
    for _ in 0..4 {
        let answer = refund(&rig, kind).await.unwrap();
        assert_eq!(answer.code(), refused(403, "NOT_ENOUGH"));
        rig.client.assert_signed(&answer);
    }
    assert_eq!(made(&rig).await, None);
    rig.simulator.clock().advance_ms(120_000);
    assert_heals(&rig, kind, 4).await;
}

#[tokio::test]
async fn refund_bad_signature_and_refund_garbage_are_not_the_platforms() {
    let rig = paid().await;
    let answer = refund(&rig, FaultKind::RefundBadSignature).await.unwrap();
    assert_eq!(answer.json()["status"], "PROCESSING");
    assert!(!rig.client.is_signed(&answer.headers, &answer.body));
    assert_heals(&rig, FaultKind::RefundBadSignature, 1).await;

    let rig = paid().await;
    let answer = refund(&rig, FaultKind::RefundGarbage).await.unwrap();
    assert_eq!((answer.status, answer.json().is_null()), (200, true));
    assert!(!answer.headers.contains_key("Wechatpay-Signature"));
    assert!(made(&rig).await.is_some());
    assert_heals(&rig, FaultKind::RefundGarbage, 1).await;
}

#[tokio::test]
async fn refund_closed_frees_the_money_and_refund_abnormal_does_not() {
    for (kind, state, status, left) in [
        (FaultKind::RefundClosed, RefundState::Closed, "CLOSED", 1200),
        (FaultKind::RefundAbnormal, RefundState::Abnormal, "ABNORMAL", 1014),
    ] {
        let rig = paid().await;
        assert_eq!(refund(&rig, kind).await.unwrap().json()["status"], "PROCESSING");
        rig.simulator.clock().advance_ms(60_000);
        let seen = rig.query_refund(REFUND).await.json();
        assert_eq!((&seen["status"], &seen["success_time"]), (&json!(status), &Value::Null));
        // The same number stays what it is, and the order is not refunded.
        assert_eq!(refund(&rig, kind).await.unwrap().json(), seen);
        assert_eq!(rig.state(ORDER).await, "SUCCESS");
        let refunds = rig.refunds(ORDER).await;
        assert_eq!((refunds.refunded, refunds.reserved, refunds.list[0].state), (0, 1200 - left, state));
        let over = rig.refund(&refund_of(ORDER, "REFUND2", left + 1)).await;
        assert_eq!(over.code(), refused(400, "INVALID_REQUEST"));
        assert_eq!(rig.refund(&refund_of(ORDER, "REFUND3", left)).await.status, 200);
        assert_injected(&rig, kind, 1).await;
    }
}

#[tokio::test]
async fn refund_query_lagging_does_not_know_a_fresh_refund() {
    let kind = FaultKind::RefundQueryLagging;
    let rig = paid().await;
    assert_eq!(refund(&rig, kind).await.unwrap().status, 200);
    assert_eq!(rig.query_refund(REFUND).await.code(), refused(404, "RESOURCE_NOT_EXISTS"));
    rig.simulator.clock().advance_ms(20_000);
    assert_eq!(rig.query_refund(REFUND).await.json()["status"], "SUCCESS");
    assert_injected(&rig, kind, 1).await;
}

#[tokio::test]
async fn digits_of_an_order_and_of_its_refunds_do_not_meet() {
    let rig = start().await;
    // The order's own digits mean its refund only, and a refund's digits of an order's fault mean nothing.
    let total = 1_200 + i64::from(FaultKind::RefundAnswerLost.digits());
    assert_eq!(rig.create_for(ORDER, total).await.unwrap().status, 200);
    rig.pay(ORDER).await;
    let mut body = refund_of(ORDER, "REFUND1", 100 + i64::from(FaultKind::CreateAnswerLost.digits()));
    body["amount"]["total"] = json!(total);
    assert_eq!(rig.refund(&body).await.status, 200);
    assert!(rig.stats().await.faults.values().all(|count| *count == 0));
}

#[tokio::test]
async fn rates_choose_by_the_refund_number() {
    let rig = paid().await;
    rig.control("faults", &json!({"seed": 1, "rates": {"refund_closed": 1.0}})).await;
    assert_eq!(rig.refund(&refund_of(ORDER, REFUND, 100)).await.status, 200);
    rig.simulator.clock().advance_ms(20_000);
    assert_eq!(rig.query_refund(REFUND).await.json()["status"], "CLOSED");
}
