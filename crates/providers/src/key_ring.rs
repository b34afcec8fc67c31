//! Secrets that are exchanged without a gap: the current one, and the previous ones for as long as both sides may
//! still use them.

use std::fmt;

use secrecy::SecretString;

use crate::settings::Reader;

/// Keys of one ring at most: more than two exchanges at once is a mistake.
const KEYS_MAX: usize = 4;

/// The keys of an account for one purpose; never empty.
///
/// What we sign is signed with the first. What a provider signed or sealed is tried with the first, then with the
/// others, so that neither side has to change at the same instant: put the new key first and the old one behind
/// it, let the provider change, take the old one out. `Debug` shows how many there are, and nothing of them.
pub struct KeyRing<K = SecretString> {
    current: K,
    previous: Vec<K>,
}

impl<K> KeyRing<K> {
    /// A ring of a current key and those before it, the newest first.
    #[must_use]
    pub const fn new(current: K, previous: Vec<K>) -> Self {
        Self { current, previous }
    }

    /// The key that signs.
    pub const fn current(&self) -> &K {
        &self.current
    }

    /// The keys that verify or open, the current one first.
    pub fn iter(&self) -> impl Iterator<Item = &K> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

impl<K> fmt::Debug for KeyRing<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} keys)", self.previous.len() + 1)
    }
}

impl Reader<'_> {
    /// Reads a ring: `{key}_file` or `{key}_env`, and while keys are exchanged `previous_{key}s`, a list of tables
    /// with the same two keys. `parse` makes a key of the text, or says what it must be.
    pub fn key_ring<K>(
        &self,
        key: &str,
        parse: impl Fn(&SecretString) -> Result<K, String>,
    ) -> Option<KeyRing<K>> {
        let list = format!("previous_{key}s");
        let one = |reader: &Reader<'_>| {
            let (name, secret) = reader.secret(key)?;
            parse(&secret).map_err(|reason| reader.fault(&name, reason)).ok()
        };
        let current = one(self);
        let previous = self.tables(&list, one);
        if previous.len() >= KEYS_MAX {
            self.fault(&list, format!("holds {} keys, at most {} are allowed", previous.len(), KEYS_MAX - 1));
        }
        Some(KeyRing::new(current?, previous))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::settings::{AccountSection, SecretRef};

    /// The texts of the ring that a section gives, and its faults.
    fn read(toml: &str) -> (Option<Vec<String>>, Vec<String>) {
        let section = AccountSection {
            account: "a".parse().unwrap(),
            provider: "p".parse().unwrap(),
            settings: toml.parse().unwrap(),
        };
        let secrets = |reference: &SecretRef| match reference {
            SecretRef::Env(name) => Ok(SecretString::from(name.to_lowercase())),
            SecretRef::File(path) => Err(format!("{} cannot be read", path.display())),
        };
        let faults = RefCell::default();
        let reader = Reader::new(&section, &secrets, &faults);
        let ring = reader.key_ring("key", |secret| match secret.expose_secret() {
            "bad" => Err("must not be bad".to_owned()),
            text => Ok(text.to_owned()),
        });
        reader.finish();
        let faults = faults.take().iter().map(|fault| format!("{}: {}", fault.key, fault.reason)).collect();
        (ring.map(|ring| ring.iter().cloned().collect()), faults)
    }

    #[test]
    fn one_key_signs_and_all_verify() {
        assert_eq!(read(r#"key_env = "NEW""#), (Some(vec!["new".to_owned()]), Vec::new()));
        let (ring, faults) = read("key_env = \"NEW\"\nprevious_keys = [{ key_env = \"OLD\" }]");
        assert_eq!((ring, faults), (Some(vec!["new".to_owned(), "old".to_owned()]), Vec::new()));
        let ring = KeyRing::new("new", vec!["old"]);
        assert_eq!(*ring.current(), "new");
    }

    #[test]
    fn every_fault_of_a_ring_is_found_at_once() {
        let (ring, faults) = read(
            "key_file = \"gone\"\nprevious_keys = [{ key_env = \"BAD\" }, { }, { key_env = \"A\", more = 1 }]",
        );
        assert!(ring.is_none());
        insta::assert_snapshot!(faults.join("\n"), @r"
        key_file: gone cannot be read
        previous_keys[0].key_env: must not be bad
        previous_keys[1].key_file: is missing; give key_file or key_env
        previous_keys[2].more: unknown key; allowed are key_env, key_file
        ");
        let four = "key_env = \"A\"\nprevious_keys = [{ key_env = \"B\" }, { key_env = \"C\" }, { key_env = \"D\" }, { key_env = \"E\" }]";
        assert_eq!(read(four).1, ["previous_keys: holds 4 keys, at most 3 are allowed"]);
    }
}
