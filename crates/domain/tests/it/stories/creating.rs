//! From a create command to launch parameters, or to an end without any.

use paymux_domain::capabilities::Capabilities;
use paymux_domain::fact::{AttentionReason, Closure};
use paymux_domain::fold::State;
use paymux_domain::launch::Launch;
use paymux_domain::limits::CREATE_ATTEMPTS_MAX;
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::time::Timestamp;

use crate::support::fixtures::{
    EXPIRY_SECS, all_providers, at, at_ms, closes_paid, hint, launch, launched, paid, report, told, wechat,
    xorpay,
};
use crate::support::model::{Model, keys_of};

#[test]
fn the_first_create_has_the_number_and_its_call_leaves_with_a_due_row_behind_it() {
    for (provider, capabilities) in all_providers() {
        let mut model = Model::new(capabilities);
        let decision = model.create();
        assert_eq!(keys_of(&decision), ["created", "attempt/1"], "{provider}");
        assert_eq!(decision.call, Some(Operation::Create), "{provider}");
        assert_eq!(decision.due, Some(at(0) + model.scene.timing.call_horizon), "{provider}");
        assert_eq!(model.state(), State::Submitting, "{provider}");
    }
}

#[test]
fn the_same_request_again_is_the_same_order_in_every_state() {
    let check = |end: &str, model: Model| {
        let mut model = model;
        let (keys, due, call) = (model.keys(), model.due, model.live.is_some());
        let decision = model.create();
        assert_eq!(model.keys(), keys, "{end}");
        assert_eq!(decision.conflict, None, "{end}");
        assert_eq!(decision.due.is_some(), due.is_some(), "{end}");
        assert!(decision.call.is_none() || !call, "{end}");
    };
    check("submitting", Model::created());
    let after = |answer: CallReport| {
        let mut model = Model::created();
        model.answer(answer);
        model
    };
    check("pending", after(launched()));
    check("failed", after(report(Class::Final)));
    check("unknown", after(report(Class::Unknown)));
    let mut paid_order = after(launched());
    paid_order.notify(vec![paid("T1")]);
    check("paid", paid_order);
}

#[test]
fn another_request_under_the_number_loses_and_hears_what_differs() {
    let mut model = Model::created();
    let keys = model.keys();
    let conflict = model.conflict().conflict.expect("a conflict");
    assert_eq!(conflict.request_id.as_str(), "req-2");
    assert_eq!(conflict.differing, ["amount.minor"]);
    assert_eq!(model.keys(), keys);
}

#[test]
fn a_create_without_an_answer_is_repeated_unchanged_after_a_pause() {
    for class in [Class::Unknown, Class::Retry, Class::Ops] {
        let mut model = Model::created();
        let decision = model.answer(report(class));
        assert_eq!(decision.call, None, "{class:?}");
        let due = decision.due.expect("a repeat is due");
        assert!((at_ms(750)..=at_ms(1000)).contains(&due), "{class:?}: {due}");
        let again = model.tick();
        assert_eq!((again.call, keys_of(&again)), (Some(Operation::Create), vec!["attempt/2".to_owned()]));
        model.answer(launched());
        assert_eq!(model.state(), State::Pending, "{class:?}");
        assert!(model.keys().contains(&"launch/2".to_owned()), "{class:?}");
    }
}

#[test]
fn an_answer_that_hints_at_a_payment_is_followed_by_a_query_and_by_no_create() {
    let mut model = Model::created();
    model.answer(hint(Class::Unknown));
    let decision = model.tick();
    assert_eq!(decision.call, Some(Operation::Query));
    model.answer(told(paid("T1")));
    assert_eq!(model.state(), State::Paid);
}

#[test]
fn not_sent_is_tried_again_at_once_and_then_after_growing_pauses() {
    let mut model = Model::created();
    let mut left = vec![model.now()];
    for _ in 0..5 {
        let decision = model.answer(report(Class::NotSent));
        if decision.call.is_none() {
            model.tick();
        }
        left.push(model.now());
    }
    let pauses: Vec<u128> = left.windows(2).map(|pair| pair[1].since(pair[0]).as_millis()).collect();
    let within = [0..=0, 750..=1000, 1500..=2000, 3000..=4000, 6000..=8000];
    for (pause, within) in pauses.iter().zip(within) {
        assert!(within.contains(pause), "{pauses:?}");
    }
    assert_eq!(model.order().last_sent().map(|attempt| attempt.number), Some(6), "only the last is in doubt");
}

#[test]
fn a_refusal_for_good_ends_the_order_when_no_other_call_is_in_doubt() {
    let mut model = Model::created();
    let decision = model.answer(report(Class::Final));
    assert_eq!((model.state(), decision.due), (State::Failed, None));

    let mut model = Model::created();
    model.answer(report(Class::NotSent));
    model.answer(report(Class::Final));
    assert_eq!(model.state(), State::Failed, "what never left is in no doubt");
}

#[test]
fn a_refusal_beside_a_call_in_doubt_ends_nothing_and_is_followed_by_questions_only() {
    let refused_beside_doubt = || {
        let mut model = Model::created();
        model.answer(report(Class::Unknown));
        model.tick();
        model.answer(report(Class::Final));
        assert_eq!(model.state(), State::Submitting);
        assert_eq!(model.tick().call, Some(Operation::Query));
        model
    };
    let mut model = refused_beside_doubt();
    model.answer(told(paid("T1")));
    assert_eq!(model.state(), State::Paid, "the first call had arrived after all");

    let mut model = refused_beside_doubt();
    while model.state() == State::Submitting {
        match model.live.clone() {
            Some(_) => model.answer(told(Word::NotExist)),
            None => model.tick(),
        };
    }
    assert_eq!(model.order().closure(), Some(Closure::ProviderConfirmed), "no call had arrived");
    assert_eq!(model.order().last_attempt_number(), 2, "and none was sent again");
}

#[test]
fn a_create_that_must_not_be_repeated_blindly_waits_for_two_credible_absences() {
    let mut model = Model::created_at(closes_paid());
    let mut decision = model.answer(report(Class::Unknown));
    let mut asked = Vec::new();
    while decision.call != Some(Operation::Create) {
        decision = match model.live.clone() {
            Some(call) => {
                asked.push(call.left_time.since(at(0)).as_secs());
                model.answer(told(Word::NotExist))
            }
            None => model.tick(),
        };
    }
    // Settling is 10 s to leave, 20 s to land and one more: the questions at 15 s and 30 s came too early.
    assert_eq!(asked, [15, 30, 60, 180]);
    assert_eq!(keys_of(&decision), ["attempt/2"]);
}

#[test]
fn attempts_are_bounded_and_after_them_the_provider_is_only_asked() {
    let mut model = Model::created();
    while model.order().last_attempt_number() < CREATE_ATTEMPTS_MAX {
        model.until_call(Operation::Create);
    }
    model.answer(report(Class::Unknown));
    for _ in 0..5 {
        let decision = if model.live.is_some() { model.answer(told(Word::Open)) } else { model.tick() };
        assert_ne!(decision.call, Some(Operation::Create));
    }
    assert_eq!(model.order().last_attempt_number(), CREATE_ATTEMPTS_MAX);
}

#[test]
fn a_create_waits_for_its_budget_if_the_slot_lies_before_expiry_and_else_ends_never_sent() {
    let check = |slot: Timestamp, state: State, due: Option<Timestamp>| {
        let mut model = Model::new(wechat());
        model.scene.slots = [slot; 4];
        let decision = model.create();
        assert_eq!((model.state(), decision.call, decision.due), (state, None, due), "slot {slot}");
        assert_eq!(decision.waits_for, due.map(|_| Operation::Create), "slot {slot}");
    };
    check(at(100), State::Accepted, Some(at(100)));
    check(at(EXPIRY_SECS) - std::time::Duration::from_millis(1), State::Accepted, Some(at_ms(1_799_999)));
    check(at(EXPIRY_SECS), State::Closed, None);

    let mut model = Model::new(wechat());
    model.scene.slots = [at(EXPIRY_SECS); 4];
    model.create();
    assert_eq!(model.order().closure(), Some(Closure::NeverSent));
    assert_eq!(model.keys(), ["created", "closed"]);
}

#[test]
fn no_create_leaves_once_paying_has_ended() {
    for (provider, capabilities) in all_providers() {
        let mut model = Model::created_at(capabilities);
        model.answer(report(Class::Unknown));
        let decision = model.look_at(at(EXPIRY_SECS));
        assert_ne!(decision.call, Some(Operation::Create), "{provider}");
        assert_eq!(model.state(), State::Closing, "{provider}");
    }
}

#[test]
fn a_repeat_whose_slot_lies_past_expiry_is_not_waited_for() {
    let mut model = Model::created();
    model.answer(report(Class::Unknown));
    model.scene.slots = [at(EXPIRY_SECS + 100); 4];
    let decision = model.tick();
    assert_eq!((decision.call, decision.due, decision.waits_for), (None, Some(at(EXPIRY_SECS)), None));
}

#[test]
fn trouble_with_the_account_calls_a_person_once_and_the_order_goes_on() {
    let mut model = Model::created();
    model.answer(report(Class::Ops));
    model.tick();
    model.answer(report(Class::Ops));
    assert_eq!(model.order().attention_count(AttentionReason::ProviderOps), 1);
    assert!(!model.order().is_frozen());
    model.tick();
    model.answer(launched());
    assert_eq!(model.state(), State::Pending);
}

#[test]
fn the_same_request_renews_launch_parameters_that_no_longer_work() {
    let check = |capabilities: Capabilities, now: Timestamp, expected: Option<Operation>| {
        let mut model = Model::created_at(capabilities);
        let short = Launch { expire_time: Some(at(600)), ..launch() };
        model.answer(CallReport::done(vec![Word::Launched(short)]));
        model.look_at(at(590));
        if model.live.is_some() {
            model.answer(told(Word::Open));
        }
        model.scene.now = now;
        model.scene.followup.query_left = Some(now);
        assert_eq!(model.create().call, expected, "at {now}");
    };
    check(wechat(), at(599), None);
    check(wechat(), at(600), Some(Operation::Create));
    check(xorpay(), at(600), Some(Operation::Create));
    check(closes_paid(), at(600), None);
    check(wechat(), at(EXPIRY_SECS), Some(Operation::Close));
}
