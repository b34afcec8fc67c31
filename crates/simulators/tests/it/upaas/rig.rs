//! A merchant of UPaaS: signs by the MD5 rule with code of its own and calls in JSON.

use md5::{Digest, Md5};
use paymux_simulators::SimulatorConfig;
use paymux_simulators::control::view::{OrderDetail, OrderTruth};
use paymux_simulators::faults::{FaultKind, UpaasFault};
use paymux_simulators::upaas::{UpaasKey, UpaasMerchant};
use serde_json::{Value, json};

use crate::client::{Answer, read};
use crate::rig::Rig;

pub(crate) const STORE: &str = "1000001";
pub(crate) const KEY: &str = "the key";

pub(crate) fn merchant(store_num: &str) -> UpaasMerchant {
    UpaasMerchant::new(store_num, UpaasKey::new(KEY.to_owned()))
}

pub(crate) async fn start_with(change: impl FnOnce(&mut SimulatorConfig)) -> Rig {
    crate::rig::start_with(|config| {
        config.upaas.merchants = vec![merchant(STORE)];
        change(config);
    })
    .await
}

pub(crate) async fn start() -> Rig {
    start_with(|_| ()).await
}

/// The signature over an object's texts and numbers; the rule is written here once more.
pub(crate) fn sign(fields: &Value) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (name, value) in fields.as_object().unwrap() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if name != "sign" && !text.is_empty() && !value.is_object() {
            parts.push(format!("{name}={text}"));
        }
    }
    parts.sort();
    let digest = Md5::digest(format!("{}&key={KEY}", parts.join("&")));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A create of so many fen for Alipay.
pub(crate) fn order(number: &str, yuan: &str, notify_url: &str) -> Value {
    json!({
        "store_num": STORE, "merchant_order_no": number, "amount": yuan, "mode_code": "alipay", "open_id": "2088001",
        "notify_url": notify_url,
    })
}

/// Yuan that choose this kind.
pub(crate) fn yuan(kind: UpaasFault) -> String {
    format!("12.{}", FaultKind::Upaas(kind).digits())
}

/// Fields of a call that are not changed any more, with their signature.
pub(crate) async fn try_call(rig: &Rig, path: &str, mut fields: Value) -> Result<Answer, reqwest::Error> {
    fields["sign"] = sign(&fields).into();
    post(rig, path, &fields).await
}

pub(crate) async fn post(rig: &Rig, path: &str, fields: &Value) -> Result<Answer, reqwest::Error> {
    let url = format!("{}/v2/pay/{path}", rig.simulator.base_url());
    let request = rig.client.http.post(url).header("Content-Type", "application/json");
    read(request.body(fields.to_string()).send().await?).await
}

/// A call that is answered: its code, and its data, which are signed.
pub(crate) async fn call(rig: &Rig, path: &str, fields: Value) -> (String, Value) {
    let answer = try_call(rig, path, fields).await.unwrap();
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let (_, code) = answer.code();
    let data = answer.json()["data"].clone();
    if data.is_object() {
        assert_eq!(data["sign"], sign(&data), "{data}");
    }
    (code, data)
}

/// A call about an order, with more fields.
pub(crate) async fn about(rig: &Rig, path: &str, number: &str, more: Value) -> (String, Value) {
    let mut fields = json!({ "store_num": STORE, "merchant_order_no": number });
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    call(rig, path, fields).await
}

pub(crate) async fn pay(rig: &Rig, number: &str) -> Value {
    let answer = rig.control("pay", &named(number)).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()["payment"].clone()
}

pub(crate) fn named(number: &str) -> Value {
    json!({"mchid": STORE, "out_trade_no": number})
}

pub(crate) async fn detail(rig: &Rig, number: &str) -> OrderDetail {
    let answer = rig.look(&format!("orders/{STORE}/{number}")).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    serde_json::from_slice(&answer.body).unwrap()
}

pub(crate) async fn truth(rig: &Rig, number: &str) -> OrderTruth {
    detail(rig, number).await.order.expect("a create should have made the order")
}
