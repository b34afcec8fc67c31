//! What is left of the budgets of an account: of the whole of it, whoever has a part.

use std::collections::BTreeSet;

use paymux_domain::name::{AccountId, ProviderId};
use paymux_domain::outcome::Operation;
use paymux_domain::ports::{AccountReport, BreakerReport, OperationReport, ShardReport};
use paymux_domain::shard::Partition;
use paymux_proto::{api, v1};

use super::Operator;
use super::shard::parsed;
use crate::config::{Account, InForce};
use crate::ingest::Refusal;

impl Operator {
    pub(super) async fn limits(
        &self,
        request: &v1::GetLimitsRequest,
    ) -> Result<v1::GetLimitsResponse, Refusal> {
        let provider: ProviderId = parsed("provider", &request.provider)?;
        let id: AccountId = parsed("account", &request.account)?;
        let (mut limits, partitions) = {
            let registry = self.parts.registry.load();
            let account = registry.accounts.get(&id).filter(|account| account.provider == provider);
            let missing =
                || Refusal::field("account", format!("no account {id} at {provider} is configured"));
            let configured = limits_configured(&id, account.ok_or_else(missing)?);
            let uses =
                |merchant: &&crate::config::Merchant| merchant.routes.iter().any(|route| route.account == id);
            // All merchants of an account are in one group.
            let user = registry.merchants.values().find(uses);
            let count = self.parts.log.partitions();
            (configured, user.map(|merchant| merchant.shard_group.partitions(count)).unwrap_or_default())
        };
        let told = self.told_of(&id, &partitions).await?;
        let Some((oldest, _)) = told.iter().min_by_key(|(report, _)| report.report_time) else {
            return Ok(v1::GetLimitsResponse { limits: Some(limits), ..v1::GetLimitsResponse::default() });
        };
        let registry = self.parts.registry.load();
        let parts: Vec<_> = told.iter().map(|(_, account)| limits_told(account, &registry)).collect();
        add_up(&mut limits, &parts, parts.len() == partitions.len());
        Ok(v1::GetLimitsResponse {
            limits: Some(limits),
            owner: oldest.owner.clone(),
            report_time: Some(api::timestamp(oldest.report_time)),
            report_age: Some(self.age(oldest.report_time)),
        })
    }

    /// What the owners of these partitions told of an account.
    async fn told_of(
        &self,
        id: &AccountId,
        partitions: &BTreeSet<Partition>,
    ) -> Result<Vec<(ShardReport, AccountReport)>, Refusal> {
        let mut told = Vec::new();
        for partition in partitions {
            let Some(report) = self.parts.shards.report(*partition).await? else { continue };
            let account = report.accounts.iter().find(|account| account.account == *id).cloned();
            told.extend(account.map(|account| (report, account)));
        }
        Ok(told)
    }
}

/// Adds up what owners told, each of its part. The rate of now is known only if all of them have told.
fn add_up(whole: &mut v1::AccountLimits, parts: &[v1::AccountLimits], is_complete: bool) {
    for limit in &mut whole.operations {
        let of_parts = parts.iter().flat_map(|part| &part.operations);
        let parts: Vec<_> = of_parts.filter(|part| part.operation == limit.operation).collect();
        let rates = parts.iter().map(|part| part.rate_now_per_s);
        limit.rate_now_per_s = rates.sum::<Option<f64>>().filter(|_| is_complete);
        limit.waiting_count = parts.iter().map(|part| part.waiting_count).sum();
        let slots = parts.iter().filter_map(|part| part.next_slot_time);
        limit.next_slot_time = slots.min_by_key(|slot| (slot.seconds, slot.nanos));
    }
    whole.live_calls = parts.iter().map(|part| part.live_calls).sum();
    if let Some(worst) = parts.iter().max_by_key(|part| openness(part.breaker())) {
        (whole.breaker, whole.breaker_retry_time) = (worst.breaker, worst.breaker_retry_time);
    }
}

/// How far from closed a breaker is.
const fn openness(breaker: v1::BreakerState) -> u8 {
    match breaker {
        v1::BreakerState::Unspecified => 0,
        v1::BreakerState::Closed => 1,
        v1::BreakerState::HalfOpen => 2,
        v1::BreakerState::Open => 3,
    }
}

/// What an owner told of its part of an account.
pub(super) fn limits_told(account: &AccountReport, registry: &InForce) -> v1::AccountLimits {
    let provider = registry.accounts.get(&account.account).map(|known| known.provider.to_string());
    let (breaker, retry) = match account.breaker {
        BreakerReport::Closed => (v1::BreakerState::Closed, None),
        BreakerReport::Open(until) => (v1::BreakerState::Open, Some(until)),
        BreakerReport::Probing => (v1::BreakerState::HalfOpen, None),
    };
    let operation = |report: &OperationReport| {
        let rate_per_s = f64::from(report.rate_per_s);
        v1::OperationLimit {
            operation: api::operation_word(report.operation).into(),
            rate_per_s,
            rate_now_per_s: Some(rate_per_s / 2_f64.powi(i32::try_from(report.cuts).unwrap_or(i32::MAX))),
            burst: report.burst,
            waiting_count: Some(report.waiting),
            next_slot_time: Some(api::timestamp(report.next_slot)),
        }
    };
    v1::AccountLimits {
        provider: provider.unwrap_or_default(),
        account: account.account.to_string(),
        operations: account.operations.iter().map(operation).collect(),
        breaker: breaker.into(),
        breaker_retry_time: retry.map(api::timestamp),
        live_calls: Some(account.live_calls),
        live_calls_max: account.live_calls_max,
    }
}

/// What is known of an account of which nobody has told.
fn limits_configured(id: &AccountId, account: &Account) -> v1::AccountLimits {
    let operation = |operation: Operation| {
        let budget = account.policy.budget(operation);
        v1::OperationLimit {
            operation: api::operation_word(operation).into(),
            rate_per_s: f64::from(budget.per_second),
            burst: budget.burst,
            ..v1::OperationLimit::default()
        }
    };
    v1::AccountLimits {
        provider: account.provider.to_string(),
        account: id.to_string(),
        operations: Operation::ALL.map(operation).to_vec(),
        live_calls_max: account.policy.in_flight_max,
        ..v1::AccountLimits::default()
    }
}
