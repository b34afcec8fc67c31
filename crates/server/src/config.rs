//! The configuration: defaults in code, then a TOML file, then `PAYMUX__SECTION__KEY`, then flags; every fault is
//! named at once.
//!
//! [`schema`] declares the keys, [`layers`] merges the sources, [`reader`] reads sections and collects faults.
//! Secrets come only from files or the environment and are never printed.

mod dump;
mod example;
mod fault;
mod layers;
mod reader;
mod registry;
mod schema;
mod sections;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use paymux_domain::time::ClockFactor;

pub use example::example;
pub use fault::{Fault, Faults, Origin};
pub use registry::{Account, LiveRegistry, Merchant, Registry, Route, RouteError};

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
    /// The public address of `notify_listen`.
    pub notify_base_url: String,
    /// How long a stop may take.
    pub drain_timeout: Duration,
    /// gRPC calls under way at once.
    pub calls_in_flight_max: usize,
    /// Notifications under way at once.
    pub notifications_in_flight_max: usize,
}

/// Where log and store live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendConfig {
    /// The data folder.
    pub folder: PathBuf,
    /// Partitions of the log.
    pub partitions: u16,
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
    /// Log and store.
    pub backend: BackendConfig,
    /// Ingest.
    pub ingest: IngestConfig,
    /// Merchants and accounts.
    pub registry: Registry,
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
        sections::read(layers::Layers::load(file, environment, flags)?)
    }

    /// The effective configuration as TOML, each value with its origin, secrets hidden.
    #[must_use]
    pub fn dump(&self) -> String {
        dump::render(&self.effective)
    }
}
