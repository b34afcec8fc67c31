//! The cashier: an order comes into being when a payer opens its URL, and nothing of it goes back to the
//! merchant.

use paymux_simulators::control::view::{Operation, Product, Provider, TradeState, UNKNOWN_ACCOUNT};
use paymux_simulators::payjs::CASHIER_LIFE_MS;
use serde_json::{Value, json};

use super::rig::{
    Fields, KEY, MCHID, OTHER_MCHID, browser, detail, launch_url, named, open, order, pay, said, sign,
    signed, start, start_with, truth, try_open, with_form,
};
use crate::client::{Answer, read};
use crate::rig::Rig;

const URL: &str = "http://127.0.0.1:1/notify";

/// The reason of a refusal in PayJS's form.
fn refusal(answer: &Answer) -> String {
    assert_eq!(answer.status, 200);
    let body = answer.json();
    let message = body["return_msg"].as_str().unwrap().to_owned();
    assert!(message.chars().count() <= 32, "{message}");
    assert_eq!(body, json!({"return_code": 0, "status": 0, "msg": message, "return_msg": message}));
    message
}

async fn post_form(rig: &Rig, form: &Fields) -> Answer {
    let url = format!("{}/api/cashier", rig.simulator.base_url());
    read(with_form(browser().post(url), form).send().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn an_order_exists_once_a_payer_has_opened_its_url() {
    let rig = start().await;
    assert_eq!(rig.look(&format!("orders/{MCHID}/T1")).await.status, 404);
    let early = rig.control("pay", &named("T1")).await;
    assert_eq!((early.status, early.json()["error"].as_str()), (409, Some("the order does not exist")));

    let answer = try_open(&rig, order("T1", 1200, URL)).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (302, 0));
    let (order, payjs) = truth(&rig, "T1").await;
    assert_eq!((order.provider, order.product), (Provider::Payjs, Product::Cashier));
    assert_eq!((order.total, order.trade_state, order.payment), (1200, TradeState::Notpay, None));
    assert_eq!((payjs.opened, payjs.payjs_order_id.len()), (1, 25));
    assert!(payjs.payjs_order_id.bytes().all(|byte| byte.is_ascii_digit()));
    // Whoever opens the URL in the payer's place learns nothing of the order.
    let location = answer.headers["Location"].to_str().unwrap();
    assert!(!location.contains(&payjs.payjs_order_id) && !location.contains("T1"));
}

#[tokio::test]
async fn the_cashier_takes_forms_as_well() {
    let rig = start().await;
    let answer = post_form(&rig, &signed(order("T1", 1200, URL))).await;
    assert_eq!(answer.status, 302, "{}", answer.json());
    assert_eq!(truth(&rig, "T1").await.1.opened, 1);
}

#[tokio::test]
async fn the_same_content_leads_to_the_same_order_and_other_content_is_refused() {
    let rig = start().await;
    let first = open(&rig, order("T1", 1200, URL)).await;
    let id = truth(&rig, "T1").await.1.payjs_order_id;
    assert_eq!(open(&rig, order("T1", 1200, URL)).await, first);
    // An empty field is no content.
    let mut with_empty = order("T1", 1200, URL);
    with_empty.insert("logo".to_owned(), String::new());
    assert_eq!(open(&rig, with_empty).await, first);
    let payjs = truth(&rig, "T1").await.1;
    assert_eq!((payjs.opened, payjs.payjs_order_id), (3, id));

    for (name, value) in [("total_fee", "1201"), ("body", "其他"), ("attach", "order:43"), ("auto", "1")] {
        let mut other = order("T1", 1200, URL);
        other.insert(name.to_owned(), value.to_owned());
        assert_eq!(refusal(&try_open(&rig, other).await.unwrap()), "商户订单号重复", "{name}");
    }
    assert_eq!(truth(&rig, "T1").await.0.total, 1200);
    let mut foreign = order("T1", 1201, URL);
    foreign.insert("mchid".to_owned(), OTHER_MCHID.to_owned());
    open(&rig, foreign).await;
}

#[tokio::test]
async fn faulty_requests_are_refused_in_payjs_form() {
    let rig = start().await;
    for (name, value, message) in [
        ("mchid", "1699999999", "商户号不存在"),
        ("mchid", "", "商户号不存在"),
        ("body", &"款".repeat(33), "body 参数过长"),
        ("out_trade_no", &"9".repeat(33), "out_trade_no 参数过长"),
        ("out_trade_no", "", "out_trade_no 参数缺失"),
        ("total_fee", "0", "total_fee 参数错误"),
        ("total_fee", "12.00", "total_fee 参数错误"),
        ("notify_url", "https://pay.example.com/n?a=1", "notify_url 参数错误"),
        ("time_expire", "20260101000000", "time_expire 参数未知"),
    ] {
        let mut faulty = order("T1", 1200, URL);
        faulty.insert(name.to_owned(), value.to_owned());
        assert_eq!(refusal(&try_open(&rig, faulty).await.unwrap()), message, "{name}={value}");
    }
    let url = format!("{}/api/cashier", rig.simulator.base_url());
    let no_form = read(browser().post(url).body("x").send().await.unwrap()).await.unwrap();
    assert_eq!(refusal(&no_form), "参数错误");
    assert_eq!(rig.look(&format!("orders/{MCHID}/T1")).await.status, 404);
    let stats = rig.stats().await;
    assert_eq!(stats.calls[MCHID][&Operation::Create].answers[&200], 7);
    assert_eq!(stats.calls[UNKNOWN_ACCOUNT][&Operation::Create].calls, 3);
}

#[tokio::test]
async fn only_the_merchants_own_signature_opens_the_cashier() {
    let rig = start().await;
    let right = signed(order("T1", 1200, URL));
    let opened_with = async |change: (&str, &str)| {
        let mut form = right.clone();
        form.insert(change.0.to_owned(), change.1.to_owned());
        post_form(&rig, &form).await
    };
    let stranger = sign(&right, "another key", false);
    for sign in ["", "X", &right["sign"].to_lowercase(), &stranger] {
        assert_eq!(refusal(&opened_with(("sign", sign)).await), "签名错误", "{sign}");
    }
    for (name, value) in [("total_fee", "1201"), ("attach", "order:43"), ("hide", "1")] {
        assert_eq!(refusal(&opened_with((name, value)).await), "签名错误", "{name}");
    }
    // Values 0 may take part in the signature or not, as the SDKs have it.
    for (number, drops_zero) in [("T2", false), ("T3", true)] {
        let mut form = order(number, 1200, URL);
        form.insert("auto".to_owned(), "0".to_owned());
        form.insert("sign".to_owned(), sign(&form, KEY, drops_zero));
        assert_eq!(post_form(&rig, &form).await.status, 302);
    }
}

#[tokio::test]
async fn a_paid_closed_or_worn_out_order_cannot_be_opened_or_paid() {
    let rig = start().await;
    for number in ["PAID", "CLOSED", "EXPIRED", "OLD"] {
        open(&rig, order(number, 1200, "")).await;
    }
    pay(&rig, "PAID").await;
    assert_eq!(said(&rig, "close", "CLOSED").await.0, "1");
    assert_eq!(rig.control("expire", &named("EXPIRED")).await.status, 200);
    assert_eq!(rig.control("expire", &named("PAID")).await.status, 409);
    rig.simulator.clock().advance_ms(CASHIER_LIFE_MS);
    for (number, opened, paid) in [
        // One order takes one payment.
        ("PAID", "订单已支付", "the order is paid"),
        ("CLOSED", "订单已关闭", "the order is closed"),
        ("EXPIRED", "订单已过期", "the order has expired"),
        ("OLD", "订单已过期", "the order has expired"),
    ] {
        assert_eq!(refusal(&try_open(&rig, order(number, 1200, "")).await.unwrap()), opened);
        let pay = rig.control("pay", &named(number)).await;
        assert_eq!((pay.status, pay.json()["error"].as_str()), (409, Some(paid)));
    }
    assert_eq!(truth(&rig, "OLD").await.0.trade_state, TradeState::Closed);
}

#[tokio::test]
async fn a_payer_pays_on_the_page_and_comes_to_the_merchants_own() {
    let rig = start().await;
    let mut with_callback = order("T1", 1215, "");
    with_callback.insert("body".to_owned(), "<b>A & B</b>".to_owned());
    with_callback.insert("callback_url".to_owned(), "https://shop.example.com/done?a=1".to_owned());
    let page = format!("{}{}", rig.simulator.base_url(), open(&rig, with_callback).await);
    let shown = browser().get(&page).send().await.unwrap().text().await.unwrap();
    assert!(shown.contains("12.15 CNY") && shown.contains("&lt;b&gt;A &amp; B&lt;/b&gt;"), "{shown}");
    assert!(!shown.contains(&truth(&rig, "T1").await.1.payjs_order_id));
    let paid = browser().post(&page).send().await.unwrap();
    assert_eq!(
        (paid.status().as_u16(), paid.headers()["Location"].to_str().unwrap()),
        (302, "https://shop.example.com/done?a=1")
    );
    assert_eq!(truth(&rig, "T1").await.0.trade_state, TradeState::Success);
    let again = browser().post(&page).send().await.unwrap().text().await.unwrap();
    assert!(again.contains("the order is paid"), "{again}");
    let unknown = format!("{}/payjs/cashier/0", rig.simulator.base_url());
    assert_eq!(browser().get(unknown).send().await.unwrap().status().as_u16(), 404);
}

#[tokio::test]
async fn the_console_opens_and_pays_launch_urls() {
    let rig = start().await;
    let url = launch_url(&rig, &signed(order("T1", 1200, "")));
    let opened = rig.control("open", &json!({ "url": url })).await.json();
    assert_eq!(
        (&opened["order"]["out_trade_no"], &opened["order"]["payjs"]["opened"]),
        (&json!("T1"), &json!(1))
    );
    let paid = rig.control("launch", &json!({ "url": url })).await;
    assert_eq!((paid.status, paid.json()["payment"]["total"].as_i64()), (200, Some(1200)));

    let unsigned = launch_url(&rig, &order("T2", 1200, ""));
    for (path, url, reason) in [
        ("open", url.as_str(), "the cashier refuses: 订单已支付"),
        ("launch", unsigned.as_str(), "the cashier refuses: 签名错误"),
        ("open", "nonsense", "not a cashier URL: want an absolute URL with the path /api/cashier"),
        (
            "open",
            "http://127.0.0.1/api/check",
            "not a cashier URL: want an absolute URL with the path /api/cashier",
        ),
    ] {
        let refused = rig.control(path, &json!({ "url": url })).await;
        assert_eq!((refused.status, refused.json()["error"].as_str()), (409, Some(reason)), "{path} {url}");
    }
    assert_eq!(rig.stats().await.calls[MCHID][&Operation::Create].calls, 4);
}

#[tokio::test]
async fn discounts_are_not_known() {
    let rig = start().await;
    open(&rig, order("T1", 1200, "")).await;
    let mut body = named("T1");
    body["payer_total"] = json!(1000);
    assert_eq!(rig.control("pay", &body).await.status, 400);
    assert_eq!(truth(&rig, "T1").await.0.payment, None);
}

#[tokio::test]
async fn a_full_simulator_says_so() {
    let rig = start_with(|config| config.orders_max = 1).await;
    open(&rig, order("T1", 1200, "")).await;
    let full = try_open(&rig, order("T2", 1200, "")).await.unwrap();
    assert_eq!(full.status, 500);
    assert!(String::from_utf8_lossy(&full.body).contains("orders_max = 1"));
    open(&rig, order("T1", 1200, "")).await;
    assert_eq!(rig.stats().await.orders.turned_away, 1);
}

#[tokio::test]
async fn openings_are_counted_at_the_order() {
    let rig = start().await;
    open(&rig, order("T1", 1200, "")).await;
    try_open(&rig, order("T1", 1201, "")).await.unwrap();
    let detail = detail(&rig, "T1").await;
    assert_eq!((detail.calls.create, detail.prepay_ids.len()), (2, 0));
    let other = rig.look("orders").await.json();
    assert_eq!(other["orders"][0]["payjs"]["opened"], json!(1));
    assert_eq!(other["orders"][0]["payment"], Value::Null);
}
