//! What PayJS's side of the engine must do, on bytes: the cashier's URL, requests, answers, notifications, vectors.

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
use paymux_domain::fact::{AttemptOutcome, Cause, Fact, FactBody, FactKey};
use paymux_domain::fold::Order;
use paymux_domain::http::{HttpRequest, HttpResponse};
use paymux_domain::launch::LaunchParams;
use paymux_domain::name::{OrderKey, ProviderTradeNo};
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::ports::{BoxFuture, BuildError, Built, Call, Provider, SignError, Signer};
use paymux_domain::refund::RefundRequest;
use paymux_domain::time::{ClockFactor, Timestamp};
use secrecy::SecretString;

use crate::{AccountSection, Accounts, ConfigFault, Registry, SecretRef};

/// The key, number and order of the worked examples (`providers.md` section 1.4).
const KEY: &str = "xxxxxx";
const OLD_KEY: &str = "the key before";
const MCHID: &str = "123456";
const NUMBER: &str = "payjs_jspay_demo_1700000000";
const ID: &str = "2019101503054900456615858";
/// 2023-11-14 22:13:20 UTC.
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

const SHOP: &str = r#"
    mchid = "123456"
    key_env = "KEY"
    previous_keys = [{ key_file = "old" }]
"#;

fn secrets(reference: &SecretRef) -> Result<SecretString, String> {
    Ok(SecretString::from(match reference {
        SecretRef::Env(name) if name == "KEY" => KEY,
        SecretRef::Env(name) if name == "LONG" => return Ok(SecretString::from("k".repeat(257))),
        SecretRef::File(path) => match path.to_str() {
            Some("old") => "the key before\r\n",
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
        provider: "payjs".parse().unwrap(),
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
    Kit(Registry::new(read(sections).unwrap()).provider(&"payjs".parse().unwrap()).unwrap())
}

impl Kit {
    fn try_build(&self, call: &Call) -> Result<Built, BuildError> {
        now(self.0.build(call, &NoSigner))
    }

    fn build(&self, call: &Call) -> HttpRequest {
        match self.try_build(call).unwrap() {
            Built::Request(request) => request,
            Built::Local(report) => panic!("nothing is sent: {report:?}"),
        }
    }

    /// The URL to which the payer's browser is sent.
    fn url(&self, created: &Created) -> String {
        let built = self.try_build(&call(Operation::Create, created.clone(), vec![])).unwrap();
        let Built::Local(report) = built else { panic!("a create is no call") };
        assert_eq!(report.class, Class::Done);
        let [Word::Launched(launch)] = report.words.as_slice() else { panic!("not launched: {report:?}") };
        let LaunchParams::RedirectUrl(url) = &launch.params else { panic!("other parameters: {launch:?}") };
        assert_eq!(launch.expire_time, None);
        url.clone()
    }

    fn parse(&self, call: &Call, response: &HttpResponse) -> CallReport {
        now(self.0.parse(call, response, &NoSigner))
    }
}

/// PayJS needs no signer.
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

/// The order of the worked example.
fn created() -> Created {
    Created {
        key: OrderKey { merchant_id: "m1".parse().unwrap(), order_no: NUMBER.parse().unwrap() },
        request_id: "r1".parse().unwrap(),
        provider: "payjs".parse().unwrap(),
        account: "shop".parse().unwrap(),
        shard_group: "m1".parse().unwrap(),
        method: "cashier".to_owned(),
        out_trade_no: NUMBER.parse().unwrap(),
        amount: Amount::new(1, Currency::Cny).unwrap(),
        description: "我是一个测试订单标题".to_owned(),
        attach: None,
        payer: Payer::default(),
        expire_time: Timestamp::from_millis(1_700_001_800_000),
        created_time: NOW,
        notify_url: "https://pay.example.com/notify/payjs".to_owned(),
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

/// A call about the paid order of the worked example.
fn asked(operation: Operation) -> Call {
    match operation {
        Operation::Refund => refund_call(1, 1, &[]),
        other => call(other, created(), vec![paid(ID)]),
    }
}

/// The `calls`-th call of a refund of that many fen; the calls before it ended in those classes, or are still open.
fn refund_call(fen: i64, calls: u32, ended: &[Class]) -> Call {
    let no: paymux_domain::name::RefundNo = "R1".parse().unwrap();
    let request = Arc::new(RefundRequest {
        trade_no: ID.parse().unwrap(),
        out_refund_no: "0123456789abcdef".parse().unwrap(),
        amount: Amount::new(fen, Currency::Cny).unwrap(),
        reason: String::new(),
        options_json: String::new(),
        automatic: false,
        fingerprint: Fingerprint::default(),
    });
    let mut facts = vec![
        paid(ID),
        fact(FactKey::RefundRequested(no.clone()), FactBody::RefundRequested(request.clone())),
    ];
    for number in 1..=calls {
        facts.push(fact(FactKey::RefundCall(no.clone(), number), FactBody::RefundCall));
    }
    for (number, class) in (1..).zip(ended) {
        let outcome = AttemptOutcome { class: *class, code: String::new(), message: String::new() };
        facts
            .push(fact(FactKey::RefundCallOutcome(no.clone(), number), FactBody::RefundCallOutcome(outcome)));
    }
    Call { refund: Some((no, request)), ..call(Operation::Refund, created(), facts) }
}

fn fact(key: FactKey, body: FactBody) -> Fact {
    Fact { key, body, time: NOW, cause: Cause::Timer }
}

fn payment(id: &str) -> Payment {
    Payment {
        trade_no: id.parse().unwrap(),
        total_minor: 1,
        payer_total_minor: None,
        currency: Some(Currency::Cny),
        // 2019-10-15 03:06:10 in Beijing.
        success_time: Some(Timestamp::from_millis(1_571_079_970_000)),
        fee_minor: None,
        bank_type: None,
        channel_trade_no: Some("4200000000201910150000000000".to_owned()),
        evidence: Evidence::Stated,
    }
}

fn paid(id: &str) -> Fact {
    let id: ProviderTradeNo = id.parse().unwrap();
    fact(FactKey::Paid(id.clone()), FactBody::Paid(payment(id.as_str())))
}

/// The signature by the rule's words, written once more: `zeros` says whether values `0` take part.
fn sign(fields: &BTreeMap<&str, &str>, key: &str, zeros: bool) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        if *name != "sign" && !value.is_empty() && (zeros || *value != "0") {
            text.push_str(&format!("{name}={value}&"));
        }
    }
    let digest = Md5::digest(format!("{text}key={key}"));
    digest.iter().map(|byte| format!("{byte:02X}")).collect()
}

type Fields<'a> = BTreeMap<&'a str, &'a str>;

fn with<'a>(fields: &Fields<'a>, more: &[(&'a str, &'a str)]) -> Fields<'a> {
    let mut fields = fields.clone();
    fields.extend(more.iter().copied());
    fields
}

/// An answer with HTTP status 200, signed by that key; digits stand as JSON numbers.
fn signed_by(key: &str, fields: &Fields<'_>) -> HttpResponse {
    let sign = sign(fields, key, true);
    unsigned(&with(fields, &[("sign", sign.as_str())]))
}

fn signed(fields: &Fields<'_>) -> HttpResponse {
    signed_by(KEY, fields)
}

fn unsigned(fields: &Fields<'_>) -> HttpResponse {
    let value = |name: &str, text: &str| match text.parse::<u64>() {
        Ok(number) if ["return_code", "status", "total_fee"].contains(&name) => number.into(),
        _ => serde_json::Value::from(text),
    };
    let object: serde_json::Map<_, _> =
        fields.iter().map(|(name, text)| ((*name).to_owned(), value(name, text))).collect();
    answer(200, &serde_json::Value::Object(object).to_string())
}

fn answer(status: u16, body: &str) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

/// The fields of a check's answer about the order of [`created`], paid.
fn paid_answer() -> Fields<'static> {
    BTreeMap::from([
        ("return_code", "1"),
        ("mchid", MCHID),
        ("out_trade_no", NUMBER),
        ("payjs_order_id", ID),
        ("transaction_id", "4200000000201910150000000000"),
        ("status", "1"),
        ("openid", "oTest_openid_0001"),
        ("total_fee", "1"),
        ("paid_time", "2019-10-15 03:06:10"),
    ])
}
