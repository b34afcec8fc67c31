//! The accounts that 码钱 knows: a merchant's numbers, its public key, its credentials of the server API, and the readings
//! of open points that 码钱 follows towards it.

use std::fmt;

use aws_lc_rs::rsa::KeyPair;
use rsa::RsaPublicKey;
use rsa::pkcs1v15::VerifyingKey;
use rsa::pkcs8::DecodePublicKey;
use rsa::sha2::Sha256;
use serde::Deserialize;

use super::sign;
use crate::keys::{KeyError, SecretPem, read_private};

/// Most accounts that a simulator knows.
pub const MERCHANTS_MAX: usize = 100_000;

/// Longest number of a merchant, terminal, app or service provider, in characters.
const NUMBER_CHARS_MAX: usize = 32;

/// Longest access key that is taken, in bytes.
const KEY_BYTES_MAX: usize = 256;

/// A merchant's access key, which is the secret of the MD5 rule; its `Debug` shows nothing of it.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct AccessKey(String);

impl AccessKey {
    /// Wraps the key's text; its length is checked when the merchant is registered.
    pub fn new(key: String) -> Self {
        Self(key)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKey(***)")
    }
}

/// Which fields a push has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotifyFormat {
    /// Those of the first version, whose numbers the launch's page names.
    #[default]
    First,
    /// Those of the second.
    V2,
}

/// What signs a push; what is used towards merchants who sign with RSA is not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotifyProof {
    /// The access key.
    #[default]
    Md5,
    /// 码钱's own private key.
    Rsa,
}

/// What 码钱 says to a refund under a number that was used before, with the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepeatedRefund {
    /// How the refund stands `[assumed]`.
    #[default]
    Told,
    /// A refusal.
    Refused,
}

/// Whether and how the end of a refund is pushed. The fields are published in part; where the push goes is not, so it goes
/// where the order's does `[assumed]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundPush {
    /// It is not.
    #[default]
    Off,
    /// With the published fields, none of which names the order.
    Published,
    /// With them and with the order's numbers `[assumed]`.
    WithOrder,
}

/// One account at 码钱.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaqianMerchant {
    /// Merchant number: letters and digits, at most 32.
    pub merch_no: String,
    /// The terminal that authorises its payments.
    pub pn: String,
    /// The app on record.
    pub app_id: String,
    /// Its name on record.
    pub app_name: String,
    /// The merchant's public key, PEM (`BEGIN PUBLIC KEY`): verifies launches.
    pub public_key_pem: String,
    /// The service provider.
    #[serde(default)]
    pub agent_no: String,
    /// Names the merchant to the server API; absent: it may not call it.
    #[serde(default)]
    pub access_id: Option<String>,
    /// The key of the server API, and of pushes by MD5.
    #[serde(default)]
    pub access_key: Option<AccessKey>,
    /// Which fields a push has.
    #[serde(default)]
    pub notify_format: NotifyFormat,
    /// What signs a push.
    #[serde(default)]
    pub notify_proof: NotifyProof,
    /// 码钱's private key for pushes by RSA, PEM.
    #[serde(default)]
    pub notify_key_pem: Option<SecretPem>,
    /// The answer to a refund that is asked for again.
    #[serde(default)]
    pub repeated_refund: RepeatedRefund,
    /// Whether and how the end of a refund is pushed.
    #[serde(default)]
    pub refund_push: RefundPush,
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
    /// A number is empty, too long or not of letters and digits.
    #[error("{0} must be 1 to {NUMBER_CHARS_MAX} letters and digits")]
    Number(&'static str),
    /// The access key is absent where it is needed, empty or too long.
    #[error("access_key of {0} must have 1 to {KEY_BYTES_MAX} bytes; access_id and pushes by MD5 need it")]
    Key(String),
    /// A key in PEM form is no key.
    #[error("{field} of {merch_no}: {source}")]
    Pem {
        /// The merchant.
        merch_no: String,
        /// Which key.
        field: &'static str,
        /// What is wrong with it.
        source: KeyError,
    },
}

impl MaqianMerchant {
    /// An account that launches, and whose pushes are signed by that access key.
    pub fn new(merch_no: &str, pn: &str, public_key_pem: &str, access_key: AccessKey) -> Self {
        Self {
            merch_no: merch_no.to_owned(),
            pn: pn.to_owned(),
            app_id: "MQ100013".to_owned(),
            app_name: "多点".to_owned(),
            public_key_pem: public_key_pem.to_owned(),
            agent_no: String::new(),
            access_id: None,
            access_key: Some(access_key),
            notify_format: NotifyFormat::default(),
            notify_proof: NotifyProof::default(),
            notify_key_pem: None,
            repeated_refund: RepeatedRefund::default(),
            refund_push: RefundPush::default(),
        }
    }

    /// The same with credentials of the server API.
    #[must_use]
    pub fn with_api(self, agent_no: &str, access_id: &str) -> Self {
        Self { agent_no: agent_no.to_owned(), access_id: Some(access_id.to_owned()), ..self }
    }
}

/// An account with its keys read.
pub(super) struct Account {
    pub(super) merchant: MaqianMerchant,
    verifying: VerifyingKey<Sha256>,
    pub(super) notify_key: Option<KeyPair>,
}

impl Account {
    pub(super) fn new(merchant: MaqianMerchant) -> Result<Self, MerchantError> {
        let numbers = [("merch_no", &merchant.merch_no), ("pn", &merchant.pn), ("app_id", &merchant.app_id)];
        for (field, number) in numbers {
            let is_plain = number.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if !(1..=NUMBER_CHARS_MAX).contains(&number.len()) || !is_plain {
                return Err(MerchantError::Number(field));
            }
        }
        let needs_key = merchant.access_id.is_some() || merchant.notify_proof == NotifyProof::Md5;
        let key_bytes = merchant.access_key.as_ref().map(|key| key.0.len());
        if key_bytes.is_some_and(|bytes| !(1..=KEY_BYTES_MAX).contains(&bytes))
            || needs_key && key_bytes.is_none()
        {
            return Err(MerchantError::Key(merchant.merch_no));
        }
        let bad = |field, source| MerchantError::Pem { merch_no: merchant.merch_no.clone(), field, source };
        let public = RsaPublicKey::from_public_key_pem(&merchant.public_key_pem)
            .map_err(|_| bad("public_key_pem", KeyError::PublicKey))?;
        let notify_key = match &merchant.notify_key_pem {
            Some(pem) => Some(read_private(pem).map_err(|source| bad("notify_key_pem", source))?),
            None if merchant.notify_proof == NotifyProof::Rsa => {
                return Err(bad("notify_key_pem", KeyError::PrivateKey));
            }
            None => None,
        };
        Ok(Self { verifying: VerifyingKey::new(public), merchant, notify_key })
    }

    /// Whether a launch's text was signed by the merchant.
    pub(super) fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        sign::has_signed(&self.verifying, text, signature)
    }

    /// The access key; empty where there is none, which no registered merchant needs.
    pub(super) fn key(&self) -> &str {
        self.merchant.access_key.as_ref().map_or("", AccessKey::as_str)
    }
}
