//! News of orders for calls that wait: one reader per partition of the event log, for as long as somebody waits there.
//!
//! News is a hint to look at the store now; whoever waits looks from time to time all the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use paymux_domain::name::OrderKey;
use paymux_domain::ports::{CommandLog, LogError};
use paymux_domain::shard::Partition;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Events read at once.
const PAGE_MAX: usize = 512;

/// How long a reader waits for an event before it looks whether anybody still waits for one.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who waits for news; bounded by the calls that are under way.
pub(super) struct News {
    log: Arc<dyn CommandLog>,
    stop: CancellationToken,
    listeners: Mutex<BTreeMap<Partition, Listeners>>,
}

/// Listeners of one partition; there is a reader as long as this is there.
#[derive(Debug, Default)]
struct Listeners {
    by_order: BTreeMap<OrderKey, Vec<Arc<Notify>>>,
}

impl News {
    pub(super) fn new(log: Arc<dyn CommandLog>, stop: CancellationToken) -> Arc<Self> {
        Arc::new(Self { log, stop, listeners: Mutex::new(BTreeMap::new()) })
    }

    /// Listens for news of an order from about now on.
    pub(super) fn listen(self: &Arc<Self>, partition: Partition, key: &OrderKey) -> Listening {
        let notify = Arc::new(Notify::new());
        let mut listeners = self.listeners.lock();
        let is_first = !listeners.contains_key(&partition);
        let here = listeners.entry(partition).or_default();
        here.by_order.entry(key.clone()).or_default().push(Arc::clone(&notify));
        drop(listeners);
        if is_first {
            tokio::spawn(Arc::clone(self).read(partition));
        }
        Listening { news: Arc::clone(self), partition, key: key.clone(), notify }
    }

    /// Reads events until nobody waits for them, the log fails, or the server stops.
    async fn read(self: Arc<Self>, partition: Partition) {
        let reading = async {
            let mut next = self.log.events_end(partition).await?;
            loop {
                let page = self.log.events(partition, next, PAGE_MAX, PATIENCE).await?;
                next = page.next;
                let mut listeners = self.listeners.lock();
                let Some(here) = listeners.get(&partition) else { return Ok(()) };
                if here.by_order.is_empty() {
                    listeners.remove(&partition);
                    return Ok(());
                }
                let told = page.events.iter().filter_map(|stored| here.by_order.get(&stored.event.key));
                told.flatten().for_each(|notify| notify.notify_one());
            }
        };
        let ended: Result<(), LogError> = tokio::select! {
            biased;
            () = self.stop.cancelled() => Ok(()),
            ended = reading => ended,
        };
        if let Err(error) = ended {
            tracing::warn!(%error, "events cannot be read; calls that wait look at the store");
            // The next one who listens starts another reader; who listens now looks from time to time.
            self.listeners.lock().remove(&partition);
        }
    }
}

/// One who listens; dropping it ends that.
pub(super) struct Listening {
    news: Arc<News>,
    partition: Partition,
    key: OrderKey,
    notify: Arc<Notify>,
}

impl Listening {
    /// Completes when there is news.
    pub(super) async fn news(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut listeners = self.news.listeners.lock();
        let Some(here) = listeners.get_mut(&self.partition) else { return };
        if let Some(of_order) = here.by_order.get_mut(&self.key) {
            of_order.retain(|other| !Arc::ptr_eq(other, &self.notify));
            if of_order.is_empty() {
                here.by_order.remove(&self.key);
            }
        }
    }
}
