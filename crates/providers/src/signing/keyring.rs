//! Shared secrets: keys that both sides know, for providers that seal their messages with an MD5 over text and key.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use md5::{Digest as _, Md5};
use secrecy::{ExposeSecret as _, SecretString};

/// An MD5.
pub(crate) type Digest = [u8; 16];

/// The MD5 of a text.
pub(crate) fn md5(text: &str) -> Digest {
    Md5::digest(text).into()
}

/// Reads 32 hexadecimal digits in either case.
pub(crate) fn from_hex(text: &str) -> Option<Digest> {
    let mut digest = Digest::default();
    hex::decode_to_slice(text, &mut digest).ok()?;
    Some(digest)
}

/// The keys of one account: the first signs, each of them verifies, so that a key is exchanged without a gap. It has
/// no `Debug`.
#[derive(Clone)]
pub(crate) struct KeyRing {
    signing: SecretString,
    older: Vec<SecretString>,
}

impl KeyRing {
    /// Takes the keys, the signing one first; `None` without any.
    pub(crate) fn new(keys: impl IntoIterator<Item = SecretString>) -> Option<Self> {
        let mut keys = keys.into_iter();
        Some(Self { signing: keys.next()?, older: keys.collect() })
    }

    /// The digest by the signing key.
    pub(crate) fn sign(&self, digest: impl Fn(&str) -> Digest) -> Digest {
        digest(self.signing.expose_secret())
    }

    /// Whether a digest is that of one of the keys. Each is tried, and compared in constant time.
    pub(crate) fn accepts(&self, given: &Digest, digest: impl Fn(&str) -> Digest) -> bool {
        let keys = std::iter::once(&self.signing).chain(&self.older);
        keys.fold(false, |found, key| {
            found | verify_slices_are_equal(&digest(key.expose_secret()), given).is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(keys: &[&str]) -> KeyRing {
        KeyRing::new(keys.iter().map(|key| SecretString::from(*key))).unwrap()
    }

    #[test]
    fn md5_is_that_of_rfc_1321() {
        for (text, hex) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("message digest", "F96B697D7CB7938D525A2F31AAF161D0"),
        ] {
            assert_eq!(from_hex(hex), Some(md5(text)), "{text}");
        }
        for bad in ["", "d41d", "d41d8cd98f00b204e9800998ecf8427g", "d41d8cd98f00b204e9800998ecf8427e00"] {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_first_key_signs_and_each_verifies() {
        let digest = |text: &'static str| move |key: &str| md5(&format!("{text}{key}"));
        let (new, both, old) = (ring(&["new"]), ring(&["new", "old"]), ring(&["old"]));
        assert_eq!(both.sign(digest("a")), new.sign(digest("a")));
        for ring in [&new, &old] {
            assert!(both.accepts(&ring.sign(digest("a")), digest("a")));
            assert!(!both.accepts(&ring.sign(digest("a")), digest("b")));
        }
        assert!(!new.accepts(&old.sign(digest("a")), digest("a")));
        assert!(KeyRing::new([]).is_none());
    }
}
