//! Reads orders for callers: one, by the provider's number, with its story.

use paymux_domain::explain::{Explanation, explain};
use paymux_domain::fold::Order;
use paymux_domain::name::{MerchantId, OrderKey, ProviderId, ProviderTradeNo};
use paymux_domain::ports::Snapshot;
use paymux_proto::v1;
use tokio::time::Instant;

use super::fields::Faults;
use super::{Ingest, Refusal, has_launch, order_key};

/// Characters of a provider's number of a payment, as the API takes it.
const TRADE_NO_CHARS_MAX: usize = 64;

/// An order with everything that explains it.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) key: OrderKey,
    pub(crate) order: Order,
    pub(crate) explanation: Explanation,
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
        let order = self.parts.store.order(&key).await?;
        let order = if wait.is_zero() || (!order.is_empty() && is_done(&order, false)?) {
            Some(order)
        } else {
            self.wait(partition, &key, None, Instant::now() + wait, &is_done).await?
        };
        let order = order.filter(|order| !order.is_empty()).ok_or(Refusal::OrderNotFound)?;
        won_by(&order, request.request_id.as_deref())?;
        Ok((key, order))
    }

    /// The order of one of its payments.
    ///
    /// # Errors
    /// As the API lists them for FindOrder.
    pub async fn find(&self, request: &v1::FindOrderRequest) -> Result<(OrderKey, Order), Refusal> {
        let mut faults = Faults::default();
        let merchant_id: Option<MerchantId> = faults.name("merchant_id", &request.merchant_id);
        let provider: Option<ProviderId> = faults.name("provider", &request.provider);
        faults.required_graphic("provider_trade_no", &request.provider_trade_no, TRADE_NO_CHARS_MAX);
        let (Some(merchant_id), Some(provider), true) = (merchant_id, provider, faults.is_empty()) else {
            return Err(faults.or(Refusal::OrderNotFound));
        };
        self.parts.registry.load().merchants.get(&merchant_id).ok_or(Refusal::MerchantUnknown)?;
        // A number that no payment can have is the number of none.
        let trade_no: ProviderTradeNo =
            request.provider_trade_no.parse().map_err(|_| Refusal::OrderNotFound)?;
        let key = self.parts.store.find_by_trade_no(&provider, &trade_no).await?;
        let key = key.filter(|key| key.merchant_id == merchant_id).ok_or(Refusal::OrderNotFound)?;
        let order = self.parts.store.order(&key).await?;
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
        let Snapshot { facts, followup } = self.parts.store.read(&key).await?;
        let order = Order::from_facts(facts);
        if order.is_empty() {
            return Err(Refusal::OrderNotFound);
        }
        let capabilities = order.created().and_then(|created| self.parts.gateway.capabilities(created));
        let explanation = explain(&order, &followup, capabilities.as_ref(), self.now());
        Ok(Story { key, order, explanation })
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
