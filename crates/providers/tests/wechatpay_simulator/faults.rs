//! The simulator's misbehaviours, one order each: what the call is taken for, and what a query then finds.

use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_simulators::faults::FaultKind;

use crate::rig::{Rig, attempt};

/// An amount whose digits choose that fault.
fn fen(kind: FaultKind) -> i64 {
    1200 + i64::from(kind.digits())
}

#[track_caller]
fn check(report: &CallReport, class: Class, code: &str, what: FaultKind) {
    assert_eq!((report.class, report.code.as_str()), (class, code), "{}: {}", what.name(), report.message);
}

/// A create that goes wrong, and whether the order exists afterwards.
async fn create(rig: &Rig, kind: FaultKind, class: Class, code: &str, exists: bool) {
    let order = rig.order("jsapi", fen(kind));
    let report = rig.call(Operation::Create, &order).await;
    check(&report, class, code, kind);
    assert!(report.words.is_empty(), "{}: {report:?}", kind.name());
    let found = rig.call(Operation::Query, &order).await;
    let expected = if exists { Word::Open } else { Word::NotExist };
    assert_eq!(found.words, [expected], "{}", kind.name());
}

#[tokio::test]
async fn a_create_without_a_believable_answer_is_unknown_and_a_query_tells() {
    let rig = Rig::start().await;
    create(&rig, FaultKind::CreateSlow, Class::Unknown, "TIMEOUT", true).await;
    create(&rig, FaultKind::CreateHung, Class::Unknown, "TIMEOUT", false).await;
    create(&rig, FaultKind::CreateAnswerLost, Class::Unknown, "CONNECTION", true).await;
    create(&rig, FaultKind::CreateDropped, Class::Unknown, "CONNECTION", false).await;
    create(&rig, FaultKind::CreateBadSignature, Class::Unknown, "BAD_SIGNATURE", true).await;
    create(&rig, FaultKind::CreateGarbage, Class::Unknown, "UNSIGNED", true).await;
    create(&rig, FaultKind::CreateTruncated, Class::Unknown, "ANSWER_CUT", true).await;
    create(&rig, FaultKind::CreateOversized, Class::Unknown, "ANSWER_TOO_LARGE", true).await;
}

#[tokio::test]
async fn a_create_that_is_answered_with_an_error_has_its_class() {
    let rig = Rig::start().await;
    create(&rig, FaultKind::CreateSystemError, Class::Retry, "SYSTEM_ERROR", false).await;
    create(&rig, FaultKind::CreateErrorAfterEffect, Class::Retry, "SYSTEM_ERROR", true).await;
    create(&rig, FaultKind::CreateRefused, Class::Final, "PARAM_ERROR", false).await;
    create(&rig, FaultKind::CreateNoAuth, Class::Ops, "NO_AUTH", false).await;
    create(&rig, FaultKind::CreateThrottled, Class::Retry, "FREQUENCY_LIMITED", false).await;
}

#[tokio::test]
async fn a_slow_create_that_was_paid_meanwhile_is_found_paid() {
    let rig = Rig::start().await;
    let order = rig.order("scannedpos", fen(FaultKind::CreateSlow));
    assert_eq!(rig.call(Operation::Create, &order).await.class, Class::Unknown);
    rig.pay(&order).await;
    let report = rig.call(Operation::Query, &order).await;
    assert!(matches!(report.words.as_slice(), [Word::Paid(_)]), "{report:?}");
}

#[tokio::test]
async fn a_create_that_lands_late_is_the_same_order_as_its_repeat() {
    let rig = Rig::start().await;
    let order = rig.order("jsapi", fen(FaultKind::CreateLandsLate));
    check(
        &rig.call(Operation::Create, &order).await,
        Class::Unknown,
        "CONNECTION",
        FaultKind::CreateLandsLate,
    );
    assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::NotExist]);
    let repeat = rig.call_after(Operation::Create, &order, vec![attempt(1), attempt(2)]).await;
    assert_eq!(repeat.class, Class::Done);
    rig.clock.advance_ms(10_000);
    assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::Open]);
}

#[tokio::test]
async fn a_throttled_account_is_told_and_recovers() {
    let rig = Rig::start().await;
    let order = rig.order("jsapi", fen(FaultKind::CreateThrottled));
    for number in 1..=3 {
        let facts = (1..=number).map(attempt).collect();
        let report = rig.call_after(Operation::Create, &order, facts).await;
        assert!(report.throttled && report.class == Class::Retry, "{report:?}");
    }
    let facts = (1..=4).map(attempt).collect();
    assert_eq!(rig.call_after(Operation::Create, &order, facts).await.class, Class::Done);
}

#[tokio::test]
async fn a_query_that_goes_wrong_says_nothing_and_the_next_one_does() {
    let rig = Rig::start().await;
    for (kind, class, code) in [
        (FaultKind::QueryBadSignature, Class::Unknown, "BAD_SIGNATURE"),
        (FaultKind::QueryDropped, Class::Unknown, "CONNECTION"),
        (FaultKind::QuerySigntest, Class::Unknown, "SIGNTEST"),
        (FaultKind::QuerySystemError, Class::Retry, "SYSTEM_ERROR"),
        (FaultKind::QueryThrottled, Class::Retry, "FREQUENCY_LIMITED"),
    ] {
        let order = rig.order("jsapi", fen(kind));
        rig.launched(&order).await;
        let mut report = rig.call(Operation::Query, &order).await;
        check(&report, class, code, kind);
        // The simulator misbehaves three times at most.
        for _ in 0..3 {
            assert!(report.words.is_empty() || report.class == Class::Done, "{report:?}");
            report = rig.call(Operation::Query, &order).await;
        }
        assert_eq!(report.words, [Word::Open], "{}", kind.name());
    }
}

#[tokio::test]
async fn a_lagging_read_side_says_that_there_is_no_order() {
    let rig = Rig::start().await;
    let order = rig.order("jsapi", fen(FaultKind::QueryLagging));
    rig.launched(&order).await;
    assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::NotExist]);
    rig.clock.advance_ms(30_000);
    assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::Open]);
}

#[tokio::test]
async fn a_close_that_goes_wrong_is_asked_again() {
    let rig = Rig::start().await;
    for (kind, class, code) in [
        (FaultKind::CloseAnswerLost, Class::Unknown, "CONNECTION"),
        (FaultKind::CloseDropped, Class::Unknown, "CONNECTION"),
        (FaultKind::CloseSystemError, Class::Retry, "SYSTEM_ERROR"),
        (FaultKind::CloseThrottled, Class::Retry, "FREQUENCY_LIMITED"),
    ] {
        let order = rig.order("jsapi", fen(kind));
        rig.launched(&order).await;
        rig.clock.advance_ms(6 * 60 * 1000);
        let mut report = rig.call(Operation::Close, &order).await;
        check(&report, class, code, kind);
        for _ in 0..3 {
            report = rig.call(Operation::Close, &order).await;
        }
        assert_eq!((report.class, report.words.as_slice()), (Class::Done, [Word::Closed].as_slice()));
    }
}
