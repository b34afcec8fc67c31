//! The rule under every signature, of requests and notifications (`providers.md` section 2.3).
//!
//! The values of the call's signed fields in their fixed order and then the secret, with nothing between them; MD5 in
//! lower-case hexadecimal digits, which are read in either case. Nothing in the text says where a value ends, so whoever
//! reads one must know it otherwise.

use secrecy::SecretString;

use crate::key_ring::KeyRing;
use crate::signing::{Digest, from_hex, is_sealed, md5, seal};

/// The field of the signature.
pub(super) const SIGN: &str = "sign";

/// The fields under the signature of a create, in their order.
pub(super) const CREATE: [&str; 5] = ["name", "pay_type", "price", "order_id", "notify_url"];
/// The fields under the signature of a notification, in their order. What else it carries is not proven.
pub(super) const NOTIFICATION: [&str; 4] = ["aoid", "order_id", "pay_price", "pay_time"];

/// The signature over a text of joined values.
pub(super) fn signature(keys: &KeyRing, text: &str) -> String {
    hex::encode(seal(keys, digest(text)))
}

/// Whether one of the keys has made the signature over that text.
pub(super) fn is_signed(keys: &KeyRing, text: &str, given: &str) -> bool {
    from_hex(given).is_some_and(|given| is_sealed(keys, &given, digest(text)))
}

/// The key that made it, counted from the current one.
pub(super) fn signed_by(keys: &KeyRing, text: &str, given: &str) -> Option<usize> {
    let made_it = |key: &SecretString| is_signed(&KeyRing::new(key.clone(), Vec::new()), text, given);
    keys.iter().position(made_it)
}

/// The text with the secret behind it.
pub(super) fn keyed(text: &str, secret: &str) -> String {
    format!("{text}{secret}")
}

fn digest(text: &str) -> impl Fn(&str) -> Digest {
    move |secret| md5([text, secret])
}
