//! Rules taken out in turn: each must be missed, by the end that its story has, within a number of seeds.

use std::process::ExitCode;
use std::time::Instant;

use paymux_domain::plant::Plant;

use crate::hook::Points;
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
        Plant::SendMargin | Plant::CloseAtTheProvider | Plant::NotExistOnlyAfterSettling => &[NOT_CLOSED],
        Plant::FactsBeforeCall => &[NEVER_SENT],
        // A former owner's conclusion beside that of the new one: on the order's end, on its goods, on its failure.
        Plant::LeaseBeforeConclusions => &[NEVER_SENT, BOTH, FAILED],
        Plant::LeaseBeforeFulfilment => &[BOTH],
        Plant::LeaseBeforeEvents => &[FAILED],
        Plant::RowBeforeCompletion | Plant::SettledAfterEvents => &[UNTOLD],
        Plant::AskOnceAfterLocalExpiry | Plant::EveryPaymentIsRecorded => &["money taken"],
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
        Plant::CallingMark | Plant::MarkOfThisCall => &["left 2 times"],
        Plant::UnknownRefundKeepsReservation => &["beyond payment"],
        Plant::AnyLease | Plant::RowBeforeCall | Plant::LeaseBeforeSweeping => &[],
    }
}

/// The first end of that kind which a seed comes to with a rule out.
fn comes_to(seed: u64, plant: Plant, ends: &[&str]) -> Option<String> {
    let outcome = world::run(seed, Some(plant), &Points::default());
    let texts = outcome.violations.iter().map(ToString::to_string);
    let mut of_kind = texts.filter(|text| ends.iter().any(|end| text.contains(end)));
    of_kind.next()
}

/// Takes each rule out in turn and expects its story within the allowed seeds; a companion alone must not tell it.
pub(crate) fn run(args: &Args) -> ExitCode {
    let mut failed = 0;
    let chosen: Vec<Plant> = args.plant.map_or_else(|| Plant::ALL.to_vec(), |plant| vec![plant]);
    for plant in &chosen {
        let began = Instant::now();
        let seeds = args.first..args.first + args.count.min(SEEDS);
        let found =
            seeds.clone().find_map(|seed| comes_to(seed, *plant, ends(*plant)).map(|what| (seed, what)));
        let seconds = began.elapsed().as_secs_f64();
        let Some((seed, what)) = found else {
            failed += 1;
            println!("{plant:?}: NOT noticed within {} seeds ({seconds:.1} s)", seeds.end - seeds.start);
            continue;
        };
        println!("{plant:?}: noticed at seed {seed} after {seconds:.1} s: {what}");
        let Some(companion) = plant.companion() else { continue };
        let alone = (seeds.start..=seed)
            .find_map(|seed| comes_to(seed, companion, ends(*plant)).map(|what| (seed, what)));
        match alone {
            None => println!("  {companion:?} alone leads to nothing of the kind in these seeds"),
            Some((seed, what)) => {
                failed += 1;
                println!("  {companion:?} ALONE leads to it at seed {seed}: {what}");
            }
        }
    }
    let passed = chosen.len().saturating_sub(failed);
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {result}. {passed} passed; {failed} failed; 0 ignored");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
