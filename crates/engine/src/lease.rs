//! The lease of a partition: who holds it may conclude, call and tell; renewed only by an acknowledged commit.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use paymux_domain::time::Timestamp;
use tokio::sync::Notify;

/// The lease of one generation of one partition.
#[derive(Debug)]
pub struct Lease {
    until_ms: AtomicI64,
    lasts: Duration,
    renewed: Notify,
}

impl Lease {
    /// A lease that is not held yet; `lasts` is in schedule time.
    #[must_use]
    pub fn new(lasts: Duration) -> Self {
        Self { until_ms: AtomicI64::new(i64::MIN), lasts, renewed: Notify::new() }
    }

    /// A commit that was sent at `sent` was acknowledged for this generation.
    pub fn renew(&self, sent: Timestamp) {
        self.until_ms.fetch_max((sent + self.lasts).as_millis(), Ordering::AcqRel);
        self.renewed.notify_waiters();
    }

    /// Whether it is held.
    #[must_use]
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.until(now).is_some()
    }

    /// Until when it is held; `None`: it is not.
    #[must_use]
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        Some(self.end()).filter(|until| now < *until)
    }

    /// The end of the lease, unless it is renewed.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        Timestamp::from_millis(self.until_ms.load(Ordering::Acquire))
    }

    /// Completes at the next renewal.
    pub async fn renewal(&self, held: impl Fn(&Self) -> bool) {
        loop {
            let renewed = self.renewed.notified();
            if held(self) {
                return;
            }
            renewed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn it_counts_from_the_sending_of_the_commit_and_never_falls_back() {
        let lease = Lease::new(Duration::from_millis(100));
        assert!(!lease.is_held(at(0)));
        lease.renew(at(50));
        assert!(lease.is_held(at(149)) && !lease.is_held(at(150)));
        assert_eq!((lease.until(at(149)), lease.until(at(150))), (Some(at(150)), None));
        lease.renew(at(10));
        assert!(lease.is_held(at(149)));
    }
}
