//! Whether shard groups are divided as it is recorded, and recording another division. Who divides a group otherwise
//! while an order of it is open gives that order two owners; processes that divide it differently give it two at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use paymux_backends::cql::CqlStore;
use paymux_domain::name::ShardGroup;
use paymux_domain::ports::{Clock, LogError, ShardBoard, StoreError};
use paymux_domain::shard::{Partition, SlicedGroup};

use super::backend::Backend;
use super::{BackendError, StartError, placement};
use crate::clock::ScaledClock;
use crate::config::{Config, Place, Registry};
use crate::store_view::{StoreView, in_time};

/// Real time without a word after which a worker counts as gone: several times the pause between two words.
const SILENT: Duration = Duration::from_secs(15);

/// A group that is divided otherwise than it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlicesChange {
    /// The group.
    pub group: ShardGroup,
    /// Into how many slices it is divided as far as is recorded.
    pub from: u16,
    /// Into how many the configuration divides it.
    pub to: u16,
}

/// Why shard groups cannot be divided as the configuration says.
#[derive(Debug, thiserror::Error)]
pub enum SlicesError {
    /// It is recorded otherwise, and other processes may hold to that.
    #[error("shard groups are recorded with other numbers of slices than they have here:{}", lines(.0))]
    Recorded(Vec<SlicesChange>),
    /// Records that may be about orders of the group were never worked on.
    #[error(
        "shard_groups.{}.slices: is {} and was {}, but {records} records lie unread in partition {partition}, and \
         orders of the group may be among them: work on them with the former number first",
        change.group, change.to, change.from
    )]
    Unread {
        /// The change.
        change: SlicesChange,
        /// Where.
        partition: Partition,
        /// How many.
        records: u64,
    },
    /// A worker told of itself just now.
    #[error("slices cannot be recorded while the worker {0} runs: stop every process first")]
    Running(String),
    /// The log does not tell what lies unread.
    #[error("whether records lie unread cannot be told: {0}")]
    Log(#[from] LogError),
    /// The store does not tell, or does not take it.
    #[error("how shard groups are divided cannot be read or recorded: {0}")]
    Store(#[from] StoreError),
}

fn lines(changes: &[SlicesChange]) -> String {
    let line = |SlicesChange { group, from, to }: &SlicesChange| {
        format!(
            "\nshard_groups.{group}.slices: is {to} and recorded as {from}; for another number stop every process, \
             then run `paymux migrate` with it, or on a data folder `paymux serve`"
        )
    };
    changes.iter().map(line).collect()
}

/// Every group whose number differs; one that nothing is recorded of was whole.
fn changes(recorded: &BTreeMap<ShardGroup, u16>, registry: &Registry) -> Vec<SlicesChange> {
    let groups: BTreeSet<&ShardGroup> = recorded.keys().chain(registry.slices.keys()).collect();
    let number = |of: &BTreeMap<ShardGroup, u16>, group: &ShardGroup| of.get(group).copied().unwrap_or(1);
    let change = |group: &ShardGroup| SlicesChange {
        group: group.clone(),
        from: number(recorded, group),
        to: number(&registry.slices, group),
    };
    groups.into_iter().map(change).filter(|change| change.from != change.to).collect()
}

/// What a start needs to know before it looks where orders lie: on a cluster the numbers are those that are recorded. A
/// data folder belongs to this process alone, which may change them; what it changes is given back.
///
/// # Errors
/// See [`SlicesError`].
pub(super) fn check(backend: &Backend, registry: &Registry) -> Result<Vec<SlicesChange>, SlicesError> {
    match backend {
        Backend::Embedded(embedded) => Ok(changes(&embedded.slices()?, registry)),
        Backend::Cluster { store, .. } => as_recorded(store.slices(), registry).map(|()| Vec::new()),
    }
}

/// Whether the numbers are those that are recorded.
///
/// # Errors
/// [`SlicesError::Recorded`].
pub(super) fn as_recorded(
    recorded: &BTreeMap<ShardGroup, u16>,
    registry: &Registry,
) -> Result<(), SlicesError> {
    match changes(recorded, registry) {
        none if none.is_empty() => Ok(()),
        changes => Err(SlicesError::Recorded(changes)),
    }
}

/// Records other numbers, once nothing lies unread where orders of the groups were; that none is open there was looked
/// at before.
pub(super) async fn record(
    backend: &Backend,
    registry: &Registry,
    changes: &[SlicesChange],
) -> Result<(), SlicesError> {
    let log = backend.log();
    for change in changes {
        let before = SlicedGroup::new(change.group.clone(), change.from);
        let before = before.unwrap_or_else(|| SlicedGroup::whole(change.group.clone()));
        for partition in before.partitions(registry.partitions) {
            let records = log.lag(partition).await?;
            if records > 0 {
                return Err(SlicesError::Unread { change: change.clone(), partition, records });
            }
        }
    }
    for SlicesChange { group, from, to } in changes {
        match backend {
            Backend::Embedded(embedded) => embedded.record_slices(group, *to)?,
            Backend::Cluster { store, .. } => in_time(store.record_slices(group, *to)).await?,
        }
        tracing::info!(%group, from, to, "the number of slices of a shard group is recorded");
    }
    Ok(())
}

/// Records the numbers of a cluster's configuration while no process runs; says which were changed. On the embedded
/// backend the start does it.
///
/// # Errors
/// Log or store do not open, a worker runs, or an order of a group whose number changes is open or unread.
pub async fn record_cluster_slices(config: &Config) -> Result<Vec<SlicesChange>, StartError> {
    let Place::Cluster(cluster) = &config.backend.place else { return Ok(Vec::new()) };
    let clock: Arc<dyn Clock> = Arc::new(ScaledClock::new(config.clock));
    let store = CqlStore::open(&cluster.cql, Arc::clone(&clock)).await.map_err(BackendError::Store)?;
    let changes = changes(store.slices(), &config.registry);
    if changes.is_empty() {
        return Ok(changes);
    }
    let partitions = config.registry.partitions;
    if let Some(owner) = running(&store, partitions, &*clock).await? {
        return Err(SlicesError::Running(owner).into());
    }
    let backend = Backend::open(&config.backend, &clock).await?;
    let view = StoreView::new(backend.store());
    placement::check(&view, partitions, &config.registry, clock.now()).await?;
    record(&backend, &config.registry, &changes).await?;
    Ok(changes)
}

/// A worker that has told of a partition just now.
async fn running(
    board: &dyn ShardBoard,
    partitions: u16,
    clock: &dyn Clock,
) -> Result<Option<String>, SlicesError> {
    for partition in (0..partitions).map(Partition) {
        let told = in_time(board.told(partition)).await?;
        let is_recent = |told| clock.now().since(told) / clock.factor().get() < SILENT;
        if let Some(report) = told.filter(|report| is_recent(report.report_time)) {
            return Ok(Some(report.owner));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(numbers: &[(&str, u16)]) -> BTreeMap<ShardGroup, u16> {
        numbers.iter().map(|(name, number)| (name.parse().unwrap(), *number)).collect()
    }

    #[test]
    fn what_is_neither_recorded_nor_configured_is_whole() {
        let registry =
            Registry { slices: numbers(&[("same", 4), ("new", 2), ("one", 1)]), ..Registry::default() };
        let found = changes(&numbers(&[("same", 4), ("gone", 3), ("whole", 1)]), &registry);
        let found: Vec<_> =
            found.iter().map(|change| (change.group.as_str(), change.from, change.to)).collect();
        assert_eq!(found, [("gone", 3, 1), ("new", 1, 2)]);
    }

    #[test]
    fn a_refusal_names_each_group_and_what_helps() {
        let registry = Registry { slices: numbers(&[("big", 4), ("other", 2)]), ..Registry::default() };
        let told = SlicesError::Recorded(changes(&numbers(&[("big", 2)]), &registry)).to_string();
        assert!(told.contains("shard_groups.big.slices: is 4 and recorded as 2"), "{told}");
        assert!(told.contains("shard_groups.other.slices: is 2 and recorded as 1"), "{told}");
        assert!(told.contains("`paymux migrate`"), "{told}");
    }
}
