//! Orders that WeChat Pay would refuse are refused before they are accepted, all faults at once.

use std::time::Duration;

use paymux_domain::command::Created;
use paymux_domain::limits::EXPIRY_MAX;

use super::{created, kit};

fn fields(order: &Created) -> Vec<String> {
    kit().provider.check(order).into_iter().map(|fault| fault.field).collect()
}

#[track_caller]
fn check(method: &str, change: impl FnOnce(&mut Created), expected: &[&str]) {
    let mut order = created(method);
    change(&mut order);
    assert_eq!(fields(&order), expected);
}

#[test]
fn orders_that_fit_have_no_faults() {
    for method in ["jsapi", "partner_jsapi", "scannedpos"] {
        check(method, |_| {}, &[]);
    }
    check("jsapi", |order| order.payer.app_id = Some("wx9999999999999999".to_owned()), &[]);
    check("jsapi", |order| order.payer.client_ip = None, &[]);
    check("jsapi", |order| order.expire_time = order.created_time + EXPIRY_MAX, &[]);
    check("jsapi", |order| order.description = "款".repeat(127), &[]);
}

#[test]
fn all_faults_are_found_at_once() {
    let mut order = created("scannedpos");
    order.out_trade_no = "short".parse().unwrap();
    order.description = String::new();
    order.attach = Some("x".repeat(129));
    order.payer.open_id = None;
    order.payer.client_ip = None;
    order.payer.app_id = Some("wxother".to_owned());
    order.expire_time = order.created_time + EXPIRY_MAX + Duration::from_millis(1);
    order.options_json =
        r#"{"goods_tag":"","device_id":"d","store_info":{"id":"0001","out_id":"1"}}"#.to_owned();
    let faults = kit().provider.check(&order);
    let text: Vec<String> = faults.iter().map(|fault| format!("{}: {}", fault.field, fault.reason)).collect();
    insta::assert_snapshot!(text.join("\n"), @r"
    merchant_order_no: must have 6 to 32 characters, the prefix included
    description: must have 1 to 127 characters
    attach: must have 1 to 128 characters
    payer.open_id: is demanded
    expire_time: must be at most 7 days ahead
    wechatpay.goods_tag: must have 1 to 32 characters
    payer.app_id: must be an app of the merchant's account
    wechatpay.store: scannedpos takes either id or out_id
    payer.client_ip: is demanded with scannedpos, a shop or a device
    ");
}

#[test]
fn texts_have_bounds_and_no_control_characters() {
    check("jsapi", |order| order.description = "款".repeat(128), &["description"]);
    check("jsapi", |order| order.description = "a\nb".to_owned(), &["description"]);
    check("jsapi", |order| order.attach = Some(String::new()), &["attach"]);
    check("jsapi", |order| order.payer.open_id = Some("o p".to_owned()), &["payer.open_id"]);
    check("jsapi", |order| order.payer.client_ip = Some("home".to_owned()), &["payer.client_ip"]);
    check("jsapi", |order| order.expire_time = order.created_time, &["expire_time"]);
}

#[test]
fn method_and_app_must_be_the_accounts() {
    check("jsapi", |order| order.method = "scannedpos".to_owned(), &["method"]);
    check("partner_jsapi", |order| order.method = "jsapi".to_owned(), &["method"]);
    check("jsapi", |order| order.method = "native".to_owned(), &["method"]);
    check("jsapi", |order| order.payer.app_id = Some("wxd678efh567hg6999".to_owned()), &["payer.app_id"]);
    let partners = r#"{"payer_scope":"partner"}"#;
    let subs = |order: &mut Created| {
        order.payer.app_id = Some("wxd678efh567hg6999".to_owned());
        order.options_json = partners.to_owned();
    };
    check("partner_jsapi", subs, &["payer.app_id"]);
    check("jsapi", |order| order.account = "gone".parse().unwrap(), &["merchant_id"]);
}

#[test]
fn shops_fit_their_product() {
    let with = |json: &str| {
        let json = json.to_owned();
        move |order: &mut Created| order.options_json = json
    };
    check("scannedpos", with(""), &["wechatpay.store"]);
    check("scannedpos", with(r#"{"store_info":{"id":"1","out_id":"2"}}"#), &["wechatpay.store"]);
    check("scannedpos", with(r#"{"store_info":{"id":"1","name":"shop"}}"#), &["wechatpay.store"]);
    check("jsapi", with(r#"{"store_info":{"out_id":"2"}}"#), &["wechatpay.store"]);
    check("jsapi", with(r#"{"store_info":{"name":"shop"}}"#), &["wechatpay.store"]);
    check("jsapi", with(r#"{"store_info":{"id":"1","name":"shop"}}"#), &[]);
    let alone = |order: &mut Created| {
        order.payer.client_ip = None;
        order.options_json = r#"{"device_id":"d"}"#.to_owned();
    };
    check("jsapi", alone, &["payer.client_ip"]);
}

#[test]
fn unknown_options_are_refused_and_goods_have_bounds() {
    let with = |json: &str| {
        let json = json.to_owned();
        move |order: &mut Created| order.options_json = json
    };
    check("jsapi", with(r#"{"limit_pay":["no_credit"]}"#), &["wechatpay"]);
    check("jsapi", with("{"), &["wechatpay"]);
    let goods = r#"{"detail":{"cost_price":0,"goods_detail":[
        {"merchant_goods_id":"","quantity":0,"unit_price":-1}]}}"#;
    check(
        "jsapi",
        with(goods),
        &[
            "wechatpay.detail.cost_price_minor",
            "wechatpay.detail.goods[0].merchant_goods_id",
            "wechatpay.detail.goods[0].quantity",
            "wechatpay.detail.goods[0].unit_price_minor",
        ],
    );
}
