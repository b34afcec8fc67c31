//! Partitions of the log and the stable hash that assigns shard groups to them.

use std::fmt;

use crate::name::ShardGroup;

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
