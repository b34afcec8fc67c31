//! What WeChat Pay's side of the engine must do, on bytes: requests, answers, notifications, published vectors.

mod answers;
mod certificates;
mod checks;
mod config;
mod notifications;
mod properties;
mod refunds;
mod requests;
mod resolving;
mod table;
mod vectors;
mod workbench;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::{Created, Fingerprint, Payer};
use paymux_domain::fact::{AttemptOutcome, Cause, Fact, FactBody, FactKey};
use paymux_domain::fold::Order;
use paymux_domain::http::{HttpRequest, HttpResponse};
use paymux_domain::name::{OrderKey, RefundNo};
use paymux_domain::outcome::{CallReport, Class, Operation};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::ports::{BoxFuture, Built, Call, Provider, SignError, Signer};
use paymux_domain::refund::RefundRequest;
use paymux_domain::time::{ClockFactor, Timestamp};
use secrecy::SecretString;

use crate::upkeep::Upkeep;
use crate::{
    AccountSection, Accounts, ConfigFault, Registry, SecretRef, signing::SigningKey, signing::SigningKeys,
};

pub(super) const TEST_KEY: &str = include_str!("../fixtures/test_rsa_2048.pem");
pub(super) const TEST_KEY_PUBLIC: &str = include_str!("../fixtures/test_rsa_2048_pub.pem");
pub(super) const STRANGER_KEY: &str = include_str!("../fixtures/wechatpay_go_key.pem");
const APIV3_KEY: &str = "0123456789abcdef0123456789abcdef";

/// The key id under which the test key signs as WeChat Pay's.
const PLATFORM: &str = "PUB_KEY_ID_0119000001092024010100000000000001";
/// 2024-01-01 00:00:00 +08:00, the time of the fixtures.
const NOW: Timestamp = Timestamp::from_millis(1_704_038_400_000);

const DIRECT: &str = r#"
    kind = "direct"
    mchid = "1900000109"
    app_ids = ["wx8888888888888888", "wx9999999999999999"]
    serial_no = "5F1C72E2A8931B72A2E13AF8DEE92471EB397115"
    private_key_file = "key"
    apiv3_key_env = "APIV3"
    platform_keys = [{ id = "PUB_KEY_ID_0119000001092024010100000000000001", public_key_file = "public" }]
"#;

const PARTNER: &str = r#"
    kind = "partner"
    sp_mchid = "1230000109"
    sub_mchid = "1900000109"
    app_ids = ["wx8888888888888888"]
    sub_app_ids = ["wxd678efh567hg6999"]
    serial_no = "5F1C72E2A8931B72A2E13AF8DEE92471EB397115"
    private_key_file = "pkcs1"
    apiv3_key_env = "APIV3"
    platform_certificates = [{ certificate_file = "certificate" }]
    platform_keys = [{ id = "PUB_KEY_ID_0119000001092024010100000000000001", public_key_file = "public" }]
"#;

/// What references in the tests' sections name.
fn secrets(reference: &SecretRef) -> Result<SecretString, String> {
    let text = match reference {
        SecretRef::Env(name) if name == "APIV3" => APIV3_KEY,
        SecretRef::Env(name) if name == "OLD_APIV3" => "old-apiv3-key-of-thirty-two-byte",
        SecretRef::File(path) => match path.to_str() {
            Some("key") => TEST_KEY,
            Some("pkcs1") => include_str!("../fixtures/test_rsa_2048_pkcs1.pem"),
            Some("short") => include_str!("../fixtures/rsa_1024.pem"),
            Some("public") => TEST_KEY_PUBLIC,
            Some("certificate") => include_str!("../fixtures/wechatpay_java_cert.pem"),
            _ => return Err("no such file".to_owned()),
        },
        SecretRef::Env(_) => return Err("is not set".to_owned()),
    };
    Ok(SecretString::from(text))
}

fn section(account: &str, toml: &str) -> AccountSection {
    AccountSection {
        account: account.parse().unwrap(),
        provider: "wechatpay".parse().unwrap(),
        settings: toml.parse().unwrap(),
    }
}

fn read(sections: &[(&str, &str)], factor: u32) -> Result<Accounts, Vec<ConfigFault>> {
    let sections: Vec<AccountSection> = sections.iter().map(|(name, toml)| section(name, toml)).collect();
    Accounts::read(&sections, &secrets, ClockFactor::new(factor).unwrap())
}

/// Provider and signer with the accounts `direct` and `partner`.
struct Kit {
    provider: Arc<dyn Provider>,
    upkeep: Arc<dyn Upkeep>,
    signer: TestSigner,
}

fn kit() -> Kit {
    kit_of(&[("direct", DIRECT), ("partner", PARTNER)], 1)
}

fn kit_of(sections: &[(&str, &str)], factor: u32) -> Kit {
    let accounts = read(sections, factor).unwrap();
    let signer = TestSigner::Keys(accounts.signing_keys());
    let upkeep = Arc::clone(&accounts.upkeeps()[0]);
    let provider = Registry::new(accounts).provider(&"wechatpay".parse().unwrap()).unwrap();
    Kit { provider, upkeep, signer }
}

impl Kit {
    fn build(&self, call: &Call) -> HttpRequest {
        match now(self.provider.build(call, &self.signer)).unwrap() {
            Built::Request(request) => request,
            Built::Local(report) => panic!("nothing is sent: {report:?}"),
        }
    }

    fn parse(&self, call: &Call, response: &HttpResponse) -> CallReport {
        now(self.provider.parse(call, response, &self.signer))
    }
}

/// Signs where it stands.
enum TestSigner {
    Keys(SigningKeys),
    Fails(SignError),
}

impl Signer for TestSigner {
    fn sign(&self, key: &str, message: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, SignError>> {
        let signature = match self {
            Self::Keys(keys) => keys
                .get(key)
                .ok_or_else(|| SignError::UnknownKey(key.to_owned()))
                .and_then(|key| key.sign(&message)),
            Self::Fails(error) => Err(error.clone()),
        };
        Box::pin(async move { signature })
    }
}

/// Runs a future that never waits.
fn now<T>(mut future: BoxFuture<'_, T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the test signer does not wait"),
    }
}

fn created(method: &str) -> Created {
    let account = if method == "jsapi" { "direct" } else { "partner" };
    let key = OrderKey { merchant_id: "m1".parse().unwrap(), order_no: "20240101000001".parse().unwrap() };
    Created {
        key,
        request_id: "r1".parse().unwrap(),
        provider: "wechatpay".parse().unwrap(),
        account: account.parse().unwrap(),
        shard_group: "m1".parse().unwrap(),
        method: method.to_owned(),
        out_trade_no: "WX20240101000001".parse().unwrap(),
        amount: Amount::new(1234, Currency::Cny).unwrap(),
        description: "门店付款".to_owned(),
        attach: None,
        payer: Payer {
            open_id: Some("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned()),
            app_id: None,
            client_ip: Some("14.23.150.211".to_owned()),
        },
        expire_time: Timestamp::from_millis(1_704_040_200_999),
        created_time: NOW,
        notify_url: "https://pay.example.com/notify/wechatpay/m1".to_owned(),
        return_url: None,
        metadata: BTreeMap::new(),
        options_json: if method == "scannedpos" {
            r#"{"store_info":{"out_id":"0001"}}"#.to_owned()
        } else {
            String::new()
        },
        fingerprint: Fingerprint::default(),
    }
}

/// A call in the middle of the first attempt.
fn call(operation: Operation, created: Created) -> Call {
    call_after(operation, created, vec![attempt(1)])
}

fn call_after(operation: Operation, created: Created, facts: Vec<Fact>) -> Call {
    let order = Arc::new(Order::from_facts(facts));
    Call {
        refund: None,
        operation,
        created: Arc::new(created),
        order,
        now: NOW,
        nonce: [0x593B_EC0C_930B_F1AF, 0xEB40_B4A0_8C8F_B242],
    }
}

/// What is to go back of the payment of [`transaction`].
fn refund_request() -> RefundRequest {
    RefundRequest {
        trade_no: "4200000000202401010000000001".parse().unwrap(),
        out_refund_no: "0123456789abcdef0123456789abcdef".parse().unwrap(),
        amount: Amount::new(500, Currency::Cny).unwrap(),
        reason: "商品已售完".to_owned(),
        options_json: String::new(),
        automatic: false,
        fingerprint: Fingerprint::default(),
    }
}

/// A call about that refund, after so many refund calls, this one included.
fn refund_call(operation: Operation, created: Created, calls: u32) -> Call {
    let no: RefundNo = "r1".parse().unwrap();
    let request = Arc::new(refund_request());
    let mut facts = vec![
        paid("4200000000202401010000000001"),
        fact(FactKey::RefundRequested(no.clone()), FactBody::RefundRequested(Arc::clone(&request))),
    ];
    facts.extend(
        (1..=calls).map(|number| fact(FactKey::RefundCall(no.clone(), number), FactBody::RefundCall)),
    );
    Call { refund: Some((no, request)), ..call_after(operation, created, facts) }
}

fn fact(key: FactKey, body: FactBody) -> Fact {
    Fact { key, body, time: NOW, cause: Cause::Timer }
}

fn attempt(number: u32) -> Fact {
    fact(FactKey::Attempt(number), FactBody::Attempt)
}

fn outcome(number: u32, class: Class) -> Fact {
    let outcome = AttemptOutcome { class, code: String::new(), message: String::new() };
    fact(FactKey::AttemptOutcome(number), FactBody::AttemptOutcome(outcome))
}

fn paid(trade_no: &str) -> Fact {
    let trade_no: paymux_domain::name::ProviderTradeNo = trade_no.parse().unwrap();
    let payment = Payment {
        trade_no: trade_no.clone(),
        total_minor: 1234,
        payer_total_minor: None,
        currency: Some(Currency::Cny),
        success_time: None,
        fee_minor: None,
        bank_type: None,
        channel_trade_no: None,
        evidence: Evidence::Stated,
    };
    fact(FactKey::Paid(trade_no), FactBody::Paid(payment))
}

/// Base64 of a signature by that key.
fn signature_by(pem: &str, message: &[u8]) -> String {
    let key = SigningKey::from_pem(&SecretString::from(pem)).unwrap();
    STANDARD.encode(key.sign(message).unwrap())
}

/// The four headers over a body, as WeChat Pay sends them.
fn headers_by(pem: &str, time: Timestamp, body: &[u8]) -> Vec<(String, String)> {
    let (time, nonce) = (time.as_secs().to_string(), "c5ac7061fccab6bf3e254dcf98995b8c");
    let message = [time.as_bytes(), b"\n", nonce.as_bytes(), b"\n", body, b"\n"].concat();
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        header("wechatpay-timestamp", &time),
        header("wechatpay-nonce", nonce),
        header("wechatpay-serial", PLATFORM),
        header("wechatpay-signature", &signature_by(pem, &message)),
    ]
}

/// An answer that WeChat Pay has signed.
fn signed(status: u16, body: &str) -> HttpResponse {
    HttpResponse {
        status,
        headers: headers_by(TEST_KEY, NOW, body.as_bytes()),
        body: body.as_bytes().to_vec(),
    }
}

/// An answer without a signature.
fn unsigned(status: u16, body: &str) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

/// A query's answer for the order of [`created`], by account.
fn transaction(account: &str, state: &str) -> serde_json::Value {
    let mut value = serde_json::json!({
        "out_trade_no": "WX20240101000001",
        "transaction_id": "4200000000202401010000000001",
        "trade_type": "JSAPI",
        "trade_state": state,
        "trade_state_desc": "…",
        "bank_type": "OTHERS",
        "success_time": "2024-01-01T00:01:00+08:00",
        "amount": {"total": 1234, "payer_total": 1200, "currency": "CNY", "payer_currency": "CNY"},
        "promotion_detail": [],
    });
    let own = if account == "direct" {
        serde_json::json!({"mchid": "1900000109", "appid": "wx8888888888888888"})
    } else {
        serde_json::json!({"sp_mchid": "1230000109", "sub_mchid": "1900000109", "sp_appid": "wx8888888888888888"})
    };
    value.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    value
}
