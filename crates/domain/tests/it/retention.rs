//! What may be forgotten: orders of which nothing is open, for the engine or for a person.

use paymux_domain::fact::AttentionReason;
use paymux_domain::outcome::{Class, Word};
use paymux_domain::ports::LatePolicy;
use paymux_domain::retention::is_over;

use crate::support::fixtures::{launched, paid, report, told, wechat};
use crate::support::model::Model;

/// Every event of the order has been told.
fn settled(mut model: Model) -> Model {
    model.scene.followup.settled = model.order().digest();
    model
}

fn is_over_once_settled(model: Model) -> bool {
    assert!(!is_over(model.order(), &model.scene.followup), "its events are not told yet");
    let model = settled(model);
    is_over(model.order(), &model.scene.followup)
}

fn pending() -> Model {
    let mut model = Model::created();
    model.answer(launched());
    model
}

fn paid_order() -> Model {
    let mut model = pending();
    model.notify(vec![paid("T1")]);
    model
}

fn refused() -> Model {
    let mut model = Model::created();
    model.answer(report(Class::Final));
    model
}

fn closed() -> Model {
    let mut model = pending();
    while model.order().closure().is_none() {
        match model.live {
            Some(_) => model.answer(told(Word::Closed)),
            None => model.tick(),
        };
    }
    model
}

#[test]
fn every_end_that_leaves_nothing_open_may_be_forgotten() {
    for model in [paid_order(), refused(), closed()] {
        assert!(is_over_once_settled(model.clone()), "{model:?}");
    }
    let mut late = closed().late_payments(LatePolicy::Complete);
    late.notify(vec![paid("T1")]);
    assert!(is_over_once_settled(late));
}

#[test]
fn what_has_not_ended_or_waits_for_a_person_is_kept() {
    let mut parked = pending();
    parked.notify(vec![Word::Mismatch { field: "mchid" }]);
    let mut twice = paid_order();
    twice.notify(vec![paid("T2")]);
    let mut late = closed().late_payments(LatePolicy::Park);
    late.notify(vec![paid("T1")]);
    let mut unknown = Model::new(wechat());
    unknown.notify(vec![paid("T1")]);
    for model in [Model::created(), pending(), parked, twice.clone(), late, unknown] {
        assert!(!is_over_once_settled(model.clone()), "{model:?}");
    }
    twice.resolve(AttentionReason::DuplicatePayment, 1);
    assert!(is_over_once_settled(twice), "a person has resolved it");
    assert!(!is_over(settled(Model::new(wechat())).order(), &settled(Model::new(wechat())).scene.followup));
}

#[test]
fn a_complaint_about_the_account_keeps_no_ended_order() {
    let mut model = Model::created();
    model.answer(report(Class::Ops));
    assert!(model.order().attention().any(|(reason, _, _)| reason == AttentionReason::ProviderOps));
    assert!(!is_over_once_settled(model.clone()), "it has not ended");
    model.notify(vec![paid("T1")]);
    assert!(is_over_once_settled(model));
}
