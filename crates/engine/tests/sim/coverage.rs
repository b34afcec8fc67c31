//! Coverage: which fault points were passed and crashed at, which inputs met which states, and what befell orders at each
//! kind of provider.

use std::cell::RefCell;
use std::collections::BTreeMap;

use paymux_domain::capabilities::{CloseKind, QueryKind, RefundKind};
use paymux_domain::fold::State;
use paymux_domain::plant::coverage;

use crate::hook::Points;
use crate::kinds::{self, KINDS};

/// Fewer seeds than this say nothing about coverage.
const MEANINGFUL: u64 = 1000;

/// What the engine asks of log and store; each is passed, and crashed at, before its effect and after it.
const OPERATIONS: [&str; 17] = [
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
    "write_step",
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

/// What happens to orders at providers, and so must happen at those that have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Befell {
    Created,
    /// A query was answered.
    Asked,
    Closed,
    Paid,
    PaidTwice,
    /// A push got through, some of them after the order's end here.
    Told,
    /// No push of a payment ever got through.
    NeverTold,
    Refunded,
    /// A refund call left whose outcome nobody heard.
    RefundUnknown,
    /// A push was refused at the door.
    Forged,
}

impl Befell {
    const ALL: [Self; 10] = [
        Self::Created,
        Self::Asked,
        Self::Closed,
        Self::Paid,
        Self::PaidTwice,
        Self::Told,
        Self::NeverTold,
        Self::Refunded,
        Self::RefundUnknown,
        Self::Forged,
    ];

    /// Whether orders of a kind can meet it.
    fn befalls(self, provider: &str) -> bool {
        let Some(kind) = kinds::capabilities(provider) else { return false };
        match self {
            Self::Created | Self::Paid | Self::Told | Self::NeverTold => true,
            Self::Asked => kind.query != QueryKind::None,
            Self::Closed => kind.close != CloseKind::None,
            Self::PaidTwice => kinds::can_be_paid_twice(provider),
            Self::Refunded | Self::RefundUnknown => kind.refund != RefundKind::None,
            Self::Forged => kinds::is_xorpay(provider),
        }
    }
}

/// What befell orders of each kind of provider, over all seeds.
pub(crate) type AtKinds = BTreeMap<(&'static str, Befell), u64>;

thread_local! {
    static AT_KINDS: RefCell<AtKinds> = const { RefCell::new(BTreeMap::new()) };
}

/// Counts what befell an order.
pub(crate) fn befell(provider: &str, what: Befell) {
    if let Some(kind) = KINDS.into_iter().find(|kind| *kind == provider) {
        AT_KINDS.with_borrow_mut(|all| *all.entry((kind, what)).or_default() += 1);
    }
}

/// Prints what befell orders at each kind of provider, and adds to the list what never did and could.
fn print_kinds(missed: &mut Vec<String>) {
    let all = AT_KINDS.take();
    println!(
        "{:<12}{}",
        "at providers",
        Befell::ALL.map(|what| format!("{:>15}", format!("{what:?}"))).concat()
    );
    for kind in KINDS {
        let counts = Befell::ALL.map(|what| {
            let count = all.get(&(kind, what)).copied().unwrap_or(0);
            if count == 0 && what.befalls(kind) {
                missed.push(format!("{what:?} never befell an order at {kind}"));
            }
            format!("{count:>15}")
        });
        println!("{kind:<12}{}", counts.concat());
    }
}

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
    print_kinds(&mut missed);
    if seeds < MEANINGFUL {
        println!("(too few seeds for a verdict on coverage)");
        return 0;
    }
    for what in &missed {
        println!("never hit: {what}");
    }
    missed.len()
}
