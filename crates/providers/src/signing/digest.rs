//! MD5 over text and a shared key, where a provider has that in place of a signature.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest as sha2};
use md5::{Digest as _, Md5};
use secrecy::ExposeSecret as _;

use crate::key_ring::KeyRing;

/// An MD5.
pub(crate) type Digest = [u8; 16];

/// The MD5 of texts one behind the other, without another copy of any of them.
pub(crate) fn md5<const N: usize>(texts: [&str; N]) -> Digest {
    let mut digest = Md5::new();
    texts.iter().for_each(|text| digest.update(text));
    digest.finalize().into()
}

/// Capital hexadecimal digits.
pub(crate) fn capitals(digest: &Digest) -> String {
    let mut digits = [0; 2 * size_of::<Digest>()];
    hex::encode_to_slice(digest, &mut digits).expect("there are two digits for each byte");
    digits.make_ascii_uppercase();
    String::from_utf8_lossy(&digits).into_owned()
}

/// Reads 32 hexadecimal digits in either case.
pub(crate) fn from_hex(text: &str) -> Option<Digest> {
    let mut digest = Digest::default();
    hex::decode_to_slice(text, &mut digest).ok()?;
    Some(digest)
}

/// The digest by the key that signs.
pub(crate) fn seal(keys: &KeyRing, digest: impl Fn(&str) -> Digest) -> Digest {
    digest(keys.current().expose_secret())
}

/// Whether a digest is that of one of the keys. Each is tried, and compared in constant time.
pub(crate) fn is_sealed(keys: &KeyRing, given: &Digest, digest: impl Fn(&str) -> Digest) -> bool {
    keys.iter().fold(false, |found, key| {
        found | verify_slices_are_equal(&digest(key.expose_secret()), given).is_ok()
    })
}

/// The key that made a digest, counted from the current one. For people who compare; the engine asks [`is_sealed`].
pub(crate) fn sealed_by(keys: &KeyRing, given: &Digest, digest: impl Fn(&str) -> Digest) -> Option<usize> {
    keys.iter().position(|key| digest(key.expose_secret()) == *given)
}

/// An id for a notification whose provider gives it none: the SHA-256 of the body, so that the same push again has
/// the same.
pub(crate) fn body_id(body: &[u8]) -> String {
    hex::encode(sha2(&SHA256, body))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn ring(current: &str, previous: &[&str]) -> KeyRing {
        let previous = previous.iter().map(|key| SecretString::from(*key)).collect();
        KeyRing::new(SecretString::from(current), previous)
    }

    #[test]
    fn md5_is_that_of_rfc_1321() {
        for (text, hex) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("message digest", "F96B697D7CB7938D525A2F31AAF161D0"),
        ] {
            assert_eq!(from_hex(hex), Some(md5([text])), "{text}");
            assert_eq!(capitals(&md5([text])), hex.to_uppercase(), "{text}");
            let (begin, end) = text.split_at(text.len() / 2);
            assert_eq!(md5([begin, "", end]), md5([text]), "{text}");
        }
        for bad in ["", "d41d", "d41d8cd98f00b204e9800998ecf8427g", "d41d8cd98f00b204e9800998ecf8427e00"] {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_current_key_seals_and_each_verifies() {
        let digest = |text: &'static str| move |key: &str| md5([text, key]);
        let (new, both, old) = (ring("new", &[]), ring("new", &["old"]), ring("old", &[]));
        assert_eq!(seal(&both, digest("a")), seal(&new, digest("a")));
        for ring in [&new, &old] {
            assert!(is_sealed(&both, &seal(ring, digest("a")), digest("a")));
            assert!(!is_sealed(&both, &seal(ring, digest("a")), digest("b")));
        }
        assert!(!is_sealed(&new, &seal(&old, digest("a")), digest("a")));
        assert_eq!(sealed_by(&both, &seal(&new, digest("a")), digest("a")), Some(0));
        assert_eq!(sealed_by(&both, &seal(&old, digest("a")), digest("a")), Some(1));
        assert_eq!(sealed_by(&new, &seal(&old, digest("a")), digest("a")), None);
    }
}
