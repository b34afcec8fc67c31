//! Virtual time: tokio's paused clock, with an offset per process.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use paymux_domain::ports::{BoxFuture, Clock};
use paymux_domain::time::{ClockFactor, Timestamp};
use tokio::time::Instant;

/// Midnight at which every simulated day begins: 2026-01-01 in UTC.
const DAY_START_MS: i64 = 1_767_225_600_000;
/// Longest single sleep; a longer one is cut in pieces.
const SLEEP_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// A process's clock. All clocks of a world count from the same instant.
#[derive(Clone)]
pub(crate) struct SimClock {
    start: Instant,
    offset_ms: Arc<AtomicI64>,
}

impl SimClock {
    /// The true clock of a world, at its beginning.
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), offset_ms: Arc::default() }
    }

    /// A clock that goes wrong by that much.
    pub(crate) fn with_offset(&self, offset_ms: i64) -> Self {
        Self { start: self.start, offset_ms: Arc::new(AtomicI64::new(offset_ms)) }
    }

    /// The clock jumps.
    pub(crate) fn jump(&self, by_ms: i64) {
        self.offset_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// Milliseconds since the world began.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).expect("a simulated day fits")
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn read(start: Instant, offset_ms: &AtomicI64) -> Timestamp {
        let elapsed = i64::try_from(start.elapsed().as_millis()).expect("a simulated day fits");
        Timestamp::from_millis(DAY_START_MS + elapsed + offset_ms.load(Ordering::Relaxed))
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Self::read(self.start, &self.offset_ms)
    }

    fn sleep_until(&self, until: Timestamp) -> BoxFuture<'static, ()> {
        let (start, offset) = (self.start, self.offset_ms.clone());
        Box::pin(async move {
            loop {
                let now = Self::read(start, &offset);
                if now >= until {
                    return;
                }
                tokio::time::sleep(until.since(now).min(SLEEP_MAX)).await;
            }
        })
    }

    fn factor(&self) -> ClockFactor {
        ClockFactor::REAL
    }
}
