//! Each rule of a signature, and the seal, as the engine makes it and as the simulator does, over random inputs: with empty
//! values, unicode, `&`, `=`, `+`, blanks and percent signs.

use std::sync::Arc;

use paymux_domain::ports::{BoxFuture, RawNotification, SignError, Signer};
use paymux_domain::time::{ClockFactor, Timestamp};
use paymux_providers::signing::SigningKey;
use paymux_providers::workbench::{Finding, SignedText, Workbench};
use paymux_providers::{AccountSection, Accounts, SecretRef};
use paymux_simulators::keys::SecretPem;
use paymux_simulators::wechatpay::sign::{Claim, PlatformKey, launch_text, seal};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::rig::{APIV3_KEY, KEY, KEY_PUBLIC};

/// Inputs of each rule.
const INPUTS: usize = 10_000;
/// Threads that share the inputs of a rule.
const THREADS: usize = 2;
const APP_ID: &str = "wx8888888888888888";
const PLATFORM_SERIAL: &str = "0102030405060708090A0B0C0D0E0F1011121314";
const NOW_S: i64 = 1_704_038_461;

/// Signs at once, where it is asked.
struct Direct(SigningKey);

impl Signer for Direct {
    fn sign(&self, _: &str, text: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, SignError>> {
        let signature = self.0.sign(&text).map_err(|_| SignError::Failed);
        Box::pin(async move { signature })
    }
}

/// Signs with nothing: only the text is looked at.
struct Blank;

impl Signer for Blank {
    fn sign(&self, _: &str, _: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, SignError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// An account whose own key is the platform's, too.
fn bench() -> Arc<dyn Workbench> {
    let settings = format!(
        "kind = \"direct\"\nmchid = \"1900000109\"\napp_ids = [\"{APP_ID}\"]\nserial_no = \"5F1C72E2\"\n\
         private_key_file = \"private\"\napiv3_key_env = \"APIV3\"\n\
         platform_keys = [{{ id = \"{PLATFORM_SERIAL}\", public_key_file = \"public\" }}]"
    );
    let section = AccountSection {
        account: "shop".parse().unwrap(),
        provider: "wechatpay".parse().unwrap(),
        settings: settings.parse().unwrap(),
    };
    let secrets = |reference: &SecretRef| {
        Ok(SecretString::from(match reference {
            SecretRef::Env(_) => APIV3_KEY,
            SecretRef::File(path) if path.ends_with("public") => KEY_PUBLIC,
            SecretRef::File(_) => KEY,
        }))
    };
    let accounts = Accounts::read(&[section], &secrets, ClockFactor::REAL).unwrap();
    accounts.workbench(&"wechatpay".parse().unwrap()).unwrap()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => Just(String::new()),
        4 => "[ -~]{0,40}",
        4 => "[&=+% \"\\\\\\n\\u{4e00}-\\u{4eff}\\u{1f600}-\\u{1f610}a0]{0,24}",
        1 => "\\PC{0,12}",
    ]
}

/// Does it with as many inputs, on threads that draw from seeds of their own: an RSA signature costs a third of a
/// millisecond.
fn over_inputs<S: Strategy>(strategy: impl Fn() -> S + Sync, check: impl Fn(S::Value) + Sync) {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (strategy, check) = (&strategy, &check);
            scope.spawn(move || {
                let seed = RngSeed::Fixed(u64::try_from(thread).unwrap());
                let mut runner = TestRunner::new(Config { rng_seed: seed, ..Config::default() });
                let strategy = strategy();
                for _ in 0..INPUTS / THREADS {
                    check(strategy.new_tree(&mut runner).unwrap().current());
                }
            });
        }
    });
}

fn signed(bench: &dyn Workbench, signer: &dyn Signer, fields: &Value) -> SignedText {
    let (account, json) = ("shop".parse().unwrap(), fields.to_string());
    let mut signing = bench.sign(&account, json.as_bytes(), signer);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match signing.as_mut().poll(&mut context) {
        std::task::Poll::Ready(signed) => signed.unwrap(),
        std::task::Poll::Pending => panic!("the signer waits for nobody"),
    }
}

#[test]
fn the_simulator_has_the_same_text_of_a_request_and_the_signature_fits_it() {
    let bench = bench();
    let signer = Direct(SigningKey::from_pem(&SecretString::from(KEY)).unwrap());
    let strategy = || (any::<bool>(), "/[!\"$-~]{0,60}", 0..=4_102_444_800_i64, "[0-9A-Za-z]{1,32}", text());
    over_inputs(strategy, |(is_get, path, timestamp, nonce, body)| {
        let (method, body) = if is_get { ("GET", String::new()) } else { ("POST", body) };
        let fields = json!({
            "method": method, "path": path, "timestamp": timestamp.to_string(), "nonce": nonce, "body": body,
        });
        let signed = signed(&*bench, &signer, &fields);
        let claim = Claim::of(&signed.authorization.unwrap(), method, &path, body.as_bytes()).unwrap();
        assert_eq!(signed.canonical.as_bytes(), claim.text);
        assert!(claim.is_made_by(KEY_PUBLIC), "{}", signed.canonical);
    });
}

#[test]
fn the_simulator_has_the_same_text_of_a_launch() {
    let bench = bench();
    let strategy = || (0..=4_102_444_800_i64, "[0-9A-Za-z]{1,32}", "[!-~]{1,60}");
    over_inputs(strategy, |(timestamp, nonce, id)| {
        let (timestamp, package) = (timestamp.to_string(), format!("prepay_id={id}"));
        let fields =
            json!({ "appId": APP_ID, "timeStamp": timestamp, "nonceStr": nonce, "package": package });
        let signed = signed(&*bench, &Blank, &fields);
        assert_eq!(signed.canonical, launch_text(APP_ID, &timestamp, &nonce, &package));
    });
}

#[test]
fn what_the_simulator_signs_and_seals_verifies_and_opens() {
    let bench = bench();
    let account = "shop".parse().unwrap();
    let key = PlatformKey::new(&SecretPem::new(KEY.to_owned())).unwrap();
    let strategy = || (("[0-9A-Za-z]{12}", text(), text()), text(), "[0-9A-Za-z]{1,32}", -300..=300_i64);
    over_inputs(strategy, |((iv, data, plain), summary, nonce, ago_s)| {
        let body = json!({
            "id": "EV-1", "event_type": "TRANSACTION.SUCCESS", "summary": summary,
            "resource": seal(APIV3_KEY.as_bytes(), &iv, &data, plain.as_bytes()).unwrap(),
        });
        let (body, timestamp) = (body.to_string().into_bytes(), NOW_S - ago_s);
        let signature = key.sign(timestamp, &nonce, &body).unwrap();
        let headers = [
            ("wechatpay-serial", PLATFORM_SERIAL.to_owned()),
            ("wechatpay-timestamp", timestamp.to_string()),
            ("wechatpay-nonce", nonce),
            ("wechatpay-signature", signature),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let raw = RawNotification { merchant_id: "m1".parse().unwrap(), accounts: Vec::new(), headers, body };
        let examined = bench.examine(&account, &raw, Timestamp::from_millis(NOW_S * 1000)).unwrap();
        for name in ["headers", "timestamp", "key", "signature", "decryption"] {
            let check = examined.checks.iter().find(|check| check.name == name);
            assert_eq!(check.map(|check| check.finding), Some(Finding::Passed), "{check:?}");
        }
    });
}
