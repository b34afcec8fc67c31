//! Refused notifications, told in sums: anybody may send them, so none of them is worth a line of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use paymux_domain::ports::RefusalReason;
use tokio::time::Instant;

/// Real time between two lines.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The refusals since the last line.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Sums>);

#[derive(Debug, Default)]
struct Sums {
    told: Option<Instant>,
    counts: BTreeMap<RefusalReason, u64>,
}

impl Refusals {
    /// Counts a refusal; the first one after a pause gives the sums of all since the last line.
    pub(super) fn add(&self, reason: RefusalReason) -> Option<String> {
        let mut sums = self.0.lock();
        *sums.counts.entry(reason).or_default() += 1;
        if sums.told.is_some_and(|told| told.elapsed() < TELL_EVERY) {
            return None;
        }
        sums.told = Some(Instant::now());
        let counts = std::mem::take(&mut sums.counts);
        let words = counts.into_iter().map(|(reason, count)| format!("{} {count}", reason.as_str()));
        Some(words.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_refusals_are_one_line() {
        let refusals = Refusals::default();
        assert_eq!(refusals.add(RefusalReason::Malformed).as_deref(), Some("malformed 1"));
        for _ in 0..500 {
            assert_eq!(refusals.add(RefusalReason::BadSignature), None);
        }
        tokio::time::advance(TELL_EVERY).await;
        let told = refusals.add(RefusalReason::Malformed);
        assert_eq!(told.as_deref(), Some("malformed 1, bad_signature 500"));
        assert_eq!(refusals.add(RefusalReason::Malformed), None);
    }
}
