//! `[backend.cql]`: the store of a cluster.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use paymux_backends::cql::{CqlConfig, CqlCredentials, CqlTls};

use super::super::reader::Reader;
use super::super::schema;
use super::super::secrets::Secrets;
use super::{STAND_IN, Whole, password, path};

/// Reads the section; what it finds fault with joins what the backend itself does.
pub(super) fn read(
    backend: &mut Reader<'_>,
    secrets: &Secrets<'_>,
    partitions: Option<u16>,
    retention: Option<Duration>,
) -> Option<CqlConfig> {
    let mut cql = backend.section_or_empty("cql", schema::CQL);
    let contact_points = cql.words("contact_points");
    let keyspace = cql.text("keyspace");
    let datacenter = cql.text("datacenter");
    let replication = each(&mut cql, "replication", ':', "DATACENTER:COPIES");
    let address_map: Option<BTreeMap<SocketAddr, SocketAddr>> =
        each(&mut cql, "address_map", '=', "TOLD=REACHED, both an IP address with a port");
    let request_timeout = cql.count("request_timeout_ms").map(Duration::from_millis);
    let connect_timeout = cql.count("connect_timeout_ms").map(Duration::from_millis);
    let in_flight_max = cql.count("in_flight_max");
    let tls = match cql.section("tls", schema::CQL_TLS) {
        None => Some(None),
        Some(section) => tls(section, secrets).map(Some),
    };
    let credentials = match cql.section("login", schema::CQL_LOGIN) {
        None => Some(None),
        Some(section) => login(section, secrets).map(Some),
    };
    let mut whole = Whole::default();
    let has_datacenter = datacenter.is_some();
    let datacenter = whole.or(datacenter, "dc".to_owned());
    let replication = whole.or(replication, BTreeMap::new());
    let usual = CqlConfig::new(
        whole.or(contact_points, vec![STAND_IN.to_owned()]),
        whole.or(keyspace, "paymux".to_owned()),
        &datacenter,
    );
    let config = CqlConfig {
        replication: if replication.is_empty() || !has_datacenter { usual.replication } else { replication },
        partitions: whole.or(partitions, usual.partitions),
        retention: whole.or(retention, usual.retention),
        credentials: whole.or(credentials, None),
        tls: whole.or(tls, None),
        address_map: whole.or(address_map, BTreeMap::new()),
        request_timeout: whole.or(request_timeout, usual.request_timeout),
        connect_timeout: whole.or(connect_timeout, usual.connect_timeout),
        in_flight_max: whole.or(in_flight_max, usual.in_flight_max),
        contact_points: usual.contact_points,
        keyspace: usual.keyspace,
        local_datacenter: usual.local_datacenter,
    };
    for fault in config.check().err().map(|faults| faults.0).unwrap_or_default() {
        whole.breaks();
        tell(backend, &cql, fault.field, fault.reason);
    }
    cql.finish(&["tls", "login"]);
    whole.then(config)
}

/// Tells a fault of the backend under the key that it has in the configuration.
fn tell(backend: &Reader<'_>, cql: &Reader<'_>, field: &str, reason: String) {
    match field {
        "retention" => backend.fault("retention_days", reason, ""),
        "partitions" => backend.fault("partitions", reason, ""),
        "local_datacenter" => cql.fault("datacenter", reason, ""),
        "credentials" => cql.fault("login.username", reason, ""),
        "request_timeout" => cql.fault("request_timeout_ms", reason, ""),
        "connect_timeout" => cql.fault("connect_timeout_ms", reason, ""),
        field => cql.fault(field, reason, ""),
    }
}

/// Words that are pairs; an absent list is empty.
fn each<K: std::str::FromStr + Ord, V: std::str::FromStr>(
    cql: &mut Reader<'_>,
    key: &'static str,
    between: char,
    allowed: &str,
) -> Option<BTreeMap<K, V>> {
    if !cql.holds(key) {
        return Some(BTreeMap::new());
    }
    let words = cql.words(key)?;
    let mut pairs = BTreeMap::new();
    let mut is_whole = true;
    for word in words {
        let pair = word.rsplit_once(between).and_then(|(k, v)| Some((k.parse().ok()?, v.parse().ok()?)));
        match pair {
            Some((k, v)) => drop(pairs.insert(k, v)),
            None => {
                cql.fault(key, format!("{word:?} is not allowed"), allowed);
                is_whole = false;
            }
        }
    }
    is_whole.then_some(pairs)
}

fn tls(mut tls: Reader<'_>, secrets: &Secrets<'_>) -> Option<CqlTls> {
    let mut files = Vec::new();
    for key in ["ca_file", "cert_file", "key_file"] {
        let file = path(&mut tls, secrets, key);
        let is_readable = file.as_deref().is_none_or(|file| is_readable(&tls, key, file));
        files.push(file.filter(|_| is_readable));
    }
    let [ca_file, cert_file, key_file] = files.try_into().ok()?;
    let client = match (cert_file, key_file) {
        (Some(certificate), Some(key)) => Some(Some((certificate, key))),
        (None, None) => Some(None),
        (Some(_), None) => {
            tls.fault("key_file", "is needed with cert_file", "");
            None
        }
        (None, Some(_)) => {
            tls.fault("cert_file", "is needed with key_file", "");
            None
        }
    };
    tls.finish(&[]);
    Some(CqlTls { ca_file: ca_file?, client: client? })
}

fn is_readable(tls: &Reader<'_>, key: &str, file: &Path) -> bool {
    let opened = File::open(file);
    if let Err(error) = &opened {
        tls.fault(key, format!("{} cannot be read: {error}", file.display()), "");
    }
    opened.is_ok()
}

fn login(mut login: Reader<'_>, secrets: &Secrets<'_>) -> Option<CqlCredentials> {
    let username = login.text("username");
    let password = password(&mut login, secrets);
    login.finish(&[]);
    Some(CqlCredentials { user: username?, password: password? })
}
