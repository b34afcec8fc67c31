//! While the payer may pay: when the provider is asked, and when not.

use paymux_domain::capabilities::Capabilities;
use paymux_domain::fact::AttentionReason;
use paymux_domain::fold::State;
use paymux_domain::limits::FRUITLESS_CALLS_MAX;
use paymux_domain::outcome::{CallReport, Class, Operation, Word};

use crate::support::fixtures::{
    EXPIRY_SECS, all_providers, at, launched, maqian, paid, payjs, report, secs, told, wechat, xorpay,
};
use crate::support::model::{Model, keys_of};

/// An order that the payer can pay.
fn pending(capabilities: Capabilities) -> Model {
    let mut model = Model::created_at(capabilities);
    model.answer(launched());
    assert_eq!(model.state(), State::Pending);
    model
}

/// The seconds at which queries leave until expiry, each answered so.
fn asked(capabilities: Capabilities, answer: &CallReport) -> Vec<u64> {
    let mut model = pending(capabilities);
    let mut asked = Vec::new();
    while model.state() == State::Pending {
        match model.live.clone() {
            Some(call) => {
                asked.push(call.left_time.since(at(0)).as_secs());
                model.answer(answer.clone());
            }
            None => drop(model.tick()),
        }
    }
    assert_eq!(model.now(), at(EXPIRY_SECS), "closing begins at expiry");
    asked
}

#[test]
fn the_provider_is_asked_at_the_documented_times_each_once() {
    let check = |capabilities, answer: &CallReport, expected: &[u64]| {
        assert_eq!(asked(capabilities, answer), expected, "{answer:?}");
    };
    check(wechat(), &told(Word::Open), &[15, 30, 60, 180, 600]);
    check(wechat(), &report(Class::Unknown), &[15, 30, 60, 180, 600]);
    check(wechat(), &report(Class::Final), &[15, 30, 60, 180, 600]);
    check(xorpay(), &told(Word::Expired), &[15, 30, 60, 180, 600]);
    check(payjs(), &told(Word::Open), &[]);
}

#[test]
fn a_refused_question_calls_a_person_once_and_is_asked_again_by_schedule_alone() {
    let calls_for_a_person = |model: &Model| model.order().attention_count(AttentionReason::ProviderOps);
    let mut model = pending(wechat());
    assert_eq!(model.tick().call, Some(Operation::Query));
    model.answer(report(Class::Final));
    assert_eq!((calls_for_a_person(&model), model.due), (1, Some(at(30))));
    let impatient = model.requery();
    assert_eq!((impatient.call, impatient.due), (None, Some(at(30))), "asking sooner brings the same");
    assert_eq!(model.tick().call, Some(Operation::Query));
    model.answer(report(Class::Final));
    assert_eq!((calls_for_a_person(&model), model.due), (1, Some(at(60))));
    model.tick();
    model.answer(told(paid("T1")));
    assert_eq!(model.state(), State::Paid, "and an answer is as good as ever");
}

#[test]
fn a_refused_question_is_not_repeated_hundreds_of_times_after_the_end_of_paying() {
    let mut model = pending(xorpay());
    let mut asked = Vec::new();
    while model.now() < at(5 * 3600) {
        match model.live.clone() {
            Some(call) => {
                asked.push(call.left_time.since(at(0)).as_secs());
                model.answer(report(Class::Final));
            }
            None => drop(model.tick()),
        }
    }
    assert_eq!(asked, [15, 30, 60, 180, 600, 1860, 3600, 5400, 7200, 9000, 10_800, 12_600, 14_400, 16_200]);
}

#[test]
fn a_query_that_never_left_is_repeated_after_a_pause_and_not_at_once() {
    let mut model = pending(wechat());
    assert_eq!(model.tick().call, Some(Operation::Query));
    for failures in 1..12_u32 {
        let before = model.now();
        let decision = model.answer(report(Class::NotSent));
        assert_eq!(decision.call, None, "after {failures} failures");
        model.tick();
        let pause = model.now().since(before);
        assert!(pause >= secs(1).mul_f64(0.75) * 2_u32.pow(failures - 1).min(600), "{failures}: {pause:?}");
    }
}

#[test]
fn an_answered_question_finds_the_payment_and_ends_the_asking() {
    let mut model = pending(wechat());
    model.tick();
    let decision = model.answer(told(paid("T1")));
    assert_eq!((model.state(), decision.call, decision.due), (State::Paid, None, None));
}

#[test]
fn a_query_waits_for_its_budget() {
    let mut model = pending(wechat());
    model.scene.slots[1] = at(40);
    let decision = model.tick();
    assert_eq!(
        (decision.call, decision.due, decision.waits_for),
        (None, Some(at(40)), Some(Operation::Query))
    );
    assert_eq!(model.tick().call, Some(Operation::Query));
}

#[test]
fn a_provider_that_asks_to_wait_is_not_called_sooner() {
    let mut model = Model::created();
    model.answer(CallReport { retry_after: Some(secs(40)), ..report(Class::Retry) });
    assert_eq!(model.due, Some(at(40)));
    assert_eq!(model.tick().call, Some(Operation::Create));
}

#[test]
fn calls_on_one_order_keep_the_providers_spacing() {
    let mut model = pending(xorpay());
    let check = |model: &mut Model, decision_due: Option<paymux_domain::time::Timestamp>| {
        assert_eq!(model.requery().due, decision_due);
        assert_eq!(model.live.as_ref().map(|call| call.operation), None);
    };
    check(&mut model, Some(at(1)));
    assert_eq!(model.tick().call, Some(Operation::Query));
}

#[test]
fn whoever_wants_the_provider_asked_has_it_asked_at_once() {
    let mut model = pending(wechat());
    assert_eq!(model.requery().call, Some(Operation::Query));
    model.answer(told(Word::Open));
    assert_eq!(model.due, Some(at(15)), "and the schedule goes on");
}

#[test]
fn a_command_about_an_order_that_does_not_exist_stores_nothing() {
    let mut model = Model::new(wechat());
    let (close, requery) = (model.close(), model.requery());
    assert!(close.not_found && requery.not_found);
    assert!(model.order().is_empty());
    assert_eq!((close.due, requery.due), (None, None));
}

#[test]
fn a_timer_that_finds_a_call_under_way_only_looks_again_later() {
    for (provider, capabilities) in all_providers() {
        let mut model = Model::created_at(capabilities);
        let keys = model.keys();
        let decision = model.look_at(at(5));
        assert_eq!((decision.call, decision.due), (None, Some(at(50))), "{provider}");
        assert_eq!(model.keys(), keys, "{provider}");
    }
}

#[test]
fn a_hint_without_proof_asks_and_proves_nothing() {
    let mut model = pending(maqian());
    model.scene.now = at(20);
    let decision = model.notify(vec![Word::Hint]);
    assert_eq!((decision.call, keys_of(&decision)), (Some(Operation::Query), vec![]));
    model.answer(told(Word::Open));
    assert_eq!(model.state(), State::Pending);
    model.scene.now = at(22);
    model.notify(vec![Word::Hint]);
    model.answer(told(paid("T1")));
    assert_eq!(model.state(), State::Paid);

    let decision = model.notify(vec![Word::Hint]);
    assert_eq!(decision.call, None, "it is paid, and the provider has said so");

    let mut model = Model::new(maqian());
    let decision = model.notify(vec![Word::Hint]);
    assert_eq!((decision.call, decision.due, decision.not_found), (None, None, false), "there is no order");
    assert!(keys_of(&decision).is_empty());
}

#[test]
fn a_hint_after_an_end_without_money_has_the_provider_asked_until_it_answers() {
    let mut model = pending(maqian());
    assert_eq!(model.requery().call, Some(Operation::Query));
    model.answer(told(Word::Closed));
    assert_eq!((model.state(), model.due), (State::Closed, None));

    let decision = model.notify(vec![Word::Hint]);
    assert_eq!(decision.call, Some(Operation::Query), "the payer may have tried again there");
    model.answer(report(Class::Unknown));
    for _ in 0..3 {
        while model.live.is_none() {
            model.tick();
        }
        model.answer(report(Class::Retry));
    }
    while model.live.is_none() {
        model.tick();
    }
    model.answer(told(paid("T1")));
    assert_eq!(model.state(), State::Paid);
    assert!(model.order().payments().all(|payment| payment.trade_no.as_str() == "T1"));
}

#[test]
fn a_hint_that_nothing_answers_ends_with_a_person() {
    let mut model = pending(maqian());
    model.requery();
    model.answer(told(Word::Closed));
    model.notify(vec![Word::Hint]);
    let mut calls = 0;
    while model.live.is_some() || model.due.is_some() {
        if model.live.is_some() {
            calls += 1;
            model.answer(report(Class::Unknown));
        } else {
            model.tick();
        }
    }
    assert_eq!(calls, FRUITLESS_CALLS_MAX);
    assert_eq!(model.order().attention_count(AttentionReason::RetriesExhausted), 1);
    assert_eq!(model.requery().call, Some(Operation::Query), "and whoever asks then has it asked");
}
