//! Keys that were read before: reading thousands of accounts again must not parse thousands of keys again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use aws_lc_rs::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};

use super::keys::{KeyError, SigningKey};

/// Private keys that are in use somewhere, found by the hash of their text. Holds no key alive.
#[derive(Default)]
pub struct KeyCache(Mutex<BTreeMap<Vec<u8>, Weak<SigningKey>>>);

impl KeyCache {
    /// The key of a PEM text: the one that is in use, or one that is read anew.
    ///
    /// # Errors
    /// See [`SigningKey::from_pem`].
    pub fn signing_key(&self, pem: &SecretString) -> Result<Arc<SigningKey>, KeyError> {
        let hash = digest(&SHA256, pem.expose_secret().as_bytes()).as_ref().to_vec();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known.get(&hash).and_then(Weak::upgrade) {
            return Ok(key);
        }
        let key = Arc::new(SigningKey::from_pem(pem)?);
        known.insert(hash, Arc::downgrade(&key));
        Ok(key)
    }

    /// Forgets the keys that nobody uses any more.
    pub fn sweep(&self) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, key| key.strong_count() > 0);
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        cache.sweep();
        assert_eq!(format!("{cache:?}"), "KeyCache(0 keys)");
    }
}
