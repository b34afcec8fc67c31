//! Answers whose proof or content is not what it should be.

use paymux_domain::outcome::{Class, Operation, Word};

use super::{
    Fields, KEY, OLD_KEY, answer, asked, kit, paid_answer, payment, sign, signed, signed_by, unsigned, with,
};

#[track_caller]
fn check(response: &super::HttpResponse, class: Class, code: &str, words: &[Word]) {
    let report = kit().parse(&asked(Operation::Query), response);
    assert_eq!((report.class, report.code.as_str()), (class, code), "{}", report.message);
    assert_eq!(report.words, words);
}

#[test]
fn a_success_without_proof_says_nothing() {
    check(&unsigned(&paid_answer()), Class::Unknown, "UNSIGNED", &[]);
    check(&signed_by("stranger", &paid_answer()), Class::Unknown, "BAD_SIGNATURE", &[]);
    let short = with(&paid_answer(), &[("sign", "0123")]);
    check(&unsigned(&short), Class::Unknown, "BAD_SIGNATURE", &[]);
}

#[test]
fn a_failure_with_a_wrong_signature_says_nothing_either() {
    let failed = Fields::from([("return_code", "0"), ("return_msg", "签名错误")]);
    check(&signed_by("stranger", &failed), Class::Unknown, "BAD_SIGNATURE", &[]);
}

#[test]
fn each_key_of_the_account_proves_an_answer() {
    let paid = [Word::Paid(payment(super::ID))];
    check(&signed_by(KEY, &paid_answer()), Class::Done, "", &paid);
    check(&signed_by(OLD_KEY, &paid_answer()), Class::Done, "", &paid);
}

#[test]
fn values_of_zero_may_be_left_out_of_the_signature() {
    let open = with(&paid_answer(), &[("status", "0")]);
    let dropped = sign(&open, KEY, false);
    check(&unsigned(&with(&open, &[("sign", dropped.as_str())])), Class::Done, "", &[Word::Open]);
}

#[test]
fn numbers_may_be_texts_and_new_fields_may_come() {
    let fields = with(&paid_answer(), &[("newly_added", "a b+c&d=e%41 新")]);
    let text: serde_json::Map<_, _> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    let mut object = serde_json::Value::Object(text);
    object["sign"] = sign(&fields, KEY, true).into();
    object["empty"] = serde_json::Value::Null;
    check(&answer(200, &object.to_string()), Class::Done, "", &[Word::Paid(payment(super::ID))]);
}

#[test]
fn an_answer_about_somebody_else_is_a_mismatch() {
    for (field, value) in
        [("mchid", "654321"), ("out_trade_no", "T2"), ("payjs_order_id", "2019101503054900456615859")]
    {
        let other = with(&paid_answer(), &[(field, value)]);
        check(&signed(&other), Class::Unknown, "MISMATCH", &[Word::Mismatch { field }]);
        check(&unsigned(&other), Class::Unknown, "UNSIGNED", &[]);
    }
}

#[test]
fn what_must_be_there_is_demanded() {
    for field in ["out_trade_no", "payjs_order_id", "status", "total_fee"] {
        let mut fields = paid_answer();
        fields.remove(field);
        check(&signed(&fields), Class::Unknown, "MALFORMED", &[]);
    }
    for bad in
        [("status", "2"), ("total_fee", "1.0"), ("total_fee", "-1"), ("total_fee", "12345678901234567")]
    {
        check(&signed(&with(&paid_answer(), &[bad])), Class::Unknown, "MALFORMED", &[]);
    }
}

#[test]
fn a_wrong_amount_is_told_as_it_is_stated() {
    let more = signed(&with(&paid_answer(), &[("total_fee", "2")]));
    let report = kit().parse(&asked(Operation::Query), &more);
    let [Word::Paid(payment)] = report.words.as_slice() else { panic!("not paid: {report:?}") };
    assert_eq!(payment.total_minor, 2);
}

#[test]
fn a_text_that_can_be_cut_in_two_ways_proves_nothing() {
    let injected = with(&paid_answer(), &[("attach", "a&total_fee=1&z=")]);
    check(&signed(&injected), Class::Unknown, "AMBIGUOUS", &[]);
    check(
        &signed(&with(&paid_answer(), &[("attach", "a&b=1")])),
        Class::Done,
        "",
        &[Word::Paid(payment(super::ID))],
    );
}

#[test]
fn what_is_no_flat_object_says_nothing() {
    let nested = r#"{"return_code":1,"data":{"status":1}}"#;
    let twice = r#"{"return_code":0,"return_code":1}"#;
    let many = format!("{{{}}}", (0..65).map(|n| format!("\"f{n}\":1")).collect::<Vec<_>>().join(","));
    for body in ["", "[]", "1", "<html></html>", nested, twice, &many, r#"{"return_code":1.5}"#] {
        check(&answer(200, body), Class::Unknown, "MALFORMED", &[]);
    }
}

#[test]
fn messages_are_cut_and_nothing_secret_is_shown() {
    let long = "很".repeat(300);
    let failed = Fields::from([("return_code", "0"), ("msg", long.as_str())]);
    let report = kit().parse(&asked(Operation::Query), &unsigned(&failed));
    assert!(report.message.len() <= 256 && report.message.starts_with("很很"));
    let shown = format!(
        "{:?} {:?}",
        asked(Operation::Query),
        kit().parse(&asked(Operation::Query), &signed(&paid_answer()))
    );
    for secret in [KEY, OLD_KEY, "oTest_openid_0001"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn an_account_that_is_gone_leaves_the_outcome_unknown() {
    let mut query = asked(Operation::Query);
    let mut order = super::created();
    order.account = "gone".parse().unwrap();
    query.created = std::sync::Arc::new(order);
    let report = kit().parse(&query, &signed(&paid_answer()));
    assert_eq!((report.class, report.code.as_str()), (Class::Unknown, "UNKNOWN_ACCOUNT"));
}
