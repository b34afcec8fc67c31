//! Names in client certificates, by which callers are known that use mutual TLS.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Characters of one name at most.
const NAME_CHARS_MAX: usize = 255;

/// Names of one certificate that are looked at.
const NAMES_MAX: usize = 64;

/// One name in a certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CertificateName {
    /// A DNS name among the subject alternative names, in small letters.
    Dns(String),
    /// A URI among the subject alternative names, such as a SPIFFE id.
    Uri(String),
    /// The common name of the subject.
    CommonName(String),
}

impl CertificateName {
    /// What a name in the configuration looks like.
    pub(crate) const ALLOWED: &'static str =
        "dns:NAME or uri:URI (subject alternative names) or cn:NAME (common name), 1 to 255 characters each";
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "dns:{name}"),
            Self::Uri(uri) => write!(f, "uri:{uri}"),
            Self::CommonName(name) => write!(f, "cn:{name}"),
        }
    }
}

impl FromStr for CertificateName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once(':').unwrap_or_default();
        let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
        match kind {
            "dns" if fits => Ok(Self::Dns(name.to_ascii_lowercase())),
            "uri" if fits => Ok(Self::Uri(name.to_owned())),
            "cn" if fits => Ok(Self::CommonName(name.to_owned())),
            _ => Err(format!("{text:?} is no name of a certificate")),
        }
    }
}

/// The other side of a connection, as far as TLS has proven it.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// Names in the certificate that it has shown and that the configured authority has signed; else empty.
    pub names: Arc<[CertificateName]>,
}

impl Peer {
    /// The side that has shown this certificate (DER), already verified.
    #[must_use]
    pub fn of_certificate(der: &[u8]) -> Self {
        let Ok((_, certificate)) = X509Certificate::from_der(der) else { return Self::default() };
        let subject = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        let common = subject.map(|name| CertificateName::CommonName(name.to_owned()));
        let alternative = certificate.subject_alternative_name().ok().flatten();
        let alternative = alternative.iter().flat_map(|extension| &extension.value.general_names);
        let alternative = alternative.filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(CertificateName::Dns(name.to_ascii_lowercase())),
            GeneralName::URI(uri) => Some(CertificateName::Uri((*uri).to_owned())),
            _ => None,
        });
        Self { names: common.chain(alternative).take(NAMES_MAX).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_with_their_kind() {
        assert_eq!("dns:Checkout.Internal".parse(), Ok(CertificateName::Dns("checkout.internal".to_owned())));
        let uri: CertificateName = "uri:spiffe://cluster/ns/shop/sa/checkout".parse().unwrap();
        assert_eq!(uri.to_string(), "uri:spiffe://cluster/ns/shop/sa/checkout");
        for wrong in ["", "checkout", "dns:", "ip:127.0.0.1", &format!("cn:{}", "x".repeat(256))] {
            assert!(wrong.parse::<CertificateName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn common_name_and_alternative_names_are_found_in_a_certificate() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["Shop.example".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "shop");
        params.subject_alt_names.push(rcgen::SanType::URI("spiffe://cluster/shop".try_into().unwrap()));
        let peer = Peer::of_certificate(params.self_signed(&key).unwrap().der());
        let names: Vec<String> = peer.names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["cn:shop", "dns:shop.example", "uri:spiffe://cluster/shop"]);
        assert!(Peer::of_certificate(b"no certificate").names.is_empty());
    }
}
