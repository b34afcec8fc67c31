//! What integrators are shown: signatures equal to those of others, and each thing that is wrong with a notification.

use std::sync::Arc;

use paymux_domain::outcome::Word;
use paymux_domain::ports::RefusalReason;
use proptest::prelude::*;
use serde_json::json;

use super::notifications::{fields, form, raw, with};
use super::{NOW, NoSigner, OLD_SECRET, SECRET, SHOP, now, read};
use crate::workbench::{Examination, Finding, SignFault, SignedText, Workbench};

fn bench() -> Arc<dyn Workbench> {
    read(&[("shop", SHOP)]).unwrap().workbench(&"xorpay".parse().unwrap()).unwrap()
}

fn signed(input: &str) -> Result<SignedText, SignFault> {
    now(bench().sign(&"shop".parse().unwrap(), input.as_bytes(), &NoSigner))
}

fn examine(body: &[u8]) -> Examination {
    bench().examine(&"shop".parse().unwrap(), &raw(body), NOW).unwrap()
}

fn failed(examination: &Examination) -> Vec<String> {
    let failed = examination.checks.iter().filter(|check| check.finding == Finding::Failed);
    failed.map(|check| format!("{}: {}", check.name, check.detail)).collect()
}

#[test]
fn values_are_signed_as_in_the_worked_examples() {
    let create = json!({
        "name": "XorPay 账户充值", "pay_type": "jsapi", "price": "50.00", "order_id": "ORD20240101000001",
        "notify_url": "https://pay.example.com/notify/xorpay",
    });
    let text = signed(&create.to_string()).unwrap();
    assert_eq!(text.signature, "faf52fecc5e2d3b2bc9192464ef3f1ef");
    let canonical = "XorPay 账户充值jsapi50.00ORD20240101000001https://pay.example.com/notify/xorpay<key>";
    assert_eq!((text.canonical.as_str(), text.authorization), (canonical, None));
    let query = signed(r#"{"order_id":"ORD20240101000001"}"#).unwrap();
    assert_eq!(query.signature, "76199a87a9c96f64c2b3f9d728eb240e");
    let refund = signed(r#"{"price":"50.00"}"#).unwrap();
    assert_eq!(
        (refund.signature.as_str(), refund.canonical.as_str()),
        ("a54cb8a977b47960de8876800f562025", "50.00<key>")
    );
}

#[test]
fn every_fault_of_the_fields_is_named_at_once() {
    let input = r#"{"name":" tea","pay_type":"native","price":"50.0","order_id":"","sign":"a","fee":1}"#;
    let Err(SignFault::Input(faults)) = signed(input) else { panic!("no fault") };
    let told: Vec<String> = faults.iter().map(|fault| format!("{}: {}", fault.field, fault.reason)).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    name: must be a text without blanks at its ends
    pay_type: must be jsapi
    price: must be yuan with two decimals, such as 50.00
    order_id: must be a text without blanks at its ends
    notify_url: is missing; must be a text without blanks at its ends
    sign: is what is made of the others: leave it out
    fee: unknown field; a create has name, pay_type, price, order_id, notify_url, a query order_id, and a refund price
    ");
}

#[test]
fn a_genuine_notification_passes_every_check() {
    let examination = examine(form(&fields(), SECRET).as_bytes());
    let told: Vec<String> = examination
        .checks
        .iter()
        .map(|check| format!("{} {}: {}", check.name, check.finding.as_str(), check.detail))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    size passed: 288 bytes, at most 65536 are allowed
    form passed: 7 fields
    signature passed: made with the app secret
    text passed: can be cut in one way only: about ORD20240101000001
    ");
    let said = examination.said.unwrap();
    assert!(matches!(said.words.as_slice(), [Word::Paid(payment)] if payment.total_minor == 5000));
    assert_eq!(examination.verdict.unwrap().words, said.words);

    let by_the_old = examine(form(&fields(), OLD_SECRET).as_bytes());
    assert!(by_the_old.verdict.is_ok());
    assert!(by_the_old.checks.iter().any(|check| check.detail == "made with previous_app_secrets[0]"));
}

#[test]
fn each_thing_that_is_wrong_is_named_and_the_engine_refuses_it() {
    use RefusalReason::{BadSignature, Malformed};
    let good = form(&fields(), SECRET);
    let cases: [(String, RefusalReason, &str); 6] = [
        (
            form(&fields(), "another"),
            BadSignature,
            "signature: made with none of the account's secrets over aoid",
        ),
        (format!("{good}\n"), BadSignature, "signature: verifies without the line break at the body's end"),
        (
            form(&with(&[("pay_price", "50.0")]), SECRET),
            Malformed,
            "text: pay_price is missing or not in its one form",
        ),
        (
            form(&with(&[("order_id", "T1")]), SECRET),
            Malformed,
            "text: order_id is missing or not in its one form",
        ),
        (good.replace("&sign=", "&signature="), Malformed, "signature: sign is missing"),
        ("a=%".to_owned(), Malformed, "form: the body is no form, or names a field twice"),
    ];
    for (body, reason, told) in cases {
        let examination = examine(body.as_bytes());
        let found = failed(&examination);
        assert!(found.len() == 1 && found[0].starts_with(told), "{told}: {found:?}");
        assert_eq!(examination.verdict.unwrap_err().reason, reason, "{told}");
    }
}

proptest! {
    /// The checks and the engine never say different things.
    #[test]
    fn a_check_fails_exactly_where_the_engine_refuses(at in 0_usize..400, bit in 0_u32..8) {
        let mut body = form(&fields(), SECRET).into_bytes();
        if let Some(byte) = body.get_mut(at) {
            *byte ^= 1 << bit;
        }
        let examination = examine(&body);
        prop_assert_eq!(failed(&examination).is_empty(), examination.verdict.is_ok(), "{:?}", examination);
    }
}
