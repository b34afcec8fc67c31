//! Rules taken out in turn: each must be missed, by the end that its story has, within a number of seeds.

use std::process::ExitCode;
use std::time::Instant;

use paymux_domain::plant::Plant;

use crate::hook::Points;
use crate::plan::Theme;
use crate::world::Trial;
use crate::{Args, world};

/// Seeds of its themes within which a rule that was taken out must be missed.
pub(crate) const SEEDS: u64 = 1000;

/// Rules whose stories are those of a former owner that has lost its lease.
const BY_LEASE: [Plant; 3] =
    [Plant::LeaseBeforeConclusions, Plant::LeaseBeforeFulfilment, Plant::LeaseBeforeEvents];

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
    Trial { out: Some(plant), lands_whenever: BY_LEASE.contains(&plant) }
}

/// The seeds from one on in which the story of a rule may come up.
fn seeds(plant: Plant, from: u64) -> impl Iterator<Item = u64> {
    let dwells_on_owners = |seed: &u64| matches!(Theme::of(*seed), Theme::Handover | Theme::Zombies);
    (from..).filter(move |seed| !BY_LEASE.contains(&plant) || dwells_on_owners(seed))
}

/// What the auditor says of a seed that comes to an end of that kind.
fn end_of(seed: u64, trial: Trial, ends: &[&str]) -> Option<String> {
    let outcome = world::run(seed, trial, &Points::default());
    let mut texts = outcome.violations.iter().map(ToString::to_string);
    texts.find(|text| ends.iter().any(|end| text.contains(end)))
}

/// Whether a rule that is taken out is missed by its story's end. Where writes land whenever, that alone may come to such an
/// end, but not in the same seed; what goes with the rule must not come to it in any seed up to there.
fn is_missed(plant: Plant, from: u64, count: u64) -> bool {
    let (began, trial, ends) = (Instant::now(), trial(plant), ends(plant));
    let is_blameless =
        |seed| !trial.lands_whenever || end_of(seed, Trial { out: None, ..trial }, ends).is_none();
    let tried = seeds(plant, from).zip(0..count).map(|(seed, _)| seed);
    let mut noticed = tried.filter_map(|seed| Some((seed, end_of(seed, trial, ends)?)));
    let found = noticed.find(|(seed, _)| is_blameless(*seed));
    let seconds = began.elapsed().as_secs_f64();
    let Some((seed, what)) = found else {
        println!("{plant:?}: NOT noticed within {count} seeds ({seconds:.1} s)");
        return false;
    };
    println!("{plant:?}: noticed at seed {seed} after {seconds:.1} s: {what}");
    let Some(companion) = plant.companion() else { return true };
    let alone = Trial { out: Some(companion), ..trial };
    let mut before = seeds(plant, from).take_while(|other| *other <= seed);
    match before.find_map(|seed| Some((seed, end_of(seed, alone, ends)?))) {
        None => {
            println!("  {companion:?} alone leads to nothing of the kind in these seeds");
            true
        }
        Some((seed, what)) => {
            println!("  {companion:?} ALONE leads to it at seed {seed}: {what}");
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
