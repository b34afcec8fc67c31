//! Partitions of the log, slices of shard groups, and the stable hash that assigns orders to both.

use std::collections::BTreeSet;
use std::fmt;

use crate::name::{MerchantOrderNo, ShardGroup};

/// A partition of the log, numbered from 0. The count is fixed for a cluster's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub u16);

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Partition {
    /// The partition of a shard group among `count` partitions (at least 1).
    #[must_use]
    pub fn of(group: &ShardGroup, count: u16) -> Self {
        let slot = stable_hash(group.as_str().as_bytes()) % u64::from(count.max(1));
        Self(u16::try_from(slot).unwrap_or(0))
    }
}

/// Separates a group from the number of a slice in the key of the slice: `group#3`.
pub const SLICE_MARK: char = '#';

/// A shard group and into how many slices it is divided: what decides where an order of it lies.
///
/// A group that is whole is its own key, so dividing one is what moves its orders; a slice is named `group#i`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlicedGroup {
    group: ShardGroup,
    slices: u16,
    /// The keys of the slices, in their order; at least one.
    keys: Vec<ShardGroup>,
}

impl SlicedGroup {
    /// A group that is not divided.
    #[must_use]
    pub fn whole(group: ShardGroup) -> Self {
        Self { keys: vec![group.clone()], group, slices: 1 }
    }

    /// A group of so many slices; `None` if there is none, or its name is too long to be numbered.
    #[must_use]
    pub fn new(group: ShardGroup, slices: u16) -> Option<Self> {
        if slices == 1 {
            return Some(Self::whole(group));
        }
        let key = |number: u16| format!("{group}{SLICE_MARK}{number}").parse().ok();
        let keys: Vec<ShardGroup> = (0..slices).map(key).collect::<Option<_>>()?;
        (!keys.is_empty()).then_some(Self { group, slices, keys })
    }

    /// The group.
    #[must_use]
    pub fn group(&self) -> &ShardGroup {
        &self.group
    }

    /// Into how many slices it is divided, at least 1.
    #[must_use]
    pub const fn slices(&self) -> u16 {
        self.slices
    }

    /// The shard key of an order of this group, for the whole of its life.
    #[must_use]
    pub fn key(&self, order_no: &MerchantOrderNo) -> &ShardGroup {
        let slice = stable_hash(order_no.as_str().as_bytes()) % u64::from(self.slices);
        usize::try_from(slice).ok().and_then(|slice| self.keys.get(slice)).unwrap_or(&self.group)
    }

    /// Where an order of this group lies among `count` partitions.
    #[must_use]
    pub fn partition(&self, order_no: &MerchantOrderNo, count: u16) -> Partition {
        Partition::of(self.key(order_no), count)
    }

    /// The partitions of all slices among `count`; several slices may share one.
    #[must_use]
    pub fn partitions(&self, count: u16) -> BTreeSet<Partition> {
        self.keys.iter().map(|key| Partition::of(key, count)).collect()
    }

    /// The slices that lie in a partition among `count`.
    pub fn slices_in(&self, partition: Partition, count: u16) -> impl Iterator<Item = u16> + '_ {
        (0..).zip(&self.keys).filter(move |(_, key)| Partition::of(key, count) == partition).map(|(n, _)| n)
    }
}

impl fmt::Display for SlicedGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.slices {
            1 => self.group.fmt(f),
            slices => write!(f, "{} in {slices} slices", self.group),
        }
    }
}

/// FNV-1a over the bytes with a final mix: the same on every machine, build and version.
///
/// It is stored (partitions, fingerprints, digests), so it must never change.
#[must_use]
pub fn stable_hash(bytes: &[u8]) -> u64 {
    let mut hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, byte| (h ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_hash_never_changes() {
        // Computed independently of this code.
        assert_eq!(stable_hash(b""), 17058014651485797458);
        assert_eq!(stable_hash(b"merchant-1"), 11501128113991673219);
        assert_ne!(stable_hash(b"merchant-1"), stable_hash(b"merchant-2"));
    }

    fn sliced(slices: u16) -> SlicedGroup {
        SlicedGroup::new("big".parse().expect("a valid group"), slices).expect("a group that can be sliced")
    }

    fn number(n: u32) -> MerchantOrderNo {
        format!("o{n}").parse().expect("a valid number")
    }

    #[test]
    fn the_slice_of_an_order_never_changes() {
        // Computed independently of this code: stored orders lie there.
        let of = |text: &str| sliced(4).key(&text.parse().expect("a valid number")).to_string();
        assert_eq!((of("merchant-1"), of("merchant-2")), ("big#3".to_owned(), "big#2".to_owned()));
        assert_eq!(sliced(1).key(&number(1)).as_str(), "big", "a whole group is its own key");
    }

    #[test]
    fn orders_of_one_merchant_are_spread_evenly_over_the_slices_and_lie_in_their_partitions() {
        let group = sliced(4);
        let mut seen = std::collections::BTreeMap::<String, u32>::new();
        for n in 0..4000 {
            *seen.entry(group.key(&number(n)).to_string()).or_default() += 1;
            assert!(group.partitions(8).contains(&group.partition(&number(n), 8)));
        }
        assert_eq!(seen.keys().map(String::as_str).collect::<Vec<_>>(), ["big#0", "big#1", "big#2", "big#3"]);
        assert!(seen.values().all(|count| (850..1150).contains(count)), "{seen:?}");
    }

    #[test]
    fn every_slice_lies_in_exactly_one_partition() {
        let group = sliced(16);
        let mut slices: Vec<u16> = (0..8).flat_map(|n| group.slices_in(Partition(n), 8)).collect();
        slices.sort_unstable();
        assert_eq!(slices, (0..16).collect::<Vec<_>>());
        assert!(group.partitions(8).len() <= 8);
    }

    #[test]
    fn a_group_is_not_divided_into_nothing_nor_under_a_name_that_cannot_be_numbered() {
        assert_eq!(SlicedGroup::new("big".parse().expect("a valid group"), 0), None);
        let long: ShardGroup = "g".repeat(80).parse().expect("a valid group");
        assert_eq!(SlicedGroup::new(long.clone(), 2), None);
        assert_eq!(SlicedGroup::new(long.clone(), 1), Some(SlicedGroup::whole(long)));
    }

    #[test]
    fn every_partition_gets_some_groups() {
        let mut seen = [0_u32; 8];
        for n in 0..1000 {
            let group: ShardGroup = format!("m{n}").parse().expect("a valid group");
            seen[usize::from(Partition::of(&group, 8).0)] += 1;
        }
        assert!(seen.iter().all(|count| (80..180).contains(count)), "{seen:?}");
    }
}
