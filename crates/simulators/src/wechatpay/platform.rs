//! The platform's own keys: they sign every answer and notification, off the async workers.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::merchant::PlatformVerifier;
use crate::keys::{self, KeyError, SecretPem};

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
    /// Identity of the platform public key, as in `Wechatpay-Serial`.
    pub public_key_id: String,
    /// The platform public key, PEM.
    pub public_key_pem: String,
}

/// The keys ready to sign.
pub(crate) struct Platform {
    certificate: Signing,
    public_key: Signing,
    pub(crate) public: PlatformPublic,
}

struct Signing {
    serial: String,
    key: Arc<KeyPair>,
}

impl Platform {
    pub(crate) fn new(keys: &PlatformKeys) -> Result<Self, KeyError> {
        let certificate = Signing::new(&keys.certificate_serial, &keys.certificate_key_pem)?;
        let public_key = Signing::new(&keys.public_key_id, &keys.public_key_pem)?;
        let public = PlatformPublic {
            certificate_serial: certificate.serial.clone(),
            certificate_public_key_pem: keys::public_pem(&certificate.key)?,
            public_key_id: public_key.serial.clone(),
            public_key_pem: keys::public_pem(&public_key.key)?,
        };
        Ok(Self { certificate, public_key, public })
    }

    /// The `Wechatpay-Serial` for a merchant and the key that goes with it.
    pub(crate) fn signer(&self, verifier: PlatformVerifier) -> (String, Arc<KeyPair>) {
        let signing = match verifier {
            PlatformVerifier::Certificate => &self.certificate,
            PlatformVerifier::PublicKey => &self.public_key,
        };
        (signing.serial.clone(), Arc::clone(&signing.key))
    }
}

impl Signing {
    fn new(serial: &str, pem: &SecretPem) -> Result<Self, KeyError> {
        Ok(Self { serial: serial.to_owned(), key: Arc::new(keys::read_private(pem)?) })
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
