//! The simulation: the engine on virtual time with a seed, under faults, watched by an auditor.
//!
//! `sim [SEED] [--count N] [--from SEED] [--plant RULE | --plants]`. Without arguments a few seeds run, one of them
//! twice. A failure prints its seed and the story of the order.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks on its standard output")]
#![expect(clippy::disallowed_methods, reason = "how many seeds a second are run is a matter of real time")]

mod auditor;
mod clock;
mod coverage;
mod doors;
mod fleet;
mod hook;
mod kinds;
mod payer;
mod people;
mod plan;
mod plants;
mod provider;
mod pushes;
mod refund_audit;
mod refunds;
mod truth;
mod workload;
mod world;

use std::process::ExitCode;
use std::time::Instant;

use paymux_domain::plant::Plant;

use crate::hook::Points;
use crate::world::Trial;

/// Seeds that run when none are asked for.
const DEFAULT_COUNT: u64 = 60;

pub(crate) struct Args {
    pub(crate) first: u64,
    pub(crate) count: u64,
    pub(crate) plant: Option<Plant>,
    all_plants: bool,
    /// Of the rules only those whose stories come early.
    pub(crate) quick: bool,
    trace: bool,
}

fn main() -> ExitCode {
    let args = match parse() {
        Ok(args) => args,
        Err(fault) => {
            eprintln!(
                "{fault}\nusage: sim [SEED] [--count N] [--from SEED] [--plant RULE | --plants] [--trace]"
            );
            return ExitCode::from(2);
        }
    };
    if args.all_plants { plants::run(&args) } else { seeds(&args) }
}

fn parse() -> Result<Args, String> {
    let mut args =
        Args { first: 1, count: DEFAULT_COUNT, plant: None, all_plants: false, quick: false, trace: false };
    let mut given = std::env::args().skip(1);
    while let Some(arg) = given.next() {
        let mut number = |name: &str| -> Result<u64, String> {
            let value = given.next().ok_or(format!("{name} needs a number"))?;
            value.parse().map_err(|_| format!("{name}: {value:?} is not a number"))
        };
        match arg.as_str() {
            "--count" => args.count = number("--count")?,
            "--from" => args.first = number("--from")?,
            "--plants" => {
                args.all_plants = true;
                args.count = plants::SEEDS;
            }
            "--quick" => args.quick = true,
            "--trace" => args.trace = true,
            "--plant" => {
                let name = given.next().ok_or("--plant needs a rule")?;
                let found = plants::named(&name);
                args.plant = Some(found.ok_or(format!("no rule {name:?}; there are {:?}", Plant::ALL))?);
            }
            seed if seed.parse::<u64>().is_ok() => {
                args.first = seed.parse().map_err(|_| "not a seed")?;
                args.count = 1;
                args.trace = true;
            }
            // What the test runner passes to every test program.
            "--nocapture" | "--quiet" | "--test-threads=1" => {}
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    Ok(args)
}

/// Runs seeds and expects no violation; or, with one rule taken out, shows the first.
fn seeds(args: &Args) -> ExitCode {
    let trial = Trial { out: args.plant, ..Trial::default() };
    let points = Points::default();
    let began = Instant::now();
    let mut orders = 0;
    for seed in args.first..args.first + args.count {
        let outcome = world::run(seed, trial, &points);
        orders += u64::from(outcome.orders);
        if !outcome.violations.is_empty() {
            report(seed, &outcome);
            println!("test result: FAILED. 0 passed; 1 failed; 0 ignored");
            return ExitCode::FAILURE;
        }
        if seed == args.first && !same_again(seed, trial, &outcome) {
            println!("seed {seed}: two runs of one seed differ");
            println!("test result: FAILED. 0 passed; 1 failed; 0 ignored");
            return ExitCode::FAILURE;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let (seeds, per_second) = (args.count, |n: u64| n as f64 / seconds);
    println!(
        "verified: {seeds} seeds, {orders} orders, no violation; {:.1} seeds/s, {:.0} simulated orders/s",
        per_second(seeds),
        per_second(orders)
    );
    let missed = coverage::print(&points, args.count);
    if missed > 0 {
        println!("test result: FAILED. 1 passed; {missed} failed; 0 ignored");
        return ExitCode::FAILURE;
    }
    println!("test result: ok. 2 passed; 0 failed; 0 ignored");
    ExitCode::SUCCESS
}

/// Runs a seed again; two runs must leave the same trace, or a failure could not be looked at twice.
fn same_again(seed: u64, trial: Trial, first: &world::Outcome) -> bool {
    let again = world::run(seed, trial, &Points::default());
    let differs = first.trace.iter().zip(&again.trace).position(|(one, two)| one != two);
    if let Some(at) = differs {
        println!("line {at} of the trace: {:?} and {:?}", first.trace[at], again.trace[at]);
    }
    differs.is_none() && first.trace.len() == again.trace.len()
}

fn report(seed: u64, outcome: &world::Outcome) {
    println!("seed {seed}: {} violations", outcome.violations.len());
    for violation in outcome.violations.iter().take(10) {
        println!("  {violation}");
    }
    for line in &outcome.story {
        println!("    {line}");
    }
    println!("again: cargo xtask sim {seed}");
}
