//! A token bucket as one number: how far ahead of now what was let through reaches at its rate.

use std::time::Duration;

use paymux_domain::time::{ClockFactor, Timestamp};

const NANOS_PER_S: i128 = 1_000_000_000;

/// One bucket; it starts full.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    /// Schedule time in nanoseconds at which everything so far would have been due.
    due_nanos: i128,
}

impl Bucket {
    /// Takes a token: `per_s` come back in each second of real time, at most `burst` of them lie there.
    ///
    /// # Errors
    /// There is none; says after how much real time there will be one.
    pub(crate) fn take(
        &mut self,
        now: Timestamp,
        factor: ClockFactor,
        per_s: u32,
        burst: u32,
    ) -> Result<(), Duration> {
        let factor = i128::from(factor.get());
        let interval = NANOS_PER_S * factor / i128::from(per_s.max(1));
        let now = i128::from(now.as_millis()) * 1_000_000;
        let next = self.due_nanos.max(now) + interval;
        let ahead = next - now - interval * i128::from(burst.max(1));
        if ahead > 0 {
            return Err(Duration::from_nanos(u64::try_from(ahead / factor).unwrap_or(u64::MAX)));
        }
        self.due_nanos = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_at_once_and_then_the_rate_whatever_the_clock_factor() {
        for factor in [1, 100] {
            let mut bucket = Bucket::default();
            let scale = ClockFactor::new(factor).unwrap();
            let at = |real_ms: i64| Timestamp::from_millis(1_000_000 + real_ms * i64::from(factor));
            let mut taken = |real_ms| bucket.take(at(real_ms), scale, 10, 3);
            assert_eq!([taken(0), taken(0), taken(0)], [Ok(()); 3], "factor {factor}");
            assert_eq!(taken(0), Err(Duration::from_millis(100)), "factor {factor}");
            assert_eq!((taken(100), taken(100)), (Ok(()), Err(Duration::from_millis(100))));
            // However long the pause, no more than the burst has gathered.
            assert_eq!((0..9).filter(|_| taken(60_000).is_ok()).count(), 3);
        }
    }
}
