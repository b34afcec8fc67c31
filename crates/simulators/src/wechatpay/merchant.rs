//! The accounts that the provider knows: a merchant's numbers, its public key, its APIv3 key.

use std::fmt;

use rsa::RsaPublicKey;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::DecodePublicKey;
use rsa::sha2::Sha256;
use rsa::signature::Verifier as _;
use rsa::traits::PublicKeyParts;
use serde::Deserialize;

use crate::keys::KeyError;

/// Length of an APIv3 key in bytes.
pub const APIV3_KEY_BYTES: usize = 32;

/// Most accounts that a simulator knows.
pub const MERCHANTS_MAX: usize = 100_000;

/// Longest merchant number, in characters.
const MCHID_CHARS_MAX: usize = 32;

/// A merchant's symmetric APIv3 key, 32 bytes of text; its `Debug` shows nothing of it.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct ApiV3Key(String);

impl ApiV3Key {
    /// Wraps the key's text; its length is checked when the merchant is registered.
    pub fn new(key: String) -> Self {
        Self(key)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for ApiV3Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiV3Key(***)")
    }
}

/// Which of the platform's two keys signs what a merchant receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlatformVerifier {
    /// The platform certificate: `Wechatpay-Serial` is the certificate's serial number.
    #[default]
    Certificate,
    /// The platform public key: `Wechatpay-Serial` is `PUB_KEY_ID_…`.
    PublicKey,
}

/// One account at the provider: a direct merchant, or a service provider with its sub-merchants.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WechatMerchant {
    /// Merchant number, digits, at most 32; for a service provider its sp_mchid.
    pub mchid: String,
    /// Application ids bound to the merchant; a create with another one is refused.
    pub appids: Vec<String>,
    /// Serial number of the merchant's API certificate, as in `serial_no` of its requests.
    pub serial: String,
    /// The merchant's public key, PEM (`BEGIN PUBLIC KEY`).
    pub public_key_pem: String,
    /// Key of the notifications' AES-256-GCM.
    pub apiv3_key: ApiV3Key,
    /// Which platform key signs answers and notifications.
    #[serde(default)]
    pub verifier: PlatformVerifier,
    /// Sub-merchants for whom a service provider may act; empty for a direct merchant.
    #[serde(default)]
    pub sub_merchants: Vec<SubMerchant>,
}

/// A sub-merchant of a service provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubMerchant {
    /// The sub_mchid.
    pub mchid: String,
    /// Its own application ids (sub_appid).
    #[serde(default)]
    pub appids: Vec<String>,
}

/// Why a merchant cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MerchantError {
    /// [`MERCHANTS_MAX`] accounts are known already.
    #[error("at most {MERCHANTS_MAX} merchants can be registered")]
    TooMany,
    /// Another provider of this simulator has an account of that number.
    #[error("account {0} is known to another provider of this simulator")]
    Taken(String),
    /// The merchant number is empty, too long or not of digits.
    #[error("merchant number must be 1 to {MCHID_CHARS_MAX} digits")]
    Mchid,
    /// The APIv3 key has another length.
    #[error("APIv3 key of {mchid} must have {APIV3_KEY_BYTES} bytes")]
    ApiV3Key {
        /// The merchant.
        mchid: String,
    },
    /// The public key cannot be used.
    #[error("public key of {mchid}: {source}")]
    PublicKey {
        /// The merchant.
        mchid: String,
        /// What is wrong with it.
        source: KeyError,
    },
}

/// A registered merchant, its key parsed once.
pub(crate) struct Merchant {
    pub(crate) given: WechatMerchant,
    key: VerifyingKey<Sha256>,
}

impl Merchant {
    pub(crate) fn register(given: WechatMerchant) -> Result<Self, MerchantError> {
        for mchid in std::iter::once(&given.mchid).chain(given.sub_merchants.iter().map(|sub| &sub.mchid)) {
            let is_digits = mchid.bytes().all(|byte| byte.is_ascii_digit());
            if mchid.is_empty() || mchid.len() > MCHID_CHARS_MAX || !is_digits {
                return Err(MerchantError::Mchid);
            }
        }
        if given.apiv3_key.as_bytes().len() != APIV3_KEY_BYTES {
            return Err(MerchantError::ApiV3Key { mchid: given.mchid });
        }
        match read_public(&given.public_key_pem) {
            Ok(key) => Ok(Self { given, key }),
            Err(source) => Err(MerchantError::PublicKey { mchid: given.mchid, source }),
        }
    }

    /// Whether `signature` is this merchant's SHA256-RSA signature of `text`. Costs about 0.2 ms of
    /// computing.
    pub(crate) fn has_signed(&self, text: &[u8], signature: &[u8]) -> bool {
        Signature::try_from(signature).is_ok_and(|signature| self.key.verify(text, &signature).is_ok())
    }

    pub(crate) fn owns_appid(&self, appid: &str) -> bool {
        self.given.appids.iter().any(|own| own == appid)
    }

    pub(crate) fn sub_merchant(&self, mchid: &str) -> Option<&SubMerchant> {
        self.given.sub_merchants.iter().find(|sub| sub.mchid == mchid)
    }
}

pub(super) fn read_public(pem: &str) -> Result<VerifyingKey<Sha256>, KeyError> {
    let key = RsaPublicKey::from_public_key_pem(pem).map_err(|_| KeyError::PublicKey)?;
    let bits = key.size() * 8;
    if (2048..=4096).contains(&bits) { Ok(VerifyingKey::new(key)) } else { Err(KeyError::Size(bits)) }
}
