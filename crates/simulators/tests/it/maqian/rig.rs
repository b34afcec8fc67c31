//! A merchant of 码钱 and its payers: signs launches and calls with code of its own, opens the cashier as devices do.

use std::collections::BTreeMap;

use md5::{Digest, Md5};
use paymux_simulators::SimulatorConfig;
use paymux_simulators::control::view::{MaqianTruth, OrderDetail, OrderTruth};
use paymux_simulators::maqian::{AccessKey, CASHIER_APP_ID, CASHIER_PATH, MaqianMerchant};
use serde_json::{Value, json};

use crate::client::{Answer, MERCHANT_PUBLIC_PEM, read, sign};
use crate::inbox::Pushed;
use crate::rig::Rig;

pub(crate) const MERCH_NO: &str = "833651658120003";
pub(crate) const OTHER_MERCH_NO: &str = "833651658120004";
pub(crate) const KEY: &str = "the access key";

/// Named values, as text.
pub(crate) type Fields = BTreeMap<String, String>;

pub(crate) fn merchant(merch_no: &str) -> MaqianMerchant {
    let key = AccessKey::new(KEY.to_owned());
    MaqianMerchant::new(merch_no, "XN000003", MERCHANT_PUBLIC_PEM, key).with_api("FW1", "id1")
}

/// A simulator with two merchants of 码钱 beside those of WeChat Pay.
pub(crate) async fn start_with(change: impl FnOnce(&mut SimulatorConfig)) -> Rig {
    crate::rig::start_with(|config| {
        config.maqian.merchants = vec![merchant(MERCH_NO), merchant(OTHER_MERCH_NO)];
        change(config);
    })
    .await
}

pub(crate) async fn start() -> Rig {
    start_with(|_| ()).await
}

/// The text of both rules over flat fields; they are written here once more.
pub(crate) fn text(fields: &Fields) -> String {
    let parts = fields.iter().filter(|(name, value)| *name != "sign" && !value.is_empty());
    parts.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

pub(crate) fn sealed(fields: &Fields, key: &str) -> String {
    let digest = Md5::digest(format!("{}{key}", text(fields)));
    digest.iter().map(|byte| format!("{byte:02X}")).collect()
}

pub(crate) fn fields<const N: usize>(given: [(&str, &str); N]) -> Fields {
    given.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The data of a launch over that much, in yuan.
pub(crate) fn order(number: &str, yuan: &str, notify_url: &str) -> Fields {
    fields([
        ("app_id", "MQ100013"),
        ("app_name", "多点"),
        ("goods_name", "矿泉水 & 茶"),
        ("merch_no", MERCH_NO),
        ("notify_url", notify_url),
        ("out_trade_no", number),
        ("pn", "XN000003"),
        ("remark", "50% off + tip"),
        ("total_amount", yuan),
    ])
}

/// What a mini program hands to the cashier, signed.
pub(crate) fn launch(order: &Fields) -> Value {
    let data = serde_json::to_string(order).unwrap();
    json!({ "app_id": CASHIER_APP_ID, "path": CASHIER_PATH, "data": data, "sign": sign(text(order).as_bytes()) })
}

pub(crate) async fn open(rig: &Rig, order: &Fields) -> Answer {
    rig.control("open", &launch(order)).await
}

/// Opens and pays an order.
pub(crate) async fn paid(rig: &Rig, order: &Fields) {
    assert_eq!(open(rig, order).await.status, 200);
    pay(rig, &order["out_trade_no"]).await;
}

pub(crate) async fn pay(rig: &Rig, number: &str) {
    let answer = rig.control("pay", &json!({ "mchid": MERCH_NO, "out_trade_no": number })).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
}

/// A call of the server API with the fields that every one has, signed by that key.
pub(crate) async fn call_with(rig: &Rig, path: &str, more: &Fields, key: &str) -> Answer {
    let mut asked = fields([("accessid", "id1"), ("merch_no", MERCH_NO), ("req_id", "1")]);
    asked.extend(more.clone());
    let signature = sealed(&asked, key);
    asked.insert("sign".to_owned(), signature);
    let url = format!("{}{path}", rig.simulator.base_url());
    let body = serde_json::to_string(&asked).unwrap();
    read(rig.client.http.post(url).body(body).send().await.unwrap()).await.unwrap()
}

/// A call, and its answer's fields; their signature is looked at.
pub(crate) async fn call<const N: usize>(rig: &Rig, path: &str, more: [(&str, &str); N]) -> Fields {
    let answer = call_with(rig, path, &fields(more), KEY).await;
    let told: Fields = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(told.get("sign"), Some(&sealed(&told, KEY)), "{told:?}");
    told
}

pub(crate) async fn detail(rig: &Rig, number: &str) -> OrderDetail {
    serde_json::from_slice(&rig.look(&format!("orders/{MERCH_NO}/{number}")).await.body).unwrap()
}

pub(crate) async fn truth(rig: &Rig, number: &str) -> (OrderTruth, MaqianTruth) {
    let order = detail(rig, number).await.order.unwrap();
    let maqian = order.maqian.clone().unwrap();
    (order, maqian)
}

/// A push's fields as text.
pub(crate) fn pushed(push: &Pushed) -> Fields {
    let Value::Object(fields) = serde_json::from_slice(&push.body).unwrap() else { panic!("no object") };
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    fields.into_iter().map(|(name, value)| (name, text(value))).collect()
}
