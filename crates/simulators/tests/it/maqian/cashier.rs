//! Opening the cashier: what is let in, what is refused and with which words.

use serde_json::json;

use super::rig::{self, Fields, MERCH_NO, fields, launch, open, order, text};
use crate::client::sign;

#[tokio::test]
async fn a_signed_launch_makes_one_order_however_often_it_is_opened() {
    let rig = rig::start().await;
    let order = order("A1", "12.00", "https://a.example/notify");
    for _ in 0..2 {
        assert_eq!(open(&rig, &order).await.status, 200);
    }
    let (order, maqian) = rig::truth(&rig, "A1").await;
    assert_eq!((order.total, order.mchid.as_str(), maqian.opened), (1200, MERCH_NO, 2));
    assert_eq!(maqian.goods_name.as_deref(), Some("矿泉水 & 茶"), "raw values arrive as they are");
    assert!(maqian.trade_no.starts_with("ALI") && maqian.trade_no.len() == 24);
}

/// As an app hands it over: the signature is encoded twice, the data once.
fn uri(order: &Fields) -> String {
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let data = serde_json::to_string(order).unwrap();
    let query = format!("data={data}&sign={}", encoded(&sign(text(order).as_bytes())));
    format!(
        "alipays://platformapi/startapp?appId=2021004118660126&page=pages/cashier/cashier&query={}",
        encoded(&query)
    )
}

#[tokio::test]
async fn an_apps_uri_is_taken_apart_as_alipay_does() {
    let rig = rig::start().await;
    let mut plain = order("A1", "12.00", "");
    plain.extend(fields([("goods_name", "水 #1 = a"), ("remark", ""), ("source", "app")]));
    let told = rig.control("open", &json!({ "url": uri(&plain) })).await;
    assert_eq!(told.status, 200, "{}", told.json());
    for damaged in ["a+b", "50%41", "a&b"] {
        plain.insert("goods_name".to_owned(), damaged.to_owned());
        assert_eq!(rig.control("open", &json!({ "url": uri(&plain) })).await.status, 409, "{damaged}");
    }
    let elsewhere = uri(&plain).replace("2021004118660126", "2021001104615521");
    let told = rig.control("open", &json!({ "url": elsewhere })).await.json();
    assert_eq!(told["error"], "another mini program or page than the cashier");
}

#[tokio::test]
async fn every_fault_of_a_launch_is_refused_in_words() {
    let rig = rig::start().await;
    let check = async |change: Fields, told: &str| {
        let mut order = order("B1", "1.00", "");
        order.extend(change);
        let answer = open(&rig, &order).await;
        assert_eq!((answer.status, answer.json()["error"].clone()), (409, told.into()));
    };
    for (name, value) in [
        ("pn", "XN9"),
        ("app_id", "MQ9"),
        ("out_trade_no", "A-1"),
        ("total_amount", "1.005"),
        ("total_amount", "0.00"),
        ("limit_pay", "2"),
        ("hb_fq_num", "4"),
        ("food_order_type", "x"),
        ("source", "app"),
        ("colour", "x"),
        ("notify_url", "a.example"),
    ] {
        check(fields([(name, value)]), &format!("the cashier refuses: {name}参数错误")).await;
    }
    check(fields([("version", "V2")]), "the cashier refuses: pay_mode参数错误").await;
    check(fields([("merch_no", "9")]), "the cashier refuses: 商户不存在").await;
    let mut forged = launch(&order("B1", "1.00", ""));
    forged["data"] = serde_json::to_string(&order("B1", "0.01", "")).unwrap().into();
    assert_eq!(rig.control("open", &forged).await.json()["error"], "the cashier refuses: 验签失败");
    forged["data"] = "[]".into();
    assert_eq!(rig.control("open", &forged).await.json()["error"], "data is not a JSON object");
    assert_eq!(rig.look(&format!("orders/{MERCH_NO}/B1")).await.status, 404, "none of them made an order");
}

#[tokio::test]
async fn a_number_is_one_order_and_takes_one_payment() {
    let rig = rig::start().await;
    let first = order("C1", "1.00", "");
    rig::paid(&rig, &first).await;
    let told = open(&rig, &first).await.json();
    assert_eq!(told["error"], "the cashier refuses: 订单已支付");
    let told = open(&rig, &order("C1", "2.00", "")).await.json();
    assert_eq!(told["error"], "the cashier refuses: 商户订单号重复");
    let again = rig.control("pay", &json!({ "mchid": MERCH_NO, "out_trade_no": "C1" })).await;
    assert_eq!((again.status, again.json()["error"].clone()), (409, "the order is paid".into()));
}
