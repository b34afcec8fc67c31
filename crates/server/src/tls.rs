//! TLS of our doors: certificate, key and the authority of client certificates, read from files and read again when
//! they change.
//!
//! A connection keeps what it was made with; new ones get the newest files. Files that cannot be used leave the last
//! usable ones in force and are told in the log.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, sign::CertifiedKey};
use tokio_util::sync::CancellationToken;

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_secs(2);

/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Sessions that may be resumed.
const SESSIONS_MAX: usize = 4096;

/// Whether clients have to show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificate {
    /// Who shows none is known by a key, or not at all.
    Optional,
    /// Without one there is no connection.
    Required,
}

/// The files of one door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// The certificate chain (PEM), the server's own first.
    pub certificate_file: PathBuf,
    /// Its private key (PEM).
    pub private_key_file: PathBuf,
    /// Authorities of client certificates (PEM); `None`: clients show none.
    pub client_ca_file: Option<PathBuf>,
    /// Whether they must.
    pub client_certificate: ClientCertificate,
    /// The protocols that are offered, the preferred one first.
    pub alpn: &'static [&'static [u8]],
}

/// What is wrong with one of the files; never what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFault {
    /// The configuration key that names the file.
    pub key: &'static str,
    /// What is wrong.
    pub problem: String,
}

/// Everything that is wrong with the files of a door.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct TlsFaults(pub Vec<TlsFault>);

impl fmt::Display for TlsFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> =
            self.0.iter().map(|fault| format!("{}: {}", fault.key, fault.problem)).collect();
        write!(f, "TLS cannot be set up: {}", faults.join("; "))
    }
}

const CERTIFICATE: &str = "certificate_file";
const PRIVATE_KEY: &str = "private_key_file";
const CLIENT_CA: &str = "client_ca_file";

/// The bytes of the files, to see whether they changed; never shown.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    private_key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// The TLS of one door as it is now.
pub struct Tls {
    config: TlsConfig,
    contents: parking_lot::Mutex<Contents>,
    live: ArcSwap<ServerConfig>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({})", self.config.certificate_file.display())
    }
}

impl Tls {
    /// Reads and checks all files.
    ///
    /// # Errors
    /// Everything that is wrong with them, at once.
    pub fn load(config: TlsConfig) -> Result<Self, TlsFaults> {
        let contents = Contents::read(&config)?;
        let live = contents.server_config(&config)?;
        let contents = parking_lot::Mutex::new(contents);
        Ok(Self { config, contents, live: ArcSwap::from_pointee(live) })
    }

    /// What a new connection is made with.
    #[must_use]
    pub fn current(&self) -> Arc<ServerConfig> {
        self.live.load_full()
    }

    /// Reads the files again; says whether something changed.
    ///
    /// # Errors
    /// They cannot be used; what was in force stays so.
    pub fn refresh(&self) -> Result<bool, TlsFaults> {
        let read = Contents::read(&self.config)?;
        let mut known = self.contents.lock();
        if *known == read {
            return Ok(false);
        }
        self.live.store(Arc::new(read.server_config(&self.config)?));
        *known = read;
        Ok(true)
    }

    /// Keeps looking at the files until the stop. Faults are told when they come up and not at every look.
    pub(crate) async fn follow(self: Arc<Self>, stop: CancellationToken) {
        let mut told = None;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PERIOD) => {}
            }
            let tls = Arc::clone(&self);
            let refreshed = tokio::task::spawn_blocking(move || tls.refresh()).await;
            let faults = match refreshed {
                Ok(Ok(has_changed)) => {
                    if has_changed {
                        tracing::info!(tls = ?self, "new certificates are in force for new connections");
                    }
                    None
                }
                Ok(Err(faults)) => Some(faults),
                Err(_) => continue,
            };
            if let Some(faults) = faults.as_ref().filter(|faults| told.as_ref() != Some(*faults)) {
                tracing::error!(%faults, "changed files cannot be used; the last usable ones stay in force");
            }
            told = faults;
        }
    }
}

impl Contents {
    fn read(config: &TlsConfig) -> Result<Self, TlsFaults> {
        let certificate = read_file(CERTIFICATE, &config.certificate_file);
        let private_key = read_file(PRIVATE_KEY, &config.private_key_file);
        let client_ca = config.client_ca_file.as_deref().map(|path| read_file(CLIENT_CA, path)).transpose();
        match (certificate, private_key, client_ca) {
            (Ok(certificate), Ok(private_key), Ok(client_ca)) => {
                Ok(Self { certificate, private_key, client_ca })
            }
            (certificate, private_key, client_ca) => {
                let faults = [certificate.err(), private_key.err(), client_ca.err()];
                Err(TlsFaults(faults.into_iter().flatten().collect()))
            }
        }
    }

    fn server_config(&self, config: &TlsConfig) -> Result<ServerConfig, TlsFaults> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let identity = self.identity(&provider);
        let authorities = self.client_ca.as_deref().map(authorities).transpose();
        let (identity, authorities) = match (identity, authorities) {
            (Ok(identity), Ok(authorities)) => (identity, authorities),
            (identity, authorities) => {
                let mut faults = identity.err().unwrap_or_default();
                faults.extend(authorities.err());
                return Err(TlsFaults(faults));
            }
        };
        let of_ca = |error: &dyn fmt::Display| TlsFaults(vec![fault(CLIENT_CA, error.to_string())]);
        let building = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let building = building.with_safe_default_protocol_versions().map_err(|error| of_ca(&error))?;
        let building = match authorities {
            None => building.with_no_client_auth(),
            Some(roots) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = match config.client_certificate {
                    ClientCertificate::Optional => verifier.allow_unauthenticated(),
                    ClientCertificate::Required => verifier,
                };
                building.with_client_cert_verifier(verifier.build().map_err(|error| of_ca(&error))?)
            }
        };
        let mut server = building.with_cert_resolver(Arc::new(Fixed(Arc::new(identity))));
        server.alpn_protocols = config.alpn.iter().map(|name| name.to_vec()).collect();
        server.session_storage = ServerSessionMemoryCache::new(SESSIONS_MAX);
        Ok(server)
    }

    /// Certificate chain and key, which belong to each other.
    fn identity(&self, provider: &CryptoProvider) -> Result<CertifiedKey, Vec<TlsFault>> {
        let chain = certificates(CERTIFICATE, &self.certificate);
        let unusable = |_| fault(PRIVATE_KEY, "holds no usable private key (PEM)".to_owned());
        let key = PrivateKeyDer::from_pem_slice(&self.private_key).map_err(|_| ());
        let key = key.and_then(|key| provider.key_provider.load_private_key(key).map_err(|_| ()));
        match (chain, key.map_err(unusable)) {
            (Ok(chain), Ok(key)) => {
                let identity = CertifiedKey::new(chain, key);
                match identity.keys_match() {
                    Ok(()) => Ok(identity),
                    Err(_) => Err(vec![fault(PRIVATE_KEY, "does not belong to the certificate".to_owned())]),
                }
            }
            (chain, key) => Err(chain.err().into_iter().chain(key.err()).collect()),
        }
    }
}

/// The one certificate of a door, whatever name a client asks for.
#[derive(Debug)]
struct Fixed(Arc<CertifiedKey>);

impl tokio_rustls::rustls::server::ResolvesServerCert for Fixed {
    fn resolve(&self, _: tokio_rustls::rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

const fn fault(key: &'static str, problem: String) -> TlsFault {
    TlsFault { key, problem }
}

fn read_file(key: &'static str, path: &Path) -> Result<Vec<u8>, TlsFault> {
    let unreadable =
        |error: std::io::Error| fault(key, format!("{} cannot be read: {error}", path.display()));
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(fault(key, format!("{} has {bytes} bytes, more than {FILE_BYTES_MAX}", path.display())));
    }
    std::fs::read(path).map_err(unreadable)
}

fn certificates(key: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = read.map_err(|error| fault(key, format!("is no PEM: {error}")))?;
    if found.is_empty() {
        return Err(fault(key, "holds no certificate (PEM)".to_owned()));
    }
    Ok(found)
}

fn authorities(pem: &[u8]) -> Result<RootCertStore, TlsFault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(CLIENT_CA, pem)? {
        roots.add(certificate).map_err(|error| fault(CLIENT_CA, format!("is no authority: {error}")))?;
    }
    Ok(roots)
}

#[cfg(test)]
mod tests;
