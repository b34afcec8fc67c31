//! Watching events of a merchant: from now on, or from a token on.

use std::sync::Arc;
use std::time::Duration;

use paymux_domain::event::{Event, EventKind};
use paymux_domain::fold::Order;
use paymux_domain::name::{MerchantId, MerchantOrderNo};
use paymux_domain::ports::{CommandLog, LogError, Offset, StoredEvent};
use paymux_domain::shard::{Partition, stable_hash};
use paymux_proto::{api, v1};

use super::fields::Faults;
use super::{Ingest, Refusal};
use crate::store_view::StoreView;

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
        let partition = self.partition(&merchant.shard_group);
        let mut watch = Watch {
            log: Arc::clone(&self.parts.log),
            store: self.parts.store.clone(),
            merchant_id,
            order_no,
            kinds: request.kinds.clone(),
            partition,
            next: 0,
        };
        let end = watch.log.events_end(partition).await.map_err(|error| unreadable(&error))?;
        watch.next = match &request.resume_token {
            None => end,
            Some(token) => watch.read_token(token).filter(|next| *next <= end).ok_or(Refusal::ResumeToken)?,
        };
        Ok(watch)
    }
}

impl Watch {
    /// A sign of life at the place where the watch stands.
    pub(crate) fn sign_of_life(&self) -> v1::WatchOrdersResponse {
        v1::WatchOrdersResponse { event: None, resume_token: self.token(self.next) }
    }

    /// The next messages, none when nothing concerned this watch for that long; the watch moves behind them.
    pub(crate) async fn page(&mut self, wait: Duration) -> Result<Vec<v1::WatchOrdersResponse>, Refusal> {
        let page = self.log.events(self.partition, self.next, PAGE_MAX, wait).await;
        let page = page.map_err(|error| unreadable(&error))?;
        // Offsets of a partition have no gaps: what begins later has lost its beginning.
        if page.events.first().map_or(page.next, |stored| stored.offset) > self.next {
            return Err(Refusal::ResumeTokenExpired);
        }
        let mut messages = Vec::new();
        for StoredEvent { offset, event } in page.events {
            if self.lets_through(&event) {
                let order = self.order_of(&event).await?;
                let event = Some(api::event_view(&event, order));
                messages.push(v1::WatchOrdersResponse { event, resume_token: self.token(offset + 1) });
            }
        }
        self.next = page.next;
        Ok(messages)
    }

    fn lets_through(&self, event: &Event) -> bool {
        event.key.merchant_id == self.merchant_id
            && self.order_no.as_ref().is_none_or(|order_no| event.key.order_no == *order_no)
            && (self.kinds.is_empty() || self.kinds.contains(&i32::from(api::kind_word(&event.kind))))
    }

    /// The order as it is now. The order that holds a number is nobody's business who lost it: identity only.
    async fn order_of(&self, event: &Event) -> Result<v1::Order, Refusal> {
        if matches!(event.kind, EventKind::Rejected { .. }) {
            return Ok(api::identity_view(&event.key));
        }
        let snapshot = self.store.read(&event.key).await?;
        Ok(api::order_view(&event.key, &Order::from_facts(snapshot.facts)))
    }

    fn token(&self, next: Offset) -> String {
        format!("w1.{:016x}.{:x}.{next:x}", self.mark(), self.partition.0)
    }

    fn read_token(&self, token: &str) -> Option<Offset> {
        let mut parts = token.strip_prefix("w1.")?.splitn(3, '.');
        let mark = u64::from_str_radix(parts.next()?, 16).ok()?;
        let partition = u16::from_str_radix(parts.next()?, 16).ok()?;
        let next = u64::from_str_radix(parts.next()?, 16).ok()?;
        (mark == self.mark() && partition == self.partition.0).then_some(next)
    }

    /// Binds a token to whose events it is about.
    fn mark(&self) -> u64 {
        let order_no = self.order_no.as_ref().map_or("", MerchantOrderNo::as_str);
        stable_hash(format!("{}/{order_no}", self.merchant_id).as_bytes())
    }
}

fn unreadable(error: &LogError) -> Refusal {
    tracing::warn!(%error, "events cannot be read");
    Refusal::LogUnavailable
}
