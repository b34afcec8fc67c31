//! The accounts that PayJS knows: a merchant's number, its communication key, and the readings of open points
//! that PayJS follows towards it.

use std::fmt;

use serde::Deserialize;

/// Most accounts that a simulator knows.
pub const MERCHANTS_MAX: usize = 100_000;

/// Longest merchant number, in characters (PayJS's field table).
const MCHID_CHARS_MAX: usize = 16;

/// Longest communication key that is taken, in bytes.
const KEY_BYTES_MAX: usize = 256;

/// A merchant's communication key, which is the secret of the MD5 rule; its `Debug` shows nothing of it.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct CommunicationKey(String);

impl CommunicationKey {
    /// Wraps the key's text; its length is checked when the merchant is registered.
    pub fn new(key: String) -> Self {
        Self(key)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CommunicationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommunicationKey(***)")
    }
}

/// What becomes of values `0` under PayJS's own signatures, where its documents and its SDK differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZeroValues {
    /// They take no part in the signature, as in the official SDK.
    #[default]
    Dropped,
    /// They take part in it, as the documents' words have it.
    Kept,
}

/// What PayJS says to the refund of an order that was refunded before; `refund` is 1 either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepeatedRefund {
    /// `return_code` 0 `[assumed]`.
    #[default]
    Refused,
    /// `return_code` 1.
    Confirmed,
}

/// One account at PayJS.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayjsMerchant {
    /// Merchant number: letters and digits, at most 16.
    pub mchid: String,
    /// The key that both sides sign with.
    pub key: CommunicationKey,
    /// Values `0` in what PayJS signs.
    #[serde(default)]
    pub zero_values: ZeroValues,
    /// Whether failures of check, close and refund are signed; PayJS's pages do not say. `[assumed]` yes.
    #[serde(default = "yes")]
    pub signs_failures: bool,
    /// The answer to a refund of what was refunded before.
    #[serde(default)]
    pub repeated_refund: RepeatedRefund,
}

fn yes() -> bool {
    true
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
    /// The merchant number is empty, too long or not of letters and digits.
    #[error("merchant number must be 1 to {MCHID_CHARS_MAX} letters and digits")]
    Mchid,
    /// The key is empty or too long.
    #[error("key of {mchid} must have 1 to {KEY_BYTES_MAX} bytes")]
    Key {
        /// The merchant.
        mchid: String,
    },
}

impl PayjsMerchant {
    /// An account whose open points are read as by default.
    pub fn new(mchid: &str, key: CommunicationKey) -> Self {
        Self {
            mchid: mchid.to_owned(),
            key,
            zero_values: ZeroValues::default(),
            signs_failures: true,
            repeated_refund: RepeatedRefund::default(),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), MerchantError> {
        let is_plain = self.mchid.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if self.mchid.is_empty() || self.mchid.len() > MCHID_CHARS_MAX || !is_plain {
            return Err(MerchantError::Mchid);
        }
        if !(1..=KEY_BYTES_MAX).contains(&self.key.0.len()) {
            return Err(MerchantError::Key { mchid: self.mchid.clone() });
        }
        Ok(())
    }
}
