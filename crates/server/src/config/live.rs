//! What is in force now: one version of merchants, accounts and providers that ingest, notify and the engine share.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;
use paymux_domain::name::{AccountId, MerchantId, OrderKey, ProviderId, ShardGroup};
use paymux_domain::ports::{AccountPolicy, Directory, MerchantPolicy, Provider};
use paymux_domain::shard::{Partition, SlicedGroup};

use super::registry::Registry;

/// Finds a provider by its name.
pub type ProviderLookup = Arc<dyn Fn(&ProviderId) -> Option<Arc<dyn Provider>> + Send + Sync>;

/// One version: merchants and accounts, and the providers that were read with them.
pub struct InForce {
    registry: Registry,
    /// The accounts of groups that are divided.
    divided: BTreeMap<AccountId, SlicedGroup>,
    providers: ProviderLookup,
}

impl InForce {
    fn new(registry: Registry, providers: ProviderLookup) -> Self {
        Self { divided: registry.divided(), registry, providers }
    }

    /// What the owner of a partition has of an account's limits: nothing, if no slice of it lies there.
    fn share(&self, account: &AccountId, partition: Partition) -> Option<AccountPolicy> {
        let policy = self.accounts.get(account)?.policy;
        let Some(group) = self.divided.get(account) else { return Some(policy) };
        let slices: Vec<u16> = group.slices_in(partition, self.partitions).collect();
        Some(policy.share(slices, group.slices()))
    }

    /// The provider of that name, with its accounts of this version.
    #[must_use]
    pub fn provider(&self, id: &ProviderId) -> Option<Arc<dyn Provider>> {
        (self.providers)(id)
    }
}

impl Deref for InForce {
    type Target = Registry;

    fn deref(&self) -> &Registry {
        &self.registry
    }
}

impl fmt::Debug for InForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InForce({} merchants, {} accounts)", self.merchants.len(), self.accounts.len())
    }
}

/// The version in force. Whoever works on one request loads it once, and so sees one version of everything.
#[derive(Debug)]
pub struct LiveRegistry(ArcSwap<InForce>);

impl LiveRegistry {
    /// Starts with a version.
    #[must_use]
    pub fn new(registry: Registry, providers: ProviderLookup) -> Self {
        Self(ArcSwap::from_pointee(InForce::new(registry, providers)))
    }

    /// The version in force.
    #[must_use]
    pub fn load(&self) -> Arc<InForce> {
        self.0.load_full()
    }

    /// Puts another version in force, all at once; requests under way keep the one that they loaded.
    pub fn replace(&self, registry: Registry, providers: ProviderLookup) {
        self.0.store(Arc::new(InForce::new(registry, providers)));
    }
}

impl Directory for LiveRegistry {
    fn merchant(&self, merchant_id: &MerchantId) -> Option<MerchantPolicy> {
        let registry = self.0.load();
        registry.merchants.get(merchant_id).map(|merchant| MerchantPolicy {
            late_payment: merchant.late_payment,
            duplicate_payment: merchant.duplicate_payment,
        })
    }

    fn account(&self, account: &AccountId, partition: Partition) -> Option<AccountPolicy> {
        self.0.load().share(account, partition)
    }

    fn shard_key(&self, order: &OrderKey) -> Option<ShardGroup> {
        let registry = self.0.load();
        let merchant = registry.merchants.get(&order.merchant_id)?;
        Some(merchant.shard_group.key(&order.order_no).clone())
    }
}
