//! Callers: who is recognised, what they may do, how much of it, and what a change of the configuration keeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use paymux_domain::ports::{BoxFuture, Clock};
use paymux_domain::time::{ClockFactor, Timestamp};

use super::*;

struct StillClock(AtomicI64);

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn factor(&self) -> ClockFactor {
        ClockFactor::REAL
    }
}

fn caller(keys: &[&str]) -> CallerConfig {
    CallerConfig {
        keys: keys.iter().map(|key| KeyHash::of(key)).collect(),
        certificates: Vec::new(),
        rights: Rights::from([Right::Read]),
        merchants: MerchantScope::Only(["m1".parse().unwrap()].into()),
        limits: Some(CallerLimits { requests_per_s: 10, burst: 2, concurrency_max: 2 }),
    }
}

fn certified(names: &[&str]) -> CallerConfig {
    CallerConfig { certificates: names.iter().map(|name| name.parse().unwrap()).collect(), ..caller(&[]) }
}

fn callers<const N: usize>(callers: [(&str, CallerConfig); N]) -> Callers {
    Callers(callers.into_iter().map(|(name, config)| (name.to_owned(), config)).collect())
}

fn access<const N: usize>(configured: [(&str, CallerConfig); N]) -> (Arc<StillClock>, Arc<Access>) {
    let clock = Arc::new(StillClock(AtomicI64::new(1_000_000)));
    (Arc::clone(&clock), Access::new(callers(configured), clock))
}

fn name_of(access: &Access, key: Option<&str>, names: &[&str]) -> Result<String, AccessRefusal> {
    let peer = Peer { names: names.iter().map(|name| name.parse().unwrap()).collect() };
    access.authenticate(key, &peer).map(|caller| caller.name().to_owned())
}

const UNKNOWN: Result<String, AccessRefusal> = Err(AccessRefusal::CredentialsInvalid);

#[test]
fn each_key_of_a_caller_is_its_own_and_no_other_is_anybodys() {
    let (_, access) = access([("a", caller(&["old", "new"])), ("b", caller(&["other"]))]);
    for (key, name) in [("old", "a"), ("new", "a"), ("other", "b")] {
        assert_eq!(name_of(&access, Some(key), &[]), Ok(name.to_owned()));
    }
    for wrong in ["", "Old", "old ", "oldnew", &KeyHash::of("old").to_hex()] {
        assert_eq!(name_of(&access, Some(wrong), &[]), UNKNOWN, "{wrong:?}");
    }
    assert_eq!(name_of(&access, None, &[]), UNKNOWN);
}

#[test]
fn a_certificate_stands_for_one_caller_and_a_key_decides_before_it() {
    let (_, access) =
        access([("a", certified(&["dns:a.internal", "cn:a"])), ("b", certified(&["uri:spiffe://b"]))]);
    assert_eq!(name_of(&access, None, &["cn:a", "dns:x"]), Ok("a".to_owned()));
    assert_eq!(name_of(&access, None, &["cn:a", "dns:a.internal"]), Ok("a".to_owned()));
    assert_eq!(name_of(&access, None, &["uri:spiffe://b"]), Ok("b".to_owned()));
    // A name of another kind is another name, and a certificate of two callers is nobody's.
    assert_eq!(name_of(&access, None, &["dns:a"]), UNKNOWN);
    assert_eq!(name_of(&access, None, &["cn:a", "uri:spiffe://b"]), UNKNOWN);
    assert_eq!(name_of(&access, Some("wrong"), &["cn:a"]), UNKNOWN);
}

#[test]
fn without_callers_everybody_is_let_in_with_all_rights() {
    let (_, access) = access([]);
    let caller = access.authenticate(None, &Peer::default()).unwrap();
    assert_eq!(caller.name(), "loopback");
    assert!([Right::Submit, Right::Read, Right::Operate].into_iter().all(|right| caller.may(right)));
    assert_eq!(caller.allow_merchant("anybody"), Ok(()));
    assert!((0..10_000).all(|_| caller.take_request().is_ok()));
}

#[test]
fn rights_and_merchants_are_those_of_the_configuration() {
    let (_, access) = access([("a", caller(&["key"]))]);
    let caller = access.authenticate(Some("key"), &Peer::default()).unwrap();
    assert_eq!(caller.allow_right(&[Right::Submit, Right::Read]), Ok(()));
    let refused = AccessRefusal::NotAllowed("the caller lacks the right submit or operate".to_owned());
    assert_eq!(caller.allow_right(&[Right::Submit, Right::Operate]), Err(refused));
    assert_eq!(caller.allow_merchant("m1"), Ok(()));
    for other in ["m2", "", "M1", "no merchant's name!"] {
        assert!(matches!(caller.allow_merchant(other), Err(AccessRefusal::NotAllowed(_))), "{other}");
    }
}

#[test]
fn rate_and_concurrency_are_each_callers_own() {
    let (clock, access) = access([("a", caller(&["a"])), ("b", caller(&["b"]))]);
    let [a, b] = ["a", "b"].map(|key| access.authenticate(Some(key), &Peer::default()).unwrap());
    assert!(a.take_request().is_ok() && a.take_request().is_ok());
    assert_eq!(a.take_request(), Err(AccessRefusal::CallerLimited(Duration::from_millis(100))));
    assert_eq!(b.take_request(), Ok(()));
    clock.0.fetch_add(100, Ordering::Relaxed);
    assert_eq!(a.take_request(), Ok(()));

    let slots = [a.begin_call().unwrap(), a.begin_call().unwrap()];
    assert!(matches!(a.begin_call(), Err(AccessRefusal::CallerLimited(_))));
    assert!(b.begin_call().is_ok());
    drop(slots);
    assert!(a.begin_call().is_ok());
}

#[test]
fn a_change_is_in_force_at_once_and_does_not_give_back_what_is_used() {
    let (_, access) = access([("a", caller(&["old"])), ("gone", caller(&["gone"]))]);
    let before = access.authenticate(Some("old"), &Peer::default()).unwrap();
    let held = [before.begin_call().unwrap(), before.begin_call().unwrap()];
    assert!(before.take_request().is_ok() && before.take_request().is_ok());
    access.swap(callers([("a", caller(&["new"]))]));
    for key in ["old", "gone"] {
        assert_eq!(name_of(&access, Some(key), &[]), UNKNOWN, "{key}");
    }
    let after = access.authenticate(Some("new"), &Peer::default()).unwrap();
    assert!(after.begin_call().is_err() && after.take_request().is_err());
    drop(held);
    assert!(after.begin_call().is_ok());
}

#[test]
fn debug_shows_no_key_and_no_whole_hash() {
    let config = caller(&["a-secret-key"]);
    let hash = KeyHash::of("a-secret-key").to_hex();
    let (_, access) = access([("a", config.clone())]);
    let live = access.authenticate(Some("a-secret-key"), &Peer::default()).unwrap();
    let shown = format!("{config:?} {access:?} {live:?}");
    assert!(!shown.contains("a-secret-key") && !shown.contains(&hash), "{shown}");
}
