//! Explanations: every state and every reason to need a person, in words that a tired person understands.

mod happened;
mod persons;
mod states;

use std::collections::BTreeSet;

use paymux_domain::capabilities::Capabilities;
use paymux_domain::explain::{Explanation, explain};
use paymux_domain::fold::State;
use paymux_domain::outcome::{CallReport, Class, Word};
use paymux_domain::ports::LatePolicy;

use crate::support::fixtures::{
    ATTACH, CLIENT_IP, EXPIRY_SECS, OPEN_ID, at, at_ms, launched, paid, report, secs, told, wechat,
};
use crate::support::model::Model;

fn explained(model: &Model) -> Explanation {
    explain(model.order(), &model.scene.followup, Some(&model.scene.capabilities), model.now())
}

/// The sentences without the keys of their facts.
fn sentences(model: &Model) -> Vec<String> {
    explained(model).happened.into_iter().map(|(_, sentence)| sentence).collect()
}

#[track_caller]
fn check(model: &Model, state: &str, next: &str) {
    let explanation = explained(model);
    assert_eq!(explanation.state, state);
    assert_eq!(explanation.next, next);
}

/// Its create call is to leave in 20 s, when the budget has room.
fn waiting() -> Model {
    let mut model = Model::new(wechat());
    model.scene.slots = [at(20); 4];
    model.create();
    model
}

/// Its create call was answered so.
fn answered(capabilities: Capabilities, answer: CallReport) -> Model {
    let mut model = Model::created_at(capabilities);
    model.scene.now = at_ms(400);
    model.answer(answer);
    model
}

fn pending(capabilities: Capabilities) -> Model {
    answered(capabilities, launched())
}

/// Its time is up; the first close or query, where there is one, is under way.
fn closing(capabilities: Capabilities) -> Model {
    let mut model = pending(capabilities);
    model.look_at(at(EXPIRY_SECS));
    model
}

/// The first question or close call after its time was answered so.
fn closed(capabilities: Capabilities, answer: &CallReport) -> Model {
    let mut model = closing(capabilities);
    while model.order().closure().is_none() {
        match model.live.clone() {
            Some(_) => model.answer(answer.clone()),
            None => model.tick(),
        };
    }
    model
}

fn exhausted() -> Model {
    let mut model = closing(wechat());
    while model.due.is_some() {
        match model.live.clone() {
            Some(_) => model.answer(report(Class::Unknown)),
            None => model.tick(),
        };
    }
    model
}

#[test]
fn what_is_not_known_is_not_made_up() {
    let nothing = Model::new(wechat());
    check(&nothing, "Nothing is known of this order.", "Nothing by itself: there is no order here.");

    let model = closing(wechat());
    let bare = explain(model.order(), &model.scene.followup, None, model.now());
    let next = "The engine looks again in 45 s at the latest. Provider or method is not configured here: \
                it waits until it is.";
    assert_eq!(bare.next, next);
}

#[test]
fn the_next_look_may_lie_ahead_be_overdue_or_not_be_written_down() {
    let mut model = pending(wechat());
    let next = |model: &Model| explained(model).next;
    model.scene.now = at(20);
    assert!(
        next(&model).starts_with("The engine was to look 4.6 s ago: it is at it, or behind with its work.")
    );
    model.scene.followup.next_due = None;
    assert!(next(&model).starts_with("When the engine looks again is not written down yet: it is at it."));
}

#[test]
fn an_order_that_owes_nothing_names_no_next_look() {
    let mut paid_order = pending(wechat());
    paid_order.notify(vec![paid("T1")]);
    let mut late = closed(wechat(), &told(Word::Closed)).late_payments(LatePolicy::Park);
    late.notify(vec![paid("T1")]);
    let mut parked = pending(wechat());
    parked.notify(vec![Word::Mismatch { field: "mchid" }]);
    let ended = [
        paid_order,
        late,
        parked.clone(),
        answered(wechat(), report(Class::Final)),
        closed(wechat(), &told(Word::Closed)),
    ];
    for mut model in ended {
        // The row that healed the last step is still written down.
        model.scene.followup.next_due = Some(model.now() + secs(45));
        let Explanation { next, next_look, .. } = explained(&model);
        assert!(next.starts_with("Nothing"), "{next}");
        assert_eq!(next_look, None, "{next}");
    }

    // A person asks about the parked order; one that is open is looked at anyway.
    parked.scene.followup.ask = true;
    for mut model in [parked, waiting(), pending(wechat()), closing(wechat())] {
        model.scene.followup.next_due = Some(model.now() + secs(45));
        assert_eq!(explained(&model).next_look, Some(model.now() + secs(45)), "{}", explained(&model).next);
    }
}

#[test]
fn every_state_is_explained() {
    let mut unknown = Model::created();
    unknown.answer(report(Class::Unknown));
    let mut paid_order = pending(wechat());
    paid_order.notify(vec![paid("T1")]);
    let models = [
        waiting(),
        unknown,
        pending(wechat()),
        closing(wechat()),
        answered(wechat(), report(Class::Final)),
        closed(wechat(), &told(Word::Closed)),
        paid_order,
    ];
    let states: BTreeSet<State> = models.iter().map(Model::state).collect();
    assert_eq!(states, State::ALL.into_iter().collect());
    for model in models {
        let Explanation { happened, state, next, .. } = explained(&model);
        assert_eq!(happened.len(), model.order().len(), "a sentence per fact");
        assert!(state.starts_with(model.state().as_str()), "{state}");
        let sentences = happened.iter().map(|(_, sentence)| sentence);
        assert!(sentences.chain([&state, &next]).all(|text| text.ends_with('.')), "{state} {next}");
    }
}

#[test]
fn no_explanation_shows_personal_data() {
    let leaky = |class| CallReport {
        message: format!("openid {OPEN_ID} at {CLIENT_IP} with {ATTACH} is not known"),
        ..report(class)
    };
    let mut parked = answered(wechat(), leaky(Class::Ops));
    parked.scene.now = parked.now() + secs(5);
    parked.tick();
    parked.answer(leaky(Class::Final));
    for model in [answered(wechat(), leaky(Class::Final)), answered(wechat(), leaky(Class::NotSent)), parked]
    {
        let Explanation { happened, state, next, .. } = explained(&model);
        let all = format!("{happened:?} {state} {next}");
        assert!(all.contains("***"), "the message was shown: {all}");
        for personal in [OPEN_ID, CLIENT_IP, ATTACH] {
            assert!(!all.contains(personal), "{all}");
        }
    }
}
