//! Upkeep of the providers: what they need at run time beside calls is fetched when it is due, a few at once, whatever
//! comes of it. A failure is told in the log and ends nothing.

use std::sync::Arc;
use std::time::Duration;

use paymux_domain::ports::{Clock, Entropy};
use paymux_providers::Gateway;
use paymux_providers::upkeep::{Due, Ended, Moment};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Real pause between two looks at what is due: an unknown key is asked for within it.
const LOOK: Duration = Duration::from_millis(250);

/// Fetches at once: thousands of accounts that start together do not fall upon their provider.
const AT_ONCE_MAX: usize = 4;

/// Fetches until the stop; what is under way then is broken off.
pub(super) async fn run(
    gateway: Arc<Gateway>,
    clock: Arc<dyn Clock>,
    entropy: impl Entropy + 'static,
    stop: CancellationToken,
) {
    let looking = async {
        let mut fetches = JoinSet::new();
        loop {
            for due in gateway.due() {
                while fetches.len() >= AT_ONCE_MAX {
                    tell_broken(fetches.join_next().await);
                }
                let moment = Moment { now: clock.now(), nonce: [entropy.next_u64(), entropy.next_u64()] };
                fetches.spawn(fetch(Arc::clone(&gateway), due, moment));
            }
            tokio::time::sleep(LOOK).await;
            while let Some(ended) = fetches.try_join_next() {
                tell_broken(Some(ended));
            }
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = looking => {}
    }
}

async fn fetch(gateway: Arc<Gateway>, due: Due, moment: Moment) {
    let (ended, told) = gateway.fetch(&due, moment).await;
    let what = due.name();
    match ended {
        Ended::Done => tracing::info!(what, told, "fetched"),
        Ended::TriedAgain => tracing::warn!(what, reason = told, "not fetched; it is tried again soon"),
        Ended::GivenUp => tracing::error!(what, reason = told, "not fetched; it rests for a while"),
    }
}

fn tell_broken(ended: Option<Result<(), tokio::task::JoinError>>) {
    if let Some(Err(error)) = ended {
        tracing::error!(%error, "a fetch broke off");
    }
}
