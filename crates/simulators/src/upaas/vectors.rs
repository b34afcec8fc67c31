//! The worked examples of the contract's section 3.4, and accounts.

use super::merchant::{KeyJoining, MerchantError, SignRule, UpaasKey, UpaasMerchant};
use super::sign::{is_signed, sign};

const KEY: &str = "upaas_test_key";

/// Reads `a=b&c=d` without decoding: the examples are written raw.
fn raw(text: &str) -> Vec<(&str, &str)> {
    text.split('&').map(|field| field.split_once('=').unwrap()).collect()
}

fn merchant() -> UpaasMerchant {
    UpaasMerchant::new("1000001", UpaasKey::new(KEY.to_owned()))
}

#[test]
fn the_worked_request_and_answer() {
    for (text, signature) in [
        (
            "amount=0.01&merchant_order_no=1596004809&mode_code=weixin&open_id=oTestOpenId0001&store_num=1000001\
             &wx_appid=wx7b54f0a5769316b9",
            "23dc0c4744627a49d13fcdb15d46ffa0",
        ),
        (
            "amount=0.01&merchant_order_no=1596004809&order_number=32007292020124037464368222208",
            "d16e8038aeefac17cfc6bb37307d0734",
        ),
    ] {
        let mut fields = raw(text);
        // The rule sorts, so the order in which fields come must not matter.
        fields.reverse();
        let made = sign(&fields, SignRule::Scalars, KeyJoining::Named, KEY);
        assert_eq!(made.as_deref(), Some(signature), "{text}");
        assert!(!is_signed(&fields, &merchant()));
        fields.push(("sign", signature));
        assert!(is_signed(&fields, &merchant()));
        let appended = sign(&fields, SignRule::Scalars, KeyJoining::Appended, KEY);
        assert_ne!(appended.as_deref(), Some(signature));
    }
}

#[test]
fn the_prepay_fields_may_stand_outside_and_off_signs_nothing() {
    let fields = [("amount", "1.00"), ("pre_pay_no", "2021"), ("empty", "")];
    let with = sign(&fields, SignRule::Scalars, KeyJoining::Named, KEY);
    let without = sign(&fields, SignRule::ScalarsWithoutPrepay, KeyJoining::Named, KEY);
    assert_eq!(without, sign(&fields[..1], SignRule::Scalars, KeyJoining::Named, KEY));
    assert_ne!(with, without);
    assert_eq!(sign(&fields, SignRule::Off, KeyJoining::Named, KEY), None);
    assert!(is_signed(&fields, &UpaasMerchant { request_sign: SignRule::Off, ..merchant() }));
}

#[test]
fn accounts_are_checked_and_hide_their_key() {
    let account = |number: &str, key: &str| UpaasMerchant::new(number, UpaasKey::new(key.to_owned()));
    assert!(account("1000001", KEY).validate().is_ok());
    for number in ["", "12345678", "12/34", "商户"] {
        assert_eq!(account(number, KEY).validate(), Err(MerchantError::StoreNum), "{number}");
    }
    assert!(account("1000001", "").validate().is_err());
    assert!(!format!("{:?}", account("1000001", KEY)).contains(KEY));
}
