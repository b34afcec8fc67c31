//! RSA keys from PEM: private keys that sign for an account, public keys and certificates that prove a provider.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use paymux_domain::ports::SignError;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};
use secrecy::{ExposeSecret, SecretString};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroize;

/// Shortest RSA key that is taken: 2048 bits.
const MODULUS_BYTES_MIN: usize = 256;
/// Longest RSA key that is taken: 4096 bits. A longer one would hold a signing thread for many milliseconds.
const MODULUS_BYTES_MAX: usize = 512;

/// Why a key is refused. Never holds key material.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No PEM private key in PKCS#8 or PKCS#1 form.
    #[error("must be an RSA private key in PEM form (PKCS#8 or PKCS#1, not encrypted)")]
    Private,
    /// No PEM public key.
    #[error("must be an RSA public key in PEM form (BEGIN PUBLIC KEY)")]
    Public,
    /// No PEM certificate.
    #[error("must be an X.509 certificate of an RSA key in PEM form (BEGIN CERTIFICATE)")]
    Certificate,
    /// Too short or too long.
    #[error("must be an RSA key of 2048 to 4096 bits, has {0}")]
    Size(usize),
}

/// A private RSA key that signs for an account. `Debug` shows nothing of it.
pub struct SigningKey(KeyPair);

impl SigningKey {
    /// Reads PEM text, PKCS#8 or PKCS#1.
    ///
    /// # Errors
    /// Anything that is not one unencrypted RSA key of 2048 to 4096 bits.
    pub fn from_pem(pem: &SecretString) -> Result<Self, KeyError> {
        let mut der =
            PrivateKeyDer::from_pem_slice(pem.expose_secret().as_bytes()).map_err(|_| KeyError::Private)?;
        let pair = match &der {
            PrivateKeyDer::Pkcs8(key) => KeyPair::from_pkcs8(key.secret_pkcs8_der()).ok(),
            PrivateKeyDer::Pkcs1(key) => KeyPair::from_der(key.secret_pkcs1_der()).ok(),
            _ => None,
        };
        der.zeroize();
        let pair = pair.ok_or(KeyError::Private)?;
        check_size(pair.public_modulus_len())?;
        Ok(Self(pair))
    }

    /// SHA256 with RSA (PKCS#1 v1.5). Computes for up to a millisecond: never call it on an async worker.
    ///
    /// # Errors
    /// [`SignError::Failed`] when the library refuses.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| SignError::Failed)?;
        Ok(signature)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(RSA-{})", self.0.public_modulus_len() * 8)
    }
}

/// Signing keys by name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct SigningKeys(Arc<BTreeMap<String, Arc<SigningKey>>>);

impl SigningKeys {
    /// The key of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<SigningKey>> {
        self.0.get(name)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys of both; a name in both has the key of `newer`.
    #[must_use]
    pub fn merged(&self, newer: &Self) -> Self {
        self.0.iter().chain(newer.0.iter()).map(|(name, key)| (name.clone(), Arc::clone(key))).collect()
    }
}

impl FromIterator<(String, Arc<SigningKey>)> for SigningKeys {
    fn from_iter<T: IntoIterator<Item = (String, Arc<SigningKey>)>>(keys: T) -> Self {
        Self(Arc::new(keys.into_iter().collect()))
    }
}

/// A provider's public key.
#[derive(Clone)]
pub(crate) struct PlatformKey(Arc<ParsedPublicKey>);

impl PlatformKey {
    /// Reads PEM text, `BEGIN PUBLIC KEY`.
    pub(crate) fn from_public_pem(pem: &str) -> Result<Self, KeyError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::Public)?;
        Self::from_spki(&der).ok_or(KeyError::Public)
    }

    fn from_spki(der: &[u8]) -> Option<Self> {
        let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).ok()?;
        Some(Self(Arc::new(key)))
    }

    /// Whether `signature` is this key's SHA256 with RSA (PKCS#1 v1.5) over the message.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }

    /// Whether both are the same key.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        AsRef::<[u8]>::as_ref(self.0.as_ref()) == AsRef::<[u8]>::as_ref(other.0.as_ref())
    }
}

/// A certificate as far as its signatures need it.
pub(crate) struct Certificate {
    /// Its serial number as providers write it: capital hexadecimal digits, two to the byte, no leading zero byte.
    pub(crate) serial: String,
    pub(crate) key: PlatformKey,
    /// Seconds since 1970, its first and its last.
    pub(crate) validity_s: (i64, i64),
}

/// Reads the serial number and the key of a PEM certificate that a person has configured.
///
/// Its validity period is not looked at: the operator vouches for the file, and the provider names in each answer which
/// key signed it `[assumed]`.
pub(crate) fn certificate_key(pem: &str) -> Result<(String, PlatformKey), KeyError> {
    certificate(pem).map(|Certificate { serial, key, .. }| (serial, key))
}

/// Reads a PEM certificate. Its chain is not looked at: whoever hands it in has another proof of where it is from.
pub(crate) fn certificate(pem: &str) -> Result<Certificate, KeyError> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::Certificate)?;
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| KeyError::Certificate)?;
    let key = PlatformKey::from_spki(certificate.public_key().raw).ok_or(KeyError::Certificate)?;
    let serial: String = certificate
        .raw_serial()
        .iter()
        .skip_while(|byte| **byte == 0)
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let validity = certificate.validity();
    let validity_s = (validity.not_before.timestamp(), validity.not_after.timestamp());
    Ok(Certificate { serial, key, validity_s })
}

fn check_size(modulus_bytes: usize) -> Result<(), KeyError> {
    if (MODULUS_BYTES_MIN..=MODULUS_BYTES_MAX).contains(&modulus_bytes) {
        Ok(())
    } else {
        Err(KeyError::Size(modulus_bytes * 8))
    }
}
