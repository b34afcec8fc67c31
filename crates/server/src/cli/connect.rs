//! How client commands reach a server and who they say they are.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use paymux_proto::client::{Client, Credentials};

/// The environment variable that may hold the key itself.
const KEY_VARIABLE: &str = "PAYMUX_KEY";

/// Server and credentials. Every client command takes them.
#[derive(Clone, Debug, Args)]
pub(super) struct ConnectArgs {
    /// The server's gRPC address; https:// for TLS.
    #[arg(long, global = true, env = "PAYMUX_SERVER", default_value = "http://127.0.0.1:7700")]
    server: String,
    /// A file with the caller's key. Without it the environment variable PAYMUX_KEY is read, if it is set.
    #[arg(long, global = true, value_name = "FILE", env = "PAYMUX_KEY_FILE")]
    key_file: Option<PathBuf>,
    /// The authority (PEM) of the server's certificate; without it those that the system trusts.
    #[arg(long, global = true, value_name = "FILE", env = "PAYMUX_TLS_CA")]
    tls_ca: Option<PathBuf>,
    /// A client certificate (PEM), for mutual TLS.
    #[arg(long, global = true, value_name = "FILE", env = "PAYMUX_TLS_CERT", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key (PEM) of the client certificate.
    #[arg(long, global = true, value_name = "FILE", env = "PAYMUX_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl ConnectArgs {
    /// Connects with what was given.
    pub(super) async fn connect(&self) -> anyhow::Result<Client> {
        let credentials = self.credentials()?;
        let connecting = Client::connect_as(&self.server, &credentials).await;
        connecting.with_context(|| format!("no connection to {}", self.server))
    }

    /// Connects so many times.
    #[cfg(feature = "demo")]
    pub(super) async fn connect_all(&self, count: u16) -> anyhow::Result<Vec<Client>> {
        let mut clients = Vec::new();
        for _ in 0..count {
            clients.push(self.connect().await?);
        }
        Ok(clients)
    }

    fn credentials(&self) -> anyhow::Result<Credentials> {
        let mut credentials = Credentials::default();
        if let Some(key) = self.key()? {
            credentials = credentials.with_key(key.trim())?;
        }
        if let Some(path) = &self.tls_ca {
            credentials = credentials.with_server_ca(&read("--tls-ca", path)?);
        }
        if let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) {
            credentials =
                credentials.with_certificate(&read("--tls-cert", certificate)?, &read("--tls-key", key)?);
        }
        Ok(credentials)
    }

    fn key(&self) -> anyhow::Result<Option<String>> {
        if let Some(path) = &self.key_file {
            return read("--key-file", path).map(Some);
        }
        let Some(key) = std::env::var_os(KEY_VARIABLE).filter(|key| !key.is_empty()) else {
            return Ok(None);
        };
        key.into_string().map(Some).map_err(|_| anyhow::anyhow!("{KEY_VARIABLE} is not UTF-8"))
    }
}

fn read(flag: &str, path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("{flag}: {} cannot be read", path.display()))
}
