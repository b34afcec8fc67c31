//! An account's budget: never exceeded, used while orders wait, and one operation holds up no other.

use paymux_domain::outcome::Operation;
use paymux_domain::ports::Budget;

use crate::rig::{Rig, launched, lost, number, works};

/// What the rig's accounts allow.
const PER_SECOND: usize = 50;
const BURST: usize = 10;

fn at_most_the_budget(rig: &Rig, operation: Operation) {
    for start in rig.sent(operation) {
        let count = rig.count(operation, start.at_ms, start.at_ms + 10_000);
        assert!(count <= 10 * PER_SECOND + BURST, "{count} calls in ten seconds from {} ms", start.at_ms);
    }
}

#[tokio::test(start_paused = true)]
async fn a_crowd_uses_the_budget_and_no_more() {
    let rig = Rig::new(works);
    let running = rig.start();
    rig.create(0..1500).await;
    rig.pass(31.0).await;

    at_most_the_budget(&rig, Operation::Create);
    let first = rig.count(Operation::Create, 0, 10_000);
    assert!(first * 100 >= 10 * PER_SECOND * 95, "only {first} in the first ten seconds");
    assert_eq!(rig.sent(Operation::Create).len(), 1500);
    assert_eq!(running.status.calls_withheld.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_waited_for_the_provider_uses_the_budget_and_no_more() {
    // Ten calls get no answer: the breaker opens, and its pauses grow. Behind it a crowd gathers.
    let rig = Rig::new(|call, at_ms| if at_ms < 20_000 { lost(100) } else { works(call, at_ms) });
    let _running = rig.start();
    rig.create(0..10).await;
    rig.pass(16.0).await;
    rig.create(10..1510).await;
    rig.pass(60.0).await;

    at_most_the_budget(&rig, Operation::Create);
    for from_ms in [32_000, 37_000, 42_000, 47_000] {
        let used = rig.count(Operation::Create, from_ms, from_ms + 10_000);
        assert!(used * 100 >= 10 * PER_SECOND * 95, "only {used} in ten seconds from {from_ms} ms");
    }
    let launched = (10..1510).filter(|number| rig.order(*number).launch().is_some()).count();
    assert_eq!(launched, 1500);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_withheld_takes_no_budget() {
    // The one permit is held for longer than the send margin, so the calls behind it are withheld.
    let mut rig = Rig::new(|call, _| launched(if number(call) == 0 { 15_000 } else { 1 }));
    rig.limits.in_flight_max = 1;
    let running = rig.start();
    rig.create(0..1).await;
    rig.pass(1.0).await;
    rig.create(1..401).await;
    rig.pass(14.5).await;
    let withheld = running.status.calls_withheld.get();
    assert!(withheld >= 200, "only {withheld} were withheld");

    let from_ms = 15_500;
    rig.pass(11.0).await;
    at_most_the_budget(&rig, Operation::Create);
    let used = rig.count(Operation::Create, from_ms, from_ms + 5_000);
    assert!(used * 100 >= 5 * PER_SECOND * 95, "only {used} in five seconds");
}

#[tokio::test(start_paused = true)]
async fn queries_that_wait_for_their_budget_hold_up_no_create() {
    let mut rig = Rig::new(works);
    rig.limits.in_flight_max = 1;
    rig.limits.budgets[1] = Budget { per_second: 1, burst: 1 };
    let _running = rig.start();
    rig.create(0..2).await;
    rig.pass(15.4).await;
    let queries = rig.sent(Operation::Query);
    assert_eq!(queries.len(), 1, "the second waits in line");
    rig.create(2..3).await;
    rig.pass(0.2).await;

    let creates = rig.sent(Operation::Create);
    assert_eq!(creates.len(), 3, "the third order was held up by a query in line");
}

#[tokio::test(start_paused = true)]
async fn an_order_that_waits_no_more_holds_no_slot() {
    let mut rig = Rig::new(works);
    rig.limits.budgets[0] = Budget { per_second: 1, burst: 1 };
    let running = rig.start();
    rig.create(0..10).await;
    rig.pass(0.5).await;
    assert!(running.status.waiting_for_budget.get() >= 7, "{}", running.status.waiting_for_budget.get());

    for number in 0..10 {
        rig.close(number).await;
    }
    rig.pass(0.5).await;
    assert_eq!(running.status.waiting_for_budget.get(), 0);
}
