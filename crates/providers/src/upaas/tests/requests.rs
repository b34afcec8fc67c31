//! What leaves: the create with every field, and the calls that the account names.

use paymux_domain::outcome::Operation;
use paymux_domain::ports::{BuildError, Call};
use serde_json::{Value, json};

use super::{
    BARE, FULL, KEY, Kit, asked, asked_refund, bare, call, created, kit, kit_of, launched, of_method, sign,
    with,
};

fn text(kit: &Kit, call: &Call) -> String {
    let request = kit.build(call);
    let headers: Vec<String> =
        request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let body = String::from_utf8(request.body).unwrap();
    format!("{} {}\n{}\n\n{body}", request.method.as_str(), request.url, headers.join("\n"))
}

fn create(kit: &Kit, method: &str, options: &str) -> Value {
    let mut order = of_method(method);
    if !options.is_empty() {
        order.options_json = options.to_owned();
    }
    Value::Object(kit.sent(&call(Operation::Create, order, vec![])))
}

#[test]
fn the_create_of_a_bare_account_has_the_pages_fields_and_no_signature() {
    insta::assert_snapshot!(text(&bare(), &call(Operation::Create, created(), vec![])), @r#"
    POST https://cqopen.upaas.unionpay.com/v2/pay/jsapi
    accept: application/json
    content-type: application/json

    {"amount":"0.01","merchant_order_no":"1596004809","mode_code":"weixin","open_id":"oTestOpenId0001","store_num":"1000001","wx_appid":"wx7b54f0a5769316b9"}
    "#);
}

#[test]
fn every_field_of_the_page_is_sent_where_it_is_given() {
    let options = r#"{"pay_resource":23,"staff_num":"10000001","device_sn":"SN 1","sub_app_name":"茶馆","sub_appid":"wxsub","wx_appid":"wxpub"}"#;
    let expected = json!({
        "store_num": "1000001", "pay_resource": 23, "staff_num": "10000001", "device_sn": "SN 1",
        "sub_app_name": "茶馆", "sub_appid": "wxsub", "wx_appid": "wxpub", "open_id": "oTestOpenId0001",
        "mode_code": "alipay", "amount": "0.01", "merchant_order_no": "1596004809",
    });
    assert_eq!(create(&bare(), "alipay", options), expected);
    assert_eq!(expected.as_object().unwrap().len(), super::super::request::FIELDS.len());
}

#[test]
fn each_method_is_its_channel_and_has_its_app() {
    let app = "wx7b54f0a5769316b9";
    let check = |method: &str, fields: Value| {
        let base = json!({
            "store_num": "1000001", "open_id": "oTestOpenId0001", "amount": "0.01", "merchant_order_no": "1596004809",
        });
        assert_eq!(create(&bare(), method, ""), with(&base, fields), "{method}");
    };
    check("weixin_jsapi", json!({ "mode_code": "weixin", "wx_appid": app }));
    check("weixin_mini_program", json!({ "mode_code": "weixin", "sub_appid": app, "sub_app_name": "茶馆" }));
    check("alipay", json!({ "mode_code": "alipay" }));
    check("unionpay", json!({ "mode_code": "unionpay" }));
}

#[test]
fn what_the_account_says_for_all_orders_is_taken_once() {
    let defaults = r#"
        store_num = "1000001"
        wx_appid = "wxacc"
        sub_appid = "wxaccsub"
        sub_app_name = "Tea"
        staff_num = "1"
        device_sn = "D"
        pay_resource = 23
    "#;
    let (old, new) = (kit_of(defaults), bare());
    for (method, app) in [("weixin_jsapi", "wxacc"), ("weixin_mini_program", "wxaccsub")] {
        let mut order = of_method(method);
        order.payer.app_id = None;
        order.options_json = String::new();
        assert_eq!(old.0.check(&order), []);
        assert!(!new.0.check(&order).is_empty(), "the bare account has no app");
        let resolved = old.0.resolve(order.clone());
        assert_eq!(resolved.payer.app_id.as_deref(), Some(app));
        assert_eq!(old.0.resolve(resolved.clone()), resolved, "once is enough");
        assert_eq!(old.0.check(&resolved), []);
        let sent =
            |kit: &Kit, order: &super::Created| kit.sent(&call(Operation::Create, order.clone(), vec![]));
        assert_eq!(sent(&old, &resolved), sent(&old, &order), "it says what the order said");
        assert_eq!(sent(&new, &resolved), sent(&old, &order), "and goes on saying it");
    }
    assert_eq!(create(&old, "alipay", "")["staff_num"], "1");
    assert_eq!(create(&old, "alipay", r#"{"staff_num":"2"}"#)["staff_num"], "2");
}

#[test]
fn the_same_order_has_the_same_create_whenever_it_is_sent() {
    let mut again = call(Operation::Create, created(), vec![launched()]);
    again.now = super::Timestamp::from_millis(1_800_000_000_000);
    again.nonce = [3, 4];
    let first = kit().build(&call(Operation::Create, created(), vec![]));
    assert_eq!(kit().build(&again).body, first.body);
}

#[test]
fn the_account_names_format_fields_host_and_signature() {
    let section = format!(
        r#"{FULL}
        request_format = "form"
        request_fields = [{{ name = "app_id", value = "1+1=2&3" }}]
        notify_url_field = "notify_url"
        base_url = "http://127.0.0.1:9/"
        timeout_ms = 1234
        "#
    );
    let kit = kit_of(&section);
    let request = kit.build(&call(Operation::Create, created(), vec![]));
    assert_eq!(
        (request.url.as_str(), request.timeout.as_millis()),
        ("http://127.0.0.1:9/v2/pay/jsapi", 1234)
    );
    insta::assert_snapshot!(String::from_utf8(request.body).unwrap().replace('&', "\n&"), @r"
    amount=0.01
    &app_id=1%2B1%3D2%263
    &merchant_order_no=1596004809
    &mode_code=weixin
    &notify_url=https%3A%2F%2Fpay.example.com%2Fnotify%2Fupaas%2Fm1
    &open_id=oTestOpenId0001
    &store_num=1000001
    &wx_appid=wx7b54f0a5769316b9
    &sign=e325693b95a2f0a756c862574b1b8e23
    ");
    let query = kit.build(&asked(Operation::Query));
    assert!(String::from_utf8(query.body).unwrap().contains("app_id="), "in every request");
    let appended = kit_of(&format!("{FULL}\nkey_joining = \"appended\""));
    let sent = appended.sent(&call(Operation::Create, created(), vec![]));
    assert_eq!(sent["sign"], super::sign_as(&sent, KEY, false, true));
}

#[test]
fn the_other_calls_name_both_numbers_as_far_as_they_are_known() {
    let (kit, numbers) = (kit(), json!({ "merchant_order_no": "1596004809", "store_num": "1000001" }));
    let check = |call: &Call, path: &str, fields: Value| {
        let sent = kit.sent(call);
        assert_eq!(sent["sign"], sign(&sent, KEY));
        assert_eq!(with(&Value::Object(sent), json!({ "sign": null })), with(&numbers, fields));
        assert_eq!(kit.build(call).url, format!("https://cqopen.upaas.unionpay.com{path}"));
    };
    let theirs = json!({ "order_number": super::ORDER_NUMBER });
    check(&asked(Operation::Query), "/v2/pay/query", theirs);
    check(&call(Operation::Query, created(), vec![]), "/v2/pay/query", json!({}));
    check(&asked(Operation::Close), "/v2/pay/close", json!({}));
    let refund =
        json!({ "refund_no": super::REFUND_NO, "refund_amount": "0.01", "refund_reason": "returned" });
    check(&asked(Operation::Refund), "/v2/pay/refund", refund);
    check(&asked_refund(), "/v2/pay/refund_query", json!({ "refund_no": super::REFUND_NO }));
}

#[test]
fn what_the_account_does_not_name_is_lacking() {
    for operation in [Operation::Query, Operation::Close, Operation::Refund] {
        assert_eq!(bare().try_build(&asked(operation)).err(), Some(BuildError::Lacking(operation)));
    }
    assert_eq!(bare().try_build(&asked_refund()).err(), Some(BuildError::Lacking(Operation::Query)));
    let without = super::call(Operation::Refund, created(), vec![launched()]);
    assert_eq!(kit().try_build(&without).err(), Some(BuildError::Lacking(Operation::Refund)));
}

#[test]
fn an_order_that_was_not_checked_is_not_sent() {
    let refused = |change: fn(&mut super::Created)| {
        let mut order = created();
        change(&mut order);
        match kit_of(BARE).try_build(&call(Operation::Create, order, vec![])) {
            Err(BuildError::Field { field, .. }) => field,
            other => panic!("built: {other:?}"),
        }
    };
    assert_eq!(refused(|order| order.method = "cashier".to_owned()), "method");
    assert_eq!(refused(|order| order.options_json = "{\"x\":1}".to_owned()), "upaas");
    assert_eq!(refused(|order| order.payer.open_id = None), "payer.open_id");
    assert_eq!(refused(|order| order.payer.app_id = None), "upaas.wx_appid");
    let mut gone = created();
    gone.account = "gone".parse().unwrap();
    let error = bare().try_build(&call(Operation::Create, gone, vec![])).err();
    assert_eq!(error, Some(BuildError::UnknownAccount("gone".parse().unwrap())));
}
