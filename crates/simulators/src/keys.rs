//! A kit of RSA-2048 keys for merchants and platforms: made, written as PEM, and read back.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Characters per line of a PEM body (RFC 7468).
const PEM_LINE_CHARS: usize = 64;

/// Bytes of a certificate serial number, as RFC 5280 bounds it.
const SERIAL_BYTES: usize = 20;

/// Why a key cannot be made or read. Never holds key material.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The generator failed.
    #[error("an RSA-2048 key could not be generated")]
    Generate,
    /// The key could not be written in its standard encoding.
    #[error("a key could not be encoded")]
    Encode,
    /// Not a PEM private key in PKCS#8 or PKCS#1 form.
    #[error("not an RSA private key in PEM form (PKCS#8 or PKCS#1)")]
    PrivateKey,
    /// Not a PEM public key (`BEGIN PUBLIC KEY`).
    #[error("not an RSA public key in PEM form (BEGIN PUBLIC KEY)")]
    PublicKey,
    /// The key is not of a size that the provider uses.
    #[error("RSA key of {0} bits, wanted 2048 to 4096")]
    Size(usize),
}

/// A private key as PEM text; its `Debug` shows nothing of it.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct SecretPem(String);

impl SecretPem {
    /// Wraps PEM text, which is read only where the key is used.
    pub fn new(pem: String) -> Self {
        Self(pem)
    }

    /// The PEM text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretPem(***)")
    }
}

/// One RSA-2048 key pair with a serial number as a certificate of it would have.
#[derive(Debug, Clone)]
pub struct GeneratedKey {
    /// PKCS#8 PEM.
    pub private_key_pem: SecretPem,
    /// SubjectPublicKeyInfo PEM.
    pub public_key_pem: String,
    /// 40 upper-case hexadecimal digits, derived from the public key.
    pub serial: String,
}

/// Makes a key pair. Takes about a tenth of a second of computing, so call it off the async workers.
pub fn generate() -> Result<GeneratedKey, KeyError> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Generate)?;
    let private: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::Encode)?;
    with_public_half(&pair, SecretPem(pem("PRIVATE KEY", private.as_ref())))
}

/// A key pair that was made before, from its private half.
pub fn of_private(private_key_pem: SecretPem) -> Result<GeneratedKey, KeyError> {
    with_public_half(&read_private(&private_key_pem)?, private_key_pem)
}

fn with_public_half(pair: &KeyPair, private_key_pem: SecretPem) -> Result<GeneratedKey, KeyError> {
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| KeyError::Encode)?;
    Ok(GeneratedKey {
        private_key_pem,
        public_key_pem: pem("PUBLIC KEY", public.as_ref()),
        serial: serial_of(public.as_ref()),
    })
}

/// Reads a private key from PEM in PKCS#8 or PKCS#1 form.
pub(crate) fn read_private(key: &SecretPem) -> Result<KeyPair, KeyError> {
    let der = PrivateKeyDer::from_pem_slice(key.0.as_bytes()).map_err(|_| KeyError::PrivateKey)?;
    match &der {
        PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
        _ => return Err(KeyError::PrivateKey),
    }
    .map_err(|_| KeyError::PrivateKey)
}

/// The public half of a key pair as SubjectPublicKeyInfo PEM.
pub(crate) fn public_pem(pair: &KeyPair) -> Result<String, KeyError> {
    Ok(pem("PUBLIC KEY", &public_der(pair)?))
}

/// The public half of a key pair as SubjectPublicKeyInfo.
pub(crate) fn public_der(pair: &KeyPair) -> Result<Vec<u8>, KeyError> {
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| KeyError::Encode)?;
    Ok(der.as_ref().to_vec())
}

fn serial_of(public_der: &[u8]) -> String {
    let digest = Sha256::digest(public_der);
    let bytes = digest.iter().take(SERIAL_BYTES).enumerate();
    // A serial number is positive, and providers write it without zeros before it.
    let positive = bytes.map(|(at, byte)| if at == 0 { byte & 0x3F | 0x40 } else { *byte });
    positive.map(|byte| format!("{byte:02X}")).collect()
}

/// PEM text of a label.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for (at, character) in body.chars().enumerate() {
        if at > 0 && at % PEM_LINE_CHARS == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_reads_back_and_hides_itself() {
        let key = generate().unwrap();
        let pair = read_private(&key.private_key_pem).unwrap();
        assert_eq!(public_pem(&pair).unwrap(), key.public_key_pem);
        assert_eq!(key.serial.len(), 2 * SERIAL_BYTES);
        assert!(key.public_key_pem.lines().all(|line| line.len() <= PEM_LINE_CHARS));
        assert!(!format!("{key:?}").contains("BEGIN PRIVATE"));
        let again = of_private(key.private_key_pem.clone()).unwrap();
        assert_eq!((again.public_key_pem, again.serial), (key.public_key_pem, key.serial));
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        let public = include_str!("../tests/vectors/test_rsa_2048_pub.pem");
        assert_eq!(read_private(&SecretPem::new(public.to_owned())).err(), Some(KeyError::PrivateKey));
        assert_eq!(read_private(&SecretPem::new("garbage".to_owned())).err(), Some(KeyError::PrivateKey));
    }
}
