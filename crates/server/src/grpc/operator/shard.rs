//! Where work is done: partitions and their owners.

use std::collections::BTreeSet;

use paymux_domain::name::{AccountId, MerchantId, NameError, ShardGroup};
use paymux_domain::ports::{AccountReport, ShardReport};
use paymux_domain::shard::{Partition, SLICE_MARK, SlicedGroup};
use paymux_domain::time::Timestamp;
use paymux_proto::v1::get_shard_request::Target;
use paymux_proto::{api, v1};

use super::Operator;
use super::limits::limits_told;
use crate::ingest::Refusal;

/// The partitions that a target leads to.
struct Asked {
    /// The group as it is divided here; `None` where a partition or a slice was asked for.
    group: Option<SlicedGroup>,
    /// What to call it.
    shard_group: String,
    partitions: BTreeSet<Partition>,
    /// Whose limits are told: those of these accounts alone, where a merchant is asked about; the partition may hold
    /// others'. `None`: of all.
    accounts: Option<BTreeSet<AccountId>>,
}

impl Operator {
    pub(super) async fn shard(&self, target: Option<Target>) -> Result<v1::GetShardResponse, Refusal> {
        let asked = self.asked(target)?;
        let mut partitions = Vec::new();
        for partition in &asked.partitions {
            partitions.push(self.status_of(*partition, &asked).await?);
        }
        let slices = match (&asked.group, asked.shard_group.is_empty()) {
            (Some(group), _) => group.slices(),
            (None, is_partition) => u16::from(!is_partition),
        };
        Ok(v1::GetShardResponse { shard_group: asked.shard_group, slices: u32::from(slices), partitions })
    }

    async fn status_of(&self, partition: Partition, asked: &Asked) -> Result<v1::PartitionStatus, Refusal> {
        let lag_records = self.parts.log.lag(partition).await.map_err(|error| {
            tracing::warn!(%error, "the lag cannot be read");
            Refusal::LogUnavailable
        })?;
        let swept = self.parts.store.swept_through(partition).await?;
        let report = self.parts.shards.report(partition).await?;
        let told = report.map(|report| self.told(report, asked.accounts.as_ref())).unwrap_or_default();
        let count = self.parts.log.partitions();
        let divided = asked.group.as_ref().filter(|group| group.slices() > 1);
        let slices = divided.into_iter().flat_map(|group| group.slices_in(partition, count)).map(u32::from);
        Ok(v1::PartitionStatus {
            partition: u32::from(partition.0),
            lag_records,
            swept_through_time: swept.map(|bucket| api::timestamp(bucket.start())),
            slices: slices.collect(),
            ..told
        })
    }

    fn asked(&self, target: Option<Target>) -> Result<Asked, Refusal> {
        let count = self.parts.log.partitions();
        let of_group = |group: SlicedGroup, accounts| Asked {
            shard_group: group.group().to_string(),
            partitions: group.partitions(count),
            group: Some(group),
            accounts,
        };
        let one = |shard_group: String, partition| Asked {
            group: None,
            shard_group,
            partitions: BTreeSet::from([partition]),
            accounts: None,
        };
        match target {
            None => Err(Refusal::field("target", "is required")),
            Some(Target::MerchantId(id)) => {
                let id: MerchantId = parsed("merchant_id", &id)?;
                let registry = self.parts.registry.load();
                let merchant = registry.merchants.get(&id).ok_or(Refusal::MerchantUnknown)?;
                let accounts = merchant.routes.iter().map(|route| route.account.clone()).collect();
                Ok(of_group(merchant.shard_group.clone(), Some(accounts)))
            }
            Some(Target::ShardGroup(name)) => {
                let group: ShardGroup = parsed("shard_group", &name)?;
                if name.contains(SLICE_MARK) {
                    return Ok(one(name, Partition::of(&group, count)));
                }
                Ok(of_group(self.parts.registry.load().group(&group), None))
            }
            Some(Target::Partition(number)) => {
                let partition = u16::try_from(number).ok().filter(|number| *number < count);
                let allowed = || Refusal::field("partition", format!("must be below {count}"));
                Ok(one(String::new(), Partition(partition.ok_or_else(allowed)?)))
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
    pub(super) fn age(&self, told: Timestamp) -> prost_types::Duration {
        let clock = &self.parts.clock;
        api::span(clock.now().since(told) / clock.factor().get())
    }
}

pub(super) fn parsed<N: std::str::FromStr<Err = NameError>>(
    field: &'static str,
    text: &str,
) -> Result<N, Refusal> {
    text.parse().map_err(|error: NameError| Refusal::field(field, error.to_string()))
}
