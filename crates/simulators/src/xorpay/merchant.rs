//! The accounts that XorPay knows: a number, a secret, and how XorPay treats it.

use std::fmt;

use serde::Deserialize;

/// Most accounts that a simulator knows.
pub const MERCHANTS_MAX: usize = 100_000;

/// Longest account number, in characters `[assumed]`.
const AID_CHARS_MAX: usize = 32;

/// Longest secret that is taken, in bytes.
const SECRET_BYTES_MAX: usize = 256;

/// An account's app secret; its `Debug` shows nothing of it.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct AppSecret(String);

impl AppSecret {
    /// Wraps the secret's text; its length is checked when the account is registered.
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppSecret(***)")
    }
}

/// One account at XorPay.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct XorpayMerchant {
    /// Account number (aid): letters and digits, at most 32.
    pub aid: String,
    /// The secret that both sides sign with.
    pub app_secret: AppSecret,
    /// Whether the account is frozen: creates are answered `app_off`.
    #[serde(default)]
    pub is_off: bool,
    /// Whether creates are taken only for open ids that `/api/openid/{aid}` gave out; by default any will do.
    #[serde(default)]
    pub checks_openids: bool,
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
    /// The account number is empty, too long or not of letters and digits.
    #[error("aid must be 1 to {AID_CHARS_MAX} letters and digits")]
    Aid,
    /// The secret is empty or too long.
    #[error("app_secret of {aid} must have 1 to {SECRET_BYTES_MAX} bytes")]
    Secret {
        /// The account.
        aid: String,
    },
}

impl XorpayMerchant {
    /// An account in good standing that takes any open id.
    pub fn new(aid: &str, app_secret: AppSecret) -> Self {
        Self { aid: aid.to_owned(), app_secret, is_off: false, checks_openids: false }
    }

    pub(crate) fn validate(&self) -> Result<(), MerchantError> {
        let is_plain = self.aid.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !(1..=AID_CHARS_MAX).contains(&self.aid.len()) || !is_plain {
            return Err(MerchantError::Aid);
        }
        if !(1..=SECRET_BYTES_MAX).contains(&self.app_secret.0.len()) {
            return Err(MerchantError::Secret { aid: self.aid.clone() });
        }
        Ok(())
    }
}
