//! Shard groups: what a merchant belongs to, and which groups are divided into slices.

use std::collections::BTreeMap;

use paymux_domain::limits::SLICES_MAX;
use paymux_domain::name::{MerchantId, ShardGroup};
use paymux_domain::ports::AccountPolicy;
use paymux_domain::shard::{SLICE_MARK, SlicedGroup};
use toml::Table;

use super::reader::Reader;
use super::registry::Registry;

/// Characters of the name of a group that is divided: with the number of a slice it is still a shard key.
const NAME_CHARS_MAX: usize = 76;

/// What the numbers of [`AccountPolicy`] are called in the configuration, in its order.
const BUDGETS: [[&str; 2]; 4] = [
    ["budgets.create_per_s", "budgets.create_burst"],
    ["budgets.query_per_s", "budgets.query_burst"],
    ["budgets.close_per_s", "budgets.close_burst"],
    ["budgets.refund_per_s", "budgets.refund_burst"],
];

/// Reads `[shard_groups.NAME]`; faulty sections are noted and left out. `partitions` is `None` where it is faulty.
pub(super) fn read<'a>(
    tables: Vec<(ShardGroup, Table)>,
    partitions: Option<u16>,
    reader: impl Fn(String, Table) -> Reader<'a>,
) -> BTreeMap<ShardGroup, u16> {
    let mut groups = BTreeMap::new();
    for (name, table) in tables {
        let path = format!("shard_groups.{name}");
        let mut section = reader(path, table);
        let slices: Option<u16> = section.count("slices");
        if let Some(slices) = slices {
            if let Some(most) = partitions.filter(|partitions| slices > *partitions) {
                let problem = format!("{slices} slices, and the log has {most} partitions");
                section.fault("slices", problem, format!("1 to {}", most.min(SLICES_MAX)));
            }
            let is_plain = name.as_str().chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
            if !is_plain || name.as_str().len() > NAME_CHARS_MAX {
                let allowed = format!("a group of 1 to {NAME_CHARS_MAX} of 0-9 A-Z a-z _ -");
                section.fault("slices", "the slices of this group could not be named".to_owned(), allowed);
            }
            groups.insert(name, slices);
        }
        section.finish(&[]);
    }
    groups
}

/// Reads the group of a merchant: the one that it names, or one of its own.
pub(super) fn of_merchant(
    merchant: &mut Reader<'_>,
    id: &MerchantId,
    registry: &Registry,
) -> Option<SlicedGroup> {
    let group: ShardGroup = if merchant.holds("shard_group") {
        merchant.parsed("shard_group")?
    } else {
        id.as_str().parse().ok()?
    };
    if group.as_str().contains(SLICE_MARK) {
        let problem = format!("{group} is the name of a slice: {SLICE_MARK} stands before its number");
        merchant.fault("shard_group", problem, "a name without #, and slices in [shard_groups.NAME]");
        return None;
    }
    Some(registry.group(&group))
}

/// Notes each limit of an account that is too small to be divided over the slices of its group.
pub(super) fn report_indivisible(top: &Reader<'_>, registry: &Registry) {
    for (id, group) in registry.divided() {
        let Some(account) = registry.accounts.get(&id) else { continue };
        for (key, limit) in limits(&account.policy) {
            if limit < u32::from(group.slices()) {
                let problem = format!("{limit} cannot be divided over shard group {group}");
                top.fault(&format!("accounts.{id}.{key}"), problem, format!("at least {}", group.slices()));
            }
        }
    }
}

fn limits(policy: &AccountPolicy) -> impl Iterator<Item = (&'static str, u32)> + '_ {
    let budgets = BUDGETS.into_iter().zip(policy.budgets);
    let budgets =
        budgets.flat_map(|([rate, burst], budget)| [(rate, budget.per_second), (burst, budget.burst)]);
    budgets.chain([("in_flight_max", policy.in_flight_max)])
}
