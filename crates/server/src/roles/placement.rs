//! Whether open orders lie where the commands of their merchants go. A shard group that was changed between two runs
//! would give an order two owners, and two owners may send its refund twice.

use std::collections::BTreeMap;
use std::fmt;

use paymux_domain::fact::Closure;
use paymux_domain::fold::Order;
use paymux_domain::followup::Followup;
use paymux_domain::name::{MerchantId, OrderKey, ShardGroup};
use paymux_domain::ports::{DueRow, Snapshot, StoreError};
use paymux_domain::shard::{Partition, SLICE_MARK, SlicedGroup};
use paymux_domain::time::Timestamp;

use crate::config::Registry;
use crate::due::DuePages;
use crate::store_view::StoreView;

/// Rows that are read at once.
const ROWS: usize = 1000;

/// Merchants that one message names.
const NAMED_MAX: usize = 20;

/// Why a process does not start on the orders that it has.
#[derive(Debug, thiserror::Error)]
pub enum PlacementError {
    /// Merchants have another group than their open orders.
    #[error("{0}")]
    Moved(Moved),
    /// The store does not tell.
    #[error("whether open orders lie with their merchants cannot be read: {0}")]
    Store(#[from] StoreError),
}

/// Merchants with the group that they have now and, where it is known, the shard key of an open order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Moved(BTreeMap<MerchantId, (SlicedGroup, Option<ShardGroup>)>);

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("open orders lie where other shard groups had them:")?;
        for (id, (now, before)) in self.0.iter().take(NAMED_MAX) {
            write!(f, "\nmerchants.{id}.shard_group: is {now}, ")?;
            match before {
                Some(before) if group_of(before) == now.group().as_str() => write!(
                    f,
                    "and shard_groups.{}.slices must be what it was when orders went to {before}, until those have ended",
                    now.group()
                )?,
                Some(before) => {
                    write!(f, "and must be {} until the orders that have it have ended", group_of(before))?;
                }
                None => f.write_str("and must be what it was until the orders from before have ended")?,
            }
        }
        match self.0.len().saturating_sub(NAMED_MAX) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more merchants"),
        }
    }
}

/// The name of the group of a shard key, whole or a slice.
fn group_of(key: &ShardGroup) -> &str {
    key.as_str().split_once(SLICE_MARK).map_or(key.as_str(), |(group, _)| group)
}

/// Looks at every order that is still due. What was swept is done with; what lies in the log and was never worked on is
/// not seen.
///
/// # Errors
/// All merchants whose open orders lie elsewhere, or the store's own.
pub(super) async fn check(
    store: &StoreView,
    partitions: u16,
    registry: &Registry,
    now: Timestamp,
) -> Result<(), PlacementError> {
    let mut moved = Moved::default();
    for partition in (0..partitions).map(Partition) {
        let mut pages = DuePages::open(store, partition, now, ROWS).await?;
        while let Some(rows) = pages.next().await? {
            let strangers = rows.into_iter().filter_map(|DueRow { key, .. }| {
                let group = &registry.merchants.get(&key.merchant_id)?.shard_group;
                (group.partition(&key.order_no, partitions) != partition).then_some((key, group))
            });
            for (key, group) in strangers {
                moved.look_at(store, key, group).await?;
            }
        }
    }
    if moved.0.is_empty() { Ok(()) } else { Err(PlacementError::Moved(moved)) }
}

impl Moved {
    /// Notes the merchant of an order that lies elsewhere, unless the order has ended.
    async fn look_at(
        &mut self,
        store: &StoreView,
        key: OrderKey,
        group: &SlicedGroup,
    ) -> Result<(), StoreError> {
        if self.0.contains_key(&key.merchant_id) {
            return Ok(());
        }
        let Snapshot { facts, followup } = store.read(&key).await?;
        let order = Order::from_facts(facts);
        if is_open(&order, &followup) {
            let before = order.created().map(|created| created.shard_group.clone());
            self.0.insert(key.merchant_id, (group.clone(), before));
        }
        Ok(())
    }
}

/// Whether its owner may still act on an order by itself. A row before the facts counts: its record comes again.
fn is_open(order: &Order, followup: &Followup) -> bool {
    let is_asked_about = order.closure().is_some_and(Closure::is_unproven) && !followup.asked_after_end;
    let is_refunded = order.refunds().iter().any(|refund| refund.end().is_none());
    !order.state().is_final() || is_asked_about || is_refunded
}
