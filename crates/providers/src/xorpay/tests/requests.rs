//! What leaves: the forms of create and refund, and the paths of the queries.

use paymux_domain::fact::{AttemptOutcome, Fact, FactBody, FactKey};
use paymux_domain::outcome::{Class, Operation};
use paymux_domain::ports::{BuildError, Call};

use super::{AOID, SHOP, asked, call, created, fact, kit, kit_of, launched, payment, refund_call, told};

const SECOND: &str = "0123456789abcdef0123456789abcdef";

fn text(call: &Call) -> String {
    let request = kit().build(call);
    let headers: Vec<String> =
        request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let body = String::from_utf8(request.body).unwrap();
    format!("{} {}\n{}\n\n{body}", request.method.as_str(), request.url, headers.join("\n"))
}

#[test]
fn a_create_has_every_optional_field_that_is_given() {
    let mut order = created();
    order.description = "Tea & 1 cake".to_owned();
    order.return_url = Some("https://shop.example.com/done?a=1&b=2".to_owned());
    order.options_json = r#"{"order_uid":"a@b.com"}"#.to_owned();
    insta::assert_snapshot!(text(&call(Operation::Create, order, vec![])).replace('&', "\n&"), @r"
    POST https://xorpay.com/api/pay/15627
    accept: application/json
    content-type: application/x-www-form-urlencoded

    name=Tea%20%26%201%20cake
    &pay_type=jsapi
    &price=50.00
    &order_id=ORD20240101000001x
    &order_uid=a%40b.com
    &notify_url=https%3A%2F%2Fpay.example.com%2Fnotify%2Fxorpay
    &return_url=https%3A%2F%2Fshop.example.com%2Fdone%3Fa%3D1%26b%3D2
    &openid=oXor_test_openid
    &more=order%3A42
    &expire=900
    &sign=480bf1fc3fb671b1c95ca3a222c604f8
    ");
}

#[test]
fn a_create_without_optional_fields_leaves_them_out() {
    let mut order = created();
    order.attach = None;
    let body = String::from_utf8(kit().build(&call(Operation::Create, order, vec![])).body).unwrap();
    for absent in ["order_uid=", "return_url=", "more="] {
        assert!(!body.contains(absent), "{absent} stands in {body}");
    }
    assert!(body.contains("&expire=900&"), "{body}");
}

#[test]
fn the_same_order_has_the_same_create_whenever_it_is_asked_for() {
    let mut again = call(Operation::Create, created(), vec![fact(FactKey::Attempt(7), FactBody::Attempt)]);
    again.now = super::Timestamp::from_millis(1_800_000_000_000);
    again.nonce = [3, 4];
    assert_eq!(text(&again), text(&asked(Operation::Create)));
}

#[test]
fn the_life_that_is_left_counts_from_the_first_create_that_may_have_arrived() {
    let at = |number: u32, after_s: u64| {
        let fact = fact(FactKey::Attempt(number), FactBody::Attempt);
        Fact { time: fact.time + std::time::Duration::from_secs(after_s), ..fact }
    };
    let outcome = AttemptOutcome { class: Class::NotSent, code: String::new(), message: String::new() };
    let unsent = fact(FactKey::AttemptOutcome(1), FactBody::AttemptOutcome(outcome));
    for facts in [vec![at(1, 300)], vec![at(1, 0), unsent, at(2, 300)], vec![at(1, 300), at(2, 600)]] {
        let body = kit().build(&call(Operation::Create, created(), facts)).body;
        let body = String::from_utf8(body).unwrap();
        assert!(body.contains("&expire=600&"), "{body}");
    }
}

#[test]
fn an_order_is_asked_about_by_its_number_and_a_payment_by_its_aoid() {
    insta::assert_snapshot!(text(&asked(Operation::Query)), @r"
    GET https://xorpay.com/api/query2/15627?order_id=ORD20240101000001x&sign=0b10b1e1048f5689fe4fea65aef7e4dd
    accept: application/json
    ");
    let known = call(Operation::Query, created(), vec![launched(), told(AOID)]);
    insta::assert_snapshot!(text(&known), @r"
    GET https://xorpay.com/api/query/8b1a9953c4611296a827abf8c47804d7
    accept: application/json
    ");
}

#[test]
fn of_several_payments_the_one_that_is_not_confirmed_is_asked_about() {
    let asks = |facts| kit().build(&call(Operation::Query, created(), facts)).url;
    let confirmed = |id: &str| fact(FactKey::PaidConfirmed(id.parse().unwrap()), FactBody::Paid(payment(id)));
    assert!(asks(vec![told(AOID), told(SECOND)]).ends_with(SECOND), "the first in their order");
    assert!(asks(vec![told(AOID), told(SECOND), confirmed(SECOND)]).ends_with(AOID));
    assert!(asks(vec![told(AOID), confirmed(AOID)]).ends_with(AOID));
}

#[test]
fn a_refund_names_the_payment_in_its_path_and_the_sum_in_its_body() {
    insta::assert_snapshot!(text(&refund_call(5000)), @r"
    POST https://xorpay.com/api/refund/8b1a9953c4611296a827abf8c47804d7
    accept: application/json
    content-type: application/x-www-form-urlencoded

    price=50.00&sign=a54cb8a977b47960de8876800f562025
    ");
    let part = String::from_utf8(kit().build(&refund_call(5)).body).unwrap();
    assert!(part.starts_with("price=0.05&sign="), "{part}");
}

#[test]
fn what_xorpay_lacks_is_not_built() {
    let lacking = |call: &Call| kit().try_build(call).err();
    assert_eq!(lacking(&asked(Operation::Close)), Some(BuildError::Lacking(Operation::Close)));
    let about_a_refund = Call { operation: Operation::Query, ..refund_call(1) };
    assert_eq!(lacking(&about_a_refund), Some(BuildError::Lacking(Operation::Query)));
    let bare = call(Operation::Refund, created(), vec![told(AOID)]);
    assert_eq!(lacking(&bare), Some(BuildError::Lacking(Operation::Refund)));
}

#[test]
fn an_account_names_its_own_host_and_deadline() {
    let kit = kit_of(&[("shop", &format!("{SHOP}\nbase_url = \"http://127.0.0.1:9/\"\ntimeout_ms = 1234"))]);
    let request = kit.build(&asked(Operation::Create));
    assert_eq!(request.url, "http://127.0.0.1:9/api/pay/15627");
    assert_eq!(request.timeout.as_millis(), 1234);
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
    assert_eq!(refused(|order| order.options_json = "{\"x\":1}".to_owned()), "xorpay");
    assert_eq!(refused(|order| order.description.clear()), "name");
    assert_eq!(refused(|order| order.payer.open_id = None), "payer.open_id");
    let mut gone = created();
    gone.account = "gone".parse().unwrap();
    let error = kit().try_build(&call(Operation::Create, gone, vec![])).err();
    assert_eq!(error, Some(BuildError::UnknownAccount("gone".parse().unwrap())));
    let mut foreign = refund_call(1);
    let (no, request) = foreign.refund.clone().unwrap();
    let request = super::RefundRequest { trade_no: "console-7".parse().unwrap(), ..(*request).clone() };
    foreign.refund = Some((no, std::sync::Arc::new(request)));
    assert!(matches!(kit().try_build(&foreign), Err(BuildError::Field { field: "provider_trade_no", .. })));
}
