//! What the configuration says of merchants and accounts, as the engine needs it.

use crate::name::{AccountId, MerchantId};
use crate::outcome::Operation;

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
}

/// Looks merchants and accounts up; may change at run time.
pub trait Directory: Send + Sync {
    /// A merchant's policies; `None` while it is unknown: its records wait.
    fn merchant(&self, merchant_id: &MerchantId) -> Option<MerchantPolicy>;

    /// An account's limits; `None` while it is unknown: its orders wait.
    fn account(&self, account: &AccountId) -> Option<AccountPolicy>;
}
