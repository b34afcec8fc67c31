//! Orders before they are accepted: every fault at once, and no more than the faults.

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::Created;
use paymux_domain::time::Timestamp;

use super::{at, created, kit};

fn faults_at(account: &str, change: impl FnOnce(&mut Created)) -> String {
    let mut order = at(account, created());
    change(&mut order);
    let faults = kit().provider.check(&order);
    faults.iter().map(|fault| format!("{}: {}", fault.field, fault.reason)).collect::<Vec<_>>().join("\n")
}

fn faults(change: impl FnOnce(&mut Created)) -> String {
    faults_at("shop", change)
}

#[test]
fn good_orders_have_no_fault() {
    assert_eq!(faults(|_| {}), "");
    assert_eq!(faults(|order| order.out_trade_no = "1".parse().unwrap()), "");
    assert_eq!(faults(|order| order.out_trade_no = "a".repeat(32).parse().unwrap()), "");
    assert_eq!(faults(|order| order.attach = Some("a=1&b=2 50% + x#".to_owned())), "");
    assert_eq!(faults(|order| order.amount = Amount::new(10_000_000_000, Currency::Cny).unwrap()), "");
    assert_eq!(faults(|order| order.options_json = r##"{"color":"#FF0000"}"##.to_owned()), "");
    let app = |order: &mut Created| {
        order.method = "app".to_owned();
        order.description = "矿泉水 #1=a".to_owned();
        order.options_json = r##"{"color":"#FF0000","sub_mch_id":"1"}"##.to_owned();
    };
    assert_eq!(faults_at("bare", app), "");
}

#[test]
fn every_fault_of_an_order_is_found_at_once() {
    let all = faults(|order| {
        order.method = "cashier".to_owned();
        order.out_trade_no = "A-1".parse().unwrap();
        order.description = "款".repeat(128);
        order.attach = Some("a\u{7}".to_owned());
        order.expire_time = Timestamp::from_millis(0);
        order.options_json = format!(
            r#"{{"color":"","remark":"{}","operator_id":"{long}","store_id":"{long}","terminal_id":"{long}",
                "goods_name":"","sub_mch_id":"{long}","hb_fq_num":4,
                "terminal_info":{{"app_version":"","encrypt_rand_num":"1","secret_text":"{}"}},
                "goods_detail":[{{"goods_id":"","goods_name":"","quantity":0,"price_minor":-1,
                "wxpay_goods_id":"","goods_category":"{long}","categories_tree":"","body":"","show_url":"x"}}]}}"#,
            "r".repeat(129),
            "s".repeat(65),
            long = "l".repeat(33),
        );
    });
    insta::assert_snapshot!(all, @r#"
    merchant_order_no: must have letters and digits only, the prefix included
    description: must have 1 to 127 characters
    attach: must have no control characters
    expire_time: must be ahead
    method: must be mini_program or app
    maqian.color: must have 1 to 32 characters
    maqian.remark: must have 1 to 128 characters
    maqian.goods_name: must have 1 to 128 characters
    maqian.operator_id: must have 1 to 32 characters
    maqian.store_id: must have 1 to 32 characters
    maqian.terminal_id: must have 1 to 32 characters
    maqian.sub_mch_id: must have 1 to 32 characters
    maqian.huabei_instalments: must be 3, 6 or 12
    maqian.terminal_info.app_version: must have 1 to 32 characters
    maqian.terminal_info.secret_text: must have 1 to 64 characters
    maqian.goods[0].goods_id: must have 1 to 32 characters
    maqian.goods[0].goods_name: must have 1 to 256 characters
    maqian.goods[0].wxpay_goods_id: must have 1 to 32 characters
    maqian.goods[0].goods_category: must have 1 to 32 characters
    maqian.goods[0].categories_tree: must have 1 to 128 characters
    maqian.goods[0].body: must have 1 to 256 characters
    maqian.goods[0].quantity: must be 1 to 2147483647
    maqian.goods[0].price_minor: must not be negative
    maqian.goods[0].show_url: must be an http or https URL of at most 255 bytes
    maqian.sub_mch_id: is known to the newer revision only (launch_revision = "v2")
    attach: is sent as the remark, of which maqian.remark is one already: give one of them
    "#);
    let many = format!(r#"{{"goods_detail":[{}{{}}]}}"#, "{},".repeat(50));
    assert!(faults(|order| order.options_json = many).contains("maqian.goods: must be at most 50 kinds"));
    let unknown = r#"{"colour":"x"}"#.to_owned();
    let told = "maqian: not the options of maqian, or one of a wrong type";
    assert_eq!(faults(|order| order.options_json = unknown), told);
    let gone = faults_at("gone", |_| {});
    assert_eq!(gone, "merchant_id: account gone of the merchant is not configured");
}

#[test]
fn what_could_be_taken_for_another_field_is_refused() {
    for text in ["a&total_amount=1", "&merch_no=", "x&a=b&sign=1&pn=2"] {
        let told = "must not hold & with a field of 码钱 and =, such as &total_amount=";
        assert_eq!(faults(|order| order.description = text.to_owned()), format!("description: {told}"));
        assert_eq!(faults(|order| order.attach = Some(text.to_owned())), format!("attach: {told}"));
        let goods = format!(r#"{{"goods_detail":[{{"goods_id":"1","goods_name":"{text}","quantity":1}}]}}"#);
        assert_eq!(faults(|order| order.options_json = goods), format!("maqian.goods: {told}"));
    }
}

#[test]
fn what_an_app_could_cut_the_launch_at_is_refused() {
    let app = |change: fn(&mut Created)| {
        faults_at("bare", |order| {
            order.method = "app".to_owned();
            change(order);
        })
    };
    let told = "must not hold &, %, + where an app opens the cashier";
    assert_eq!(app(|order| order.description = "a+b".to_owned()), format!("description: {told}"));
    let color = app(|order| order.options_json = r#"{"color":"50%"}"#.to_owned());
    assert_eq!(color, format!("maqian.color: {told}"));
    let notify = app(|order| order.notify_url.push_str("?a=1&b=2"));
    assert_eq!(notify, format!("merchant_id (the address for its notifications): {told}"));
    let remark = "must not hold &, %, +, # where an app opens the cashier";
    assert_eq!(app(|order| order.attach = Some("#1".to_owned())), format!("attach: {remark}"));
    let given = app(|order| order.options_json = r##"{"remark":"#1"}"##.to_owned());
    assert_eq!(given, format!("maqian.remark: {remark}"));
    assert_eq!(faults(|order| order.description = "a+b".to_owned()), "", "a mini program is handed it raw");
}

#[test]
fn a_remark_is_given_once() {
    let both = faults(|order| {
        order.attach = Some("a".to_owned());
        order.options_json = r#"{"remark":"b"}"#.to_owned();
    });
    let told = "attach: is sent as the remark, of which maqian.remark is one already: give one of them";
    assert_eq!(both, told);
}
