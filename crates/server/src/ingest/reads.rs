//! Reads orders for callers: one, a page, by the provider's number, with its story.

use futures_util::{StreamExt as _, TryStreamExt as _};
use paymux_domain::explain::{Explanation, explain};
use paymux_domain::fold::{Order, State};
use paymux_domain::limits::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX};
use paymux_domain::name::{MerchantId, MerchantOrderNo, OrderKey, ProviderId, ProviderTradeNo};
use paymux_domain::ports::{ListQuery, Snapshot};
use paymux_domain::shard::stable_hash;
use paymux_domain::time::Timestamp;
use paymux_proto::{api, v1};
use tokio::time::Instant;

use super::fields::Faults;
use super::{Ingest, Refusal, has_launch, order_key};

/// Orders of a page that are read at once.
const READS_AT_ONCE: usize = 16;

/// States in the filter of a list.
const STATES_MAX: usize = 16;

/// A page of orders.
#[derive(Clone, Debug)]
pub struct ListedPage {
    /// The orders, each with its key.
    pub orders: Vec<(OrderKey, Order)>,
    /// Where the next page begins; empty when there is none.
    pub next_page_token: String,
}

/// An order with everything that explains it.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) key: OrderKey,
    pub(crate) order: Order,
    pub(crate) explanation: Explanation,
    pub(crate) next_due: Option<Timestamp>,
}

impl Ingest {
    /// One order; with `wait` once its version is another than the known one, or without one once it can be paid or
    /// has ended.
    ///
    /// # Errors
    /// As the API lists them for GetOrder.
    pub async fn get(&self, request: &v1::GetOrderRequest) -> Result<(OrderKey, Order), Refusal> {
        let mut faults = Faults::default();
        let key = order_key(&mut faults, &request.merchant_id, &request.merchant_order_no);
        let wait = faults.wait(request.wait.as_ref());
        let (Some(key), true) = (key, faults.is_empty()) else {
            return Err(faults.or(Refusal::OrderNotFound));
        };
        let (partition, _) = self.home_of(&key)?;
        let is_done = |order: &Order, _replied: bool| {
            won_by(order, request.request_id.as_deref())?;
            Ok(match request.known_version.as_deref() {
                Some(known) => format!("{:016x}", order.digest()) != known,
                None => order.state().is_final() || has_launch(order, self.now()),
            })
        };
        let order = Order::from_facts(self.read(&key).await?.facts);
        let order = if wait.is_zero() || (!order.is_empty() && is_done(&order, false)?) {
            Some(order)
        } else {
            self.wait(partition, &key, None, Instant::now() + wait, &is_done).await?
        };
        let order = order.filter(|order| !order.is_empty()).ok_or(Refusal::OrderNotFound)?;
        won_by(&order, request.request_id.as_deref())?;
        Ok((key, order))
    }

    /// A page of a merchant's orders.
    ///
    /// # Errors
    /// As the API lists them for ListOrders.
    pub async fn list(&self, request: &v1::ListOrdersRequest) -> Result<ListedPage, Refusal> {
        let mut faults = Faults::default();
        let merchant_id: Option<MerchantId> = faults.name("merchant_id", &request.merchant_id);
        let limit = page_size(&mut faults, request.page_size);
        let from = bound(&mut faults, "create_time_min", request.create_time_min.as_ref(), Timestamp::EPOCH);
        let until = bound(&mut faults, "create_time_max", request.create_time_max.as_ref(), Timestamp::MAX);
        let states: Vec<State> = request.states.iter().filter_map(|number| api::state_of(*number)).collect();
        if states.len() != request.states.len() || states.len() > STATES_MAX {
            faults.add("states", format!("must be at most {STATES_MAX} known states"));
        }
        let (Some(merchant_id), true) = (merchant_id, faults.is_empty()) else {
            return Err(faults.or(Refusal::MerchantUnknown));
        };
        self.parts.registry.load().merchants.get(&merchant_id).ok_or(Refusal::MerchantUnknown)?;
        let filter = filter_mark(request);
        let after = match request.page_token.as_str() {
            "" => None,
            token => Some(read_token(token, filter).ok_or(Refusal::PageToken)?),
        };
        let query = ListQuery { merchant_id, from, until, after, limit };
        let page = self.parts.store.list_orders(&query).await?;
        let next_page_token = match page.entries.last() {
            Some((time, key)) if page.more => write_token(*time, &key.order_no, filter),
            _ => String::new(),
        };
        let reads = page.entries.into_iter().map(|(_, key)| async move {
            let order = Order::from_facts(self.read(&key).await?.facts);
            Ok::<_, Refusal>((key, order))
        });
        let orders: Vec<_> = futures_util::stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await?;
        // An index row is written before the facts: an order that is not there yet is not shown.
        let shown =
            |order: &Order| !order.is_empty() && (states.is_empty() || states.contains(&order.state()));
        let orders = orders.into_iter().filter(|(_, order)| shown(order)).collect();
        Ok(ListedPage { orders, next_page_token })
    }

    /// The order of one of its payments.
    ///
    /// # Errors
    /// As the API lists them for FindOrder.
    pub async fn find(&self, request: &v1::FindOrderRequest) -> Result<(OrderKey, Order), Refusal> {
        let mut faults = Faults::default();
        let merchant_id: Option<MerchantId> = faults.name("merchant_id", &request.merchant_id);
        let provider: Option<ProviderId> = faults.name("provider", &request.provider);
        let trade_no: Option<ProviderTradeNo> = faults.name("provider_trade_no", &request.provider_trade_no);
        let (Some(merchant_id), Some(provider), Some(trade_no)) = (merchant_id, provider, trade_no) else {
            return Err(faults.or(Refusal::OrderNotFound));
        };
        self.parts.registry.load().merchants.get(&merchant_id).ok_or(Refusal::MerchantUnknown)?;
        let key = self.parts.store.find_by_trade_no(&provider, &trade_no).await?;
        let key = key.filter(|key| key.merchant_id == merchant_id).ok_or(Refusal::OrderNotFound)?;
        let order = Order::from_facts(self.read(&key).await?.facts);
        if order.is_empty() { Err(Refusal::OrderNotFound) } else { Ok((key, order)) }
    }

    /// An order with its explanation.
    ///
    /// # Errors
    /// As the API lists them for GetTimeline.
    pub(crate) async fn story(&self, request: &v1::GetTimelineRequest) -> Result<Story, Refusal> {
        let mut faults = Faults::default();
        let key = order_key(&mut faults, &request.merchant_id, &request.merchant_order_no);
        let Some(key) = key else { return Err(faults.or(Refusal::OrderNotFound)) };
        self.home_of(&key)?;
        let Snapshot { facts, followup } = self.read(&key).await?;
        let order = Order::from_facts(facts);
        if order.is_empty() {
            return Err(Refusal::OrderNotFound);
        }
        let capabilities = order.created().and_then(|created| self.parts.gateway.capabilities(created));
        let explanation = explain(&order, &followup, capabilities.as_ref(), self.now());
        Ok(Story { key, order, explanation, next_due: followup.next_due })
    }
}

/// Nobody is shown the order of another request under the same number.
fn won_by(order: &Order, request_id: Option<&str>) -> Result<(), Refusal> {
    match (order.created(), request_id) {
        (Some(created), Some(asked)) if created.request_id.as_str() != asked => {
            Err(Refusal::Conflict { differing: vec!["request_id".to_owned()] })
        }
        _ => Ok(()),
    }
}

pub(crate) fn page_size_of(number: i32) -> Option<usize> {
    match u32::try_from(number).ok()? {
        0 => usize::try_from(PAGE_SIZE_DEFAULT).ok(),
        size if size <= PAGE_SIZE_MAX => usize::try_from(size).ok(),
        _ => None,
    }
}

fn page_size(faults: &mut Faults, number: i32) -> usize {
    page_size_of(number).unwrap_or_else(|| {
        faults.add("page_size", format!("must be 1 to {PAGE_SIZE_MAX}, or 0 for {PAGE_SIZE_DEFAULT}"));
        0
    })
}

fn bound(
    faults: &mut Faults,
    field: &str,
    time: Option<&prost_types::Timestamp>,
    absent: Timestamp,
) -> Timestamp {
    let Some(time) = time else { return absent };
    api::instant(time).unwrap_or_else(|| {
        faults.add(field, "must be a valid time");
        absent
    })
}

/// Binds a page token to everything in the request but the token itself.
fn filter_mark(request: &v1::ListOrdersRequest) -> u64 {
    let v1::ListOrdersRequest {
        merchant_id,
        create_time_min,
        create_time_max,
        states,
        page_size,
        page_token: _,
    } = request;
    let text = format!("{merchant_id} {create_time_min:?} {create_time_max:?} {states:?} {page_size}");
    stable_hash(text.as_bytes())
}

fn write_token(time: Timestamp, order_no: &MerchantOrderNo, filter: u64) -> String {
    format!("p1.{filter:016x}.{:x}.{order_no}", time.as_millis())
}

fn read_token(token: &str, filter: u64) -> Option<(Timestamp, MerchantOrderNo)> {
    let mut parts = token.strip_prefix("p1.")?.splitn(3, '.');
    let bound_to = u64::from_str_radix(parts.next()?, 16).ok()?;
    let millis = i64::from_str_radix(parts.next()?, 16).ok()?;
    let order_no = parts.next()?.parse().ok()?;
    (bound_to == filter).then_some((Timestamp::from_millis(millis), order_no))
}
