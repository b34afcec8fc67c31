//! Watches the events of all merchants, as a platform service would, and knows what was told of each order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use tokio::task::JoinSet;

use super::audit::Told;

/// (merchant, order number).
pub(super) type Name = (String, String);

/// What was told so far.
#[derive(Debug, Default)]
struct Heard {
    told: BTreeMap<Name, Told>,
    /// Orders of which something was told since they were last looked at.
    news: BTreeSet<Name>,
}

/// Running watches, one for each merchant; dropping it ends them.
#[derive(Debug)]
pub(super) struct Watching {
    heard: Arc<Mutex<Heard>>,
    tasks: JoinSet<Refusal>,
}

impl Watching {
    /// Opens a watch for each merchant; when it returns, everything from here on is told.
    pub(super) async fn start(
        client: &Client,
        merchants: impl IntoIterator<Item = String>,
    ) -> anyhow::Result<Self> {
        let mut watching = Self { heard: Arc::new(Mutex::new(Heard::default())), tasks: JoinSet::new() };
        for merchant_id in merchants {
            watching.add(client, merchant_id).await?;
        }
        Ok(watching)
    }

    /// Opens a watch for one more merchant.
    pub(super) async fn add(&mut self, client: &Client, merchant_id: String) -> anyhow::Result<()> {
        let request = v1::WatchOrdersRequest { merchant_id, ..v1::WatchOrdersRequest::default() };
        let mut watch = client.watch(request);
        watch.open().await?;
        let heard = Arc::clone(&self.heard);
        self.tasks.spawn(async move {
            loop {
                match watch.next().await {
                    Ok(event) => heard.lock().take(&event),
                    Err(refusal) => return refusal,
                }
            }
        });
        Ok(())
    }

    /// Orders of which something was told since the last call.
    pub(super) fn news(&self) -> BTreeSet<Name> {
        std::mem::take(&mut self.heard.lock().news)
    }

    /// What was told of an order.
    pub(super) fn told(&self, name: &Name) -> Told {
        self.heard.lock().told.get(name).cloned().unwrap_or_default()
    }

    /// Why a watch ended, if one did.
    pub(super) fn broken(&mut self) -> Option<String> {
        self.tasks.try_join_next().map(|ended| match ended {
            Ok(refusal) => refusal.to_string(),
            Err(error) => error.to_string(),
        })
    }
}

impl Heard {
    fn take(&mut self, event: &v1::OrderEvent) {
        let Some(order) = &event.order else { return };
        let name = (order.merchant_id.clone(), order.merchant_order_no.clone());
        self.told.entry(name.clone()).or_default().add(event);
        self.news.insert(name);
    }
}
