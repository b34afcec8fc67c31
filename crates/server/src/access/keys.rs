//! Bearer keys: made at random, kept as hashes, compared in constant time.
//!
//! A key has 256 random bits, so its plain SHA-256 can neither be guessed nor looked up, and needs no salt.

use std::fmt;
use std::str::FromStr;

use paymux_domain::ports::Entropy;
use sha2::{Digest as _, Sha256};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};

/// What each key begins with, so that a leaked one is recognised by scanners.
const KEY_PREFIX: &str = "pmx_";

/// Digits of a hash that are shown: enough to tell keys apart.
const SHOWN_DIGITS: usize = 8;

/// No position at all, see [`find`].
const NOWHERE: u32 = u32::MAX;

/// The SHA-256 of a key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a key.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// All its digits, as the configuration takes them.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.to_hex();
        write!(f, "{}…", digits.get(..SHOWN_DIGITS).unwrap_or_default())
    }
}

/// The text is no SHA-256; it is not repeated, since it may be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not 64 hexadecimal digits")]
pub struct NotAHash;

impl FromStr for KeyHash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).map_err(|_| NotAHash)?;
        Ok(Self(hash))
    }
}

/// Makes a new key of 256 random bits.
#[must_use]
pub fn new_key(entropy: &dyn Entropy) -> String {
    let bits: Vec<String> = (0..4).map(|_| format!("{:016x}", entropy.next_u64())).collect();
    format!("{KEY_PREFIX}{}", bits.concat())
}

/// The position that stands beside the hash. Every hash is looked at and compared in constant time, whether or not an
/// earlier one was the right one, so that the time says nothing.
pub(super) fn find<'a>(hashes: impl Iterator<Item = &'a (KeyHash, u32)>, wanted: &KeyHash) -> Option<u32> {
    let mut found = NOWHERE;
    for (hash, position) in hashes {
        found.conditional_assign(position, hash.0.ct_eq(&wanted.0));
    }
    (found != NOWHERE).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    #[test]
    fn every_hash_is_looked_at_wherever_the_right_one_stands() {
        let hashes: Vec<_> = (0..9).map(|n| (KeyHash::of(&format!("key-{n}")), n * 10)).collect();
        for (key, found) in [("key-0", Some(0)), ("key-4", Some(40)), ("key-8", Some(80)), ("other", None)] {
            let mut looked_at = 0;
            let counted = hashes.iter().inspect(|_| looked_at += 1);
            assert_eq!(find(counted, &KeyHash::of(key)), found, "{key}");
            assert_eq!(looked_at, hashes.len(), "{key}");
        }
    }

    #[test]
    fn a_hash_is_that_of_sha256_and_reads_back() {
        let hash = KeyHash::of("abc");
        assert_eq!(hash.to_hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hash.to_hex().to_uppercase().parse(), Ok(hash.clone()));
        assert_eq!(format!("{hash:?}"), "ba7816bf…");
        for wrong in ["", "abc", "pmx_0123", &"g".repeat(64), &"0".repeat(66)] {
            assert_eq!(wrong.parse::<KeyHash>(), Err(NotAHash), "{wrong}");
        }
    }

    #[test]
    fn keys_are_long_and_no_two_are_the_same() {
        let entropy = SystemEntropy::from_system();
        let (one, two) = (new_key(&entropy), new_key(&entropy));
        assert_eq!(one.len(), 68);
        assert_ne!(one, two);
    }
}
