//! The table of `status`, row by row, through whole answers: signed and unsigned, with 1 and 0.

use paymux_domain::outcome::{Class, Operation, Word};

use super::super::status::PAUSE;
use super::{Fields, ID, answer, asked, kit, paid_answer, payment, refund_call, signed, unsigned, with};

/// What an answer leads to, in one line.
fn outcome(operation: Operation, response: &super::HttpResponse) -> String {
    let report = kit().parse(&asked(operation), response);
    let waits = if report.retry_after == Some(PAUSE) { " later" } else { "" };
    let asks = if report.ask { " ask" } else { "" };
    let slow = if report.throttled { " throttled" } else { "" };
    let words = report.words.iter().map(|word| match word {
        Word::Paid(_) => " paid",
        Word::Open => " open",
        Word::Closed => " closed",
        Word::Refund(_) => " refunded",
        other => panic!("unexpected {other:?}"),
    });
    format!("{} {}{waits}{asks}{slow}{}", report.class.as_str(), report.code, words.collect::<String>())
        .trim_end()
        .to_owned()
}

const CALLS: [Operation; 3] = [Operation::Query, Operation::Close, Operation::Refund];

fn failed(message: &'static str) -> Fields<'static> {
    Fields::from([("return_code", "0"), ("return_msg", message), ("payjs_order_id", ID)])
}

#[track_caller]
fn check(what: &str, response: &super::HttpResponse, expected: [&str; 3]) {
    for (operation, expected) in CALLS.into_iter().zip(expected) {
        assert_eq!(outcome(operation, response), expected, "{} answered {what}", operation.as_str());
    }
}

#[test]
fn every_row_of_the_table() {
    let yes = paid_answer();
    check("1", &signed(&yes), ["DONE  paid", "DONE  closed", "DONE  refunded"]);
    let open = with(&yes, &[("status", "0")]);
    assert_eq!(outcome(Operation::Query, &signed(&open)), "DONE  open");

    let no = ["RETRY RETURN_CODE_0 later", "RETRY RETURN_CODE_0 later ask", "RETRY RETURN_CODE_0 later"];
    check("0", &signed(&failed("订单不存在")), no);
    check("0 without a signature", &unsigned(&failed("订单不存在")), no);

    let ours = ["OPS RETURN_CODE_0"; 3];
    for message in ["签名错误", "Sign error"] {
        check(message, &signed(&failed(message)), ours);
        check(message, &unsigned(&failed(message)), ours);
    }

    check("429", &answer(429, "Too Many Attempts."), ["RETRY HTTP_429 later throttled"; 3]);
    for status in [302, 400, 403, 404, 500, 502, 503] {
        let code = format!("UNKNOWN HTTP_{status}");
        check("another status", &answer(status, r#"{"return_code":0}"#), [code.as_str(); 3]);
    }
    let unreadable = [("return_code", "2"), ("return_code", ""), ("return_code", "SUCCESS")];
    for field in unreadable {
        check("another code", &signed(&with(&yes, &[field])), ["UNKNOWN MALFORMED"; 3]);
    }
    assert_eq!(outcome(Operation::Create, &signed(&yes)), "UNKNOWN MALFORMED", "nothing is sent for it");
}

#[test]
fn a_refund_that_was_made_before_is_done_with_either_code() {
    for code in ["0", "1"] {
        let before = with(&failed("订单已退款"), &[("return_code", code), ("refund", "1")]);
        assert_eq!(outcome(Operation::Refund, &signed(&before)), "DONE REFUNDED_BEFORE refunded");
    }
    let claimed = with(&failed("订单已退款"), &[("refund", "1")]);
    assert_eq!(outcome(Operation::Refund, &unsigned(&claimed)), "RETRY RETURN_CODE_0 later", "not proven");
    let not_yet = with(&failed("余额不足"), &[("refund", "0")]);
    assert_eq!(outcome(Operation::Refund, &signed(&not_yet)), "RETRY RETURN_CODE_0 later");
}

#[test]
fn the_fourth_refusal_of_a_refund_is_for_a_person() {
    let refused = signed(&failed("未结算余额不足"));
    let class = |calls, ended: &[Class]| kit().parse(&refund_call(1, calls, ended), &refused).class;
    for calls in 1..=3 {
        assert_eq!(class(calls, &[]), Class::Retry, "call {calls}");
    }
    assert_eq!(class(4, &[]), Class::Ops);
    assert_eq!(class(4, &[Class::NotSent]), Class::Retry, "one of them never left");
    let report = kit().parse(&refund_call(1, 4, &[]), &refused);
    assert_eq!((report.message.as_str(), report.retry_after), ("未结算余额不足", None));
}

#[test]
fn a_paid_check_states_the_payment() {
    let report = kit().parse(&asked(Operation::Query), &signed(&paid_answer()));
    assert_eq!(report.words, [Word::Paid(payment(ID))]);
}
