//! When to ask again: the follow-up schedule after launch and the back-off after fruitless calls.

use std::time::Duration;

use crate::decide::timing::Timing;
use crate::shard::stable_hash;
use crate::time::Timestamp;

/// The last follow-up point at or before `now`, and the first after it.
#[must_use]
pub fn follow_up_around(
    timing: &Timing,
    launched: Timestamp,
    now: Timestamp,
) -> (Option<Timestamp>, Timestamp) {
    let mut last = None;
    for offset in &timing.follow_up {
        let point = launched + *offset;
        if point > now {
            return (last, point);
        }
        last = Some(point);
    }
    let start = last.unwrap_or(launched);
    let every = timing.follow_up_every.max(Duration::from_secs(1));
    let passed = now.since(start).as_millis() / every.as_millis();
    let passed = u32::try_from(passed).unwrap_or(u32::MAX);
    let last = start + every.saturating_mul(passed);
    (Some(last), last + every)
}

/// The pause after `failures` fruitless calls in a row: doubling from `backoff_min` to `backoff_max`, of which
/// up to a quarter is taken off so that a crowd spreads out. `jitter` is the order's own constant, so that the same
/// question has the same answer whenever it is asked.
#[must_use]
pub fn backoff(timing: &Timing, failures: u32, jitter: u64) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let doubled = timing.backoff_min.saturating_mul(1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX));
    let pause = doubled.min(timing.backoff_max);
    let quarter = u64::try_from(pause.as_millis() / 4).unwrap_or(0);
    let spread = stable_hash(&(jitter ^ u64::from(failures)).to_be_bytes());
    pause - Duration::from_millis(spread % (quarter + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::ClockFactor;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1000)
    }

    #[test]
    fn follow_ups_come_at_the_documented_times() {
        let timing = Timing::new(ClockFactor::REAL);
        let check = |now: i64, last: Option<i64>, next: i64| {
            assert_eq!(follow_up_around(&timing, at(0), at(now)), (last.map(at), at(next)), "at {now} s");
        };
        check(0, None, 15);
        check(15, Some(15), 30);
        check(59, Some(30), 60);
        check(60, Some(60), 180);
        check(599, Some(180), 600);
        check(1799, Some(600), 1800);
        check(1800, Some(1800), 3600);
        check(9000, Some(9000), 10_800);
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_jitter_only_shortens() {
        let timing = Timing::new(ClockFactor::REAL);
        assert_eq!(backoff(&timing, 0, 7), Duration::ZERO);
        let mut seen = std::collections::BTreeSet::new();
        for jitter in 0..2000 {
            let within = |failures, millis: std::ops::RangeInclusive<u128>| {
                let pause = backoff(&timing, failures, jitter);
                assert!(millis.contains(&pause.as_millis()), "{failures}: {pause:?}");
            };
            within(1, 750..=1000);
            within(4, 6000..=8000);
            within(400, 450_000..=600_000);
            seen.insert(backoff(&timing, 4, jitter));
        }
        assert!(seen.len() > 1000, "jitter spreads");
    }
}
