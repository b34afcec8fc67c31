//! The one rule under every signature, of requests, answers and notifications (`providers.md` section 1.4).
//!
//! All fields but `sign`, without empty ones, sorted by name in byte order, `name=value` joined by `&`, then `&key=`
//! and the key; MD5 in capital hexadecimal digits. Values stand as they are, not percent-encoded: a value with `&` in
//! it makes a text that can be cut into other fields too. Whoever may choose part of a value (a payer's name in
//! `attach`, a page in `callback_url`) and sees the signed URL, as every payer does, could so try to show PayJS's
//! signature over a payment that never was. Therefore a signature counts only if each field that matters stands in its
//! text exactly once, however the text is cut.

use super::wire::Fields;
use crate::key_ring::KeyRing;
use crate::signing::{self, Digest, from_hex, is_sealed, pairs};

pub(super) use crate::signing::pairs::keyed;

/// The field of the signature.
pub(super) const SIGN: &str = "sign";

/// The fields that decide what a message means.
const COUNTING: [&str; 8] = [
    "mchid",
    "out_trade_no",
    "payjs_order_id",
    "refund",
    "return_code",
    "status",
    "total_fee",
    "transaction_id",
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

/// What becomes of values `0`. The documents keep them, the official SDK drops them as PHP's `array_filter` does;
/// either is accepted (section 8), and nothing that is sent has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zeros {
    /// They take part.
    Kept,
    /// They count as empty.
    Dropped,
}

/// The text under a signature, but for the key.
pub(super) fn text<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>, zeros: Zeros) -> String {
    let takes_part = |(name, value): &(&str, &str)| {
        *name != SIGN && !value.is_empty() && (zeros == Zeros::Kept || *value != "0")
    };
    pairs::joined(fields.filter(takes_part))
}

/// The fields with their signature, sorted by name. None of them may be empty or `0`.
pub(super) fn signed<'a>(keys: &KeyRing, mut fields: Vec<(&'a str, String)>) -> Vec<(&'a str, String)> {
    let signature = pairs::signature(keys, fields.iter().map(|(name, value)| (*name, value.as_str())));
    fields.push((SIGN, signature));
    fields.sort_unstable();
    fields
}

/// What the signature of a received message proves.
pub(super) fn proof(keys: &KeyRing, fields: &Fields) -> Proof {
    let Some(given) = fields.get(SIGN) else { return Proof::Unsigned };
    let Some(given) = from_hex(given) else { return Proof::Wrong };
    let texts = [Zeros::Kept, Zeros::Dropped].map(|zeros| text(fields.iter(), zeros));
    match texts.iter().find(|text| is_sealed(keys, &given, digest(text))) {
        Some(text) if is_unambiguous(text) => Proof::Signed,
        Some(_) => Proof::Ambiguous,
        None => Proof::Wrong,
    }
}

/// The key that made the signature of a received message, counted from the current one, and which text is under it.
pub(super) fn sealed_by(keys: &KeyRing, fields: &Fields) -> Option<(usize, Zeros)> {
    let given = from_hex(fields.get(SIGN)?)?;
    [Zeros::Kept, Zeros::Dropped].into_iter().find_map(|zeros| {
        let text = text(fields.iter(), zeros);
        Some((signing::sealed_by(keys, &given, digest(&text))?, zeros))
    })
}

fn digest(text: &str) -> impl Fn(&str) -> Digest {
    move |key| pairs::digest(text, key)
}

/// Whether each field that counts stands in the text once at most, whichever `&` ends a value.
pub(super) fn is_unambiguous(text: &str) -> bool {
    pairs::is_unambiguous(text, &COUNTING)
}

/// Whether a value would make a message ambiguous in which it stands.
pub(super) fn names_a_field(value: &str) -> bool {
    pairs::names_a_field(value, &COUNTING)
}
