//! Reads the sections of accounts and merchants, and checks what concerns several sections.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use paymux_domain::name::{AccountId, MerchantId};
use paymux_domain::ports::{AccountPolicy, Budget, DuplicatePolicy, LatePolicy};
use paymux_domain::time::ClockFactor;
use paymux_providers::{AccountInfo, AccountSection, Accounts};
use toml::Table;

use super::fault::Faults;
use super::held::Held;
use super::layers::Layers;
use super::reader::{Notes, Reader};
use super::registry::{self, Account, Merchant, Registry, Route};
use super::schema::{self, Key};
use super::secrets::Secrets;
use super::{BackendConfig, Config, Providers, Seen, Source, access, backend, groups, plain};

/// Merchants at most, and accounts at most; more belong into a second cluster.
const NAMES_MAX: usize = 100_000;

/// Routes of one merchant at most.
const ROUTES_MAX: usize = 16;

/// The tables of a configuration.
const TABLES: &[&str] =
    &["server", "access", "callers", "backend", "ingest", "engine", "shard_groups", "accounts", "merchants"];

/// Reads everything; `Ok` only when nothing at all is wrong, and nothing is changed that is held.
pub(super) fn read(
    mut layers: Layers,
    secrets: &Secrets<'_>,
    source: &Arc<Source>,
    held: Option<&Held>,
) -> Result<Config, Faults> {
    let notes = Notes::default();
    notes.faults.borrow_mut().append(&mut layers.faults);
    let tree = std::mem::take(&mut layers.tree);
    let config = Sections { layers: &layers, notes: &notes, secrets, source, held }.config(tree);
    let mut faults = notes.faults.into_inner();
    if let Some(held) = held {
        faults.extend(held.setting_faults(&notes.effective.borrow(), &layers));
    }
    match config {
        Some(mut config) if faults.is_empty() => {
            config.effective = notes.effective.into_inner();
            Ok(config)
        }
        _ => Err(Faults(faults)),
    }
}

/// Reads one account alone: what every account has, and its provider's own keys.
pub(super) fn read_account(
    layers: &Layers,
    secrets: &Secrets<'_>,
    source: &Arc<Source>,
    name: &AccountId,
    table: Table,
) -> Result<Providers, Faults> {
    let notes = Notes::default();
    let sections = Sections { layers, notes: &notes, secrets, source, held: None };
    let top = sections.reader("", schema::TOP, Table::new());
    let (_, section) = sections.account(name, table);
    let providers = section.and_then(|section| sections.providers(&top, &[section], ClockFactor::REAL));
    let faults = notes.faults.take();
    match providers {
        Some(providers) if faults.is_empty() => Ok(providers),
        _ => Err(Faults(faults)),
    }
}

/// The sources and the notes, for as long as reading goes on.
#[derive(Clone, Copy)]
struct Sections<'a> {
    layers: &'a Layers,
    notes: &'a Notes,
    secrets: &'a Secrets<'a>,
    source: &'a Arc<Source>,
    held: Option<&'a Held>,
}

impl<'a> Sections<'a> {
    fn reader(self, path: impl Into<String>, keys: &'static [Key], table: Table) -> Reader<'a> {
        Reader::new(self.layers, self.notes, path.into(), keys, table)
    }

    fn config(self, tree: Table) -> Option<Config> {
        let mut top = self.reader("", schema::TOP, tree);
        let clock = plain::clock(&mut top);
        // The folder was read with the file; here its key is checked and noted.
        top.text("merchants_dir");
        let reload_poll = top.count("reload_poll_ms").map(Duration::from_millis);
        let factor = clock.map_or(ClockFactor::REAL, |clock| clock.factor);
        let mut server = self.reader("server", schema::SERVER, top.table("server"));
        let (access, exposure) = access::read(&mut top, &mut server, &self.secrets.folder);
        let server = plain::server(server, exposure);
        let backend = top.table("backend");
        let backend = backend::read(self.reader("backend", schema::BACKEND, backend), self.secrets, factor);
        let session_third =
            backend.as_ref().and_then(BackendConfig::cluster).map(|all| all.kafka.lease_max());
        let ingest = plain::ingest(self.reader("ingest", schema::INGEST, top.table("ingest")));
        let engine =
            plain::engine(self.reader("engine", schema::ENGINE, top.table("engine")), factor, session_third);
        let partitions = backend.as_ref().map(BackendConfig::partitions);
        let divided = named(&mut top, "shard_groups");
        let divided =
            groups::read(divided, partitions, |path, table| self.reader(path, schema::SHARD_GROUP, table));
        let mut registry =
            Registry { partitions: partitions.unwrap_or(1), slices: divided, ..Registry::default() };
        let mut accounts = Vec::new();
        for (name, table) in named(&mut top, "accounts") {
            let (account, section) = self.account(&name, table);
            accounts.extend(section);
            if let Some(account) = account {
                registry.accounts.insert(name, account);
            }
        }
        let providers = self.providers(&top, &accounts, factor);
        let info = |account: &AccountId| providers.as_ref().and_then(|all| all.registry.account(account));
        self.report_other_accounts(&top, &registry, &info);
        for (name, table) in named(&mut top, "merchants") {
            if let Some(merchant) = self.merchant(&name, table, &registry, &info) {
                registry.merchants.insert(name, merchant);
            }
        }
        report_sharing(&top, &registry, &info);
        groups::report_indivisible(&top, &registry);
        if let Some(engine) = &engine {
            let timeout = |name| info(name).map(|info| (name, info.timeout));
            let timeouts: Vec<_> = registry.accounts.keys().filter_map(timeout).collect();
            plain::check_call_horizon(&top, &engine.timing, &timeouts);
        }
        top.finish(TABLES);
        let mut engine = engine?;
        let server = server?;
        engine.drain_timeout = server.drain_timeout;
        Some(Config {
            clock: clock?,
            server,
            access: access?,
            backend: backend?,
            ingest: ingest?,
            engine,
            registry,
            providers: providers?,
            reload_poll: reload_poll?,
            source: Arc::clone(self.source),
            seen: Seen::default(),
            effective: Vec::new(),
        })
    }

    /// Reads the providers' own keys; their faults join the others.
    fn providers(
        self,
        top: &Reader<'_>,
        accounts: &[AccountSection],
        factor: ClockFactor,
    ) -> Option<Providers> {
        let fetch = |reference: &paymux_providers::SecretRef| self.secrets.fetch(reference);
        match Accounts::read_again(accounts, &fetch, factor, &self.source.keys) {
            Ok(accounts) => Some(Providers {
                signing_keys: accounts.signing_keys(),
                registry: paymux_providers::Registry::new(accounts).into(),
            }),
            Err(faults) => {
                for fault in faults {
                    let key = match fault.key.as_str() {
                        "" => format!("accounts.{}", fault.account),
                        key => format!("accounts.{}.{key}", fault.account),
                    };
                    top.fault(&key, fault.reason, "");
                }
                None
            }
        }
    }

    /// Notes accounts that would become others than they are.
    fn report_other_accounts(self, top: &Reader<'_>, registry: &Registry, info: InfoOf<'_>) {
        let Some(held) = self.held else { return };
        for id in registry.accounts.keys() {
            if let Some(problem) = info(id).and_then(|info| held.account_fault(id, &info)) {
                top.fault(
                    &format!("accounts.{id}"),
                    problem,
                    "another name for another account, or a restart",
                );
            }
        }
    }

    /// An account's own keys, and what is left of its section for its provider.
    fn account(self, name: &AccountId, table: Table) -> (Option<Account>, Option<AccountSection>) {
        let path = format!("accounts.{name}");
        let mut account = self.reader(path.clone(), schema::ACCOUNT, table);
        let provider: Option<paymux_domain::name::ProviderId> = account.parsed("provider");
        let in_flight_max = account.count("in_flight_max");
        let mut rates = self.reader(format!("{path}.budgets"), schema::BUDGETS, account.table("budgets"));
        let budgets = [
            budget(&mut rates, "create_per_s", "create_burst"),
            budget(&mut rates, "query_per_s", "query_burst"),
            budget(&mut rates, "close_per_s", "close_burst"),
            budget(&mut rates, "refund_per_s", "refund_burst"),
        ];
        rates.finish(&[]);
        let settings = account.rest();
        let Some(provider) = provider else { return (None, None) };
        let section = AccountSection { account: name.clone(), provider: provider.clone(), settings };
        let [Some(create), Some(query), Some(close), Some(refund)] = budgets else {
            return (None, Some(section));
        };
        let budgets = [create, query, close, refund];
        let account = in_flight_max
            .map(|in_flight_max| Account { provider, policy: AccountPolicy { budgets, in_flight_max } });
        (account, Some(section))
    }

    fn merchant(
        self,
        id: &MerchantId,
        table: Table,
        registry: &Registry,
        info: InfoOf<'_>,
    ) -> Option<Merchant> {
        let mut merchant = self.reader(format!("merchants.{id}"), schema::MERCHANT, table);
        let name = merchant.text("name");
        let shard_group = groups::of_merchant(&mut merchant, id, registry);
        let problem = shard_group
            .as_ref()
            .and_then(|group| self.held.and_then(|held| held.group_fault(id, group.group())));
        if let Some(problem) = problem {
            merchant.fault(
                "shard_group",
                problem,
                "the group that it has, or a restart once its orders have ended",
            );
        }
        let default_account: Option<String> = merchant.text("default_account");
        let late_payment = late_payment(&mut merchant);
        let duplicate_payment = duplicate_payment(&mut merchant);
        let accept_per_s_max = merchant.count("accept_per_s_max");
        let mut routes = Vec::new();
        for (path, table) in merchant.tables("routes") {
            if let Some(route) = self.route(id, path, table, registry, info) {
                if routes.iter().any(|other: &Route| other.account == route.account) {
                    merchant.fault("routes", format!("two routes lead to account {}", route.account), "one");
                }
                routes.push(route);
            }
        }
        if routes.is_empty() || routes.len() > ROUTES_MAX {
            let allowed = format!("1 to {ROUTES_MAX} [[merchants.{id}.routes]]");
            merchant.fault("routes", format!("{} usable routes", routes.len()), allowed);
        }
        if let Some(default) = default_account {
            match routes.iter().position(|route| route.account.as_str() == default) {
                Some(at) => routes.swap(0, at),
                None => merchant.fault("default_account", "no route leads there", accounts_of(&routes)),
            }
        }
        merchant.finish(&["routes"]);
        let (name, shard_group) = (name?, shard_group?);
        let (late_payment, duplicate_payment) = (late_payment?, duplicate_payment?);
        let accept_per_s_max = accept_per_s_max?;
        Some(Merchant { name, shard_group, routes, late_payment, duplicate_payment, accept_per_s_max })
    }

    fn route(
        self,
        merchant: &MerchantId,
        path: String,
        table: Table,
        registry: &Registry,
        info: InfoOf<'_>,
    ) -> Option<Route> {
        let mut route = self.reader(path, schema::ROUTE, table);
        let account: Option<AccountId> = route.parsed("account");
        let prefixed = route.holds("order_prefix");
        let order_prefix = if prefixed { route.text("order_prefix") } else { Some(String::new()) };
        if let Some(prefix) = &order_prefix
            && !prefix.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        {
            route.fault("order_prefix", format!("{prefix:?} is not allowed"), "0-9 A-Z a-z _ -");
        }
        if let (Some(held), Some(account), Some(prefix)) = (self.held, &account, &order_prefix)
            && let Some(problem) = held.prefix_fault(merchant, account, prefix)
        {
            route.fault(
                "order_prefix",
                problem,
                "the prefix that it has, or a restart once its orders have ended",
            );
        }
        let known = account.as_ref().and_then(|name| registry.accounts.get(name));
        if let (Some(name), None) = (&account, known) {
            let names: Vec<&str> = registry.accounts.keys().map(AccountId::as_str).collect();
            route.fault("account", format!("no usable account {name}"), names.join(" | "));
        }
        let offered = account.as_ref().and_then(info).map(|info| info.methods);
        let methods = if route.holds("methods") { route.words("methods") } else { None };
        for method in methods.iter().flatten() {
            if let Some(offered) = offered
                && !offered.contains(&method.as_str())
            {
                route.fault("methods", format!("the account does not offer {method:?}"), offered.join(" | "));
            }
        }
        route.finish(&[]);
        let all = || offered.map(|offered| offered.iter().map(|&method| method.to_owned()).collect());
        Some(Route {
            account: account?,
            provider: known?.provider.clone(),
            // Without the provider's word there is a fault already, and the list is not used.
            methods: methods.or_else(all).unwrap_or_default(),
            order_prefix: order_prefix?,
        })
    }
}

/// What the providers know of an account.
type InfoOf<'a> = &'a dyn Fn(&AccountId) -> Option<AccountInfo>;

fn budget(rates: &mut Reader<'_>, per_second: &'static str, burst: &'static str) -> Option<Budget> {
    let (per_second, burst) = (rates.count(per_second), rates.count(burst));
    Some(Budget { per_second: per_second?, burst: burst? })
}

fn late_payment(merchant: &mut Reader<'_>) -> Option<LatePolicy> {
    match merchant.text("late_payment")?.as_str() {
        "complete" => Some(LatePolicy::Complete),
        "refund" => Some(LatePolicy::Refund),
        _ => Some(LatePolicy::Park),
    }
}

fn duplicate_payment(merchant: &mut Reader<'_>) -> Option<DuplicatePolicy> {
    match merchant.text("duplicate_payment")?.as_str() {
        "refund" => Some(DuplicatePolicy::Refund),
        _ => Some(DuplicatePolicy::Park),
    }
}

/// The sub-tables of a section such as `[accounts]` under their names; a faulty name is noted.
pub(super) fn named<N: FromStr<Err: std::fmt::Display> + Ord>(
    top: &mut Reader<'_>,
    section: &str,
) -> Vec<(N, Table)> {
    let tables = top.table(section);
    if tables.len() > NAMES_MAX {
        top.fault(section, format!("{} entries", tables.len()), format!("at most {NAMES_MAX}"));
        return Vec::new();
    }
    let mut named = Vec::new();
    for (name, value) in tables {
        let key = format!("{section}.{name}");
        match (name.parse(), value) {
            (Ok(name), toml::Value::Table(table)) => named.push((name, table)),
            (Ok(_), other) => top.fault(&key, format!("is {}", other.type_str()), "a table"),
            (Err(error), _) => top.fault(&key, N::Err::to_string(&error), ""),
        }
    }
    named
}

/// Notes merchants of one account that belong to several shard groups or whose prefixes are ambiguous.
fn report_sharing(top: &Reader<'_>, registry: &Registry, info: InfoOf<'_>) {
    for (account, [(merchant, prefix), (other, other_prefix)]) in registry::ambiguous_prefixes(registry, info)
    {
        top.fault(
            &format!("merchants.{other}.routes"),
            format!(
                "on account {account} (or another one of the same merchant number) the prefix {other_prefix:?} begins \
                 with the prefix {prefix:?} of merchant \
                 {merchant}, so a number could belong to both"
            ),
            "prefixes on one account of which none begins with another one",
        );
    }
    for (account, sharers) in registry::accounts_across_groups(registry) {
        let names: Vec<String> =
            sharers.iter().map(|(merchant, group)| format!("{merchant} in {group}")).collect();
        top.fault(
            &format!("accounts.{account}"),
            format!("is shared across shard groups: {}", names.join(", ")),
            "one shard_group for all merchants of an account",
        );
    }
}

fn accounts_of(routes: &[Route]) -> String {
    routes.iter().map(|route| route.account.as_str()).collect::<Vec<_>>().join(" | ")
}
