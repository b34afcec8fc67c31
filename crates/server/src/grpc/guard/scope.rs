//! Whose orders a message is about.

use paymux_proto::v1;
use paymux_proto::v1::get_shard_request::Target as Shard;
use paymux_proto::v1::replay_request::Target as Replayed;

/// What a caller must be allowed to see or touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope<'a> {
    /// This merchant.
    Merchant(&'a str),
    /// Rows of this merchant; without one the service leaves out what is not the caller's.
    Rows(Option<&'a str>),
    /// What belongs to no merchant, or to any: for callers of all merchants.
    Everything,
}

/// A request that says whose orders it is about.
pub(super) trait Scoped {
    fn scope(&self) -> Scope<'_>;
}

macro_rules! of_one_merchant {
    ($($message:ident),+ $(,)?) => {$(
        impl Scoped for v1::$message {
            fn scope(&self) -> Scope<'_> {
                Scope::Merchant(&self.merchant_id)
            }
        }
    )+};
}

of_one_merchant!(
    CreateOrderRequest,
    GetOrderRequest,
    ListOrdersRequest,
    ListMovementsRequest,
    FindOrderRequest,
    WatchOrdersRequest,
    CloseOrderRequest,
    RequeryOrderRequest,
    RefundOrderRequest,
    GetRefundRequest,
    GetTimelineRequest,
    ConfirmOutcomeRequest,
);

/// The merchant of a filter, where one without a merchant would reach all of them.
fn of_filter(filter: Option<&v1::OrderFilter>) -> Scope<'_> {
    match filter.and_then(|filter| filter.merchant_id.as_deref()) {
        Some(merchant_id) => Scope::Merchant(merchant_id),
        None => Scope::Everything,
    }
}

impl Scoped for v1::ListParkedRequest {
    fn scope(&self) -> Scope<'_> {
        Scope::Rows(self.filter.as_ref().and_then(|filter| filter.merchant_id.as_deref()))
    }
}

impl Scoped for v1::ListMerchantsRequest {
    fn scope(&self) -> Scope<'_> {
        Scope::Rows(None)
    }
}

impl Scoped for v1::ListUnresolvedRequest {
    fn scope(&self) -> Scope<'_> {
        of_filter(self.filter.as_ref())
    }
}

/// Nobody knows whose a record is that cannot be decoded.
impl Scoped for v1::ListDeadRequest {
    fn scope(&self) -> Scope<'_> {
        Scope::Everything
    }
}

impl Scoped for v1::ReplayRequest {
    fn scope(&self) -> Scope<'_> {
        match &self.target {
            Some(Replayed::Order(order)) => Scope::Merchant(&order.merchant_id),
            Some(Replayed::Parked(filter)) => of_filter(Some(filter)),
            Some(Replayed::Dead(_)) | None => Scope::Everything,
        }
    }
}

/// A shard group and a partition may hold orders of several merchants.
impl Scoped for v1::GetShardRequest {
    fn scope(&self) -> Scope<'_> {
        match &self.target {
            Some(Shard::MerchantId(merchant_id)) => Scope::Merchant(merchant_id),
            Some(Shard::ShardGroup(_) | Shard::Partition(_)) | None => Scope::Everything,
        }
    }
}

/// An account may be shared by several merchants.
impl Scoped for v1::GetLimitsRequest {
    fn scope(&self) -> Scope<'_> {
        Scope::Everything
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_no_merchant_is_for_callers_of_all() {
        let filter = |merchant_id: Option<&str>| v1::OrderFilter {
            merchant_id: merchant_id.map(str::to_owned),
            ..v1::OrderFilter::default()
        };
        let replay = |target| v1::ReplayRequest { target: Some(target), ..v1::ReplayRequest::default() };
        assert_eq!(replay(Replayed::Parked(filter(None))).scope(), Scope::Everything);
        assert_eq!(replay(Replayed::Parked(filter(Some("m1")))).scope(), Scope::Merchant("m1"));
        assert_eq!(replay(Replayed::Dead(v1::DeadNames::default())).scope(), Scope::Everything);
        assert_eq!(v1::ReplayRequest::default().scope(), Scope::Everything);
        let shard = |target| v1::GetShardRequest { target: Some(target) };
        assert_eq!(shard(Shard::Partition(0)).scope(), Scope::Everything);
        assert_eq!(shard(Shard::ShardGroup("m1".to_owned())).scope(), Scope::Everything);
        assert_eq!(shard(Shard::MerchantId("m1".to_owned())).scope(), Scope::Merchant("m1"));
        assert_eq!(v1::ListUnresolvedRequest::default().scope(), Scope::Everything);
        assert_eq!(v1::ListParkedRequest::default().scope(), Scope::Rows(None));
    }
}
