//! What the kernel says of this process: processor time and memory.

use std::time::Duration;

/// Where Linux tells of the process that asks.
const STAT: &str = "/proc/self/stat";
const STATUS: &str = "/proc/self/status";

/// The kernel tells processor time in these, a hundred to the second on every Linux that programs see.
const TICK: Duration = Duration::from_millis(10);

/// Processor time of all threads; `None` where the kernel does not tell.
pub(super) fn cpu() -> Option<Duration> {
    ticks(&std::fs::read_to_string(STAT).ok()?)
}

/// Resident memory in bytes; `None` where the kernel does not tell.
pub(super) fn memory() -> Option<u64> {
    resident(&std::fs::read_to_string(STATUS).ok()?)
}

fn ticks(stat: &str) -> Option<Duration> {
    // The name, in brackets, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let used = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    let used = used.collect::<Result<Vec<_>, _>>().ok().filter(|used| used.len() == 2)?;
    Some(used.into_iter().map(|ticks| TICK * ticks).sum())
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_memory_are_read_whatever_the_name_of_the_process() {
        let stat = "7 (a) b 1) S 1 7 7 0 -1 4194560 900 0 0 0 150 25 0 0 20 0 9 0 1 1 1";
        assert_eq!(ticks(stat), Some(Duration::from_millis(1750)));
        assert_eq!(resident("Name:\tx\nVmRSS:\t   2048 kB\nThreads:\t9\n"), Some(2 * 1024 * 1024));
        for broken in ["", "7 (a) S 1", "7 (a) S 1 7 7 0 -1 4194560 900 0 0 0 x 25"] {
            assert_eq!((ticks(broken), resident(broken)), (None, None), "{broken}");
        }
    }
}
