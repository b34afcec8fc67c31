//! The engine's own settings; every duration here is physical and is stretched by the clock factor where needed.

use std::time::Duration;

use paymux_domain::decide::Timing;
use paymux_domain::time::ClockFactor;

/// Settings of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// Records of one partition in work at most; beyond it the partition is paused.
    pub window_max: usize,
    /// Pause between commits of a partition's position; each acknowledged one renews the lease.
    pub commit_interval: Duration,
    /// How long a lease lasts from the sending of the commit that renewed it; below a third of the session time-out.
    pub lease: Duration,
    /// How long a worker that stops waits for what is in work.
    pub drain_timeout: Duration,
    /// Pause after a request that the store or log could not take.
    pub infrastructure_pause: Duration,
    /// Due rows read at once.
    pub due_page_max: usize,
    /// Due rows in work at once, per partition.
    pub sweep_concurrency_max: usize,
    /// Timers held in memory per partition; further ones rest on their rows alone.
    pub wheel_max: usize,
    /// A call whose budget comes within this time leaves now and waits in line; a later one is stored first.
    pub near_budget: Duration,
    /// How far before the last sweep's position a new owner starts: longer than a former owner may linger.
    pub takeover_overlap: Duration,
    /// Schedules and margins.
    pub timing: Timing,
}

impl EngineConfig {
    /// The defaults at a clock factor.
    #[must_use]
    pub fn new(factor: ClockFactor) -> Self {
        Self {
            window_max: 4096,
            commit_interval: Duration::from_millis(500),
            lease: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(20),
            infrastructure_pause: Duration::from_millis(200),
            due_page_max: 512,
            sweep_concurrency_max: 256,
            wheel_max: 200_000,
            near_budget: Duration::from_secs(1),
            takeover_overlap: Duration::from_secs(60),
            timing: Timing::new(factor),
        }
    }
}
