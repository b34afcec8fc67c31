//! What this process has used of the processors.

use std::time::Duration;

use anyhow::{Context as _, Result};

/// The kernel tells times in hundredths of a second, on every machine that Linux runs on.
const TICK: Duration = Duration::from_millis(10);

/// Processor time of all threads, in user and kernel, since the start of the process; in steps of 10 ms.
///
/// # Errors
/// There is no `/proc`.
pub fn cpu_time() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("processor time is told by Linux alone")?;
    // The name, in brackets, may hold anything.
    let (_, fields) = stat.rsplit_once(')').context("no name in brackets")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || anyhow::Ok(fields.next().context("a field is missing")?.parse::<u32>()?);
    Ok(TICK * (ticks()? + ticks()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time() {
        let before = cpu_time().expect("Linux");
        let mut number = 1_u64;
        while cpu_time().expect("Linux") < before + TICK {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
    }
}
