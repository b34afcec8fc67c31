//! Answers whose proof or content is not what it should be.

use paymux_domain::outcome::{Class, Operation, Word};
use serde_json::{Value, json};

use super::{
    FULL, KEY, Kit, OLD_KEY, answer, asked, bare, call, created, error, kit, kit_of, of_method, paid_data,
    payment, plain, sealed, sign_as, signed, weixin_data, with,
};

#[track_caller]
fn check(
    kit: &Kit,
    operation: Operation,
    response: &super::HttpResponse,
    class: Class,
    code: &str,
) -> Vec<Word> {
    let report = kit.parse(&asked(operation), response);
    assert_eq!((report.class, report.code.as_str()), (class, code), "{}", report.message);
    report.words
}

#[track_caller]
fn says_nothing(response: &super::HttpResponse, code: &str) {
    for operation in [Operation::Create, Operation::Query, Operation::Close, Operation::Refund] {
        assert_eq!(check(&kit(), operation, response, Class::Unknown, code), [], "{}", operation.as_str());
    }
}

#[test]
fn a_success_without_proof_says_nothing() {
    says_nothing(&plain("000000", &weixin_data()), "UNSIGNED");
    says_nothing(&plain("000000", &sealed(&weixin_data(), "stranger")), "BAD_SIGNATURE");
    says_nothing(&plain("000000", &with(&weixin_data(), json!({"sign": "0123"}))), "BAD_SIGNATURE");
    says_nothing(&plain("000000", &Value::Null), "UNSIGNED");
}

#[test]
fn a_failure_with_a_wrong_signature_says_nothing_either() {
    says_nothing(&plain("100001", &sealed(&weixin_data(), "stranger")), "BAD_SIGNATURE");
}

#[test]
fn each_key_of_the_account_proves_an_answer() {
    for key in [KEY, OLD_KEY] {
        let response = plain("000000", &sealed(&paid_data(), key));
        let words = check(&kit(), Operation::Query, &response, Class::Done, "");
        assert_eq!(words, [Word::Paid(payment())]);
    }
}

#[test]
fn an_account_that_verifies_nothing_gets_launch_parameters_whatever_the_signature() {
    for data in [weixin_data(), sealed(&weixin_data(), "stranger"), with(&weixin_data(), json!({"sign": 5}))]
    {
        let words = check(&bare(), Operation::Create, &plain("000000", &data), Class::Done, "");
        assert!(matches!(words.as_slice(), [Word::Launched(_)]));
    }
}

#[test]
fn the_prepay_fields_stand_under_the_signature_or_not_as_the_account_says() {
    let data = json!({
        "order_number": super::ORDER_NUMBER, "merchant_order_no": super::NUMBER, "amount": "0.01", "pre_pay_no": "2021",
    });
    let create = call(Operation::Create, of_method("alipay"), vec![]);
    for (setting, without) in [("scalars", false), ("scalars_without_prepay", true)] {
        let kit =
            kit_of(&FULL.replace("response_sign = \"scalars\"", &format!("response_sign = \"{setting}\"")));
        for signed_without in [false, true] {
            let signature = sign_as(data.as_object().unwrap(), KEY, signed_without, false);
            let response = plain("000000", &with(&data, json!({ "sign": signature })));
            let report = kit.parse(&create, &response);
            assert_eq!(report.class == Class::Done, without == signed_without, "{setting}: {report:?}");
        }
    }
}

#[test]
fn numbers_may_be_texts_and_new_fields_may_come() {
    let data =
        with(&paid_data(), json!({"newly_added": "a b+c&d=e%41 新", "count": 5, "list": [1], "fee": 0.38}));
    assert_eq!(check(&kit(), Operation::Query, &signed(&data), Class::Done, ""), [Word::Paid(payment())]);
    let mut launch = weixin_data();
    launch["pre_pay_info"]["timeStamp"] = json!(1_566_792_029);
    let words = check(&kit(), Operation::Create, &signed(&launch), Class::Done, "");
    assert!(matches!(words.as_slice(), [Word::Launched(_)]));
}

#[test]
fn an_answer_about_somebody_else_is_a_mismatch() {
    for (field, value) in [("merchant_order_no", "T2"), ("order_number", "3200")] {
        for (operation, data) in [
            (Operation::Create, weixin_data()),
            (Operation::Query, paid_data()),
            (Operation::Close, paid_data()),
        ] {
            let other = with(&data, json!({ field: value }));
            let words = check(&kit(), operation, &signed(&other), Class::Unknown, "MISMATCH");
            assert_eq!(words, [Word::Mismatch { field }]);
            assert_eq!(check(&kit(), operation, &plain("000000", &other), Class::Unknown, "UNSIGNED"), []);
        }
    }
}

#[test]
fn a_create_over_another_amount_is_not_launched() {
    for kit in [kit(), bare()] {
        let other = with(&weixin_data(), json!({ "amount": "0.02" }));
        let words = check(&kit, Operation::Create, &signed(&other), Class::Unknown, "MISMATCH");
        assert_eq!(words, [Word::Mismatch { field: "amount" }]);
    }
}

#[test]
fn what_must_be_there_is_demanded() {
    for field in ["order_number", "merchant_order_no", "amount", "pre_pay_info"] {
        let data = with(&weixin_data(), json!({ field: null }));
        assert_eq!(
            check(&bare(), Operation::Create, &plain("000000", &data), Class::Unknown, "MALFORMED"),
            []
        );
    }
    for field in ["appId", "timeStamp", "nonceStr", "package", "signType", "paySign"] {
        let mut data = weixin_data();
        data["pre_pay_info"].as_object_mut().unwrap().remove(field);
        assert_eq!(
            check(&bare(), Operation::Create, &plain("000000", &data), Class::Unknown, "MALFORMED"),
            []
        );
    }
    for field in ["order_number", "merchant_order_no", "amount", "order_status"] {
        let data = with(&paid_data(), json!({ field: null }));
        assert_eq!(check(&kit(), Operation::Query, &signed(&data), Class::Unknown, "MALFORMED"), []);
    }
    for bad in [
        json!({"order_status": "paid"}),
        json!({"amount": "1e2"}),
        json!({"amount": 0.01}),
        json!({"amount": "-0.01"}),
    ] {
        let data = with(&paid_data(), bad);
        assert_eq!(check(&kit(), Operation::Query, &signed(&data), Class::Unknown, "MALFORMED"), []);
    }
}

#[test]
fn each_channel_demands_its_own_parameter() {
    let numbers = with(&weixin_data(), json!({ "pre_pay_info": null }));
    for (method, field, good) in [
        ("alipay", "pre_pay_no", "2021052422001427831412991467"),
        ("unionpay", "pre_pay_url", "https://qr.95516.com/UP02/a?sessionId=1"),
    ] {
        let parse = |data: &Value| {
            bare().parse(&call(Operation::Create, of_method(method), vec![]), &plain("000000", data)).class
        };
        assert_eq!(parse(&with(&numbers, json!({ field: good }))), Class::Done);
        assert_eq!(parse(&numbers), Class::Unknown);
        assert_eq!(parse(&weixin_data()), Class::Unknown);
        for bad in ["", "a b", &"9".repeat(1025)] {
            assert_eq!(parse(&with(&numbers, json!({ field: bad }))), Class::Unknown, "{method}: {bad}");
        }
    }
    let script = with(&numbers, json!({ "pre_pay_url": "javascript:alert(1)" }));
    let report =
        bare().parse(&call(Operation::Create, of_method("unionpay"), vec![]), &plain("000000", &script));
    assert_eq!(report.class, Class::Unknown);
}

#[test]
fn a_wrong_amount_is_told_as_it_is_stated() {
    let more = with(&paid_data(), json!({ "amount": "0.02" }));
    let words = check(&kit(), Operation::Query, &signed(&more), Class::Done, "");
    let [Word::Paid(payment)] = words.as_slice() else { panic!("not paid: {words:?}") };
    assert_eq!(payment.total_minor, 2);
    let timeless = with(&paid_data(), json!({ "pay_time": "yesterday" }));
    let words = check(&kit(), Operation::Query, &signed(&timeless), Class::Done, "");
    assert!(matches!(words.as_slice(), [Word::Paid(payment)] if payment.success_time.is_none()));
}

#[test]
fn a_text_that_can_be_cut_in_two_ways_proves_nothing() {
    let injected = with(&paid_data(), json!({ "remark": "a&order_status=PAID&z=" }));
    assert_eq!(check(&kit(), Operation::Query, &signed(&injected), Class::Unknown, "AMBIGUOUS"), []);
    let harmless = with(&paid_data(), json!({ "remark": "a&b=1" }));
    assert_eq!(check(&kit(), Operation::Query, &signed(&harmless), Class::Done, ""), [Word::Paid(payment())]);
}

#[test]
fn what_is_no_envelope_says_nothing() {
    let many = format!("{{{}}}", (0..65).map(|n| format!("\"f{n}\":1")).collect::<Vec<_>>().join(","));
    let twice = r#"{"code":"999999","code":"000000"}"#;
    let data_twice = r#"{"code":"000000","data":{"amount":"0.01","amount":"0.02"}}"#;
    let too_many = format!(r#"{{"code":"000000","data":{many}}}"#);
    let bodies =
        ["", "[]", "1", "<html></html>", "{}", r#"{"code":""}"#, r#"{"code":1.5}"#, r#"{"code":"a b"}"#];
    for body in bodies.into_iter().chain([twice, data_twice, too_many.as_str()]) {
        says_nothing(&answer(200, body), "MALFORMED");
        check(&bare(), Operation::Create, &answer(200, body), Class::Unknown, "MALFORMED");
    }
    for data in [json!([]), json!(""), json!(5)] {
        assert_eq!(
            check(&bare(), Operation::Create, &plain("000000", &data), Class::Unknown, "MALFORMED"),
            []
        );
    }
}

#[test]
fn messages_are_cut_and_nothing_secret_is_shown() {
    let long = answer(200, &json!({ "code": "999999", "message": "很".repeat(300) }).to_string());
    let report = kit().parse(&asked(Operation::Query), &long);
    assert!(report.message.len() <= 256 && report.message.starts_with("很很"));
    let shown = format!(
        "{:?} {:?} {:?}",
        call(Operation::Create, created(), vec![]),
        kit().parse(&asked(Operation::Query), &signed(&paid_data())),
        kit().parse(&asked(Operation::Create), &signed(&weixin_data())),
    );
    for secret in [KEY, OLD_KEY, "oTestOpenId0001", "46C8DFAA0F9FD304B3AC2FAFEC2A6E09"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn an_account_that_is_gone_leaves_the_outcome_unknown() {
    let mut query = asked(Operation::Query);
    let mut order = created();
    order.account = "gone".parse().unwrap();
    query.created = std::sync::Arc::new(order);
    let report = kit().parse(&query, &error("100001"));
    assert_eq!((report.class, report.code.as_str()), (Class::Unknown, "UNKNOWN_ACCOUNT"));
}
