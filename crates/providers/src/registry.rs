//! The registry: which providers there are, their accounts as configured, and their exchange at run time.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use paymux_domain::capabilities::Capabilities;
use paymux_domain::name::{AccountId, ProviderId};
use paymux_domain::ports::Provider;
use paymux_domain::time::ClockFactor;

use crate::settings::{AccountSection, ConfigFault, Reader, SecretSource};
use crate::signing::{KeyCache, SigningKey, SigningKeys};
use crate::upkeep::Upkeep;
use crate::workbench::Workbench;

/// One provider: the only thing that its folder shows to the rest.
#[derive(Clone, Copy, Debug)]
pub struct Registration {
    /// Its name in configuration, URLs and records.
    pub name: &'static str,
    /// The methods that it knows, over all kinds of accounts.
    pub methods: &'static [&'static str],
    /// What it can do for an order of that method while its account leaves every setting at its default; `None` for a
    /// method that it does not know.
    pub capabilities: fn(&str) -> Option<&'static Capabilities>,
    /// A section that shows and explains every key, for the example configuration.
    pub example: &'static str,
    /// Reads all of its accounts' sections.
    pub load: fn(&Loading<'_>) -> Loaded,
}

/// What a provider's factory is given: its accounts' sections, and where faults go.
pub struct Loading<'a> {
    /// The sections of its accounts, in the order of the configuration.
    pub sections: Vec<&'a AccountSection>,
    /// Stretches what the provider bounds by physical time.
    pub clock_factor: ClockFactor,
    /// Keys that were read before.
    pub keys: &'a KeyCache,
    secrets: &'a SecretSource<'a>,
    faults: &'a RefCell<Vec<ConfigFault>>,
}

impl<'a> Loading<'a> {
    /// A reader of one section.
    #[must_use]
    pub fn reader(&self, section: &'a AccountSection) -> Reader<'a> {
        Reader::new(section, self.secrets, self.faults)
    }
}

impl fmt::Debug for Loading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.sections).finish()
    }
}

/// What a provider's factory gives. Where it noted faults, this is thrown away.
pub struct Loaded {
    /// The provider, for all of its accounts.
    pub provider: Arc<dyn Provider>,
    /// What signs and examines by hand for the same accounts.
    pub workbench: Arc<dyn Workbench>,
    /// Where it fetches anything at run time.
    pub upkeep: Option<Arc<dyn Upkeep>>,
    /// What is known of each account.
    pub accounts: Vec<(AccountId, AccountInfo)>,
    /// The keys that sign for them, by the names under which the provider asks for signatures.
    pub keys: Vec<(String, Arc<SigningKey>)>,
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.accounts.iter().map(|(id, info)| (id, info))).finish()
    }
}

/// What the configuration of merchants and routes needs to know of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountInfo {
    /// Its provider.
    pub provider: ProviderId,
    /// The methods that this account offers; the first is the default.
    pub methods: &'static [&'static str],
    /// Within this space an out_trade_no names one order: accounts of the same provider and space must have
    /// order prefixes of which none begins another (WeChat Pay: the mchid, for partners the sp_mchid).
    pub number_space: String,
    /// Who the account is at the provider (WeChat Pay: mchid, or sp_mchid and sub_mchid). No two accounts are the
    /// same, and under the name of an account with open orders it must not become another one.
    pub identity: String,
    /// Real time within which an answer to a call must be complete.
    pub timeout: Duration,
}

/// All accounts, read and free of faults.
pub struct Accounts {
    providers: BTreeMap<ProviderId, Arc<dyn Provider>>,
    workbenches: BTreeMap<ProviderId, Arc<dyn Workbench>>,
    upkeeps: Vec<Arc<dyn Upkeep>>,
    infos: BTreeMap<AccountId, AccountInfo>,
    keys: SigningKeys,
}

impl Accounts {
    /// Reads the sections of all accounts.
    ///
    /// The clock factor stretches what providers bound by physical time, such as the age of a signature.
    ///
    /// # Errors
    /// Every fault of every section at once.
    pub fn read(
        sections: &[AccountSection],
        secrets: &SecretSource<'_>,
        clock_factor: ClockFactor,
    ) -> Result<Self, Vec<ConfigFault>> {
        Self::read_again(sections, secrets, clock_factor, &KeyCache::default())
    }

    /// As [`Accounts::read`]; private keys that are in use already are taken from the cache.
    ///
    /// # Errors
    /// Every fault of every section at once.
    pub fn read_again(
        sections: &[AccountSection],
        secrets: &SecretSource<'_>,
        clock_factor: ClockFactor,
        keys: &KeyCache,
    ) -> Result<Self, Vec<ConfigFault>> {
        Self::read_of(crate::PROVIDERS, sections, secrets, clock_factor, keys)
    }

    /// As [`Accounts::read_again`]; these providers are all that there is, whoever wrote them.
    ///
    /// # Errors
    /// Every fault of every section at once.
    pub fn read_of(
        providers: &[Registration],
        sections: &[AccountSection],
        secrets: &SecretSource<'_>,
        clock_factor: ClockFactor,
        keys: &KeyCache,
    ) -> Result<Self, Vec<ConfigFault>> {
        let faults = RefCell::new(Vec::new());
        check_names(providers, sections, &faults);
        let mut accounts = Self {
            providers: BTreeMap::new(),
            workbenches: BTreeMap::new(),
            upkeeps: Vec::new(),
            infos: BTreeMap::new(),
            keys: SigningKeys::default(),
        };
        for registration in providers {
            let sections: Vec<&AccountSection> =
                sections.iter().filter(|section| section.provider.as_str() == registration.name).collect();
            if sections.is_empty() {
                continue;
            }
            let loaded =
                (registration.load)(&Loading { sections, clock_factor, keys, secrets, faults: &faults });
            accounts.workbenches.insert(loaded.provider.id().clone(), loaded.workbench);
            accounts.providers.insert(loaded.provider.id().clone(), loaded.provider);
            accounts.upkeeps.extend(loaded.upkeep);
            accounts.infos.extend(loaded.accounts);
            accounts.keys = accounts.keys.merged(&loaded.keys.into_iter().collect());
        }
        let mut faults = faults.into_inner();
        if faults.is_empty() {
            return Ok(accounts);
        }
        faults.sort();
        Err(faults)
    }

    /// The provider of that name, if it has an account.
    #[must_use]
    pub fn provider(&self, id: &ProviderId) -> Option<Arc<dyn Provider>> {
        self.providers.get(id).cloned()
    }

    /// The workbench of that provider, if it has an account.
    #[must_use]
    pub fn workbench(&self, id: &ProviderId) -> Option<Arc<dyn Workbench>> {
        self.workbenches.get(id).cloned()
    }

    /// The providers that fetch something at run time.
    #[must_use]
    pub(crate) fn upkeeps(&self) -> &[Arc<dyn Upkeep>] {
        &self.upkeeps
    }

    /// What is known of an account.
    #[must_use]
    pub fn account(&self, account: &AccountId) -> Option<&AccountInfo> {
        self.infos.get(account)
    }

    /// The keys that sign for these accounts.
    #[must_use]
    pub fn signing_keys(&self) -> SigningKeys {
        self.keys.clone()
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.infos).finish()
    }
}

/// Account names are unique, and each names a provider that there is.
fn check_names(providers: &[Registration], sections: &[AccountSection], faults: &RefCell<Vec<ConfigFault>>) {
    let mut names = BTreeSet::new();
    for section in sections {
        let fault = |key: &str, reason: String| {
            let (account, key) = (section.account.clone(), key.to_owned());
            faults.borrow_mut().push(ConfigFault { account, key, reason });
        };
        if !names.insert(&section.account) {
            fault("", "there is another account of that name".to_owned());
        }
        if !providers.iter().any(|known| known.name == section.provider.as_str()) {
            let names: Vec<&str> = providers.iter().map(|known| known.name).collect();
            fault("provider", format!("unknown provider; there is {}", names.join(", ")));
        }
    }
}

/// The providers with their accounts in force. A call holds on to the accounts with which it was built.
#[derive(Debug)]
pub struct Registry {
    accounts: ArcSwap<Accounts>,
}

impl Registry {
    /// Puts accounts in force.
    #[must_use]
    pub fn new(accounts: Accounts) -> Self {
        Self { accounts: ArcSwap::from_pointee(accounts) }
    }

    /// Exchanges all accounts at once, for new keys and new accounts; calls under way keep the old ones.
    pub fn replace(&self, accounts: impl Into<Arc<Accounts>>) {
        self.accounts.store(accounts.into());
    }

    /// The accounts in force.
    #[must_use]
    pub fn in_force(&self) -> Arc<Accounts> {
        self.accounts.load_full()
    }

    /// The provider of that name, if it has an account.
    #[must_use]
    pub fn provider(&self, id: &ProviderId) -> Option<Arc<dyn Provider>> {
        self.accounts.load().provider(id)
    }

    /// What is known of an account.
    #[must_use]
    pub fn account(&self, account: &AccountId) -> Option<AccountInfo> {
        self.accounts.load().account(account).cloned()
    }
}

#[cfg(test)]
mod tests;
