//! Creates: each channel, repeats, refusals, faults, launches by the payer's client.

use paymux_simulators::control::view::{Operation, Product, Provider, TradeState, UNKNOWN_ACCOUNT};
use paymux_simulators::faults::{FaultKind, Trouble, UpaasFault};
use paymux_simulators::upaas::{
    MerchantError, ORDER_LIFE_MS, Offer, RepeatedCreate, SignRule, UpaasMerchant,
};
use serde_json::{Value, json};

use super::rig::{
    KEY, STORE, call, detail, merchant, named, order, pay, post, sign, start, start_with, truth, try_call,
    yuan,
};

fn of_channel(number: &str, more: Value) -> Value {
    let mut create = order(number, "12.00", "");
    create.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    create
}

#[tokio::test]
async fn each_channel_has_its_launch_parameter_and_pays_with_it() {
    let rig = start().await;
    let cases = [
        ("W1", json!({"mode_code": "weixin", "wx_appid": "wx1"}), "pre_pay_info", Product::UpaasWeixinJsapi),
        (
            "W2",
            json!({"mode_code": "weixin", "sub_appid": "wx2", "sub_app_name": "茶馆", "pay_resource": 23}),
            "pre_pay_info",
            Product::UpaasWeixinMiniProgram,
        ),
        ("A1", json!({"mode_code": "alipay"}), "pre_pay_no", Product::UpaasAlipay),
        ("U1", json!({"mode_code": "unionpay"}), "pre_pay_url", Product::UpaasUnionpay),
    ];
    for (number, more, field, product) in cases {
        let (code, data) = call(&rig, "jsapi", of_channel(number, more)).await;
        assert_eq!(code, "000000");
        let names: Vec<&String> = data.as_object().unwrap().keys().collect();
        let mut expected = ["amount", "merchant_order_no", "order_number", field, "sign"];
        expected.sort_unstable();
        assert_eq!(names, expected);
        assert_eq!(
            (data["amount"].as_str(), data["merchant_order_no"].as_str()),
            (Some("12.00"), Some(number))
        );
        let known = truth(&rig, number).await;
        assert_eq!((known.provider, known.product, known.total), (Provider::Upaas, product, 1200));

        let launch = match field {
            "pre_pay_info" => data[field].clone(),
            "pre_pay_no" => json!({ "tradeNO": data[field] }),
            _ => json!({ "url": data[field] }),
        };
        let mut changed = launch.clone();
        let first = changed.as_object().unwrap().keys().next().unwrap().clone();
        changed[&first] = format!("{}x", changed[&first].as_str().unwrap()).into();
        assert_eq!(rig.control("launch", &changed).await.status, 409);
        let paid = rig.control("launch", &launch).await;
        assert_eq!(paid.status, 200, "{}", paid.json());
        assert_eq!(paid.json()["payment"]["transaction_id"], data["order_number"]);
        assert_eq!(rig.control("launch", &launch).await.status, 409, "nobody pays twice");
        assert_eq!(truth(&rig, number).await.trade_state, TradeState::Success);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_create_is_told_by_its_code() {
    let rig = start().await;
    for (more, code) in [
        (json!({"amount": "12"}), "100001"),
        (json!({"mode_code": "paypal"}), "100001"),
        (json!({"attach": "x"}), "100001"),
        (json!({"store_num": "9"}), "100002"),
    ] {
        assert_eq!(call(&rig, "jsapi", of_channel("T1", more)).await, (code.to_owned(), Value::Null));
    }
    let mut unsigned = order("T1", "12.00", "");
    assert_eq!(post(&rig, "jsapi", &unsigned).await.unwrap().code().1, "100003");
    unsigned["sign"] = sign(&unsigned).to_uppercase().into();
    assert_eq!(post(&rig, "jsapi", &unsigned).await.unwrap().code().1, "100003");
    assert_eq!(try_call(&rig, "nothing", order("T1", "12.00", "")).await.unwrap().status, 404);
    assert_eq!(rig.look(&format!("orders/{STORE}/T1")).await.status, 404);
    let stats = rig.stats().await;
    assert_eq!(stats.calls[STORE][&Operation::Create].calls, 5);
    assert_eq!(stats.calls[UNKNOWN_ACCOUNT][&Operation::Create].calls, 1);
}

#[tokio::test]
async fn a_used_number_is_refused_or_the_same_order_as_the_account_has_it() {
    let same = UpaasMerchant { repeated_create: RepeatedCreate::SameOrder, ..merchant("2") };
    let rig = start_with(|config| config.upaas.merchants.push(same)).await;
    let (_, first) = call(&rig, "jsapi", order("T1", "12.00", "")).await;
    let (code, data) = call(&rig, "jsapi", order("T1", "12.00", "")).await;
    assert_eq!((code.as_str(), &data["merchant_order_no"]), ("100010", &first["merchant_order_no"]));
    let at_same = |yuan: &str| {
        let mut create = order("T1", yuan, "");
        create["store_num"] = "2".into();
        create
    };
    let first = call(&rig, "jsapi", at_same("12.00")).await;
    assert_eq!(call(&rig, "jsapi", at_same("12.00")).await, first);
    assert_eq!(call(&rig, "jsapi", at_same("13.00")).await.0, "100010");
}

#[tokio::test]
async fn an_order_lives_two_hours_or_until_it_is_expired_by_hand() {
    let rig = start().await;
    for number in ["T1", "T2"] {
        call(&rig, "jsapi", order(number, "12.00", "")).await;
    }
    assert_eq!(rig.control("expire", &named("T1")).await.status, 200);
    assert_eq!(rig.control("pay", &named("T1")).await.status, 409);
    rig.simulator.clock().advance_ms(ORDER_LIFE_MS);
    assert_eq!(rig.control("pay", &named("T2")).await.status, 409);
}

#[tokio::test]
async fn each_trouble_of_a_create_is_as_the_table_says() {
    let rig = start_with(|config| {
        config.fault_tuning.hang_ms = 20;
        config.fault_tuning.errors_times = 1;
        config.fault_tuning.throttled_times = 1;
    })
    .await;
    for (trouble, status, is_made) in [
        (Trouble::Hung, None, false),
        (Trouble::AnswerLost, None, true),
        (Trouble::ServerError, Some(500), false),
        (Trouble::Garbage, Some(200), true),
        (Trouble::BadSignature, Some(200), true),
        (Trouble::Unsigned, Some(200), true),
        (Trouble::Throttled, Some(429), false),
    ] {
        let kind = UpaasFault::Create(trouble);
        let number = format!("{trouble:?}");
        let answer = try_call(&rig, "jsapi", order(&number, &yuan(kind), "")).await;
        assert_eq!(answer.as_ref().ok().map(|answer| answer.status), status, "{trouble:?}");
        let known = detail(&rig, &number).await;
        assert_eq!(known.order.is_some(), is_made, "{trouble:?}");
        assert!(known.faults.contains(&FaultKind::Upaas(kind)));
        let data = answer.map(|answer| answer.json()["data"].clone()).unwrap_or_default();
        assert_eq!(data.get("sign").is_some(), trouble == Trouble::BadSignature);
        if trouble == Trouble::BadSignature {
            assert_ne!(data["sign"], sign(&data));
        }
    }
    let refused = order("R", &yuan(UpaasFault::CreateRefused), "");
    for _ in 0..2 {
        assert_eq!(call(&rig, "jsapi", refused.clone()).await.0, "100020");
    }
    assert!(detail(&rig, "R").await.order.is_none());
}

#[tokio::test]
async fn an_account_may_sign_nothing_and_have_nothing_but_the_create() {
    let bare = UpaasMerchant {
        request_sign: SignRule::Off,
        response_sign: SignRule::Off,
        offers: Vec::new(),
        ..merchant("2")
    };
    let rig = start_with(|config| config.upaas.merchants.push(bare)).await;
    let mut create = order("T1", "12.00", "http://127.0.0.1:1/n");
    create["store_num"] = "2".into();
    let answer = post(&rig, "jsapi", &create).await.unwrap();
    assert_eq!(answer.code().1, "000000");
    assert_eq!(answer.json()["data"]["sign"], Value::Null);
    for path in ["query", "close", "refund", "refund_query"] {
        assert_eq!(post(&rig, path, &create).await.unwrap().status, 404, "{path}");
    }
    let paid = rig.control("pay", &json!({"mchid": "2", "out_trade_no": "T1"})).await;
    assert_eq!(paid.status, 200);
    assert_eq!(rig.stats().await.notifications.sent, 0);
}

#[tokio::test]
async fn an_account_number_belongs_to_one_provider() {
    let rig = start_with(|config| config.wechatpay.merchants.push(crate::rig::merchant("77"))).await;
    assert_eq!(rig.simulator.register_upaas(merchant("77")), Err(MerchantError::Taken("77".to_owned())));
    assert!(rig.simulator.register(crate::rig::merchant(STORE)).is_err());
    let mut document = json!({ "store_num": "88", "key": KEY, "offers": ["query"], "push_format": "form" });
    assert_eq!(rig.control("merchants/upaas", &document).await.status, 204);
    for (name, value) in [("store_num", json!("x/y")), ("key", json!("")), ("offers", json!(["secret"]))] {
        document[name] = value;
        let refused = rig.control("merchants/upaas", &document).await;
        assert_eq!(refused.status, 400);
        assert!(!String::from_utf8_lossy(&refused.body).contains("secret"));
    }
    call(&rig, "jsapi", order("T1", "12.00", "")).await;
    pay(&rig, "T1").await;
    assert_eq!(rig.control("reset", &json!({})).await.status, 204);
    assert_eq!(rig.look(&format!("orders/{STORE}/T1")).await.status, 404);
    assert_eq!(Offer::ALL.len(), 5);
}
