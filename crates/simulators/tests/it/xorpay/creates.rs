//! Creates: what is taken, what is refused and why, repeats, launch parameters, open ids.

use paymux_simulators::control::view::{OrdersPage, Product, TradeState, XorpayStatus};
use paymux_simulators::xorpay::LATE_PAYMENT_MS;
use serde_json::json;

use super::rig::{
    AID, Fields, OTHER_AID, create, get, merchant, named, order, pay, post, said, signed, start, start_with,
    truth, try_create, word,
};
use crate::rig::Rig;

const URL: &str = "http://127.0.0.1:1/n";

async fn refused(rig: &Rig, change: impl FnOnce(&mut Fields)) -> (String, String) {
    let mut order = order("T1", 1200, URL);
    change(&mut order);
    said(&try_create(rig, order).await.unwrap())
}

fn both(status: &str, info: &str) -> (String, String) {
    (status.to_owned(), info.to_owned())
}

#[tokio::test]
async fn a_create_gives_the_number_and_the_launch_parameters() {
    let rig = start().await;
    let answer = create(&rig, "T1", 1200, URL).await;
    assert_eq!(answer["expire_in"], 1800);
    let aoid = answer["aoid"].as_str().unwrap();
    assert!(aoid.len() == 32 && aoid.bytes().all(|byte| byte.is_ascii_hexdigit()));
    for name in ["appId", "timeStamp", "nonceStr", "package", "signType", "paySign"] {
        assert!(answer["info"][name].is_string(), "{name}");
    }
    let (order, xorpay) = truth(&rig, "T1").await;
    assert_eq!(
        (order.product, order.total, order.trade_state),
        (Product::XorpayJsapi, 1200, TradeState::Notpay)
    );
    assert_eq!((xorpay.aoid.as_str(), xorpay.status), (aoid, XorpayStatus::New));
    let page: OrdersPage = serde_json::from_slice(&rig.look("orders").await.body).unwrap();
    assert_eq!(page.orders, [order]);
}

#[tokio::test]
async fn refusals_name_their_argument() {
    let rig = start().await;
    for name in ["name", "price", "order_id", "notify_url", "openid"] {
        let told = refused(&rig, |order| _ = order.remove(name)).await;
        assert_eq!(told, both("missing_argument", name));
    }
    let set = |name: &'static str, value: &'static str| {
        move |order: &mut Fields| _ = order.insert(name.to_owned(), value.to_owned())
    };
    assert_eq!(refused(&rig, set("price", "12")).await, both("missing_argument", "price"));
    assert_eq!(refused(&rig, set("expire", "soon")).await, both("missing_argument", "expire"));
    assert_eq!(refused(&rig, set("appid", "wx1")).await, both("missing_argument", "appid"));
    assert_eq!(refused(&rig, set("pay_type", "native")).await, both("pay_type_error", "native"));
    let mut wrong = signed(order("T1", 1200, URL));
    wrong.insert("price".to_owned(), "1.00".to_owned());
    let answer = post(&rig, &format!("/api/pay/{AID}"), &wrong).await.unwrap();
    assert_eq!(said(&answer).0, "sign_error");
    let answer = post(&rig, "/api/pay/999", &signed(order("T1", 1200, URL))).await.unwrap();
    assert_eq!(said(&answer), both("aid_not_exist", "aid"));
    assert_eq!(rig.look(&format!("orders/{AID}/T1")).await.status, 404, "nothing was made");
}

#[tokio::test]
async fn a_frozen_account_creates_nothing() {
    let mut frozen = merchant(AID);
    frozen.is_off = true;
    let rig = start_with(|config| config.xorpay.merchants = vec![frozen]).await;
    assert_eq!(refused(&rig, |_| ()).await.0, "app_off");
}

#[tokio::test]
async fn the_same_create_gives_the_same_and_other_content_is_refused() {
    let rig = start().await;
    let first = create(&rig, "T1", 1200, URL).await;
    rig.simulator.clock().advance_ms(60_000);
    let again = create(&rig, "T1", 1200, URL).await;
    assert_eq!((&again["aoid"], &again["info"]), (&first["aoid"], &first["info"]));
    // Real time goes by, too.
    let left_s = again["expire_in"].as_i64().unwrap();
    assert!(left_s <= 1740, "a repeat renews nothing: {left_s} s are left");
    let other = try_create(&rig, order("T1", 1300, URL)).await.unwrap();
    assert_eq!(said(&other).0, "order_exist");
    let elsewhere =
        post(&rig, &format!("/api/pay/{OTHER_AID}"), &signed(order("T1", 1300, URL))).await.unwrap();
    assert_eq!(said(&elsewhere).0, "ok", "numbers are unique per account");
    pay(&rig, "T1").await;
    assert_eq!(said(&try_create(&rig, order("T1", 1200, URL)).await.unwrap()).0, "order_payed");
}

#[tokio::test]
async fn an_order_lives_as_long_as_it_asked_to_and_is_paid_a_little_longer() {
    let rig = start().await;
    create(&rig, "T1", 1200, URL).await;
    create(&rig, "T2", 1200, URL).await;
    rig.simulator.clock().advance_ms(1_800_000);
    assert_eq!(word(&rig, "T1").await, "expire");
    assert_eq!(said(&try_create(&rig, order("T1", 1200, URL)).await.unwrap()).0, "order_expire");
    pay(&rig, "T1").await;
    assert_eq!(word(&rig, "T1").await, "payed");
    rig.simulator.clock().advance_ms(LATE_PAYMENT_MS);
    assert_eq!(rig.control("pay", &named("T2")).await.status, 409);
    assert_eq!(rig.control("pay", &named("T1")).await.status, 409, "nobody pays twice");

    let mut endless = order("T3", 1200, URL);
    endless.remove("expire");
    assert_eq!(try_create(&rig, endless).await.unwrap().json()["expire_in"], 7200);
    assert_eq!(rig.control("expire", &named("T3")).await.status, 200);
    assert_eq!(rig.control("pay", &named("T3")).await.status, 409);
}

#[tokio::test]
async fn the_payers_client_checks_the_launch_parameters() {
    let rig = start().await;
    let info = create(&rig, "T1", 1200, URL).await["info"].clone();
    for (name, value) in [
        ("paySign", "0".repeat(32)),
        ("timeStamp", "1".to_owned()),
        ("appId", "wx1".to_owned()),
        ("signType", "RSA".to_owned()),
    ] {
        let mut wrong = info.clone();
        wrong[name] = json!(value);
        assert_eq!(rig.control("launch", &wrong).await.status, 409, "{name}");
    }
    let answer = rig.control("launch", &info).await;
    assert_eq!((answer.status, &answer.json()["out_trade_no"]), (200, &json!("T1")));
    assert_eq!(rig.control("launch", &info).await.status, 409, "paid already");
}

#[tokio::test]
async fn open_ids_come_from_their_endpoint() {
    let mut strict = merchant(AID);
    strict.checks_openids = true;
    let rig = start_with(|config| config.xorpay.merchants = vec![strict]).await;
    assert_eq!(refused(&rig, |_| ()).await, both("invalid_openid", "openid"));
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let url = format!("{}/api/openid/{AID}?callback=http%3A%2F%2Fabc.com%2Fpay", rig.simulator.base_url());
    let answer = builder.build().unwrap().get(url).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let openid = location.strip_prefix("http://abc.com/pay&openid=").unwrap().to_owned();
    assert_eq!(refused(&rig, |order| _ = order.insert("openid".to_owned(), openid)).await.0, "ok");
    assert_eq!(get(&rig, "/api/openid/999?callback=x").await.unwrap().status, 404);
    assert_eq!(
        said(&get(&rig, &format!("/api/openid/{AID}")).await.unwrap()),
        both("missing_argument", "callback")
    );
}

#[tokio::test]
async fn a_merchant_is_registered_at_run_time() {
    let rig = start().await;
    let document = json!({"aid": "777", "app_secret": "the app secret"});
    assert_eq!(rig.control("merchants/xorpay", &document).await.status, 204);
    let answer = post(&rig, "/api/pay/777", &signed(order("T1", 1200, URL))).await.unwrap();
    assert_eq!(said(&answer).0, "ok");
    let taken = json!({"aid": crate::rig::MCHID, "app_secret": "x"});
    assert_eq!(rig.control("merchants/xorpay", &taken).await.status, 400, "a merchant of WeChat Pay");
    let faulty = rig.control("merchants/xorpay", &json!({"aid": "7-7", "app_secret": "hidden"})).await;
    assert!(faulty.status == 400 && !faulty.json().to_string().contains("hidden"));
}
