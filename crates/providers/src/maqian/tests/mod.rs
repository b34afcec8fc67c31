//! What 码钱's side of the engine must do, on bytes: launches, requests, answers, notifications, vectors.

mod answers;
mod checks;
mod config;
mod launches;
mod notifications;
mod properties;
mod requests;
mod table;
mod vectors;
mod workbench;

use std::collections::BTreeMap;
use std::sync::Arc;

use md5::{Digest as _, Md5};
use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::{Created, Fingerprint, Payer};
use paymux_domain::fact::{Cause, Fact, FactBody, FactKey};
use paymux_domain::fold::Order;
use paymux_domain::http::{HttpRequest, HttpResponse};
use paymux_domain::launch::{AlipayMiniProgram, LaunchParams};
use paymux_domain::name::{OrderKey, ProviderTradeNo};
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::ports::{
    BoxFuture, BuildError, Built, Call, NotificationRefusal, Provider, RawNotification, SignError, Signer,
    VerifiedNotification,
};
use paymux_domain::refund::RefundRequest;
use paymux_domain::time::{ClockFactor, Timestamp};
use secrecy::SecretString;

use crate::signing::SigningKeys;
use crate::{AccountSection, Accounts, ConfigFault, Registry, SecretRef};

const TEST_KEY: &str = include_str!("../../wechatpay/fixtures/test_rsa_2048.pem");
const TEST_KEY_PUBLIC: &str = include_str!("../../wechatpay/fixtures/test_rsa_2048_pub.pem");
const STRANGER_KEY: &str = include_str!("../../wechatpay/fixtures/wechatpay_go_key.pem");
/// The access key of the worked examples (`providers.md` section 5.5).
const ACCESS_KEY: &str = "test_accesskey";
const OLD_ACCESS_KEY: &str = "the access key before";
const MERCH_NO: &str = "833651658120003";
const NUMBER: &str = "MQ202401010001";
const TRADE_NO: &str = "ALI240101000000000000001";
const REFUND_NO: &str = "0123456789abcdef0123456789abcdef";
/// 2024-01-01 00:00:00 +08:00.
const NOW: Timestamp = Timestamp::from_millis(1_704_038_400_000);

/// With the server API, whose key proves notifications too.
const SHOP: &str = r#"
    merch_no = "833651658120003"
    pn = "XN000003"
    app_id = "MQ100013"
    app_name = "多点"
    private_key_file = "key"
    agent_no = "FW0000000"
    access_id = "test_accessid"
    access_key_env = "ACCESS_KEY"
    previous_access_keys = [{ access_key_file = "old" }]
    notify_proof = "md5"
"#;
/// Without the server API; 码钱's public key proves its notifications.
const BARE: &str = r#"
    merch_no = "833304458120002"
    pn = "XN000005"
    app_id = "MQ11111"
    app_name = "多点"
    private_key_file = "key"
    notify_proof = "rsa"
    notify_public_keys = [{ public_key_file = "public" }]
    return_scheme = "myshop://pay/"
    launch_revision = "v2"
"#;
/// With the server API, and nothing that proves a notification.
const HINTED: &str = r#"
    merch_no = "833000000000001"
    pn = "XN000009"
    app_id = "MQ100013"
    app_name = "多点"
    private_key_file = "key"
    agent_no = "FW0000001"
    access_id = "test_accessid"
    access_key_env = "ACCESS_KEY"
    repeat_refunds = "same_number"
    refund_query_base_url = "https://v1.example.com"
    absent_codes = ["20001"]
"#;

fn secrets(reference: &SecretRef) -> Result<SecretString, String> {
    Ok(SecretString::from(match reference {
        SecretRef::Env(name) if name == "ACCESS_KEY" => ACCESS_KEY,
        SecretRef::File(path) => match path.to_str() {
            Some("key") => TEST_KEY,
            Some("public") => TEST_KEY_PUBLIC,
            Some("short") => include_str!("../../wechatpay/fixtures/rsa_1024.pem"),
            Some("old") => "the access key before\r\n",
            Some("empty") => "\n",
            _ => return Err("no such file".to_owned()),
        },
        SecretRef::Env(_) => return Err("is not set".to_owned()),
    }))
}

fn read(sections: &[(&str, &str)]) -> Result<Accounts, Vec<ConfigFault>> {
    let section = |(account, toml): &(&str, &str)| AccountSection {
        account: account.parse().unwrap(),
        provider: "maqian".parse().unwrap(),
        settings: toml.parse().unwrap(),
    };
    let sections: Vec<AccountSection> = sections.iter().map(section).collect();
    Accounts::read(&sections, &secrets, ClockFactor::REAL)
}

/// The provider with the accounts `shop`, `bare` and `hinted`.
struct Kit {
    provider: Arc<dyn Provider>,
    signer: Keys,
}

fn kit() -> Kit {
    kit_of(&[("shop", SHOP), ("bare", BARE), ("hinted", HINTED)])
}

fn kit_of(sections: &[(&str, &str)]) -> Kit {
    let accounts = read(sections).unwrap();
    let signer = Keys(accounts.signing_keys());
    Kit { provider: Registry::new(accounts).provider(&"maqian".parse().unwrap()).unwrap(), signer }
}

impl Kit {
    fn try_build(&self, call: &Call) -> Result<Built, BuildError> {
        now(self.provider.build(call, &self.signer))
    }

    fn build(&self, call: &Call) -> HttpRequest {
        match self.try_build(call).unwrap() {
            Built::Request(request) => request,
            Built::Local(report) => panic!("nothing is sent: {report:?}"),
        }
    }

    /// What the payer's device is given.
    fn launch(&self, created: &Created) -> AlipayMiniProgram {
        let built = self.try_build(&call(Operation::Create, created.clone(), vec![])).unwrap();
        let Built::Local(report) = built else { panic!("a create is no call") };
        assert_eq!(report.class, Class::Done);
        let [Word::Launched(launch)] = report.words.as_slice() else { panic!("not launched: {report:?}") };
        assert_eq!(launch.expire_time, None);
        let LaunchParams::AlipayMiniProgram(mini) = &launch.params else { panic!("{launch:?}") };
        mini.clone()
    }

    fn parse(&self, call: &Call, response: &HttpResponse) -> CallReport {
        now(self.provider.parse(call, response, &self.signer))
    }

    fn verify(&self, body: &[u8]) -> Result<VerifiedNotification, NotificationRefusal> {
        self.provider.verify(&raw(body), NOW)
    }
}

fn raw(body: &[u8]) -> RawNotification {
    RawNotification {
        merchant_id: "m1".parse().unwrap(),
        accounts: Vec::new(),
        headers: Vec::new(),
        body: body.to_vec(),
    }
}

/// Signs where it stands.
struct Keys(SigningKeys);

impl Signer for Keys {
    fn sign(&self, key: &str, message: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, SignError>> {
        let key = self.0.get(key).ok_or_else(|| SignError::UnknownKey(key.to_owned()));
        let signature = key.and_then(|key| key.sign(&message));
        Box::pin(async move { signature })
    }
}

/// Runs a future that never waits.
fn now<T>(mut future: BoxFuture<'_, T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("nothing here waits"),
    }
}

fn created() -> Created {
    Created {
        key: OrderKey { merchant_id: "m1".parse().unwrap(), order_no: "202401010001".parse().unwrap() },
        request_id: "r1".parse().unwrap(),
        provider: "maqian".parse().unwrap(),
        account: "shop".parse().unwrap(),
        shard_group: "m1".parse().unwrap(),
        method: "mini_program".to_owned(),
        out_trade_no: NUMBER.parse().unwrap(),
        amount: Amount::new(5, Currency::Cny).unwrap(),
        description: "矿泉水".to_owned(),
        attach: None,
        payer: Payer::default(),
        expire_time: Timestamp::from_millis(1_704_040_200_000),
        created_time: NOW,
        notify_url: "https://pay.example.com/notify/maqian/m1".to_owned(),
        return_url: None,
        metadata: BTreeMap::new(),
        options_json: String::new(),
        fingerprint: Fingerprint::default(),
    }
}

fn at(account: &str, created: Created) -> Created {
    Created { account: account.parse().unwrap(), ..created }
}

fn call(operation: Operation, created: Created, facts: Vec<Fact>) -> Call {
    let order = Arc::new(Order::from_facts(facts));
    Call { operation, refund: None, created: Arc::new(created), order, now: NOW, nonce: [1, 2] }
}

/// A call about an order of that account of which no payment is known; refunds and their queries about a paid one.
fn asked_at(account: &str, ask: Ask) -> Call {
    let order = at(account, created());
    match ask {
        Ask::Query => call(Operation::Query, order, vec![]),
        Ask::Close => call(Operation::Close, order, vec![]),
        Ask::Refund => refunding(Operation::Refund, order),
        Ask::RefundQuery => refunding(Operation::Query, order),
    }
}

/// The kinds of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Query,
    Close,
    Refund,
    RefundQuery,
}

fn refunding(operation: Operation, order: Created) -> Call {
    let request = RefundRequest {
        trade_no: TRADE_NO.parse().unwrap(),
        out_refund_no: REFUND_NO.parse().unwrap(),
        amount: Amount::new(3, Currency::Cny).unwrap(),
        reason: String::new(),
        automatic: false,
        options_json: String::new(),
        fingerprint: Fingerprint::default(),
    };
    Call { refund: Some(("R1".parse().unwrap(), Arc::new(request))), ..call(operation, order, vec![paid()]) }
}

fn fact(key: FactKey, body: FactBody) -> Fact {
    Fact { key, body, time: NOW, cause: Cause::Timer }
}

/// The payment of the worked examples.
fn payment() -> Payment {
    Payment {
        trade_no: TRADE_NO.parse().unwrap(),
        total_minor: 5,
        payer_total_minor: Some(5),
        currency: Some(Currency::Cny),
        // 2024-01-01 00:05:00 in Beijing.
        success_time: Some(Timestamp::from_millis(1_704_038_700_000)),
        fee_minor: None,
        bank_type: None,
        channel_trade_no: None,
        evidence: Evidence::Stated,
    }
}

fn paid() -> Fact {
    let number: ProviderTradeNo = TRADE_NO.parse().unwrap();
    fact(FactKey::Paid(number), FactBody::Paid(payment()))
}

type Fields<'a> = BTreeMap<&'a str, &'a str>;

fn with<'a>(fields: &Fields<'a>, more: &[(&'a str, &'a str)]) -> Fields<'a> {
    let mut fields = fields.clone();
    fields.extend(more.iter().copied());
    fields
}

/// The text of both rules over flat fields by their words, written once more.
fn text(fields: &Fields<'_>) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        if *name != "sign" && !value.is_empty() {
            let and = if text.is_empty() { "" } else { "&" };
            text.push_str(&format!("{and}{name}={value}"));
        }
    }
    text
}

fn sealed(fields: &Fields<'_>, key: &str) -> String {
    let digest = Md5::digest(format!("{}{key}", text(fields)));
    digest.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn signed_json(fields: &Fields<'_>, sign: &str) -> Vec<u8> {
    serde_json::to_vec(&with(fields, &[("sign", sign)])).unwrap()
}

/// An answer with HTTP status 200, signed by that key.
fn signed_by(key: &str, fields: &Fields<'_>) -> HttpResponse {
    HttpResponse { status: 200, headers: Vec::new(), body: signed_json(fields, &sealed(fields, key)) }
}

fn signed(fields: &Fields<'_>) -> HttpResponse {
    signed_by(ACCESS_KEY, fields)
}

fn answer(status: u16, body: &str) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

/// A query's answer about the order of [`created`], paid.
fn paid_answer() -> Fields<'static> {
    BTreeMap::from([
        ("return_code", "10000"),
        ("return_msg", "SUCCESS"),
        ("result_code", "10000"),
        ("agent_no", "FW0000000"),
        ("merch_no", MERCH_NO),
        ("out_trade_no", NUMBER),
        ("trade_no", TRADE_NO),
        ("trade_status", "1"),
        ("order_amount", "0.05"),
        ("total_amount", "0.05"),
        ("end_time", "2024-01-01 00:05:00"),
    ])
}

/// The notification of the worked examples (`providers.md` section 5.5).
fn notification() -> Fields<'static> {
    BTreeMap::from([
        ("agent_no", "FW0000000"),
        ("bank_trade_no", "2024010122001400000000000001"),
        ("end_time", "2024-01-01 00:05:00"),
        ("merch_no", MERCH_NO),
        ("order_amount", "0.05"),
        ("out_trade_no", NUMBER),
        ("pay_mode", "JSAPI"),
        ("pay_type", "ALI"),
        ("pn", "XN000003"),
        ("total_amount", "0.05"),
        ("trade_no", TRADE_NO),
        ("trade_status", "1"),
    ])
}

/// The same for the account `bare`, as the first version of the format has it, signed by that private key.
fn rsa_notification(pem: &str, change: &[(&'static str, &'static str)]) -> Vec<u8> {
    let fields = BTreeMap::from([
        ("merch_no", "833304458120002"),
        ("out_trade_no", NUMBER),
        ("trade_no", TRADE_NO),
        ("total_amount", "0.05"),
        ("fee", "0.01"),
        ("trade_status", "1"),
        ("trade_end_time", "2024-01-01 00:05:00"),
        ("remark", "桌号 7"),
    ]);
    let fields = with(&fields, change);
    let key = crate::signing::SigningKey::from_pem(&SecretString::from(pem)).unwrap();
    let signature = super::sign::base64(&key.sign(text(&fields).as_bytes()).unwrap());
    signed_json(&fields, &signature)
}
