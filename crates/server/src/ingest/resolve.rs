//! Resolves a create once and for all: route, account, the provider's number, notify URL, absolute expiry.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::Created;
use paymux_domain::name::{MerchantId, MerchantOrderNo, NameError, OrderKey, OutTradeNo, RequestId};
use paymux_domain::ports::{FieldFault, Provider};
use paymux_domain::time::Timestamp;
use paymux_proto::v1;

use super::fields::{Faults, expires_too_soon, fingerprint};
use super::{Refusal, options};
use crate::config::{Merchant, Registry, Route, RouteError};

/// A create as it will be written, with what else the call needs to know.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) created: Arc<Created>,
    pub(super) wait: Duration,
    pub(super) accept_per_s_max: u32,
    /// The fault of an `expire_time` that has come too near: the create can only be a repeat of an accepted one.
    pub(super) expired: Option<FieldFault>,
}

/// What resolving looks things up in.
pub(super) struct Resolver<'a> {
    pub(super) registry: &'a Registry,
    pub(super) provider: &'a dyn Fn(&Route) -> Option<Arc<dyn Provider>>,
    pub(super) notify_base_url: &'a str,
    pub(super) now: Timestamp,
}

impl Resolver<'_> {
    /// Checks and resolves; all faults of all fields come at once, and before what lies outside of the request.
    /// Without `may_wait` the request's `wait` is not looked at.
    pub(super) fn resolve(
        &self,
        request: &v1::CreateOrderRequest,
        may_wait: bool,
    ) -> Result<Resolved, Refusal> {
        let mut faults = Faults::default();
        let merchant_id: Option<MerchantId> = faults.name("merchant_id", &request.merchant_id);
        let order_no: Option<MerchantOrderNo> = faults.name("merchant_order_no", &request.merchant_order_no);
        let request_id: Option<RequestId> = faults.name("request_id", &request.request_id);
        let provider = faults.word("provider", request.provider.as_deref().unwrap_or_default());
        let method = faults.word("method", &request.method);
        let wait = faults.wait(request.wait.as_ref().filter(|_| may_wait));
        let configured = merchant_id.and_then(|id| self.registry.merchants.get_key_value(&id));
        let routed = match configured {
            None => Err(Refusal::MerchantUnknown),
            Some((id, merchant)) => {
                match merchant.route(Some(provider).filter(|name| !name.is_empty()), method) {
                    Ok((route, method)) => Ok((id, merchant, route, method)),
                    Err(error) => Err(route_refusal(&error)),
                }
            }
        };
        let (merchant_id, merchant, route, method) = match routed {
            Ok(routed) => routed,
            Err(refusal) => {
                // The fields that need no merchant are looked at all the same.
                self.fields(&mut faults, request);
                return Err(faults.or(refusal));
            }
        };
        let key = OrderKey {
            merchant_id: merchant_id.clone(),
            order_no: order_no.clone().unwrap_or_else(stand_in),
        };
        let out_trade_no = order_no.and_then(|no| out_trade_no(&mut faults, route, &no));
        let draft = Draft { key, request_id, route, merchant, method, out_trade_no };
        let created = self.created(&mut faults, request, draft);
        let provider = (self.provider)(route);
        if let Some(provider) = &provider {
            faults.add_missing(provider.check(&created));
        }
        let expired = if expires_too_soon(request.expiry.as_ref(), self.now) {
            faults.take_only("expire_time")
        } else {
            None
        };
        let (Some(provider), true) = (provider, faults.is_empty()) else {
            return Err(
                faults.or(Refusal::NotOffered(format!("{} has no usable account here", route.provider)))
            );
        };
        let created = provider.resolve(created);
        let accept_per_s_max = merchant.accept_per_s_max;
        Ok(Resolved { created: Arc::new(created), wait, accept_per_s_max, expired })
    }

    fn created(&self, faults: &mut Faults, request: &v1::CreateOrderRequest, draft: Draft<'_>) -> Created {
        let Draft { key, request_id, route, merchant, method, out_trade_no } = draft;
        let fields = self.fields(faults, request);
        if let Some(given) = &request.options
            && options::provider_of(given) != route.provider.as_str()
        {
            faults.add(options::provider_of(given), format!("the order goes to {}", route.provider));
        }
        let options_json = request.options.as_ref().and_then(options::to_json).unwrap_or_default();
        let fingerprint = fingerprint(request, &options_json);
        Created {
            request_id: request_id.unwrap_or_else(stand_in),
            provider: route.provider.clone(),
            account: route.account.clone(),
            shard_group: merchant.shard_group.key(&key.order_no).clone(),
            method,
            out_trade_no: out_trade_no.unwrap_or_else(stand_in),
            amount: fields.amount,
            description: request.description.clone(),
            attach: fields.attach,
            payer: fields.payer,
            expire_time: fields.expire_time,
            created_time: self.now,
            notify_url: format!("{}/notify/{}/{}", self.notify_base_url, route.provider, key.merchant_id),
            return_url: fields.return_url,
            metadata: request.metadata.clone(),
            options_json,
            fingerprint,
            key,
        }
    }

    fn fields(&self, faults: &mut Faults, request: &v1::CreateOrderRequest) -> Fields {
        faults.description(&request.description);
        faults.metadata(&request.metadata);
        Fields {
            amount: faults.amount(request.amount.as_ref()).unwrap_or(STAND_IN_AMOUNT),
            attach: faults.attach(&request.attach),
            payer: faults.payer(request.payer.as_ref()),
            expire_time: faults.expiry(request.expiry.as_ref(), self.now),
            return_url: faults.return_url(&request.return_url),
        }
    }
}

/// The fields that need nothing but themselves.
struct Fields {
    amount: Amount,
    attach: Option<String>,
    payer: paymux_domain::command::Payer,
    expire_time: Timestamp,
    return_url: Option<String>,
}

/// The names of a create; `None` where a fault was noted.
struct Draft<'a> {
    key: OrderKey,
    request_id: Option<RequestId>,
    route: &'a Route,
    merchant: &'a Merchant,
    method: String,
    out_trade_no: Option<OutTradeNo>,
}

/// Stands for a faulty amount while the provider looks at the other fields.
const STAND_IN_AMOUNT: Amount = match Amount::new(1, Currency::Cny) {
    Ok(amount) => amount,
    Err(_) => panic!("one fen is an amount"),
};

/// Stands for a faulty name while the provider looks at the other fields.
fn stand_in<N: FromStr<Err = NameError>>() -> N {
    "stand-in".parse().expect("eight plain characters are a name of every kind")
}

fn out_trade_no(faults: &mut Faults, route: &Route, order_no: &MerchantOrderNo) -> Option<OutTradeNo> {
    let number = format!("{}{order_no}", route.order_prefix);
    let chars_max = 32_usize.saturating_sub(route.order_prefix.len());
    let too_long = |_: &NameError| {
        let reason = format!(
            "must have at most {chars_max} characters, since {:?} is put before it",
            route.order_prefix
        );
        faults.add("merchant_order_no", reason);
    };
    number.parse().inspect_err(too_long).ok()
}

fn route_refusal(error: &RouteError) -> Refusal {
    match error {
        RouteError::NoAccount { providers } => {
            let names: Vec<&str> = providers.iter().map(|provider| provider.as_str()).collect();
            Refusal::RouteMissing(format!("the merchant has accounts at: {}", names.join(", ")))
        }
        RouteError::NoMethod { methods } => {
            Refusal::NotOffered(format!("the merchant's account offers: {}", methods.join(", ")))
        }
    }
}
