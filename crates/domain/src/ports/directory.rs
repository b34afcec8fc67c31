//! What the configuration says of merchants and accounts, as the engine needs it.

use crate::name::{AccountId, MerchantId, OrderKey, ShardGroup};
use crate::outcome::Operation;
use crate::shard::Partition;

/// What happens to money that arrives after an order's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatePolicy {
    /// Deliver all the same: FULFIL.
    Complete,
    /// Give it back: DO_NOT_FULFIL, and an automatic refund after a while.
    Refund,
    /// A person decides.
    Park,
}

/// What happens to a second payment of one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicatePolicy {
    /// Give it back by an automatic refund after a while.
    Refund,
    /// A person decides.
    Park,
}

/// A merchant's policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MerchantPolicy {
    /// What happens to late money.
    pub late_payment: LatePolicy,
    /// What happens to a second payment.
    pub duplicate_payment: DuplicatePolicy,
}

/// How often an account may be called for one operation, in physical time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Calls per second, at least 1.
    pub per_second: u32,
    /// Calls that may leave at once after a pause, at least 1.
    pub burst: u32,
}

/// An account's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountPolicy {
    /// Budgets in the order of [`Operation::ALL`].
    pub budgets: [Budget; 4],
    /// Calls in flight at most.
    pub in_flight_max: u32,
}

impl AccountPolicy {
    /// The budget of an operation.
    #[must_use]
    pub const fn budget(&self, operation: Operation) -> Budget {
        let [create, query, close, refund] = self.budgets;
        match operation {
            Operation::Create => create,
            Operation::Query => query,
            Operation::Close => close,
            Operation::Refund => refund,
        }
    }

    /// What some slices of `of` have of it. The shares of all slices are together the whole, and differ by one at most.
    #[must_use]
    pub fn share(&self, slices: impl IntoIterator<Item = u16> + Clone, of: u16) -> Self {
        let share = |whole| slices.clone().into_iter().map(|slice| part(whole, slice, of)).sum();
        let divided =
            |budget: Budget| Budget { per_second: share(budget.per_second), burst: share(budget.burst) };
        Self { budgets: self.budgets.map(divided), in_flight_max: share(self.in_flight_max) }
    }
}

/// A slice's part of a whole number: what lies between two of `of + 1` even marks.
fn part(whole: u32, slice: u16, of: u16) -> u32 {
    let mark = |slice: u64| u64::from(whole) * slice / u64::from(of.max(1));
    let part = mark(u64::from(slice) + 1) - mark(u64::from(slice));
    u32::try_from(part).unwrap_or(whole)
}

/// Looks merchants and accounts up; may change at run time.
pub trait Directory: Send + Sync {
    /// A merchant's policies; `None` while it is unknown: its records wait.
    fn merchant(&self, merchant_id: &MerchantId) -> Option<MerchantPolicy>;

    /// An account's limits as the owner of a partition keeps them: all of them, or the share of the slices that lie
    /// there. `None` while it is unknown: its orders wait.
    fn account(&self, account: &AccountId, partition: Partition) -> Option<AccountPolicy>;

    /// Under which key the commands of an order go now; `None`: under the one that it was created with, as far as is
    /// known here.
    fn shard_key(&self, _order: &OrderKey) -> Option<ShardGroup> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: AccountPolicy = AccountPolicy {
        budgets: [
            Budget { per_second: 10, burst: 4 },
            Budget { per_second: 300, burst: 50 },
            Budget { per_second: 7, burst: 5 },
            Budget { per_second: 4, burst: 9 },
        ],
        in_flight_max: 6,
    };

    #[test]
    fn the_shares_of_all_slices_are_together_exactly_the_whole() {
        let shares: Vec<AccountPolicy> = (0..4).map(|slice| POLICY.share([slice], 4)).collect();
        for (at, whole) in POLICY.budgets.iter().enumerate() {
            let sum = |of: fn(&Budget) -> u32| shares.iter().map(|share| of(&share.budgets[at])).sum::<u32>();
            assert_eq!((sum(|b| b.per_second), sum(|b| b.burst)), (whole.per_second, whole.burst));
        }
        assert_eq!(shares.iter().map(|share| share.in_flight_max).sum::<u32>(), POLICY.in_flight_max);
        assert_eq!(POLICY.share(0..4, 4), POLICY);
    }

    #[test]
    fn slices_of_one_owner_share_what_they_have_together() {
        let [first, last] = [POLICY.share([0], 4), POLICY.share([3], 4)];
        let both = POLICY.share([0, 3], 4);
        for (at, budget) in both.budgets.iter().enumerate() {
            assert_eq!(budget.per_second, first.budgets[at].per_second + last.budgets[at].per_second);
        }
        assert_eq!(both.in_flight_max, first.in_flight_max + last.in_flight_max);
    }

    #[test]
    fn what_can_be_divided_leaves_no_slice_without() {
        for slice in 0..4 {
            let share = POLICY.share([slice], 4);
            assert!(share.budgets.iter().all(|budget| budget.per_second > 0 && budget.burst > 0));
            assert!(share.in_flight_max > 0);
        }
    }
}
