//! Orders before they are accepted: every fault at once, and no more than the faults.

use paymux_domain::command::Created;
use paymux_domain::time::Timestamp;

use super::{created, kit};

fn faults(change: impl FnOnce(&mut Created)) -> String {
    let mut order = created();
    change(&mut order);
    let faults = kit().0.check(&order);
    faults.iter().map(|fault| format!("{}: {}", fault.field, fault.reason)).collect::<Vec<_>>().join("\n")
}

#[test]
fn good_orders_have_no_fault() {
    assert_eq!(faults(|_| {}), "");
    assert_eq!(faults(|order| order.attach = None), "");
    assert_eq!(faults(|order| order.description = "款".repeat(127)), "");
    assert_eq!(faults(|order| order.attach = Some("a".repeat(127))), "");
    assert_eq!(faults(|order| order.return_url = Some("https://shop.example.com/?a=1&b=2#c".to_owned())), "");
    assert_eq!(faults(|order| order.out_trade_no = "9".repeat(31).parse().unwrap()), "");
    assert_eq!(faults(|order| order.options_json = r#"{"order_uid":"a@b.com"}"#.to_owned()), "");
}

#[test]
fn every_fault_of_an_order_is_found_at_once() {
    let all = faults(|order| {
        order.method = "native".to_owned();
        order.out_trade_no = "9".repeat(32).parse().unwrap();
        order.description = format!(" {}", "款".repeat(127));
        order.attach = Some(format!("{} ", "款".repeat(43)));
        order.payer.open_id = Some("o p".to_owned());
        order.return_url = Some("shop.example.com/a b".to_owned());
        order.expire_time = Timestamp::from_millis(0);
        order.options_json = format!(r#"{{"order_uid":"{} "}}"#, "u".repeat(64));
    });
    insta::assert_snapshot!(all, @r"
    merchant_order_no: must have 1 to 31 characters, the prefix included
    description: must have 1 to 127 characters
    description: must not begin or end with a blank
    attach: must have at most 127 bytes of UTF-8
    attach: must not begin or end with a blank
    payer.open_id: must have 1 to 128 visible ASCII characters
    return_url: must be an http or https URL
    expire_time: must be ahead
    xorpay.order_uid: must have 1 to 64 characters
    xorpay.order_uid: must not begin or end with a blank
    method: must be jsapi
    ");
}

#[test]
fn a_payer_must_be_named() {
    let missing = "payer.open_id: is missing: XorPay's own openid endpoint gives it";
    assert_eq!(faults(|order| order.payer.open_id = None), missing);
    assert_eq!(faults(|order| order.payer.open_id = Some(String::new())), missing);
    let long = "o".repeat(129);
    assert!(faults(|order| order.payer.open_id = Some(long)).starts_with("payer.open_id: must have"));
}

#[test]
fn options_of_another_shape_are_refused_without_their_values() {
    for options in [r#"{"order_uid":1}"#, r#"{"secret":"x"}"#, "1", "secret"] {
        let fault = faults(|order| order.options_json = options.to_owned());
        assert_eq!(fault, "xorpay: not the options of xorpay, or one of a wrong type");
    }
}

#[test]
fn an_account_that_is_not_configured_is_named() {
    insta::assert_snapshot!(faults(|order| order.account = "gone".parse().unwrap()), @"merchant_id: account gone of the merchant is not configured");
}
