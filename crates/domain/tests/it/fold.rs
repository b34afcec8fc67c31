//! The fold: a pure function of the set of facts.

use std::collections::BTreeSet;
use std::sync::Arc;

use paymux_domain::fact::{
    AttemptOutcome, AttentionReason, Cause, CloseReason, Closure, Fact, FactBody, FactKey, Fulfilment,
};
use paymux_domain::fold::{Order, State};
use paymux_domain::outcome::Class;
use paymux_domain::refund::{RefundDone, RefundFailed};
use proptest::prelude::*;

use crate::support::fixtures::{
    PRICE, at, confirmed_payment, created, launch, name, operator_word, payment, refund_request,
};

fn key() -> impl Strategy<Value = FactKey> {
    let n = 1..4_u32;
    let reason = || prop::sample::select(AttentionReason::ALL.to_vec());
    prop_oneof![
        Just(FactKey::Created),
        n.clone().prop_map(FactKey::Attempt),
        n.clone().prop_map(FactKey::AttemptOutcome),
        n.clone().prop_map(FactKey::Launch),
        Just(FactKey::CloseRequested),
        n.clone().prop_map(FactKey::Closing),
        Just(FactKey::Closed),
        n.clone().prop_map(|n| FactKey::Paid(name(&format!("T{n}")))),
        n.clone().prop_map(|n| FactKey::PaidStated(name(&format!("T{n}")))),
        n.clone().prop_map(|n| FactKey::PaidConfirmed(name(&format!("T{n}")))),
        n.clone().prop_map(|n| FactKey::RefundRequested(name(&format!("r{n}")))),
        (n.clone(), n.clone()).prop_map(|(r, n)| FactKey::RefundCall(name(&format!("r{r}")), n)),
        (n.clone(), n.clone()).prop_map(|(r, n)| FactKey::RefundCallOutcome(name(&format!("r{r}")), n)),
        n.clone().prop_map(|n| FactKey::RefundDone(name(&format!("r{n}")))),
        n.clone().prop_map(|n| FactKey::RefundFailed(name(&format!("r{n}")))),
        Just(FactKey::Fulfilment(Fulfilment::Fulfil.into())),
        Just(FactKey::Fulfilment(Fulfilment::DoNotFulfil.into())),
        (reason(), n.clone()).prop_map(|(reason, k)| FactKey::Attention(reason, k)),
        (reason(), n.clone()).prop_map(|(reason, k)| FactKey::AttentionResolved(reason, k)),
        n.clone().prop_map(|n| FactKey::OperatorPaid(name(&format!("T{n}")))),
        Just(FactKey::OperatorUnpaid),
        n.clone().prop_map(|n| FactKey::OperatorRefundDone(name(&format!("r{n}")))),
        n.prop_map(|n| FactKey::OperatorRefundFailed(name(&format!("r{n}")))),
    ]
}

/// A body that fits the key; `variant` chooses among those that do.
fn body(key: &FactKey, variant: usize) -> FactBody {
    let outcome =
        |class: Class| AttemptOutcome { class, code: class.as_str().to_owned(), message: String::new() };
    match key {
        FactKey::Created => FactBody::Created(Arc::new(created())),
        FactKey::Attempt(_) => FactBody::Attempt,
        FactKey::AttemptOutcome(_) => {
            FactBody::AttemptOutcome(outcome([Class::Done, Class::Final, Class::NotSent][variant % 3]))
        }
        FactKey::Launch(_) => FactBody::Launch(launch()),
        FactKey::CloseRequested => {
            FactBody::CloseRequested([CloseReason::Caller, CloseReason::Expiry][variant % 2])
        }
        FactKey::Closing(_) => FactBody::Closing,
        FactKey::Closed => FactBody::Closed(
            [Closure::ProviderConfirmed, Closure::NeverSent, Closure::LocalExpiry][variant % 3],
        ),
        FactKey::RefundRequested(no) => {
            FactBody::RefundRequested(Arc::new(refund_request(no.as_str(), [PRICE, 1][variant % 2])))
        }
        FactKey::RefundCall(..) => FactBody::RefundCall,
        FactKey::RefundCallOutcome(..) => {
            FactBody::RefundCallOutcome(outcome([Class::Done, Class::Final, Class::NotSent][variant % 3]))
        }
        FactKey::RefundDone(_) => FactBody::RefundDone(RefundDone::default()),
        FactKey::RefundFailed(_) => FactBody::RefundFailed(RefundFailed {
            code: format!("code {}", variant % 2),
            message: String::new(),
        }),
        FactKey::Paid(no) | FactKey::PaidStated(no) | FactKey::PaidConfirmed(no) => {
            FactBody::Paid(payment(no.as_str(), [PRICE, PRICE + 1][variant % 2]))
        }
        FactKey::Fulfilment(_) => FactBody::Fulfilment(Fulfilment::Fulfil),
        FactKey::Attention(..) => FactBody::Attention(format!("text {}", variant % 2)),
        FactKey::AttentionResolved(..) => {
            FactBody::AttentionResolved { caller: "alice".to_owned(), reason: "looked".to_owned() }
        }
        FactKey::OperatorPaid(no) => FactBody::OperatorPaid {
            payment: confirmed_payment(no.as_str(), [PRICE, PRICE + 1][variant % 2]),
            by: operator_word("c1"),
        },
        FactKey::OperatorUnpaid => FactBody::OperatorUnpaid(operator_word(["c1", "c2"][variant % 2])),
        FactKey::OperatorRefundDone(_) | FactKey::OperatorRefundFailed(_) => {
            FactBody::OperatorRefund { provider_refund_no: None, by: operator_word("c1") }
        }
    }
}

/// Facts as two owners at once may write them: the same key with another body, time or cause.
fn fact() -> impl Strategy<Value = Fact> {
    let cause = prop_oneof![Just(Cause::Answer), Just(Cause::Timer)];
    (key(), 0..6_usize, 0..3_i64, cause).prop_map(|(key, variant, time, cause)| Fact {
        body: body(&key, variant),
        key,
        time: at(time),
        cause,
    })
}

/// A set of facts, and the same facts in another order with some of them twice.
fn facts_and_shuffled() -> impl Strategy<Value = (Vec<Fact>, Vec<Fact>)> {
    prop::collection::vec(fact(), 0..25).prop_flat_map(|facts| {
        let again = prop::sample::subsequence(facts.clone(), 0..=facts.len());
        (Just(facts), again).prop_flat_map(|(facts, again)| {
            let shuffled: Vec<Fact> = facts.iter().cloned().chain(again).collect();
            (Just(facts), Just(shuffled).prop_shuffle())
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases * 4,
        ..ProptestConfig::default()
    })]

    #[test]
    fn order_and_repetition_of_facts_do_not_matter((facts, shuffled) in facts_and_shuffled()) {
        let one = Order::from_facts(facts);
        let other = Order::from_facts(shuffled);
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(one.digest(), other.digest());
        prop_assert_eq!(one.state(), other.state());
    }

    #[test]
    fn folding_what_is_known_changes_nothing(facts in prop::collection::vec(fact(), 0..25)) {
        let order = Order::from_facts(facts);
        let mut again = order.clone();
        for fact in order.facts() {
            prop_assert!(!again.add(fact.clone()), "{} was known", fact.key);
        }
        prop_assert_eq!(order, again);
    }

    #[test]
    fn a_payment_makes_every_order_paid(facts in prop::collection::vec(fact(), 0..25)) {
        let mut order = Order::from_facts(facts);
        order.add(Fact {
            key: FactKey::Paid(name("T1")),
            body: FactBody::Paid(payment("T1", PRICE)),
            time: at(9),
            cause: Cause::Answer,
        });
        prop_assert_eq!(order.state(), State::Paid);
    }

    #[test]
    fn the_money_of_an_order_is_the_sum_of_its_payments(facts in prop::collection::vec(fact(), 0..25)) {
        let order = Order::from_facts(facts);
        let keys: BTreeSet<_> = order
            .facts()
            .filter_map(|fact| match &fact.key {
                FactKey::Paid(no) | FactKey::OperatorPaid(no) => Some(no.clone()),
                _ => None,
            })
            .collect();
        prop_assert_eq!(order.payments().count(), keys.len(), "each payment once");
        prop_assert_eq!(order.paid_minor(), order.payments().map(|payment| payment.total_minor).sum::<i64>());
    }

    #[test]
    fn a_persons_word_hides_none_of_the_providers(facts in prop::collection::vec(fact(), 0..25)) {
        let order = Order::from_facts(facts);
        let proven = order.facts().filter(|fact| matches!(fact.key, FactKey::Paid(_)));
        for fact in proven {
            let shown = order.payments().any(|payment| FactBody::Paid(payment.clone()) == fact.body);
            let stated = matches!(&fact.key, FactKey::Paid(no) if order.has(&FactKey::PaidStated(no.clone())));
            prop_assert!(shown || stated, "{}", fact.key);
        }
        for refund in order.refunds() {
            let end = refund.end().map(|end| end.key.clone());
            if order.has(&FactKey::RefundDone(refund.no.clone())) {
                prop_assert_eq!(end, Some(FactKey::RefundDone(refund.no.clone())));
            } else if order.has(&FactKey::RefundFailed(refund.no.clone())) {
                prop_assert_eq!(end, Some(FactKey::RefundFailed(refund.no.clone())));
            }
        }
        if let Some(FactBody::Closed(Closure::ProviderConfirmed)) =
            order.fact(&FactKey::Closed).map(|fact| &fact.body)
        {
            prop_assert_eq!(order.closure(), Some(Closure::ProviderConfirmed));
        }
    }

    #[test]
    fn an_order_failed_only_if_a_call_was_refused_and_no_other_is_in_doubt(
        facts in prop::collection::vec(fact(), 0..25),
    ) {
        let order = Order::from_facts(facts);
        let classes: Vec<Option<Class>> =
            order.attempts().map(|attempt| attempt.outcome.map(|outcome| outcome.class)).collect();
        if order.state() == State::Failed {
            prop_assert!(classes.contains(&Some(Class::Final)));
            prop_assert!(classes.iter().all(|class| matches!(class, Some(Class::Final | Class::NotSent))));
        }
    }
}

#[test]
fn each_fact_leads_to_its_state() {
    let check = |keys: &[&str], class: Class, state: State| {
        let facts = keys.iter().map(|text| {
            let key: FactKey = name(text);
            let body = match &key {
                FactKey::AttemptOutcome(_) => FactBody::AttemptOutcome(AttemptOutcome {
                    class,
                    code: String::new(),
                    message: String::new(),
                }),
                key => body(key, 0),
            };
            Fact { key, body, time: at(0), cause: Cause::Timer }
        });
        assert_eq!(Order::from_facts(facts).state(), state, "{keys:?} {class:?}");
    };
    check(&["created"], Class::Done, State::Accepted);
    check(&["created", "attempt/1"], Class::Done, State::Submitting);
    check(&["created", "attempt/1", "attempt/1/outcome"], Class::NotSent, State::Submitting);
    check(&["created", "attempt/1", "attempt/1/outcome", "launch/1"], Class::Done, State::Pending);
    check(&["created", "attempt/1", "attempt/1/outcome"], Class::Final, State::Failed);
    check(&["created", "attempt/1", "attempt/1/outcome", "attempt/2"], Class::Final, State::Submitting);
    check(&["created", "attempt/1", "launch/1", "close_requested"], Class::Done, State::Closing);
    check(&["created", "attempt/1", "launch/1", "closing/1"], Class::Done, State::Closing);
    check(&["created", "attempt/1", "attempt/1/outcome", "close_requested"], Class::Final, State::Failed);
    check(&["created", "closed"], Class::Done, State::Closed);
    check(&["created", "attempt/1", "attempt/1/outcome", "closed"], Class::Final, State::Closed);
    check(&["created", "closed", "paid/T1"], Class::Done, State::Paid);
    check(&["paid/T1"], Class::Done, State::Paid);
    check(&["created", "attempt/1", "operator/unpaid"], Class::Done, State::Closed);
    check(&["created", "operator/unpaid", "operator/paid/T1"], Class::Done, State::Paid);
}

#[test]
fn fulfil_stands_before_do_not_fulfil() {
    let word = |word: Fulfilment| Fact {
        key: FactKey::Fulfilment(word.into()),
        body: FactBody::Fulfilment(word),
        time: at(0),
        cause: Cause::Timer,
    };
    let check = |words: &[Fulfilment], expected: Option<Fulfilment>| {
        assert_eq!(Order::from_facts(words.iter().map(|w| word(*w))).fulfilment(), expected, "{words:?}");
    };
    check(&[], None);
    check(&[Fulfilment::DoNotFulfil], Some(Fulfilment::DoNotFulfil));
    check(&[Fulfilment::DoNotFulfil, Fulfilment::Fulfil], Some(Fulfilment::Fulfil));
}
