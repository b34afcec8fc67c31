//! Keys and the pool: what is signed, what is refused, and that nothing waits for ever.

use std::sync::Arc;

use paymux_domain::ports::{SignError, Signer as _};
use proptest::prelude::*;
use rsa::pkcs8::DecodePrivateKey;
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use secrecy::SecretString;

use super::{KeyError, PoolOptions, SigningKey, SigningKeys, SigningPool, certificate_key};
use crate::signing::PlatformKey;

const KEY: &str = include_str!("../wechatpay/fixtures/test_rsa_2048.pem");
const KEY_PKCS1: &str = include_str!("../wechatpay/fixtures/test_rsa_2048_pkcs1.pem");
const OTHER: &str = include_str!("../wechatpay/fixtures/wechatpay_go_key.pem");

fn key(pem: &str) -> Arc<SigningKey> {
    Arc::new(SigningKey::from_pem(&SecretString::from(pem)).unwrap())
}

fn keys(entries: &[(&str, &str)]) -> SigningKeys {
    entries.iter().map(|(name, pem)| ((*name).to_owned(), key(pem))).collect()
}

fn pool(threads: usize, queue: usize) -> SigningPool {
    SigningPool::start(PoolOptions { threads, queue }, keys(&[("a", KEY)])).unwrap()
}

#[test]
fn both_private_forms_are_the_same_key() {
    assert_eq!(key(KEY).sign(b"text").unwrap(), key(KEY_PKCS1).sign(b"text").unwrap());
}

#[test]
fn what_is_no_fitting_key_is_refused() {
    let private = |pem: &str| SigningKey::from_pem(&SecretString::from(pem)).map(|_| ());
    let public = include_str!("../wechatpay/fixtures/test_rsa_2048_pub.pem");
    let short = include_str!("../wechatpay/fixtures/rsa_1024.pem");
    for pem in ["", "garbage", public, short, &KEY[..200]] {
        assert_eq!(private(pem), Err(KeyError::Private), "{pem}");
    }
    assert_eq!(PlatformKey::from_public_pem(KEY).err(), Some(KeyError::Public));
    assert_eq!(certificate_key(public).err(), Some(KeyError::Certificate));
    assert!(!format!("{:?}", key(KEY)).contains("BEGIN"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 8, ..ProptestConfig::default() })]

    #[test]
    fn signatures_are_those_of_another_implementation(message in prop::collection::vec(any::<u8>(), 0..2000)) {
        let oracle = rsa::pkcs1v15::SigningKey::<Sha256>::new(rsa::RsaPrivateKey::from_pkcs8_pem(KEY).unwrap());
        prop_assert_eq!(key(KEY).sign(&message).unwrap(), oracle.sign(&message).to_vec());
    }
}

#[tokio::test]
async fn the_pool_signs_with_the_named_key() {
    let pool = pool(2, 8);
    assert_eq!(pool.sign("a", b"text".to_vec()).await, key(KEY).sign(b"text"));
    assert_eq!(pool.sign("b", b"text".to_vec()).await, Err(SignError::UnknownKey("b".to_owned())));
}

#[tokio::test]
async fn many_callers_share_the_threads() {
    let pool = Arc::new(pool(2, 64));
    let tasks: Vec<_> = (0..50_u32)
        .map(|number| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move { (number, pool.sign("a", number.to_be_bytes().to_vec()).await) })
        })
        .collect();
    for task in tasks {
        let (number, signature) = task.await.unwrap();
        assert_eq!(signature, key(KEY).sign(&number.to_be_bytes()));
    }
}

#[tokio::test]
async fn a_full_queue_is_refused_at_once() {
    let pool = pool(1, 1);
    // Enqueued when they are made: more than one thread can take meanwhile.
    let waiting: Vec<_> = (0..200).map(|_| pool.sign("a", vec![0; 64])).collect();
    let mut refused = 0;
    for signature in waiting {
        match signature.await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error, SignError::Unavailable);
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "a queue of one took two hundred");
    assert!(pool.sign("a", Vec::new()).await.is_ok(), "the queue is empty again");
}

#[tokio::test]
async fn a_stopped_pool_finishes_what_is_queued_and_takes_no_more() {
    let pool = pool(1, 16);
    let queued = pool.sign("a", b"text".to_vec());
    pool.stop();
    assert_eq!(queued.await, key(KEY).sign(b"text"));
    assert_eq!(pool.sign("a", b"text".to_vec()).await, Err(SignError::Unavailable));
}

#[tokio::test]
async fn keys_are_exchanged_without_a_gap() {
    let pool = pool(1, 16);
    let next = keys(&[("b", OTHER)]);
    pool.replace_keys(keys(&[("a", KEY)]).merged(&next));
    assert!(pool.sign("a", Vec::new()).await.is_ok() && pool.sign("b", Vec::new()).await.is_ok());
    pool.replace_keys(next);
    assert_eq!(pool.sign("a", Vec::new()).await, Err(SignError::UnknownKey("a".to_owned())));
    assert_eq!(pool.sign("b", b"x".to_vec()).await, key(OTHER).sign(b"x"));
}

#[test]
fn sizes_are_kept_in_bounds() {
    assert_eq!(pool(0, 0).options(), PoolOptions { threads: 1, queue: 1 });
    assert!(PoolOptions::default().threads >= 1);
}
