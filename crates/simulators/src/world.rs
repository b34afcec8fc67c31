//! What every simulated provider shares: time, plans, counters, the notification client, background tasks.

use std::future::Future;
use std::time::Duration;

use axum::http::header;
use parking_lot::{Mutex, RwLock};
use reqwest::StatusCode;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::SimClock;
use crate::config::SimulatorConfig;
use crate::crypto_pool::CryptoPool;
use crate::faults::{FaultKind, FaultPlan, FaultTuning};
use crate::payers::PayerPlan;
use crate::stats::Stats;

pub(crate) struct World {
    pub(crate) clock: SimClock,
    pub(crate) orders_max: usize,
    pub(crate) tuning: FaultTuning,
    pub(crate) faults: RwLock<FaultPlan>,
    pub(crate) payers: RwLock<PayerPlan>,
    pub(crate) stats: Stats,
    pub(crate) crypto: CryptoPool,
    pub(crate) http: reqwest::Client,
    pub(crate) pushes: Semaphore,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Ends the background tasks of the present run; a reset replaces it.
    run: Mutex<CancellationToken>,
}

impl World {
    pub(crate) fn new(
        config: &SimulatorConfig,
        clock: SimClock,
        stop: CancellationToken,
    ) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_millis(config.notify_timeout_ms))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent("paymux-simulators")
            .build()?;
        Ok(Self {
            clock,
            orders_max: config.orders_max,
            tuning: config.fault_tuning.clone(),
            faults: RwLock::new(config.faults.clone()),
            payers: RwLock::new(config.payers.clone()),
            stats: Stats::default(),
            crypto: CryptoPool::new(),
            http,
            pushes: Semaphore::new(config.notify_concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            tasks: TaskTracker::new(),
            run: Mutex::new(stop.child_token()),
            stop,
        })
    }

    /// Starts a background task that ends with the run. Each order has a bounded number of them (its payer,
    /// its notifications, late landings, the ends of its refunds), and orders are bounded.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let run = self.run.lock().clone();
        self.tasks.spawn(run.run_until_cancelled_owned(task));
    }

    /// Posts a form to a merchant's server, when its turn has come; gives the status of the answer, if one comes in time.
    pub(crate) async fn post_form(&self, url: &str, body: String, timeout: Duration) -> Option<StatusCode> {
        let _permit = self.pushes.acquire().await.ok()?;
        let request = self.http.post(url).timeout(timeout);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        match request.send().await {
            Ok(response) => Some(response.status()),
            Err(error) => {
                tracing::debug!(error = %error.without_url(), "a push got no answer");
                None
            }
        }
    }

    /// Holds a connection for the hang time (real time), or until the simulator stops.
    pub(crate) async fn hang(&self) {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(Duration::from_millis(self.tuning.hang_ms)) => {}
        }
    }

    pub(crate) fn inject(&self, kind: FaultKind) {
        tracing::trace!(fault = kind.name(), "fault injected");
        self.stats.fault(kind);
    }

    /// Ends every background task and forgets what was counted.
    pub(crate) fn reset(&self) {
        std::mem::replace(&mut *self.run.lock(), self.stop.child_token()).cancel();
        self.stats.reset();
    }

    /// Waits for the background tasks after the stop signal.
    pub(crate) async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
