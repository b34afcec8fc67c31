//! Orders before they are accepted: every fault at once, and no more than the faults.

use paymux_domain::command::Created;
use paymux_domain::time::Timestamp;

use super::{created, kit, of_method};

fn faults(change: impl FnOnce(&mut Created)) -> String {
    let mut order = created();
    change(&mut order);
    let faults = kit().0.check(&order);
    faults.iter().map(|fault| format!("{}: {}", fault.field, fault.reason)).collect::<Vec<_>>().join("\n")
}

#[test]
fn good_orders_have_no_fault() {
    for method in ["weixin_jsapi", "weixin_mini_program", "alipay", "unionpay"] {
        assert_eq!(kit().0.check(&of_method(method)), [], "{method}");
    }
    assert_eq!(faults(|order| order.payer.open_id = Some("o".repeat(36))), "");
    assert_eq!(faults(|order| order.out_trade_no = "1".parse().unwrap()), "");
    let long = "x".repeat(36);
    let options = format!(
        r#"{{"pay_resource":999,"staff_num":"12345678","device_sn":"{}","sub_app_name":"{}","sub_appid":"{long}"}}"#,
        "d".repeat(32),
        "茶".repeat(36)
    );
    assert_eq!(faults(|order| order.options_json = options), "");
    let biggest = paymux_domain::limits::AMOUNT_MINOR_MAX;
    let amount = |order: &mut Created| {
        order.amount = paymux_domain::amount::Amount::new(biggest, order.amount.currency()).unwrap();
    };
    assert_eq!(faults(amount), "");
}

#[test]
fn every_fault_of_an_order_is_found_at_once() {
    let all = faults(|order| {
        order.method = "cashier".to_owned();
        order.payer.open_id = Some(format!("o&amount=0.01{}", "x".repeat(36)));
        order.payer.app_id = Some("a".repeat(37));
        order.expire_time = Timestamp::from_millis(0);
        order.options_json = format!(
            r#"{{"pay_resource":1000,"staff_num":"123456789","device_sn":" ","sub_app_name":"","sub_appid":"{}","wx_appid":"a&mode_code=x"}}"#,
            "x".repeat(37)
        );
    });
    insta::assert_snapshot!(all, @r"
    payer.open_id: must have 1 to 36 visible ASCII characters
    payer.open_id: must not hold & with a field of UPaaS and =, such as &amount=
    payer.app_id: must have at most 36 characters
    expire_time: must be ahead
    upaas.pay_resource: must be 0 to 999
    upaas.staff_num: must have 1 to 8 characters
    upaas.device_sn: must not begin or end with a blank
    upaas.sub_app_name: must have 1 to 36 characters
    upaas.sub_appid: must have 1 to 36 characters
    upaas.wx_appid: must not hold & with a field of UPaaS and =, such as &amount=
    method: must be weixin_jsapi, weixin_mini_program, alipay or unionpay
    ");
}

#[test]
fn each_method_demands_its_app() {
    let of = |method: &str, options: &str, app: Option<&str>| {
        faults(|order| {
            order.method = method.to_owned();
            order.payer.app_id = app.map(str::to_owned);
            order.options_json = options.to_owned();
        })
    };
    insta::assert_snapshot!(of("weixin_jsapi", "", None), @"upaas.wx_appid: is demanded by weixin_jsapi: here, as payer.app_id or in the account");
    insta::assert_snapshot!(of("weixin_mini_program", "", None), @r"
    upaas.sub_appid: is demanded by weixin_mini_program: here, as payer.app_id or in the account
    upaas.sub_app_name: is demanded by weixin_mini_program: here or in the account
    ");
    insta::assert_snapshot!(of("weixin_jsapi", r#"{"wx_appid":"wx1"}"#, Some("wx2")), @"payer.app_id: is another app than that of the options");
    assert_eq!(of("weixin_jsapi", r#"{"wx_appid":"wx1"}"#, Some("wx1")), "");
    assert_eq!(of("weixin_jsapi", r#"{"wx_appid":"wx1"}"#, None), "");
    assert_eq!(of("alipay", "", None), "");
    insta::assert_snapshot!(faults(|order| order.payer.open_id = None), @"payer.open_id: is demanded");
}

#[test]
fn options_of_another_shape_are_refused_without_their_values() {
    for options in [r#"{"staff_num":1}"#, r#"{"secret":1}"#, "1", "secret", r#"{"pay_resource":-1}"#] {
        let fault = faults(|order| order.options_json = options.to_owned());
        assert_eq!(fault, "upaas: not the options of upaas, or one of a wrong type");
    }
}

#[test]
fn an_account_that_is_not_configured_is_named() {
    insta::assert_snapshot!(faults(|order| order.account = "gone".parse().unwrap()), @"merchant_id: account gone of the merchant is not configured");
}
