//! What integrators are shown: signatures equal to those of others, and each thing that is wrong with a notification.

use std::sync::Arc;

use paymux_domain::outcome::Word;
use paymux_domain::ports::RefusalReason;
use proptest::prelude::*;
use serde_json::json;

use super::{
    ACCESS_KEY, BARE, HINTED, Keys, NOW, OLD_ACCESS_KEY, SHOP, STRANGER_KEY, TEST_KEY, notification, now,
    raw, read, rsa_notification, sealed, signed_json, with,
};
use crate::workbench::{Examination, Finding, SignFault, SignedText, Workbench};

const ACCOUNTS: [(&str, &str); 3] = [("shop", SHOP), ("bare", BARE), ("hinted", HINTED)];

fn bench() -> Arc<dyn Workbench> {
    read(&ACCOUNTS).unwrap().workbench(&"maqian".parse().unwrap()).unwrap()
}

fn signed_at(account: &str, input: &str) -> Result<SignedText, SignFault> {
    let signer = Keys(read(&ACCOUNTS).unwrap().signing_keys());
    now(bench().sign(&account.parse().unwrap(), input.as_bytes(), &signer))
}

fn told(account: &str, input: &str) -> String {
    let Err(SignFault::Input(faults)) = signed_at(account, input) else { panic!("no fault") };
    faults.iter().map(|fault| format!("{}: {}", fault.field, fault.reason)).collect::<Vec<_>>().join("\n")
}

fn examine(account: &str, body: &[u8]) -> Examination {
    bench().examine(&account.parse().unwrap(), &raw(body), NOW).unwrap()
}

fn failed(examination: &Examination) -> Vec<String> {
    let failed = examination.checks.iter().filter(|check| check.finding == Finding::Failed);
    failed.map(|check| format!("{}: {}", check.name, check.detail)).collect()
}

fn body(key: &str, change: &[(&'static str, &'static str)]) -> Vec<u8> {
    let fields = with(&notification(), change);
    signed_json(&fields, &sealed(&fields, key))
}

#[test]
fn a_launch_is_signed_as_in_the_pages_example() {
    let launch = json!({
        "app_id": "MQ100013", "app_name": "多点", "color": "#FF0000",
        "goods_detail": [{"body":"body123456","categories_tree":"5263","goods_category":"5689","goods_id":"id123456",
            "goods_name":"name123456","price":"20","quantity":"20","show_url":"url123456"}],
        "goods_name": "矿泉水", "merch_no": "833651658120003", "notify_url": "http://test.mdun.cn/jd/pay/notice",
        "out_trade_no": "test", "pn": "XN000003", "remark": "测试交易备注", "total_amount": "0.05", "limit_pay": "",
    });
    let text = signed_at("shop", &launch.to_string()).unwrap();
    assert_eq!(text.canonical, include_str!("../fixtures/launch.txt"));
    assert_eq!(text.signature, include_str!("../fixtures/launch.sig"));
    assert_eq!(text.authorization, None);
}

#[test]
fn a_call_is_signed_as_in_the_worked_example() {
    let query = json!({"accessid": "test_accessid", "merch_no": "833651658120003", "out_trade_no": "MQ202401010001",
        "req_id": "20240101000000123456", "pn": ""});
    let text = signed_at("shop", &query.to_string()).unwrap();
    assert_eq!(text.signature, "1D4810338CC13CD1450D45570B59661F");
    assert_eq!(
        text.canonical,
        "accessid=test_accessid&merch_no=833651658120003&out_trade_no=MQ202401010001&req_id=20240101000000123456<key>"
    );
}

#[test]
fn every_fault_of_the_fields_is_named_at_once() {
    let launch = r#"{"app_id":"","remark":"a&total_amount=1","color":true,"sign":"A","fee":1}"#;
    insta::assert_snapshot!(told("shop", launch), @r"
    app_id: must be a text
    app_name: is missing; must be a text
    color: must be a text or a whole number
    merch_no: is missing; must be a text
    out_trade_no: is missing; must be a text
    pn: is missing; must be a text
    remark: must not hold & with a field of 码钱 and =, such as &total_amount=
    total_amount: is missing; must be a text
    sign: is what is made of the others: leave it out
    fee: unknown field; a launch has app_id, app_name, merch_no, out_trade_no, pn, total_amount and the optional fields of its page, and a call of the server API accessid, req_id, agent_no, merch_no, out_trade_no, trade_no, pn, out_refund_no, refund_amount
    ");
    insta::assert_snapshot!(told("shop", r#"{"accessid":"9","sign":"A","total_amount":"1"}"#), @r"
    accessid: must be test_accessid, the account's
    sign: is what is made of the others: leave it out
    total_amount: unknown field; a launch has app_id, app_name, merch_no, out_trade_no, pn, total_amount and the optional fields of its page, and a call of the server API accessid, req_id, agent_no, merch_no, out_trade_no, trade_no, pn, out_refund_no, refund_amount
    ");
    insta::assert_snapshot!(told("bare", r#"{"accessid":"9"}"#), @r"
    accessid: the account has no access_id: it cannot call the server API
    ");
}

#[test]
fn genuine_notifications_pass_every_check() {
    let examination = examine("shop", &body(ACCESS_KEY, &[]));
    let lines: Vec<String> = examination
        .checks
        .iter()
        .map(|check| format!("{} {}: {}", check.name, check.finding.as_str(), check.detail))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    size passed: 360 bytes, at most 65536 are allowed
    json passed: 13 fields
    merchant passed: merch_no is the account's
    signature passed: MD5 made with a key of the account
    text passed: the signed text can be read in one way only
    content passed: about MQ202401010001
    ");
    let said = examination.said.unwrap();
    assert!(matches!(said.words.as_slice(), [Word::Paid(payment)] if payment.total_minor == 5));
    assert_eq!(examination.verdict.unwrap().words, said.words);
    assert!(examine("shop", &body(OLD_ACCESS_KEY, &[])).verdict.is_ok());
    assert!(examine("bare", &rsa_notification(TEST_KEY, &[])).verdict.is_ok());
    let hint = examine("hinted", &body("nobody's key", &[("merch_no", "833000000000001")]));
    assert_eq!((failed(&hint), hint.said.unwrap().words), (vec![], vec![Word::Hint]));
}

#[test]
fn each_thing_that_is_wrong_is_named_and_the_engine_refuses_it() {
    use RefusalReason::{BadSignature, Malformed, UnknownKind, WrongMerchant};
    let unsigned = serde_json::to_vec(&notification()).unwrap();
    let cases: [(&str, Vec<u8>, RefusalReason, &str); 8] = [
        ("shop", body("another", &[]), BadSignature, "signature: MD5 made with none of the account's keys"),
        (
            "bare",
            rsa_notification(STRANGER_KEY, &[]),
            BadSignature,
            "signature: RSA made with none of the account's",
        ),
        (
            "shop",
            body(ACCESS_KEY, &[("merch_no", "9")]),
            WrongMerchant,
            "merchant: merch_no is not the account's, 8",
        ),
        ("shop", body(ACCESS_KEY, &[("trade_status", "2")]), UnknownKind, "content: trade_status is not 1"),
        (
            "shop",
            body(ACCESS_KEY, &[("remark", "a&trade_no=1")]),
            Malformed,
            "text: the signed text can be read in",
        ),
        (
            "shop",
            body(ACCESS_KEY, &[("order_amount", "x")]),
            Malformed,
            "content: order_amount cannot be read",
        ),
        ("shop", unsigned, Malformed, "signature: sign is missing"),
        ("shop", b"a=1".to_vec(), Malformed, "json: the body is no JSON object, or names a field twice"),
    ];
    for (account, body, reason, told) in cases {
        let examination = examine(account, &body);
        let found = failed(&examination);
        assert!(found.len() == 1 && found[0].starts_with(told), "{told}: {found:?}");
        assert_eq!(examination.verdict.unwrap_err().reason, reason, "{told}");
    }
}

proptest! {
    /// The checks and the engine never say different things.
    #[test]
    fn a_check_fails_exactly_where_the_engine_refuses(at in 0_usize..500, bit in 0_u32..8, by_rsa: bool) {
        let mut body = if by_rsa { rsa_notification(TEST_KEY, &[]) } else { body(ACCESS_KEY, &[]) };
        if let Some(byte) = body.get_mut(at) {
            *byte ^= 1 << bit;
        }
        let examination = examine(if by_rsa { "bare" } else { "shop" }, &body);
        prop_assert_eq!(failed(&examination).is_empty(), examination.verdict.is_ok(), "{:?}", examination);
    }
}
