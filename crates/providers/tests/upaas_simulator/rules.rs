//! Each rule of a signature, as the engine makes it and as the simulator does, over random fields: with empty values,
//! unicode, `&`, `=`, `+`, blanks and percent signs.

use std::sync::Arc;

use paymux_domain::ports::{BoxFuture, SignError, Signer};
use paymux_domain::time::ClockFactor;
use paymux_providers::workbench::Workbench;
use paymux_providers::{AccountSection, Accounts};
use paymux_simulators::upaas::{KeyJoining, SignRule, signature};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::rig::KEY;

/// Random fields for each rule.
const INPUTS: u32 = 10_000;

struct NoSigner;

impl Signer for NoSigner {
    fn sign(&self, _: &str, _: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, SignError>> {
        Box::pin(async { Err(SignError::Failed) })
    }
}

/// An account whose notifications are verified by that rule.
fn bench(sign: &str, joining: &str) -> Arc<dyn Workbench> {
    let settings = format!(
        "store_num = \"1000001\"\nkey_file = \"key\"\nkey_joining = \"{joining}\"\nrequest_sign = \"scalars\"\n\
         notification = {{ sign = \"{sign}\" }}"
    );
    let section = AccountSection {
        account: "shop".parse().unwrap(),
        provider: "upaas".parse().unwrap(),
        settings: settings.parse().unwrap(),
    };
    let accounts = Accounts::read(&[section], &|_| Ok(SecretString::from(KEY)), ClockFactor::REAL).unwrap();
    accounts.workbench(&"upaas".parse().unwrap()).unwrap()
}

fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => Just(String::new()),
        4 => "[ -~]{0,24}",
        4 => "[&=+% \\u{4e00}-\\u{4eff}\\u{1f600}-\\u{1f610}a0]{0,16}",
        1 => "[^\\p{C}]{0,12}",
    ]
}

#[test]
fn what_the_simulator_signs_the_engine_verifies() {
    for (rule, word) in
        [(SignRule::Scalars, "scalars"), (SignRule::ScalarsWithoutPrepay, "scalars_without_prepay")]
    {
        for (joining, joined) in [(KeyJoining::Named, "named"), (KeyJoining::Appended, "appended")] {
            let bench = bench(word, joined);
            let given = prop::collection::btree_map("[a-z_]{1,10}", values(), 0..8);
            let prepay = (values(), values());
            let mut runner =
                TestRunner::new(Config { cases: INPUTS, failure_persistence: None, ..Config::default() });
            let agree = runner.run(&(given, prepay), |(mut given, (number, page))| {
                given.insert("pre_pay_no".to_owned(), number);
                given.insert("pre_pay_url".to_owned(), page);
                given.insert("store_num".to_owned(), "1000001".to_owned());
                given.remove("sign");
                let pairs: Vec<(&str, &str)> = given.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                let seal = signature(&pairs, rule, joining, KEY).unwrap();
                let mut body: Map<String, Value> =
                    given.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
                body.insert("sign".to_owned(), seal.into());
                let raw = paymux_domain::ports::RawNotification {
                    merchant_id: "m1".parse().unwrap(),
                    accounts: Vec::new(),
                    headers: Vec::new(),
                    body: Value::Object(body).to_string().into_bytes(),
                };
                let examined =
                    bench.examine(&"shop".parse().unwrap(), &raw, paymux_domain::time::Timestamp::EPOCH);
                let checks = examined.unwrap().checks;
                let signature = checks.iter().find(|check| check.name == "signature").unwrap();
                prop_assert_eq!(signature.detail.as_str(), "made with the key");
                Ok(())
            });
            agree.unwrap();
        }
    }
}

#[test]
fn what_the_engine_signs_is_what_the_simulator_would() {
    let text = || values().prop_map(|text| text.trim().replace('&', "+"));
    for (joining, joined) in [(KeyJoining::Named, "named"), (KeyJoining::Appended, "appended")] {
        let bench = bench("scalars", joined);
        let given = (text(), text(), text(), text(), "[0-9]{0,3}");
        let mut runner =
            TestRunner::new(Config { cases: INPUTS, failure_persistence: None, ..Config::default() });
        let agree = runner.run(&given, |(open_id, staff, device, name, origin)| {
            let fields = [
                ("store_num", "1000001"),
                ("amount", "12.34"),
                ("open_id", &open_id),
                ("staff_num", &staff),
                ("device_sn", &device),
                ("sub_app_name", &name),
                ("pay_resource", &origin),
            ];
            let object: Map<String, Value> =
                fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
            let input = Value::Object(object).to_string();
            let (account, signer) = ("shop".parse().unwrap(), NoSigner);
            let mut signing = bench.sign(&account, input.as_bytes(), &signer);
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let std::task::Poll::Ready(signed) = signing.as_mut().poll(&mut context) else {
                return Err(TestCaseError::fail("an MD5 waits for nobody"));
            };
            let signed = signed.map_err(|fault| TestCaseError::fail(format!("{fault:?}")))?;
            prop_assert_eq!(Some(signed.signature), signature(&fields, SignRule::Scalars, joining, KEY));
            Ok(())
        });
        agree.unwrap();
    }
}
