//! Watching events of a merchant: from now on, or from a token on; in all partitions that its orders lie in.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, FuturesUnordered};
use futures_util::{StreamExt as _, TryStreamExt as _};

use paymux_domain::event::{Event, EventKind};
use paymux_domain::name::{MerchantId, MerchantOrderNo};
use paymux_domain::ports::{BoxFuture, CommandLog, EventPage, LogError, Offset, StoredEvent};
use paymux_domain::shard::{Partition, stable_hash};
use paymux_proto::{api, v1};

use super::fields::Faults;
use super::{Ingest, Refusal};
use crate::store_view::{READS_AT_ONCE, StoreView};

/// Events read at once.
const PAGE_MAX: usize = 256;

/// Kinds in a filter.
const KINDS_MAX: usize = 32;

/// A watch: where it stands and what it lets through.
pub(crate) struct Watch {
    log: Arc<dyn CommandLog>,
    store: StoreView,
    merchant_id: MerchantId,
    order_no: Option<MerchantOrderNo>,
    kinds: Vec<i32>,
    /// By partition; several where the merchant's group is divided and no order is named.
    places: Vec<Place>,
    /// The read of each place that is under way. It goes on while others bring pages, so that none is held up by a busier
    /// one.
    reads: FuturesUnordered<BoxFuture<'static, (Place, Result<EventPage, LogError>)>>,
    /// The places that are not being read.
    idle: Vec<Partition>,
}

/// How far a watch is in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    partition: Partition,
    next: Offset,
}

impl Ingest {
    /// Begins a watch.
    ///
    /// # Errors
    /// As the API lists them for WatchOrders.
    pub(crate) async fn watch(&self, request: &v1::WatchOrdersRequest) -> Result<Watch, Refusal> {
        let mut faults = Faults::default();
        let merchant_id: Option<MerchantId> = faults.name("merchant_id", &request.merchant_id);
        let order_no = match request.merchant_order_no.as_deref() {
            Some(text) => faults.name("merchant_order_no", text),
            None => None,
        };
        let known =
            request.kinds.iter().all(|kind| v1::OrderEventKind::try_from(*kind).is_ok_and(|k| k as i32 != 0));
        if !known || request.kinds.len() > KINDS_MAX {
            faults.add("kinds", format!("must be at most {KINDS_MAX} known kinds"));
        }
        let (Some(merchant_id), true) = (merchant_id, faults.is_empty()) else {
            return Err(faults.or(Refusal::MerchantUnknown));
        };
        let registry = self.parts.registry.load();
        let merchant = registry.merchants.get(&merchant_id).ok_or(Refusal::MerchantUnknown)?;
        let count = self.parts.log.partitions();
        let partitions = match &order_no {
            Some(order_no) => BTreeSet::from([merchant.shard_group.partition(order_no, count)]),
            None => merchant.shard_group.partitions(count),
        };
        let mut watch = Watch {
            log: Arc::clone(&self.parts.log),
            store: self.parts.store.clone(),
            merchant_id,
            order_no,
            kinds: request.kinds.clone(),
            places: Vec::new(),
            reads: FuturesUnordered::new(),
            idle: partitions.iter().copied().collect(),
        };
        for partition in partitions {
            let next = watch.log.events_end(partition).await.map_err(|error| unreadable(&error))?;
            watch.places.push(Place { partition, next });
        }
        if let Some(token) = &request.resume_token {
            watch.places = watch.read_token(token).ok_or(Refusal::ResumeToken)?;
        }
        Ok(watch)
    }
}

impl Watch {
    /// A sign of life at the place where the watch stands.
    pub(crate) fn sign_of_life(&self) -> v1::WatchOrdersResponse {
        v1::WatchOrdersResponse { event: None, resume_token: self.token() }
    }

    /// The next messages, none when nothing concerned this watch for that long; the watch moves behind them.
    pub(crate) async fn page(&mut self, wait: Duration) -> Result<Vec<v1::WatchOrdersResponse>, Refusal> {
        let Some((place, page)) = self.first_page(wait).await? else { return Ok(Vec::new()) };
        // Offsets of a partition have no gaps: what begins later has lost its beginning.
        if page.events.first().map_or(page.next, |stored| stored.offset) > place.next {
            return Err(Refusal::ResumeTokenExpired);
        }
        let events = page.events.into_iter().filter(|stored| self.lets_through(&stored.event));
        let views = events.map(|stored| view_of(self.store.clone(), stored)).collect::<Vec<_>>();
        let mut views = stream::iter(views).buffered(READS_AT_ONCE);
        let mut messages = Vec::new();
        while let Some((offset, event)) = views.try_next().await? {
            self.move_to(Place { next: offset + 1, ..place });
            messages.push(v1::WatchOrdersResponse { event: Some(event), resume_token: self.token() });
        }
        self.move_to(Place { next: page.next, ..place });
        Ok(messages)
    }

    /// The page of whichever partition has one first, and the place that it begins at; `None` if none has any for that
    /// long.
    async fn first_page(&mut self, wait: Duration) -> Result<Option<(Place, EventPage)>, Refusal> {
        for partition in std::mem::take(&mut self.idle) {
            let place = self.places.iter().copied().find(|place| place.partition == partition);
            let Some(place) = place else { continue };
            let log = Arc::clone(&self.log);
            self.reads.push(Box::pin(async move {
                (place, log.events(place.partition, place.next, PAGE_MAX, wait).await)
            }));
        }
        let Ok(Some((place, page))) = tokio::time::timeout(wait, self.reads.next()).await else {
            return Ok(None);
        };
        self.idle.push(place.partition);
        Ok(Some((place, page.map_err(|error| unreadable(&error))?)))
    }

    fn move_to(&mut self, to: Place) {
        for place in self.places.iter_mut().filter(|place| place.partition == to.partition) {
            *place = to;
        }
    }

    fn lets_through(&self, event: &Event) -> bool {
        event.key.merchant_id == self.merchant_id
            && self.order_no.as_ref().is_none_or(|order_no| event.key.order_no == *order_no)
            && (self.kinds.is_empty() || self.kinds.contains(&i32::from(api::kind_word(&event.kind))))
    }

    fn token(&self) -> String {
        let places: Vec<String> =
            self.places.iter().map(|place| format!("{:x}.{:x}", place.partition.0, place.next)).collect();
        format!("w1.{:016x}.{}", self.mark(), places.join("-"))
    }

    /// The places of a token, if they are in the partitions of this watch and none is ahead of it.
    fn read_token(&self, token: &str) -> Option<Vec<Place>> {
        let (mark, places) = token.strip_prefix("w1.")?.split_once('.')?;
        let read = |place: &str| {
            let (partition, next) = place.split_once('.')?;
            let partition = Partition(u16::from_str_radix(partition, 16).ok()?);
            Some(Place { partition, next: u64::from_str_radix(next, 16).ok()? })
        };
        let places: Vec<Place> = places.split('-').map(read).collect::<Option<_>>()?;
        let is_here =
            |(place, end): (&Place, &Place)| place.partition == end.partition && place.next <= end.next;
        let are_here = places.len() == self.places.len() && places.iter().zip(&self.places).all(is_here);
        let is_own = u64::from_str_radix(mark, 16).is_ok_and(|mark| mark == self.mark());
        (are_here && is_own).then_some(places)
    }

    /// Binds a token to whose events it is about.
    fn mark(&self) -> u64 {
        let order_no = self.order_no.as_ref().map_or("", MerchantOrderNo::as_str);
        stable_hash(format!("{}/{order_no}", self.merchant_id).as_bytes())
    }
}

/// What is told of an event, and where it lies.
async fn view_of(store: StoreView, stored: StoredEvent) -> Result<(Offset, v1::OrderEvent), Refusal> {
    let order = order_of(&store, &stored.event).await?;
    Ok((stored.offset, api::event_view(&stored.event, order)))
}

/// The order as it is now. The order that holds a number is nobody's business who lost it: identity only.
async fn order_of(store: &StoreView, event: &Event) -> Result<v1::Order, Refusal> {
    if matches!(event.kind, EventKind::Rejected { .. }) {
        return Ok(api::identity_view(&event.key));
    }
    Ok(api::order_view(&event.key, &store.order(&event.key).await?))
}

fn unreadable(error: &LogError) -> Refusal {
    tracing::warn!(%error, "events cannot be read");
    Refusal::LogUnavailable
}
