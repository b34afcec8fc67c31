//! People: what holds whatever they say and whenever they say it.

use paymux_domain::fact::{AttentionReason, FactBody, FactKey};
use paymux_domain::fold::{Order, State};
use paymux_domain::name::RefundNo;
use paymux_domain::refund::{RefundCall, RefundState};
use proptest::prelude::*;

use crate::support::model::{Heard, Scene, keys_of};
use crate::support::walk::walks_with_people;

proptest! {
    /// Beside what any look would add. What was refused is judged by the facts of then.
    #[test]
    fn what_a_person_said_adds_nothing_when_it_is_heard_again(model in walks_with_people()) {
        let mut scene = model.scene.clone();
        scene.live_call = true;
        let looked = keys_of(&scene.decide(&Heard::Timer));
        let of_people = |heard: &Heard| matches!(heard, Heard::Confirm(_) | Heard::Replay(_));
        for step in model.steps.iter().filter(|step| of_people(&step.heard)) {
            if step.decision.contradiction.is_some() {
                continue;
            }
            let again = keys_of(&scene.decide(&step.heard));
            prop_assert_eq!(&again, &looked, "by {:?}", step.heard);
        }
    }

    #[test]
    fn a_word_against_the_providers_always_calls_a_person(model in walks_with_people()) {
        for step in &model.steps {
            let order = &step.after;
            let proven = order.facts().any(|fact| matches!(fact.key, FactKey::Paid(_)));
            if order.has(&FactKey::OperatorUnpaid) && proven && order.created().is_some() {
                prop_assert!(order.attention_count(AttentionReason::ConfirmationContradicted) > 0);
            }
        }
    }

    #[test]
    fn no_refund_is_failed_by_a_persons_word_while_a_call_may_still_be_carried_out(
        model in walks_with_people(),
    ) {
        for step in &model.steps {
            let Scene { order, timing, capabilities, now, .. } = &step.before;
            let said = |no: &RefundNo| keys_of(&step.decision).contains(&format!("operator/refund/{no}/FAILED"));
            for refund in order.refunds().iter().filter(|refund| said(refund.no)) {
                let settling = timing.settling(capabilities);
                let settled = |call: RefundCall<'_>| call.outcome.is_some() || call.time + settling <= *now;
                prop_assert!(refund.calls().all(settled));
            }
        }
    }

    #[test]
    fn how_a_refund_ends_is_the_providers_word_and_a_persons_against_it_is_told(model in walks_with_people()) {
        for step in &model.steps {
            let order = &step.after;
            for refund in order.refunds() {
                let (done, failed) = (
                    order.has(&FactKey::OperatorRefundDone(refund.no.clone())),
                    order.has(&FactKey::OperatorRefundFailed(refund.no.clone())),
                );
                let Some(end) = refund.proven_end() else {
                    prop_assert!(!done || refund.refused().is_none(), "every call was refused");
                    continue;
                };
                let is_done = matches!(end.key, FactKey::RefundDone(_));
                let state = if is_done { RefundState::Done } else { RefundState::Failed };
                prop_assert_eq!(refund.state(), state);
                if (is_done && failed) || (!is_done && done) {
                    prop_assert!(order.attention_count(AttentionReason::ConfirmationContradicted) > 0);
                }
            }
        }
    }

    #[test]
    fn a_persons_word_keeps_the_promises(model in walks_with_people()) {
        let mut said = None;
        let mut was_paid = false;
        for step in &model.steps {
            was_paid |= step.after.state() == State::Paid;
            prop_assert!(!was_paid || step.after.state() == State::Paid, "PAID for ever");
            prop_assert!(said.is_none() || step.after.fulfilment() == said, "a word on the goods stands");
            said = step.after.fulfilment();
            for fact in step.before.order.facts() {
                prop_assert_eq!(step.after.fact(&fact.key), Some(fact), "no fact is changed");
            }
        }
        let backwards: Vec<_> = model.order().facts().cloned().collect();
        let folded = Order::from_facts(backwards.into_iter().rev());
        prop_assert_eq!(&folded, model.order());
        let sums = model.order().facts().filter_map(|fact| match &fact.body {
            FactBody::OperatorPaid { payment, .. } if !model.order().has(&FactKey::Paid(payment.trade_no.clone())) => {
                Some(payment.total_minor)
            }
            FactBody::Paid(payment) if matches!(fact.key, FactKey::Paid(_)) => Some(payment.total_minor),
            _ => None,
        });
        prop_assert_eq!(model.order().paid_minor(), sums.sum::<i64>());
    }
}
