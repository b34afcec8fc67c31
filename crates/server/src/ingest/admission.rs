//! Admission: what is let through to the log, so that nothing grows without a bound.
//!
//! Three gates, each answered RESOURCE_EXHAUSTED with a time to come back: the merchant's own rate, the lag that the
//! owners of the partitions leave, and the number of records on their way into the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use paymux_domain::name::MerchantId;
use paymux_domain::ports::{Clock, CommandLog};
use paymux_domain::shard::Partition;

use super::Refusal;
use crate::config::IngestConfig;
use crate::rate::Bucket;

/// How often the lag is read anew, in real time.
const LAG_PERIOD: Duration = Duration::from_millis(250);

/// The gates before the log.
pub(super) struct Admission {
    clock: Arc<dyn Clock>,
    config: IngestConfig,
    appends: Arc<Semaphore>,
    arrivals: Mutex<BTreeMap<MerchantId, Bucket>>,
    lags: Lags,
}

/// The lag of each partition as last read.
#[derive(Clone, Debug)]
pub(super) struct Lags(Arc<[AtomicU64]>);

impl Lags {
    pub(super) fn new(partitions: u16) -> Self {
        Self((0..partitions).map(|_| AtomicU64::new(0)).collect())
    }

    /// Of each partition, by number.
    pub(super) fn each(&self) -> impl Iterator<Item = (Partition, u64)> {
        (0..).map(Partition).zip(self.0.iter().map(|lag| lag.load(Ordering::Relaxed)))
    }

    fn of(&self, partition: Partition) -> u64 {
        self.0.get(usize::from(partition.0)).map_or(0, |lag| lag.load(Ordering::Relaxed))
    }

    /// A record was appended here. Until the lag is read anew it counts as unread: neither a burst between two looks
    /// nor a log whose lag cannot be read lets the lag grow unseen.
    pub(super) fn grew(&self, partition: Partition) {
        if let Some(lag) = self.0.get(usize::from(partition.0)) {
            lag.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Keeps reading until the stop; a log that cannot be read leaves the last figure standing.
    pub(super) async fn follow(self, log: Arc<dyn CommandLog>, stop: CancellationToken) {
        loop {
            for (number, slot) in (0..).zip(self.0.iter()) {
                if let Ok(lag) = log.lag(Partition(number)).await {
                    slot.store(lag, Ordering::Relaxed);
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LAG_PERIOD) => {}
            }
        }
    }
}

impl Admission {
    pub(super) fn new(clock: Arc<dyn Clock>, config: IngestConfig, lags: Lags) -> Self {
        let appends = Arc::new(Semaphore::new(config.appends_in_flight_max));
        Self { clock, config, appends, arrivals: Mutex::new(BTreeMap::new()), lags }
    }

    /// Lets one record of a merchant through; the permit is held until the record is durable.
    pub(super) fn admit(
        &self,
        merchant_id: &MerchantId,
        per_s_max: u32,
        partition: Partition,
    ) -> Result<OwnedSemaphorePermit, Refusal> {
        if self.lags.of(partition) > self.config.lag_records_max {
            return Err(Refusal::Overloaded(self.config.retry_after));
        }
        let overloaded = |_| Refusal::Overloaded(self.config.retry_after);
        let permit = Arc::clone(&self.appends).try_acquire_owned().map_err(overloaded)?;
        self.take_token(merchant_id, per_s_max)?;
        Ok(permit)
    }

    /// After a pause a merchant may use what a second brings at once.
    fn take_token(&self, merchant_id: &MerchantId, per_s_max: u32) -> Result<(), Refusal> {
        let (now, factor) = (self.clock.now(), self.clock.factor());
        let mut arrivals = self.arrivals.lock();
        let bucket = match arrivals.get_mut(merchant_id) {
            Some(bucket) => bucket,
            None => arrivals.entry(merchant_id.clone()).or_default(),
        };
        bucket.take(now, factor, per_s_max, per_s_max).map_err(Refusal::MerchantLimited)
    }
}

#[cfg(test)]
mod tests {
    use paymux_domain::ports::BoxFuture;
    use paymux_domain::time::{ClockFactor, Timestamp};
    use std::sync::atomic::AtomicI64;

    use super::*;

    struct StillClock(AtomicI64, u32);

    impl Clock for StillClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::Relaxed))
        }

        fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }

        fn factor(&self) -> ClockFactor {
            ClockFactor::new(self.1).unwrap()
        }
    }

    fn admission(factor: u32, appends: usize) -> (Arc<StillClock>, Admission, Lags) {
        let clock = Arc::new(StillClock(AtomicI64::new(1_000_000), factor));
        let lags = Lags::new(2);
        let config = IngestConfig {
            appends_in_flight_max: appends,
            lag_records_max: 10,
            retry_after: Duration::from_millis(500),
        };
        (clock.clone(), Admission::new(clock, config, lags.clone()), lags)
    }

    fn merchant(name: &str) -> MerchantId {
        name.parse().unwrap()
    }

    #[test]
    fn a_merchant_gets_its_rate_in_real_time_and_another_one_is_not_touched() {
        for factor in [1, 100] {
            let (clock, admission, _) = admission(factor, 1000);
            let take = |name| admission.admit(&merchant(name), 10, Partition(0)).map(drop);
            assert_eq!((0..12).filter(|_| take("m1").is_ok()).count(), 10, "factor {factor}");
            assert!(
                matches!(take("m1"), Err(Refusal::MerchantLimited(wait)) if wait == Duration::from_millis(100))
            );
            assert_eq!(take("m2"), Ok(()));
            clock.0.fetch_add(200 * i64::from(factor), Ordering::Relaxed);
            assert_eq!((0..5).filter(|_| take("m1").is_ok()).count(), 2, "factor {factor}");
        }
    }

    #[test]
    fn records_on_their_way_are_bounded() {
        let (_, admission, _) = admission(1, 2);
        let permits: Vec<_> =
            (0..2).map(|_| admission.admit(&merchant("m1"), 100, Partition(0)).unwrap()).collect();
        let refused = admission.admit(&merchant("m1"), 100, Partition(0)).map(drop);
        assert_eq!(refused, Err(Refusal::Overloaded(Duration::from_millis(500))));
        drop(permits);
        assert!(admission.admit(&merchant("m1"), 100, Partition(0)).is_ok());
    }

    #[test]
    fn a_partition_that_is_behind_refuses_and_the_others_go_on() {
        let (_, admission, lags) = admission(1, 10);
        lags.0.first().unwrap().store(11, Ordering::Relaxed);
        assert!(matches!(admission.admit(&merchant("m1"), 100, Partition(0)), Err(Refusal::Overloaded(_))));
        assert!(admission.admit(&merchant("m1"), 100, Partition(1)).is_ok());
    }

    #[test]
    fn what_was_appended_since_the_last_look_counts_as_unread() {
        let (_, admission, lags) = admission(1, 1000);
        let admit = || admission.admit(&merchant("m1"), 100, Partition(0)).map(drop);
        for _ in 0..11 {
            assert_eq!(admit(), Ok(()));
            lags.grew(Partition(0));
        }
        assert!(matches!(admit(), Err(Refusal::Overloaded(_))), "eleven, and at most ten may lie unread");
        lags.0.first().unwrap().store(0, Ordering::Relaxed);
        assert_eq!(admit(), Ok(()), "the log says that its owner has caught up");
    }
}
