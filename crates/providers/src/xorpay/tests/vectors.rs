//! The worked examples of `providers.md` section 2.3, which were computed by another implementation (Python's hashlib)
//! from the rule's words; XorPay publishes no vector with its digest.

use secrecy::SecretString;

use super::super::sign::{is_signed, signature};
use super::{SECRET, created, kit, sign};
use crate::key_ring::KeyRing;

fn ring(secret: &str) -> KeyRing {
    KeyRing::new(SecretString::from(secret), Vec::new())
}

/// A signature as it is made and as it is verified: by our rule, and by the tests' own.
#[track_caller]
fn check(secret: &str, values: &[&str], expected: &str) {
    let text = values.concat();
    assert_eq!(signature(&ring(secret), &text), expected);
    assert_eq!(sign(values, secret), expected);
    for spelling in [expected.to_owned(), expected.to_uppercase()] {
        assert!(is_signed(&ring(secret), &text, &spelling));
        assert!(!is_signed(&ring("another"), &text, &spelling));
    }
}

const NOTIFY_URL: &str = "https://pay.example.com/notify/xorpay";

#[test]
fn creates() {
    let with = |price| ["XorPay 账户充值", "jsapi", price, "ORD20240101000001", NOTIFY_URL];
    check(SECRET, &with("50.00"), "faf52fecc5e2d3b2bc9192464ef3f1ef");
    check(SECRET, &with("50.0"), "a0b69d7f1b395636907a12014dc0c683");
}

/// The string of a third party's example (stored file 71262242652).
#[test]
fn a_string_of_another_sdk() {
    let values = ["内容订阅一年期", "native", "50.00", "102", "http://e.com/n"];
    check("secret", &values, "ccb84120b007daf253acae5b347e13cd");
}

#[test]
fn notifications_queries_and_refunds() {
    let notification =
        ["8b1a9953c4611296a827abf8c47804d7", "ORD20240101000001", "50.00", "2024-01-01 00:05:00"];
    check(SECRET, &notification, "022fd198492da2d6ea0fb38169a13aaf");
    check(SECRET, &["ORD20240101000001"], "76199a87a9c96f64c2b3f9d728eb240e");
    check(SECRET, &["50.00"], "a54cb8a977b47960de8876800f562025");
}

/// The worked body, but for the `x` behind the number and what follows from it.
#[test]
fn the_body_of_a_create_is_that_of_the_worked_example() {
    let worked = "name=XorPay+%E8%B4%A6%E6%88%B7%E5%85%85%E5%80%BC&pay_type=jsapi&price=50.00\
                  &order_id=ORD20240101000001&notify_url=https%3A%2F%2Fpay.example.com%2Fnotify%2Fxorpay\
                  &openid=oXor_test_openid&expire=900&more=order%3A42&sign=faf52fecc5e2d3b2bc9192464ef3f1ef";
    let read = |body: &[u8]| {
        let mut fields = crate::form::decode(body).unwrap();
        fields.sort();
        fields
    };
    let mut expected = read(worked.as_bytes());
    for (name, value) in &mut expected {
        match name.as_str() {
            "order_id" => value.push('x'),
            "sign" => {
                let values = ["XorPay 账户充值", "jsapi", "50.00", "ORD20240101000001x", NOTIFY_URL];
                *value = sign(&values, SECRET);
            }
            _ => {}
        }
    }
    let call = super::call(super::Operation::Create, created(), vec![]);
    assert_eq!(read(&kit().build(&call).body), expected);
}
