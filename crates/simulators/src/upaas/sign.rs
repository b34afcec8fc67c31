//! The MD5 rule of requests, answers and pushes, in the readings that an account may have.
//!
//! All texts and numbers but `sign`, without empty ones, sorted by name, each as `name=value&`, then `key=` and the
//! key; or without the last `&`, with the key right behind. The MD5 of that in lower-case hexadecimal digits.

use md5::{Digest, Md5};

use super::merchant::{KeyJoining, SignRule, UpaasMerchant};

/// The signature over some fields; `None` where nothing is signed.
pub fn sign(fields: &[(&str, &str)], rule: SignRule, joining: KeyJoining, key: &str) -> Option<String> {
    let is_left_out = |name: &str| match rule {
        SignRule::Off | SignRule::Scalars => false,
        SignRule::ScalarsWithoutPrepay => name.starts_with("pre_pay_"),
    };
    let takes_part = |name: &str, value: &str| name != "sign" && !value.is_empty() && !is_left_out(name);
    let mut parts: Vec<_> = fields.iter().filter(|(name, value)| takes_part(name, value)).collect();
    parts.sort_by_key(|(name, _)| *name);
    let mut text = String::new();
    for (name, value) in parts {
        text.push_str(name);
        text.push('=');
        text.push_str(value);
        text.push('&');
    }
    match joining {
        KeyJoining::Named => text.push_str("key="),
        KeyJoining::Appended => {
            text.pop();
        }
    }
    text.push_str(key);
    let digest = Md5::digest(text);
    (rule != SignRule::Off).then(|| digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether a request carries its signature, where the account has one.
pub(super) fn is_signed(fields: &[(&str, &str)], merchant: &UpaasMerchant) -> bool {
    let wanted = sign(fields, merchant.request_sign, merchant.key_joining, merchant.key.as_str());
    let given = fields.iter().find(|(name, _)| *name == "sign").map(|(_, value)| *value);
    wanted.is_none_or(|wanted| given == Some(wanted.as_str()))
}
