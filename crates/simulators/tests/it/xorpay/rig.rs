//! A merchant of XorPay and its payers: signs by the MD5 rule with code of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use md5::{Digest, Md5};
use paymux_simulators::SimulatorConfig;
use paymux_simulators::control::view::{OrderDetail, OrderTruth, XorpayStatus, XorpayTruth};
use paymux_simulators::xorpay::{AppSecret, XorpayMerchant};
use serde_json::{Value, json};

use crate::client::{Answer, read};
use crate::inbox::Pushed;
use crate::rig::Rig;

pub(crate) const AID: &str = "15627";
pub(crate) const OTHER_AID: &str = "15628";
pub(crate) const SECRET: &str = "the app secret";

/// Named values, as text.
pub(crate) type Fields = BTreeMap<String, String>;

pub(crate) fn merchant(aid: &str) -> XorpayMerchant {
    XorpayMerchant::new(aid, AppSecret::new(SECRET.to_owned()))
}

/// A simulator with two merchants of XorPay beside those of WeChat Pay.
pub(crate) async fn start_with(change: impl FnOnce(&mut SimulatorConfig)) -> Rig {
    crate::rig::start_with(|config| {
        config.xorpay.merchants = vec![merchant(AID), merchant(OTHER_AID)];
        change(config);
    })
    .await
}

pub(crate) async fn start() -> Rig {
    start_with(|_| ()).await
}

/// The signature over values; the rule is written here once more.
pub(crate) fn sign(values: &[&str], secret: &str) -> String {
    Md5::digest(values.concat() + secret).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn fields<const N: usize>(given: [(&str, &str); N]) -> Fields {
    given.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A create of so many fen, not yet signed.
pub(crate) fn order(number: &str, fen: i64, notify_url: &str) -> Fields {
    let price = format!("{}.{:02}", fen / 100, fen % 100);
    let mut order = fields([("name", "门店 付款"), ("pay_type", "jsapi"), ("price", &price)]);
    order.extend(fields([("order_id", number), ("notify_url", notify_url), ("openid", "oXor_test")]));
    order.extend(fields([("more", "order:42"), ("expire", "1800")]));
    order
}

/// Adds the merchant's signature to a create.
pub(crate) fn signed(mut fields: Fields) -> Fields {
    let value = |name: &str| fields.get(name).map_or("", String::as_str);
    let values = ["name", "pay_type", "price", "order_id", "notify_url"].map(value);
    let signature = sign(&values, SECRET);
    fields.insert("sign".to_owned(), signature);
    fields
}

/// A form to any path.
pub(crate) async fn post(rig: &Rig, path: &str, fields: &Fields) -> Result<Answer, reqwest::Error> {
    let url = format!("{}{path}", rig.simulator.base_url());
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = rig.client.http.post(url).header("Content-Type", "application/x-www-form-urlencoded");
    read(request.body(body).send().await?).await
}

pub(crate) async fn get(rig: &Rig, path: &str) -> Result<Answer, reqwest::Error> {
    read(rig.client.http.get(format!("{}{path}", rig.simulator.base_url())).send().await?).await
}

/// A signed create.
pub(crate) async fn try_create(rig: &Rig, order: Fields) -> Result<Answer, reqwest::Error> {
    post(rig, &format!("/api/pay/{AID}"), &signed(order)).await
}

/// `status` and `info` of an answer.
pub(crate) fn said(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let text = |name: &str| answer.json()[name].as_str().unwrap_or_default().to_owned();
    (text("status"), text("info"))
}

/// A create that is taken.
pub(crate) async fn create(rig: &Rig, number: &str, fen: i64, notify_url: &str) -> Value {
    let answer = try_create(rig, order(number, fen, notify_url)).await.unwrap();
    assert_eq!(said(&answer).0, "ok", "{}", answer.json());
    answer.json()
}

/// Creates and pays an order of so many fen; gives its aoid.
pub(crate) async fn paid(rig: &Rig, notify_url: &str, number: &str, fen: i64) -> String {
    let aoid = create(rig, number, fen, notify_url).await["aoid"].as_str().unwrap().to_owned();
    pay(rig, number).await;
    aoid
}

pub(crate) async fn pay(rig: &Rig, number: &str) -> Value {
    let answer = rig.control("pay", &named(number)).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()["payment"].clone()
}

pub(crate) fn named(number: &str) -> Value {
    json!({"mchid": AID, "out_trade_no": number})
}

/// A signed query by our number.
pub(crate) async fn try_query(rig: &Rig, number: &str) -> Result<Answer, reqwest::Error> {
    get(rig, &format!("/api/query2/{AID}?order_id={number}&sign={}", sign(&[number], SECRET))).await
}

/// The word of both queries, which must be the same.
pub(crate) async fn word(rig: &Rig, number: &str) -> String {
    let word = said(&try_query(rig, number).await.unwrap()).0;
    let aoid = truth(rig, number).await.1.aoid;
    assert_eq!(said(&get(rig, &format!("/api/query/{aoid}")).await.unwrap()).0, word);
    word
}

/// A signed refund.
pub(crate) async fn try_refund(rig: &Rig, aoid: &str, price: &str) -> Result<Answer, reqwest::Error> {
    let form = fields([("price", price), ("sign", &sign(&[price], SECRET))]);
    post(rig, &format!("/api/refund/{aoid}"), &form).await
}

pub(crate) fn form_of(pushed: &Pushed) -> Fields {
    assert_eq!(pushed.headers["Content-Type"], "application/x-www-form-urlencoded");
    form_urlencoded::parse(&pushed.body).into_owned().collect()
}

/// Whether a push carries the merchant's signature.
pub(crate) fn is_signed(fields: &Fields) -> bool {
    let values = ["aoid", "order_id", "pay_price", "pay_time"].map(|name| fields[name].as_str());
    fields.get("sign") == Some(&sign(&values, SECRET))
}

pub(crate) async fn detail(rig: &Rig, number: &str) -> OrderDetail {
    let answer = rig.look(&format!("orders/{AID}/{number}")).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    serde_json::from_slice(&answer.body).unwrap()
}

pub(crate) async fn truth(rig: &Rig, number: &str) -> (OrderTruth, XorpayTruth) {
    let order = detail(rig, number).await.order.expect("a create should have made the order");
    let xorpay = order.xorpay.clone().expect("an order of XorPay");
    (order, xorpay)
}

/// Reads what is known of an order until it is as wanted.
pub(crate) async fn until(rig: &Rig, number: &str, wanted: impl Fn(&OrderDetail) -> bool) {
    let polled = tokio::time::timeout(Duration::from_secs(20), async {
        while !wanted(&detail(rig, number).await) {
            tokio::task::yield_now().await;
        }
    });
    if polled.await.is_err() {
        panic!("{number} never became as wanted: {:#?}", detail(rig, number).await);
    }
}

/// Waits until a push of the order was answered 200.
pub(crate) async fn until_success(rig: &Rig, number: &str) {
    let status = |detail: &OrderDetail| detail.order.as_ref()?.xorpay.as_ref().map(|xorpay| xorpay.status);
    until(rig, number, |detail| status(detail) == Some(XorpayStatus::Success)).await;
}
