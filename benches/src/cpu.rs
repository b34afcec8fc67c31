//! What a process has used of processors and memory, as Linux tells it.

use std::time::Duration;

use anyhow::{Context as _, Result};

/// The kernel tells times in hundredths of a second, on every machine that Linux runs on.
const TICK: Duration = Duration::from_millis(10);

/// Processor time of all threads, in user and kernel, since the start of the process; in steps of 10 ms.
///
/// # Errors
/// There is no `/proc`.
pub fn cpu_time() -> Result<Duration> {
    cpu_time_of("self")
}

/// The same of another process.
pub(crate) fn cpu_time_of(process: &str) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    let stat = stat.context("processor time is told by Linux alone, of processes that run")?;
    // The name, in brackets, may hold anything.
    let (_, fields) = stat.rsplit_once(')').context("no name in brackets")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || anyhow::Ok(fields.next().context("a field is missing")?.parse::<u32>()?);
    Ok(TICK * (ticks()? + ticks()?))
}

/// Resident memory of a process, in MiB.
pub(crate) fn memory_mib(process: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"));
    let status = status.context("memory is told by Linux alone, of processes that run")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS is missing")?;
    let kib: u32 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(f64::from(kib) / 1024.0)
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
