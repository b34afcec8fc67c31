//! TLS towards the nodes, out of files.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::config::{CqlConfigFault, CqlConfigFaults, CqlTls};

/// Reads the files.
///
/// # Errors
/// Everything that is wrong with them, by field; never what is in them.
pub(super) fn load(tls: &CqlTls) -> Result<Arc<ClientConfig>, CqlConfigFaults> {
    let mut faults = Vec::new();
    let mut fault = |field, reason: String| faults.push(CqlConfigFault { field, reason });
    let mut roots = RootCertStore::empty();
    match certificates(&tls.ca_file) {
        Ok(authorities) => {
            for authority in authorities {
                if let Err(error) = roots.add(authority) {
                    fault("tls.ca_file", format!("{}: {error}", tls.ca_file.display()));
                }
            }
        }
        Err(reason) => fault("tls.ca_file", reason),
    }
    let identity = tls.client.as_ref().map(|(certificate_file, key_file)| {
        let chain = certificates(certificate_file).map_err(|reason| fault("tls.client", reason)).ok();
        let key = PrivateKeyDer::from_pem_file(key_file)
            .map_err(|error| fault("tls.client", format!("{}: {error}", key_file.display())))
            .ok();
        chain.zip(key)
    });
    if !faults.is_empty() {
        return Err(CqlConfigFaults(faults));
    }
    build(roots, identity.flatten())
        .map(Arc::new)
        .map_err(|reason| CqlConfigFaults(vec![CqlConfigFault { field: "tls", reason }]))
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn build(roots: RootCertStore, identity: Option<Identity>) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    match identity {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|error| error.to_string()),
        None => Ok(builder.with_no_client_auth()),
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(format!("{} holds no certificate", file.display())),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("{}: {error}", file.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let empty = folder.path().join("ca.pem");
        std::fs::write(&empty, "").expect("a file for the test");
        let missing = folder.path().join("missing.pem");
        let tls = CqlTls { ca_file: empty, client: Some((missing.clone(), missing)) };
        let faults = load(&tls).expect_err("nothing can be used");
        let fields: Vec<_> = faults.0.iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["tls.ca_file", "tls.client", "tls.client"], "{faults}");
    }

    #[test]
    fn authorities_and_an_identity_make_a_client() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        std::fs::write(&certificate, made.cert.pem()).expect("a file for the test");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file for the test");
        let plain = CqlTls { ca_file: certificate.clone(), client: None };
        assert!(!load(&plain).expect("usable").client_auth_cert_resolver.has_certs());
        let mutual = CqlTls { client: Some((certificate, key)), ..plain };
        assert!(load(&mutual).expect("usable").client_auth_cert_resolver.has_certs());
    }
}
