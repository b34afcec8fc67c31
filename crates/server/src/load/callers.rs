//! What each event does once it starts: one call, or one life, over the connections in turn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _};
use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::mix::Kind;
use super::orders::{Known, Ledger, Orders};
use super::pacer::since;
use super::paid::Paid;
use super::plan::{Event, Plan};
use super::simulator::Control;
use super::streams::Streams;
use super::tally::{Ended, Tally};
use crate::demo::Payers;

/// Orders that are created at once before a load of notifications.
const PREPARED_AT_ONCE: usize = 64;

/// How long each of them may take until its payer can pay.
const PREPARED_WAIT: Duration = Duration::from_secs(30);

/// Everything that events need.
#[derive(Debug)]
pub(super) struct Callers {
    pub(super) clients: Vec<Client>,
    pub(super) orders: Arc<Orders>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) tally: Arc<Tally>,
    pub(super) streams: Option<Streams>,
    pub(super) paid: Option<Paid>,
    pub(super) payers: Option<Payers>,
    pub(super) control: Option<Control>,
    /// How the provider names orders of each merchant: its account there, and what stands around the number.
    pub(super) names: BTreeMap<String, Named>,
    pub(super) wait: Duration,
    pub(super) in_flight: Arc<Semaphore>,
}

/// How a provider names the orders of a merchant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    mchid: String,
    before: String,
    after: String,
}

impl Callers {
    /// Starts one event, in a task of its own; counts it as not sent where no more may be under way.
    pub(super) fn start(self: &Arc<Self>, tasks: &TaskTracker, event: Event, intended: Instant) {
        let kind = self.orders.kind(event.number);
        if kind == Kind::Stream {
            let sent = self.streams.as_ref().is_some_and(|streams| {
                streams.send(self.orders.request(event.number, None), event, intended)
            });
            if !sent {
                self.tally.not_sent(kind, event);
            }
            return;
        }
        let Ok(place) = Arc::clone(&self.in_flight).try_acquire_owned() else {
            self.tally.not_sent(kind, event);
            return;
        };
        tasks.spawn(Arc::clone(self).run(kind, event, intended, place));
    }

    async fn run(self: Arc<Self>, kind: Kind, event: Event, intended: Instant, _place: OwnedSemaphorePermit) {
        self.tally.sent(kind, event, since(intended));
        if let Some(paid) = self.paid.as_ref().filter(|_| kind.hears_paid()) {
            // Before anything is asked for: the payer may be faster than the answer.
            paid.expect(kind, event, intended);
        }
        let ended = match kind {
            Kind::Notify => self.pay(event).await,
            _ => self.create(kind, event).await,
        };
        if let (Some(paid), Ended::Error(_) | Ended::NotPaid(_)) = (&self.paid, &ended) {
            paid.forget(event);
        }
        self.tally.ended(kind, event, &ended, since(intended));
    }

    fn client(&self, event: u64) -> &Client {
        let count = u64::try_from(self.clients.len()).unwrap_or(1).max(1);
        &self.clients[usize::try_from(event % count).unwrap_or(0)]
    }

    async fn create(&self, kind: Kind, event: Event) -> Ended {
        let wait = kind.shows_launch().then_some(self.wait);
        let request = self.orders.request(event.number, wait);
        self.ledger.set(event.number, Known::Unknown);
        let called = self.client(event.number).orders().create_order(Client::request(request, wait)).await;
        let order = match called {
            Ok(answer) => answer.into_inner().order.unwrap_or_default(),
            Err(status) => {
                let refusal = Refusal::of(&status);
                self.ledger.set(event.number, Known::after(&refusal));
                return Ended::Error(refusal);
            }
        };
        self.ledger.set(event.number, Known::Accepted);
        if wait.is_none() {
            return Ended::Ok;
        }
        if order.state() < v1::OrderState::Pending {
            return Ended::WithoutLaunch;
        }
        match self.open(&order).await {
            Ok(()) => Ended::Ok,
            Err(error) => Ended::NotPaid(format!("{error:#}")),
        }
    }

    /// The payer opens the launch, where it must be opened.
    async fn open(&self, order: &v1::Order) -> anyhow::Result<()> {
        match &self.payers {
            Some(payers) => payers.open(order).await,
            None => Ok(()),
        }
    }

    async fn pay(&self, event: Event) -> Ended {
        let named = self.names.get(&self.orders.merchant(event.number).id);
        let (Some(control), Some(named)) = (&self.control, named) else {
            return Ended::NotPaid("its order was not prepared".to_owned());
        };
        let number = format!("{}{}{}", named.before, self.orders.number(event.number), named.after);
        match control.pay(&named.mchid, &number).await {
            Ok(Ok(())) => Ended::Ok,
            Ok(Err(why)) => Ended::NotPaid(why),
            Err(error) => Ended::NotPaid(format!("{error:#}")),
        }
    }

    /// Creates the orders that a load of notifications pays, and learns how their providers name them.
    ///
    /// # Errors
    /// One is not accepted, or the simulator does not come to know of one of each merchant.
    pub(super) async fn prepare(&mut self, plan: &Plan, mut progress: impl FnMut(u64)) -> anyhow::Result<()> {
        let of_kind = |event: &Event| self.orders.kind(event.number) == Kind::Notify;
        let mut prepared = 0;
        let preparing = plan.schedule().filter(of_kind).map(|event| self.prepare_one(event.number));
        let mut preparing = futures_util::stream::iter(preparing).buffer_unordered(PREPARED_AT_ONCE);
        while preparing.try_next().await?.is_some() {
            prepared += 1;
            progress(prepared);
        }
        drop(preparing);
        let control = self.control.as_ref().context("nobody can pay without a simulator")?;
        let mut names = BTreeMap::new();
        control
            .each(|truth| {
                if let Some(event) = self.orders.event_of(&truth.out_trade_no) {
                    let number = self.orders.number(event);
                    let (before, after) = truth.out_trade_no.split_once(&number).unwrap_or_default();
                    let (before, after) = (before.to_owned(), after.to_owned());
                    let named = Named { mchid: truth.mchid, before, after };
                    names.insert(self.orders.merchant(event).id.clone(), named);
                }
                names.len() < self.orders.merchants().len()
            })
            .await?;
        self.names = names;
        Ok(())
    }

    async fn prepare_one(&self, event: u64) -> anyhow::Result<()> {
        let request = self.orders.request(event, Some(PREPARED_WAIT));
        self.ledger.set(event, Known::Unknown);
        let created = self.client(event).create(request).await;
        let order = created.context("an order to be paid was not accepted")?.order.unwrap_or_default();
        self.ledger.set(event, Known::Accepted);
        self.open(&order).await
    }
}
