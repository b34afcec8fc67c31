//! The examples of the contract's section 2.3, which were computed with Python's hashlib: this side reproduces each
//! signature.

use super::merchant::{AppSecret, MerchantError, XorpayMerchant};
use super::params::CreateParams;
use super::sign::{is_signed, sign};
use crate::form;

/// Secret of the worked examples.
const SECRET: &str = "test_app_secret";

#[track_caller]
fn check(values: &[&str], secret: &str, signature: &str) {
    assert_eq!(sign(values.iter().copied(), secret), signature);
    for spelling in [signature.to_owned(), signature.to_uppercase()] {
        assert!(is_signed(values.iter().copied(), secret, &spelling));
        assert!(!is_signed(values.iter().copied(), "another", &spelling));
    }
}

#[test]
fn computed_signatures() {
    let url = "https://pay.example.com/notify/xorpay";
    let create = |price| ["XorPay 账户充值", "jsapi", price, "ORD20240101000001", url];
    check(&create("50.00"), SECRET, "faf52fecc5e2d3b2bc9192464ef3f1ef");
    check(&create("50.0"), SECRET, "a0b69d7f1b395636907a12014dc0c683");
    let push = ["8b1a9953c4611296a827abf8c47804d7", "ORD20240101000001", "50.00", "2024-01-01 00:05:00"];
    check(&push, SECRET, "022fd198492da2d6ea0fb38169a13aaf");
    check(&["ORD20240101000001"], SECRET, "76199a87a9c96f64c2b3f9d728eb240e");
    check(&["50.00"], SECRET, "a54cb8a977b47960de8876800f562025");
    let third = ["内容订阅一年期", "native", "50.00", "102", "http://e.com/n"];
    check(&third, "secret", "ccb84120b007daf253acae5b347e13cd");
}

#[test]
fn the_computed_body_of_a_create_is_read_whole() {
    let body = "name=XorPay+%E8%B4%A6%E6%88%B7%E5%85%85%E5%80%BC&pay_type=jsapi&price=50.00\
                &order_id=ORD20240101000001&notify_url=https%3A%2F%2Fpay.example.com%2Fnotify%2Fxorpay\
                &openid=oXor_test_openid&expire=900&more=order%3A42&sign=faf52fecc5e2d3b2bc9192464ef3f1ef";
    let merchant = XorpayMerchant::new("15627", AppSecret::new(SECRET.to_owned()));
    let params = CreateParams::parse(&form::decode(body.as_bytes()), &merchant).ok().unwrap();
    assert_eq!((params.price, params.expire, params.more.as_deref()), (5000, 900, Some("order:42")));
    assert_eq!((params.order_id.as_str(), params.openid.as_str()), ("ORD20240101000001", "oXor_test_openid"));
}

#[test]
fn accounts_are_checked_and_hide_their_secret() {
    let account = |aid: &str, secret: &str| XorpayMerchant::new(aid, AppSecret::new(secret.to_owned()));
    assert!(account("15627", SECRET).validate().is_ok());
    let long = "1".repeat(33);
    for aid in ["", &long, "12/34", "商户"] {
        assert_eq!(account(aid, SECRET).validate(), Err(MerchantError::Aid), "{aid}");
    }
    assert!(account("15627", "").validate().is_err());
    assert!(!format!("{:?}", account("15627", SECRET)).contains(SECRET));
}
