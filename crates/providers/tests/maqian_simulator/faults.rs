//! Calls in trouble: what is not proven is unknown, and the next call finds out.

use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::refund::RefundProgress;
use paymux_simulators::faults::{FaultKind, MaqianFault, Trouble};

use crate::rig::{Rig, payment_of};

fn fen(kind: MaqianFault) -> i64 {
    1200 + i64::from(FaultKind::Maqian(kind).digits())
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
async fn a_query_in_trouble_says_nothing_and_the_next_one_finds_the_payment() {
    let mut rig = Rig::start().await;
    for (trouble, class, code) in TROUBLES {
        let order = rig.order("shop", "mini_program", fen(MaqianFault::Query(trouble)));
        let payment = rig.paid(&order).await;
        check(&rig.call(Operation::Query, &order).await, class, code);
        assert_eq!(payment_of(&rig.call(Operation::Query, &order).await.words), payment, "{trouble:?}");
    }
}

#[tokio::test]
async fn a_close_in_trouble_is_unknown_and_its_repeat_closes() {
    let rig = Rig::start().await;
    for (trouble, class, code) in TROUBLES {
        let order = rig.order("shop", "mini_program", fen(MaqianFault::Close(trouble)));
        assert_eq!(rig.open(&rig.launch(&order).await).await.0, 200);
        check(&rig.call(Operation::Close, &order).await, class, code);
        assert_eq!(rig.call(Operation::Close, &order).await.words, [Word::Closed], "{trouble:?}");
    }
}

#[tokio::test]
async fn a_refund_in_trouble_is_unknown_and_a_question_settles_it() {
    let mut rig = Rig::start().await;
    for (trouble, class, code) in TROUBLES {
        let order = rig.order("shop", "mini_program", fen(MaqianFault::Refund(trouble)));
        let payment = rig.paid(&order).await;
        let no = format!("R{}", fen(MaqianFault::Refund(trouble)));
        let refund = (no.as_str(), 100);
        check(&rig.refund(Operation::Refund, &order, &payment, refund).await, class, code);
        let asked = rig.refund(Operation::Query, &order, &payment, refund).await;
        let had_its_effect = !matches!(trouble, Trouble::Hung | Trouble::ServerError | Trouble::Throttled);
        assert_eq!(asked.class == Class::Done, had_its_effect, "{trouble:?}: {asked:?}");
        let again = rig.refund(Operation::Refund, &order, &payment, refund).await;
        assert_eq!(again.class, Class::Done, "{trouble:?}: {again:?}");
    }
}

#[tokio::test]
async fn a_refunds_query_in_trouble_says_nothing_and_the_next_one_does() {
    let mut rig = Rig::start().await;
    for (trouble, class, code) in TROUBLES {
        let order = rig.order("shop", "mini_program", fen(MaqianFault::RefundQuery(trouble)));
        let payment = rig.paid(&order).await;
        let no = format!("Q{}", fen(MaqianFault::RefundQuery(trouble)));
        let refund = (no.as_str(), 100);
        assert_eq!(rig.refund(Operation::Refund, &order, &payment, refund).await.class, Class::Done);
        check(&rig.refund(Operation::Query, &order, &payment, refund).await, class, code);
        let again = rig.refund(Operation::Query, &order, &payment, refund).await;
        assert_eq!(again.class, Class::Done, "{trouble:?}: {again:?}");
    }
}

#[tokio::test]
async fn each_end_of_a_refund() {
    let mut rig = Rig::start().await;
    let progress = |report: &CallReport| match report.words.as_slice() {
        [Word::Refund(word)] => Some(word.progress),
        _ => None,
    };
    let order = rig.order("shop", "mini_program", fen(MaqianFault::RefundPending));
    let payment = rig.paid(&order).await;
    let first = rig.refund(Operation::Refund, &order, &payment, ("p1", 100)).await;
    assert_eq!(progress(&first), Some(RefundProgress::Processing));
    rig.clock.advance_ms(20_000);
    let later = rig.refund(Operation::Query, &order, &payment, ("p1", 100)).await;
    assert_eq!(progress(&later), Some(RefundProgress::Done));

    let order = rig.order("shop", "mini_program", fen(MaqianFault::RefundFailed));
    let payment = rig.paid(&order).await;
    let first = rig.refund(Operation::Refund, &order, &payment, ("f1", 100)).await;
    check(&first, Class::Final, "STATUS_2");
    let later = rig.refund(Operation::Query, &order, &payment, ("f1", 100)).await;
    assert_eq!(progress(&later), Some(RefundProgress::Closed));

    let order = rig.order("shop", "mini_program", fen(MaqianFault::RefundNoBalance));
    let payment = rig.paid(&order).await;
    let first = rig.refund(Operation::Refund, &order, &payment, ("b1", 100)).await;
    check(&first, Class::Ops, "20000");
    assert_eq!(rig.refund(Operation::Refund, &order, &payment, ("b1", 100)).await.class, Class::Done);
}

#[tokio::test]
async fn queries_that_lag_behind() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", "mini_program", fen(MaqianFault::QueryStale));
    let payment = rig.paid(&order).await;
    assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::Open]);
    assert_eq!(payment_of(&rig.call(Operation::Query, &order).await.words), payment);

    let order = rig.order("shop", "mini_program", fen(MaqianFault::QueryLagging));
    assert_eq!(rig.open(&rig.launch(&order).await).await.0, 200);
    assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::NotExist]);
    rig.clock.advance_ms(20_000);
    assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::Open]);
}

#[tokio::test]
async fn a_key_that_the_provider_does_not_know_calls_a_person() {
    let rig = Rig::start().await;
    let order = rig.order("stranger", "mini_program", 1200);
    let report = rig.call(Operation::Query, &order).await;
    check(&report, Class::Ops, "9999");
    assert_eq!(report.message, "签名错误");
}

#[tokio::test]
async fn a_launch_that_is_refused_at_first_is_opened_again() {
    let rig = Rig::start().await;
    let launch = rig.launch(&rig.order("shop", "app", fen(MaqianFault::LaunchError))).await;
    assert_eq!((rig.open(&launch).await.0, rig.open(&launch).await.0), (409, 200));
}
