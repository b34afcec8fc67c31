//! Whatever a provider answers for ever, an order comes to a known end or is parked, in bounded time and
//! calls.

use std::time::Duration;

use paymux_domain::capabilities::Capabilities;
use paymux_domain::limits::{CREATE_ATTEMPTS_MAX, FRUITLESS_CALLS_MAX};
use paymux_domain::outcome::{CallReport, Operation};
use proptest::prelude::*;

use crate::support::fixtures::all_providers;
use crate::support::model::Model;
use crate::support::walk::possible_answers;

/// What a provider answers, always the same: create, query, close.
#[derive(Clone, Debug)]
struct Always {
    provider: &'static str,
    capabilities: Capabilities,
    answers: [CallReport; 3],
    took: Duration,
    caller_closes: bool,
}

fn always() -> impl Strategy<Value = Always> {
    let answer = any::<prop::sample::Index>;
    let answers = (answer(), answer(), answer());
    (0..all_providers().len(), answers, 0..40_000_u64, any::<bool>()).prop_map(
        |(provider, (create, query, close), took_ms, caller_closes)| {
            let (provider, capabilities) = all_providers()[provider];
            let choose = |operation, index: prop::sample::Index| {
                index.get(&possible_answers(&capabilities, operation)).clone()
            };
            let answers = [
                choose(Operation::Create, create),
                choose(Operation::Query, query),
                choose(Operation::Close, close),
            ];
            Always { provider, capabilities, answers, took: Duration::from_millis(took_ms), caller_closes }
        },
    )
}

/// Lives until nothing is owed any more; how many calls left.
fn live(always: &Always) -> (Model, usize) {
    let mut model = Model::created_at(always.capabilities);
    if always.caller_closes {
        model.close();
    }
    let mut calls = 1;
    for _ in 0..5000 {
        match model.live.clone() {
            Some(call) => {
                model.scene.now = call.left_time + always.took;
                let [create, query, close] = &always.answers;
                let report = match call.operation {
                    Operation::Create => create,
                    Operation::Query => query,
                    Operation::Close | Operation::Refund => close,
                };
                model.answer(report.clone());
            }
            None if model.due.is_some() => drop(model.tick()),
            None => return (model, calls),
        }
        // The whole story of hundreds of calls is long.
        model.steps.clear();
        calls += usize::from(model.live.is_some());
    }
    (model, calls)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases * 2,
        ..ProptestConfig::default()
    })]

    #[test]
    fn an_order_ends_or_is_parked_whatever_the_provider_keeps_answering(always in always()) {
        let (model, calls) = live(&always);
        let order = model.order();
        prop_assert!(model.due.is_none(), "still at it after {calls} calls: {}", always.provider);
        prop_assert!(order.state().is_final() || order.is_frozen(), "{:?}", order.state());
        // Every fruitless close may come with a query; creates and follow-ups come on top.
        let calls_max = usize::try_from(2 * FRUITLESS_CALLS_MAX + CREATE_ATTEMPTS_MAX).expect("fits") + 20;
        prop_assert!(calls <= calls_max, "{calls} calls");
    }

    #[test]
    fn no_order_fails_by_calls_without_an_answer(always in always(), refused in any::<bool>()) {
        let mut always = always;
        let unanswered = |operation| {
            let mut all = possible_answers(&always.capabilities, operation);
            all.retain(|report| report.words.is_empty() && report.class != paymux_domain::outcome::Class::Final);
            all
        };
        let create = unanswered(Operation::Create);
        always.answers[0] = create[usize::from(refused) % create.len()].clone();
        let (model, _) = live(&always);
        prop_assert_ne!(model.state(), paymux_domain::fold::State::Failed);
    }
}
