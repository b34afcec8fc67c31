//! Answers of every shape: what is read of them, and what cannot be.

use std::time::Duration;

use paymux_domain::fact::{FactBody, FactKey};
use paymux_domain::launch::Launch;
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::refund::RefundProgress;
use serde_json::{Value, json};

use super::{AOID, NOW, SECRET, answer, asked, assumed, call, created, fact, kit, launch, ok, said, told};

fn parse(operation: Operation, body: &Value) -> CallReport {
    kit().parse(&asked(operation), &answer(200, &body.to_string()))
}

#[test]
fn a_good_create_gives_the_launch_parameters_unchanged() {
    let report = parse(Operation::Create, &ok());
    assert_eq!((report.class, report.words.as_slice()), (Class::Done, &[Word::Launched(launch())][..]));
}

#[test]
fn the_life_of_the_parameters_is_read_in_every_spelling() {
    let life = |change: fn(&mut serde_json::Map<String, Value>)| {
        let mut body = ok();
        let object = body.as_object_mut().unwrap();
        object.remove("expire_in");
        change(object);
        let report = parse(Operation::Create, &body);
        let [Word::Launched(launch)] = report.words.as_slice() else { panic!("not launched: {report:?}") };
        launch.expire_time.unwrap().since(NOW)
    };
    assert_eq!(life(|object| _ = object.insert("expire_in".into(), json!(900))), Duration::from_secs(900));
    assert_eq!(life(|object| _ = object.insert("expire_in".into(), json!("900"))), Duration::from_secs(900));
    assert_eq!(life(|object| _ = object.insert("expires_in".into(), json!("900"))), Duration::from_secs(900));
    assert_eq!(life(|object| _ = object.insert("expires_in".into(), json!(7200))), Duration::from_secs(7200));
    let two_hours = Duration::from_secs(7200);
    assert_eq!(life(|_| ()), two_hours, "none is said");
    assert_eq!(
        life(|object| _ = object.insert("expire_in".into(), json!(90_000))),
        two_hours,
        "no prepay_id lives longer"
    );
    assert_eq!(life(|object| _ = object.insert("expire_in".into(), json!("soon"))), two_hours);
}

#[test]
fn a_time_stamp_may_be_a_number_and_more_fields_may_come() {
    let mut body = ok();
    body["info"]["timeStamp"] = json!(1_704_038_400);
    body["newly_added"] = json!([1, { "a": null }]);
    assert_eq!(parse(Operation::Create, &body).words, [Word::Launched(launch())]);
}

#[test]
fn what_must_be_there_is_demanded() {
    for name in ["aoid", "info"] {
        let mut body = ok();
        body.as_object_mut().unwrap().remove(name);
        let report = parse(Operation::Create, &body);
        assert_eq!((report.class, report.code.as_str()), (Class::Unknown, "MALFORMED"), "{name}");
        assert_eq!(report.message, format!("{name} cannot be read"));
        assert!(report.words.is_empty());
    }
    for name in ["appId", "timeStamp", "nonceStr", "package", "signType", "paySign"] {
        for bad in [Value::Null, json!(""), json!("a b"), json!([1]), json!("x".repeat(1025))] {
            let mut body = ok();
            body["info"][name] = bad.clone();
            let report = parse(Operation::Create, &body);
            assert_eq!((report.class, report.code.as_str()), (Class::Unknown, "MALFORMED"), "{name} {bad}");
        }
    }
    for bad in ["", "short", &AOID.to_uppercase(), &format!("{AOID}0")] {
        let mut body = ok();
        body["aoid"] = json!(bad);
        assert_eq!(parse(Operation::Create, &body).message, "aoid cannot be read", "{bad:?}");
    }
}

#[test]
fn what_is_no_object_with_a_status_says_nothing() {
    let twice = r#"{"status":"ok","status":"new"}"#;
    let many = format!("{{{}}}", (0..65).map(|n| format!("\"f{n}\":1")).collect::<Vec<_>>().join(","));
    for body in
        ["", "[]", "1", "<html></html>", twice, &many, "{}", r#"{"status":["ok"]}"#, r#"{"status":""}"#]
    {
        for operation in [Operation::Create, Operation::Query, Operation::Refund] {
            let report = kit().parse(&asked(operation), &answer(200, body));
            assert_eq!((report.class, report.code.as_str()), (Class::Unknown, "MALFORMED"), "{body}");
            assert!(report.words.is_empty());
        }
    }
}

#[test]
fn a_refund_is_the_one_that_was_called_for() {
    let report = kit().parse(&asked(Operation::Refund), &said("ok"));
    let [Word::Refund(word)] = report.words.as_slice() else { panic!("not refunded: {report:?}") };
    assert_eq!(
        (report.class, word.progress, &word.out_refund_no),
        (Class::Done, RefundProgress::Done, &None)
    );
}

#[test]
fn paid_is_paid_under_the_aoid_that_is_known() {
    let other = "0".repeat(32);
    let paid = |facts| kit().parse(&call(Operation::Query, created(), facts), &said("payed"));
    assert_eq!(paid(vec![super::launched()]).words, [Word::Paid(assumed(AOID))], "by the create's answer");
    assert_eq!(
        paid(vec![super::launched(), told(&other)]).words,
        [Word::Paid(assumed(&other))],
        "by the notification"
    );
    let renewed = Launch { provider_order_no: Some(other.clone()), ..launch() };
    let renewed = fact(FactKey::Launch(2), FactBody::Launch(renewed));
    let between = paid(vec![super::launched(), renewed]);
    assert_eq!(
        (between.class, between.words.len()),
        (Class::Retry, 0),
        "nobody knows which of the two is paid"
    );
    let unnamed = paid(vec![]);
    assert_eq!((unnamed.class, unnamed.code.as_str()), (Class::Retry, "AOID_UNKNOWN"));
    assert_eq!((unnamed.words.len(), unnamed.retry_after), (0, Some(Duration::from_secs(120))));
}

/// What is asked about a payment that a notification told of is whether there is one: everything else is no.
#[test]
fn a_payment_that_xorpay_does_not_know_is_denied() {
    for status in ["new", "expire", "not_exist"] {
        let report = kit().parse(&call(Operation::Query, created(), vec![told(AOID)]), &said(status));
        assert_eq!((report.class, report.words.as_slice()), (Class::Done, &[Word::Open][..]), "{status}");
    }
}

#[test]
fn a_number_that_is_no_aoid_is_not_asked_about() {
    let by_hand =
        fact(FactKey::Paid("console-7".parse().unwrap()), FactBody::Paid(super::payment("console-7")));
    let query = call(Operation::Query, created(), vec![super::launched(), by_hand]);
    assert!(kit().build(&query).url.contains("/api/query2/"));
    assert_eq!(kit().parse(&query, &said("not_exist")).words, [Word::NotExist]);
}

#[test]
fn messages_are_cut_and_nothing_secret_is_shown() {
    let body = json!({ "status": "missing_argument", "info": "很".repeat(300) });
    let report = parse(Operation::Create, &body);
    assert!(report.message.len() <= 256 && report.message.starts_with("很很"));
    let odd = parse(Operation::Create, &json!({ "status": "a b <script>", "info": { "a": 1 } }));
    assert_eq!((odd.class, odd.code.as_str(), odd.message.as_str()), (Class::Unknown, "MALFORMED", ""));
    let create = asked(Operation::Create);
    let shown = format!("{create:?} {:?} {:?}", kit().build(&create), parse(Operation::Create, &ok()));
    for secret in [SECRET, "oXor_test_openid", "C380BEC2BFD727A4B6845133519F3AD6", "order:42"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn an_account_that_is_gone_leaves_the_outcome_unknown() {
    let mut order = created();
    order.account = "gone".parse().unwrap();
    let query = call(Operation::Query, order, vec![super::launched()]);
    let report = kit().parse(&query, &said("payed"));
    assert_eq!((report.class, report.code.as_str()), (Class::Unknown, "UNKNOWN_ACCOUNT"));
}
