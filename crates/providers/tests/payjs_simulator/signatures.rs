//! The one rule of signatures, as the engine makes it and as the simulator does, over random fields: with empty values,
//! unicode, `&`, `=`, `+`, blanks and percent signs.

use std::sync::Arc;

use paymux_domain::ports::{BoxFuture, RawNotification, SignError, Signer};
use paymux_domain::time::{ClockFactor, Timestamp};
use paymux_providers::workbench::{SignedText, Workbench};
use paymux_providers::{AccountSection, Accounts};
use paymux_simulators::payjs::{ZeroValues, signature};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::rig::KEY;

/// Random fields for each kind of message.
const INPUTS: u32 = 10_000;
const MCHID: &str = "1600000109";

struct NoSigner;

impl Signer for NoSigner {
    fn sign(&self, _: &str, _: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, SignError>> {
        Box::pin(async { Err(SignError::Failed) })
    }
}

fn bench() -> Arc<dyn Workbench> {
    let section = AccountSection {
        account: "shop".parse().unwrap(),
        provider: "payjs".parse().unwrap(),
        settings: format!("mchid = \"{MCHID}\"\nkey_file = \"key\"").parse().unwrap(),
    };
    let accounts = Accounts::read(&[section], &|_| Ok(SecretString::from(KEY)), ClockFactor::REAL).unwrap();
    accounts.workbench(&"payjs".parse().unwrap()).unwrap()
}

fn runner() -> TestRunner {
    TestRunner::new(Config { cases: INPUTS, failure_persistence: None, ..Config::default() })
}

fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => Just(String::new()),
        1 => Just("0".to_owned()),
        4 => "[ -~]{0,24}",
        4 => "[&=+% \\u{4e00}-\\u{4eff}\\u{1f600}-\\u{1f610}a0]{0,16}",
        1 => "[^\\p{C}]{0,12}",
    ]
}

/// What the engine sends: no blanks at the ends, and no `0`, which readers take for different things.
fn sent() -> impl Strategy<Value = String> {
    values().prop_map(|text| text.trim().to_owned()).prop_filter("0 is never sent", |text| text != "0")
}

fn signed(bench: &dyn Workbench, fields: &[(&str, &str)]) -> Result<SignedText, TestCaseError> {
    let object: Map<String, Value> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    let (account, input) = ("shop".parse().unwrap(), Value::Object(object).to_string());
    let mut signing = bench.sign(&account, input.as_bytes(), &NoSigner);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(signed) = signing.as_mut().poll(&mut context) else {
        return Err(TestCaseError::fail("an MD5 waits for nobody"));
    };
    signed.map_err(|fault| TestCaseError::fail(format!("{fault:?}")))
}

#[test]
fn launches_are_signed_as_the_simulator_would() {
    let bench = bench();
    let given = (1..=i64::MAX, "[!-%'-~]{2,32}", [(); 5].map(|()| sent()), any::<(bool, bool)>());
    let agree = runner().run(&given, |(fen, number, texts, (auto, hide))| {
        let fen = (fen % 10_i64.pow(16)).max(1).to_string();
        let [body, attach, notify_url, callback_url, logo] = texts;
        let mut fields = vec![
            ("mchid", MCHID),
            ("total_fee", &fen),
            ("out_trade_no", &number),
            ("body", &body),
            ("attach", &attach),
            ("notify_url", &notify_url),
            ("callback_url", &callback_url),
            ("logo", &logo),
        ];
        fields.extend(
            [("auto", auto), ("hide", hide)].into_iter().filter(|(_, is_set)| *is_set).map(|(n, _)| (n, "1")),
        );
        let made = signed(&*bench, &fields)?;
        for zeros in [ZeroValues::Kept, ZeroValues::Dropped] {
            prop_assert_eq!(&made.signature, &signature(&fields, zeros, KEY), "{}", made.canonical);
        }
        Ok(())
    });
    agree.unwrap();
}

#[test]
fn calls_are_signed_as_the_simulator_would() {
    let bench = bench();
    let agree = runner().run(&("[!-%'-~]{2,32}", any::<bool>()), |(id, with_mchid)| {
        let mut fields = vec![("payjs_order_id", id.as_str())];
        fields.extend(with_mchid.then_some(("mchid", MCHID)));
        let made = signed(&*bench, &fields)?;
        prop_assert_eq!(made.signature, signature(&fields, ZeroValues::Kept, KEY));
        Ok(())
    });
    agree.unwrap();
}

/// Answers have the same rule.
#[test]
fn what_the_simulator_signs_the_engine_verifies() {
    let bench = bench();
    let given = (prop::collection::btree_map("[a-z_]{1,10}", values(), 0..10), any::<bool>());
    let agree = runner().run(&given, |(mut given, are_kept)| {
        given.remove("sign");
        given.insert("mchid".to_owned(), MCHID.to_owned());
        let mut fields: Vec<(&str, &str)> =
            given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let has_zeros = fields.iter().any(|(_, value)| *value == "0");
        let zeros = if are_kept { ZeroValues::Kept } else { ZeroValues::Dropped };
        let seal = signature(&fields, zeros, KEY);
        fields.push(("sign", &seal));
        let form = reqwest::Url::parse_with_params("http://h/", &fields).unwrap();
        let raw = RawNotification {
            merchant_id: "m1".parse().unwrap(),
            accounts: Vec::new(),
            headers: Vec::new(),
            body: form.query().unwrap_or_default().as_bytes().to_vec(),
        };
        let examined = bench.examine(&"shop".parse().unwrap(), &raw, Timestamp::EPOCH).unwrap();
        let found = examined.checks.into_iter().find(|check| check.name == "signature");
        let expected =
            if are_kept || !has_zeros { "made with the key" } else { "made with the key, values 0 left out" };
        prop_assert_eq!(found.unwrap().detail, expected);
        Ok(())
    });
    agree.unwrap();
}
