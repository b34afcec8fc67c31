//! Keys that were read before: reading thousands of accounts again must not parse thousands of keys again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use aws_lc_rs::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};

use super::keys::{KeyError, SigningKey};
use super::trust::Trust;

/// Private keys that are in use somewhere, found by the hash of their text, and what was fetched at run time, found by
/// whose it is. Holds nothing alive.
#[derive(Default)]
pub struct KeyCache {
    signing: Mutex<BTreeMap<Vec<u8>, Weak<SigningKey>>>,
    trusts: Mutex<BTreeMap<String, Weak<Trust>>>,
}

impl KeyCache {
    /// The key of a PEM text: the one that is in use, or one that is read anew.
    ///
    /// # Errors
    /// See [`SigningKey::from_pem`].
    pub fn signing_key(&self, pem: &SecretString) -> Result<Arc<SigningKey>, KeyError> {
        let hash = digest(&SHA256, pem.expose_secret().as_bytes()).as_ref().to_vec();
        let mut known = self.signing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known.get(&hash).and_then(Weak::upgrade) {
            return Ok(key);
        }
        let key = Arc::new(SigningKey::from_pem(pem)?);
        known.insert(hash, Arc::downgrade(&key));
        Ok(key)
    }

    /// What was fetched under a name: that which is in use, or nothing yet.
    pub(crate) fn trust(&self, name: &str) -> Arc<Trust> {
        let mut known = self.trusts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trust) = known.get(name).and_then(Weak::upgrade) {
            return trust;
        }
        let trust = Arc::new(Trust::new(name.to_owned()));
        known.insert(name.to_owned(), Arc::downgrade(&trust));
        trust
    }

    /// Forgets what nobody uses any more.
    pub fn sweep(&self) {
        let mut known = self.signing.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, key| key.strong_count() > 0);
        drop(known);
        let mut trusts = self.trusts.lock().unwrap_or_else(PoisonError::into_inner);
        trusts.retain(|_, trust| trust.strong_count() > 0);
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.signing.lock().unwrap_or_else(PoisonError::into_inner);
        write!(f, "KeyCache({} keys)", known.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_use_is_read_once_and_an_unused_one_is_forgotten() {
        let cache = KeyCache::default();
        let pem = SecretString::from(include_str!("../wechatpay/fixtures/test_rsa_2048.pem"));
        let key = cache.signing_key(&pem).unwrap();
        assert!(Arc::ptr_eq(&key, &cache.signing_key(&pem).unwrap()));
        assert!(cache.signing_key(&SecretString::from("no key")).is_err());
        drop(key);
        let trust = cache.trust("keys of a shop");
        assert!(Arc::ptr_eq(&trust, &cache.trust("keys of a shop")));
        cache.sweep();
        assert_eq!(format!("{cache:?}"), "KeyCache(0 keys)");
    }
}
