//! Names of merchants, orders, providers and accounts: validated once, cheap to clone afterwards.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A text that is not a valid name: which kind of name and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be {allowed}")]
pub struct NameError {
    /// The kind of name, as the API calls the field.
    pub kind: &'static str,
    /// What is allowed, in words.
    pub allowed: &'static str,
}

fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn visible(c: char) -> bool {
    c.is_ascii_graphic()
}

fn lower(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn group(c: char) -> bool {
    plain(c) || c == '.' || c == '#' || c == '/'
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $min:literal..=$max:literal, $class:path, $allowed:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if ($min..=$max).contains(&text.len()) && text.chars().all($class) {
                    Ok(Self(Arc::from(text)))
                } else {
                    Err(NameError { kind: $kind, allowed: $allowed })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &self.0)
            }
        }
    };
}

name!(
    /// The client's seller, as the platform calls it.
    MerchantId, "merchant_id", 1..=32, plain, "1 to 32 of 0-9 A-Z a-z _ -"
);
name!(
    /// The merchant's own order number: with [`MerchantId`] the identity of an order.
    MerchantOrderNo, "merchant_order_no", 1..=32, plain, "1 to 32 of 0-9 A-Z a-z _ -"
);
name!(
    /// The order number that the provider sees: the account's prefix for the merchant, then the order number.
    OutTradeNo, "out_trade_no", 1..=32, plain, "1 to 32 of 0-9 A-Z a-z _ - (prefix included)"
);
name!(
    /// The caller's name for one request, for its own tracing and for telling who won a number.
    RequestId, "request_id", 1..=64, visible, "1 to 64 visible ASCII characters"
);
name!(
    /// A provider's name in configuration, URLs and records, such as `wechatpay`.
    ProviderId, "provider", 1..=16, lower, "1 to 16 of a-z 0-9"
);
name!(
    /// An account at a provider, as the configuration names it.
    AccountId, "account", 1..=64, plain, "1 to 64 of 0-9 A-Z a-z _ -"
);
name!(
    /// The provider's number for one payment.
    ProviderTradeNo, "provider_trade_no", 1..=64, plain, "1 to 64 of 0-9 A-Z a-z _ -"
);
name!(
    /// The number of one refund of one order; its idempotency key. A caller's has up to 32 characters, the engine's own
    /// is `late-` and the number of the payment that goes back.
    RefundNo, "refund_no", 1..=69, plain, "1 to 69 of 0-9 A-Z a-z _ -"
);
name!(
    /// The refund number that the provider sees, unique on the account.
    OutRefundNo, "out_refund_no", 1..=64, plain, "1 to 64 of 0-9 A-Z a-z _ -"
);
name!(
    /// What shares a provider account shares a group, and so an owner; `group#slice` when it is sliced.
    ShardGroup, "shard_group", 1..=80, group, "1 to 80 of 0-9 A-Z a-z _ - . # /"
);

/// The identity of an order: there is no second id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey {
    /// The merchant.
    pub merchant_id: MerchantId,
    /// The merchant's own number.
    pub order_no: MerchantOrderNo,
}

impl fmt::Display for OrderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.merchant_id, self.order_no)
    }
}
