//! Creates: happy paths of the three products, idempotency, refusals.

use serde_json::{Value, json};

use crate::rig::{APPID, DIRECT, MCHID, PARTNER, SP_MCHID, SUB_APPID, SUB_MCHID};
use crate::rig::{direct_order, scannedpos_order, start, start_with};

#[tokio::test]
async fn a_direct_create_is_answered_with_a_signed_prepay_id() {
    let rig = start().await;
    let answer = rig.create(&direct_order("ORDER0001")).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    rig.client.assert_signed(&answer);
    assert!(answer.json()["prepay_id"].as_str().is_some_and(|id| !id.is_empty() && id.len() <= 64));
    assert_eq!(answer.headers["Wechatpay-Serial"], rig.simulator.platform().certificate_serial.as_str());
    assert_eq!(rig.state("ORDER0001").await, "NOTPAY");
}

#[tokio::test]
async fn a_partner_orders_by_scannedpos_and_jsapi_under_the_public_key() {
    let rig = start().await;
    let answer =
        rig.partner.post(&format!("{PARTNER}/scannedpos"), &scannedpos_order("ORDER0001")).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.json());
    rig.partner.assert_signed(&answer);
    assert_eq!(answer.headers["Wechatpay-Serial"], rig.simulator.platform().public_key_id.as_str());
    assert!(rig.simulator.platform().public_key_id.starts_with("PUB_KEY_ID_"));

    let mut jsapi = scannedpos_order("ORDER0002");
    jsapi["notify_url"] = json!("https://pay.example.com/n");
    jsapi["sub_appid"] = json!(SUB_APPID);
    jsapi["payer"] = json!({"sub_openid": "oSub"});
    jsapi.as_object_mut().unwrap().remove("scene_info");
    let answer = rig.partner.post(&format!("{PARTNER}/jsapi"), &jsapi).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.json());

    let numbers = format!("sp_mchid={SP_MCHID}&sub_mchid={SUB_MCHID}");
    let query = rig.partner.get(&format!("{PARTNER}/out-trade-no/ORDER0002?{numbers}")).await.unwrap();
    rig.partner.assert_signed(&query);
    assert_eq!(query.json()["sub_appid"], SUB_APPID);
    assert_eq!(query.json()["sp_mchid"], SP_MCHID);
    assert_eq!(query.json()["mchid"], Value::Null);
}

#[tokio::test]
async fn the_same_create_again_gives_a_fresh_prepay_id_for_the_same_order() {
    let rig = start().await;
    let first = rig.create(&direct_order("ORDER0001")).await.json()["prepay_id"].clone();
    let again = rig.create(&direct_order("ORDER0001")).await;
    assert_eq!(again.status, 200);
    assert_ne!(again.json()["prepay_id"], first);
    let detail = rig.detail("ORDER0001").await;
    assert_eq!((detail.calls.create, detail.prepay_ids.len()), (2, 2));
}

#[tokio::test]
async fn other_content_under_a_used_number_is_refused() {
    let rig = start().await;
    rig.create(&direct_order("ORDER0001")).await;
    for (name, value) in [
        ("amount", json!({"total": 1201, "currency": "CNY"})),
        ("description", json!("其他")),
        ("time_expire", json!("2099-01-01T00:00:00+08:00")),
        ("attach", json!("x")),
    ] {
        let mut other = direct_order("ORDER0001");
        other[name] = value;
        let answer = rig.create(&other).await;
        assert_eq!(answer.code(), (400, "INVALID_REQUEST".to_owned()), "{name}");
        assert_eq!(answer.json()["message"], "请求重入时参数不一致");
        assert!(answer.headers["Request-ID"].to_str().unwrap().ends_with("-268498688"));
        rig.client.assert_signed(&answer);
    }
}

#[tokio::test]
async fn faulty_bodies_are_refused_with_the_field_named() {
    let rig = start().await;
    let cases: [(&str, Value, &str); 6] = [
        ("extra", json!(1), "/extra"),
        ("amount", json!({"total": 0}), "/amount/total"),
        ("out_trade_no", json!("A|B|C|D"), "/out_trade_no"),
        ("notify_url", json!("http://pay.example.com/n"), "/notify_url"),
        ("description", Value::Null, "/description"),
        ("payer", json!({}), "/payer/openid"),
    ];
    for (name, value, field) in cases {
        let mut body = direct_order("ORDER0001");
        body[name] = value;
        let answer = rig.create(&body).await;
        assert_eq!(answer.code(), (400, "PARAM_ERROR".to_owned()), "{name}");
        assert_eq!(answer.json()["detail"]["field"], field);
        rig.client.assert_signed(&answer);
    }
    let garbage = rig.client.send("POST", &format!("{DIRECT}/jsapi"), "{".to_owned()).await.unwrap();
    assert_eq!(garbage.code(), (400, "PARAM_ERROR".to_owned()));
    let huge = rig.client.send("POST", &format!("{DIRECT}/jsapi"), "x".repeat(100_000)).await.unwrap();
    assert_eq!(huge.code(), (400, "PARAM_ERROR".to_owned()));
}

#[tokio::test]
async fn foreign_numbers_in_the_body_are_refused() {
    let rig = start().await;
    let refused = async |change: (&str, Value), code: (u16, &str)| {
        let mut body = direct_order("ORDER0001");
        body[change.0] = change.1;
        assert_eq!(rig.create(&body).await.code(), (code.0, code.1.to_owned()));
    };
    refused(("mchid", json!(SP_MCHID)), (403, "NO_AUTH")).await;
    refused(("appid", json!("wx0000000000000000")), (400, "APPID_MCHID_NOT_MATCH")).await;

    let mut stranger = scannedpos_order("ORDER0001");
    stranger["sub_mchid"] = json!(MCHID);
    let answer = rig.partner.post(&format!("{PARTNER}/scannedpos"), &stranger).await.unwrap();
    assert_eq!(answer.code(), (403, "NO_AUTH".to_owned()));
    let mut sub_app = scannedpos_order("ORDER0001");
    sub_app["sub_appid"] = json!(APPID);
    let answer = rig.partner.post(&format!("{PARTNER}/scannedpos"), &sub_app).await.unwrap();
    assert_eq!(answer.code(), (400, "APPID_MCHID_NOT_MATCH".to_owned()));
}

#[tokio::test]
async fn numbers_are_unique_per_account_only() {
    let rig = start().await;
    assert_eq!(rig.create(&direct_order("ORDER0001")).await.status, 200);
    let partner =
        rig.partner.post(&format!("{PARTNER}/scannedpos"), &scannedpos_order("ORDER0001")).await.unwrap();
    assert_eq!(partner.status, 200);
}

#[tokio::test]
async fn a_full_simulator_says_so() {
    let rig = start_with(|config| config.orders_max = 1).await;
    assert_eq!(rig.create(&direct_order("ORDER0001")).await.status, 200);
    let full = rig.create(&direct_order("ORDER0002")).await;
    assert_eq!(full.code(), (500, "SYSTEM_ERROR".to_owned()));
    assert!(full.json()["message"].as_str().unwrap().contains("orders_max = 1"));
    assert_eq!(rig.create(&direct_order("ORDER0001")).await.status, 200);
    assert_eq!(rig.stats().await.orders.turned_away, 1);
}

#[tokio::test]
async fn other_paths_are_not_served() {
    let rig = start().await;
    let answer = rig.client.post("/v3/profitsharing/orders", &json!({})).await.unwrap();
    assert_eq!(answer.code(), (404, "NOT_FOUND".to_owned()));
}
