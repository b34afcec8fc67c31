//! Answers: what they state, what they must name, what they must not show.

use paymux_domain::outcome::{Class, Operation, Word};
use paymux_domain::refund::RefundProgress;

use super::{
    Ask, Fields, REFUND_NO, TRADE_NO, asked_at, call, created, kit, paid, paid_answer, payment, signed, with,
};

#[test]
fn a_paid_query_states_the_payment() {
    let report = kit().parse(&asked_at("shop", Ask::Query), &signed(&paid_answer()));
    assert_eq!((report.class, report.words), (Class::Done, vec![Word::Paid(payment())]));
}

#[test]
fn numbers_and_texts_are_both_read() {
    let mut body: serde_json::Value = serde_json::from_slice(&signed(&paid_answer()).body).unwrap();
    for name in ["return_code", "result_code", "trade_status"] {
        let number: u64 = body[name].as_str().unwrap().parse().unwrap();
        body[name] = number.into();
    }
    body["order_amount"] = 0.05.into();
    let report = kit().parse(&asked_at("shop", Ask::Query), &super::answer(200, &body.to_string()));
    assert_eq!(report.words, [Word::Paid(payment())]);
}

#[test]
fn a_nested_value_takes_part_in_the_signature_and_says_nothing() {
    // Flattened, the nested object reads as the text that is signed here.
    let flat = with(&paid_answer(), &[("attach", "out_refund_no=x&trade_no=y")]);
    let sign = super::sealed(&flat, super::ACCESS_KEY);
    let mut body: serde_json::Value = serde_json::to_value(paid_answer()).unwrap();
    body["attach"] = serde_json::json!({ "out_refund_no": "x", "trade_no": "y" });
    body["sign"] = sign.into();
    let report = kit().parse(&asked_at("shop", Ask::Query), &super::answer(200, &body.to_string()));
    assert_eq!(report.words, [Word::Paid(payment())]);
}

#[test]
fn an_answer_about_something_else_is_a_mismatch_and_nothing_more() {
    let kit = kit();
    let check = |call: &super::Call, field: &'static str| {
        let report = kit
            .parse(call, &signed(&with(&paid_answer(), &[("out_refund_no", REFUND_NO), (field, "other")])));
        assert_eq!((report.class, report.code.as_str()), (Class::Unknown, "MISMATCH"), "{field}");
        assert_eq!(report.words, [Word::Mismatch { field }]);
    };
    for field in ["merch_no", "out_trade_no"] {
        check(&asked_at("shop", Ask::Query), field);
        check(&asked_at("shop", Ask::Close), field);
    }
    for field in ["merch_no", "out_trade_no", "trade_no", "out_refund_no"] {
        check(&asked_at("shop", Ask::Refund), field);
    }
    check(&call(Operation::Query, created(), vec![paid()]), "trade_no");
}

#[test]
fn what_a_word_rests_on_must_be_readable() {
    let kit = kit();
    for change in [("out_trade_no", ""), ("trade_no", ""), ("trade_no", "a b"), ("order_amount", "0.050")] {
        let report = kit.parse(&asked_at("shop", Ask::Query), &signed(&with(&paid_answer(), &[change])));
        assert_eq!((report.class, report.words.len()), (Class::Unknown, 0), "{change:?}");
    }
    let odd = with(&paid_answer(), &[("end_time", "yesterday"), ("total_amount", "-1"), ("fee", "0.038")]);
    let report = kit.parse(&asked_at("shop", Ask::Query), &signed(&odd));
    let [Word::Paid(payment)] = report.words.as_slice() else { panic!("the money counts: {report:?}") };
    assert_eq!((payment.success_time, payment.payer_total_minor, payment.fee_minor), (None, None, None));
}

#[test]
fn a_refund_is_told_by_its_number_with_what_is_stated() {
    let fields = Fields::from([
        ("return_code", "10000"),
        ("result_code", "10000"),
        ("out_refund_no", REFUND_NO),
        ("refund_no", "RF1"),
        ("refund_amount", "0.03"),
        ("trade_status", "1"),
    ]);
    let report = kit().parse(&asked_at("shop", Ask::Refund), &signed(&fields));
    let [Word::Refund(word)] = report.words.as_slice() else { panic!("{report:?}") };
    assert_eq!(word.out_refund_no.as_ref().map(|no| no.as_str()), Some(REFUND_NO));
    assert_eq!((word.progress, word.amount_minor), (RefundProgress::Done, Some(3)));
    assert_eq!((word.provider_refund_no.as_deref(), word.code.as_str()), (Some("RF1"), "STATUS_1"));
}

#[test]
fn nothing_personal_is_shown() {
    let secret = with(&paid_answer(), &[("openid", "2088personal"), ("remark", "personal")]);
    let report = kit().parse(&asked_at("shop", Ask::Query), &signed(&secret));
    let shown = format!("{report:?} {:?}", kit().build(&asked_at("shop", Ask::Query)));
    assert!(!shown.contains("personal") && shown.contains(TRADE_NO), "{shown}");
    let mini = kit().launch(&created());
    let shown = format!("{mini:?}");
    assert!(!shown.contains("矿泉水") && !shown.contains(&mini.sign), "{shown}");
}
