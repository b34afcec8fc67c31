//! Reads who may call and how doors are protected: `[callers]`, `[access]`, `[server.grpc_tls]`, `[server.notify_tls]`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use paymux_domain::name::MerchantId;

use super::reader::Reader;
use super::schema;
use super::sections::named;
use crate::access::audit::AuditConfig;
use crate::access::{
    CallerConfig, CallerLimits, Callers, CertificateName, KeyHash, MerchantScope, Right, Rights,
};
use crate::tls::{ClientCertificate, Tls, TlsConfig};

/// Characters of a caller's name, which stands in records and the audit log.
const NAME_CHARS_MAX: usize = 64;

/// Keys of one caller, and names of its certificates.
const CREDENTIALS_MAX: usize = 16;

/// All merchants.
const ALL: &str = "*";

/// Access, as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessConfig {
    /// Who may call.
    pub callers: Callers,
    /// Where operators' acts are written; `None`: nowhere.
    pub audit: Option<AuditConfig>,
    /// TLS for gRPC.
    pub grpc_tls: Option<TlsConfig>,
    /// TLS for notifications.
    pub notify_tls: Option<TlsConfig>,
}

/// What stands against listening beyond loopback, per door.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exposure {
    pub(super) grpc: Result<(), Lacking>,
    pub(super) notify: Result<(), Lacking>,
}

/// What is lacking, and what would help.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lacking {
    pub(super) what: &'static str,
    pub(super) allowed: &'static str,
}

const NO_CALLERS: Lacking =
    Lacking { what: "no callers are configured, so nobody would be authenticated", allowed: "[callers]" };

const NO_TLS: Lacking = Lacking {
    what: "there is no TLS, so keys would travel in plain text",
    allowed: "[server.grpc_tls], or access.allow_plaintext = true behind a mesh that encrypts",
};

/// Reads all of it; `folder` is where relative paths begin.
pub(super) fn read(
    top: &mut Reader<'_>,
    server: &mut Reader<'_>,
    folder: &Path,
) -> (Option<AccessConfig>, Exposure) {
    let has_callers = top.holds("callers");
    let has_tls = server.holds("grpc_tls");
    let grpc_tls = match server.section("grpc_tls", schema::GRPC_TLS) {
        None => Some(None),
        Some(section) => tls(section, folder, &[b"h2"]).map(Some),
    };
    let notify_tls = match server.section("notify_tls", schema::NOTIFY_TLS) {
        None => Some(None),
        Some(section) => tls(section, folder, &[b"http/1.1"]).map(Some),
    };
    let mut access = top.section_or_empty("access", schema::ACCESS);
    let allow_plaintext = access.flag("allow_plaintext");
    let has_audit = access.holds("audit_file");
    let audit = audit(&mut access, folder);
    access.finish(&[]);
    // A faulty section is told once, and not again by each caller that needs it.
    let takes_certificates = has_tls && grpc_tls.as_ref().is_none_or(has_client_ca);
    let demands = Demands { has_audit, takes_certificates };
    let callers = callers(top, demands);
    let notify = if has_callers { Ok(()) } else { Err(NO_CALLERS) };
    let is_encrypted = has_tls || allow_plaintext != Some(false);
    let grpc = notify.and(if is_encrypted { Ok(()) } else { Err(NO_TLS) });
    let config = || {
        Some(AccessConfig { callers: callers?, audit: audit?, grpc_tls: grpc_tls?, notify_tls: notify_tls? })
    };
    (config(), Exposure { grpc, notify })
}

fn has_client_ca(tls: &Option<TlsConfig>) -> bool {
    tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some())
}

/// A door's files, which must be usable now.
fn tls(mut section: Reader<'_>, folder: &Path, alpn: &'static [&'static [u8]]) -> Option<TlsConfig> {
    let certificate_file = section.text("certificate_file");
    let private_key_file = section.text("private_key_file");
    // Both are keys of gRPC's section alone.
    let client_ca_file = section.text("client_ca_file");
    let has_choice = section.holds("client_certificate");
    let client_certificate = match section.text("client_certificate").as_deref() {
        Some("required") => ClientCertificate::Required,
        _ => ClientCertificate::Optional,
    };
    if has_choice && client_ca_file.is_none() {
        section.fault("client_certificate", "has no meaning without client_ca_file", "");
    }
    let config = || {
        Some(TlsConfig {
            certificate_file: folder.join(certificate_file?),
            private_key_file: folder.join(private_key_file?),
            client_ca_file: client_ca_file.map(|file| folder.join(file)),
            client_certificate,
            alpn,
        })
    };
    let usable = config().filter(|config| match Tls::load(config.clone()) {
        Ok(_) => true,
        Err(faults) => {
            for fault in faults.0 {
                section.fault(fault.key, fault.problem, "");
            }
            false
        }
    });
    section.finish(&[]);
    usable
}

fn audit(access: &mut Reader<'_>, folder: &Path) -> Option<Option<AuditConfig>> {
    let is_wanted = access.holds("audit_file");
    let file = access.text("audit_file").map(|file| folder.join(file));
    let bytes_max = access.count::<u64>("audit_mib_max").map(|mib| mib << 20);
    let files_max = access.count("audit_files_max");
    if !is_wanted {
        return bytes_max.and(files_max).map(|_: u32| None);
    }
    Some(Some(AuditConfig { file: file?, bytes_max: bytes_max?, files_max: files_max? }))
}

/// What other sections offer to callers.
#[derive(Clone, Copy)]
struct Demands {
    has_audit: bool,
    takes_certificates: bool,
}

/// A caller's name: of the characters that names have everywhere.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct CallerName(String);

impl FromStr for CallerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        if is_name && (1..=NAME_CHARS_MAX).contains(&text.len()) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("a caller's name must be 1 to {NAME_CHARS_MAX} of 0-9 A-Z a-z _ - ."))
    }
}

impl fmt::Display for CallerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn callers(top: &mut Reader<'_>, demands: Demands) -> Option<Callers> {
    let is_there = top.holds("callers");
    let mut callers = BTreeMap::new();
    let mut keys: BTreeMap<KeyHash, String> = BTreeMap::new();
    let mut certificates: BTreeMap<CertificateName, String> = BTreeMap::new();
    let mut count = 0;
    let tables: Vec<(CallerName, toml::Table)> = named(top, "callers");
    for (CallerName(name), table) in tables {
        count += 1;
        let section = top.sub_reader(format!("callers.{name}"), schema::CALLER, table);
        let Some(caller) = caller(section, demands) else { continue };
        for hash in &caller.keys {
            if let Some(other) = keys.insert(hash.clone(), name.clone()) {
                let problem = format!("the key {hash:?} is also one of {other}");
                top.fault(&format!("callers.{name}.key_sha256"), problem, "each key once");
            }
        }
        for known in &caller.certificates {
            if let Some(other) = certificates.insert(known.clone(), name.clone()) {
                let problem = format!("{known} is also a name of {other}");
                top.fault(&format!("callers.{name}.certificate_names"), problem, "each name once");
            }
        }
        callers.insert(name, caller);
    }
    if is_there && count == 0 {
        // An empty table would open the doors by mistake.
        top.fault("callers", "no usable caller", "one [callers.NAME] or more, or no section at all");
    }
    (callers.len() == count).then_some(Callers(callers))
}

fn caller(mut caller: Reader<'_>, demands: Demands) -> Option<CallerConfig> {
    let has_credentials = caller.holds("key_sha256") || caller.holds("certificate_names");
    let keys = match caller.holds("key_sha256") {
        true => caller.hashes("key_sha256"),
        false => Some(Vec::new()),
    };
    let certificates = certificates(&mut caller, demands);
    if !has_credentials {
        caller.fault("key_sha256", "neither keys nor certificate_names", "one of both, or both");
    }
    let too_many = |count: usize| count > CREDENTIALS_MAX;
    if keys.as_ref().is_some_and(|keys| too_many(keys.len())) {
        caller.fault("key_sha256", "too many keys", format!("at most {CREDENTIALS_MAX}"));
    }
    if keys.as_ref().is_some_and(|keys| keys.contains(&KeyHash::of(""))) {
        caller.fault("key_sha256", "one is the hash of nothing at all", "what paymux caller key prints");
    }
    let rights = rights(&mut caller);
    if !demands.has_audit && rights.as_ref().is_some_and(|rights| rights.contains(&Right::Operate)) {
        caller.fault("rights", "operate needs an audit log", "access.audit_file");
    }
    let merchants = merchants(&mut caller);
    let requests_per_s = caller.count("requests_per_s");
    let burst = caller.count("burst");
    let concurrency_max = caller.count("concurrency_max");
    caller.finish(&[]);
    let limits =
        CallerLimits { requests_per_s: requests_per_s?, burst: burst?, concurrency_max: concurrency_max? };
    Some(CallerConfig {
        keys: keys?,
        certificates: certificates?,
        rights: rights?,
        merchants: merchants?,
        limits: Some(limits),
    })
}

fn certificates(caller: &mut Reader<'_>, demands: Demands) -> Option<Vec<CertificateName>> {
    const KEY: &str = "certificate_names";
    if !caller.holds(KEY) {
        return Some(Vec::new());
    }
    let words = caller.words(KEY)?;
    if !demands.takes_certificates {
        caller.fault(KEY, "no client certificates are asked for", "server.grpc_tls.client_ca_file");
    }
    if words.len() > CREDENTIALS_MAX {
        caller.fault(KEY, "too many names", format!("at most {CREDENTIALS_MAX}"));
    }
    each(caller, KEY, &words, CertificateName::ALLOWED)
}

fn rights(caller: &mut Reader<'_>) -> Option<Rights> {
    let words = caller.words("rights")?;
    let rights: Vec<Right> = each(caller, "rights", &words, "submit | read | operate")?;
    Some(rights.into_iter().collect())
}

fn merchants(caller: &mut Reader<'_>) -> Option<MerchantScope> {
    let words = caller.words("merchants")?;
    if words == [ALL] {
        return Some(MerchantScope::All);
    }
    let ids: Vec<MerchantId> =
        each(caller, "merchants", &words, "[\"*\"], or ids of merchants: 1 to 32 of 0-9 A-Z a-z _ -")?;
    Some(MerchantScope::Only(ids.into_iter().collect()))
}

/// Each word as what it means; each one that means nothing is a fault.
fn each<T: FromStr>(caller: &Reader<'_>, key: &str, words: &[String], allowed: &str) -> Option<Vec<T>> {
    let mut meanings = Vec::new();
    for word in words {
        match word.parse() {
            Ok(meaning) => meanings.push(meaning),
            Err(_) => caller.fault(key, format!("{word:?} is not allowed"), allowed),
        }
    }
    (meanings.len() == words.len()).then_some(meanings)
}
