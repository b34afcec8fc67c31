//! The accounts that UPaaS knows: a store's number, its key, and the readings of what is not published.

use std::fmt;

use serde::Deserialize;

/// Most accounts that a simulator knows.
pub const MERCHANTS_MAX: usize = 100_000;

/// Longest store number, in characters (the page's table).
const STORE_NUM_CHARS_MAX: usize = 7;

/// Longest key that is taken, in bytes.
const KEY_BYTES_MAX: usize = 256;

/// A store's key, which is the secret of the MD5 rule; its `Debug` shows nothing of it.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct UpaasKey(String);

impl UpaasKey {
    /// Wraps the key's text; its length is checked when the account is registered.
    pub fn new(key: String) -> Self {
        Self(key)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UpaasKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpaasKey(***)")
    }
}

/// What is under a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignRule {
    /// Nothing is signed.
    Off,
    /// All texts and numbers.
    Scalars,
    /// All but `pre_pay_no` and `pre_pay_url`, as the page's samples suggest.
    ScalarsWithoutPrepay,
}

/// How the key joins the text under a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyJoining {
    /// As a last field, `&key=KEY`.
    #[default]
    Named,
    /// As it is.
    Appended,
}

/// What the page does not describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offer {
    /// `/v2/pay/query`.
    Query,
    /// `/v2/pay/close`.
    Close,
    /// `/v2/pay/refund`.
    Refund,
    /// `/v2/pay/refund_query`.
    RefundQuery,
    /// Pushes of payments.
    Notification,
}

impl Offer {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Query, Self::Close, Self::Refund, Self::RefundQuery, Self::Notification];
}

/// How a push is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushFormat {
    /// A JSON object.
    #[default]
    Json,
    /// A JSON object with the fields in `data`, as answers have them.
    JsonData,
    /// A form.
    Form,
}

/// What a create under a used number gets when its content is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepeatedCreate {
    /// Code 100010: the page says that numbers are unique.
    #[default]
    Refused,
    /// The same order and its launch parameters again.
    SameOrder,
}

/// One account at UPaaS.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpaasMerchant {
    /// Store number: letters and digits, at most 7.
    pub store_num: String,
    /// The key that both sides sign with.
    pub key: UpaasKey,
    /// What requests are signed by; `off`: a signature is not looked at.
    #[serde(default = "scalars")]
    pub request_sign: SignRule,
    /// What answers and pushes are signed by.
    #[serde(default = "scalars")]
    pub response_sign: SignRule,
    /// How the key joins the text.
    #[serde(default)]
    pub key_joining: KeyJoining,
    /// What the account has beyond the create.
    #[serde(default = "everything")]
    pub offers: Vec<Offer>,
    /// How pushes are written.
    #[serde(default)]
    pub push_format: PushFormat,
    /// Where pushes go; absent: to the `notify_url` of the create, if it has one.
    #[serde(default)]
    pub notify_url: Option<String>,
    /// The answer to a create that is repeated.
    #[serde(default)]
    pub repeated_create: RepeatedCreate,
}

fn scalars() -> SignRule {
    SignRule::Scalars
}

fn everything() -> Vec<Offer> {
    Offer::ALL.to_vec()
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
    /// The store number is empty, too long or not of letters and digits.
    #[error("store number must be 1 to {STORE_NUM_CHARS_MAX} letters and digits")]
    StoreNum,
    /// The key is empty or too long.
    #[error("key of {store_num} must have 1 to {KEY_BYTES_MAX} bytes")]
    Key {
        /// The store.
        store_num: String,
    },
}

impl UpaasMerchant {
    /// An account that has everything and signs all texts and numbers.
    pub fn new(store_num: &str, key: UpaasKey) -> Self {
        Self {
            store_num: store_num.to_owned(),
            key,
            request_sign: SignRule::Scalars,
            response_sign: SignRule::Scalars,
            key_joining: KeyJoining::default(),
            offers: everything(),
            push_format: PushFormat::default(),
            notify_url: None,
            repeated_create: RepeatedCreate::default(),
        }
    }

    pub(crate) fn offers(&self, offer: Offer) -> bool {
        self.offers.contains(&offer)
    }

    pub(crate) fn validate(&self) -> Result<(), MerchantError> {
        let is_plain = self.store_num.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if self.store_num.is_empty() || self.store_num.len() > STORE_NUM_CHARS_MAX || !is_plain {
            return Err(MerchantError::StoreNum);
        }
        if !(1..=KEY_BYTES_MAX).contains(&self.key.0.len()) {
            return Err(MerchantError::Key { store_num: self.store_num.clone() });
        }
        Ok(())
    }
}
