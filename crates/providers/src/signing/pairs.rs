//! Texts of sorted `name=value` pairs joined by `&`, over which several providers make their digests.
//!
//! Values stand as they are, not percent-encoded, so a text can be cut into fields in more than one way. Whoever may
//! choose part of a value could so try to show a provider's digest over fields that it never stated. Therefore what is
//! received counts only if each field that matters stands in its text exactly once, however the text is cut.

use super::{Digest, capitals, md5, seal};
use crate::key_ring::KeyRing;

/// What stands between text and key.
const KEY: &str = "&key=";

/// The text of fields: sorted by name in byte order. Which fields take part is the caller's to say.
pub(crate) fn joined<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut fields: Vec<_> = fields.into_iter().collect();
    fields.sort_unstable();
    let bytes = fields.iter().map(|(name, value)| name.len() + value.len() + "=&".len()).sum();
    let mut text = String::with_capacity(bytes);
    for (name, value) in fields {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    text
}

/// The text with the key behind it, as a last field of the name `key`.
pub(crate) fn keyed(text: &str, key: &str) -> String {
    [text, KEY, key].concat()
}

/// The signature over fields: the MD5 of their text with the key behind it, in capital hexadecimal digits.
pub fn signature<'a>(keys: &KeyRing, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let text = joined(fields);
    capitals(&seal(keys, |key| digest(&text, key)))
}

/// The MD5 of [`keyed`], which is not written out for it.
pub(crate) fn digest(text: &str, key: &str) -> Digest {
    md5([text, KEY, key])
}

/// Whether each field that counts stands in the text once at most, whichever `&` ends a value.
pub(crate) fn is_unambiguous(text: &str, counting: &[impl AsRef<str>]) -> bool {
    let times = |name: &str| {
        text.split('&').filter(|part| part.split_once('=').is_some_and(|(known, _)| known == name)).count()
    };
    counting.iter().all(|name| times(name.as_ref()) <= 1)
}

/// Whether a value would make a message ambiguous in which it stands.
pub(crate) fn names_a_field(value: &str, counting: &[impl AsRef<str>]) -> bool {
    let mut parts = value.split('&');
    // Before the first `&` stands the value itself.
    parts.next();
    parts.any(|part| {
        part.split_once('=').is_some_and(|(name, _)| counting.iter().any(|known| known.as_ref() == name))
    })
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn fields_are_sorted_joined_and_signed_with_the_key_behind_them() {
        let fields = [("b", "2"), ("a", "1"), ("c", "")];
        assert_eq!(joined(fields), "a=1&b=2&c=");
        assert_eq!(joined([]), "");
        assert_eq!(keyed("a=1", "k"), "a=1&key=k");
        assert_eq!(digest("a=1", "k"), md5(["a=1&key=k"]));
        let keys = KeyRing::new(SecretString::from("k"), Vec::new());
        assert_eq!(signature(&keys, fields), capitals(&md5(["a=1&b=2&c=&key=k"])));
    }
}
