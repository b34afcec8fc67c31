//! Who waits for PAID: the events of the merchants are watched, and each is counted from the intended start of its order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use paymux_proto::v1::OrderEventKind;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::mix::Kind;
use super::orders::Orders;
use super::pacer::since;
use super::plan::Event;
use super::tally::Tally;

/// Pause between two looks at whether all have been heard of.
const LOOK: Duration = Duration::from_millis(20);

/// An order whose PAID is awaited.
type Awaited = (Kind, Event, Instant);

/// Those that are awaited, by event.
#[derive(Debug)]
pub(super) struct Paid {
    awaited: Arc<Mutex<HashMap<u64, Awaited>>>,
    watches: JoinSet<Refusal>,
}

impl Paid {
    /// Watches the merchants of these orders; when it returns, every PAID from here on is heard.
    pub(super) async fn watch(
        clients: &[Client],
        orders: &Arc<Orders>,
        tally: &Arc<Tally>,
    ) -> anyhow::Result<Self> {
        let awaited: Arc<Mutex<HashMap<u64, Awaited>>> = Arc::default();
        let mut watches = JoinSet::new();
        for (merchant, client) in orders.merchants().iter().zip(clients.iter().cycle()) {
            let request = v1::WatchOrdersRequest {
                merchant_id: merchant.id.clone(),
                kinds: vec![OrderEventKind::Paid.into()],
                ..v1::WatchOrdersRequest::default()
            };
            let mut watch = client.watch(request);
            watch.open().await?;
            let (awaited, orders, tally) = (Arc::clone(&awaited), Arc::clone(orders), Arc::clone(tally));
            watches.spawn(async move {
                loop {
                    let event = match watch.next().await {
                        Ok(event) => event,
                        Err(refusal) => return refusal,
                    };
                    let number = event.order.map(|order| order.merchant_order_no).unwrap_or_default();
                    let known = orders.event_of(&number).and_then(|event| awaited.lock().remove(&event));
                    if let Some((kind, event, intended)) = known {
                        tally.paid(kind, event, since(intended));
                    }
                }
            });
        }
        Ok(Self { awaited, watches })
    }

    /// PAID of this event is awaited from now on.
    pub(super) fn expect(&self, kind: Kind, event: Event, intended: Instant) {
        self.awaited.lock().insert(event.number, (kind, event, intended));
    }

    /// PAID of this event will not come.
    pub(super) fn forget(&self, event: Event) {
        self.awaited.lock().remove(&event.number);
    }

    /// Waits until all have been heard of, for so long at most; the others count as unheard. Tells why a watch ended, if
    /// one did.
    pub(super) async fn finish(mut self, patience: Duration, tally: &Tally) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        while !self.awaited.lock().is_empty() && Instant::now() < deadline {
            sleep(LOOK).await;
        }
        for (_, (kind, event, _)) in self.awaited.lock().drain() {
            tally.unheard(kind, event);
        }
        match self.watches.try_join_next() {
            Some(Ok(refusal)) => Err(anyhow::Error::new(refusal).context("a watch of events ended")),
            Some(Err(error)) => Err(anyhow::Error::new(error).context("a watch of events ended")),
            None => Ok(()),
        }
    }
}
