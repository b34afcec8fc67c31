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
    assert_eq!(faults(|order| order.description = "款".repeat(21)), "", "63 bytes");
    assert_eq!(faults(|order| order.description = "a".repeat(32)), "");
    assert_eq!(faults(|order| order.attach = Some("a=1&b=2".to_owned())), "");
    assert_eq!(faults(|order| order.attach = Some("a".repeat(127))), "");
    assert_eq!(faults(|order| order.return_url = Some("https://shop.example.com/?a=1&b=2#c".to_owned())), "");
    assert_eq!(faults(|order| order.out_trade_no = "1".parse().unwrap()), "");
    let options = r#"{"auto":true,"hide":false,"logo":"https://a.example/l.png"}"#;
    assert_eq!(faults(|order| order.options_json = options.to_owned()), "");
}

#[test]
fn every_fault_of_an_order_is_found_at_once() {
    let all = faults(|order| {
        order.method = "native".to_owned();
        order.out_trade_no = "0".parse().unwrap();
        order.description = format!(" {}", "款".repeat(32));
        order.attach = Some("a&total_fee=1\u{7}".to_owned());
        order.return_url = Some("shop.example.com/a b".to_owned());
        order.expire_time = Timestamp::from_millis(0);
        order.options_json = format!(r#"{{"logo":"https://a.example/{}"}}"#, "x".repeat(20));
    });
    insta::assert_snapshot!(all, @r"
    merchant_order_no: must not be 0, which PayJS takes for nothing
    description: must have 1 to 32 characters
    description: must have at most 64 bytes of UTF-8
    description: must not begin or end with a blank
    attach: must have no control characters
    attach: must not hold & with a field of PayJS and =, such as &total_fee=
    return_url: must be an http or https URL
    expire_time: must be ahead
    payjs.logo_url: must have at most 32 characters
    method: must be cashier
    ");
}

#[test]
fn what_both_sides_could_read_differently_is_refused() {
    for text in [" a", "a ", "\u{3000}a", "0", "a&mchid=1", "&payjs_order_id=", "x&a=b&return_code=1"] {
        assert!(faults(|order| order.description = text.to_owned()).starts_with("description: "), "{text:?}");
        assert!(faults(|order| order.attach = Some(text.to_owned())).starts_with("attach: "), "{text:?}");
    }
    for text in ["total_fee=1", "a&b", "00", "mchid", "a & b"] {
        assert_eq!(faults(|order| order.attach = Some(text.to_owned())), "", "{text:?}");
    }
    let page = "https://shop.example.com/?next=a&out_trade_no=1";
    assert!(faults(|order| order.return_url = Some(page.to_owned())).starts_with("return_url: "));
}

#[test]
fn lengths_hold_in_characters_and_in_bytes() {
    insta::assert_snapshot!(faults(|order| order.description = "a".repeat(33)), @"description: must have 1 to 32 characters");
    insta::assert_snapshot!(faults(|order| order.description = "款".repeat(22)), @"description: must have at most 64 bytes of UTF-8");
    insta::assert_snapshot!(faults(|order| order.attach = Some("款".repeat(43))), @"attach: must have at most 127 bytes of UTF-8");
    let long = format!("https://shop.example.com/{}", "x".repeat(255));
    insta::assert_snapshot!(faults(|order| order.return_url = Some(long)), @"return_url: must have at most 255 bytes");
}

#[test]
fn options_of_another_shape_are_refused_without_their_values() {
    for options in [r#"{"auto":"secret"}"#, r#"{"secret":1}"#, "1", "secret"] {
        let fault = faults(|order| order.options_json = options.to_owned());
        assert_eq!(fault, "payjs: not the options of payjs, or one of a wrong type");
    }
    insta::assert_snapshot!(faults(|order| order.options_json = r#"{"logo":"l.png"}"#.to_owned()), @"payjs.logo_url: must be an http or https URL");
}

#[test]
fn an_account_that_is_not_configured_is_named() {
    insta::assert_snapshot!(faults(|order| order.account = "gone".parse().unwrap()), @"merchant_id: account gone of the merchant is not configured");
}
