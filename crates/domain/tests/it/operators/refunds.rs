//! People and refunds: how one ended that nobody told of, and the provider's word beside theirs.

use std::time::Duration;

use paymux_domain::capabilities::Capabilities;
use paymux_domain::confirm::Confirmation;
use paymux_domain::fact::AttentionReason;
use paymux_domain::outcome::{CallReport, Class, Operation};
use paymux_domain::refund::{RefundProgress, RefundState};
use paymux_domain::time::Timestamp;

use super::refused;
use crate::support::fixtures::{PRICE, launched, name, paid, refund_word, report, told, wechat, xorpay};
use crate::support::model::{Model, keys_of};

fn ended(done: bool) -> Confirmation {
    Confirmation::Refund { refund_no: name("r1"), done, provider_refund_no: None }
}

/// An order that was paid, and whose refund's first call is under way.
fn refunding(capabilities: Capabilities) -> Model {
    let mut model = Model::created_at(capabilities);
    model.answer(launched());
    model.notify(vec![paid("T1")]);
    model.refund("r1", PRICE);
    if model.live.is_none() {
        model.tick();
    }
    assert_eq!(model.live.as_ref().map(|call| call.operation), Some(Operation::Refund));
    model
}

/// From when on the refund's first call can no longer be on its way.
fn settled(model: &Model) -> Timestamp {
    let refund = model.order().refund(&name("r1")).expect("it is there");
    let called = refund.calls().next().expect("a call").time;
    called + model.scene.timing.settling(&model.scene.capabilities)
}

fn state(model: &Model) -> RefundState {
    model.order().refund(&name("r1")).expect("it is there").state()
}

fn contradicted(model: &Model) -> u32 {
    model.order().attention_count(AttentionReason::ConfirmationContradicted)
}

#[test]
fn failed_is_refused_while_an_unresolved_call_may_still_be_carried_out() {
    for unanswered in [true, false] {
        let mut model = refunding(xorpay());
        if !unanswered {
            model.answer(report(Class::Unknown));
        }
        let settled = settled(&model);
        for now in [model.now(), settled - Duration::from_millis(1)] {
            model.scene.now = now;
            assert_eq!(refused(&mut model, ended(false)), ["refund.done"], "unanswered {unanswered}");
            let mut seen = model.clone();
            assert!(
                keys_of(&seen.confirm("c1", ended(true))).contains(&"operator/refund/r1/DONE".to_owned())
            );
        }
        assert_eq!(model.ledger[&name("r1")].minor, PRICE, "the reservation stands");
        model.scene.now = settled;
        let decision = model.confirm("c1", ended(false));
        assert!(keys_of(&decision).contains(&"operator/refund/r1/FAILED".to_owned()), "{decision:?}");
        model.scene.now = settled + Duration::from_secs(1);
        let again = model.confirm("c2", ended(false));
        assert_eq!((keys_of(&again).is_empty(), again.contradiction), (true, None), "the same again");
    }
}

#[test]
fn a_call_that_never_left_keeps_nobody_from_confirming() {
    let mut model = refunding(xorpay());
    model.answer(report(Class::NotSent));
    assert_eq!(keys_of(&model.confirm("c1", ended(false))), ["operator/refund/r1/FAILED"]);
    assert_eq!((state(&model), model.due), (RefundState::Failed, None), "and none leaves any more");
}

#[test]
fn a_refusal_stands_before_a_persons_done_and_is_told() {
    let refuse = |model: &mut Model, answer: CallReport| {
        let decision = model.answer(answer);
        (state(model), contradicted(model), keys_of(&decision))
    };
    let mut model = refunding(wechat());
    model.confirm("c1", ended(true));
    assert_eq!(state(&model), RefundState::Done);
    let (state, told_of, keys) = refuse(&mut model, report(Class::Final));
    assert_eq!((state, told_of), (RefundState::Failed, 1), "{keys:?}");
    assert_eq!(model.ledger[&name("r1")].minor, 0, "the reservation goes back");

    let mut model = refunding(wechat());
    model.confirm("c1", ended(true));
    let (state, told_of, _) = refuse(&mut model, told(refund_word("r1", RefundProgress::Done)));
    assert_eq!((state, told_of), (RefundState::Done, 0), "they agree");
}

#[test]
fn a_refund_that_nobody_tells_of_is_confirmed_either_way() {
    let asked = |progress: Option<RefundProgress>, done: bool| {
        let mut model = refunding(xorpay());
        model.answer(report(Class::Unknown));
        assert_eq!(model.order().attention_count(AttentionReason::RefundUnresolved), 1);
        model.scene.now = settled(&model);
        let decision = model.confirm("c1", ended(done));
        assert!(keys_of(&decision).contains(&"attention/REFUND_UNRESOLVED/1/resolved".to_owned()));
        if let Some(progress) = progress {
            model.notify(vec![refund_word("r1", progress)]);
        }
        model
    };
    let done = asked(None, true);
    assert_eq!((state(&done), done.order().refunded_minor()), (RefundState::Done, PRICE));
    let failed = asked(None, false);
    assert_eq!((state(&failed), failed.ledger[&name("r1")].minor), (RefundState::Failed, 0), "released");
    assert_eq!(contradicted(&asked(Some(RefundProgress::Done), true)), 0, "they agree");
    let late = asked(Some(RefundProgress::Done), false);
    assert_eq!((state(&late), contradicted(&late)), (RefundState::Done, 1), "the provider's word stands");
}
