//! The rules of signatures and of the seal, for whoever lays them beside an implementation of their own.

use aws_lc_rs::rsa::KeyPair;
use rsa::pkcs1v15::Signature;
use rsa::signature::Verifier as _;
use serde_json::Value;

use super::auth::Authorization;
use super::merchant::read_public;
use super::{notification, platform};
use crate::keys::{self, KeyError, SecretPem};

/// What a request's `Authorization` header claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The text that the merchant must have signed.
    pub text: Vec<u8>,
    /// The signature in the header.
    pub signature: Vec<u8>,
}

impl Claim {
    /// Reads the header of a request.
    ///
    /// # Errors
    /// What is wrong with the header, in WeChat Pay's words.
    pub fn of(
        authorization: &str,
        method: &str,
        path_and_query: &str,
        body: &[u8],
    ) -> Result<Self, &'static str> {
        let claim = Authorization::parse(authorization)?;
        Ok(Self { text: claim.canonical(method, path_and_query, body), signature: claim.signature })
    }

    /// Whether the holder of that public key (PEM) has made it; `false` for what is no key.
    pub fn is_made_by(&self, public_key_pem: &str) -> bool {
        let Ok(key) = read_public(public_key_pem) else { return false };
        Signature::try_from(self.signature.as_slice())
            .is_ok_and(|signature| key.verify(&self.text, &signature).is_ok())
    }
}

/// The text under the signature of launch parameters: four lines, each ended.
pub fn launch_text(app_id: &str, time_stamp: &str, nonce_str: &str, package: &str) -> String {
    format!("{app_id}\n{time_stamp}\n{nonce_str}\n{package}\n")
}

/// A key of the platform, which signs answers and notifications.
#[derive(Debug)]
pub struct PlatformKey(KeyPair);

impl PlatformKey {
    /// Reads a private key.
    ///
    /// # Errors
    /// [`KeyError`]: it is none.
    pub fn new(pem: &SecretPem) -> Result<Self, KeyError> {
        keys::read_private(pem).map(Self)
    }

    /// The signature of an answer or a notification, in Base64.
    ///
    /// # Errors
    /// [`KeyError`]: it could not be made.
    pub fn sign(&self, timestamp_s: i64, nonce: &str, body: &[u8]) -> Result<String, KeyError> {
        platform::sign(&self.0, &platform::canonical(timestamp_s, nonce, body))
    }
}

/// The `resource` of a notification: a text sealed with a merchant's APIv3 key under a nonce of 12 characters.
///
/// # Errors
/// [`KeyError`]: key or nonce have another length.
pub fn seal(
    apiv3_key: &[u8],
    nonce: &str,
    associated_data: &str,
    plaintext: &[u8],
) -> Result<Value, KeyError> {
    let sealed = notification::seal(apiv3_key, nonce, associated_data, plaintext)?;
    serde_json::to_value(sealed).map_err(|_| KeyError::Encode)
}
