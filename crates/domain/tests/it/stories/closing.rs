//! From the wish to close, or the end of paying, to a closure that is true.

use paymux_domain::capabilities::Capabilities;
use paymux_domain::fact::Closure;
use paymux_domain::fold::State;
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::time::Timestamp;

use crate::support::fixtures::{
    EXPIRY_SECS, at, closes_paid, hint, launched, maqian, paid, payjs, report, told, wechat, xorpay,
};
use crate::support::model::{Model, keys_of};

/// A launched order whose time is up.
fn expired(capabilities: Capabilities) -> Model {
    let mut model = Model::created_at(capabilities);
    model.answer(launched());
    model.look_at(at(EXPIRY_SECS));
    assert_eq!(model.state(), State::Closing);
    model
}

/// The calls of an expired order with their seconds after expiry, answered in turn by what is given and
/// then for ever by its last, until it ends.
fn calls_of_closing(capabilities: Capabilities, answers: &[CallReport]) -> (Model, Vec<(Operation, u64)>) {
    let mut model = expired(capabilities);
    let mut calls = Vec::new();
    while model.due.is_some() {
        match model.live.clone() {
            Some(call) => {
                let answer = answers.get(calls.len()).or(answers.last()).expect("an answer").clone();
                calls.push((call.operation, call.left_time.since(at(EXPIRY_SECS)).as_secs()));
                model.answer(answer);
            }
            None => drop(model.tick()),
        }
    }
    (model, calls)
}

#[test]
fn a_close_is_the_providers_own() {
    let check = |capabilities, answers: &[CallReport], calls: &[(Operation, u64)], state, closure| {
        let (model, made) = calls_of_closing(capabilities, answers);
        assert_eq!(made, calls, "{answers:?}");
        assert_eq!((model.state(), model.order().closure()), (state, closure), "{answers:?}");
    };
    use Operation::{Close, Query};
    let confirmed = Some(Closure::ProviderConfirmed);
    let closed = told(Word::Closed);
    let absent = told(Word::NotExist);
    // It refuses to close a paid order, so nobody is asked first.
    check(wechat(), std::slice::from_ref(&closed), &[(Close, 0)], State::Closed, confirmed);
    // Refused as paid: ask, never guess.
    check(wechat(), &[hint(Class::Unknown), told(paid("T1"))], &[(Close, 0), (Query, 0)], State::Paid, None);
    // Without an answer: again, after a pause.
    check(
        wechat(),
        &[report(Class::Unknown), closed.clone()],
        &[(Close, 0), (Close, 30)],
        State::Closed,
        confirmed,
    );
    // It says that it knows no such order: twice counts, once does not.
    check(wechat(), std::slice::from_ref(&absent), &[(Close, 0), (Close, 30)], State::Closed, confirmed);
    // It would close a paid order too, so it is asked first.
    let open_then_closed = [told(Word::Open), closed];
    check(closes_paid(), &open_then_closed, &[(Query, 0), (Close, 30)], State::Closed, confirmed);
    check(closes_paid(), &[told(paid("T1"))], &[(Query, 0)], State::Paid, None);
}

#[test]
fn a_provider_that_would_close_a_paid_order_is_asked_anew_before_each_close() {
    let mut model = Model::created_at(closes_paid());
    model.answer(launched());
    let mut calls = Vec::new();
    while calls.len() < 9 {
        match model.live.clone() {
            Some(call) => {
                calls.push((call.operation, call.left_time.since(at(0)).as_secs()));
                let open = call.operation == Operation::Query;
                model.answer(if open { told(Word::Open) } else { report(Class::Unknown) });
            }
            None => drop(model.tick()),
        }
    }
    use Operation::{Close, Query};
    // The questions while the payer could pay say nothing of what was paid since.
    let asked = [(Query, 15), (Query, 30), (Query, 60), (Query, 180), (Query, 600)];
    assert_eq!(calls[..5], asked);
    assert_eq!(calls[5..], [(Query, 1800), (Close, 1830), (Query, 1860), (Close, 1890)]);
}

#[test]
fn the_caller_may_close_at_any_time_but_the_call_waits_for_the_providers_minimum_age() {
    let mut model = Model::created();
    model.answer(launched());
    model.scene.now = at(10);
    let decision = model.close();
    assert_eq!(keys_of(&decision), ["close_requested"]);
    assert_eq!((model.state(), decision.call, decision.due), (State::Closing, None, Some(at(300))));
    let decision = model.tick();
    assert_eq!((decision.call, keys_of(&decision)), (Some(Operation::Close), vec!["closing/1".to_owned()]));
    model.answer(told(Word::Closed));
    assert_eq!(model.order().closure(), Some(Closure::ProviderConfirmed));
}

#[test]
fn an_order_of_which_nothing_left_is_closed_without_asking_anybody() {
    let mut model = Model::new(wechat());
    model.scene.slots = [at(100); 4];
    model.create();
    let decision = model.close();
    assert_eq!((decision.call, decision.due), (None, None));
    assert_eq!(model.order().closure(), Some(Closure::NeverSent));

    let mut model = Model::created();
    model.close();
    assert_eq!(model.state(), State::Closing, "the call under way may still arrive");
    model.answer(report(Class::NotSent));
    assert_eq!(model.order().closure(), Some(Closure::NeverSent), "it never left");
}

#[test]
fn a_call_in_doubt_is_never_closed_as_never_sent() {
    for class in [Class::Unknown, Class::Retry, Class::Ops] {
        let mut model = Model::created();
        model.answer(report(class));
        model.close();
        assert_eq!(model.state(), State::Closing, "{class:?}");
        assert_eq!(model.order().closure(), None, "{class:?}");
    }
}

#[test]
fn an_absence_counts_by_the_time_at_which_the_question_left() {
    // The attempt's fact is at 0 s, settling takes 31 s and the pause between two absences 30 s.
    let check = |left: [Timestamp; 2], closure: Option<Closure>| {
        let mut model = Model::created_at(closes_paid());
        model.answer(report(Class::Unknown));
        model.close();
        for left in left {
            model.scene.now = left;
            model.requery();
            assert_eq!(model.live.as_ref().map(|call| call.operation), Some(Operation::Query), "{left}");
            model.scene.now = left + model.scene.timing.settling(&model.scene.capabilities);
            model.answer(told(Word::NotExist));
            if model.live.is_some() {
                model.answer(report(Class::Unknown));
            }
        }
        assert_eq!(model.order().closure(), closure, "{left:?}");
    };
    check([at(31), at(100)], Some(Closure::ProviderConfirmed));
    check([at(30), at(100)], None);
}

#[test]
fn two_absences_in_one_breath_count_once() {
    let mut model = Model::created_at(closes_paid());
    model.answer(report(Class::Unknown));
    for millis in [40_000, 40_100] {
        model.scene.now = crate::support::fixtures::at_ms(millis);
        model.requery();
        model.answer(told(Word::NotExist));
    }
    assert_eq!(model.order().last_attempt_number(), 1, "no second create yet");
    assert!(model.scene.followup.not_exist.is_some_and(|word| !word.twice));
}

#[test]
fn absences_before_a_later_attempt_count_for_nothing() {
    let mut model = Model::created_at(closes_paid());
    let mut decision = model.answer(report(Class::Unknown));
    model.scene.slots[0] = at(400);
    while decision.call != Some(Operation::Create) {
        decision = match model.live.clone() {
            Some(_) => model.answer(told(Word::NotExist)),
            None => model.tick(),
        };
    }
    // The owner dies right then, and its last bookkeeping with it.
    model.live = None;
    model.scene.followup = model.steps.last().expect("a step").before.followup.clone();
    assert!(model.scene.followup.not_exist.is_some_and(|word| word.twice));
    model.close();
    assert_eq!((model.state(), model.order().closure()), (State::Closing, None));
}

#[test]
fn what_can_be_neither_closed_nor_told_ends_as_local_expiry_after_a_last_question() {
    use Operation::Query;
    let check = |capabilities, answers: &[CallReport], calls: &[(Operation, u64)]| {
        let (model, made) = calls_of_closing(capabilities, answers);
        assert_eq!(made, calls, "{answers:?}");
        assert_eq!(model.order().closure(), Some(Closure::LocalExpiry), "{answers:?}");
        assert_eq!(model.state(), State::Closed, "{answers:?}");
    };
    // Grace is 60 s: asked when it is over, then once more when paying has surely ended.
    check(xorpay(), &[told(Word::Open)], &[(Query, 60), (Query, 120)]);
    check(xorpay(), &[told(Word::Expired)], &[(Query, 60), (Query, 120)]);
    check(xorpay(), &[told(Word::NotExist)], &[(Query, 60), (Query, 120)]);
    // Only an answer counts.
    let silent_then_open = [report(Class::Unknown), told(Word::Open)];
    check(xorpay(), &silent_then_open, &[(Query, 60), (Query, 61), (Query, 120)]);
    // It cannot be asked.
    check(payjs(), &[], &[]);
}

/// An order of a provider that hears of it from its payer alone, asked about while the payer could pay.
fn never_opened() -> Model {
    let mut model = Model::created_at(maqian());
    model.answer(launched());
    while model.now() < at(EXPIRY_SECS) {
        match model.live.clone() {
            Some(_) => model.answer(told(Word::NotExist)),
            None => model.tick(),
        };
    }
    assert!(model.scene.followup.not_exist.is_some_and(|word| word.twice));
    model
}

/// Answers each call until nothing is owed; the calls with their seconds after expiry.
fn finished(model: &mut Model, answer: impl Fn(Operation) -> CallReport) -> Vec<(Operation, u64)> {
    let mut calls = Vec::new();
    while model.due.is_some() {
        match model.live.clone() {
            Some(call) => {
                calls.push((call.operation, call.left_time.since(at(EXPIRY_SECS)).as_secs()));
                model.answer(answer(call.operation));
            }
            None => drop(model.tick()),
        }
    }
    calls
}

#[test]
fn an_order_that_its_payer_never_opened_is_not_proven_closed_by_its_absence() {
    use Operation::Query;
    let mut model = never_opened();
    let calls = finished(&mut model, |_| told(Word::NotExist));
    // Nothing to close: asked when the grace is over, then once more when paying has surely ended.
    assert_eq!(calls, [(Query, 60), (Query, 120)]);
    assert_eq!((model.state(), model.order().closure()), (State::Closed, Some(Closure::LocalExpiry)));

    let mut model = Model::created_at(maqian());
    model.answer(launched());
    for secs in [40, 100] {
        model.scene.now = at(secs);
        model.requery();
        model.answer(told(Word::NotExist));
    }
    model.close();
    assert_eq!((model.state(), model.order().closure()), (State::Closing, None), "its payer may still come");
}

#[test]
fn an_order_that_its_payer_opens_in_the_last_moment_is_closed_there_or_paid() {
    use Operation::{Close, Query};
    let mut model = never_opened();
    let calls = finished(&mut model, |operation| match operation {
        Close => told(Word::Closed),
        _ => told(Word::Open),
    });
    assert_eq!(calls[0], (Query, 60));
    assert_eq!(calls.last().map(|(operation, _)| *operation), Some(Close));
    assert_eq!(model.order().closure(), Some(Closure::ProviderConfirmed));

    let mut model = never_opened();
    finished(&mut model, |_| told(paid("T1")));
    assert_eq!((model.state(), model.order().closure()), (State::Paid, None));
}

#[test]
fn money_found_by_the_question_after_local_expiry_is_recorded() {
    let (model, calls) = calls_of_closing(xorpay(), &[told(Word::Expired), told(paid("T1"))]);
    assert_eq!(calls.len(), 2);
    assert_eq!((model.state(), model.order().closure()), (State::Paid, Some(Closure::LocalExpiry)));
}

#[test]
fn a_last_question_that_left_before_the_end_does_not_count() {
    let mut model = expired(xorpay());
    model.scene.now = at(EXPIRY_SECS + 59);
    model.requery();
    model.answer(told(Word::Open));
    assert_eq!(model.state(), State::Closing);
    assert_eq!(model.due, Some(at(EXPIRY_SECS + 60)), "asked again when the grace is over");
}

#[test]
fn an_order_that_has_ended_is_not_closed_again() {
    let mut model = Model::created();
    model.answer(report(Class::Final));
    let keys = model.keys();
    let decision = model.close();
    assert!(!decision.not_found);
    assert_eq!((model.keys(), decision.due), (keys, None));
}
