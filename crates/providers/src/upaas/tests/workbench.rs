//! What integrators are shown: signatures equal to those of others, and each thing that is wrong with a notification.

use std::sync::Arc;

use paymux_domain::outcome::Word;
use paymux_domain::ports::RefusalReason;
use proptest::prelude::*;
use serde_json::json;

use super::notifications::{fields, raw};
use super::{BARE, FULL, KEY, NOW, NUMBER, NoSigner, OLD_KEY, now, read, sealed, with};
use crate::workbench::{Examination, Finding, SignFault, SignedText, Workbench};

fn bench(section: &str) -> Arc<dyn Workbench> {
    read(&[("shop", section)]).unwrap().workbench(&"upaas".parse().unwrap()).unwrap()
}

fn signed(section: &str, input: &str) -> Result<SignedText, SignFault> {
    now(bench(section).sign(&"shop".parse().unwrap(), input.as_bytes(), &NoSigner))
}

fn examine(body: &[u8]) -> Examination {
    bench(FULL).examine(&"shop".parse().unwrap(), &raw(body), NOW).unwrap()
}

fn failed(examination: &Examination) -> Vec<String> {
    let failed = examination.checks.iter().filter(|check| check.finding == Finding::Failed);
    failed.map(|check| format!("{}: {}", check.name, check.detail)).collect()
}

#[test]
fn fields_are_signed_as_in_the_worked_example() {
    let create = json!({
        "amount": "0.01", "merchant_order_no": NUMBER, "mode_code": "weixin", "open_id": "oTestOpenId0001",
        "store_num": "1000001", "wx_appid": "wx7b54f0a5769316b9", "staff_num": "",
    });
    let text = signed(FULL, &create.to_string()).unwrap();
    assert_eq!(text.signature, "23dc0c4744627a49d13fcdb15d46ffa0");
    assert_eq!(
        text.canonical,
        "amount=0.01&merchant_order_no=1596004809&mode_code=weixin&open_id=oTestOpenId0001&\
         store_num=1000001&wx_appid=wx7b54f0a5769316b9&key=<key>"
    );
    assert_eq!(text.authorization, None);
    let appended = signed(&format!("{FULL}\nkey_joining = \"appended\""), &create.to_string()).unwrap();
    assert!(appended.canonical.ends_with("wx7b54f0a5769316b9<key>"), "{}", appended.canonical);
    let query = json!({ "store_num": "1000001", "order_number": "3200", "merchant_order_no": NUMBER });
    assert!(signed(FULL, &query.to_string()).is_ok());
}

#[test]
fn every_fault_of_the_fields_is_named_at_once() {
    let input =
        r#"{"store_num":"9","amount":"1","open_id":" o","staff_num":"a&amount=1","sign":"A","fee":1}"#;
    let told = |section: &str| {
        let Err(SignFault::Input(faults)) = signed(section, input) else { panic!("no fault") };
        let told = faults.iter().map(|fault| format!("{}: {}", fault.field, fault.reason));
        told.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(told(BARE), @r"
    store_num: must be 1000001, the account's
    amount: must be yuan with two decimals, as text
    open_id: must not begin or end with a blank
    staff_num: must not hold & with a field of UPaaS and =, such as &amount=
    sign: is what is made of the others: leave it out
    (account): has no key
    fee: unknown field; the account's requests have amount, device_sn, merchant_order_no, mode_code, open_id, order_number, pay_resource, staff_num, store_num, sub_app_name, sub_appid, wx_appid
    ");
}

#[test]
fn a_genuine_notification_passes_every_check() {
    let examination = examine(sealed(&fields(), KEY).to_string().as_bytes());
    let told: Vec<String> = examination
        .checks
        .iter()
        .map(|check| format!("{} {}: {}", check.name, check.finding.as_str(), check.detail))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    size passed: 222 bytes, at most 65536 are allowed
    settings passed: the account names the form of notifications
    form passed: 7 fields
    store passed: store_num is the account's
    signature passed: made with the key
    text passed: the signed text can be read in one way only
    content passed: about 1596004809
    ");
    let said = examination.said.unwrap();
    assert!(matches!(said.words.as_slice(), [Word::Paid(payment)] if payment.total_minor == 1));
    assert_eq!(examination.verdict.unwrap().words, said.words);

    let by_the_old = examine(sealed(&fields(), OLD_KEY).to_string().as_bytes());
    assert!(by_the_old.verdict.is_ok());
    assert!(by_the_old.checks.iter().any(|check| check.detail == "made with previous_keys[0]"));
}

#[test]
fn each_thing_that_is_wrong_is_named_and_the_engine_refuses_it() {
    use RefusalReason::{BadSignature, Malformed, WrongMerchant};
    let body = |change: serde_json::Value, key: &str| sealed(&with(&fields(), change), key).to_string();
    let cases = [
        (body(json!({}), "another key"), BadSignature, "signature: made with none of the account's keys"),
        (
            body(json!({ "store_num": "9" }), KEY),
            WrongMerchant,
            "store: store_num is not the account's, 1000001",
        ),
        (body(json!({ "r": "a&amount=1" }), KEY), Malformed, "text: the signed text can be read in two ways"),
        (body(json!({ "amount": null }), KEY), Malformed, "content: amount cannot be read"),
        (fields().to_string(), Malformed, "signature: sign is missing"),
        ("a=1".to_owned(), Malformed, "form: the body has not the account's form"),
    ];
    for (body, reason, told) in cases {
        let examination = examine(body.as_bytes());
        let found = failed(&examination);
        assert!(found.len() == 1 && found[0].starts_with(told), "{told}: {found:?}");
        assert_eq!(examination.verdict.unwrap_err().reason, reason, "{told}");
    }
    let unnamed = bench(BARE).examine(&"shop".parse().unwrap(), &raw("{}"), NOW).unwrap();
    assert_eq!(failed(&unnamed), ["settings: the account does not name the form of notifications"]);
    assert_eq!(unnamed.verdict.unwrap_err().reason, RefusalReason::UnknownKind);
}

#[test]
fn a_line_break_at_the_end_of_a_form_is_named() {
    let form = FULL.replace("notification = { ", "notification = { format = \"form\", ");
    let signature = super::sign(fields().as_object().unwrap(), KEY);
    let fields = fields();
    let pairs =
        fields.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
    // The signature first, so that the break falls into a signed value.
    let body = crate::form::encode([("sign", signature.as_str())].into_iter().chain(pairs)) + "\n";
    let examination = bench(&form).examine(&"shop".parse().unwrap(), &raw(body), NOW).unwrap();
    assert!(
        failed(&examination).iter().any(|told| told.contains("line break at the body's end")),
        "{examination:?}"
    );
}

proptest! {
    /// The checks and the engine never say different things.
    #[test]
    fn a_check_fails_exactly_where_the_engine_refuses(at in 0_usize..300, bit in 0_u32..8) {
        let mut body = sealed(&fields(), KEY).to_string().into_bytes();
        if let Some(byte) = body.get_mut(at) {
            *byte ^= 1 << bit;
        }
        let examination = examine(&body);
        prop_assert_eq!(failed(&examination).is_empty(), examination.verdict.is_ok(), "{:?}", examination);
    }
}
