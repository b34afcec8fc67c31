//! The platform's own keys: they sign every answer and notification, off the async workers.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use super::certificate;
use super::merchant::PlatformVerifier;
use crate::keys::{self, GeneratedKey, KeyError, SecretPem};

/// The platform's private keys, for runs whose keys must outlive the process. [`PlatformKeys::generate`]
/// makes new ones.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformKeys {
    /// Serial number of the platform certificate.
    pub certificate_serial: String,
    /// Private key of the platform certificate, PEM.
    pub certificate_key_pem: SecretPem,
    /// Identity of the platform public key, `PUB_KEY_ID_…`.
    pub public_key_id: String,
    /// Private half of the platform public key, PEM.
    pub public_key_pem: SecretPem,
}

impl PlatformKeys {
    /// Makes two new key pairs. Call it off the async workers.
    pub fn generate() -> Result<Self, KeyError> {
        let certificate = keys::generate()?;
        let public_key = keys::generate()?;
        Ok(Self {
            certificate_serial: certificate.serial,
            certificate_key_pem: certificate.private_key_pem,
            // [assumed] that what follows the prefix is opaque to merchants.
            public_key_id: format!("PUB_KEY_ID_{}", public_key.serial),
            public_key_pem: public_key.private_key_pem,
        })
    }
}

/// What a merchant is given to verify the platform's signatures with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformPublic {
    /// Serial number of the platform certificate, as in `Wechatpay-Serial`.
    pub certificate_serial: String,
    /// Public key of the platform certificate, PEM.
    pub certificate_public_key_pem: String,
    /// The platform certificate that signs, PEM.
    pub certificate_pem: String,
    /// Identity of the platform public key, as in `Wechatpay-Serial`.
    pub public_key_id: String,
    /// The platform public key, PEM.
    pub public_key_pem: String,
}

/// The keys ready to sign.
pub(crate) struct Platform {
    certificates: RwLock<Certificates>,
    public_key: Signing,
}

/// The certificates that are listed; never empty.
struct Certificates {
    /// It signs.
    signing: Certificate,
    /// Those before it, and at the end the announced one.
    others: Vec<Certificate>,
    /// Whether the last of the others is announced and has not signed yet.
    is_announced: bool,
}

#[derive(Clone)]
struct Certificate {
    signing: Signing,
    pem: String,
}

#[derive(Clone)]
struct Signing {
    serial: String,
    key: Arc<KeyPair>,
    public_pem: String,
}

impl Platform {
    pub(crate) fn new(keys: &PlatformKeys) -> Result<Self, KeyError> {
        let signing = Certificate::new(&keys.certificate_serial, &keys.certificate_key_pem)?;
        let certificates = Certificates { signing, others: Vec::new(), is_announced: false };
        let public_key = Signing::new(&keys.public_key_id, &keys.public_key_pem)?;
        Ok(Self { certificates: RwLock::new(certificates), public_key })
    }

    /// What merchants verify with, as of now.
    pub(crate) fn public(&self) -> PlatformPublic {
        let Certificate { signing, pem } = self.certificates.read().signing.clone();
        PlatformPublic {
            certificate_serial: signing.serial,
            certificate_public_key_pem: signing.public_pem,
            certificate_pem: pem,
            public_key_id: self.public_key.serial.clone(),
            public_key_pem: self.public_key.public_pem.clone(),
        }
    }

    /// The `Wechatpay-Serial` for a merchant and the key that goes with it.
    pub(crate) fn signer(&self, verifier: PlatformVerifier) -> (String, Arc<KeyPair>) {
        let signing = match verifier {
            PlatformVerifier::Certificate => self.certificates.read().signing.signing.clone(),
            PlatformVerifier::PublicKey => self.public_key.clone(),
        };
        (signing.serial, signing.key)
    }

    /// The listed certificates: serial numbers and PEM.
    pub(super) fn certificates(&self) -> Vec<(String, String)> {
        let certificates = self.certificates.read();
        let listed = certificates.others.iter().chain([&certificates.signing]);
        listed.map(|listed| (listed.signing.serial.clone(), listed.pem.clone())).collect()
    }

    /// Whether a certificate is listed that has not signed yet.
    pub(super) fn is_announced(&self) -> bool {
        self.certificates.read().is_announced
    }

    /// Lists a new certificate, in place of one that was announced before.
    pub(super) fn announce(&self, key: &GeneratedKey) -> Result<(), KeyError> {
        let new = Certificate::new(&key.serial, &key.private_key_pem)?;
        let mut certificates = self.certificates.write();
        if certificates.is_announced {
            certificates.others.pop();
        }
        certificates.others.push(new);
        certificates.is_announced = true;
        Ok(())
    }

    /// The announced certificate signs from now on.
    pub(super) fn switch(&self) {
        let mut certificates = self.certificates.write();
        if !certificates.is_announced {
            return;
        }
        if let Some(new) = certificates.others.pop() {
            let old = std::mem::replace(&mut certificates.signing, new);
            certificates.others.push(old);
            certificates.is_announced = false;
        }
    }

    /// Lists the certificate that signs alone.
    pub(super) fn retire(&self) {
        let mut certificates = self.certificates.write();
        certificates.others.clear();
        certificates.is_announced = false;
    }
}

impl Certificate {
    fn new(serial: &str, pem: &SecretPem) -> Result<Self, KeyError> {
        let signing = Signing::new(serial, pem)?;
        let pem = certificate::pem(&signing.key, serial)?;
        Ok(Self { signing, pem })
    }
}

impl Signing {
    fn new(serial: &str, pem: &SecretPem) -> Result<Self, KeyError> {
        let key = keys::read_private(pem)?;
        let public_pem = keys::public_pem(&key)?;
        Ok(Self { serial: serial.to_owned(), key: Arc::new(key), public_pem })
    }
}

/// The text under the signature of an answer or a notification: three lines, each ended.
pub(crate) fn canonical(timestamp_s: i64, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut text = format!("{timestamp_s}\n{nonce}\n").into_bytes();
    text.extend_from_slice(body);
    text.push(b'\n');
    text
}

/// SHA256-RSA (PKCS#1 v1.5) in Base64. Costs up to 0.6 ms of computing.
pub(crate) fn sign(key: &KeyPair, text: &[u8]) -> Result<String, KeyError> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).map_err(|_| KeyError::Encode)?;
    Ok(STANDARD.encode(signature))
}

/// A key that no merchant trusts, for forged signatures; made once per process, at first need.
pub(crate) fn stranger() -> Result<Arc<KeyPair>, KeyError> {
    static STRANGER: OnceLock<Result<Arc<KeyPair>, KeyError>> = OnceLock::new();
    STRANGER.get_or_init(|| keys::read_private(&keys::generate()?.private_key_pem).map(Arc::new)).clone()
}
