//! Settings of the Kafka backend; all faults are named at once, and secrets never show.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

/// Partitions that a cluster may have; more would only cost.
const PARTITIONS_MAX: u16 = 1024;
/// Bounds of the session time-out in milliseconds: those of a broker with its default settings.
const SESSION_TIMEOUT_MS: std::ops::RangeInclusive<u32> = 6_000..=1_800_000;
/// Bounds of the time that one append may take, in milliseconds.
const APPEND_TIMEOUT_MS: std::ops::RangeInclusive<u32> = 500..=120_000;
/// Bounds of the records that may be on their way at once.
const IN_FLIGHT: std::ops::RangeInclusive<u32> = 1..=1_000_000;
/// Characters of a name that ends up in a topic, a group or a reply address.
const NAME_CHARS_MAX: usize = 64;

/// Everything that the Kafka backend is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// Where to find the cluster: `host:port`, at least one, better several.
    pub brokers: Vec<String>,
    /// What stands before each topic's name, such as `test.`; empty in production.
    #[serde(default)]
    pub topic_prefix: String,
    /// The group of owners.
    #[serde(default = "default_group")]
    pub group: String,
    /// Partitions of the log, fixed for the cluster's life.
    #[serde(default = "default_partitions")]
    pub partitions: u16,
    /// The name of this process: its client id and its reply address. No two processes share one.
    pub instance: String,
    /// Static membership: a process that comes back within the session time-out finds its partitions as it left them.
    /// No two processes may ever share one.
    #[serde(default)]
    pub group_instance_id: Option<String>,
    /// How long the group waits for a silent member before others get its partitions. A lease must be shorter than a
    /// third of it ([`KafkaConfig::lease_max`]).
    #[serde(default = "default_session_timeout_ms")]
    pub session_timeout_ms: u32,
    /// How long an append may take; after it the outcome is unknown.
    #[serde(default = "default_append_timeout_ms")]
    pub append_timeout_ms: u32,
    /// Records on their way to the brokers at once, those that are held back included; one more is refused.
    #[serde(default = "default_in_flight_max")]
    pub in_flight_max: u32,
    /// What `migrate` makes of the topics, and what it finds fault with.
    #[serde(default)]
    pub topics: TopicSettings,
    /// TLS towards the brokers.
    #[serde(default)]
    pub tls: Option<KafkaTls>,
    /// How this process proves who it is.
    #[serde(default)]
    pub sasl: Option<Sasl>,
}

/// Replication and retention of the topics.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TopicSettings {
    /// Copies of each partition.
    pub replication: u16,
    /// Copies that must have a record before it is acknowledged.
    pub min_in_sync: u16,
    /// How long commands and notifications are kept, in hours. At least as long as an owner may be away.
    pub log_hours: u32,
    /// How long events are kept for consumers that fell behind, in hours.
    pub events_hours: u32,
    /// How long dead records are kept, in hours.
    pub dead_hours: u32,
}

impl Default for TopicSettings {
    fn default() -> Self {
        Self {
            replication: 3,
            min_in_sync: 2,
            log_hours: 400 * 24,
            events_hours: 30 * 24,
            dead_hours: 400 * 24,
        }
    }
}

/// TLS towards the brokers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaTls {
    /// Whose certificates are trusted, as PEM; absent: those that the system trusts.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// This process's own certificate, as PEM; with `key_file`.
    #[serde(default)]
    pub cert_file: Option<PathBuf>,
    /// The key of `cert_file`, as PEM.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// What opens `key_file`, where it is encrypted.
    #[serde(default)]
    pub key_password: Option<SecretString>,
}

/// A user of the cluster.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sasl {
    /// How the password is proven.
    pub mechanism: SaslMechanism,
    /// The user.
    pub username: String,
    /// Its password.
    pub password: SecretString,
}

/// How a password is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum SaslMechanism {
    /// By showing it: only over TLS or on loopback.
    #[serde(rename = "PLAIN")]
    Plain,
    /// By a challenge with SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// By a challenge with SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl SaslMechanism {
    /// Its registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaFault {
    /// Which one.
    pub key: &'static str,
    /// What is wrong and what is allowed; never a secret.
    pub reason: String,
}

/// Every setting that cannot be used; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaFaults(pub Vec<KafkaFault>);

impl fmt::Display for KafkaFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, KafkaFault { key, reason }) in self.0.iter().enumerate() {
            write!(f, "{}{key}: {reason}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for KafkaFaults {}

fn default_group() -> String {
    "paymux.owners".to_owned()
}

const fn default_partitions() -> u16 {
    64
}

const fn default_session_timeout_ms() -> u32 {
    10_000
}

const fn default_append_timeout_ms() -> u32 {
    5_000
}

const fn default_in_flight_max() -> u32 {
    50_000
}

impl KafkaConfig {
    /// The usual settings for a cluster: 64 partitions in three copies, plain text, a session of ten seconds.
    #[must_use]
    pub fn new(brokers: Vec<String>, instance: impl Into<String>) -> Self {
        Self {
            brokers,
            topic_prefix: String::new(),
            group: default_group(),
            partitions: default_partitions(),
            instance: instance.into(),
            group_instance_id: None,
            session_timeout_ms: default_session_timeout_ms(),
            append_timeout_ms: default_append_timeout_ms(),
            in_flight_max: default_in_flight_max(),
            topics: TopicSettings::default(),
            tls: None,
            sasl: None,
        }
    }

    /// The session time-out.
    #[must_use]
    pub fn session_timeout(&self) -> Duration {
        Duration::from_millis(self.session_timeout_ms.into())
    }

    /// A lease must be shorter than this, counted from the sending of the commit that renewed it: a third of the
    /// session time-out. A partition is let go of no earlier than its owner's word or the end of this time.
    #[must_use]
    pub fn lease_max(&self) -> Duration {
        self.session_timeout() / 3
    }

    /// How long an append may take.
    #[must_use]
    pub fn append_timeout(&self) -> Duration {
        Duration::from_millis(self.append_timeout_ms.into())
    }

    /// Looks at every setting.
    ///
    /// # Errors
    /// All that cannot be used, each with its key and reason.
    pub fn check(&self) -> Result<(), KafkaFaults> {
        let mut faults = Faults::default();
        self.check_cluster(&mut faults);
        self.check_topics(&mut faults);
        self.check_security(&mut faults);
        if faults.0.is_empty() { Ok(()) } else { Err(KafkaFaults(faults.0)) }
    }

    fn check_cluster(&self, faults: &mut Faults) {
        if self.brokers.is_empty() {
            faults.add("brokers", "at least one host:port is needed");
        }
        for broker in self.brokers.iter().filter(|broker| host_of(broker).is_none()) {
            faults.add("brokers", format!("{broker:?} is not host:port"));
        }
        faults.name("instance", &self.instance, 1);
        faults.name("group", &self.group, 1);
        faults.name("topic_prefix", &self.topic_prefix, 0);
        if let Some(id) = &self.group_instance_id {
            faults.name("group_instance_id", id, 1);
        }
        faults.within("session_timeout_ms", self.session_timeout_ms, SESSION_TIMEOUT_MS);
        faults.within("append_timeout_ms", self.append_timeout_ms, APPEND_TIMEOUT_MS);
        faults.within("in_flight_max", self.in_flight_max, IN_FLIGHT);
    }

    fn check_topics(&self, faults: &mut Faults) {
        faults.within("partitions", self.partitions, 1..=PARTITIONS_MAX);
        let TopicSettings { replication, min_in_sync, log_hours, events_hours, dead_hours } = self.topics;
        faults.within("topics.replication", replication, 1..=15);
        if !(1..=replication.max(1)).contains(&min_in_sync) {
            let reason = format!("is {min_in_sync}, must be from 1 to topics.replication ({replication})");
            faults.add("topics.min_in_sync", reason);
        }
        let hours = 1..=20 * 365 * 24;
        faults.within("topics.log_hours", log_hours, hours.clone());
        faults.within("topics.events_hours", events_hours, hours.clone());
        faults.within("topics.dead_hours", dead_hours, hours);
    }

    fn check_security(&self, faults: &mut Faults) {
        if let Some(KafkaTls { ca_file, cert_file, key_file, key_password }) = &self.tls {
            faults.readable("tls.ca_file", ca_file.as_deref());
            faults.readable("tls.cert_file", cert_file.as_deref());
            faults.readable("tls.key_file", key_file.as_deref());
            match (cert_file, key_file) {
                (Some(_), None) => faults.add("tls.key_file", "is needed with tls.cert_file"),
                (None, Some(_)) => faults.add("tls.cert_file", "is needed with tls.key_file"),
                _ => {}
            }
            if key_password.is_some() && key_file.is_none() {
                faults.add("tls.key_password", "is of use only with tls.key_file");
            }
        }
        if let Some(Sasl { mechanism, username, .. }) = &self.sasl {
            if username.is_empty() {
                faults.add("sasl.username", "must not be empty");
            }
            let is_open = self.tls.is_none() && !self.brokers.iter().all(|broker| is_loopback(broker));
            if *mechanism == SaslMechanism::Plain && is_open {
                faults.add("sasl.mechanism", "PLAIN shows the password to the network: it needs tls");
            }
        }
    }
}

#[derive(Default)]
struct Faults(Vec<KafkaFault>);

impl Faults {
    fn add(&mut self, key: &'static str, reason: impl Into<String>) {
        self.0.push(KafkaFault { key, reason: reason.into() });
    }

    fn within<T: PartialOrd + fmt::Display>(
        &mut self,
        key: &'static str,
        value: T,
        range: std::ops::RangeInclusive<T>,
    ) {
        if !range.contains(&value) {
            self.add(key, format!("is {value}, must be from {} to {}", range.start(), range.end()));
        }
    }

    fn name(&mut self, key: &'static str, text: &str, chars_min: usize) {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !(chars_min..=NAME_CHARS_MAX).contains(&text.len()) || !text.chars().all(fits) {
            self.add(key, format!("must be {chars_min} to {NAME_CHARS_MAX} of 0-9 A-Z a-z . _ -"));
        }
    }

    fn readable(&mut self, key: &'static str, file: Option<&Path>) {
        if let Some(file) = file
            && let Err(error) = std::fs::File::open(file)
        {
            self.add(key, format!("{} cannot be read: {error}", file.display()));
        }
    }
}

/// The host of `host:port` or `[v6]:port`.
fn host_of(broker: &str) -> Option<&str> {
    let (host, port) = broker.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-:_".contains(c);
    let is_host = !host.is_empty() && host.chars().all(fits);
    (is_host && port.parse::<u16>().is_ok_and(|port| port > 0)).then_some(host)
}

fn is_loopback(broker: &str) -> bool {
    host_of(broker).is_some_and(|host| {
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(config: &KafkaConfig) -> Vec<&'static str> {
        config.check().err().map_or_else(Vec::new, |faults| faults.0.iter().map(|fault| fault.key).collect())
    }

    fn sasl(mechanism: SaslMechanism) -> Sasl {
        Sasl { mechanism, username: "paymux".to_owned(), password: "geheim".into() }
    }

    #[test]
    fn the_usual_settings_hold() {
        let config = KafkaConfig::new(vec!["kafka-1:9092".to_owned(), "[::1]:9092".to_owned()], "ingest-1");
        assert_eq!(keys(&config), [""; 0]);
        assert!(config.lease_max() * 3 <= config.session_timeout());
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let mut config = KafkaConfig::new(vec!["nowhere".to_owned(), ":9092".to_owned()], "an instance");
        config.partitions = 0;
        config.session_timeout_ms = 1;
        config.topics.min_in_sync = 4;
        config.tls = Some(KafkaTls { cert_file: Some("/nowhere/c.pem".into()), ..KafkaTls::default() });
        let expected = [
            "brokers",
            "brokers",
            "instance",
            "session_timeout_ms",
            "partitions",
            "topics.min_in_sync",
            "tls.cert_file",
            "tls.key_file",
        ];
        assert_eq!(keys(&config), expected);
    }

    #[test]
    fn a_password_crosses_no_open_network() {
        let mut config = KafkaConfig::new(vec!["kafka-1:9092".to_owned()], "w1");
        config.sasl = Some(sasl(SaslMechanism::Plain));
        assert_eq!(keys(&config), ["sasl.mechanism"]);
        config.sasl = Some(sasl(SaslMechanism::ScramSha512));
        assert_eq!(keys(&config), [""; 0]);
        config.sasl = Some(sasl(SaslMechanism::Plain));
        config.brokers = vec!["127.0.0.1:9092".to_owned()];
        assert_eq!(keys(&config), [""; 0]);
    }

    #[test]
    fn secrets_do_not_show() {
        let mut config = KafkaConfig::new(vec!["kafka-1:9092".to_owned()], "w1");
        config.sasl = Some(sasl(SaslMechanism::ScramSha256));
        let key_password = Some("geheim".into());
        config.tls = Some(KafkaTls { key_password, ..KafkaTls::default() });
        assert!(!format!("{config:?}").contains("geheim"));
        assert!(!config.check().expect_err("a password for no key").to_string().contains("geheim"));
    }

    #[test]
    fn it_is_read_from_text_and_unknown_keys_are_refused() {
        let text = "brokers = ['k:1']\ninstance = 'w1'\n[sasl]\nmechanism = 'SCRAM-SHA-256'\nusername = 'u'\n\
                    password = 'p'\n[topics]\nreplication = 1\nmin_in_sync = 1\n";
        let config: KafkaConfig = toml::from_str(text).expect("well-formed");
        assert_eq!((config.partitions, config.topics.replication, config.topics.log_hours), (64, 1, 9600));
        assert!(toml::from_str::<KafkaConfig>("brokers = []\ninstance = 'x'\nbroker = 1\n").is_err());
    }
}
