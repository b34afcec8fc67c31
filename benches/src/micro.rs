//! Small operations in turn with their bare twins: plain timing by criterion, then medians and ratios.

use std::time::Duration;

use anyhow::Result;
use criterion::Criterion;
use paymux_micro::{Pair, is_for_report, measured};

pub mod storage;

/// How criterion samples: long enough for three digits, short enough for a hundred operations.
const SAMPLES: usize = 20;
const WARM_UP: Duration = Duration::from_millis(100);
const SAMPLING: Duration = Duration::from_millis(400);

/// Times each operation by criterion, then all of them in turn with their twins; prints a line for each. Where lines for
/// a report are wanted it appends them, and criterion is left out.
///
/// # Errors
/// The file of the lines cannot be written.
#[expect(clippy::print_stdout, reason = "a bench prints its result")]
pub fn run(group: &str, mut pairs: Vec<Pair>) -> Result<()> {
    if !is_for_report() {
        sample(group, &mut pairs);
    }
    println!("\nmedians of rounds in turn");
    for mut pair in pairs {
        measured(&mut pair).tell()?;
    }
    Ok(())
}

fn sample(group: &str, pairs: &mut [Pair]) {
    let mut criterion = Criterion::default()
        .sample_size(SAMPLES)
        .warm_up_time(WARM_UP)
        .measurement_time(SAMPLING)
        .without_plots()
        .configure_from_args();
    let mut timed = criterion.benchmark_group(group);
    for pair in pairs {
        timed.bench_function(&pair.name, |bench| bench.iter(|| (pair.subject)()));
    }
    timed.finish();
    criterion.final_summary();
}
