//! A merchant of PayJS and its payers: signs by the MD5 rule with code of its own, opens the cashier as a
//! browser does, calls check, close and refund.

use std::collections::BTreeMap;
use std::time::Duration;

use md5::{Digest, Md5};
use paymux_simulators::SimulatorConfig;
use paymux_simulators::control::view::{OrderDetail, OrderTruth, PayjsTruth};
use paymux_simulators::payjs::{CommunicationKey, PayjsMerchant};
use serde_json::{Value, json};

use crate::client::{Answer, CLIENT_TIMEOUT, read};
use crate::inbox::{Inbox, Pushed};
use crate::rig::Rig;

pub(crate) const MCHID: &str = "1600000109";
pub(crate) const OTHER_MCHID: &str = "1600000222";
pub(crate) const KEY: &str = "the communication key";

/// How long an impatient simulator waits for the answer to a push: a silent merchant is to have it by then, also on a
/// busy machine.
pub(crate) const IMPATIENT_MS: u64 = 1_000;

/// Named values, as text.
pub(crate) type Fields = BTreeMap<String, String>;

pub(crate) fn merchant(mchid: &str) -> PayjsMerchant {
    PayjsMerchant::new(mchid, CommunicationKey::new(KEY.to_owned()))
}

/// A simulator whose patience with a silent merchant is short.
pub(crate) async fn impatient() -> Rig {
    start_with(|config| config.payjs.notify_timeout_ms = IMPATIENT_MS).await
}

/// A simulator with two merchants of PayJS beside those of WeChat Pay.
pub(crate) async fn start_with(change: impl FnOnce(&mut SimulatorConfig)) -> Rig {
    crate::rig::start_with(|config| {
        config.payjs.merchants = vec![merchant(MCHID), merchant(OTHER_MCHID)];
        change(config);
    })
    .await
}

pub(crate) async fn start() -> Rig {
    start_with(|_| ()).await
}

/// The signature over fields; the rule is written here once more.
pub(crate) fn sign(fields: &Fields, key: &str, drops_zero: bool) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        let is_dropped = name == "sign" || value.is_empty() || (drops_zero && value == "0");
        if !is_dropped {
            text.push_str(&format!("{name}={value}&"));
        }
    }
    text.push_str(&format!("key={key}"));
    Md5::digest(text).iter().map(|byte| format!("{byte:02X}")).collect()
}

pub(crate) fn is_signed(fields: &Fields) -> bool {
    let claimed = fields.get("sign");
    [false, true].into_iter().any(|drops_zero| claimed == Some(&sign(fields, KEY, drops_zero)))
}

pub(crate) fn fields<const N: usize>(given: [(&str, &str); N]) -> Fields {
    given.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Adds the signature of the merchant.
pub(crate) fn signed(mut fields: Fields) -> Fields {
    let signature = sign(&fields, KEY, false);
    fields.insert("sign".to_owned(), signature);
    fields
}

/// A cashier request of so many fen, not yet signed.
pub(crate) fn order(number: &str, total: i64, notify_url: &str) -> Fields {
    let total = total.to_string();
    let mut order = fields([("mchid", MCHID), ("out_trade_no", number), ("total_fee", &total)]);
    order.extend(fields([("body", "门店 付款"), ("attach", "order:42")]));
    if !notify_url.is_empty() {
        order.insert("notify_url".to_owned(), notify_url.to_owned());
    }
    order
}

/// The launch URL of a signed request.
pub(crate) fn launch_url(rig: &Rig, fields: &Fields) -> String {
    let url = format!("{}/api/cashier", rig.simulator.base_url());
    reqwest::Url::parse_with_params(&url, fields).unwrap().to_string()
}

/// A browser that tells where it is sent.
pub(crate) fn browser() -> reqwest::Client {
    let builder = reqwest::Client::builder().timeout(CLIENT_TIMEOUT).no_proxy();
    builder.redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// A payer opens the launch URL of a request, which is signed here.
pub(crate) async fn try_open(rig: &Rig, order: Fields) -> Result<Answer, reqwest::Error> {
    read(browser().get(launch_url(rig, &signed(order))).send().await?).await
}

/// A payer opens the launch URL and is sent on to the page; gives its path.
pub(crate) async fn open(rig: &Rig, order: Fields) -> String {
    let answer = try_open(rig, order).await.unwrap();
    assert_eq!(answer.status, 302, "{}", answer.json());
    answer.headers["Location"].to_str().unwrap().to_owned()
}

/// Opens and pays an order of so many fen.
pub(crate) async fn paid(rig: &Rig, inbox: &Inbox, number: &str, total: i64) -> Value {
    open(rig, order(number, total, &inbox.url)).await;
    pay(rig, number).await
}

pub(crate) async fn pay(rig: &Rig, number: &str) -> Value {
    let answer = rig.control("pay", &named(number)).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()["payment"].clone()
}

pub(crate) fn named(number: &str) -> Value {
    json!({"mchid": MCHID, "out_trade_no": number})
}

/// A form to check, close or refund.
pub(crate) async fn post(rig: &Rig, path: &str, fields: &Fields) -> Result<Answer, reqwest::Error> {
    let url = format!("{}/api/{path}", rig.simulator.base_url());
    read(with_form(rig.client.http.post(url), fields).send().await?).await
}

pub(crate) fn with_form(request: reqwest::RequestBuilder, fields: &Fields) -> reqwest::RequestBuilder {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    request.header("Content-Type", "application/x-www-form-urlencoded").body(body)
}

/// A signed call on an order.
pub(crate) async fn try_call(rig: &Rig, path: &str, number: &str) -> Result<Answer, reqwest::Error> {
    let id = truth(rig, number).await.1.payjs_order_id;
    post(rig, path, &signed(fields([("mchid", MCHID), ("payjs_order_id", &id)]))).await
}

/// A signed call whose answer is signed too.
pub(crate) async fn call(rig: &Rig, path: &str, number: &str) -> Fields {
    let answer = try_call(rig, path, number).await.unwrap();
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let fields = texts(&answer);
    assert!(is_signed(&fields), "{fields:?}");
    fields
}

/// `return_code` and `return_msg` of a signed answer.
pub(crate) async fn said(rig: &Rig, path: &str, number: &str) -> (String, String) {
    let fields = call(rig, path, number).await;
    (fields["return_code"].clone(), fields["return_msg"].clone())
}

/// The fields of a JSON answer as texts.
pub(crate) fn texts(answer: &Answer) -> Fields {
    let Value::Object(object) = answer.json() else { panic!("not an object: {:?}", answer.body) };
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    object.into_iter().map(|(name, value)| (name, text(value))).collect()
}

/// The fields of a push, in the order in which they came.
pub(crate) fn ordered(pushed: &Pushed) -> Vec<(String, String)> {
    assert_eq!(pushed.headers["Content-Type"], "application/x-www-form-urlencoded");
    form_urlencoded::parse(&pushed.body).into_owned().collect()
}

pub(crate) fn form_of(pushed: &Pushed) -> Fields {
    ordered(pushed).into_iter().collect()
}

pub(crate) async fn detail(rig: &Rig, number: &str) -> OrderDetail {
    let answer = rig.look(&format!("orders/{MCHID}/{number}")).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    serde_json::from_slice(&answer.body).unwrap()
}

pub(crate) async fn truth(rig: &Rig, number: &str) -> (OrderTruth, PayjsTruth) {
    let order = detail(rig, number).await.order.expect("an opening should have made the order");
    let payjs = order.payjs.clone().expect("an order of PayJS");
    (order, payjs)
}

/// Reads the truth of an order until it is as wanted.
pub(crate) async fn truth_until(rig: &Rig, number: &str, wanted: impl Fn(&PayjsTruth) -> bool) -> PayjsTruth {
    let polled = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let (_, payjs) = truth(rig, number).await;
            if wanted(&payjs) {
                return payjs;
            }
            tokio::task::yield_now().await;
        }
    });
    match polled.await {
        Ok(payjs) => payjs,
        Err(_) => panic!("{number} never became as wanted: {:#?}", truth(rig, number).await),
    }
}
