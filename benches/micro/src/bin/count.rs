//! Runs each operation of the hot path a few times, for an instruction counter around it.
//!
//! The counter collects within `counted_runs` alone and tells what it collected when that is left
//! (`cargo xtask bench --quick`); each of its calls is named by one line of the output, in their order.
#![expect(clippy::print_stdout, reason = "it tells the counter's reader what was run")]

use anyhow::Result;

/// As in the binary: what is allocated costs there what it costs here.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs before those that are counted: they make room, parse what is parsed once, and fill caches.
const WARM: usize = 32;

/// Runs that are counted together: so many that it hardly counts when the allocator takes a page in one of them.
const RUNS: usize = 128;

fn main() -> Result<()> {
    let pairs = paymux_micro::hot()?;
    println!("runs {RUNS}");
    for mut pair in pairs {
        count(&mut pair.subject);
        println!("counted {}", pair.name);
        if let Some(mut part) = pair.uncounted {
            count(&mut part);
            println!("left out {}", pair.name);
        }
    }
    Ok(())
}

fn count(operation: &mut dyn FnMut()) {
    (0..WARM).for_each(|_| operation());
    counted_runs(operation);
}

#[inline(never)]
fn counted_runs(operation: &mut dyn FnMut()) {
    (0..RUNS).for_each(|_| operation());
    // Keeps this function's end apart from what follows.
    std::hint::black_box(());
}
