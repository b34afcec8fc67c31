//! Merchants, their routes and the accounts, as configured.

use std::collections::BTreeMap;

use paymux_domain::name::{AccountId, MerchantId, MerchantOrderNo, OutTradeNo, ProviderId, ShardGroup};
use paymux_domain::ports::{AccountPolicy, DuplicatePolicy, LatePolicy};
use paymux_domain::shard::SlicedGroup;
use paymux_providers::AccountInfo;

/// An account at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The provider it is at.
    pub provider: ProviderId,
    /// Its limits.
    pub policy: AccountPolicy,
}

/// An account that a merchant's orders may go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The account.
    pub account: AccountId,
    /// The provider of the account.
    pub provider: ProviderId,
    /// The methods that the merchant may use; the first is the default.
    pub methods: Vec<String>,
    /// Put before the merchant's numbers; may be empty.
    pub order_prefix: String,
}

/// A merchant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merchant {
    /// For people.
    pub name: String,
    /// What its orders' partitions are chosen by.
    pub shard_group: SlicedGroup,
    /// Its routes, the default one first; never empty.
    pub routes: Vec<Route>,
    /// What happens to late money.
    pub late_payment: LatePolicy,
    /// What happens to a second payment of one order.
    pub duplicate_payment: DuplicatePolicy,
    /// Commands accepted per second of real time.
    pub accept_per_s_max: u32,
}

/// Why a request has no route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteError {
    /// The merchant has no account at the provider.
    NoAccount {
        /// The providers at which it has one.
        providers: Vec<ProviderId>,
    },
    /// No account of the merchant there offers the method.
    NoMethod {
        /// The methods that are offered.
        methods: Vec<String>,
    },
}

impl Merchant {
    /// The route and method of an order: the default route where it fits, else the first that does.
    ///
    /// # Errors
    /// See [`RouteError`].
    pub fn route(&self, provider: Option<&str>, method: &str) -> Result<(&Route, String), RouteError> {
        let at_provider = |route: &&Route| provider.is_none_or(|name| route.provider.as_str() == name);
        let Some(first) = self.routes.iter().find(at_provider) else {
            let providers = self.routes.iter().map(|route| route.provider.clone()).collect();
            return Err(RouteError::NoAccount { providers });
        };
        if method.is_empty() {
            return Ok((first, first.methods.first().cloned().unwrap_or_default()));
        }
        let offers = |route: &&Route| route.methods.iter().any(|offered| offered == method);
        match self.routes.iter().filter(at_provider).find(offers) {
            Some(route) => Ok((route, method.to_owned())),
            None => {
                let methods = self.routes.iter().filter(at_provider).flat_map(|route| route.methods.clone());
                Err(RouteError::NoMethod { methods: methods.collect() })
            }
        }
    }

    /// The merchant's own number behind a number that a provider names; `None` when it is not this merchant's.
    #[must_use]
    pub fn order_no(&self, account: &AccountId, out_trade_no: &OutTradeNo) -> Option<MerchantOrderNo> {
        let route = self.routes.iter().find(|route| route.account == *account)?;
        out_trade_no.as_str().strip_prefix(route.order_prefix.as_str())?.parse().ok()
    }
}

/// All merchants and accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    /// By id.
    pub merchants: BTreeMap<MerchantId, Merchant>,
    /// By name.
    pub accounts: BTreeMap<AccountId, Account>,
    /// The groups that `[shard_groups.NAME]` names, with the number of their slices; any other is whole.
    pub slices: BTreeMap<ShardGroup, u16>,
    /// Partitions of the log.
    pub partitions: u16,
}

impl Registry {
    /// A shard group as it is divided here; whole if its slices could not be named, which is a fault of its section.
    #[must_use]
    pub fn group(&self, name: &ShardGroup) -> SlicedGroup {
        let slices = self.slices.get(name).copied().unwrap_or(1);
        SlicedGroup::new(name.clone(), slices).unwrap_or_else(|| SlicedGroup::whole(name.clone()))
    }

    /// The accounts of groups that are divided, each with its group.
    #[must_use]
    pub fn divided(&self) -> BTreeMap<AccountId, SlicedGroup> {
        let divided = self.merchants.values().filter(|merchant| merchant.shard_group.slices() > 1);
        let accounts = |merchant: &Merchant| {
            let group = merchant.shard_group.clone();
            let routes = merchant.routes.iter();
            routes.map(move |route| (route.account.clone(), group.clone())).collect::<Vec<_>>()
        };
        divided.flat_map(accounts).collect()
    }
}

/// A prefix, with the merchant and the account that it belongs to.
type Owned<'a> = (&'a str, &'a MerchantId, &'a AccountId);

/// A merchant with one of its prefixes.
pub(crate) type Prefixed = (MerchantId, String);

/// Pairs of prefixes within one number space of which one begins with the other, so that a number could belong to
/// both; each with an account. The same merchant may use one prefix on several accounts.
pub(crate) fn ambiguous_prefixes(
    registry: &Registry,
    info: &dyn Fn(&AccountId) -> Option<AccountInfo>,
) -> Vec<(AccountId, [Prefixed; 2])> {
    let mut by_space: BTreeMap<(ProviderId, String), Vec<Owned<'_>>> = BTreeMap::new();
    for (merchant_id, merchant) in &registry.merchants {
        for route in &merchant.routes {
            // Without the provider's word each account counts as a space of its own.
            let space =
                info(&route.account).map_or_else(|| route.account.to_string(), |info| info.number_space);
            let prefixes = by_space.entry((route.provider.clone(), space)).or_default();
            prefixes.push((&route.order_prefix, merchant_id, &route.account));
        }
    }
    let mut found = Vec::new();
    for mut prefixes in by_space.into_values() {
        prefixes.sort_unstable();
        // Sorted, whatever begins with a prefix follows it without a gap.
        for (n, (prefix, merchant, account)) in prefixes.iter().enumerate() {
            let longer = prefixes.iter().skip(n + 1).take_while(|(other, _, _)| other.starts_with(prefix));
            for (other, other_merchant, _) in longer {
                if (other_merchant, other) != (merchant, prefix) {
                    let first = ((*merchant).clone(), (*prefix).to_owned());
                    let second = ((*other_merchant).clone(), (*other).to_owned());
                    found.push(((*account).clone(), [first, second]));
                }
            }
        }
    }
    found
}

/// Accounts whose merchants belong to several shard groups, with those merchants and their groups.
pub(crate) fn accounts_across_groups(registry: &Registry) -> Vec<(AccountId, Vec<(MerchantId, ShardGroup)>)> {
    let mut by_account: BTreeMap<&AccountId, Vec<(MerchantId, ShardGroup)>> = BTreeMap::new();
    for (merchant_id, merchant) in &registry.merchants {
        for route in &merchant.routes {
            let sharers = by_account.entry(&route.account).or_default();
            sharers.push((merchant_id.clone(), merchant.shard_group.group().clone()));
        }
    }
    by_account
        .retain(|_, sharers| sharers.iter().any(|(_, group)| Some(group) != sharers.first().map(|(_, g)| g)));
    by_account.into_iter().map(|(account, sharers)| (account.clone(), sharers)).collect()
}
