//! Callers and doors: every fault at once, no key ever repeated, and nothing exposed by mistake.

use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::access::{KeyHash, MerchantScope, Right};

/// The SHA-256 of `abc`.
const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// A caller without faults.
const SHOP: &str = "[callers.shop]\nrights = [\"submit\", \"read\"]\nmerchants = [\"tea\"]\n";

fn shop() -> String {
    format!("{SHOP}key_sha256 = [\"{HASH}\"]\n")
}

fn faults(lines: &str) -> String {
    Case::new(&format!("{lines}\n{GOOD}")).faults()
}

fn load(lines: &str) -> Config {
    with_tls(Case::new(&format!("{lines}\n{GOOD}"))).load().unwrap_or_else(|faults| panic!("{faults}"))
}

/// Adds certificate files to the folder of a case.
fn with_tls(case: Case) -> Case {
    let folder = case.folder.path().join("tls");
    fs::create_dir_all(&folder).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    for name in ["server.pem", "clients-ca.pem"] {
        fs::write(folder.join(name), certificate.pem()).unwrap();
    }
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
    case
}

const GRPC_TLS: &str =
    "[server.grpc_tls]\ncertificate_file = \"tls/server.pem\"\nprivate_key_file = \"tls/server.key\"\n";

#[test]
fn a_caller_is_read_with_the_limits_of_the_schema() {
    let config = load(&shop());
    let caller = config.access.callers.0.get("shop").unwrap();
    assert_eq!(caller.keys, [KeyHash::of("abc")]);
    assert_eq!(caller.rights.iter().copied().collect::<Vec<_>>(), [Right::Submit, Right::Read]);
    assert_eq!(caller.merchants, MerchantScope::Only(["tea".parse().unwrap()].into()));
    let limits = caller.limits.unwrap();
    assert_eq!((limits.requests_per_s, limits.burst, limits.concurrency_max), (1000, 1000, 256));
    let all = load(&shop().replace("\"tea\"", "\"*\""));
    assert_eq!(all.access.callers.0.get("shop").unwrap().merchants, MerchantScope::All);
    assert!(load("").access.callers.0.is_empty());
}

#[test]
fn every_fault_of_callers_is_named_at_once() {
    let lines = format!(
        "[callers.a]\nrights = [\"submit\", \"rule\"]\nmerchants = [\"tea\", \"no name!\"]\nburst = 0\n\
         [callers.b]\nkey_sha256 = [\"{HASH}\"]\nrights = [\"operate\"]\nport = 1\n\
         [callers.c]\nkey_sha256 = [\"{HASH}\"]\ncertificate_names = [\"cn:c\", \"c\"]\n\
         rights = [\"read\"]\nmerchants = [\"*\", \"tea\"]\n\
         [callers.\"no name\"]\n[access]\naudit_mib_max = 0\n"
    );
    let faults = faults(&lines);
    let expected = [
        "paymux.toml:2: callers.a.rights: \"rule\" is not allowed; allowed: submit | read | operate",
        "paymux.toml:3: callers.a.merchants: \"no name!\" is not allowed; allowed: [\"*\"], or ids",
        "paymux.toml:4: callers.a.burst: 0 is not allowed",
        "paymux.toml:1: callers.a.key_sha256: neither keys nor certificate_names",
        "paymux.toml:7: callers.b.rights: operate needs an audit log; allowed: access.audit_file",
        "paymux.toml:5: callers.b.merchants: missing",
        "paymux.toml:8: callers.b.port: unknown key; allowed: key_sha256, certificate_names, rights",
        "paymux.toml:11: callers.c.certificate_names: no client certificates are asked for",
        "paymux.toml:11: callers.c.certificate_names: \"c\" is not allowed; allowed: dns:NAME",
        "paymux.toml:13: callers.c.merchants: \"*\" is not allowed",
        "paymux.toml:14: callers.no name: a caller's name must be 1 to 64",
        "paymux.toml:16: access.audit_mib_max: 0 is not allowed",
    ];
    for line in expected {
        assert!(faults.lines().any(|fault| fault.starts_with(line)), "{line}\nis not among\n{faults}");
    }
}

#[test]
fn one_key_or_certificate_name_belongs_to_one_caller() {
    let second = shop().replace("callers.shop", "callers.twin");
    let faults = faults(&format!("{}{second}", shop()));
    assert!(faults.contains("callers.twin.key_sha256: the key ba7816bf… is also one of shop"), "{faults}");
    let named = |name: &str| {
        format!(
            "[callers.{name}]\ncertificate_names = [\"cn:x\"]\nrights = [\"read\"]\nmerchants = [\"tea\"]\n"
        )
    };
    let lines = format!("{GRPC_TLS}client_ca_file = \"tls/clients-ca.pem\"\n{}{}", named("a"), named("b"));
    let faults = with_tls(Case::new(&format!("{lines}\n{GOOD}"))).faults();
    assert!(faults.contains("callers.b.certificate_names: cn:x is also a name of a"), "{faults}");
}

#[test]
fn a_key_in_the_place_of_its_hash_is_not_repeated() {
    for wrong in [
        "\"pmx_0123456789\"",
        "[\"pmx_0123456789\"]",
        "[1, \"pmx_0123456789\"]",
        "{ a = \"pmx_0123456789\" }",
    ] {
        let faults = faults(&format!("{SHOP}key_sha256 = {wrong}\n"));
        assert!(faults.contains("callers.shop.key_sha256: ") && !faults.contains("pmx_"), "{faults}");
    }
    let dump = load(&shop()).dump();
    assert!(dump.contains("key_sha256 = [\"ba7816bf…\"]") && !dump.contains(HASH), "{dump}");
}

#[test]
fn the_hash_of_nothing_is_an_accident() {
    let lines = shop().replace(HASH, &KeyHash::of("").to_hex());
    assert!(faults(&lines).contains("callers.shop.key_sha256: one is the hash of nothing"));
}

#[test]
fn an_empty_section_of_callers_does_not_open_the_doors() {
    assert!(faults("[callers]").contains("callers: no usable caller"));
}

#[test]
fn beyond_loopback_needs_callers_and_for_grpc_tls_or_a_word_about_it() {
    let open = "[server]\ngrpc_listen = \"0.0.0.0:7700\"\nnotify_listen = \"0.0.0.0:7701\"\n";
    let both = faults(open);
    for name in ["grpc_listen", "notify_listen"] {
        let fault = format!("server.{name}: 0.0.0.0:770");
        assert!(both.lines().any(|line| line.contains(&fault) && line.contains("no callers are configured")));
    }
    let plain = faults(&format!("{open}{}", shop()));
    assert!(plain.contains("server.grpc_listen: ") && plain.contains("there is no TLS"), "{plain}");
    assert!(!plain.contains("notify_listen: "), "{plain}");
    load(&format!("{open}{GRPC_TLS}{}", shop()));
    load(&format!("{open}[access]\nallow_plaintext = true\n{}", shop()));
    let unsure = faults(&format!("{open}[access]\nallow_plaintext = \"yes\"\n{}", shop()));
    assert!(
        unsure.contains("access.allow_plaintext: \"yes\" is not allowed; allowed: true | false"),
        "{unsure}"
    );
}

#[test]
fn faults_of_certificate_files_are_named_by_their_keys() {
    let faults = faults(&format!("{GRPC_TLS}client_certificate = \"required\"\n"));
    for line in [
        "server.grpc_tls.certificate_file: ",
        "server.grpc_tls.private_key_file: ",
        "server.grpc_tls.client_certificate: has no meaning without client_ca_file",
    ] {
        assert!(faults.contains(line), "{line}\nis not among\n{faults}");
    }
    let notify = faults_of_notify();
    assert!(notify.contains("server.notify_tls.client_ca_file: unknown key"), "{notify}");
}

fn faults_of_notify() -> String {
    let lines = GRPC_TLS.replace("grpc_tls", "notify_tls");
    with_tls(Case::new(&format!("{lines}client_ca_file = \"tls/clients-ca.pem\"\n{GOOD}"))).faults()
}

#[test]
fn the_sections_of_the_example_that_need_not_be_there_pass_when_they_are() {
    // The sections of the other backend have a test of their own.
    let example = example();
    let (before, rest) = example.split_once("#[backend.kafka]").unwrap();
    let after = rest.split_once("[ingest]").unwrap().1;
    let uncommented: String = format!("{before}\n[ingest]{after}")
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix('#').filter(|l| shown(l)).unwrap_or(line)))
        .collect();
    let with_key = uncommented.replace("## key_sha256", "key_sha256");
    let case = with_tls(Case::new(&with_key));
    let config = case.load().unwrap_or_else(|faults| panic!("{faults}\n{with_key}"));
    assert!(config.access.callers.0.contains_key("checkout"));
    assert!(config.access.grpc_tls.is_some() && config.access.notify_tls.is_some());
}

/// Whether a line is one of such a section: a header, or a setting right behind the first `#`.
pub(super) fn shown(line: &str) -> bool {
    line.starts_with('[') || is_setting(line)
}
