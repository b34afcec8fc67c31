//! Calls in trouble: what is not answered is unknown, and the next call finds out, but for refunds, which nobody repeats.

use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_simulators::faults::{FaultKind, Mishap, XorpayFault};

use crate::rig::{Rig, launch_of, launched, told};

fn fen(kind: XorpayFault) -> i64 {
    1200 + i64::from(FaultKind::Xorpay(kind).digits())
}

#[track_caller]
fn check(report: &CallReport, class: Class, code: &str) {
    assert_eq!((report.class, report.code.as_str()), (class, code), "{}", report.message);
    assert!(report.words.is_empty());
    assert_eq!(report.throttled, code == "HTTP_429");
}

/// Each mishap of a create, what the call comes to, and whether the order was made.
const CREATES: [(Mishap, Class, &str, bool); 11] = [
    (Mishap::Slow, Class::Unknown, "TIMEOUT", true),
    (Mishap::AnswerLost, Class::Unknown, "CONNECTION", true),
    (Mishap::Hung, Class::Unknown, "TIMEOUT", false),
    (Mishap::Dropped, Class::Unknown, "CONNECTION", false),
    (Mishap::LandsLate, Class::Unknown, "CONNECTION", false),
    (Mishap::ServerError, Class::Unknown, "HTTP_500", false),
    (Mishap::ErrorAfterEffect, Class::Unknown, "HTTP_500", true),
    (Mishap::Garbage, Class::Unknown, "MALFORMED", true),
    (Mishap::Throttled, Class::Retry, "HTTP_429", false),
    (Mishap::Truncated, Class::Unknown, "ANSWER_CUT", true),
    (Mishap::Oversized, Class::Unknown, "ANSWER_TOO_LARGE", true),
];

#[tokio::test]
async fn a_create_in_trouble_is_unknown_and_its_repeat_gives_the_one_order() {
    let rig = Rig::start().await;
    for (mishap, class, code, is_made) in CREATES {
        let order = rig.order("shop", fen(XorpayFault::Create(mishap)));
        check(&rig.create(&order).await, class, code);
        let aoid = rig.truth(&order).await["xorpay"]["aoid"].clone();
        assert_eq!(!aoid.is_null(), is_made, "{mishap:?}");
        let word = rig.call(Operation::Query, &order, vec![]).await.words;
        assert_eq!(word, [if is_made { Word::Open } else { Word::NotExist }], "{mishap:?}");
        let launch = launch_of(&rig.create_again(&order).await);
        if is_made {
            assert_eq!(launch.provider_order_no.as_deref(), aoid.as_str(), "{mishap:?}");
        }
    }
}

#[tokio::test]
async fn a_create_that_lands_late_makes_the_order_of_its_repeat() {
    let rig = Rig::start().await;
    let order = rig.order("shop", fen(XorpayFault::Create(Mishap::LandsLate)));
    rig.create(&order).await;
    let first = launch_of(&rig.create_again(&order).await);
    rig.clock.advance_ms(5_000);
    assert_eq!(launch_of(&rig.create_again(&order).await).params, first.params);
}

#[tokio::test]
async fn a_create_is_refused_for_a_while_or_for_good() {
    let rig = Rig::start().await;
    for (kind, class, code, heals) in [
        (XorpayFault::CreateRefused, Class::Final, "invalid_openid", false),
        (XorpayFault::CreateUpstream, Class::Retry, "wechat_api_error", true),
        (XorpayFault::CreateFee, Class::Ops, "fee_error", true),
    ] {
        let order = rig.order("shop", fen(kind));
        check(&rig.create(&order).await, class, code);
        let again = rig.create_again(&order).await;
        assert_eq!(again.class == Class::Done, heals, "{kind:?}: {again:?}");
    }
}

#[tokio::test]
async fn an_answer_in_the_other_spelling_says_the_same() {
    let rig = Rig::start().await;
    let plain = rig.launched(&rig.order("shop", 1200)).await;
    let other = rig.launched(&rig.order("shop", fen(XorpayFault::CreateOtherSpelling))).await;
    let apart = other.expire_time.unwrap().since(plain.expire_time.unwrap());
    assert!(apart.as_secs() < 60, "{apart:?} apart");
}

#[tokio::test]
async fn a_query_in_trouble_says_nothing_and_the_next_one_finds_the_payment() {
    let mut rig = Rig::start().await;
    for (kind, class, code) in [
        (XorpayFault::Query(Mishap::Dropped), Class::Unknown, "CONNECTION"),
        (XorpayFault::Query(Mishap::ServerError), Class::Unknown, "HTTP_500"),
        (XorpayFault::Query(Mishap::Garbage), Class::Unknown, "MALFORMED"),
        (XorpayFault::Query(Mishap::Throttled), Class::Retry, "HTTP_429"),
        (XorpayFault::Query(Mishap::Slow), Class::Unknown, "TIMEOUT"),
        (XorpayFault::QueryFee, Class::Ops, "fee_error"),
    ] {
        let order = rig.order("shop", fen(kind));
        let payment = rig.paid(&order).await;
        check(&rig.call(Operation::Query, &order, vec![told(&payment)]).await, class, code);
        let again = rig.call(Operation::Query, &order, vec![told(&payment)]).await;
        assert!(matches!(again.words.as_slice(), [Word::Paid(_)]), "{kind:?}: {again:?}");
    }
}

#[tokio::test]
async fn a_query_that_lags_behind_says_open_and_then_paid() {
    let mut rig = Rig::start().await;
    let order = rig.order("shop", fen(XorpayFault::QueryStale));
    let payment = rig.paid(&order).await;
    assert_eq!(rig.call(Operation::Query, &order, vec![told(&payment)]).await.words, [Word::Open]);
    let again = rig.call(Operation::Query, &order, vec![told(&payment)]).await;
    assert!(matches!(again.words.as_slice(), [Word::Paid(_)]));

    let order = rig.order("shop", fen(XorpayFault::QueryLagging));
    let launch = rig.launched(&order).await;
    let asked = || rig.call(Operation::Query, &order, vec![launched(&launch)]);
    assert_eq!(asked().await.words, [Word::NotExist]);
    rig.clock.advance_ms(20_000);
    assert_eq!(asked().await.words, [Word::Open]);
}

/// A refund whose answer is lost may have been made. It is unknown, and whoever repeats it refunds twice: the engine
/// never does, since `refund_idempotent` is false and there is no query.
#[tokio::test]
async fn a_refund_in_trouble_is_unknown_whether_it_was_made_or_not() {
    let mut rig = Rig::start().await;
    for (mishap, code, is_made) in [
        (Mishap::Slow, "TIMEOUT", true),
        (Mishap::AnswerLost, "CONNECTION", true),
        (Mishap::Hung, "TIMEOUT", false),
        (Mishap::Dropped, "CONNECTION", false),
        (Mishap::LandsLate, "CONNECTION", false),
        (Mishap::ServerError, "HTTP_500", false),
        (Mishap::ErrorAfterEffect, "HTTP_500", true),
        (Mishap::Garbage, "MALFORMED", true),
        (Mishap::Throttled, "HTTP_429", false),
    ] {
        let order = rig.order("shop", fen(XorpayFault::Refund(mishap)));
        let payment = rig.paid(&order).await;
        rig.until_success(&order).await;
        check(&rig.refund(&order, &payment.trade_no, 1000).await, Class::Unknown, code);
        let refunded = if is_made { 1000 } else { 0 };
        assert_eq!(rig.truth(&order).await["refunds"]["refunded"], refunded, "{mishap:?}");
        let capabilities = rig.provider.capabilities(&order).unwrap();
        assert!(!capabilities.refund_idempotent && !capabilities.refund_query);
    }
}
