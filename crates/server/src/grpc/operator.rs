//! `OperatorService`: what is parked, who is configured, where work is done. What this release cannot know yet is
//! answered UNIMPLEMENTED with what it waits for.

use std::collections::BTreeSet;
use std::sync::Arc;

use paymux_domain::fact::AttentionReason;
use paymux_domain::fold::Order;
use paymux_domain::name::{MerchantId, OrderKey, ShardGroup};
use paymux_domain::ports::{CommandLog, LatePolicy, ParkedOrder};
use paymux_domain::shard::Partition;
use paymux_proto::v1::get_shard_request::Target;
use paymux_proto::{api, v1};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use super::{Gate, filter, visible};
use crate::access::Caller;
use crate::config::{LiveRegistry, Merchant};
use crate::ingest::Refusal;
use crate::paging::Pages;
use crate::reload::ReloadStatus;
use crate::store_view::StoreView;

/// Parked orders looked at for one page at most, so that a narrow filter cannot make one call endless.
const LOOKED_AT_MAX: usize = 10_000;

const DEAD: &str = "listing dead records waits for a log that can read them back";
const UNRESOLVED: &str =
    "listing unresolved calls waits for an index of them in the store; GetTimeline shows those of one order";
const REPLAY: &str = "replaying waits for the replay command in the log";
const CONFIRM: &str = "confirming outcomes waits for the confirm command in the log";
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
        _request: Request<v1::ListUnresolvedRequest>,
    ) -> Result<Response<v1::ListUnresolvedResponse>, Status> {
        Err(Refusal::NotImplemented(UNRESOLVED).into())
    }

    async fn replay(
        &self,
        _request: Request<v1::ReplayRequest>,
    ) -> Result<Response<v1::ReplayResponse>, Status> {
        Err(Refusal::NotImplemented(REPLAY).into())
    }

    async fn confirm_outcome(
        &self,
        _request: Request<v1::ConfirmOutcomeRequest>,
    ) -> Result<Response<v1::ConfirmOutcomeResponse>, Status> {
        Err(Refusal::NotImplemented(CONFIRM).into())
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
    pub(super) const fn new(parts: OperatorParts, gate: Gate) -> Self {
        Self { parts, gate }
    }

    async fn parked(
        &self,
        caller: &Caller,
        request: &v1::ListParkedRequest,
    ) -> Result<v1::ListParkedResponse, Refusal> {
        let pages = Pages::of("k1", &request.filter, request.page_size)?;
        let limit = pages.size();
        let filter = request.filter.clone().unwrap_or_default();
        filter::check(&filter)?;
        let mut after = pages.place(&request.page_token, read_parked_place)?;
        let scope = visible::narrowed(caller.merchants(), filter.merchant_id.as_deref());
        let mut orders = Vec::new();
        let mut looked_at = 0;
        while orders.len() < limit && looked_at < LOOKED_AT_MAX {
            let wanted = limit - orders.len();
            let page = visible::parked(&self.parts.store, &scope, after.as_ref(), wanted).await?;
            after = page.next;
            // A page without a visible row costs a read all the same.
            looked_at += page.rows.len().max(1);
            for row in page.rows {
                if let Some(parked) = self.parked_view(&row, &filter).await? {
                    orders.push(parked);
                }
            }
            if after.is_none() {
                break;
            }
        }
        let next_page_token = after.map(|key| pages.token(&key.to_string())).unwrap_or_default();
        Ok(v1::ListParkedResponse { orders, next_page_token })
    }

    async fn parked_view(
        &self,
        row: &ParkedOrder,
        filter: &v1::OrderFilter,
    ) -> Result<Option<v1::ParkedOrder>, Refusal> {
        let order = Order::from_facts(self.parts.store.read(&row.key).await?.facts);
        let view = api::order_view(&row.key, &order);
        let open: Vec<_> = view.attention.into_iter().filter(|item| item.resolve_time.is_none()).collect();
        let parked = api::timestamp(row.parked_time);
        let shown = order.is_frozen()
            && filter.provider.as_deref().is_none_or(|wanted| wanted == view.provider)
            && filter.account.as_deref().is_none_or(|wanted| wanted == view.account)
            && (filter.reasons.is_empty() || open.iter().any(|item| filter.reasons.contains(&item.reason)))
            && filter.since_time.is_none_or(|since| seconds(parked) >= seconds(since))
            && filter.until_time.is_none_or(|until| seconds(parked) < seconds(until));
        Ok(shown.then(|| v1::ParkedOrder {
            merchant_id: view.merchant_id,
            merchant_order_no: view.merchant_order_no,
            provider: view.provider,
            account: view.account,
            state: view.state,
            attention: open,
            park_time: Some(parked),
            way_out: ways_out(&order),
        }))
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

fn seconds(time: prost_types::Timestamp) -> (i64, i32) {
    (time.seconds, time.nanos)
}

fn read_parked_place(place: &str) -> Option<OrderKey> {
    let (merchant_id, order_no) = place.split_once('/')?;
    Some(OrderKey { merchant_id: merchant_id.parse().ok()?, order_no: order_no.parse().ok()? })
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

/// The way out of each reason that is open, named where there are several.
fn ways_out(order: &Order) -> String {
    let reasons: BTreeSet<AttentionReason> = order.attention().map(|(reason, _, _)| reason).collect();
    let several = reasons.len() > 1;
    let way = |reason: AttentionReason| {
        if several { format!("{}: {}", reason.as_str(), way_out(reason)) } else { way_out(reason).to_owned() }
    };
    reasons.into_iter().map(way).collect::<Vec<_>>().join(" ")
}

/// What a person can do about a parked order.
const fn way_out(reason: AttentionReason) -> &'static str {
    match reason {
        AttentionReason::PaymentMismatch => {
            "Compare the payment with the order in the provider's console; refund there what does not \
             belong, or deliver."
        }
        AttentionReason::AnswerMismatch => {
            "An answer named another order or account: check the account's keys and numbers, then ask \
             again (RequeryOrder)."
        }
        AttentionReason::UnknownOrder => {
            "A payment came for a number that was never ordered here: find out who gave the number, refund it in the \
             provider's console if nobody did."
        }
        AttentionReason::RetriesExhausted => {
            "Look the order up in the provider's console; when the provider answers again, ask again (RequeryOrder)."
        }
        AttentionReason::DuplicatePayment => "Refund one of the payments in the provider's console.",
        AttentionReason::LatePayment => {
            "Deliver all the same, or refund the payment in the provider's console."
        }
        AttentionReason::RefundedElsewhere => "Somebody refunded it at the provider: do not deliver.",
        AttentionReason::RefundUnresolved => {
            "Look the refund up in the provider's console and confirm what became of it; its amount stays reserved."
        }
        AttentionReason::RefundFailed => {
            "Read the provider's reason; ask for a new refund under a new number, or give the money back by hand."
        }
        AttentionReason::ProviderOps => {
            "Repair the account's credentials or balance; orders go on by themselves."
        }
    }
}
