//! Orders that wait for a person, and the ways out.

use paymux_domain::fact::AttentionReason;
use paymux_domain::fold::State;
use paymux_domain::limits::FRUITLESS_CALLS_MAX;
use paymux_domain::outcome::{Class, Operation, Word};

use crate::support::fixtures::{EXPIRY_SECS, at, launched, paid, report, secs, told};
use crate::support::model::{Model, keys_of};

/// An order that cannot be closed, for the provider never answers.
fn exhausted() -> (Model, u32) {
    let mut model = Model::created();
    model.answer(launched());
    model.look_at(at(EXPIRY_SECS));
    let mut calls = 0;
    while model.due.is_some() {
        match model.live.clone() {
            Some(_) => {
                calls += 1;
                model.answer(report(Class::Unknown));
            }
            None => drop(model.tick()),
        }
    }
    (model, calls)
}

#[test]
fn calls_without_an_answer_come_to_an_end_and_park_the_order() {
    let (model, calls) = exhausted();
    assert_eq!(calls, FRUITLESS_CALLS_MAX);
    assert_eq!(model.state(), State::Closing, "nothing is guessed");
    assert_eq!(model.order().attention_count(AttentionReason::RetriesExhausted), 1);
    assert!(model.order().is_frozen());
}

#[test]
fn a_parked_order_asks_once_for_every_requery() {
    let (mut model, _) = exhausted();
    for _ in 0..2 {
        assert_eq!(model.requery().call, Some(Operation::Query));
        let decision = model.answer(report(Class::Unknown));
        assert_eq!((decision.call, decision.due), (None, None), "once");
    }
}

#[test]
fn a_requery_of_a_parked_order_waits_for_budget_and_is_not_forgotten() {
    let (mut model, _) = exhausted();
    let slot = model.now() + secs(20);
    model.scene.slots = [slot; 4];
    let decision = model.requery();
    assert_eq!((decision.call, decision.due, decision.waits_for), (None, Some(slot), Some(Operation::Query)));
    assert_eq!(model.tick().call, Some(Operation::Query));
}

#[test]
fn the_providers_word_moves_a_parked_order() {
    let (mut model, _) = exhausted();
    model.requery();
    model.answer(told(Word::Closed));
    assert_eq!(model.state(), State::Closed);

    let (mut model, _) = exhausted();
    model.notify(vec![paid("T1")]);
    assert_eq!(model.state(), State::Paid);
}

#[test]
fn a_resolved_order_goes_on_for_as_many_calls_again() {
    let (mut model, _) = exhausted();
    model.resolve(AttentionReason::RetriesExhausted, 1);
    let mut calls = 0;
    model.hear(crate::support::model::Heard::Timer);
    while model.due.is_some() {
        match model.live.clone() {
            Some(_) => {
                calls += 1;
                model.answer(report(Class::Unknown));
            }
            None => drop(model.tick()),
        }
    }
    assert_eq!(calls, FRUITLESS_CALLS_MAX);
    assert_eq!(model.order().attention_count(AttentionReason::RetriesExhausted), 2);
}

#[test]
fn a_payment_before_its_mismatch_is_resolved_waits_for_the_person() {
    let mut model = Model::created();
    model.notify(vec![Word::Mismatch { field: "mchid" }]);
    let decision = model.notify(vec![paid("T1")]);
    assert_eq!(keys_of(&decision), ["paid/T1"], "recorded, not fulfilled");
    model.resolve(AttentionReason::AnswerMismatch, 1);
    let decision = model.hear(crate::support::model::Heard::Timer);
    assert_eq!(keys_of(&decision), ["fulfilment/FULFIL"]);
}
