//! The worked examples, byte for byte, against this side's own code (`providers.md` sections 5.3 to 5.5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::answer::object;
use super::launch::Launch;
use super::merchant::{AccessKey, Account, MaqianMerchant, MerchantError, NotifyProof};
use super::params::{CashierParams, read_yuan, yuan};
use super::sign::{api_sign, api_text, is_sealed, launch_text};

const PUBLIC_PEM: &str = include_str!("../../tests/vectors/test_rsa_2048_pub.pem");
const URI: &str = include_str!("../../tests/vectors/maqian_app_uri.txt");

fn merchant() -> MaqianMerchant {
    let key = AccessKey::new("test_accesskey".to_owned());
    let merchant = MaqianMerchant::new("833304458120002", "XN000005", PUBLIC_PEM, key);
    MaqianMerchant { app_id: "MQ11111".to_owned(), ..merchant }
}

#[test]
fn the_worked_uri_is_read_and_its_signature_verifies() {
    let launch = Launch::of_uri(URI).ok().unwrap();
    let account = Account::new(merchant()).unwrap();
    let text = launch_text(&launch.data);
    assert!(text.contains("&source=app&terminal_info={\"app_version\":\"23091301\","), "{text}");
    assert!(account.has_signed(&text, &launch.signature));
    assert!(!account.has_signed(&text.replace("0.01", "0.02"), &launch.signature));
    let params = CashierParams::parse(&launch, &account.merchant).ok().unwrap();
    assert_eq!((params.total, params.out_trade_no.as_str()), (1, "test1697697407817"));
}

#[test]
fn the_pages_own_example_has_its_text_and_signature() {
    let data = json!({
        "app_id": "MQ100013", "app_name": "多点", "color": "#FF0000", "goods_detail": [{"body": "body123456",
        "categories_tree": "5263", "goods_category": "5689", "goods_id": "id123456", "goods_name": "name123456",
        "price": "20", "quantity": "20", "show_url": "url123456"}], "goods_name": "矿泉水", "limit_pay": "",
        "merch_no": "833651658120003", "notify_url": "http://test.mdun.cn/jd/pay/notice", "out_trade_no": "test",
        "pn": "XN000003", "remark": "测试交易备注", "total_amount": "0.05", "sign": "x",
    });
    let text = launch_text(&object(data));
    assert_eq!(text, include_str!("../../tests/vectors/maqian_launch.txt"));
    let signature = STANDARD.decode(include_str!("../../tests/vectors/maqian_launch.sig")).unwrap();
    assert!(Account::new(merchant()).unwrap().has_signed(&text, &signature));
}

#[test]
fn the_official_examples_are_flattened() {
    for (document, expected) in [
        (json!({"version": "1.0.0", "return_code": 0}), "return_code=0&version=1.0.0"),
        (json!({"a": 1, "b": {"d": 3, "c": 2}}), "a=1&b=c=2&d=3"),
        (json!({"a": 1, "b": [2, 3]}), "a=1&b=2&3"),
        (json!({"a": "", "b": null, "c": {}, "d": [], "e": "1"}), "e=1"),
    ] {
        assert_eq!(api_text(&object(document)), expected);
    }
    let first = object(json!({"version": "1.0.0", "return_code": 0}));
    assert_eq!(api_sign(&first, "123456789ABCDEF"), "AC58F7A8575958A2D0E212461701B371");
}

#[test]
fn the_worked_calls_have_their_md5() {
    let mut query = object(json!({"accessid": "test_accessid", "merch_no": "833651658120003",
        "out_trade_no": "MQ202401010001", "req_id": "20240101000000123456"}));
    assert_eq!(api_sign(&query, "test_accesskey"), "1D4810338CC13CD1450D45570B59661F");
    query.insert("sign".to_owned(), "1D4810338CC13CD1450D45570B59661F".into());
    assert!(is_sealed(&query, "test_accesskey") && !is_sealed(&query, "another"));
    query.insert("sign".to_owned(), "1d4810338cc13cd1450d45570b59661f".into());
    assert!(!is_sealed(&query, "test_accesskey"));
    query.insert("sign".to_owned(), Value::Null);
    assert!(!is_sealed(&query, "test_accesskey"));
}

#[test]
fn amounts_are_read_as_text() {
    for (text, fen) in [("100", 10_000), ("0.05", 5), ("0.1", 10), ("12.30", 1_230)] {
        assert_eq!(read_yuan(text), Some(fen), "{text}");
    }
    for bad in ["", ".1", "1.", "0.005", "-1", "1e2", "１"] {
        assert_eq!(read_yuan(bad), None, "{bad}");
    }
    assert_eq!(yuan(1_230), "12.30");
}

#[test]
fn accounts_are_checked_and_hide_their_key() {
    let refused = |merchant: MaqianMerchant| Account::new(merchant).err().unwrap();
    assert_eq!(refused(MaqianMerchant { pn: "a b".to_owned(), ..merchant() }), MerchantError::Number("pn"));
    let keyless = MaqianMerchant { access_key: None, ..merchant() };
    assert_eq!(refused(keyless), MerchantError::Key("833304458120002".to_owned()));
    let garbage = MaqianMerchant { public_key_pem: "x".to_owned(), ..merchant() };
    assert!(matches!(refused(garbage), MerchantError::Pem { field: "public_key_pem", .. }));
    let by_rsa = MaqianMerchant { notify_proof: NotifyProof::Rsa, ..merchant() };
    assert!(matches!(refused(by_rsa), MerchantError::Pem { field: "notify_key_pem", .. }));
    assert!(!format!("{:?}", merchant()).contains("test_accesskey"));
}
