//! Rules taken out in turn: each must be missed, by the end that its story has, within a number of seeds.

use std::process::ExitCode;
use std::time::Instant;

use paymux_domain::plant::Plant;

use crate::hook::Points;
use crate::world::Trial;
use crate::{Args, world};

/// Seeds within which a rule that was taken out must be missed.
pub(crate) const SEEDS: u64 = 1000;

/// The rule of that name, companions too.
pub(crate) fn named(name: &str) -> Option<Plant> {
    let companions = Plant::ALL.into_iter().filter_map(Plant::companion);
    Plant::ALL.into_iter().chain(companions).find(|plant| format!("{plant:?}") == name)
}

/// How the stories of a rule end: what the auditor says when it is out.
fn ends(plant: Plant) -> &'static [&'static str] {
    const UNKNOWN: &str = "the store does not know it";
    const UNTOLD: &str = "nobody was told of";
    const STUCK: &str = "stuck in";
    const NEVER_SENT: &str = "NEVER_SENT, but the provider has";
    const BOTH: &str = "both words for the same money";
    const FAILED: &str = "FAILED was told, but it is not so";
    const NOT_CLOSED: &str = "it was never closed there";
    match plant {
        Plant::SendMargin
        | Plant::CloseAtTheProvider
        | Plant::NotExistOnlyAfterSettling
        | Plant::UnopenedIsNotAbsent => &[NOT_CLOSED],
        Plant::FactsBeforeCall => &[NEVER_SENT],
        // A former owner's conclusion beside that of the new one: on the order's end, on its goods, on its failure.
        Plant::LeaseBeforeConclusions => &[NEVER_SENT, BOTH, FAILED],
        Plant::LeaseBeforeFulfilment => &[BOTH],
        Plant::LeaseBeforeEvents => &[FAILED],
        Plant::RowBeforeCompletion | Plant::SettledAfterEvents => &[UNTOLD],
        // Another price froze the order, or another order is said to be paid.
        Plant::CanonicalForm => &["frozen by PAYMENT_MISMATCH without", "was never made"],
        Plant::AskOnceAfterLocalExpiry | Plant::EveryPaymentIsRecorded | Plant::LatePushOfUnqueryable => {
            &["money taken"]
        }
        Plant::RowsOfEndedOrdersDoWhatIsOwed => &["nobody was told what to do with the goods"],
        Plant::ReplayWritesItsRow
        | Plant::FloorBeforeReading
        | Plant::OverlapAtTakeover
        | Plant::SweptThroughResolvedRows
        | Plant::DropOnlyEarlierRows => &[STUCK],
        Plant::AckAfterDurable | Plant::CommitLowestInWindow | Plant::RecordLeavesAfterFacts => &[UNKNOWN],
        Plant::UnknownIsNotFailed => &["FAILED, but the provider has"],
        Plant::RecordLeavesAfterEvents => &[UNTOLD, "lost its number was never told"],
        Plant::FinalEndsACallOnly => &["but the money went back"],
        Plant::LedgerByNumber => &["was refused though it fits"],
        Plant::CallingMark | Plant::MarkOfThisCall | Plant::UnknownRefundIsNotRepeated => &["left 2 times"],
        Plant::UnknownRefundKeepsReservation => &["beyond payment"],
        Plant::AnyLease | Plant::RowBeforeCall | Plant::LeaseBeforeSweeping => &[],
    }
}

/// What goes with a rule that is taken out. A false word of a former owner that lost its lease is rare while its writes
/// land within the margins, so there they do not.
fn trial(plant: Plant) -> Trial {
    let by_lease = [Plant::LeaseBeforeConclusions, Plant::LeaseBeforeFulfilment, Plant::LeaseBeforeEvents]
        .contains(&plant);
    Trial { out: Some(plant), lands_whenever: by_lease }
}

/// What must not lead to the same end by itself.
fn control(plant: Plant) -> Option<(String, Trial)> {
    let trial = trial(plant);
    let by_companion =
        plant.companion().map(|rule| (format!("{rule:?}"), Trial { out: Some(rule), ..trial }));
    let by_margins = trial.lands_whenever.then(|| ("late landing".to_owned(), Trial { out: None, ..trial }));
    by_companion.or(by_margins)
}

/// The first seed that comes to an end of that kind, and what the auditor says of it.
fn first(seeds: impl IntoIterator<Item = u64>, trial: Trial, ends: &[&str]) -> Option<(u64, String)> {
    seeds.into_iter().find_map(|seed| {
        let outcome = world::run(seed, trial, &Points::default());
        let texts = outcome.violations.iter().map(ToString::to_string);
        let mut of_kind = texts.filter(|text| ends.iter().any(|end| text.contains(end)));
        of_kind.next().map(|what| (seed, what))
    })
}

/// Whether a rule that is taken out is missed by its story's end, and its control does not come to it.
fn is_missed(plant: Plant, from: u64, count: u64) -> bool {
    let began = Instant::now();
    let found = first(from..from + count, trial(plant), ends(plant));
    let seconds = began.elapsed().as_secs_f64();
    let Some((seed, what)) = found else {
        println!("{plant:?}: NOT noticed within {count} seeds ({seconds:.1} s)");
        return false;
    };
    println!("{plant:?}: noticed at seed {seed} after {seconds:.1} s: {what}");
    let Some((name, alone)) = control(plant) else { return true };
    match first(from..=seed, alone, ends(plant)) {
        None => {
            println!("  {name} alone leads to nothing of the kind in these seeds");
            true
        }
        Some((seed, what)) => {
            println!("  {name} ALONE leads to it at seed {seed}: {what}");
            false
        }
    }
}

/// Rules whose stories come late: the everyday run leaves them out and says so.
const RARE: &[Plant] = &[
    Plant::SendMargin,
    Plant::LeaseBeforeFulfilment,
    Plant::LeaseBeforeEvents,
    Plant::RecordLeavesAfterEvents,
    Plant::FloorBeforeReading,
    Plant::DropOnlyEarlierRows,
];

/// Takes each rule out in turn and expects its story within the allowed seeds.
pub(crate) fn run(args: &Args) -> ExitCode {
    let mut chosen: Vec<Plant> = args.plant.map_or_else(|| Plant::ALL.to_vec(), |plant| vec![plant]);
    let all = chosen.len();
    if args.quick {
        chosen.retain(|plant| !RARE.contains(plant));
        for plant in RARE {
            println!(
                "{plant:?}: SKIPPED, its story takes more seeds than this run has; `--plants` alone tries it"
            );
        }
    }
    let skipped = all - chosen.len();
    let missed = chosen.iter().filter(|plant| is_missed(**plant, args.first, args.count.min(SEEDS))).count();
    let failed = chosen.len() - missed;
    println!(
        "verified: {} rules taken out in turn, {missed} of them missed by the end of their story",
        chosen.len()
    );
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {result}. {missed} passed; {failed} failed; {skipped} ignored");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
