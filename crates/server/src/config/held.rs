//! What a reload must not change: where stored orders lie, who their accounts are, and what is set up only once.

use std::collections::BTreeMap;

use paymux_domain::name::{AccountId, MerchantId, ProviderId, ShardGroup};
use paymux_providers::AccountInfo;

use super::layers::Layers;
use super::reader::Effective;
use super::{Config, Fault};

/// Merchants and accounts remembered at most that are not configured any more; beyond it they are forgotten.
const GONE_MAX: usize = 200_000;

/// What is held since the start of the process. A merchant that was taken out and comes back is held to what it was,
/// since its orders still lie where they did.
#[derive(Clone, Debug, Default)]
pub struct Held {
    settings: BTreeMap<String, String>,
    groups: BTreeMap<MerchantId, ShardGroup>,
    prefixes: BTreeMap<(MerchantId, AccountId), String>,
    accounts: BTreeMap<AccountId, (ProviderId, String)>,
}

impl Held {
    /// Holds what a configuration in force says, beside what was held before.
    pub fn hold(&mut self, config: &Config) {
        self.forget_some(config);
        let settings = config.effective.iter().filter(|value| is_setting(&value.section));
        self.settings = settings.map(|value| (key_of(value), value.value.clone())).collect();
        for (id, merchant) in &config.registry.merchants {
            self.groups.insert(id.clone(), merchant.shard_group.group().clone());
            for route in &merchant.routes {
                let key = (id.clone(), route.account.clone());
                self.prefixes.insert(key, route.order_prefix.clone());
            }
        }
        for (id, account) in &config.registry.accounts {
            let info = config.providers.registry.account(id);
            let identity = info.map(|info| info.identity).unwrap_or_default();
            self.accounts.insert(id.clone(), (account.provider.clone(), identity));
        }
    }

    /// Years of coming and going must not fill the memory.
    fn forget_some(&mut self, config: &Config) {
        let registry = &config.registry;
        if self.groups.len() > registry.merchants.len() + GONE_MAX {
            self.groups.retain(|id, _| registry.merchants.contains_key(id));
            self.prefixes.retain(|(id, _), _| registry.merchants.contains_key(id));
        }
        if self.accounts.len() > registry.accounts.len() + GONE_MAX {
            self.accounts.retain(|id, _| registry.accounts.contains_key(id));
        }
    }

    /// Why a merchant cannot have that group now.
    pub(super) fn group_fault(&self, id: &MerchantId, group: &ShardGroup) -> Option<String> {
        let held = self.groups.get(id).filter(|held| *held != group)?;
        Some(format!("cannot change from {held} to {group} while the process runs: {LIE_THERE}"))
    }

    /// Why the merchant's numbers cannot have that prefix on the account now.
    pub(super) fn prefix_fault(&self, id: &MerchantId, account: &AccountId, prefix: &str) -> Option<String> {
        let held = self.prefixes.get(&(id.clone(), account.clone())).filter(|held| *held != prefix)?;
        Some(format!(
            "cannot change from {held:?} to {prefix:?} while the process runs: notifications of its orders carry the \
             old one"
        ))
    }

    /// Why an account cannot be that one now.
    pub(super) fn account_fault(&self, id: &AccountId, info: &AccountInfo) -> Option<String> {
        let (provider, identity) = self.accounts.get(id)?;
        if (provider, identity) == (&info.provider, &info.identity) {
            return None;
        }
        Some(format!(
            "cannot change from {provider} {identity} to {} {} while the process runs: its orders would be asked \
             about where nobody knows them",
            info.provider, info.identity
        ))
    }

    /// A fault for each setting outside of accounts and merchants that is not as it was.
    pub(super) fn setting_faults(&self, effective: &[Effective], layers: &Layers) -> Vec<Fault> {
        let values = effective.iter().filter(|value| is_setting(&value.section));
        let now: BTreeMap<String, &Effective> = values.map(|value| (key_of(value), value)).collect();
        let mut faults = Vec::new();
        let mut fault = |origin, key: &str, allowed: &str| {
            let problem = "cannot change while the process runs; it takes a restart".to_owned();
            faults.push(Fault { origin, key: key.to_owned(), problem, allowed: allowed.to_owned() });
        };
        for (key, value) in &now {
            match self.settings.get(key) {
                Some(held) if *held == value.value => {}
                Some(held) => fault(value.origin.clone(), key, held),
                None => fault(value.origin.clone(), key, "not set"),
            }
        }
        for (key, held) in self.settings.iter().filter(|(key, _)| !now.contains_key(*key)) {
            fault(layers.origin(key), key, held);
        }
        faults
    }
}

const LIE_THERE: &str = "its orders lie in the partition of the first";

fn key_of(value: &Effective) -> String {
    if value.section.is_empty() { value.name.clone() } else { format!("{}.{}", value.section, value.name) }
}

/// Whether a section is neither an account's nor a merchant's.
fn is_setting(section: &str) -> bool {
    !section.starts_with("accounts.") && !section.starts_with("merchants.")
}
