//! The first reason why this process cannot go on, for all who have to know.

use std::sync::Arc;

use tokio::sync::watch;

/// Keeps the first reason. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    reason: Arc<watch::Sender<Option<String>>>,
}

impl Failure {
    pub(super) fn none() -> Self {
        Self { reason: Arc::new(watch::Sender::new(None)) }
    }

    /// Nothing can go on any more.
    pub(super) fn set(&self, reason: String) {
        self.reason.send_if_modified(|first| {
            let is_first = first.is_none();
            if is_first {
                tracing::error!(reason, "the log has failed for good");
                *first = Some(reason);
            }
            is_first
        });
    }

    pub(super) fn get(&self) -> Option<String> {
        self.reason.borrow().clone()
    }

    /// Completes with the reason.
    pub(super) async fn wait(&self) -> String {
        let mut told = self.reason.subscribe();
        let reason = told.wait_for(Option::is_some).await.map(|reason| reason.clone());
        match reason {
            Ok(reason) => reason.unwrap_or_default(),
            // The sender is held by this very value.
            Err(_) => std::future::pending().await,
        }
    }
}
