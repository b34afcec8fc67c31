//! Calls in trouble: what is not proven is unknown, and the next call finds out.

use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::refund::RefundProgress;
use paymux_simulators::faults::{FaultKind, Trouble, UpaasFault};

use crate::rig::{Rig, payment_of};

fn fen(kind: UpaasFault) -> i64 {
    1200 + i64::from(FaultKind::Upaas(kind).digits())
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

fn has_its_effect(trouble: Trouble) -> bool {
    !matches!(trouble, Trouble::Hung | Trouble::ServerError | Trouble::Throttled)
}

#[track_caller]
fn check(report: &CallReport, class: Class, code: &str) {
    assert_eq!((report.class, report.code.as_str()), (class, code), "{}", report.message);
    assert!(report.words.is_empty());
    assert_eq!(report.throttled, code == "HTTP_429");
}

#[tokio::test]
async fn a_create_in_trouble_is_unknown_and_a_query_finds_out() {
    let rig = Rig::start().await;
    for (trouble, class, code) in TROUBLES {
        let order = rig.order("shop", "alipay", fen(UpaasFault::Create(trouble)));
        check(&rig.call(Operation::Create, &order, vec![]).await, class, code);
        let expected = if has_its_effect(trouble) { Word::Open } else { Word::NotExist };
        assert_eq!(rig.call(Operation::Query, &order, vec![]).await.words, [expected], "{trouble:?}");
        if has_its_effect(trouble) {
            rig.pay(&order).await;
            payment_of(&rig.call(Operation::Query, &order, vec![]).await.words);
        }
    }
}

#[tokio::test]
async fn a_create_in_trouble_can_be_repeated_where_that_is_the_same_order() {
    let rig = Rig::start().await;
    for (trouble, class, code) in TROUBLES {
        let order = rig.order("other", "weixin_jsapi", fen(UpaasFault::Create(trouble)));
        check(&rig.call(Operation::Create, &order, vec![]).await, class, code);
        let launch = rig.launched(&order).await;
        rig.launch(&launch).await;
    }
}

#[tokio::test]
async fn an_account_that_verifies_nothing_is_launched_whatever_the_signature() {
    let rig = Rig::start().await;
    for trouble in [Trouble::BadSignature, Trouble::Unsigned] {
        let order = rig.order("bare", "alipay", fen(UpaasFault::Create(trouble)));
        rig.launched(&order).await;
    }
    let refused = rig.order("bare", "alipay", fen(UpaasFault::CreateRefused));
    check(&rig.call(Operation::Create, &refused, vec![]).await, Class::Unknown, "100020");
    let named = rig.order("shop", "alipay", fen(UpaasFault::CreateRefused));
    check(&rig.call(Operation::Create, &named, vec![]).await, Class::Final, "100020");
}

#[tokio::test]
async fn a_query_in_trouble_says_nothing_and_the_next_one_finds_the_payment() {
    let mut rig = Rig::start().await;
    for (trouble, class, code) in TROUBLES {
        let order = rig.order("shop", "alipay", fen(UpaasFault::Query(trouble)));
        let payment = rig.paid(&order).await;
        check(&rig.call(Operation::Query, &order, vec![]).await, class, code);
        assert_eq!(
            payment_of(&rig.call(Operation::Query, &order, vec![]).await.words),
            payment,
            "{trouble:?}"
        );
    }
}

#[tokio::test]
async fn a_close_in_trouble_is_unknown_and_the_next_one_closes() {
    let rig = Rig::start().await;
    for (trouble, class, code) in TROUBLES {
        let order = rig.order("shop", "alipay", fen(UpaasFault::Close(trouble)));
        rig.launched(&order).await;
        check(&rig.call(Operation::Close, &order, vec![]).await, class, code);
        assert_eq!(rig.call(Operation::Close, &order, vec![]).await.words, [Word::Closed], "{trouble:?}");
    }
}

#[tokio::test]
async fn a_refund_in_trouble_is_unknown_and_can_be_asked_about() {
    let mut rig = Rig::start().await;
    for (trouble, class, code) in TROUBLES {
        let part = i64::from(FaultKind::Upaas(UpaasFault::Refund(trouble)).digits());
        let order = rig.order("shop", "alipay", 1_000 * part);
        rig.paid(&order).await;
        check(&rig.refund(Operation::Refund, &order, "R1", part).await, class, code);
        let asked = rig.refund(Operation::Query, &order, "R1", part).await;
        let expected =
            if has_its_effect(trouble) { RefundProgress::Processing } else { RefundProgress::NotExist };
        assert!(
            matches!(asked.words.as_slice(), [Word::Refund(word)] if word.progress == expected),
            "{trouble:?}"
        );
        let again = rig.refund(Operation::Refund, &order, "R1", part).await;
        assert_eq!(again.class, Class::Done, "{trouble:?}");
    }
}

#[tokio::test]
async fn a_refund_that_fails_on_its_way_is_told_as_failed() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", "alipay", 1_200);
    rig.paid(&order).await;
    let part = i64::from(FaultKind::Upaas(UpaasFault::RefundFailed).digits());
    rig.refund(Operation::Refund, &order, "R1", part).await;
    rig.clock.advance_ms(60_000);
    let asked = rig.refund(Operation::Query, &order, "R1", part).await;
    assert!(
        matches!(asked.words.as_slice(), [Word::Refund(word)] if word.progress == RefundProgress::Closed)
    );
}

#[tokio::test]
async fn a_query_that_lags_behind_says_open_and_then_paid() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", "alipay", fen(UpaasFault::QueryStale));
    let payment = rig.paid(&order).await;
    assert_eq!(rig.call(Operation::Query, &order, vec![]).await.words, [Word::Open]);
    assert_eq!(payment_of(&rig.call(Operation::Query, &order, vec![]).await.words), payment);
}
