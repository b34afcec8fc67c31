//! Keeps RSA work off the async workers: at most as many jobs at once as there are cores, on blocking
//! threads.

use std::num::NonZero;

use tokio::sync::Semaphore;

/// The pool was stopped, or a job panicked.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("cryptographic work was not finished")]
pub(crate) struct NotFinished;

pub(crate) struct CryptoPool {
    permits: Semaphore,
}

impl CryptoPool {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, NonZero::get);
        Self { permits: Semaphore::new(cores) }
    }

    /// Runs `job` on a blocking thread. Waiting jobs are bounded by the calls and notifications in flight.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotFinished> {
        let _permit = self.permits.acquire().await.map_err(|_| NotFinished)?;
        tokio::task::spawn_blocking(job).await.map_err(|_| NotFinished)
    }
}
