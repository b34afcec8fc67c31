//! Files of TLS: every fault at once, and new files for new connections.

use std::fs;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;

struct Files {
    folder: TempDir,
    config: TlsConfig,
}

/// A certificate for this machine, and its key, as PEM.
fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

impl Files {
    fn new(client_ca: bool) -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        let config = TlsConfig {
            certificate_file: path("cert.pem"),
            private_key_file: path("key.pem"),
            client_ca_file: client_ca.then(|| path("ca.pem")),
            client_certificate: ClientCertificate::Optional,
            alpn: &[b"h2"],
        };
        let (certificate, key) = pair();
        let files = Self { folder, config };
        files.write("cert.pem", &certificate);
        files.write("key.pem", &key);
        files.write("ca.pem", &certificate);
        files
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn faults(&self) -> Vec<(&'static str, String)> {
        let TlsFaults(faults) = Tls::load(self.config.clone()).map(drop).unwrap_err();
        faults.into_iter().map(|fault| (fault.key, fault.problem)).collect()
    }
}

#[test]
fn every_faulty_file_is_named_at_once() {
    let files = Files::new(true);
    Tls::load(files.config.clone()).unwrap();
    for name in ["cert.pem", "key.pem", "ca.pem"] {
        files.write(name, "nothing of use");
    }
    let faults = files.faults();
    assert_eq!(faults.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [CERTIFICATE, PRIVATE_KEY, CLIENT_CA]);
    for name in ["cert.pem", "key.pem", "ca.pem"] {
        fs::remove_file(files.folder.path().join(name)).unwrap();
    }
    let faults = files.faults();
    assert_eq!(faults.len(), 3);
    assert!(faults.iter().all(|(_, problem)| problem.contains("cannot be read")), "{faults:?}");
}

#[test]
fn a_key_of_another_certificate_is_refused_and_not_shown() {
    let files = Files::new(false);
    let (_, other) = pair();
    files.write("key.pem", &other);
    assert_eq!(files.faults(), [(PRIVATE_KEY, "does not belong to the certificate".to_owned())]);
    files.write("key.pem", &other.replace("PRIVATE KEY", "PRIVATE THING"));
    let faults = files.faults();
    assert!(!format!("{faults:?}").contains(other.lines().nth(1).unwrap()), "{faults:?}");
}

#[test]
fn changed_files_come_into_force_and_faulty_ones_do_not() {
    let files = Files::new(false);
    let tls = Tls::load(files.config.clone()).unwrap();
    let first = tls.current();
    assert_eq!(tls.refresh(), Ok(false));
    assert!(Arc::ptr_eq(&first, &tls.current()));
    let (certificate, key) = pair();
    files.write("cert.pem", &certificate);
    // The key has not followed yet.
    assert!(tls.refresh().is_err());
    assert!(Arc::ptr_eq(&first, &tls.current()));
    files.write("key.pem", &key);
    assert_eq!(tls.refresh(), Ok(true));
    assert!(!Arc::ptr_eq(&first, &tls.current()));
}
