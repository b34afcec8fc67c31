//! What integrators are shown: signatures equal to those of others, and each thing that is wrong with a notification.

use std::sync::Arc;

use paymux_domain::outcome::Word;
use paymux_domain::ports::{RawNotification, RefusalReason};
use proptest::prelude::*;
use serde_json::json;

use super::vectors::notification;
use super::{ID, KEY, NOW, NoSigner, OLD_KEY, SHOP, now, read, sign};
use crate::workbench::{Examination, Finding, SignFault, SignedText, Workbench};

fn bench() -> Arc<dyn Workbench> {
    read(&[("shop", SHOP)]).unwrap().workbench(&"payjs".parse().unwrap()).unwrap()
}

fn signed(input: &str) -> Result<SignedText, SignFault> {
    now(bench().sign(&"shop".parse().unwrap(), input.as_bytes(), &NoSigner))
}

fn examine(body: &[u8]) -> Examination {
    let raw = RawNotification {
        merchant_id: "m1".parse().unwrap(),
        accounts: Vec::new(),
        headers: Vec::new(),
        body: body.to_vec(),
    };
    bench().examine(&"shop".parse().unwrap(), &raw, NOW).unwrap()
}

fn failed(examination: &Examination) -> Vec<String> {
    let failed = examination.checks.iter().filter(|check| check.finding == Finding::Failed);
    failed.map(|check| format!("{}: {}", check.name, check.detail)).collect()
}

/// The worked notification's body, signed with that key.
fn body(key: &str, change: impl FnOnce(&mut Vec<(&str, &str)>)) -> Vec<u8> {
    let mut fields = notification("order:42");
    change(&mut fields);
    let signature = sign(&fields.iter().copied().collect(), key, true);
    fields.push(("sign", &signature));
    crate::form::encode(fields).into_bytes()
}

#[test]
fn parameters_are_signed_as_in_the_worked_examples() {
    let cashier = json!({
        "mchid": "123456", "total_fee": 1, "out_trade_no": "payjs_jspay_demo_1700000000",
        "body": "我是一个测试订单标题", "attach": "",
        "notify_url": "https://pay.example.com/notify/payjs",
    });
    let text = signed(&cashier.to_string()).unwrap();
    assert_eq!(text.signature, "60A51B109A3CD60BA78E5DE41461827A");
    assert_eq!(
        text.canonical,
        "body=我是一个测试订单标题&mchid=123456&notify_url=https://pay.example.com/notify/payjs&\
         out_trade_no=payjs_jspay_demo_1700000000&total_fee=1&key=<key>"
    );
    assert_eq!(text.authorization, None);
    let blank = json!({"mchid": "123456", "body": "a b", "total_fee": "1", "out_trade_no": "T1"});
    assert_eq!(signed(&blank.to_string()).unwrap().signature, "E7A75F7B39A54C137DF69AFE2EFED7F1");
    let check = json!({ "payjs_order_id": ID });
    assert_eq!(signed(&check.to_string()).unwrap().signature, "37FF4069E7D48DBAF6104F115EE3B7D0");
    let check = json!({ "payjs_order_id": ID, "mchid": "123456" });
    assert_eq!(signed(&check.to_string()).unwrap().signature, "5A52E0BF3618A6B210CAAE4D06CC0571");
}

#[test]
fn every_fault_of_the_fields_is_named_at_once() {
    let input =
        r#"{"mchid":"9","total_fee":"0.01","body":" tea","attach":"0","auto":"yes","sign":"A","fee":1}"#;
    let Err(SignFault::Input(faults)) = signed(input) else { panic!("no fault") };
    let told: Vec<String> = faults.iter().map(|fault| format!("{}: {}", fault.field, fault.reason)).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    mchid: must be 123456, the account's
    total_fee: must be a whole number of fen above 0
    out_trade_no: is missing; must be 1 to 32 characters
    body: must not begin or end with a blank
    attach: must not be 0, which PayJS takes for nothing
    auto: must be 1 or absent: readers differ on what else takes part
    sign: is what is made of the others: leave it out
    fee: unknown field; the cashier has mchid, total_fee, out_trade_no, body, attach, notify_url, callback_url, auto, hide, logo, and check, close and refund have mchid, payjs_order_id
    ");
}

#[test]
fn a_genuine_notification_passes_every_check() {
    let examination = examine(&body(KEY, |_| {}));
    let told: Vec<String> = examination
        .checks
        .iter()
        .map(|check| format!("{} {}: {}", check.name, check.finding.as_str(), check.detail))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    size passed: 280 bytes, at most 65536 are allowed
    form passed: 10 fields
    merchant passed: mchid is the account's
    signature passed: made with the key
    text passed: the signed text can be read in one way only
    content passed: about payjs_jspay_demo_1700000000
    ");
    let said = examination.said.unwrap();
    assert!(matches!(said.words.as_slice(), [Word::Paid(payment)] if payment.total_minor == 1));
    assert_eq!(examination.verdict.unwrap().words, said.words);

    let by_the_old = examine(&body(OLD_KEY, |_| {}));
    assert!(by_the_old.verdict.is_ok());
    assert!(by_the_old.checks.iter().any(|check| check.detail == "made with previous_keys[0]"));
}

#[test]
fn each_thing_that_is_wrong_is_named_and_the_engine_refuses_it() {
    use RefusalReason::{BadSignature, Malformed, UnknownKind, WrongMerchant};
    let by_another = body("another key", |_| {});
    let with_a_break = [body(KEY, |_| {}), b"\n".to_vec()].concat();
    let foreign = body(KEY, |fields| fields.iter_mut().filter(|f| f.0 == "mchid").for_each(|f| f.1 = "9"));
    let failure =
        body(KEY, |fields| fields.iter_mut().filter(|f| f.0 == "return_code").for_each(|f| f.1 = "0"));
    let twofold =
        body(KEY, |fields| fields.iter_mut().filter(|f| f.0 == "attach").for_each(|f| f.1 = "a&total_fee=1"));
    let unpriced = body(KEY, |fields| fields.retain(|field| field.0 != "total_fee"));
    let unsigned = crate::form::encode(notification("a")).into_bytes();
    let cases: [(&[u8], RefusalReason, &str); 8] = [
        (&by_another, BadSignature, "signature: made with none of the account's keys over these fields"),
        (&with_a_break, BadSignature, "signature: verifies without the line break at the body's end"),
        (&foreign, WrongMerchant, "merchant: mchid is not the account's, 123456"),
        (&failure, UnknownKind, "content: return_code is not 1"),
        (&twofold, Malformed, "text: the signed text can be read in two ways"),
        (&unpriced, Malformed, "content: total_fee cannot be read"),
        (&unsigned, Malformed, "signature: sign is missing"),
        (b"a=%", Malformed, "form: the body is no form, or names a field twice"),
    ];
    for (body, reason, told) in cases {
        let examination = examine(body);
        let found = failed(&examination);
        assert!(found.len() == 1 && found[0].starts_with(told), "{told}: {found:?}");
        assert_eq!(examination.verdict.unwrap_err().reason, reason, "{told}");
    }
}

proptest! {
    /// The checks and the engine never say different things.
    #[test]
    fn a_check_fails_exactly_where_the_engine_refuses(at in 0_usize..400, bit in 0_u32..8) {
        let mut body = body(KEY, |_| {});
        if let Some(byte) = body.get_mut(at) {
            *byte ^= 1 << bit;
        }
        let examination = examine(&body);
        prop_assert_eq!(failed(&examination).is_empty(), examination.verdict.is_ok(), "{:?}", examination);
    }
}
