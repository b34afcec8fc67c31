//! Rounds of an operation in turn with its bare twin: whatever else the machine does meets both alike.

use std::time::{Duration, Instant};

use crate::{Line, Pair};

/// Rounds of each ratio.
const ROUNDS: usize = 21;

/// How long one side of a round takes about: short against what else the machine does, long against reading the clock.
const SLICE: Duration = Duration::from_millis(5);

/// An operation's figure.
pub fn measured(pair: &mut Pair) -> Line {
    let Pair { name, subject, bare_name, bare, direction, goal, .. } = pair;
    let runs = (runs(subject), runs(bare));
    let round = || (of_each(subject, runs.0), of_each(bare, runs.1));
    let rounds: Vec<(f64, f64)> = std::iter::repeat_with(round).take(ROUNDS).collect();
    Line::of_rounds(name, *direction, &rounds, bare_name).goal(*goal)
}

/// How many runs fill a slice. They warm up, too.
fn runs(operation: &mut dyn FnMut()) -> u32 {
    let mut runs = 1;
    loop {
        let took = timed(operation, runs);
        if took >= SLICE / 2 || runs >= u32::MAX / 2 {
            return bounded(SLICE.as_secs_f64() / took.as_secs_f64() * f64::from(runs));
        }
        runs *= 2;
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn bounded(runs: f64) -> u32 {
    runs.clamp(1.0, f64::from(u32::MAX)) as u32
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn timed(operation: &mut dyn FnMut(), runs: u32) -> Duration {
    let began = Instant::now();
    (0..runs).for_each(|_| operation());
    began.elapsed()
}

/// Nanoseconds of each of so many runs.
fn of_each(operation: &mut dyn FnMut(), runs: u32) -> f64 {
    timed(operation, runs).as_secs_f64() * 1e9 / f64::from(runs)
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    fn work(times: u64) -> u64 {
        (0..times).fold(1, |number: u64, next| black_box(number.wrapping_mul(3) ^ next))
    }

    #[test]
    fn twice_the_work_takes_longer_and_both_sides_are_told() {
        let mut pair = Pair::new("twice", || work(20_000), "once", || work(10_000));
        let told = measured(&mut pair).told().expect("rounds");
        let (_, ratio) = told.split_once("ratio ").expect("a ratio");
        let ratio: f64 = ratio.split(' ').next().and_then(|ratio| ratio.parse().ok()).expect("a number");
        assert!(told.starts_with("twice ") && ratio > 1.2, "{told}");
    }
}
