//! Check and refund in trouble: what is not proven is unknown, and the next call finds out.

use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_simulators::faults::{FaultKind, PayjsFault, Trouble};

use crate::rig::{Rig, payment_of};

fn fen(kind: PayjsFault) -> i64 {
    1200 + i64::from(FaultKind::Payjs(kind).digits())
}

/// Each trouble, and what a call in it comes to.
const TROUBLES: [(Trouble, Class, &str); 7] = [
    (Trouble::Hung, Class::Unknown, "TIMEOUT"),
    (Trouble::AnswerLost, Class::Unknown, "TIMEOUT"),
    (Trouble::ServerError, Class::Unknown, "HTTP_500"),
    (Trouble::Garbage, Class::Unknown, "MALFORMED"),
    (Trouble::BadSignature, Class::Unknown, "BAD_SIGNATURE"),
    (Trouble::Unsigned, Class::Unknown, "UNSIGNED"),
    (Trouble::Throttled, Class::Retry, "HTTP_429"),
];

#[track_caller]
fn check(report: &CallReport, class: Class, code: &str) {
    assert_eq!((report.class, report.code.as_str()), (class, code), "{}", report.message);
    assert!(report.words.is_empty());
    assert_eq!(report.throttled, code == "HTTP_429");
}

#[tokio::test]
async fn a_check_in_trouble_says_nothing_and_the_next_one_finds_the_payment() {
    let mut rig = Rig::start().await;
    for (trouble, class, code) in TROUBLES {
        let order = rig.order("shop", fen(PayjsFault::Check(trouble)));
        let payment = rig.paid(&order).await;
        check(&rig.about(Operation::Query, &order, &payment).await, class, code);
        let again = rig.about(Operation::Query, &order, &payment).await;
        assert_eq!(payment_of(&again.words), payment, "{trouble:?}");
    }
}

#[tokio::test]
async fn a_refund_in_trouble_is_unknown_and_its_repeat_refunds_once() {
    let mut rig = Rig::start().await;
    for (trouble, class, code) in TROUBLES {
        let order = rig.order("kept", fen(PayjsFault::Refund(trouble)));
        let payment = rig.paid(&order).await;
        check(&rig.about(Operation::Refund, &order, &payment).await, class, code);
        let again = rig.about(Operation::Refund, &order, &payment).await;
        let had_its_effect = !matches!(trouble, Trouble::Hung | Trouble::ServerError | Trouble::Throttled);
        let expected = if had_its_effect { "REFUNDED_BEFORE" } else { "" };
        assert_eq!((again.class, again.code.as_str()), (Class::Done, expected), "{trouble:?}");
    }
}

#[tokio::test]
async fn a_refund_without_balance_is_tried_again() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", fen(PayjsFault::RefundNoBalance));
    let payment = rig.paid(&order).await;
    let first = rig.about(Operation::Refund, &order, &payment).await;
    check(&first, Class::Retry, "RETURN_CODE_0");
    assert_eq!(first.message, "未结算余额不足");
    assert_eq!(rig.about(Operation::Refund, &order, &payment).await.class, Class::Done);
}

#[tokio::test]
async fn a_check_that_lags_behind_says_open_and_then_paid() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", fen(PayjsFault::CheckStale));
    let payment = rig.paid(&order).await;
    assert_eq!(rig.about(Operation::Query, &order, &payment).await.words, [Word::Open]);
    assert_eq!(payment_of(&rig.about(Operation::Query, &order, &payment).await.words), payment);
}
