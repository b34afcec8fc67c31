//! Refunds: reserved first, ended by the provider's word alone, never more than was paid.

use paymux_domain::capabilities::{Capabilities, RefundKind};
use paymux_domain::fact::{AttentionReason, Fulfilment};
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::ports::{DuplicatePolicy, LatePolicy};
use paymux_domain::refund::{RefundProgress, RefundRefusal, RefundState};

use crate::support::fixtures::{
    PRICE, at, hint, launched, paid, refund_word, report, secs, told, wechat, xorpay,
};
use crate::support::model::{Model, keys_of};

/// An order that was paid, with nothing under way.
fn paid_at(capabilities: Capabilities) -> Model {
    let mut model = Model::created_at(capabilities);
    model.answer(launched());
    model.notify(vec![paid("T1")]);
    assert_eq!(model.order().fulfilment(), Some(Fulfilment::Fulfil));
    model
}

fn state(model: &Model, no: &str) -> Option<RefundState> {
    model.order().refund(&no.parse().expect("a valid number")).map(|refund| refund.state())
}

/// Lets time pass until that call leaves.
fn until(model: &mut Model, operation: Operation) {
    for _ in 0..100 {
        if model.live.as_ref().is_some_and(|call| call.operation == operation) {
            return;
        }
        model.tick();
    }
    panic!("no {} ever left: {model:?}", operation.as_str());
}

#[test]
fn a_refund_is_reserved_called_and_done_by_the_providers_word() {
    let mut model = paid_at(wechat());
    let decision = model.refund("r1", 100);
    assert_eq!(keys_of(&decision), ["refund/r1/requested", "refund/r1/call/1"]);
    assert_eq!(
        (state(&model, "r1"), decision.call),
        (Some(RefundState::Processing), Some(Operation::Refund))
    );
    model.answer(told(refund_word("r1", RefundProgress::Processing)));
    assert_eq!(state(&model, "r1"), Some(RefundState::Processing));
    until(&mut model, Operation::Query);
    model.answer(told(refund_word("r1", RefundProgress::Done)));
    assert_eq!(state(&model, "r1"), Some(RefundState::Done));
    assert_eq!((model.order().refunded_minor(), model.due), (100, None), "and nothing more is owed");
}

#[test]
fn a_notification_ends_a_refund_too_and_done_stands_before_failed() {
    let mut model = paid_at(wechat());
    model.refund("r1", 100);
    model.notify(vec![refund_word("r1", RefundProgress::Closed)]);
    assert_eq!(state(&model, "r1"), Some(RefundState::Failed));
    model.notify(vec![refund_word("r1", RefundProgress::Done)]);
    assert_eq!(state(&model, "r1"), Some(RefundState::Done));
}

#[test]
fn the_same_request_again_changes_nothing_and_other_content_is_refused() {
    let mut model = paid_at(wechat());
    model.refund("r1", 100);
    let again = model.refund("r1", 100);
    assert_eq!((keys_of(&again).len(), again.refusal), (0, None));
    let other = model.refund("r1", 101);
    assert_eq!(other.refusal, Some(RefundRefusal::Conflict(vec!["amount.minor".to_owned()])));
}

#[test]
fn what_may_not_be_refunded_is_refused_with_the_reason() {
    let refused = |model: &mut Model, minor| {
        let decision = model.refund("r9", minor);
        assert!(keys_of(&decision).is_empty() && decision.call.is_none(), "{model:?}");
        decision.refusal
    };
    let mut unpaid = Model::created();
    unpaid.answer(launched());
    assert_eq!(refused(&mut unpaid, 1), Some(RefundRefusal::NotPaid));
    let mut model = paid_at(wechat());
    assert_eq!(refused(&mut model, PRICE + 1), Some(RefundRefusal::ExceedsPayment));
    model.refund("r1", PRICE - 10);
    assert_eq!(refused(&mut model, 11), Some(RefundRefusal::ExceedsPayment));
    model.scene.now = at(0) + wechat().refund_window + secs(3600);
    assert_eq!(refused(&mut model, 1), Some(RefundRefusal::WindowPassed));
    let mut whole = paid_at(Capabilities { refund: RefundKind::Full, ..wechat() });
    assert_eq!(refused(&mut whole, 1), Some(RefundRefusal::PartialNotOffered));
    let mut none = paid_at(Capabilities { refund: RefundKind::None, ..wechat() });
    assert_eq!(refused(&mut none, 1), Some(RefundRefusal::NotOffered));
    let mut few = paid_at(Capabilities { refund: RefundKind::Partial { refunds_max: 1 }, ..wechat() });
    few.refund("r1", 1);
    assert_eq!(refused(&mut few, 1), Some(RefundRefusal::CountExceeded));
    let mut twice = paid_at(wechat());
    twice.notify(vec![paid("T2")]);
    assert_eq!(refused(&mut twice, 1), Some(RefundRefusal::PaymentNotFound));
    let mut doubted = paid_at(wechat());
    doubted.notify(vec![Word::Mismatch { field: "mchid" }]);
    assert_eq!(refused(&mut doubted, 1), Some(RefundRefusal::Parked));
}

#[test]
fn a_refusal_of_every_call_fails_the_refund_and_gives_its_reservation_back() {
    let mut model = paid_at(wechat());
    model.refund("r1", PRICE);
    model.answer(report(Class::Final));
    assert_eq!(state(&model, "r1"), Some(RefundState::Failed));
    assert!(model.order().attention().any(|(reason, _, _)| reason == AttentionReason::RefundFailed));
    let next = model.refund("r2", PRICE);
    assert_eq!(next.refusal, None, "there is room again");
    assert!(model.refund("r1", PRICE).call.is_none(), "a failed number stays failed");
}

#[test]
fn final_after_an_unknown_call_does_not_fail_the_refund() {
    let mut model = paid_at(wechat());
    model.refund("r1", PRICE);
    model.answer(report(Class::Retry));
    until(&mut model, Operation::Refund);
    model.answer(report(Class::Final));
    assert_eq!(state(&model, "r1"), Some(RefundState::Processing), "{model:?}");
    assert_eq!(model.refund("r2", 1).refusal, Some(RefundRefusal::ExceedsPayment), "it stays reserved");
    until(&mut model, Operation::Query);
    model.answer(told(refund_word("r1", RefundProgress::Done)));
    assert_eq!(state(&model, "r1"), Some(RefundState::Done));
}

#[test]
fn where_it_may_not_be_repeated_absence_counts_only_after_settling() {
    let mut model = paid_at(Capabilities { refund_idempotent: false, ..wechat() });
    model.refund("r1", PRICE);
    model.answer(report(Class::Unknown));
    until(&mut model, Operation::Query);
    let asked = model.now();
    assert!(asked >= at(0) + model.scene.timing.settling(&wechat()), "{model:?}");
    model.answer(told(refund_word("r1", RefundProgress::NotExist)));
    until(&mut model, Operation::Refund);
    let calls = model.order().refund(&"r1".parse().expect("valid")).expect("it is there").calls().count();
    assert_eq!(calls, 2, "the same number leaves again");
}

#[test]
fn a_refund_that_may_not_be_repeated_waits_for_a_person_once_it_is_unknown() {
    let mut model = paid_at(xorpay());
    model.refund("r1", PRICE);
    if model.live.is_none() {
        model.tick();
    }
    model.answer(report(Class::Unknown));
    assert!(model.live.is_none() && model.due.is_none(), "{model:?}");
    assert!(model.order().attention().any(|(reason, _, _)| reason == AttentionReason::RefundUnresolved));
    assert_eq!(state(&model, "r1"), Some(RefundState::Processing), "its reservation stands");
}

#[test]
fn two_refunds_of_one_order_keep_the_providers_distance() {
    let mut model = paid_at(wechat());
    model.refund("r1", 1);
    model.answer(told(refund_word("r1", RefundProgress::Done)));
    let first = model.now();
    model.refund("r2", 1);
    until(&mut model, Operation::Refund);
    assert!(model.now() >= first + wechat().refund_spacing, "{model:?}");
}

#[test]
fn late_money_goes_back_by_itself_after_a_while_and_never_beside_fulfil() {
    let mut model = Model::created().late_payments(LatePolicy::Refund);
    model.answer(launched());
    model.scene.now = at(400);
    model.close();
    model.answer(told(Word::Closed));
    model.notify(vec![paid("T1")]);
    assert_eq!(model.order().fulfilment(), Some(Fulfilment::DoNotFulfil));
    let learnt = model.now();
    assert!(model.order().refunds().is_empty());
    until(&mut model, Operation::Refund);
    assert!(model.now() >= learnt + model.scene.timing.late_refund_delay);
    model.answer(told(refund_word("late-T1", RefundProgress::Done)));
    assert_eq!((state(&model, "late-T1"), model.order().refunded_minor()), (Some(RefundState::Done), PRICE));
}

#[test]
fn a_second_payment_goes_back_by_policy_and_the_first_stays() {
    let mut model = paid_at(wechat());
    model.scene.policy.duplicate_payment = DuplicatePolicy::Refund;
    model.scene.now = model.now() + secs(5);
    model.notify(vec![paid("T2")]);
    until(&mut model, Operation::Refund);
    let refunds = model.order().refunds();
    assert_eq!(refunds.len(), 1);
    assert_eq!(refunds[0].request.trade_no.as_str(), "T2");
    assert_eq!(model.order().fulfilment(), Some(Fulfilment::Fulfil));
}

#[test]
fn a_payment_that_only_a_digest_vouches_for_is_asked_about_before_fulfil() {
    let confirming = Capabilities { confirm_above_minor: Some(0), ..wechat() };
    let mut model = Model::created_at(confirming);
    model.answer(launched());
    let told_of = model.notify(vec![paid("T1")]);
    assert_eq!((model.order().fulfilment(), told_of.call), (None, Some(Operation::Query)));
    model.answer(CallReport::done(vec![paid("T1")]));
    assert_eq!(model.order().fulfilment(), Some(Fulfilment::Fulfil));
    assert!(model.keys().contains(&"paid/T1/confirmed".to_owned()));
}

#[test]
fn a_payment_that_the_provider_denies_again_and_again_is_a_persons() {
    let confirming = Capabilities { confirm_above_minor: Some(0), ..wechat() };
    let mut model = Model::created_at(confirming);
    model.answer(launched());
    model.notify(vec![paid("T1")]);
    for _ in 0..paymux_domain::limits::DENIALS_MAX {
        until(&mut model, Operation::Query);
        model.answer(told(Word::Open));
    }
    assert_eq!(model.order().fulfilment(), None);
    assert!(model.order().attention().any(|(reason, _, _)| reason == AttentionReason::PaymentMismatch));
}

#[test]
fn a_question_about_a_refund_that_is_refused_itself_calls_a_person_and_waits_for_the_schedule() {
    let mut model = paid_at(wechat());
    model.refund("r1", 100);
    model.answer(report(Class::Unknown));
    until(&mut model, Operation::Query);
    model.answer(report(Class::Final));
    assert_eq!(model.order().attention_count(AttentionReason::ProviderOps), 1);
    assert_eq!((state(&model, "r1"), model.due), (Some(RefundState::Processing), Some(at(15))));
    until(&mut model, Operation::Refund);
    model.answer(told(refund_word("r1", RefundProgress::Done)));
    assert_eq!(state(&model, "r1"), Some(RefundState::Done));
}

#[test]
fn a_throttled_refund_is_asked_about() {
    let mut model = paid_at(wechat());
    model.refund("r1", 1);
    model.answer(hint(Class::Unknown));
    until(&mut model, Operation::Query);
}

#[test]
fn absence_that_was_told_too_soon_to_count_is_asked_for_once_more_when_it_would() {
    let mut model = paid_at(wechat());
    model.refund("r1", 1);
    model.answer(report(Class::Retry));
    until(&mut model, Operation::Refund);
    let called = model.now();
    model.answer(report(Class::Unknown));
    until(&mut model, Operation::Query);
    assert!(model.now() < called + model.scene.timing.settling(&wechat()), "asked at once: {model:?}");
    model.answer(told(refund_word("r1", RefundProgress::NotExist)));
    until(&mut model, Operation::Query);
    assert!(model.now() >= called + model.scene.timing.settling(&wechat()), "not over and over: {model:?}");
    model.answer(told(refund_word("r1", RefundProgress::NotExist)));
    until(&mut model, Operation::Refund);
}

#[test]
fn a_question_that_settles_nothing_is_followed_by_the_same_refund_where_that_is_harmless() {
    let mut model = paid_at(wechat());
    model.refund("r1", 1);
    for _ in 0..3 {
        model.answer(report(Class::Unknown));
        until(&mut model, Operation::Query);
        model.answer(report(Class::Retry));
        until(&mut model, Operation::Refund);
    }
    model.answer(told(refund_word("r1", RefundProgress::Done)));
    assert_eq!(state(&model, "r1"), Some(RefundState::Done));
}

#[test]
fn a_question_that_settles_nothing_is_put_again_where_the_refund_may_not_be_repeated() {
    let mut model = paid_at(Capabilities { refund_idempotent: false, ..wechat() });
    model.refund("r1", 1);
    model.answer(report(Class::Unknown));
    until(&mut model, Operation::Query);
    model.answer(report(Class::Retry));
    until(&mut model, Operation::Query);
    assert_eq!(
        model.order().refund(&"r1".parse().expect("a valid number")).map(|r| r.calls().count()),
        Some(1)
    );
}
