//! `OperatorService`: what is parked, unresolved or dead, what people do about it, who is configured, where work is done.

mod dead;
mod limits;
mod parked;
mod shard;
mod unresolved;

use std::sync::Arc;

use paymux_domain::name::MerchantId;
use paymux_domain::ports::{Clock, CommandLog, LatePolicy};
use paymux_proto::{api, v1};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use super::Gate;
use crate::access::Caller;
use crate::config::{LiveRegistry, Merchant};
use crate::ingest::{Confirmed, Ingest, Refusal};
use crate::paging::Pages;
use crate::reload::ReloadStatus;
use crate::shards::Shards;
use crate::store_view::StoreView;

/// What the service looks things up in.
pub struct OperatorParts {
    /// Merchants and accounts.
    pub registry: Arc<LiveRegistry>,
    /// How the last reload of merchants and accounts went.
    pub reloads: watch::Receiver<ReloadStatus>,
    /// The log.
    pub log: Arc<dyn CommandLog>,
    /// The store.
    pub store: StoreView,
    /// The partitions' owners.
    pub shards: Shards,
    /// Schedule time.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for OperatorParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OperatorParts")
    }
}

/// The service.
#[derive(Debug)]
pub(super) struct Operator {
    parts: OperatorParts,
    ingest: Arc<Ingest>,
    gate: Gate,
}

#[tonic::async_trait]
impl v1::operator_service_server::OperatorService for Operator {
    async fn list_parked(
        &self,
        request: Request<v1::ListParkedRequest>,
    ) -> Result<Response<v1::ListParkedResponse>, Status> {
        let _slot = self.gate.enter()?;
        let caller = Caller::of(&request).map_err(Refusal::from)?;
        Ok(Response::new(self.parked(&caller, &request.into_inner()).await?))
    }

    async fn list_dead(
        &self,
        request: Request<v1::ListDeadRequest>,
    ) -> Result<Response<v1::ListDeadResponse>, Status> {
        let _slot = self.gate.enter()?;
        Ok(Response::new(self.dead(&request.into_inner()).await?))
    }

    async fn list_unresolved(
        &self,
        request: Request<v1::ListUnresolvedRequest>,
    ) -> Result<Response<v1::ListUnresolvedResponse>, Status> {
        let _slot = self.gate.enter()?;
        let caller = Caller::of(&request).map_err(Refusal::from)?;
        Ok(Response::new(self.unresolved(&caller, &request.into_inner()).await?))
    }

    async fn replay(
        &self,
        request: Request<v1::ReplayRequest>,
    ) -> Result<Response<v1::ReplayResponse>, Status> {
        let _slot = self.gate.enter()?;
        let caller = Caller::of(&request).map_err(Refusal::from)?;
        Ok(Response::new(self.replayed(&caller, &request.into_inner()).await?))
    }

    async fn confirm_outcome(
        &self,
        request: Request<v1::ConfirmOutcomeRequest>,
    ) -> Result<Response<v1::ConfirmOutcomeResponse>, Status> {
        let _slot = self.gate.enter()?;
        let caller = Caller::of(&request).map_err(Refusal::from)?.name().to_owned();
        let Confirmed { key, order, fact_keys } = self.ingest.confirm(request.get_ref(), &caller).await?;
        let order = Some(api::order_view(&key, &order));
        Ok(Response::new(v1::ConfirmOutcomeResponse { order, fact_keys }))
    }

    async fn get_shard(
        &self,
        request: Request<v1::GetShardRequest>,
    ) -> Result<Response<v1::GetShardResponse>, Status> {
        let _slot = self.gate.enter()?;
        Ok(Response::new(self.shard(request.into_inner().target).await?))
    }

    async fn get_limits(
        &self,
        request: Request<v1::GetLimitsRequest>,
    ) -> Result<Response<v1::GetLimitsResponse>, Status> {
        let _slot = self.gate.enter()?;
        Ok(Response::new(self.limits(request.get_ref()).await?))
    }

    async fn list_merchants(
        &self,
        request: Request<v1::ListMerchantsRequest>,
    ) -> Result<Response<v1::ListMerchantsResponse>, Status> {
        let _slot = self.gate.enter()?;
        let caller = Caller::of(&request).map_err(Refusal::from)?;
        Ok(Response::new(self.merchants(&caller, request.get_ref())?))
    }
}

impl Operator {
    pub(super) const fn new(parts: OperatorParts, ingest: Arc<Ingest>, gate: Gate) -> Self {
        Self { parts, ingest, gate }
    }

    fn merchants(
        &self,
        caller: &Caller,
        request: &v1::ListMerchantsRequest,
    ) -> Result<v1::ListMerchantsResponse, Refusal> {
        let pages = Pages::of("m1", &(), request.page_size)?;
        let after: Option<MerchantId> = pages.place(&request.page_token, |place| place.parse().ok())?;
        let registry = self.parts.registry.load();
        let visible = registry.merchants.iter().filter(|(id, _)| caller.merchants().holds(id));
        let mut rest = visible.filter(|(id, _)| after.as_ref().is_none_or(|after| *id > after));
        let merchants: Vec<_> =
            rest.by_ref().take(pages.size()).map(|(id, merchant)| summary(id, merchant)).collect();
        let last = merchants.last().filter(|_| rest.next().is_some());
        let next_page_token = last.map(|last| pages.token(&last.merchant_id)).unwrap_or_default();
        let ReloadStatus { in_force_time, faults, .. } = self.parts.reloads.borrow().clone();
        Ok(v1::ListMerchantsResponse {
            merchants,
            next_page_token,
            in_force_time: Some(api::timestamp(in_force_time)),
            reload_faults: faults,
        })
    }
}

fn summary(id: &MerchantId, merchant: &Merchant) -> v1::MerchantSummary {
    let route = |route: &crate::config::Route| v1::MerchantRoute {
        provider: route.provider.to_string(),
        account: route.account.to_string(),
        methods: route.methods.clone(),
        order_prefix: route.order_prefix.clone(),
    };
    let late = match merchant.late_payment {
        LatePolicy::Complete => v1::LatePaymentPolicy::Complete,
        LatePolicy::Refund => v1::LatePaymentPolicy::Refund,
        LatePolicy::Park => v1::LatePaymentPolicy::Park,
    };
    v1::MerchantSummary {
        merchant_id: id.to_string(),
        shard_group: merchant.shard_group.group().to_string(),
        slices: u32::from(merchant.shard_group.slices()),
        routes: merchant.routes.iter().map(route).collect(),
        late_payment_policy: late.into(),
    }
}
