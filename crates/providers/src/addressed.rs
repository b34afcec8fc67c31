//! Notifications that name a merchant whom their seal does not fit: whether the addressee's own key has sealed them.

use std::collections::BTreeMap;
use std::sync::Arc;

use paymux_domain::name::AccountId;
use paymux_domain::ports::RawNotification;

/// The account, of those that the URL's merchant has, whose key has sealed a notification which names another merchant,
/// and what was found on the way.
/// A merchant has few accounts, so that strangers' notifications cost few digests.
pub(crate) fn sealed_for<'a, T, R>(
    accounts: &'a BTreeMap<AccountId, Arc<T>>,
    raw: &RawNotification,
    sealed: impl Fn(&'a T) -> Option<R>,
) -> Option<(&'a Arc<T>, R)> {
    let mut addressed = raw.accounts.iter().filter_map(|id| accounts.get(id));
    addressed.find_map(|account| Some((account, sealed(account)?)))
}
