//! Published vectors, and the worked examples of `providers.md` section 1.4, which were computed by another
//! implementation (Python's hashlib).

use std::collections::BTreeMap;

use super::super::sign::{Proof, Zeros, proof, text};
use super::super::wire::Fields;
use super::{ID, KEY, created, kit, sign};
use crate::key_ring::KeyRing;
use secrecy::SecretString;

fn ring(key: &str) -> KeyRing {
    KeyRing::new(SecretString::from(key), Vec::new())
}

/// A signature as it is made and as it is verified: by our rule, and by the tests' own.
#[track_caller]
fn check(key: &str, zeros: Zeros, fields: &[(&str, &str)], signed_text: &str, signature: &str) {
    assert_eq!(text(fields.iter().copied(), zeros), signed_text);
    let by_the_tests = sign(&fields.iter().copied().collect(), key, zeros == Zeros::Kept);
    assert_eq!(by_the_tests, signature);
    for spelling in [signature.to_owned(), signature.to_lowercase()] {
        let mut form: BTreeMap<&str, &str> = fields.iter().copied().collect();
        form.insert("sign", &spelling);
        let body = crate::form::encode(form.iter().map(|(name, value)| (*name, *value)));
        let received = Fields::from_form(body.as_bytes()).unwrap();
        assert_eq!(proof(&ring(key), &received), Proof::Signed);
        assert_eq!(proof(&ring("another"), &received), Proof::Wrong);
    }
}

/// The tests of the SDK rinne-dev/payjs.
#[test]
fn vectors_of_an_sdk() {
    let (a, b) = (
        [("test2", "hehe"), ("test", "123")].as_slice(),
        [("test", "haha"), ("mchid", "merch_id")].as_slice(),
    );
    check("test_key", Zeros::Kept, a, "test=123&test2=hehe", "B16319F0C3F2BBDA5CB8B4FFC9048A81");
    check("test_key", Zeros::Kept, b, "mchid=merch_id&test=haha", "8C25F4D8CE652EE13397915BC2F8A825");
}

#[test]
fn a_blank_is_signed_as_a_blank() {
    let fields = [("mchid", "123456"), ("body", "a b"), ("total_fee", "1"), ("out_trade_no", "T1")];
    let text = "body=a b&mchid=123456&out_trade_no=T1&total_fee=1";
    check(KEY, Zeros::Kept, &fields, text, "E7A75F7B39A54C137DF69AFE2EFED7F1");
}

#[test]
fn calls_are_signed_with_and_without_mchid() {
    let text = "payjs_order_id=2019101503054900456615858";
    check(KEY, Zeros::Kept, &[("payjs_order_id", ID)], text, "37FF4069E7D48DBAF6104F115EE3B7D0");
    let both = [("payjs_order_id", ID), ("mchid", "123456")];
    let text = format!("mchid=123456&{text}");
    check(KEY, Zeros::Kept, &both, &text, "5A52E0BF3618A6B210CAAE4D06CC0571");
}

/// The notification of the worked example, with that attach.
pub(super) fn notification(attach: &str) -> Vec<(&str, &str)> {
    vec![
        ("attach", attach),
        ("mchid", "123456"),
        ("openid", "oTest_openid_0001"),
        ("out_trade_no", "payjs_jspay_demo_1700000000"),
        ("payjs_order_id", ID),
        ("return_code", "1"),
        ("time_end", "2019-10-15 03:06:10"),
        ("total_fee", "1"),
        ("transaction_id", "4200000000201910150000000000"),
    ]
}

#[test]
fn a_notification_is_signed_over_all_of_its_fields() {
    let rest = "mchid=123456&openid=oTest_openid_0001&out_trade_no=payjs_jspay_demo_1700000000&\
                payjs_order_id=2019101503054900456615858&return_code=1&time_end=2019-10-15 03:06:10&\
                total_fee=1&transaction_id=4200000000201910150000000000";
    let named = format!("attach=order:42&{rest}");
    check(KEY, Zeros::Kept, &notification("order:42"), &named, "8C2B9299E6B0D4B43A8AA341D10CC422");
    let kept = format!("attach=0&{rest}");
    check(KEY, Zeros::Kept, &notification("0"), &kept, "8694C40020D0E75748267AEE09BB0998");
    check(KEY, Zeros::Dropped, &notification("0"), rest, "0E4C4144682C7C9979BBEC704D4AF5DF");
}

#[test]
fn the_cashiers_url_is_that_of_the_worked_example() {
    let url = "https://payjs.cn/api/cashier?\
               body=%E6%88%91%E6%98%AF%E4%B8%80%E4%B8%AA%E6%B5%8B%E8%AF%95%E8%AE%A2%E5%8D%95%E6%A0%87%E9%A2%98&\
               mchid=123456&notify_url=https%3A%2F%2Fpay.example.com%2Fnotify%2Fpayjs&\
               out_trade_no=payjs_jspay_demo_1700000000&sign=60A51B109A3CD60BA78E5DE41461827A&total_fee=1";
    assert_eq!(kit().url(&created()), url);
}
