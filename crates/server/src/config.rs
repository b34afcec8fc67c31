//! The configuration: defaults in code, then a TOML file, then `PAYMUX__SECTION__KEY`, then flags; every fault is
//! named at once.
//!
//! `schema` declares the keys, `layers` merges the sources (`folder`: the merchant files), `reader` reads sections and
//! collects faults. `source` and `held` read it again while the process runs, `live` is what is in force.
//! Secrets come only from files or the environment and are never printed.

mod access;
mod account_file;
mod backend;
mod dump;
mod example;
mod fault;
mod folder;
mod groups;
mod held;
mod layers;
mod live;
mod plain;
mod reader;
mod registry;
mod schema;
mod secrets;
mod sections;
mod seen;
mod source;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use paymux_domain::time::ClockFactor;
use paymux_engine::EngineConfig;
use paymux_providers::signing::SigningKeys;

pub use access::AccessConfig;
pub use account_file::{OneAccount, read_account};
pub use backend::{BackendConfig, ClusterConfig, Place};
pub use example::{example, merchant_file_example};
pub use fault::{Fault, Faults, Origin};
pub use held::Held;
pub use live::{InForce, LiveRegistry, ProviderLookup};
pub use registry::{Account, Merchant, Registry, Route, RouteError};
pub use seen::Seen;
pub use source::{Loaded, Source};

/// Schedule time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockConfig {
    /// How much faster it runs.
    pub factor: ClockFactor,
    /// From when on, in real milliseconds since 1970; `None` with factor 1.
    pub origin_ms: Option<i64>,
}

/// Listeners and their limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where gRPC listens.
    pub grpc_listen: SocketAddr,
    /// Where notifications arrive.
    pub notify_listen: SocketAddr,
    /// Where probes of health are answered, and nothing else; `None`: only where gRPC listens.
    pub health_listen: Option<SocketAddr>,
    /// Where metrics are scraped, and nothing else; `None`: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Merchants that metrics tell apart, at most; 0: none.
    pub metrics_merchants_max: usize,
    /// The public address of `notify_listen`.
    pub notify_base_url: String,
    /// How long a stop may take.
    pub drain_timeout: Duration,
    /// How old a gRPC connection gets at most before its client is asked to make another one; `None`: it lasts.
    pub connection_age_max: Option<Duration>,
    /// gRPC calls under way at once.
    pub calls_in_flight_max: usize,
    /// Notifications under way at once.
    pub notifications_in_flight_max: usize,
}

/// The providers, ready for use.
#[derive(Clone)]
pub struct Providers {
    /// The providers with their accounts.
    pub registry: Arc<paymux_providers::Registry>,
    /// The keys that sign for these accounts.
    pub signing_keys: SigningKeys,
}

impl std::fmt::Debug for Providers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.registry)
    }
}

/// Limits of ingest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IngestConfig {
    /// Commands on their way into the log at once.
    pub appends_in_flight_max: usize,
    /// Unread records of a partition above which its commands are refused.
    pub lag_records_max: u64,
    /// What RetryInfo says to a caller that is refused.
    pub retry_after: Duration,
}

/// The whole configuration, valid.
#[derive(Debug)]
pub struct Config {
    /// Schedule time.
    pub clock: ClockConfig,
    /// Listeners.
    pub server: ServerConfig,
    /// Callers, certificates, audit.
    pub access: AccessConfig,
    /// Log and store.
    pub backend: BackendConfig,
    /// Ingest.
    pub ingest: IngestConfig,
    /// Worker and sweeper.
    pub engine: EngineConfig,
    /// Merchants and accounts.
    pub registry: Registry,
    /// The providers of the accounts.
    pub providers: Providers,
    /// Pause between looks at whether something has changed.
    pub reload_poll: Duration,
    /// Where it was read from.
    pub source: Arc<Source>,
    /// What was looked at for it.
    pub seen: Seen,
    effective: Vec<reader::Effective>,
}

impl Config {
    /// Reads file, environment and flags (`key`, `value`).
    ///
    /// # Errors
    /// Every fault at once.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        flags: &[(String, String)],
    ) -> Result<Self, Faults> {
        Source::new(file, environment, flags).load(None).result
    }

    /// The effective configuration as TOML, each value with its origin, secrets hidden.
    #[must_use]
    pub fn dump(&self) -> String {
        dump::render(&self.effective)
    }
}
