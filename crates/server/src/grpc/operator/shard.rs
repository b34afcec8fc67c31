//! Where work is done: partitions, their owners, and what is left of the accounts' budgets.

use std::collections::BTreeSet;

use paymux_domain::name::{AccountId, MerchantId, NameError, ProviderId, ShardGroup};
use paymux_domain::outcome::Operation;
use paymux_domain::ports::{AccountReport, BreakerReport, OperationReport, ShardReport};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;
use paymux_proto::v1::get_shard_request::Target;
use paymux_proto::{api, v1};

use super::Operator;
use crate::config::{Account, InForce};
use crate::ingest::Refusal;

/// The partitions that a target leads to.
struct Asked {
    shard_group: String,
    slices: u32,
    partition: Partition,
    /// Whose limits are told: those of these accounts alone, where a merchant is asked about; the partition may hold
    /// others'. `None`: of all.
    accounts: Option<BTreeSet<AccountId>>,
}

impl Operator {
    pub(super) async fn shard(&self, target: Option<Target>) -> Result<v1::GetShardResponse, Refusal> {
        let Asked { shard_group, slices, partition, accounts } = self.asked(target)?;
        let lag_records = self.parts.log.lag(partition).await.map_err(|error| {
            tracing::warn!(%error, "the lag cannot be read");
            Refusal::LogUnavailable
        })?;
        let swept = self.parts.store.swept_through(partition).await?;
        let report = self.parts.shards.report(partition).await?;
        let told = report.map(|report| self.told(report, accounts.as_ref())).unwrap_or_default();
        let status = v1::PartitionStatus {
            partition: u32::from(partition.0),
            lag_records,
            swept_through_time: swept.map(|bucket| api::timestamp(bucket.start())),
            ..told
        };
        Ok(v1::GetShardResponse { shard_group, slices, partitions: vec![status] })
    }

    fn asked(&self, target: Option<Target>) -> Result<Asked, Refusal> {
        let count = self.parts.log.partitions();
        let of_group = |group: &ShardGroup, accounts| Asked {
            shard_group: group.to_string(),
            slices: 1,
            partition: Partition::of(group, count),
            accounts,
        };
        match target {
            None => Err(Refusal::field("target", "is required")),
            Some(Target::MerchantId(id)) => {
                let id: MerchantId = parsed("merchant_id", &id)?;
                let registry = self.parts.registry.load();
                let merchant = registry.merchants.get(&id).ok_or(Refusal::MerchantUnknown)?;
                let accounts = merchant.routes.iter().map(|route| route.account.clone()).collect();
                Ok(of_group(&merchant.shard_group, Some(accounts)))
            }
            Some(Target::ShardGroup(group)) => Ok(of_group(&parsed("shard_group", &group)?, None)),
            Some(Target::Partition(number)) => {
                let partition = u16::try_from(number).ok().filter(|number| *number < count);
                let allowed = || Refusal::field("partition", format!("must be below {count}"));
                let partition = Partition(partition.ok_or_else(allowed)?);
                Ok(Asked { shard_group: String::new(), slices: 0, partition, accounts: None })
            }
        }
    }

    /// What an owner told, without what log and store know better.
    fn told(&self, report: ShardReport, only: Option<&BTreeSet<AccountId>>) -> v1::PartitionStatus {
        let registry = self.parts.registry.load();
        let wanted =
            |account: &&AccountReport| only.is_none_or(|accounts| accounts.contains(&account.account));
        let limits = report.accounts.iter().filter(wanted);
        v1::PartitionStatus {
            lease_expire_time: report.lease_until.map(api::timestamp),
            window_records: Some(report.window_records),
            wait_reason: report.wait_reason.unwrap_or_default(),
            report_time: Some(api::timestamp(report.report_time)),
            report_age: Some(self.age(report.report_time)),
            generation: report.generation,
            owned_since_time: Some(api::timestamp(report.owned_since)),
            oldest_unresolved_time: report.unresolved.oldest.map(api::timestamp),
            unresolved_orders: Some(report.unresolved.orders),
            unresolved_incomplete: report.unresolved.is_incomplete,
            limits: limits.map(|account| limits_told(account, &registry)).collect(),
            limits_left_out: report.accounts_left_out,
            owner: report.owner,
            ..v1::PartitionStatus::default()
        }
    }

    /// How long ago something was told, in real time.
    fn age(&self, told: Timestamp) -> prost_types::Duration {
        let clock = &self.parts.clock;
        api::span(clock.now().since(told) / clock.factor().get())
    }

    pub(super) async fn limits(
        &self,
        request: &v1::GetLimitsRequest,
    ) -> Result<v1::GetLimitsResponse, Refusal> {
        let provider: ProviderId = parsed("provider", &request.provider)?;
        let id: AccountId = parsed("account", &request.account)?;
        let (configured, partition) = {
            let registry = self.parts.registry.load();
            let account = registry.accounts.get(&id).filter(|account| account.provider == provider);
            let missing =
                || Refusal::field("account", format!("no account {id} at {provider} is configured"));
            let configured = limits_configured(&id, account.ok_or_else(missing)?);
            let uses =
                |merchant: &&crate::config::Merchant| merchant.routes.iter().any(|route| route.account == id);
            // All merchants of an account are in one group.
            let count = self.parts.log.partitions();
            let user = registry.merchants.values().find(uses);
            (configured, user.map(|merchant| Partition::of(&merchant.shard_group, count)))
        };
        let report = match partition {
            Some(partition) => self.parts.shards.report(partition).await?,
            None => None,
        };
        let told = report.as_ref().and_then(|report| {
            let account = report.accounts.iter().find(|account| account.account == id)?;
            Some((report, account))
        });
        let Some((report, account)) = told else {
            return Ok(v1::GetLimitsResponse {
                limits: Some(configured),
                ..v1::GetLimitsResponse::default()
            });
        };
        Ok(v1::GetLimitsResponse {
            limits: Some(limits_told(account, &self.parts.registry.load())),
            owner: report.owner.clone(),
            report_time: Some(api::timestamp(report.report_time)),
            report_age: Some(self.age(report.report_time)),
        })
    }
}

fn parsed<N: std::str::FromStr<Err = NameError>>(field: &'static str, text: &str) -> Result<N, Refusal> {
    text.parse().map_err(|error: NameError| Refusal::field(field, error.to_string()))
}

fn limits_told(account: &AccountReport, registry: &InForce) -> v1::AccountLimits {
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
