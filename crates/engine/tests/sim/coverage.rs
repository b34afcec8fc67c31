//! Coverage: which fault points were passed and crashed at, and which inputs met which states.

use paymux_domain::fold::State;
use paymux_domain::plant::coverage;

use crate::hook::Points;

/// Fewer seeds than this say nothing about coverage.
const MEANINGFUL: u64 = 1000;

/// What the engine asks of log and store; each is passed, and crashed at, before its effect and after it.
const OPERATIONS: [&str; 16] = [
    "add_facts",
    "bury",
    "commit",
    "floor",
    "insert_due",
    "mark_refund_call",
    "next",
    "publish",
    "put_followup",
    "raise_floor",
    "read",
    "read_due",
    "release_refund",
    "reserve_refund",
    "set_swept_through",
    "swept_through",
];

/// Pairs that cannot meet, each for the reason given.
fn impossible(state: State, input: &str) -> bool {
    match (state, input) {
        // A report needs a call, and a call stores its attempt before it leaves.
        (State::Accepted, "create report" | "query report" | "close report") => true,
        // A close call stores its `closing` fact before it leaves.
        (State::Submitting | State::Pending, "close report") => true,
        // There is one call at a time: nothing else is under way when the last attempt is refused for good.
        (State::Failed, "query report" | "close report") => true,
        // People confirm here what an order that has ended lacks; what they send twice may meet what came of it.
        (
            State::Accepted | State::Submitting | State::Pending | State::Closing | State::Failed,
            "confirm",
        ) => true,
        // A provider that has no such order takes no money for it.
        (State::Accepted | State::Failed, "notification") => true,
        _ => false,
    }
}

const INPUTS: [&str; 9] = [
    "create",
    "close",
    "requery",
    "confirm",
    "notification",
    "create report",
    "query report",
    "close report",
    "timer",
];

/// Prints the coverage and returns how many things were never hit.
pub(crate) fn print(points: &Points, seeds: u64) -> usize {
    let mut missed = Vec::new();
    let points = points.lock();
    let crashed = points.values().filter(|(_, crashes)| *crashes > 0).count();
    println!("fault points: {} passed, {crashed} of them crashed at", points.len());
    for ((operation, when), (passed, crashes)) in points.iter() {
        println!("  {operation:<28} {when:<8} {passed:>9} passed {crashes:>6} crashed");
    }
    let within = [("add_facts.index_row", "between"), ("read.second", "between")];
    let points_of = |operation| ["before", "after"].map(|when| (operation, when));
    for (operation, when) in OPERATIONS.into_iter().flat_map(points_of).chain(within) {
        if points.get(&(operation.to_owned(), when)).is_none_or(|(_, crashes)| *crashes == 0) {
            missed.push(format!("no crash at {operation} {when}"));
        }
    }
    let met = coverage::take();
    println!("{:<12}{}", "decisions", INPUTS.map(|input| format!("{input:>15}")).concat());
    for state in State::ALL {
        let counts = INPUTS.map(|input| {
            let count = met.get(&(state, input)).copied().unwrap_or(0);
            if count == 0 && !impossible(state, input) {
                missed.push(format!("{input} never met {}", state.as_str()));
            }
            format!("{count:>15}")
        });
        println!("{:<12}{}", state.as_str(), counts.concat());
    }
    if seeds < MEANINGFUL {
        println!("(too few seeds for a verdict on coverage)");
        return 0;
    }
    for what in &missed {
        println!("never hit: {what}");
    }
    missed.len()
}
