//! What a client shows of itself and asks of the server: a bearer key, certificates, whom it trusts.

use std::fmt;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

/// Scheme of an address with TLS.
const HTTPS: &str = "https://";

/// Why a client cannot connect.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The key has characters that no header can carry.
    #[error("the key is not one line of visible ASCII characters")]
    KeyNotText,
    /// Certificates were given for an address without TLS.
    #[error("certificates need an address that begins with https://, and {0} does not")]
    NotHttps(String),
    /// A faulty address or certificate, nobody there, or one side does not trust the other.
    #[error(transparent)]
    Transport(#[from] tonic::transport::Error),
}

/// Credentials of a client; by default none, and the system's authorities are trusted.
#[derive(Clone, Default)]
pub struct Credentials {
    bearer: Bearer,
    server_ca: Option<Certificate>,
    identity: Option<Identity>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl Credentials {
    /// Sends a bearer key with every call.
    ///
    /// # Errors
    /// The key cannot be sent as it is.
    pub fn with_key(mut self, key: &str) -> Result<Self, ConnectError> {
        let is_text = !key.is_empty() && key.chars().all(|c| c.is_ascii_graphic());
        let header = format!("Bearer {key}").parse().ok().filter(|_| is_text);
        let mut header: MetadataValue<Ascii> = header.ok_or(ConnectError::KeyNotText)?;
        // Neither shown by `Debug` nor kept in the tables of header compression.
        header.set_sensitive(true);
        self.bearer = Bearer(Some(header));
        Ok(self)
    }

    /// Trusts the servers of this authority (PEM) and no others.
    #[must_use]
    pub fn with_server_ca(mut self, pem: &str) -> Self {
        self.server_ca = Some(Certificate::from_pem(pem));
        self
    }

    /// Shows this certificate with its private key (both PEM).
    #[must_use]
    pub fn with_certificate(mut self, certificate_pem: &str, private_key_pem: &str) -> Self {
        self.identity = Some(Identity::from_pem(certificate_pem, private_key_pem));
        self
    }

    pub(super) fn bearer(&self) -> Bearer {
        self.bearer.clone()
    }

    /// The endpoint with TLS where its address asks for it.
    pub(super) fn secure(&self, address: &str, endpoint: Endpoint) -> Result<Endpoint, ConnectError> {
        if !address.starts_with(HTTPS) {
            let has_certificates = self.server_ca.is_some() || self.identity.is_some();
            return if has_certificates {
                Err(ConnectError::NotHttps(address.to_owned()))
            } else {
                Ok(endpoint)
            };
        }
        let trusting = ClientTlsConfig::new();
        let trusting = match &self.server_ca {
            Some(authority) => trusting.ca_certificate(authority.clone()),
            None => trusting.with_native_roots(),
        };
        let shown = match &self.identity {
            Some(identity) => trusting.identity(identity.clone()),
            None => trusting,
        };
        Ok(endpoint.tls_config(shown)?)
    }
}

/// Adds the key to each call.
#[derive(Clone, Default)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Bearer(***)" } else { "Bearer(none)" })
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(header) = &self.0 {
            request.metadata_mut().insert("authorization", header.clone());
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_into_each_call_and_into_no_debug_output() {
        let credentials = Credentials::default().with_key("pmx_secret").unwrap();
        let request = credentials.bearer().call(Request::new(())).unwrap();
        let sent = request.metadata().get("authorization").unwrap();
        assert_eq!(sent.to_str().unwrap(), "Bearer pmx_secret");
        let shown = format!("{credentials:?} {:?} {request:?}", credentials.bearer());
        assert!(!shown.contains("pmx_secret"), "{shown}");
    }

    #[test]
    fn a_key_that_no_header_can_carry_is_refused() {
        for key in ["", "two words", "line\nbreak", "schlüssel"] {
            assert!(matches!(Credentials::default().with_key(key), Err(ConnectError::KeyNotText)), "{key:?}");
        }
    }

    #[test]
    fn certificates_without_tls_are_refused() {
        let credentials = Credentials::default().with_server_ca("no matter");
        let endpoint = Endpoint::from_static("http://127.0.0.1:7700");
        let refused = credentials.secure("http://127.0.0.1:7700", endpoint).unwrap_err();
        assert!(refused.to_string().contains("https://"), "{refused}");
    }
}
