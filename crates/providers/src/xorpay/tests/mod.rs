//! What XorPay's side of the engine must do, on bytes: requests, answers, notifications, vectors.

mod answers;
mod checks;
mod config;
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
use paymux_domain::launch::{Launch, LaunchParams, WechatJsapi};
use paymux_domain::name::OrderKey;
use paymux_domain::outcome::{CallReport, Operation};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::ports::{BoxFuture, BuildError, Built, Call, Provider, SignError, Signer};
use paymux_domain::refund::RefundRequest;
use paymux_domain::time::{ClockFactor, Timestamp};
use secrecy::SecretString;

use crate::{AccountSection, Accounts, ConfigFault, Registry, SecretRef};

/// The secret, number and order of the worked examples (`providers.md` section 2.3).
const SECRET: &str = "test_app_secret";
const OLD_SECRET: &str = "the secret before";
const NUMBER: &str = "ORD20240101000001";
const AOID: &str = "8b1a9953c4611296a827abf8c47804d7";
/// 2024-01-01 00:00:00 in Beijing.
const NOW: Timestamp = Timestamp::from_millis(1_704_038_400_000);

const SHOP: &str = r#"
    aid = "15627"
    app_secret_env = "SECRET"
    previous_app_secrets = [{ app_secret_file = "old" }]
"#;

fn secrets(reference: &SecretRef) -> Result<SecretString, String> {
    Ok(SecretString::from(match reference {
        SecretRef::Env(name) if name == "SECRET" => SECRET,
        SecretRef::Env(name) if name == "LONG" => return Ok(SecretString::from("k".repeat(257))),
        SecretRef::File(path) => match path.to_str() {
            Some("old") => "the secret before\r\n",
            Some("other") => "another secret",
            Some("empty") => "\n",
            Some("lines") => "one\ntwo",
            _ => return Err("no such file".to_owned()),
        },
        SecretRef::Env(_) => return Err("is not set".to_owned()),
    }))
}

fn read(sections: &[(&str, &str)]) -> Result<Accounts, Vec<ConfigFault>> {
    let section = |(account, toml): &(&str, &str)| AccountSection {
        account: account.parse().unwrap(),
        provider: "xorpay".parse().unwrap(),
        settings: toml.parse().unwrap(),
    };
    let sections: Vec<AccountSection> = sections.iter().map(section).collect();
    Accounts::read(&sections, &secrets, ClockFactor::REAL)
}

/// The provider with the account `shop`.
struct Kit(Arc<dyn Provider>);

fn kit() -> Kit {
    kit_of(&[("shop", SHOP)])
}

fn kit_of(sections: &[(&str, &str)]) -> Kit {
    Kit(Registry::new(read(sections).unwrap()).provider(&"xorpay".parse().unwrap()).unwrap())
}

impl Kit {
    fn try_build(&self, call: &Call) -> Result<HttpRequest, BuildError> {
        match now(self.0.build(call, &NoSigner))? {
            Built::Request(request) => Ok(request),
            Built::Local(report) => panic!("nothing is sent: {report:?}"),
        }
    }

    fn build(&self, call: &Call) -> HttpRequest {
        self.try_build(call).unwrap()
    }

    fn parse(&self, call: &Call, response: &HttpResponse) -> CallReport {
        now(self.0.parse(call, response, &NoSigner))
    }
}

/// XorPay needs no signer.
struct NoSigner;

impl Signer for NoSigner {
    fn sign(&self, _: &str, _: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, SignError>> {
        panic!("an MD5 is made where it is needed")
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

/// The order of the worked example, with our number as it becomes XorPay's.
fn created() -> Created {
    Created {
        key: OrderKey { merchant_id: "m1".parse().unwrap(), order_no: NUMBER.parse().unwrap() },
        request_id: "r1".parse().unwrap(),
        provider: "xorpay".parse().unwrap(),
        account: "shop".parse().unwrap(),
        shard_group: "m1".parse().unwrap(),
        method: "jsapi".to_owned(),
        out_trade_no: NUMBER.parse().unwrap(),
        amount: Amount::new(5000, Currency::Cny).unwrap(),
        description: "XorPay 账户充值".to_owned(),
        attach: Some("order:42".to_owned()),
        payer: Payer { open_id: Some("oXor_test_openid".to_owned()), ..Payer::default() },
        expire_time: Timestamp::from_millis(1_704_038_400_000 + 900_000),
        created_time: NOW,
        notify_url: "https://pay.example.com/notify/xorpay".to_owned(),
        return_url: None,
        metadata: BTreeMap::new(),
        options_json: String::new(),
        fingerprint: Fingerprint::default(),
    }
}

fn call(operation: Operation, created: Created, facts: Vec<Fact>) -> Call {
    let order = Arc::new(Order::from_facts(facts));
    Call { operation, refund: None, created: Arc::new(created), order, now: NOW, nonce: [1, 2] }
}

/// A first call on the order of the worked example: its launch parameters are known but to the create.
fn asked(operation: Operation) -> Call {
    match operation {
        Operation::Create => attempts(1),
        Operation::Refund => refund_call(1230),
        other => call(other, created(), vec![launched()]),
    }
}

/// The create after that many attempts of which nothing was heard.
fn attempts(count: u32) -> Call {
    let attempt = |number| fact(FactKey::Attempt(number), FactBody::Attempt);
    call(Operation::Create, created(), (1..=count).map(attempt).collect())
}

fn refund_call(fen: i64) -> Call {
    let no: paymux_domain::name::RefundNo = "R1".parse().unwrap();
    let request = Arc::new(RefundRequest {
        trade_no: AOID.parse().unwrap(),
        out_refund_no: "0123456789abcdef".parse().unwrap(),
        amount: Amount::new(fen, Currency::Cny).unwrap(),
        reason: String::new(),
        automatic: false,
        options_json: String::new(),
        fingerprint: Fingerprint::default(),
    });
    let facts = vec![
        launched(),
        told(AOID),
        fact(FactKey::RefundRequested(no.clone()), FactBody::RefundRequested(request.clone())),
        fact(FactKey::RefundCall(no.clone(), 1), FactBody::RefundCall),
    ];
    Call { refund: Some((no, request)), ..call(Operation::Refund, created(), facts) }
}

fn fact(key: FactKey, body: FactBody) -> Fact {
    Fact { key, body, time: NOW, cause: Cause::Timer }
}

/// The launch parameters of [`ok`].
fn launch() -> Launch {
    let text = str::to_owned;
    Launch {
        params: LaunchParams::WechatJsapi(WechatJsapi {
            app_id: text("wxeeeeeeeeeeeeeeee"),
            time_stamp: text("1704038400"),
            nonce_str: text("5K8264ILTKCH16CQ2502SI8ZNMTM67VS"),
            package: text("prepay_id=wx20240101000000"),
            sign_type: text("MD5"),
            pay_sign: text("C380BEC2BFD727A4B6845133519F3AD6"),
        }),
        expire_time: Some(Timestamp::from_millis(1_704_038_400_000 + 900_000)),
        provider_order_no: Some(AOID.to_owned()),
    }
}

fn launched() -> Fact {
    fact(FactKey::Launch(1), FactBody::Launch(launch()))
}

/// A payment as a notification states it: at 00:05:00 in Beijing.
fn payment(aoid: &str) -> Payment {
    Payment {
        trade_no: aoid.parse().unwrap(),
        total_minor: 5000,
        payer_total_minor: None,
        currency: Some(Currency::Cny),
        success_time: Some(Timestamp::from_millis(1_704_038_700_000)),
        fee_minor: None,
        bank_type: None,
        channel_trade_no: None,
        evidence: Evidence::Stated,
    }
}

/// A payment as a query names it.
fn assumed(aoid: &str) -> Payment {
    Payment { success_time: None, evidence: Evidence::Assumed, ..payment(aoid) }
}

/// A notification told of a payment.
fn told(aoid: &str) -> Fact {
    let key = FactKey::Paid(aoid.parse().unwrap());
    Fact { cause: Cause::Notification("n1".to_owned()), ..fact(key, FactBody::Paid(payment(aoid))) }
}

/// The signature by the rule's words, written once more.
fn sign(values: &[&str], secret: &str) -> String {
    let digest = Md5::digest(format!("{}{secret}", values.concat()));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn answer(status: u16, body: &str) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

fn said(status: &str) -> HttpResponse {
    answer(200, &serde_json::json!({ "status": status }).to_string())
}

/// A good create's answer, as in the published samples.
fn ok() -> serde_json::Value {
    serde_json::json!({
        "status": "ok",
        "aoid": AOID,
        "expire_in": 900,
        "info": {
            "appId": "wxeeeeeeeeeeeeeeee",
            "timeStamp": "1704038400",
            "nonceStr": "5K8264ILTKCH16CQ2502SI8ZNMTM67VS",
            "package": "prepay_id=wx20240101000000",
            "signType": "MD5",
            "paySign": "C380BEC2BFD727A4B6845133519F3AD6",
        },
    })
}
