//! Reads where log and store live: `[backend]` with `[backend.kafka]` and `[backend.cql]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use paymux_backends::cql::CqlConfig;
use paymux_backends::embedded::EmbeddedConfig;
use paymux_backends::kafka::KafkaConfig;
use paymux_domain::limits::{EXPIRY_MAX, REFUND_WINDOW};
use paymux_domain::time::ClockFactor;
use paymux_providers::SecretRef;
use secrecy::{ExposeSecret as _, SecretString};

use super::reader::Reader;
use super::schema;
use super::secrets::Secrets;

mod cql;
mod instance;
mod kafka;

/// Partitions of a cluster, unless it is told otherwise.
const CLUSTER_PARTITIONS: i64 = 64;

/// Where log and store live, and for how long orders are kept.
#[derive(Clone, Debug)]
pub struct BackendConfig {
    /// How long ended orders are kept, in schedule time from their creation.
    pub retention: Duration,
    /// Where.
    pub place: Place,
}

/// Where log and store live.
#[derive(Clone, Debug)]
pub enum Place {
    /// In this process, in one folder.
    Embedded(EmbeddedConfig),
    /// On Kafka and in a CQL database, for many processes.
    Cluster(Box<ClusterConfig>),
}

/// Log and store of many processes.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// The log. Its instance is what the process is called; each start adds something of its own.
    pub kafka: KafkaConfig,
    /// The store.
    pub cql: CqlConfig,
}

impl BackendConfig {
    /// Partitions of the log.
    #[must_use]
    pub fn partitions(&self) -> u16 {
        match &self.place {
            Place::Embedded(embedded) => embedded.partitions,
            Place::Cluster(cluster) => cluster.cql.partitions,
        }
    }

    /// Log and store of many processes; `None` on the embedded backend.
    #[must_use]
    pub fn cluster(&self) -> Option<&ClusterConfig> {
        match &self.place {
            Place::Embedded(_) => None,
            Place::Cluster(cluster) => Some(cluster),
        }
    }
}

/// Reads all of it, for schedules that run so many times as fast as real time.
pub(super) fn read(
    mut backend: Reader<'_>,
    secrets: &Secrets<'_>,
    factor: ClockFactor,
) -> Option<BackendConfig> {
    let kind = backend.text("kind");
    let is_cluster = kind.as_deref() == Some("cluster");
    if is_cluster {
        backend.preset("partitions", CLUSTER_PARTITIONS);
    }
    let partitions = backend.count("partitions");
    let retention = retention(&mut backend, factor);
    let place = if is_cluster {
        cluster(&mut backend, secrets, partitions, retention)
    } else {
        embedded(&mut backend, &secrets.folder, partitions)
    };
    backend.finish(&["kafka", "cql"]);
    kind?;
    Some(BackendConfig { retention: retention?, place: place? })
}

fn embedded(backend: &mut Reader<'_>, folder: &Path, partitions: Option<u16>) -> Option<Place> {
    // As secrets: relative to the folder of the configuration file.
    let folder = backend.text("folder").map(|path| folder.join(path));
    let events_kept = backend.count("events_kept");
    let cache_bytes = backend.count::<u64>("cache_mib").map(|mib| mib << 20);
    for section in ["kafka", "cql"].into_iter().filter(|section| backend.holds(section)) {
        backend.fault(section, "has no meaning on the embedded backend", "kind = \"cluster\"");
    }
    drop((backend.table("kafka"), backend.table("cql")));
    Some(Place::Embedded(EmbeddedConfig {
        folder: folder?,
        partitions: partitions?,
        events_kept: events_kept?,
        cache_bytes: cache_bytes?,
    }))
}

fn cluster(
    backend: &mut Reader<'_>,
    secrets: &Secrets<'_>,
    partitions: Option<u16>,
    retention: Option<Duration>,
) -> Option<Place> {
    for name in schema::EMBEDDED_ONLY {
        if backend.forget(name) {
            backend.fault(name, "has no meaning with kind = \"cluster\"", "kind = \"embedded\"");
        }
    }
    let kafka = kafka::read(backend, secrets, partitions);
    let cql = cql::read(backend, secrets, partitions, retention);
    Some(Place::Cluster(Box::new(ClusterConfig { kafka: kafka?, cql: cql? })))
}

/// An order must be there for as long as it can be paid, and its payment be refunded. Where schedules run faster than
/// real time nobody's money is in it, and a load test may see orders forgotten that are minutes old.
fn retention(backend: &mut Reader<'_>, factor: ClockFactor) -> Option<Duration> {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let days: u32 = backend.count("retention_days")?;
    let needed = EXPIRY_MAX + REFUND_WINDOW;
    if DAY * days > needed || factor != ClockFactor::REAL {
        return Some(DAY * days);
    }
    let in_days = |span: Duration| span.as_secs() / DAY.as_secs();
    backend.fault(
        "retention_days",
        format!(
            "{days} is too short: an order may be paid up to {} days after its creation, and refunded for {} days \
             after that",
            in_days(EXPIRY_MAX),
            in_days(REFUND_WINDOW)
        ),
        format!("more than {}", in_days(needed)),
    );
    None
}

/// Stands for an address that was told to be faulty, so that the rest is still looked at.
const STAND_IN: &str = "localhost:1";

/// Whether every part of a section could be read.
#[derive(Debug, Default)]
struct Whole {
    is_broken: bool,
}

impl Whole {
    /// A part, or what stands for it while the rest is looked at.
    fn or<T>(&mut self, part: Option<T>, stand_in: T) -> T {
        self.is_broken |= part.is_none();
        part.unwrap_or(stand_in)
    }

    fn breaks(&mut self) {
        self.is_broken = true;
    }

    fn then<T>(self, whole: T) -> Option<T> {
        (!self.is_broken).then_some(whole)
    }
}

/// The keys of a section that name one secret.
#[derive(Clone, Copy)]
struct Named {
    file: &'static str,
    env: &'static str,
}

/// Where a password stands.
const PASSWORD: Named = Named { file: "password_file", env: "password_env" };

/// The secret that a section names; `Some(None)` when it names none, `None` after a fault.
fn secret(section: &mut Reader<'_>, secrets: &Secrets<'_>, named: Named) -> Option<Option<SecretString>> {
    let Named { file, env } = named;
    let (has_file, has_env) = (section.holds(file), section.holds(env));
    let (path, variable) = (section.text(file), section.text(env));
    let (key, reference) = match (path, variable) {
        (Some(_), Some(_)) => {
            section.fault(file, format!("{env} is there, too"), "one of both");
            return None;
        }
        (Some(path), None) => (file, SecretRef::File(PathBuf::from(path))),
        (None, Some(variable)) => (env, SecretRef::Env(variable)),
        // A faulty one has been told.
        (None, None) => return (!has_file && !has_env).then_some(None),
    };
    match secrets.fetch(&reference) {
        Ok(secret) => Some(Some(secret.expose_secret().trim_end_matches(['\n', '\r']).into())),
        Err(problem) => {
            section.fault(key, problem, "");
            None
        }
    }
}

/// A password that must be there.
fn password(section: &mut Reader<'_>, secrets: &Secrets<'_>) -> Option<SecretString> {
    let password = secret(section, secrets, PASSWORD)?;
    if password.as_ref().is_none_or(|password| password.expose_secret().is_empty()) {
        section.fault(PASSWORD.file, "no password is named", "password_file or password_env");
        return None;
    }
    password
}

/// The path of a file that a section may name, relative to the folder of the configuration.
fn path(section: &mut Reader<'_>, secrets: &Secrets<'_>, key: &'static str) -> Option<PathBuf> {
    section.text(key).map(|path| secrets.folder.join(path))
}
