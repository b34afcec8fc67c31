//! What the payer's device is given, whole.

use super::{BARE, Kit, at, call, created, kit, kit_of};
use paymux_domain::command::Created;
use paymux_domain::outcome::Operation;
use paymux_domain::ports::BuildError;

const FULL: &str = r##"{"color":"#FF0000","remark":"测试","limit_pay":true,"goods_name":"水","goods_detail":[
    {"goods_id":"id1","goods_name":"name1","quantity":20,"price_minor":1,"goods_category":"5689",
     "categories_tree":"5263","body":"body1","show_url":"https://a.example/1","wxpay_goods_id":"1001"},
    {"goods_id":"id2","goods_name":"name2","quantity":1,"price_minor":528800}],
    "operator_id":"001","store_id":"002","terminal_id":"003","hb_fq_num":6,"food_order_type":"qr_order",
    "terminal_info":{"app_version":"23091301","encrypt_rand_num":"928201","secret_text":"968542A5"}}"##;

fn resolved(kit: &Kit, created: Created) -> Created {
    kit.provider.resolve(created)
}

#[test]
fn every_field_of_the_page_is_sent() {
    let kit = kit();
    let order = Created { options_json: FULL.to_owned(), ..created() };
    assert_eq!(kit.provider.check(&order), []);
    let mini = kit.launch(&resolved(&kit, order));
    assert_eq!((mini.app_id.as_str(), mini.path.as_str()), ("2021004118660126", "pages/cashier/cashier"));
    assert_eq!(mini.app_uri, None);
    insta::assert_snapshot!(mini.data, @r##"
    {"app_id":"MQ100013","app_name":"多点","color":"#FF0000","food_order_type":"qr_order","goods_detail":[{"body":"body1","categories_tree":"5263","goods_category":"5689","goods_id":"id1","goods_name":"name1","price":"0.01","quantity":"20","show_url":"https://a.example/1","wxpay_goods_id":"1001"},{"goods_id":"id2","goods_name":"name2","price":"5288.00","quantity":"1"}],"goods_name":"水","hb_fq_num":"6","limit_pay":"1","merch_no":"833651658120003","notify_url":"https://pay.example.com/notify/maqian/m1","operator_id":"001","out_trade_no":"MQ202401010001","pn":"XN000003","remark":"测试","source":"miniapp","store_id":"002","terminal_id":"003","terminal_info":{"app_version":"23091301","encrypt_rand_num":"928201","secret_text":"968542A5"},"total_amount":"0.05"}
    "##);
}

#[test]
fn the_newer_revision_adds_its_fields_and_an_app_its_uri() {
    let kit = kit();
    let options = r#"{"sub_mch_id":"2088","limit_pay":false}"#.to_owned();
    let order = Created { method: "app".to_owned(), options_json: options, ..at("bare", created()) };
    assert_eq!(kit.provider.check(&order), []);
    let mini = kit.launch(&resolved(&kit, order));
    insta::assert_snapshot!(mini.data, @r#"
    {"app_id":"MQ11111","app_name":"多点","goods_name":"矿泉水","limit_pay":"0","merch_no":"833304458120002","notify_url":"https://pay.example.com/notify/maqian/m1","out_trade_no":"MQ202401010001","pay_mode":"JSAPI","pay_type":"ALI","pn":"XN000005","req_id":"MQ202401010001","source":"app","sub_mch_id":"2088","total_amount":"0.05","version":"V2"}
    "#);
    let uri = mini.app_uri.unwrap();
    let (head, query) = uri.split_once("&query=").unwrap();
    assert_eq!(
        head,
        "alipays://platformapi/startapp?appId=2021004118660126&page=pages/cashier/cashier\
         &thirdPartSchema=myshop%3A%2F%2Fpay%2F"
    );
    assert!(query.starts_with("data%3D%7B%22app_id%22%3A%22MQ11111%22") && !query.contains(['&', '+', ' ']));
}

#[test]
fn a_launch_is_the_same_to_the_byte_whatever_becomes_of_the_account() {
    let kit = kit();
    let order = resolved(&kit, Created { method: "app".to_owned(), ..at("bare", created()) });
    let first = kit.launch(&order);
    let changed = BARE.replace("MQ11111", "MQ2").replace("myshop", "other").replace("\"v2\"", "\"first\"");
    let renamed = kit_of(&[("bare", &changed.replace("多点", "少点"))]);
    assert!(renamed.launch(&order) == first, "what it takes from its account stands in the order");
    assert!(renamed.launch(&resolved(&renamed, at("bare", created()))) != first);
}

#[test]
fn attach_is_the_remark_and_the_description_the_name_of_the_goods() {
    let order = Created { attach: Some("order 42".to_owned()), ..created() };
    let data = kit().launch(&order).data;
    assert!(data.contains(r#""remark":"order 42""#) && data.contains(r#""goods_name":"矿泉水""#), "{data}");
}

#[test]
fn an_order_of_another_method_is_not_launched() {
    let order = Created { method: "cashier".to_owned(), ..created() };
    let built = kit().try_build(&call(Operation::Create, order, vec![]));
    assert!(matches!(built, Err(BuildError::Field { field: "method", .. })), "{built:?}");
}
