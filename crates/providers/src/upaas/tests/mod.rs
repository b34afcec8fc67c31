//! What UPaaS's side of the engine must do, on bytes: requests, answers, notifications, vectors, and what follows from
//! what an account names.

mod answers;
mod checks;
mod config;
mod notifications;
mod properties;
mod refunds;
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
use paymux_domain::launch::{Launch, LaunchParams};
use paymux_domain::name::OrderKey;
use paymux_domain::outcome::{CallReport, Operation};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::ports::{BoxFuture, BuildError, Built, Call, Provider, SignError, Signer};
use paymux_domain::refund::RefundRequest;
use paymux_domain::time::{ClockFactor, Timestamp};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use crate::{AccountSection, Accounts, ConfigFault, Registry, SecretRef};

/// The key, number and order of the worked examples (`providers.md` section 3.4).
const KEY: &str = "upaas_test_key";
const OLD_KEY: &str = "the key before";
const NUMBER: &str = "1596004809";
const ORDER_NUMBER: &str = "32007292020124037464368222208";
const STORE: &str = "1000001";
const REFUND_NO: &str = "0123456789abcdef";
/// 2023-11-14 22:13:20 UTC.
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// An account that names nothing beyond the public page.
const BARE: &str = r#"store_num = "1000001""#;
/// An account that names all of it.
const FULL: &str = r#"
    store_num = "1000001"
    key_env = "KEY"
    previous_keys = [{ key_file = "old" }]
    request_sign = "scalars"
    response_sign = "scalars"
    codes = [
        { operation = "create", code = "100001", means = "FINAL" },
        { operation = "create", code = "100002", means = "RETRY" },
        { operation = "create", code = "100003", means = "THROTTLED" },
        { operation = "create", code = "100004", means = "OPS" },
        { operation = "query", code = "200404", means = "NOT_EXIST" },
        { operation = "query", code = "200400", means = "FINAL" },
        { operation = "close", code = "300001", means = "RETRY" },
        { operation = "close", code = "300404", means = "NOT_EXIST" },
        { operation = "refund", code = "400001", means = "FINAL" },
        { operation = "refund", code = "400002", means = "OPS" },
        { operation = "refund_query", code = "500404", means = "NOT_EXIST" },
    ]
    query = { status_field = "order_status", paid = ["PAID"], refunded = ["REFUNDED"], open = ["UNPAID"],
        closed = ["CLOSED"], order_number_field = "order_number", paid_time_field = "pay_time" }
    close = { paid_order = "refused", min_age_s = 60 }
    refund = { refund_no_field = "refund_no", reason_field = "refund_reason", amounts = "parts", refunds_max = 5,
        repeated = "refunds_once", status_field = "refund_status", done = ["SUCCESS"], processing = ["PROCESSING"],
        failed = ["FAILED"], refund_number_field = "refund_number", window_days = 30, spacing_s = 2 }
    refund_query = { status_field = "refund_status", done = ["SUCCESS"], processing = ["PROCESSING"],
        failed = ["FAILED"], refund_number_field = "refund_number" }
    notification = { paid_time_field = "pay_time" }
"#;

fn secrets(reference: &SecretRef) -> Result<SecretString, String> {
    Ok(SecretString::from(match reference {
        SecretRef::Env(name) if name == "KEY" => KEY,
        SecretRef::File(path) if path.to_str() == Some("old") => "the key before\r\n",
        _ => return Err("is not there".to_owned()),
    }))
}

fn read(sections: &[(&str, &str)]) -> Result<Accounts, Vec<ConfigFault>> {
    let section = |(account, toml): &(&str, &str)| AccountSection {
        account: account.parse().unwrap(),
        provider: "upaas".parse().unwrap(),
        settings: toml.parse().unwrap(),
    };
    let sections: Vec<AccountSection> = sections.iter().map(section).collect();
    Accounts::read(&sections, &secrets, ClockFactor::REAL)
}

/// The provider with the account `shop`.
struct Kit(Arc<dyn Provider>);

/// With an account that names everything.
fn kit() -> Kit {
    kit_of(FULL)
}

/// With an account that names nothing.
fn bare() -> Kit {
    kit_of(BARE)
}

fn kit_of(section: &str) -> Kit {
    kit_with(&[("shop", section)])
}

fn kit_with(sections: &[(&str, &str)]) -> Kit {
    Kit(Registry::new(read(sections).unwrap()).provider(&"upaas".parse().unwrap()).unwrap())
}

impl Kit {
    fn try_build(&self, call: &Call) -> Result<Built, BuildError> {
        now(self.0.build(call, &NoSigner))
    }

    fn build(&self, call: &Call) -> HttpRequest {
        match self.try_build(call).unwrap() {
            Built::Request(request) => request,
            Built::Local(report) => panic!("every call is sent: {report:?}"),
        }
    }

    /// The JSON object that a call sends.
    fn sent(&self, call: &Call) -> Map<String, Value> {
        serde_json::from_slice(&self.build(call).body).unwrap()
    }

    fn parse(&self, call: &Call, response: &HttpResponse) -> CallReport {
        now(self.0.parse(call, response, &NoSigner))
    }
}

/// UPaaS needs no signer.
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
    of_method("weixin_jsapi")
}

fn of_method(method: &str) -> Created {
    Created {
        key: OrderKey { merchant_id: "m1".parse().unwrap(), order_no: NUMBER.parse().unwrap() },
        request_id: "r1".parse().unwrap(),
        provider: "upaas".parse().unwrap(),
        account: "shop".parse().unwrap(),
        shard_group: "m1".parse().unwrap(),
        method: method.to_owned(),
        out_trade_no: NUMBER.parse().unwrap(),
        amount: Amount::new(1, Currency::Cny).unwrap(),
        description: "门店付款".to_owned(),
        attach: None,
        payer: Payer {
            open_id: Some("oTestOpenId0001".to_owned()),
            app_id: method.starts_with("weixin").then(|| "wx7b54f0a5769316b9".to_owned()),
            client_ip: None,
        },
        expire_time: Timestamp::from_millis(1_700_001_800_000),
        created_time: NOW,
        notify_url: "https://pay.example.com/notify/upaas/m1".to_owned(),
        return_url: None,
        metadata: BTreeMap::new(),
        options_json: match method {
            "weixin_mini_program" => r#"{"sub_app_name":"茶馆"}"#.to_owned(),
            _ => String::new(),
        },
        fingerprint: Fingerprint::default(),
    }
}

fn call(operation: Operation, created: Created, facts: Vec<Fact>) -> Call {
    let order = Arc::new(Order::from_facts(facts));
    Call { operation, refund: None, created: Arc::new(created), order, now: NOW, nonce: [1, 2] }
}

/// A call about the launched order of the worked example; a refund is of one fen.
fn asked(operation: Operation) -> Call {
    let refund = (operation == Operation::Refund).then(wanted);
    Call { refund, ..call(operation, created(), vec![launched()]) }
}

/// A question about the refund.
fn asked_refund() -> Call {
    Call { refund: Some(wanted()), ..asked(Operation::Query) }
}

fn wanted() -> (paymux_domain::name::RefundNo, Arc<RefundRequest>) {
    let request = RefundRequest {
        trade_no: ORDER_NUMBER.parse().unwrap(),
        out_refund_no: REFUND_NO.parse().unwrap(),
        amount: Amount::new(1, Currency::Cny).unwrap(),
        reason: "returned".to_owned(),
        automatic: false,
        options_json: String::new(),
        fingerprint: Fingerprint::default(),
    };
    ("R1".parse().unwrap(), Arc::new(request))
}

fn fact(key: FactKey, body: FactBody) -> Fact {
    Fact { key, body, time: NOW, cause: Cause::Timer }
}

/// The launch that the create's answer brought, with UPaaS's number.
fn launched() -> Fact {
    let params = LaunchParams::AlipayTradeNo("2021052422001427831412991467".to_owned());
    let launch = Launch { params, expire_time: None, provider_order_no: Some(ORDER_NUMBER.to_owned()) };
    fact(FactKey::Launch(1), FactBody::Launch(launch))
}

fn payment() -> Payment {
    Payment {
        trade_no: ORDER_NUMBER.parse().unwrap(),
        total_minor: 1,
        payer_total_minor: None,
        currency: Some(Currency::Cny),
        // 2019-10-15 03:06:10 in Beijing.
        success_time: Some(Timestamp::from_millis(1_571_079_970_000)),
        fee_minor: None,
        bank_type: None,
        channel_trade_no: None,
        evidence: Evidence::Stated,
    }
}

/// The signature by the rule's words, written once more.
fn sign_as(fields: &Map<String, Value>, key: &str, without_prepay: bool, is_appended: bool) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (name, value) in fields {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) if !number.is_f64() => number.to_string(),
            _ => continue,
        };
        if name != "sign" && !text.is_empty() && !(without_prepay && name.starts_with("pre_pay_")) {
            parts.push(format!("{name}={text}"));
        }
    }
    parts.sort();
    let joined = if is_appended { key.to_owned() } else { format!("&key={key}") };
    let digest = Md5::digest(format!("{}{joined}", parts.join("&")));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sign(fields: &Map<String, Value>, key: &str) -> String {
    sign_as(fields, key, false, false)
}

/// An object with changed fields; null takes one out.
fn with(fields: &Value, more: Value) -> Value {
    let mut fields = fields.clone();
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            fields.as_object_mut().unwrap().remove(name);
        } else {
            fields[name] = value.clone();
        }
    }
    fields
}

/// The data with their signature by a key.
fn sealed(data: &Value, key: &str) -> Value {
    with(data, json!({ "sign": sign(data.as_object().unwrap(), key) }))
}

fn answer(status: u16, body: &str) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

/// An answer with a code and data as they are.
fn plain(code: &str, data: &Value) -> HttpResponse {
    answer(200, &json!({ "code": code, "message": "请求成功", "data": data }).to_string())
}

/// A success whose data are signed.
fn signed(data: &Value) -> HttpResponse {
    plain("000000", &sealed(data, KEY))
}

/// An error without data, as the page's own are not described.
fn error(code: &str) -> HttpResponse {
    answer(200, &json!({ "code": code, "message": "余额不足" }).to_string())
}

/// The data of the page's WeChat sample, without their signature.
fn weixin_data() -> Value {
    json!({
        "order_number": ORDER_NUMBER,
        "merchant_order_no": NUMBER,
        "amount": "0.01",
        "pre_pay_info": {
            "appId": "wx7b54f0a5769316b9",
            "nonceStr": "tl12xxmvbb9tsz0xcfo5lvhcvzqq8271",
            "package": "prepay_id=wx261200315112069714f072221832257600",
            "signType": "MD5",
            "timeStamp": "1566792029",
            "paySign": "46C8DFAA0F9FD304B3AC2FAFEC2A6E09",
        },
    })
}

/// A query's answer about the paid order.
fn paid_data() -> Value {
    json!({
        "order_number": ORDER_NUMBER,
        "merchant_order_no": NUMBER,
        "amount": "0.01",
        "order_status": "PAID",
        "pay_time": "2019-10-15 03:06:10",
        "open_id": "oTestOpenId0001",
    })
}

/// An answer about the refund.
fn refund_data(status: &str) -> Value {
    json!({
        "merchant_order_no": NUMBER,
        "refund_no": REFUND_NO,
        "refund_amount": "0.01",
        "refund_status": status,
        "refund_number": "R20231114",
    })
}
