//! What must hold at every step of every walk, whatever is heard and in whatever order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use paymux_domain::capabilities::{CloseKind, CreateKind, RefundKind};
use paymux_domain::fact::{AttentionReason, Closure, Fact, FactBody, FactKey, Fulfilment};
use paymux_domain::fold::{Order, State};
use paymux_domain::outcome::{Class, Operation, Word};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::support::fixtures::{PRICE, name, notification};
use crate::support::model::{Heard, Model, Scene, Step, keys_of};
use crate::support::walk::{can_be_asked, decided, expire_time, walks, wrong_payments};

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases * 2,
        ..ProptestConfig::default()
    })]

    #[test]
    fn proof_of_payment_makes_paid_from_any_state_and_for_ever(model in walks()) {
        let mut proven = false;
        for step in &model.steps {
            proven |= !proofs(step).is_empty();
            prop_assert!(!proven || step.after.state() == State::Paid, "{:?}", step.heard);
            prop_assert!(proven || step.after.state() != State::Paid, "{:?}", step.heard);
        }
    }

    #[test]
    fn recorded_money_is_the_sum_of_the_proven_payments(model in walks()) {
        let proven: BTreeMap<String, i64> = model.steps.iter().flat_map(proofs).collect();
        prop_assert_eq!(model.order().paid_minor(), proven.values().sum::<i64>());
        prop_assert_eq!(model.order().payments().count(), proven.len());
    }

    #[test]
    fn an_order_fails_only_by_the_providers_refusal(model in walks()) {
        let mut ended: BTreeMap<u32, Class> = BTreeMap::new();
        for step in &model.steps {
            if let Heard::Report { call, report } = &step.heard
                && call.operation == Operation::Create
            {
                ended.insert(call.number, report.class);
            }
            if step.after.state() == State::Failed {
                let classes: Vec<Option<&Class>> =
                    step.after.attempts().map(|attempt| ended.get(&attempt.number)).collect();
                prop_assert!(classes.contains(&Some(&Class::Final)), "{classes:?}");
                let sure = |class: &Option<&Class>| matches!(class, Some(Class::Final | Class::NotSent));
                prop_assert!(classes.iter().all(sure), "{classes:?}");
            }
        }
    }

    #[test]
    fn only_a_known_outcome_is_a_fact(model in walks()) {
        for fact in model.order().facts() {
            if let FactBody::AttemptOutcome(outcome) = &fact.body {
                let known = matches!(outcome.class, Class::Done | Class::Final | Class::NotSent);
                prop_assert!(known, "{:?}", outcome.class);
            }
        }
    }

    #[test]
    fn fulfil_is_said_at_most_once_and_never_taken_back(model in walks()) {
        let fulfil = FactKey::Fulfilment(Fulfilment::Fulfil.into());
        prop_assert!(decided(&model, |key| *key == fulfil) <= 1);
        let mut said = false;
        for step in &model.steps {
            said |= step.after.has(&fulfil);
            prop_assert!(!said || step.after.fulfilment() == Some(Fulfilment::Fulfil));
        }
    }

    #[test]
    fn a_decision_is_a_function_of_its_arguments(model in walks()) {
        for step in &model.steps {
            prop_assert_eq!(&step.before.decide(&step.heard), &step.decision);
        }
    }

    #[test]
    fn facts_are_decided_once(model in walks()) {
        let mut known = BTreeSet::new();
        for step in &model.steps {
            for key in keys_of(&step.decision) {
                prop_assert!(known.insert(key.clone()), "{key} was decided twice");
            }
        }
    }

    /// For a while two owners hear the same. The former one goes on with a copy that is old, and without its lease
    /// stores words only; they lie among the facts when the other decides.
    #[test]
    fn the_words_of_a_former_owner_do_no_harm(
        model in walks(),
        fork in any::<prop::sample::Index>(),
        former_first in any::<bool>(),
    ) {
        let fork = fork.index(model.steps.len());
        let mut owner = model.steps[fork].before.clone();
        let mut former = owner.clone();
        let fulfil = FactKey::Fulfilment(Fulfilment::Fulfil.into());
        let mut said = u32::from(owner.order.has(&fulfil));
        for Step { before, heard, .. } in &model.steps[fork..] {
            let rank = owner.order.state().rank();
            for scene in [&mut owner, &mut former] {
                scene.now = before.now;
                scene.slots = before.slots;
                scene.reserved.clone_from(&before.reserved);
            }
            owner.live_call = before.live_call;
            let kept = former.decide(heard);
            let words = kept.words.iter().cloned();
            add(&mut former, words.clone());
            if former_first {
                add(&mut owner, words.clone());
            }
            let decision = owner.decide(heard);
            said += u32::from(decision.own.iter().any(|fact| fact.key == fulfil));
            for word in &decision.words {
                let same = kept.words.iter().find(|other| other.key == word.key);
                let numbered = matches!(word.key, FactKey::Attention(..));
                prop_assert!(numbered || same.is_none_or(|same| same.body == word.body), "{}", word.key);
            }
            add(&mut owner, decision.words.into_iter().chain(decision.own).chain(words));
            owner.followup = decision.followup;
            former.followup = kept.followup;
            prop_assert!(rank <= owner.order.state().rank(), "the state fell by {heard:?}");
        }
        let parked = owner.order.attention_count(AttentionReason::LatePayment) > 0;
        prop_assert!(said <= 1, "FULFIL was said {said} times");
        prop_assert!(!(parked && owner.order.has(&fulfil)), "both words for the same money");
        let proven = model.steps.iter().any(|step| !proofs(step).is_empty());
        prop_assert!(!proven || owner.order.state() == State::Paid, "{:?}", owner.order.state());
    }

    /// After a crash the log is read again from anywhere: while the facts are known, its records add none,
    /// and they leave the plan as a timer would have made it. At most a person is called again who has
    /// resolved the same when another record said it.
    #[test]
    fn replaying_any_part_of_the_log_adds_nothing(model in walks(), skip in any::<prop::sample::Index>()) {
        let mut replay = model.clone();
        replay.live = None;
        let at_rest = replay.hear(Heard::Timer);
        let records: Vec<Heard> =
            model.steps.iter().map(|step| &step.heard).filter(|heard| heard.is_record()).cloned().collect();
        for heard in &records[skip.index(records.len())..] {
            let again = replay.scene.decide(heard);
            let fresh = replay.scene.decide(&Heard::Timer);
            let called_again = again.words.iter().all(|fact| is_resolved_attention(replay.order(), &fact.key));
            prop_assert!(called_again, "{:?} by {heard:?}", keys_of(&again));
            if !again.words.is_empty() {
                continue;
            }
            let keys = |own: &[paymux_domain::fact::Fact]| -> Vec<String> {
                own.iter().map(|fact| fact.key.to_string()).collect()
            };
            if !matches!(heard, Heard::Requery(_)) {
                prop_assert_eq!(keys(&again.own), keys(&fresh.own), "{:?}", heard);
                prop_assert_eq!(again.call, fresh.call, "{:?}", heard);
                prop_assert_eq!(again.due, fresh.due, "{:?}", heard);
            }
        }
        prop_assert!(at_rest.words.is_empty());
    }

    #[test]
    fn what_is_due_lies_ahead_and_every_call_has_a_due_row_behind_it(model in walks()) {
        for step in &model.steps {
            let Step { before, decision, .. } = step;
            prop_assert!(decision.due.is_none_or(|due| due > before.now), "{:?}", step.heard);
            prop_assert!(decision.call.is_none() || decision.due.is_some(), "{:?}", step.heard);
            prop_assert!(decision.waits_for.is_none() || decision.due.is_some(), "{:?}", step.heard);
            prop_assert!(decision.waits_for.is_none() || decision.call.is_none(), "{:?}", step.heard);
        }
    }

    #[test]
    fn an_open_order_never_gets_stuck(model in walks()) {
        for step in &model.steps {
            let open = !step.after.state().is_final() && !step.after.is_frozen();
            prop_assert!(!open || step.decision.due.is_some(), "{:?} after {:?}", step.after.state(), step.heard);
        }
    }

    #[test]
    fn the_rank_of_the_state_never_falls(model in walks()) {
        for step in &model.steps {
            let (before, after) = (step.before.order.state(), step.after.state());
            prop_assert!(before.rank() <= after.rank(), "{before:?} to {after:?} by {:?}", step.heard);
        }
    }

    #[test]
    fn every_closure_follows_its_rule(model in walks()) {
        for (n, step) in model.steps.iter().enumerate() {
            if !step.before.order.has(&FactKey::Closed)
                && let Some(closure) = step.after.closure()
            {
                closed_rightly(&model, n, closure)?;
            }
        }
    }

    #[test]
    fn a_wrong_amount_or_currency_changes_no_state_and_freezes(model in walks(), which in 0..2_usize) {
        let wrong = wrong_payments()[which].clone();
        let told = notification("n-wrong", model.now(), vec![Word::Paid(wrong)]);
        let mut model = model;
        let (state, money) = (model.state(), model.order().paid_minor());
        let requested = model.order().refunds().len();
        let decision = model.hear(Heard::Notification(told));
        prop_assert_eq!(model.state(), state);
        prop_assert_eq!(model.order().paid_minor(), money);
        prop_assert!(model.order().is_frozen(), "{:?}", keys_of(&decision));
        // A refund that was under way goes on: its money is reserved, and only the provider's word ends it.
        let goes_on = |call| matches!(call, Operation::Query | Operation::Refund);
        prop_assert!(decision.call.is_none_or(goes_on), "neither a create nor a close");
        prop_assert_eq!(model.order().refunds().len(), requested, "no refund begins");
        let about_refunds = |key: &FactKey| matches!(key, FactKey::Attention(..) | FactKey::RefundCall(..));
        prop_assert!(decision.own.iter().all(|fact| about_refunds(&fact.key)), "{:?}", keys_of(&decision));
    }

    #[test]
    fn nothing_is_concluded_while_a_person_is_awaited(model in walks()) {
        for step in &model.steps {
            if step.before.order.is_frozen() && step.after.is_frozen() {
                let begun = step.decision.own.iter().any(|fact| {
                    matches!(fact.key, FactKey::Closed | FactKey::Fulfilment(_))
                        || matches!(fact.key, FactKey::Attempt(_) | FactKey::Closing(_))
                });
                prop_assert!(!begun, "{:?} on {:?}", keys_of(&step.decision), step.heard);
            }
        }
    }

    #[test]
    fn calls_leave_one_at_a_time_within_the_providers_rules(model in walks()) {
        for step in &model.steps {
            let Some(operation) = step.decision.call else { continue };
            let (now, capabilities) = (step.before.now, &step.before.capabilities);
            prop_assert!(!step.before.live_call, "a second call beside the one under way");
            let slot = Operation::ALL.iter().position(|o| *o == operation).map(|n| step.before.slots[n]);
            // What is made without a call to the provider needs no budget.
            let local = operation == Operation::Create && capabilities.create == CreateKind::Local;
            prop_assert!(local || slot.is_some_and(|slot| slot <= now), "beyond the budget");
            if let Some(not_before) = step.decision.followup.not_before {
                prop_assert!(now >= not_before, "the provider asked to wait");
            }
            match operation {
                Operation::Create => prop_assert!(now < expire_time(), "an attempt past expiry"),
                Operation::Query if step.decision.refund.is_some() => {
                    prop_assert!(capabilities.refund_query, "a query about a refund that cannot be");
                }
                Operation::Query => prop_assert!(can_be_asked(capabilities), "a query that cannot be"),
                Operation::Close => {
                    let CloseKind::Call { min_age, .. } = capabilities.close else {
                        return Err(TestCaseError::fail("a close that cannot be"));
                    };
                    // What this very input has said of an attempt counts: one that never left keeps no close waiting.
                    let sent = step.after.last_sent().map(|attempt| attempt.time);
                    prop_assert!(sent.is_some_and(|sent| now >= sent + min_age), "a close that is too young");
                }
                Operation::Refund => {
                    let refund = step.decision.refund.as_ref().and_then(|no| step.after.refund(no));
                    let request = refund.map(|refund| refund.request.clone()).expect("a refund that is known");
                    prop_assert!(request.automatic, "nobody asked for a refund");
                    let learnt = step.before.order.learnt(&request.trade_no).map(|fact| fact.time);
                    let delay = step.before.timing.late_refund_delay;
                    prop_assert!(learnt.is_some_and(|learnt| now >= learnt + delay), "money that goes back at once");
                    prop_assert!(capabilities.refund != RefundKind::None, "a refund that is not offered");
                }
            }
        }
    }
}

/// The properties above would hold of walks that never get anywhere, so these must get everywhere.
#[test]
fn walks_reach_every_state_closure_call_and_reason() {
    let mut runner = TestRunner::deterministic();
    let mut reached: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..2000 {
        let model = walks().new_tree(&mut runner).expect("a walk").current();
        let states = model.steps.iter().map(|step| step.after.state().as_str().to_owned());
        let calls =
            model.steps.iter().filter_map(|step| step.decision.call.map(|call| call.as_str().to_owned()));
        let ends = model.order().closure().map(|closure| format!("{closure:?}"));
        let late = model.order().state_without_payment().is_final() && model.state() == State::Paid;
        let late = late.then(|| "late money".to_owned());
        let called = AttentionReason::ALL.iter().filter(|reason| model.order().attention_count(**reason) > 0);
        let called = called.map(|reason| reason.as_str().to_owned());
        let here: BTreeSet<String> = states.chain(calls).chain(ends).chain(late).chain(called).collect();
        for one in here {
            *reached.entry(one).or_default() += 1;
        }
    }
    // An unknown order has no walk, and retries are exhausted only after hundreds of calls: both have their
    // stories.
    let wanted: Vec<String> = State::ALL
        .iter()
        .map(|state| state.as_str().to_owned())
        .chain(["create", "query", "close", "late money"].map(ToOwned::to_owned))
        .chain(["ProviderConfirmed", "NeverSent", "LocalExpiry"].map(ToOwned::to_owned))
        .chain(
            [
                "PAYMENT_MISMATCH",
                "ANSWER_MISMATCH",
                "DUPLICATE_PAYMENT",
                "LATE_PAYMENT",
                "REFUNDED_ELSEWHERE",
                "PROVIDER_OPS",
            ]
            .map(ToOwned::to_owned),
        )
        .collect();
    for one in wanted {
        let times = reached.get(&one).copied().unwrap_or(0);
        assert!(times >= 10, "{one} was reached by {times} of 2000 walks: {reached:?}");
    }
}

/// The payments that a step proves, each with its amount: those that are this order's own.
fn proofs(step: &Step) -> Vec<(String, i64)> {
    let words = match &step.heard {
        Heard::Report { report, .. } => &report.words,
        Heard::Notification(told) if told.account == name("main") => &told.words,
        _ => return Vec::new(),
    };
    let payments = words.iter().filter_map(|word| match word {
        Word::Paid(payment) if payment.total_minor == PRICE && payment.currency.is_some() => Some(payment),
        _ => None,
    });
    payments.map(|payment| (payment.trade_no.to_string(), payment.total_minor)).collect()
}

/// Stores facts as an owner sees them the next time that it reads.
fn add(scene: &mut Scene, facts: impl IntoIterator<Item = Fact>) {
    let order = Arc::make_mut(&mut scene.order);
    for fact in facts {
        order.add(fact);
    }
}

/// Whether a person has resolved an attention of that reason.
fn is_resolved_attention(order: &Order, key: &FactKey) -> bool {
    let FactKey::Attention(reason, _) = key else { return false };
    order.facts().any(|fact| matches!(&fact.key, FactKey::AttentionResolved(known, _) if known == reason))
}

fn closed_rightly(model: &Model, n: usize, closure: Closure) -> Result<(), TestCaseError> {
    let step = &model.steps[n];
    match closure {
        Closure::NeverSent => {
            let doubt = step.after.attempts().any(|attempt| attempt.may_have_left());
            prop_assert!(!doubt, "an attempt may have left");
        }
        Closure::ProviderConfirmed => {
            let said = words_of(step).any(|(word, _)| *word == Word::Closed);
            let absent = step.before.capabilities.create == CreateKind::Call && absences(model, n) >= 2;
            prop_assert!(said || absent, "neither closed nor twice absent");
        }
        Closure::OperatorConfirmed => prop_assert!(false, "a person's word closes by a fact of its own"),
        Closure::LocalExpiry => {
            let capabilities = &step.before.capabilities;
            let end = expire_time() + capabilities.expiry_grace;
            let unopened = capabilities.create == CreateKind::Local && absences(model, n) >= 2;
            prop_assert!(capabilities.close == CloseKind::None || unopened, "it could be closed there");
            prop_assert!(step.before.now >= end, "before expiry and grace");
            let asked_last = model.steps[..=n].iter().any(|step| match &step.heard {
                Heard::Report { call, report } => {
                    call.operation == Operation::Query && report.class == Class::Done && call.left_time >= end
                }
                _ => false,
            });
            prop_assert!(asked_last || !can_be_asked(capabilities), "without a last query");
        }
    }
    Ok(())
}

/// The provider's words in a step, each with the time at which it was asked for or told.
fn words_of(step: &Step) -> impl Iterator<Item = (&Word, paymux_domain::time::Timestamp)> {
    let (words, time): (&[Word], _) = match &step.heard {
        Heard::Report { call, report } => (&report.words, call.left_time),
        Heard::Notification(told) if told.account == name("main") => (&told.words, told.received_time),
        _ => (&[], step.before.now),
    };
    words.iter().map(move |word| (word, time))
}

/// How often the provider has said credibly and in a row, up to a step, that it does not know the order:
/// asked at least the settling time after the last attempt, and each time a pause after the time before.
fn absences(model: &Model, n: usize) -> usize {
    let (mut count, mut last) = (0, None);
    for step in &model.steps[..=n] {
        if step.decision.call == Some(Operation::Create) {
            (count, last) = (0, None);
        }
        for (word, left) in words_of(step) {
            let sent = step.before.order.last_sent().map(|attempt| attempt.time);
            let settling = step.before.timing.settling(&step.before.capabilities);
            let settled = sent.is_none_or(|sent| left >= sent + settling);
            let paused = last.is_none_or(|last| left >= last + step.before.timing.close_pause);
            match word {
                Word::NotExist if settled && paused => (count, last) = (count + 1, Some(left)),
                // The word that it does exist is bookkeeping, and a crash may have taken that along.
                Word::Open if !model.forgot => (count, last) = (0, None),
                _ => {}
            }
        }
    }
    count
}
