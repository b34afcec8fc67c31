//! The examples of the contract's section 1.4: this side reproduces each signature.

use super::merchant::{CommunicationKey, PayjsMerchant, ZeroValues};
use super::params::CashierParams;
use super::sign::{is_signed, sign};
use super::{form, merchant};

/// Key of the worked examples, as in the seed document.
const KEY: &str = "xxxxxx";

/// Reads `a=b&c=d` without decoding: the examples are written raw.
fn raw(text: &str) -> Vec<(&str, &str)> {
    text.split('&').map(|field| field.split_once('=').unwrap()).collect()
}

fn check(text: &str, key: &str, signature: &str) {
    let mut fields = raw(text);
    // The rule sorts, so the order in which fields come must not matter.
    fields.reverse();
    assert_eq!(sign(&fields, ZeroValues::Kept, key), signature, "{text}");
    fields.push(("sign", signature));
    assert!(is_signed(&fields, key));
    let lower = signature.to_lowercase();
    *fields.last_mut().unwrap() = ("sign", &lower);
    assert!(!is_signed(&fields, key));
}

#[test]
fn published_by_rinne_dev_payjs() {
    check("test=123&test2=hehe", "test_key", "B16319F0C3F2BBDA5CB8B4FFC9048A81");
    check("mchid=merch_id&test=haha", "test_key", "8C25F4D8CE652EE13397915BC2F8A825");
}

#[test]
fn computed_cashier_of_the_seed() {
    let text = "body=我是一个测试订单标题&mchid=123456&notify_url=https://pay.example.com/notify/payjs\
                &out_trade_no=payjs_jspay_demo_1700000000&total_fee=1&attach=";
    check(text, KEY, "60A51B109A3CD60BA78E5DE41461827A");
}

#[test]
fn computed_cashier_url_is_read_whole() {
    let query = "body=%E6%88%91%E6%98%AF%E4%B8%80%E4%B8%AA%E6%B5%8B%E8%AF%95%E8%AE%A2%E5%8D%95%E6%A0%87%E9%A2%98\
                 &mchid=123456&notify_url=https%3A%2F%2Fpay.example.com%2Fnotify%2Fpayjs\
                 &out_trade_no=payjs_jspay_demo_1700000000&sign=60A51B109A3CD60BA78E5DE41461827A&total_fee=1";
    let fields = form::decode(query.as_bytes());
    assert!(fields.is_signed_with(KEY));
    let params = CashierParams::parse(&fields).ok().unwrap();
    assert_eq!((params.total_fee, params.out_trade_no.as_str()), (1, "payjs_jspay_demo_1700000000"));
    assert_eq!(params.body.as_deref(), Some("我是一个测试订单标题"));
}

#[test]
fn computed_space_is_signed_as_a_space() {
    let signature = "E7A75F7B39A54C137DF69AFE2EFED7F1";
    check("mchid=123456&body=a b&total_fee=1&out_trade_no=T1", KEY, signature);
    for written in ["a+b", "a%20b"] {
        let query = format!("mchid=123456&body={written}&total_fee=1&out_trade_no=T1&sign={signature}");
        assert!(form::decode(query.as_bytes()).is_signed_with(KEY), "{written}");
    }
    // The seed's Python sample signs a plus sign instead, which this side does not take.
    check("mchid=123456&body=a+b&total_fee=1&out_trade_no=T1", KEY, "C1EB26FA04D511DB0F34896910A0D575");
    let query = "mchid=123456&body=a+b&total_fee=1&out_trade_no=T1&sign=C1EB26FA04D511DB0F34896910A0D575";
    assert!(!form::decode(query.as_bytes()).is_signed_with(KEY));
}

#[test]
fn computed_checks_with_and_without_mchid() {
    check("payjs_order_id=2019101503054900456615858", KEY, "37FF4069E7D48DBAF6104F115EE3B7D0");
    check("mchid=123456&payjs_order_id=2019101503054900456615858", KEY, "5A52E0BF3618A6B210CAAE4D06CC0571");
}

const NOTIFY: &str = "mchid=123456&openid=oTest_openid_0001&out_trade_no=payjs_jspay_demo_1700000000\
                      &payjs_order_id=2019101503054900456615858&return_code=1&time_end=2019-10-15 03:06:10\
                      &total_fee=1&transaction_id=4200000000201910150000000000";

#[test]
fn computed_push() {
    check(&format!("attach=order:42&{NOTIFY}"), KEY, "8C2B9299E6B0D4B43A8AA341D10CC422");
}

#[test]
fn computed_push_with_attach_zero_in_both_readings() {
    let text = format!("attach=0&{NOTIFY}");
    let mut fields = raw(&text);
    let (kept, dropped) = ("8694C40020D0E75748267AEE09BB0998", "0E4C4144682C7C9979BBEC704D4AF5DF");
    assert_eq!(sign(&fields, ZeroValues::Kept, KEY), kept);
    assert_eq!(sign(&fields, ZeroValues::Dropped, KEY), dropped);
    for signature in [kept, dropped] {
        fields.push(("sign", signature));
        assert!(is_signed(&fields, KEY));
        fields.pop();
    }
    assert!(!is_signed(&fields, KEY), "without a signature nothing is signed");
}

#[test]
fn accounts_are_checked_and_hide_their_key() {
    let account = |mchid: &str, key: &str| PayjsMerchant::new(mchid, CommunicationKey::new(key.to_owned()));
    assert!(account("123456", KEY).validate().is_ok());
    for mchid in ["", "12345678901234567", "12/34", "商户"] {
        assert_eq!(account(mchid, KEY).validate(), Err(merchant::MerchantError::Mchid), "{mchid}");
    }
    assert!(account("123456", "").validate().is_err());
    assert!(!format!("{:?}", account("123456", KEY)).contains(KEY));
}
