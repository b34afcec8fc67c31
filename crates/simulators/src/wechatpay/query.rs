//! Querying an order by either of its numbers.

use std::collections::BTreeMap;

use axum::extract::Query;
use axum::http::Uri;

use super::answer::{ApiError, Manner, Reply};
use super::book::OrderKey;
use super::merchant::Merchant;
use super::order::TradeState;
use super::resource::Transaction;
use super::schema::BadField;
use super::{Entry, Order, Wechatpay};
use crate::faults::{FaultKind, Stage};

/// The number in the path.
pub(super) enum QueryBy {
    OutTradeNo(String),
    /// Known only for paid orders.
    Transaction(String),
}

impl Wechatpay {
    pub(super) fn query(&self, merchant: &Merchant, is_partner: bool, by: &QueryBy, uri: &Uri) -> Reply {
        match self.find(merchant, is_partner, by, uri) {
            Ok((key, sub_mchid)) => self.answer_query(&key, is_partner, sub_mchid.as_deref()),
            Err(error) => error.into(),
        }
    }

    /// Checks the query string and finds the order's key.
    fn find(
        &self,
        merchant: &Merchant,
        is_partner: bool,
        by: &QueryBy,
        uri: &Uri,
    ) -> Result<(OrderKey, Option<String>), ApiError> {
        let (mchid, sub_mchid) = read_numbers(uri, is_partner).map_err(ApiError::param)?;
        if mchid != merchant.given.mchid {
            return Err(ApiError::no_auth("商户号与签名不一致"));
        }
        let key = match by {
            QueryBy::OutTradeNo(number) => OrderKey::new(&mchid, number),
            QueryBy::Transaction(id) => {
                let book = self.book.lock();
                let key = book.key_of_transaction(id).filter(|key| key.mchid == mchid);
                key.cloned().ok_or_else(ApiError::not_exist)?
            }
        };
        Ok((key, sub_mchid))
    }

    fn answer_query(&self, key: &OrderKey, is_partner: bool, sub_mchid: Option<&str>) -> Reply {
        let mut book = self.book.lock();
        let Some(entry) = book.entry_mut(key) else { return ApiError::not_exist().into() };
        entry.calls.query += 1;
        let is_paid = entry.order.as_ref().is_some_and(|order| order.payment.is_some());
        entry.calls.query_after_payment += u32::from(is_paid);

        let now_ms = self.world.clock.now_ms();
        let fault = self.fault_at(Stage::Query, key, entry.total);
        let (reply, is_injected) = match fault.and_then(|kind| self.fail_query(kind, entry, now_ms)) {
            Some(reply) => (reply, true),
            None => {
                let reply = truth(entry.order.as_ref(), is_partner, sub_mchid, now_ms);
                let manner = match fault.filter(|_| entry.calls.query == 1) {
                    Some(FaultKind::QueryBadSignature) => Some(Manner::SignedByStranger),
                    Some(FaultKind::QuerySigntest) => Some(Manner::Probe),
                    _ => None,
                };
                match manner {
                    Some(manner) => (reply.manner(manner), true),
                    None => (reply, false),
                }
            }
        };
        if let Some(kind) = fault.filter(|_| is_injected) {
            entry.faults.insert(kind);
            self.world.inject(kind);
        }
        reply
    }

    /// The faults that keep the truth from the caller.
    fn fail_query(&self, kind: FaultKind, entry: &Entry, now_ms: i64) -> Option<Reply> {
        let tuning = &self.world.tuning;
        let calls = entry.calls;
        match kind {
            FaultKind::QueryThrottled if calls.query <= tuning.throttled_times => {
                Some(ApiError::throttled().into())
            }
            FaultKind::QuerySystemError if calls.query <= tuning.errors_times => {
                Some(ApiError::fault().into())
            }
            FaultKind::QueryDropped if calls.query == 1 => Some(Reply::cut()),
            FaultKind::QueryLagging => {
                let order = entry.order.as_ref()?;
                let is_lagging = now_ms - order.created_ms < i64::from(tuning.query_lag_ms);
                is_lagging.then(|| ApiError::not_exist().into())
            }
            FaultKind::QueryStale if calls.query_after_payment == 1 => {
                let order = entry.order.as_ref()?;
                Some(Reply::json(&Transaction::unpaid(order, TradeState::Notpay)))
            }
            _ => None,
        }
    }
}

/// What the book says to this caller.
fn truth(order: Option<&Order>, is_partner: bool, sub_mchid: Option<&str>, now_ms: i64) -> Reply {
    match check_caller(order, is_partner, sub_mchid) {
        Ok(order) => Reply::json(&Transaction::of(order, now_ms)),
        Err(error) => error.into(),
    }
}

/// Direct orders are seen on the direct paths only, a partner's on the partner paths and for their
/// sub-merchant.
pub(super) fn check_caller<'a>(
    order: Option<&'a Order>,
    is_partner: bool,
    sub_mchid: Option<&str>,
) -> Result<&'a Order, ApiError> {
    let order = order
        .filter(|order| order.params.product.is_partner() == is_partner)
        .ok_or_else(ApiError::not_exist)?;
    if order.params.sub_mchid.as_deref() == sub_mchid {
        Ok(order)
    } else {
        Err(ApiError::sub_merchant_mismatch())
    }
}

/// `?mchid=` of a direct merchant, `?sp_mchid=&sub_mchid=` of a partner, and nothing else.
fn read_numbers(uri: &Uri, is_partner: bool) -> Result<(String, Option<String>), BadField> {
    let Query(mut given) = Query::<BTreeMap<String, String>>::try_from_uri(uri)
        .map_err(|_| BadField::new("query", "not a query string"))?;
    let mut take = |name: &str| given.remove(name).ok_or_else(|| BadField::new(name, "missing parameter"));
    let numbers =
        if is_partner { (take("sp_mchid")?, Some(take("sub_mchid")?)) } else { (take("mchid")?, None) };
    match given.into_keys().next() {
        Some(name) => Err(BadField::new(name, "unknown parameter")),
        None => Ok(numbers),
    }
}
