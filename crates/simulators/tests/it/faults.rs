//! Each behaviour that amount digits choose on create, query and close.

use std::time::Duration;

use paymux_simulators::faults::FaultKind;
use paymux_simulators::wechatpay::CLOSE_AGE_MIN_MS;

use crate::client::Answer;
use crate::rig::{Rig, start, start_with};

const NUMBER: &str = "ORDER0001";

type Sent = Result<Answer, reqwest::Error>;

/// An amount that chooses this kind.
fn total(kind: FaultKind) -> i64 {
    1_200 + i64::from(kind.digits())
}

async fn create(rig: &Rig, kind: FaultKind) -> Sent {
    rig.create_for(NUMBER, total(kind)).await
}

/// Creates an order that misbehaves only later.
async fn created(kind: FaultKind) -> Rig {
    let rig = start().await;
    assert_eq!(create(&rig, kind).await.unwrap().status, 200);
    rig
}

async fn exists(rig: &Rig) -> bool {
    rig.detail(NUMBER).await.order.is_some()
}

/// The fault was injected so often; the order then goes through like any other.
async fn assert_heals(rig: &Rig, kind: FaultKind, injected: u64) {
    let again = create(rig, kind).await.unwrap();
    assert_eq!(again.status, 200, "{}", again.json());
    rig.client.assert_signed(&again);
    assert_eq!(rig.state(NUMBER).await, "NOTPAY");
    assert_injected(rig, kind, injected).await;
}

async fn assert_injected(rig: &Rig, kind: FaultKind, injected: u64) {
    assert_eq!(rig.stats().await.faults[&kind], injected);
    assert_eq!(rig.detail(NUMBER).await.faults.contains(&kind), injected > 0);
}

fn assert_cut(sent: &Sent) {
    let error = sent.as_ref().expect_err("the connection should have been cut");
    assert!(!error.is_timeout() && !error.is_connect(), "{error:?}");
}

fn code(sent: Sent) -> (u16, String) {
    sent.unwrap().code()
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn create_slow_answers_after_the_client_has_gone_and_the_order_exists() {
    let kind = FaultKind::CreateSlow;
    let rig = start_with(|config| config.fault_tuning.hang_ms = 600_000).await;
    // The client gives up as soon as the call is known to hang.
    tokio::select! {
        answered = create(&rig, kind) => panic!("answered: {:?}", answered.map(|answer| answer.status)),
        _ = rig.stats_until(|stats| stats.faults[&kind] == 1) => {}
    }
    assert!(exists(&rig).await);
    assert_heals(&rig, kind, 1).await;
}

#[tokio::test]
async fn create_slow_is_a_good_answer_for_a_patient_client() {
    let rig = start_with(|config| config.fault_tuning.hang_ms = 50).await;
    let answer = create(&rig, FaultKind::CreateSlow).await.unwrap();
    assert_eq!(answer.status, 200);
    rig.client.assert_signed(&answer);
}

#[tokio::test]
async fn create_answer_lost_cuts_the_connection_behind_the_effect() {
    let rig = start().await;
    assert_cut(&create(&rig, FaultKind::CreateAnswerLost).await);
    assert!(exists(&rig).await);
    assert_heals(&rig, FaultKind::CreateAnswerLost, 1).await;
}

#[tokio::test]
async fn create_hung_and_create_dropped_have_no_effect() {
    for kind in [FaultKind::CreateHung, FaultKind::CreateDropped] {
        let rig = start_with(|config| config.fault_tuning.hang_ms = 50).await;
        assert_cut(&create(&rig, kind).await);
        assert!(!exists(&rig).await);
        assert_eq!(rig.query(NUMBER).await.code(), refused(404, "ORDER_NOT_EXIST"));
        assert_heals(&rig, kind, 1).await;
    }
}

#[tokio::test]
async fn create_lands_late_has_its_effect_after_the_connection_went() {
    let rig = start_with(|config| config.fault_tuning.late_landing_ms = 3_600_000).await;
    assert_cut(&create(&rig, FaultKind::CreateLandsLate).await);
    assert_eq!(rig.query(NUMBER).await.code(), refused(404, "ORDER_NOT_EXIST"));
    rig.simulator.clock().advance_ms(3_600_000);
    let landed = tokio::time::timeout(Duration::from_secs(20), async {
        while !exists(&rig).await {
            tokio::task::yield_now().await;
        }
    });
    landed.await.expect("the create should have landed");
    assert_heals(&rig, FaultKind::CreateLandsLate, 1).await;
}

#[tokio::test]
async fn create_system_error_comes_with_and_without_an_effect() {
    for (kind, has_effect) in
        [(FaultKind::CreateSystemError, false), (FaultKind::CreateErrorAfterEffect, true)]
    {
        let rig = start().await;
        assert_eq!(code(create(&rig, kind).await), refused(500, "SYSTEM_ERROR"));
        assert_eq!(exists(&rig).await, has_effect);
        assert_heals(&rig, kind, 1).await;
    }
}

#[tokio::test]
async fn create_bad_signature_is_not_the_platforms() {
    let rig = start().await;
    let answer = create(&rig, FaultKind::CreateBadSignature).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["Wechatpay-Serial"], rig.simulator.platform().certificate_serial.as_str());
    assert!(!rig.client.is_signed(&answer.headers, &answer.body));
    assert_heals(&rig, FaultKind::CreateBadSignature, 1).await;
}

#[tokio::test]
async fn create_refused_stays_refused() {
    let rig = start().await;
    for _ in 0..3 {
        let answer = create(&rig, FaultKind::CreateRefused).await.unwrap();
        assert_eq!(answer.code(), refused(400, "PARAM_ERROR"));
        rig.client.assert_signed(&answer);
    }
    assert!(!exists(&rig).await);
    assert_injected(&rig, FaultKind::CreateRefused, 3).await;
}

#[tokio::test]
async fn create_throttled_lets_the_fourth_call_through() {
    let rig = start().await;
    for _ in 0..3 {
        assert_eq!(code(create(&rig, FaultKind::CreateThrottled).await), refused(429, "FREQUENCY_LIMITED"));
    }
    assert!(!exists(&rig).await);
    assert_heals(&rig, FaultKind::CreateThrottled, 3).await;
}

#[tokio::test]
async fn create_no_auth_is_refused_once() {
    let rig = start().await;
    assert_eq!(code(create(&rig, FaultKind::CreateNoAuth).await), refused(403, "NO_AUTH"));
    assert!(!exists(&rig).await);
    assert_heals(&rig, FaultKind::CreateNoAuth, 1).await;
}

#[tokio::test]
async fn create_garbage_is_an_unsigned_page() {
    let rig = start().await;
    let answer = create(&rig, FaultKind::CreateGarbage).await.unwrap();
    assert_eq!((answer.status, answer.json().is_null()), (200, true));
    assert!(!answer.headers.contains_key("Wechatpay-Signature"));
    assert!(exists(&rig).await);
    assert_heals(&rig, FaultKind::CreateGarbage, 1).await;
}

#[tokio::test]
async fn create_truncated_breaks_off_behind_its_headers() {
    let rig = start().await;
    let error = create(&rig, FaultKind::CreateTruncated).await.expect_err("the body should break off");
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    assert!(exists(&rig).await);
    assert_heals(&rig, FaultKind::CreateTruncated, 1).await;
}

#[tokio::test]
async fn create_oversized_is_well_signed_and_too_long() {
    let rig = start_with(|config| config.fault_tuning.oversized_bytes = 1_000_000).await;
    let answer = create(&rig, FaultKind::CreateOversized).await.unwrap();
    rig.client.assert_signed(&answer);
    assert!(answer.body.len() > 1_000_000);
    assert_heals(&rig, FaultKind::CreateOversized, 1).await;
}

#[tokio::test]
async fn query_lagging_does_not_know_a_fresh_order() {
    let rig = created(FaultKind::QueryLagging).await;
    assert_eq!(rig.query(NUMBER).await.code(), refused(404, "ORDER_NOT_EXIST"));
    assert!(exists(&rig).await);
    rig.simulator.clock().advance_ms(20_000);
    assert_eq!(rig.state(NUMBER).await, "NOTPAY");
    assert_injected(&rig, FaultKind::QueryLagging, 1).await;
}

#[tokio::test]
async fn query_stale_misses_the_payment_once() {
    let rig = created(FaultKind::QueryStale).await;
    assert_eq!(rig.state(NUMBER).await, "NOTPAY");
    assert_injected(&rig, FaultKind::QueryStale, 0).await;
    rig.pay(NUMBER).await;
    assert_eq!(rig.state(NUMBER).await, "NOTPAY");
    assert_eq!(rig.state(NUMBER).await, "SUCCESS");
    assert_injected(&rig, FaultKind::QueryStale, 1).await;
}

#[tokio::test]
async fn query_errors_pass() {
    for (kind, times, expected) in [
        (FaultKind::QuerySystemError, 2, refused(500, "SYSTEM_ERROR")),
        (FaultKind::QueryThrottled, 3, refused(429, "FREQUENCY_LIMITED")),
    ] {
        let rig = created(kind).await;
        for _ in 0..times {
            assert_eq!(rig.query(NUMBER).await.code(), expected);
        }
        assert_eq!(rig.state(NUMBER).await, "NOTPAY");
        assert_injected(&rig, kind, times).await;
    }
}

#[tokio::test]
async fn query_bad_signature_is_not_the_platforms() {
    let rig = created(FaultKind::QueryBadSignature).await;
    let answer = rig.query(NUMBER).await;
    assert_eq!(answer.status, 200);
    assert!(!rig.client.is_signed(&answer.headers, &answer.body));
    assert_eq!(rig.state(NUMBER).await, "NOTPAY");
}

#[tokio::test]
async fn query_signtest_is_a_probe_once() {
    let rig = created(FaultKind::QuerySigntest).await;
    let answer = rig.query(NUMBER).await;
    let signature = answer.headers["Wechatpay-Signature"].to_str().unwrap();
    assert!(signature.starts_with("WECHATPAY/SIGNTEST/"), "{signature}");
    assert!(!rig.client.is_signed(&answer.headers, &answer.body));
    assert_eq!(rig.state(NUMBER).await, "NOTPAY");
    assert_injected(&rig, FaultKind::QuerySigntest, 1).await;
}

#[tokio::test]
async fn query_dropped_is_cut_once() {
    let rig = created(FaultKind::QueryDropped).await;
    assert_cut(&rig.try_query(NUMBER).await);
    assert_eq!(rig.state(NUMBER).await, "NOTPAY");
    assert_injected(&rig, FaultKind::QueryDropped, 1).await;
}

#[tokio::test]
async fn close_answer_lost_closes_nevertheless() {
    let rig = created(FaultKind::CloseAnswerLost).await;
    assert_eq!(rig.close(NUMBER).await.code(), refused(403, "RULE_LIMIT"));
    rig.simulator.clock().advance_ms(CLOSE_AGE_MIN_MS);
    assert_cut(&rig.try_close(NUMBER).await);
    assert_eq!(rig.state(NUMBER).await, "CLOSED");
    assert_eq!(rig.close(NUMBER).await.status, 204);
    assert_injected(&rig, FaultKind::CloseAnswerLost, 1).await;
}

#[tokio::test]
async fn close_faults_leave_the_order_open() {
    let rig = created(FaultKind::CloseDropped).await;
    rig.simulator.clock().advance_ms(CLOSE_AGE_MIN_MS);
    assert_cut(&rig.try_close(NUMBER).await);
    assert_eq!(rig.state(NUMBER).await, "NOTPAY");
    assert_eq!(rig.close(NUMBER).await.status, 204);

    for (kind, times, expected) in [
        (FaultKind::CloseSystemError, 1, refused(500, "SYSTEM_ERROR")),
        (FaultKind::CloseThrottled, 3, refused(429, "FREQUENCY_LIMITED")),
    ] {
        let rig = created(kind).await;
        rig.simulator.clock().advance_ms(CLOSE_AGE_MIN_MS);
        for _ in 0..times {
            assert_eq!(rig.close(NUMBER).await.code(), expected);
        }
        assert_eq!(rig.state(NUMBER).await, "NOTPAY");
        assert_eq!(rig.close(NUMBER).await.status, 204);
        assert_injected(&rig, kind, times).await;
    }
}

#[tokio::test]
async fn a_cut_call_is_counted_as_unanswered() {
    let rig = start().await;
    assert_cut(&create(&rig, FaultKind::CreateDropped).await);
    let stats = rig.stats().await;
    let calls = &stats.calls[crate::rig::MCHID][&paymux_simulators::stats::Operation::Create];
    assert_eq!((calls.calls, calls.unanswered, calls.answers.len()), (1, 1, 0));
}
