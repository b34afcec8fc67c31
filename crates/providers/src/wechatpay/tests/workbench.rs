//! What integrators are shown: signatures equal to those of others, and each thing that is wrong with a notification.

use std::sync::Arc;

use paymux_domain::outcome::Word;
use paymux_domain::ports::{RawNotification, RefusalReason};
use paymux_domain::time::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::notifications::{computed, notification};
use super::vectors::oracle;
use super::{DIRECT, PARTNER, STRANGER_KEY, TEST_KEY, TestSigner, headers_by, now, read, transaction};
use crate::workbench::{Examination, Finding, SignFault, SignedText, Workbench};

/// The time of the computed notification.
const SENT: Timestamp = Timestamp::from_millis(1_704_038_461_000);

/// The workbench of the accounts `direct` and `partner`.
struct Bench {
    workbench: Arc<dyn Workbench>,
    signer: TestSigner,
}

fn bench() -> Bench {
    let accounts = read(&[("direct", DIRECT), ("partner", PARTNER)], 1).unwrap();
    let signer = TestSigner::Keys(accounts.signing_keys());
    Bench { workbench: accounts.workbench(&"wechatpay".parse().unwrap()).unwrap(), signer }
}

impl Bench {
    fn sign(&self, account: &str, input: &str) -> Result<SignedText, SignFault> {
        now(self.workbench.sign(&account.parse().unwrap(), input.as_bytes(), &self.signer))
    }

    fn faults(&self, input: &str) -> String {
        match self.sign("partner", input) {
            Err(SignFault::Input(faults)) => {
                let lines = faults.iter().map(|fault| format!("{}: {}", fault.field, fault.reason));
                lines.collect::<Vec<_>>().join("\n")
            }
            other => panic!("no fault of the input: {other:?}"),
        }
    }

    fn examine(&self, raw: &RawNotification, at: Timestamp) -> Examination {
        self.workbench.examine(&"partner".parse().unwrap(), raw, at).unwrap()
    }
}

/// The checks that failed, with what they say.
fn failed(examination: &Examination) -> Vec<String> {
    let failed = examination.checks.iter().filter(|check| check.finding == Finding::Failed);
    failed.map(|check| format!("{}: {}", check.name, check.detail)).collect()
}

#[test]
fn requests_and_launches_are_signed_as_computed_elsewhere() {
    let bench = bench();
    let body = include_str!("../fixtures/create_scannedpos.json");
    let create = json!({
        "method": "POST",
        "path": "/v3/pay/partner/transactions/scannedpos",
        "timestamp": 1_704_038_400,
        "nonce": "593BEC0C930BF1AFEB40B4A08C8FB242",
        "body": body,
    });
    let signed = bench.sign("partner", &create.to_string()).unwrap();
    assert_eq!(signed.signature, include_str!("../fixtures/create.sig"));
    let lines =
        "POST\n/v3/pay/partner/transactions/scannedpos\n1704038400\n593BEC0C930BF1AFEB40B4A08C8FB242\n";
    assert_eq!(signed.canonical, format!("{lines}{body}\n"));
    let header = format!(
        "WECHATPAY2-SHA256-RSA2048 mchid=\"1230000109\",nonce_str=\"593BEC0C930BF1AFEB40B4A08C8FB242\",\
         timestamp=\"1704038400\",serial_no=\"5F1C72E2A8931B72A2E13AF8DEE92471EB397115\",signature=\"{}\"",
        signed.signature
    );
    assert_eq!(signed.authorization, Some(header));

    let query = json!({
        "method": "GET",
        "path": "/v3/pay/partner/transactions/out-trade-no/WX20240101000001?sp_mchid=1230000109&sub_mchid=1900000109",
        "timestamp": "1704038460",
        "nonce": "EB40B4A08C8FB242593BEC0C930BF1AF",
    });
    let signed = bench.sign("partner", &query.to_string()).unwrap();
    assert_eq!(signed.signature, include_str!("../fixtures/query.sig"));

    let launch = json!({
        "appId": "wx8888888888888888",
        "timeStamp": "1704038401",
        "nonceStr": "5K8264ILTKCH16CQ2502SI8ZNMTM67VS",
        "package": "prepay_id=wx201410272009395522657a690389285100",
    });
    let signed = bench.sign("partner", &launch.to_string()).unwrap();
    assert_eq!(signed.signature, include_str!("../fixtures/launch.sig"));
    assert_eq!(signed.authorization, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_body_is_signed_as_the_other_library_signs_it(body in ".{0,200}", time_s in 0_i64..4_000_000_000) {
        let input = json!({
            "method": "POST", "path": "/v3/x?y=%20", "timestamp": time_s, "nonce": "n1", "body": body,
        });
        let signed = bench().sign("direct", &input.to_string()).unwrap();
        let text = format!("POST\n/v3/x?y=%20\n{time_s}\nn1\n{body}\n");
        prop_assert_eq!(&signed.canonical, &text);
        prop_assert_eq!(signed.signature, oracle(TEST_KEY, text.as_bytes()));
    }
}

#[test]
fn every_fault_of_the_fields_is_named_at_once() {
    let bench = bench();
    let request =
        r#"{"method":"PUT","path":"https://h/v3","timestamp":"01","nonce":"a b","extra":1,"package":"x"}"#;
    insta::assert_snapshot!(bench.faults(request), @r"
    method: must be GET or POST
    path: must be path and query exactly as sent: from / on, percent-encoded, without host and fragment
    timestamp: must be whole seconds since 1970
    nonce: must be 1 to 32 letters and digits
    extra: unknown field; a request has method, path, timestamp, nonce, body, and a launch appId, timeStamp, nonceStr, package
    package: unknown field; a request has method, path, timestamp, nonce, body, and a launch appId, timeStamp, nonceStr, package
    ");
    let launch = r#"{"appId":"wx1","timeStamp":-1,"package":"wx2014","signType":"RSA"}"#;
    insta::assert_snapshot!(bench.faults(launch), @r"
    appId: must be an app of the account (app_ids, sub_app_ids)
    timeStamp: must be a text or a whole number
    nonceStr: is missing; must be 1 to 32 letters and digits
    package: must be prepay_id= and the id that the create gave
    signType: unknown field; a request has method, path, timestamp, nonce, body, and a launch appId, timeStamp, nonceStr, package
    ");
    let post = r#"{"method":"POST","path":"/v3","timestamp":1,"nonce":"n"}"#;
    assert_eq!(bench.faults(post), "body: is missing; must be the body exactly as sent");
    let get = r#"{"method":"GET","path":"/v3","timestamp":1,"nonce":"n","body":"{}"}"#;
    assert_eq!(bench.faults(get), "body: must be empty or absent: a GET has none");
    let unknown = bench.sign("nobody", "{}").unwrap_err();
    assert_eq!(unknown, SignFault::UnknownAccount("nobody".parse().unwrap()));
}

#[test]
fn a_genuine_notification_passes_every_check() {
    let examination = bench().examine(&computed(), SENT);
    let told: Vec<String> = examination
        .checks
        .iter()
        .map(|check| format!("{} {}: {}", check.name, check.finding.as_str(), check.detail))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    size passed: 885 bytes, at most 65536 are allowed
    headers passed: all four are there
    timestamp passed: signed 0 s after it was received, 300 s are allowed
    key passed: the account has key PUB_KEY_ID_0119000001092024010100000000000001
    signature passed: the key has signed time, nonce and body
    body passed: notification EV-2018022511223320873 of kind TRANSACTION.SUCCESS
    decryption passed: opened by the APIv3 key
    content passed: of the account, about WX20240101000001
    ");
    let verdict = examination.verdict.unwrap();
    let said = examination.said.unwrap();
    assert_eq!((said.out_trade_no.as_str(), &said.words), ("WX20240101000001", &verdict.words));
    assert!(matches!(said.words.as_slice(), [Word::Paid(payment)] if payment.total_minor == 1234));
}

fn set_header(raw: &mut RawNotification, name: &str, value: &str) {
    raw.headers.retain(|(known, _)| known != name);
    raw.headers.push((name.to_owned(), value.to_owned()));
}

/// The computed notification with a change: the checks that fail, and why the engine refuses it.
fn found(change: impl FnOnce(&mut RawNotification)) -> (String, RefusalReason) {
    let mut raw = computed();
    change(&mut raw);
    let examination = bench().examine(&raw, SENT);
    assert!(examination.said.is_some(), "what it says is told all the same");
    (failed(&examination).join("\n"), examination.verdict.unwrap_err().reason)
}

#[test]
fn each_header_that_is_wrong_is_named_and_the_engine_refuses_it() {
    use RefusalReason::{BadSignature, Malformed, Probe, UnknownKey};
    let by_another =
        "signature: made with key PUB_KEY_ID_0119000001092024010100000000000001, not with the named one";
    let no_key = "key: no key PUB_KEY_ID_2 in the account, which has 5F1C72E2A8931B72A2E13AF8DEE92471EB397115, \
                  PUB_KEY_ID_0119000001092024010100000000000001; bring it as platform_keys = [{ id, public_key_file }]";
    let cases = [
        ("timestamp", "yesterday", Malformed, "headers: wechatpay-timestamp cannot be read".to_owned()),
        (
            "signature",
            "WECHATPAY/SIGNTEST/x",
            Probe,
            "headers: a probe: WeChat Pay signs wrong on purpose (WECHATPAY/SIGNTEST/), and it must be refused"
                .to_owned(),
        ),
        ("nonce", "another", BadSignature, NOT_SIGNED.to_owned()),
        ("serial", "5F1C72E2A8931B72A2E13AF8DEE92471EB397115", BadSignature, by_another.to_owned()),
        ("serial", "PUB_KEY_ID_2", UnknownKey, format!("{no_key}\n{by_another}")),
    ];
    for (name, value, reason, told) in cases {
        let found = found(|raw| set_header(raw, &format!("wechatpay-{name}"), value));
        assert_eq!(found, (told, reason), "{name}");
    }
}

const NOT_SIGNED: &str =
    "signature: does not verify: time, nonce or body are not what was signed, byte for byte";

#[test]
fn missing_headers_a_changed_body_and_a_strangers_signature_are_named_too() {
    let lacking = |raw: &mut RawNotification| {
        raw.headers.retain(|(name, _)| !name.contains("nonce") && !name.contains("serial"))
    };
    let told = "headers: missing: wechatpay-serial, wechatpay-nonce".to_owned();
    assert_eq!(found(lacking), (told, RefusalReason::Malformed));
    let told = "signature: verifies without the line break at the body's end: take the body byte for byte";
    assert_eq!(found(|raw| raw.body.push(b'\n')), (told.to_owned(), RefusalReason::BadSignature));
    let by_a_stranger = found(|raw| raw.headers = headers_by(STRANGER_KEY, SENT, &raw.body));
    assert_eq!(by_a_stranger, (NOT_SIGNED.to_owned(), RefusalReason::BadSignature));
}

#[test]
fn age_seal_and_content_are_checked_too() {
    let told = |raw: &RawNotification, at: Timestamp| {
        let examination = bench().examine(raw, at);
        (failed(&examination).join("\n"), examination.verdict.unwrap_err().reason)
    };
    let later = Timestamp::from_millis(1_704_038_461_000 + 400_000);
    let stale = "timestamp: signed 400 s before it was received, 300 s are allowed";
    assert_eq!(told(&computed(), later), (stale.to_owned(), RefusalReason::Stale));

    let plain = transaction("partner", "SUCCESS");
    let unknown = notification(&plain, |body| body["event_type"] = json!("COUPON.USE"));
    let reason = "body: an event_type that is not handled";
    assert_eq!(told(&unknown, SENT), (reason.to_owned(), RefusalReason::UnknownKind));

    let resealed = notification(&plain, |body| body["resource"]["associated_data"] = json!("other"));
    let (text, reason) = told(&resealed, SENT);
    assert!(text.starts_with("decryption: the APIv3 key does not open it"), "{text}");
    assert_eq!(reason, RefusalReason::WrongMerchant);

    let mut nameless = plain.clone();
    nameless["out_trade_no"] = json!("no number");
    let nameless = notification(&nameless, |_| {});
    let reason = "content: out_trade_no cannot be read";
    assert_eq!(told(&nameless, SENT), (reason.to_owned(), RefusalReason::Malformed));

    let mut foreign = plain;
    foreign["sub_mchid"] = json!("1900000999");
    let foreign = notification(&foreign, |_| {});
    let reason = "content: sub_mchid is not the account's";
    assert_eq!(told(&foreign, SENT), (reason.to_owned(), RefusalReason::WrongMerchant));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// The checks and the engine never say different things.
    #[test]
    fn a_check_fails_exactly_where_the_engine_refuses(at in 0_usize..2_000, bit in 0_u32..8, late_s in -400_i64..400) {
        let accounts = read(&[("partner", PARTNER)], 1).unwrap();
        let workbench = accounts.workbench(&"wechatpay".parse().unwrap()).unwrap();
        let mut raw = computed();
        if let Some(byte) = raw.body.get_mut(at) {
            *byte ^= 1 << bit;
        }
        let received = Timestamp::from_millis(1_704_038_461_000 + late_s * 1000);
        let examination = workbench.examine(&"partner".parse().unwrap(), &raw, received).unwrap();
        prop_assert_eq!(failed(&examination).is_empty(), examination.verdict.is_ok(), "{:?}", examination);
    }
}
