//! The MD5 rule, the same for requests, answers and pushes.
//!
//! All fields but `sign`, without empty ones, sorted by name, `name=value` joined by `&`, then `&key=` and the
//! key; the MD5 of that in upper-case hexadecimal digits. Values are signed as they are, not URL-encoded.

use md5::{Digest, Md5};

use super::merchant::ZeroValues;
use crate::form::Fields;

/// The text under a signature.
fn canonical(fields: &[(&str, &str)], zeros: ZeroValues, key: &str) -> String {
    let takes_part = |name: &str, value: &str| {
        name != "sign" && !value.is_empty() && (zeros == ZeroValues::Kept || value != "0")
    };
    let mut parts: Vec<_> = fields.iter().filter(|(name, value)| takes_part(name, value)).collect();
    parts.sort_by_key(|(name, _)| *name);
    let mut text = String::new();
    for (name, value) in parts {
        text.push_str(name);
        text.push('=');
        text.push_str(value);
        text.push('&');
    }
    text.push_str("key=");
    text.push_str(key);
    text
}

/// The signature over some fields.
pub fn sign(fields: &[(&str, &str)], zeros: ZeroValues, key: &str) -> String {
    let digest = Md5::digest(canonical(fields, zeros, key));
    digest.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Whether the fields carry their own signature. Values `0` may take part or not, as the SDKs do both
/// `[assumed]`; lower-case digits are refused.
pub(super) fn is_signed(fields: &[(&str, &str)], key: &str) -> bool {
    let Some((_, claimed)) = fields.iter().find(|(name, _)| *name == "sign") else { return false };
    [ZeroValues::Kept, ZeroValues::Dropped].into_iter().any(|zeros| sign(fields, zeros, key) == *claimed)
}

impl Fields {
    /// Whether they carry PayJS's signature, or a merchant's towards it.
    pub(super) fn is_signed_with(&self, key: &str) -> bool {
        is_signed(&self.iter().collect::<Vec<_>>(), key)
    }
}
