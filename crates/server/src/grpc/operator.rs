//! `OperatorService`: what is parked or unresolved, what people do about it, who is configured, where work is done. What
//! this release cannot know yet is answered UNIMPLEMENTED with what it waits for.

mod parked;
mod unresolved;

use std::sync::Arc;

use paymux_domain::name::{MerchantId, ShardGroup};
use paymux_domain::ports::{CommandLog, LatePolicy};
use paymux_domain::shard::Partition;
use paymux_proto::v1::get_shard_request::Target;
use paymux_proto::{api, v1};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use super::Gate;
use crate::access::Caller;
use crate::config::{LiveRegistry, Merchant};
use crate::ingest::{Confirmed, Ingest, Refusal};
use crate::paging::Pages;
use crate::reload::ReloadStatus;
use crate::store_view::StoreView;

const DEAD: &str = "listing dead records waits for a log that can read them back";
const LIMITS: &str =
    "live budgets wait for workers that publish them; the configured ones stand in `config dump`";

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
        _request: Request<v1::ListDeadRequest>,
    ) -> Result<Response<v1::ListDeadResponse>, Status> {
        Err(Refusal::NotImplemented(DEAD).into())
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
        _request: Request<v1::GetLimitsRequest>,
    ) -> Result<Response<v1::GetLimitsResponse>, Status> {
        Err(Refusal::NotImplemented(LIMITS).into())
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

    async fn shard(&self, target: Option<Target>) -> Result<v1::GetShardResponse, Refusal> {
        let count = self.parts.log.partitions();
        let by_group = |group: &ShardGroup| (group.to_string(), 1, Partition::of(group, count));
        let (shard_group, slices, partition) = match target {
            None => return Err(Refusal::field("target", "is required")),
            Some(Target::MerchantId(id)) => {
                let id: MerchantId = id.parse().map_err(|error: paymux_domain::name::NameError| {
                    Refusal::field("merchant_id", error.to_string())
                })?;
                let registry = self.parts.registry.load();
                by_group(&registry.merchants.get(&id).ok_or(Refusal::MerchantUnknown)?.shard_group)
            }
            Some(Target::ShardGroup(group)) => {
                let group: ShardGroup = group.parse().map_err(|error: paymux_domain::name::NameError| {
                    Refusal::field("shard_group", error.to_string())
                })?;
                by_group(&group)
            }
            Some(Target::Partition(number)) => {
                let partition = u16::try_from(number).ok().filter(|number| *number < count);
                let allowed = || Refusal::field("partition", format!("must be below {count}"));
                (String::new(), 0, Partition(partition.ok_or_else(allowed)?))
            }
        };
        let lag_records = self.parts.log.lag(partition).await.map_err(|error| {
            tracing::warn!(%error, "the lag cannot be read");
            Refusal::LogUnavailable
        })?;
        let swept = self.parts.store.swept_through(partition).await?;
        let status = v1::PartitionStatus {
            partition: u32::from(partition.0),
            lag_records,
            swept_through_time: swept.map(|bucket| api::timestamp(bucket.start())),
            ..v1::PartitionStatus::default()
        };
        Ok(v1::GetShardResponse { shard_group, slices, partitions: vec![status] })
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
        shard_group: merchant.shard_group.to_string(),
        routes: merchant.routes.iter().map(route).collect(),
        late_payment_policy: late.into(),
    }
}
