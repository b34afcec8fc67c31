//! Keys of a provider that were fetched at run time: trusted beside the configured ones, until a later fetch no longer
//! has them or their time is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use paymux_domain::time::Timestamp;

use super::keys::PlatformKey;
use crate::upkeep::Chore;

/// Keys that are remembered as looked for, and as not found.
const SERIALS_MAX: usize = 8;

/// A key with its time.
#[derive(Clone)]
pub(crate) struct TimedKey {
    pub(crate) key: PlatformKey,
    /// Its first moment.
    pub(crate) from: Timestamp,
    /// The moment after its last.
    pub(crate) until: Timestamp,
}

impl TimedKey {
    fn holds(&self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }
}

/// What was fetched last for whoever shares it.
pub(crate) struct Trust {
    keys: ArcSwap<BTreeMap<String, TimedKey>>,
    sought: Mutex<Sought>,
    /// When it is fetched.
    pub(crate) chore: Arc<Chore>,
}

#[derive(Default)]
struct Sought {
    wanted: BTreeSet<String>,
    missing: BTreeSet<String>,
}

impl Trust {
    pub(crate) fn new(name: String) -> Self {
        let chore = Arc::new(Chore::new(name));
        Self { keys: ArcSwap::default(), sought: Mutex::default(), chore }
    }

    /// The key of that name, while it holds.
    pub(crate) fn key(&self, serial: &str, now: Timestamp) -> Option<PlatformKey> {
        self.keys.load().get(serial).filter(|timed| timed.holds(now)).map(|timed| timed.key.clone())
    }

    /// The keys that hold.
    pub(crate) fn keys(&self, now: Timestamp) -> BTreeMap<String, PlatformKey> {
        let keys = self.keys.load();
        let holding = keys.iter().filter(|(_, timed)| timed.holds(now));
        holding.map(|(serial, timed)| (serial.clone(), timed.key.clone())).collect()
    }

    /// Whether any key holds.
    pub(crate) fn holds_any(&self, now: Timestamp) -> bool {
        self.keys.load().values().any(|timed| timed.holds(now))
    }

    /// Puts what was fetched in force, in place of all before.
    pub(crate) fn learn(&self, keys: BTreeMap<String, TimedKey>) {
        self.keys.store(Arc::new(keys));
        self.settle();
    }

    /// Wishes for a key that an answer has named; `false` once it was looked for and was not there.
    pub(crate) fn want(&self, serial: &str) -> bool {
        self.chore.wish();
        let mut sought = self.lock();
        if sought.missing.contains(serial) {
            return false;
        }
        if sought.wanted.len() < SERIALS_MAX {
            sought.wanted.insert(serial.to_owned());
        }
        true
    }

    /// A fetch has ended: what is still not there was looked for in vain.
    pub(crate) fn settle(&self) {
        let keys = self.keys.load();
        let mut sought = self.lock();
        let wanted = std::mem::take(&mut sought.wanted);
        sought.missing.extend(wanted);
        sought.missing.retain(|serial| !keys.contains_key(serial));
        while sought.missing.len() > SERIALS_MAX {
            sought.missing.pop_first();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Sought> {
        self.sought.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(from: i64, until: i64) -> TimedKey {
        let pem = include_str!("../wechatpay/fixtures/test_rsa_2048_pub.pem");
        let key = PlatformKey::from_public_pem(pem).unwrap();
        TimedKey { key, from: Timestamp::from_millis(from), until: Timestamp::from_millis(until) }
    }

    fn one(serial: &str, key: TimedKey) -> BTreeMap<String, TimedKey> {
        BTreeMap::from([(serial.to_owned(), key)])
    }

    #[test]
    fn a_key_holds_from_its_first_moment_to_its_last_and_until_the_next_fetch() {
        let trust = Trust::new("keys".to_owned());
        trust.learn(one("A", timed(10, 20)));
        let holds = |at: i64| trust.key("A", Timestamp::from_millis(at)).is_some();
        assert_eq!([9, 10, 19, 20].map(holds), [false, true, true, false]);
        assert!(trust.holds_any(Timestamp::from_millis(10)) && !trust.holds_any(Timestamp::from_millis(20)));
        trust.learn(one("B", timed(10, 20)));
        assert!(!holds(10), "the provider no longer names it");
    }

    #[test]
    fn a_key_is_looked_for_until_a_fetch_did_not_have_it() {
        let trust = Trust::new("keys".to_owned());
        assert!(trust.want("A") && trust.want("A"));
        trust.learn(one("B", timed(10, 20)));
        assert!(!trust.want("A"));
        trust.learn(one("A", timed(10, 20)));
        assert!(trust.want("A"), "it was there, only its time is over");
        for n in 0..100 {
            trust.want(&n.to_string());
        }
        trust.settle();
        assert!(trust.lock().missing.len() <= SERIALS_MAX && trust.lock().wanted.is_empty());
    }
}
