//! The MD5 rule: the values of some fields in their fixed order, nothing between them, the secret behind; lower-case
//! hexadecimal digits.

use md5::{Digest, Md5};

/// The fields under a create's signature, in their order.
pub(super) const CREATE: [&str; 5] = ["name", "pay_type", "price", "order_id", "notify_url"];

/// The signature over values, in the order given: for requests and pushes alike.
pub fn sign<'a>(values: impl IntoIterator<Item = &'a str>, secret: &str) -> String {
    let mut hasher = Md5::new();
    for value in values {
        hasher.update(value.as_bytes());
    }
    hasher.update(secret.as_bytes());
    hex(&hasher.finalize())
}

/// Whether a signature is that over values; capitals are taken too `[assumed]`, since an SDK sends them.
pub(super) fn is_signed<'a>(values: impl IntoIterator<Item = &'a str>, secret: &str, given: &str) -> bool {
    sign(values, secret) == given.to_ascii_lowercase()
}

/// The MD5 of a text, for numbers that say nothing.
pub(super) fn token(text: &str) -> String {
    hex(&Md5::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
