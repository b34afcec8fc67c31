//! What leaves: the cashier's URL with every field, and the forms of the calls.

use std::sync::Arc;

use paymux_domain::fact::{FactBody, FactKey};
use paymux_domain::outcome::{Class, Operation};
use paymux_domain::ports::{BuildError, Call};

use super::{ID, SHOP, asked, call, created, fact, kit, kit_of, paid, payment, refund_call};

const SECOND_ID: &str = "2019101503054900456615859";

fn text(call: &Call) -> String {
    let request = kit().build(call);
    let headers: Vec<String> =
        request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let body = String::from_utf8(request.body).unwrap();
    format!("{} {}\n{}\n\n{body}", request.method.as_str(), request.url, headers.join("\n"))
}

#[test]
fn the_cashiers_url_has_every_optional_field_that_is_given() {
    let mut order = created();
    order.description = "Tea & 1 cake".to_owned();
    order.attach = Some("order:42 + tip".to_owned());
    order.return_url = Some("https://shop.example.com/done?a=1&b=2".to_owned());
    order.options_json = r#"{"auto":true,"hide":true,"logo":"https://a.example/l.png"}"#.to_owned();
    insta::assert_snapshot!(kit().url(&order).replace('&', "\n&"), @r"
    https://payjs.cn/api/cashier?attach=order%3A42%20%2B%20tip
    &auto=1
    &body=Tea%20%26%201%20cake
    &callback_url=https%3A%2F%2Fshop.example.com%2Fdone%3Fa%3D1%26b%3D2
    &hide=1
    &logo=https%3A%2F%2Fa.example%2Fl.png
    &mchid=123456
    &notify_url=https%3A%2F%2Fpay.example.com%2Fnotify%2Fpayjs
    &out_trade_no=payjs_jspay_demo_1700000000
    &sign=FE69DB2C4CF627BD5D0ED8DCC894C5F9
    &total_fee=1
    ");
    order.options_json = r#"{"auto":false,"hide":false}"#.to_owned();
    let url = kit().url(&order);
    for absent in ["auto=", "hide=", "logo=", "%20%20"] {
        assert!(!url.contains(absent), "{absent} stands in {url}");
    }
}

#[test]
fn the_same_order_has_the_same_url_whenever_it_is_asked_for() {
    let mut again = call(Operation::Create, created(), vec![]);
    again.now = super::Timestamp::from_millis(1_800_000_000_000);
    again.nonce = [3, 4];
    let built = |call: &Call| format!("{:?}", kit().try_build(call).unwrap());
    assert_eq!(built(&again), built(&call(Operation::Create, created(), vec![])));
    assert_eq!(kit().url(&created()), kit().url(&created()));
}

#[test]
fn calls_are_signed_forms() {
    insta::assert_snapshot!(text(&asked(Operation::Query)), @r"
    POST https://payjs.cn/api/check
    accept: application/json
    content-type: application/x-www-form-urlencoded

    mchid=123456&payjs_order_id=2019101503054900456615858&sign=5A52E0BF3618A6B210CAAE4D06CC0571
    ");
    insta::assert_snapshot!(text(&asked(Operation::Close)).lines().next().unwrap(), @"POST https://payjs.cn/api/close");
    insta::assert_snapshot!(text(&asked(Operation::Refund)).lines().next().unwrap(), @"POST https://payjs.cn/api/refund");
    let bodies =
        [Operation::Query, Operation::Close, Operation::Refund].map(|op| kit().build(&asked(op)).body);
    assert!(bodies.iter().all(|body| *body == bodies[0]), "payjs_order_id is all that they say");
}

#[test]
fn an_account_names_its_own_host_and_deadline() {
    let kit = kit_of(&[("shop", &format!("{SHOP}\nbase_url = \"http://127.0.0.1:9/\"\ntimeout_ms = 1234"))]);
    let request = kit.build(&asked(Operation::Query));
    assert_eq!(request.url, "http://127.0.0.1:9/api/check");
    assert_eq!(request.timeout.as_millis(), 1234);
    assert!(kit.url(&created()).starts_with("http://127.0.0.1:9/api/cashier?"));
}

#[test]
fn without_a_notification_there_is_nothing_to_name() {
    for operation in [Operation::Query, Operation::Close] {
        let error = kit().try_build(&call(operation, created(), vec![])).err();
        assert_eq!(error, Some(BuildError::Lacking(operation)));
    }
    let bare = call(Operation::Refund, created(), vec![paid(ID)]);
    assert_eq!(kit().try_build(&bare).err(), Some(BuildError::Lacking(Operation::Refund)));
    let about_a_refund = Call { operation: Operation::Query, ..refund_call(1, 1, &[]) };
    let error = kit().try_build(&about_a_refund).err();
    assert_eq!(error, Some(BuildError::Lacking(Operation::Query)), "there is no query of refunds");
}

#[test]
fn of_several_payments_the_one_that_is_not_confirmed_is_asked_about() {
    let asks =
        |facts| String::from_utf8(kit().build(&call(Operation::Query, created(), facts)).body).unwrap();
    let confirmed = |id: &str| fact(FactKey::PaidConfirmed(id.parse().unwrap()), FactBody::Paid(payment(id)));
    assert!(asks(vec![paid(ID), paid(SECOND_ID)]).contains(ID));
    assert!(asks(vec![paid(ID), paid(SECOND_ID), confirmed(ID)]).contains(SECOND_ID));
    assert!(asks(vec![paid(ID), confirmed(ID)]).contains(ID));
}

#[test]
fn a_refund_is_the_whole_payment_or_nothing() {
    let refused = |call: &Call| match kit().try_build(call) {
        Err(BuildError::Field { field, .. }) => field,
        other => panic!("built: {other:?}"),
    };
    assert_eq!(refused(&refund_call(2, 1, &[])), "amount");
    let mut stranger = refund_call(1, 1, &[Class::NotSent]);
    stranger.order = Arc::new(super::Order::from_facts(vec![paid(SECOND_ID)]));
    assert_eq!(refused(&stranger), "provider_trade_no");
}

#[test]
fn an_order_that_was_not_checked_is_not_sent() {
    let refused = |change: fn(&mut super::Created)| {
        let mut order = created();
        change(&mut order);
        match kit().try_build(&call(Operation::Create, order, vec![])) {
            Err(BuildError::Field { field, .. }) => field,
            other => panic!("built: {other:?}"),
        }
    };
    assert_eq!(refused(|order| order.method = "native".to_owned()), "method");
    assert_eq!(refused(|order| order.options_json = "{\"x\":1}".to_owned()), "payjs");
    assert_eq!(refused(|order| order.description.clear()), "body");
    assert_eq!(refused(|order| order.attach = Some("0".to_owned())), "attach");
    let mut gone = created();
    gone.account = "gone".parse().unwrap();
    let error = kit().try_build(&call(Operation::Create, gone, vec![])).err();
    assert_eq!(error, Some(BuildError::UnknownAccount("gone".parse().unwrap())));
}
