//! Where the nodes are, how the keyspace is kept, and what is wrong with such a configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use paymux_domain::limits::{EXPIRY_MAX, REFUND_WINDOW, RETENTION_DEFAULT};
use secrecy::SecretString;

/// Longest time that an operation of the store may take, its retries included: within the engine's own deadline.
pub(super) const OPERATION_MAX: Duration = Duration::from_secs(6);
/// Longest retention: CQL has no TTL beyond 20 years, and Cassandra stores none that ends after January 2038.
const RETENTION_MAX: Duration = Duration::from_secs(5 * 365 * 24 * 3600);
/// Shortest time-out of one request: a node that collects garbage is not gone.
const REQUEST_TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// Copies of a row in one datacenter at most; more only cost.
const REPLICAS_MAX: u8 = 9;
/// Bytes of a keyspace's name: the limit of CQL.
const KEYSPACE_BYTES_MAX: usize = 48;

/// Who logs in. The reader of the configuration fetches the password from where it refers to.
#[derive(Clone, Debug)]
pub struct CqlCredentials {
    /// The user.
    pub user: String,
    /// The password; never shown.
    pub password: SecretString,
}

/// The files that a client shows and trusts. Nodes are known by their addresses, so their certificates must name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CqlTls {
    /// Authorities of the nodes' certificates (PEM).
    pub ca_file: PathBuf,
    /// The client's own certificate chain and private key (PEM), where nodes ask for them.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// The cluster of a store and the keyspace in it.
#[derive(Clone, Debug)]
pub struct CqlConfig {
    /// Nodes to begin with, as `host:port`; the others are learnt from them.
    pub contact_points: Vec<String>,
    /// The keyspace: 1 to 48 of a-z 0-9 _, beginning with a letter.
    pub keyspace: String,
    /// Copies of each row by datacenter.
    pub replication: BTreeMap<String, u8>,
    /// The datacenter whose nodes are asked and whose quorum counts. All workers of a cluster name the same one: refunds
    /// are reserved by consensus within it.
    pub local_datacenter: String,
    /// Partitions of the log; fixed when the keyspace is first migrated.
    pub partitions: u16,
    /// How long orders are kept, counted from each write.
    pub retention: Duration,
    /// Who logs in; `None` where nodes do not ask.
    pub credentials: Option<CqlCredentials>,
    /// TLS; `None`: plain connections.
    pub tls: Option<CqlTls>,
    /// Where nodes are reached that tell of other addresses (behind NAT); unless empty it names every node.
    pub address_map: BTreeMap<SocketAddr, SocketAddr>,
    /// How long one request to one node may take.
    pub request_timeout: Duration,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// Requests in flight at most; others wait.
    pub in_flight_max: u32,
}

impl CqlConfig {
    /// The usual settings: one datacenter with three copies, 64 partitions, 400 days.
    #[must_use]
    pub fn new(contact_points: Vec<String>, keyspace: impl Into<String>, datacenter: &str) -> Self {
        Self {
            contact_points,
            keyspace: keyspace.into(),
            replication: BTreeMap::from([(datacenter.to_owned(), 3)]),
            local_datacenter: datacenter.to_owned(),
            partitions: 64,
            retention: RETENTION_DEFAULT,
            credentials: None,
            tls: None,
            address_map: BTreeMap::new(),
            request_timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(3),
            in_flight_max: 256,
        }
    }

    /// Everything that is wrong with it, at once.
    ///
    /// # Errors
    /// Each field with its reason.
    pub fn check(&self) -> Result<(), CqlConfigFaults> {
        let mut faults = Vec::new();
        let mut fault = |field, reason: String| faults.push(CqlConfigFault { field, reason });
        if self.contact_points.is_empty() {
            fault("contact_points", "names no node".to_owned());
        }
        for point in self.contact_points.iter().filter(|point| !is_host_and_port(point)) {
            fault("contact_points", format!("{point:?} is not host:port"));
        }
        if !is_keyspace(&self.keyspace) {
            let allowed = "1 to 48 of a-z 0-9 _, beginning with a letter";
            fault("keyspace", format!("{:?} is not {allowed}", self.keyspace));
        }
        if self.replication.is_empty() {
            fault("replication", "names no datacenter".to_owned());
        }
        for (datacenter, copies) in &self.replication {
            if !is_datacenter(datacenter) {
                fault("replication", format!("{datacenter:?} is no name of a datacenter"));
            }
            if !(1..=REPLICAS_MAX).contains(copies) {
                fault(
                    "replication",
                    format!("{datacenter}: {copies} copies; 1 to {REPLICAS_MAX} are possible"),
                );
            }
        }
        if !self.replication.contains_key(&self.local_datacenter) {
            let reason = format!("{:?} is not in replication", self.local_datacenter);
            fault("local_datacenter", reason);
        }
        if self.credentials.as_ref().is_some_and(|credentials| credentials.user.is_empty()) {
            fault("credentials", "the user has no name".to_owned());
        }
        self.check_numbers(&mut fault);
        if faults.is_empty() { Ok(()) } else { Err(CqlConfigFaults(faults)) }
    }

    fn check_numbers(&self, fault: &mut impl FnMut(&'static str, String)) {
        if self.partitions == 0 {
            fault("partitions", "the log needs at least 1".to_owned());
        }
        let needed = EXPIRY_MAX + REFUND_WINDOW;
        if self.retention <= needed || self.retention > RETENTION_MAX {
            let (least, most) = (days(needed), days(RETENTION_MAX));
            let reason =
                format!("{} days; more than {least} and at most {most} are possible", days(self.retention));
            fault("retention", reason);
        }
        for (field, time) in
            [("request_timeout", self.request_timeout), ("connect_timeout", self.connect_timeout)]
        {
            if !(REQUEST_TIMEOUT_MIN..=OPERATION_MAX).contains(&time) {
                let (least, most) = (REQUEST_TIMEOUT_MIN.as_millis(), OPERATION_MAX.as_millis());
                fault(field, format!("{} ms; {least} to {most} are possible", time.as_millis()));
            }
        }
        if self.in_flight_max == 0 {
            fault("in_flight_max", "nothing could be asked".to_owned());
        }
    }
}

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CqlConfigFault {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct CqlConfigFaults(pub Vec<CqlConfigFault>);

impl fmt::Display for CqlConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> =
            self.0.iter().map(|fault| format!("{}: {}", fault.field, fault.reason)).collect();
        f.write_str(&faults.join("; "))
    }
}

fn days(span: Duration) -> u64 {
    span.as_secs() / (24 * 3600)
}

fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// It stands in statements as it is, so nothing that would need quoting is allowed.
fn is_keyspace(text: &str) -> bool {
    text.len() <= KEYSPACE_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// It stands in a statement between quotes.
fn is_datacenter(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> CqlConfig {
        CqlConfig::new(vec!["db.example:9042".to_owned()], "paymux", "dc1")
    }

    #[test]
    fn the_usual_settings_are_right() {
        assert_eq!(good().check(), Ok(()));
    }

    #[test]
    fn all_faults_are_named_at_once() {
        let bad = CqlConfig {
            contact_points: vec!["db.example".to_owned()],
            keyspace: "Pay-mux".to_owned(),
            replication: BTreeMap::from([("dc'1".to_owned(), 0)]),
            local_datacenter: "dc2".to_owned(),
            partitions: 0,
            retention: Duration::from_secs(1),
            credentials: Some(CqlCredentials { user: String::new(), password: "secret".into() }),
            request_timeout: Duration::ZERO,
            connect_timeout: Duration::from_secs(60),
            in_flight_max: 0,
            ..good()
        };
        let Err(faults) = bad.check() else { panic!("nothing is wrong with it") };
        let fields: Vec<_> = faults.0.iter().map(|fault| fault.field).collect();
        let expected = [
            "contact_points",
            "keyspace",
            "replication",
            "replication",
            "local_datacenter",
            "credentials",
            "partitions",
            "retention",
            "request_timeout",
            "connect_timeout",
            "in_flight_max",
        ];
        assert_eq!(fields, expected, "{faults}");
    }

    #[test]
    fn no_text_shows_the_password() {
        let credentials = Some(CqlCredentials { user: "paymux".to_owned(), password: "hunter2".into() });
        assert!(!format!("{:?}", CqlConfig { credentials, ..good() }).contains("hunter2"));
    }
}
