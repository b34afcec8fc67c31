//! The two rules of signature, which differ and share no code (`providers.md` sections 5.3 and 5.5).
//!
//! *Launch, and notifications of merchants who have 码钱's public key:* all fields but `sign`, without empty ones, sorted by
//! name in byte order `[assumed]`, `name=value` joined by `&`, values as they are; SHA256 with RSA (PKCS#1 v1.5), Base64.
//!
//! *Server API, and notifications by its key:* the same, but objects and lists are flattened by the same rule in their
//! place, a list without indices; the access key stands directly behind the text; MD5 in capital hexadecimal digits.
//!
//! A value with `&` in it makes a text that can be cut into other fields too, so what is received counts only if each field
//! that matters stands in its text exactly once, however the text is cut; and no value that we sign names a field.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::wire::{Fields, Node};
use crate::key_ring::KeyRing;
use crate::signing::{Digest, PlatformKey, capitals, from_hex, is_sealed, md5, seal};

/// The field of the signature.
pub(super) const SIGN: &str = "sign";

/// The fields that decide what a received message means.
pub(super) const COUNTING: [&str; 14] = [
    "bank_trade_no",
    "channel_trade_no",
    "error_code",
    "merch_no",
    "order_amount",
    "out_refund_no",
    "out_trade_no",
    "refund_amount",
    "refund_status",
    "result_code",
    "return_code",
    "total_amount",
    "trade_no",
    "trade_status",
];

/// What a message's signature proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// It was made with one of the keys.
    Signed,
    /// It was, but its text can be cut into other fields.
    Ambiguous,
    /// There is none.
    Unsigned,
    /// It was made with no key of the account.
    Wrong,
}

/// The text under an RSA signature, of fields that are texts or the text of their JSON.
pub(super) fn rsa_text<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let takes_part = |(name, value): &(&str, &str)| *name != SIGN && !value.is_empty();
    let mut fields: Vec<_> = fields.into_iter().filter(takes_part).collect();
    fields.sort_unstable();
    let parts: Vec<String> = fields.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    parts.join("&")
}

/// An RSA signature as it is sent.
pub(super) fn base64(signature: &[u8]) -> String {
    STANDARD.encode(signature)
}

/// What the RSA signature of a received message proves. It must be flat: how 码钱 would write a nested value is not known.
pub(super) fn rsa_proof(keys: &[PlatformKey], fields: &Fields) -> Proof {
    let Some(given) = fields.get(SIGN) else { return Proof::Unsigned };
    let Ok(given) = STANDARD.decode(given) else { return Proof::Wrong };
    let text = rsa_text(fields.texts());
    if !fields.is_flat() || !keys.iter().any(|key| key.has_signed(text.as_bytes(), &given)) {
        Proof::Wrong
    } else if is_unambiguous(&text) {
        Proof::Signed
    } else {
        Proof::Ambiguous
    }
}

/// The text under an MD5, but for the key.
pub(super) fn md5_text(fields: &Fields) -> String {
    let parts = fields.iter().filter(|(name, _)| *name != SIGN).filter_map(|(name, node)| {
        let value = flat(node);
        (!value.is_empty()).then(|| format!("{name}={value}"))
    });
    parts.collect::<Vec<_>>().join("&")
}

fn flat(node: &Node) -> String {
    match node {
        Node::Text(text) => text.clone(),
        Node::List(list) => {
            let parts = list.iter().map(flat).filter(|part| !part.is_empty());
            parts.collect::<Vec<_>>().join("&")
        }
        Node::Object(fields) => md5_text(fields),
    }
}

/// The MD5 of fields of our own, as it is sent.
pub(super) fn sealed(keys: &KeyRing, fields: &Fields) -> String {
    capitals(&seal(keys, digest(&md5_text(fields))))
}

/// The text with the key behind it.
pub(super) fn keyed(text: &str, key: &str) -> String {
    format!("{text}{key}")
}

/// What the MD5 of a received message proves. Ambiguity is looked for in its own texts: what stands deeper is not read.
pub(super) fn md5_proof(keys: &KeyRing, fields: &Fields) -> Proof {
    let Some(given) = fields.get(SIGN) else { return Proof::Unsigned };
    let Some(given) = from_hex(given) else { return Proof::Wrong };
    if !is_sealed(keys, &given, digest(&md5_text(fields))) {
        Proof::Wrong
    } else if is_unambiguous(&rsa_text(fields.texts())) {
        Proof::Signed
    } else {
        Proof::Ambiguous
    }
}

fn digest(text: &str) -> impl Fn(&str) -> Digest {
    move |key| md5([text, key])
}

/// Whether each field that counts stands in the text once at most, whichever `&` ends a value.
pub(super) fn is_unambiguous(text: &str) -> bool {
    let times = |name: &str| {
        text.split('&').filter(|part| part.split_once('=').is_some_and(|(known, _)| known == name)).count()
    };
    COUNTING.iter().all(|name| times(name) <= 1)
}

/// Whether a value would make a message ambiguous in which it stands beside such fields.
pub(super) fn names_a_field(value: &str, fields: &[&str]) -> bool {
    let mut parts = value.split('&');
    // Before the first `&` stands the value itself.
    parts.next();
    parts.any(|part| part.split_once('=').is_some_and(|(name, _)| fields.contains(&name)))
}
