//! The table of `status`, row by row, through whole answers.

use paymux_domain::outcome::{Class, Word};
use paymux_domain::refund::RefundProgress;

use super::super::status::PAUSE;
use super::{Ask, Fields, REFUND_NO, TRADE_NO, answer, asked_at, kit, paid_answer, signed, with};

/// What an answer to a call of the account `hinted`, which can ask for everything, leads to, in one line.
fn outcome(ask: Ask, response: &super::HttpResponse) -> String {
    let report = kit().parse(&asked_at("hinted", ask), response);
    let waits = if report.retry_after == Some(PAUSE) { " later" } else { "" };
    let asks = if report.ask { " ask" } else { "" };
    let slow = if report.throttled { " throttled" } else { "" };
    let words = report.words.iter().map(|word| match word {
        Word::Paid(_) => " paid",
        Word::Open => " open",
        Word::Closed => " closed",
        Word::Expired => " expired",
        Word::NotExist => " absent",
        Word::Refund(refund) => match refund.progress {
            RefundProgress::Done => " refunded",
            RefundProgress::Closed => " failed",
            RefundProgress::Processing => " underway",
            RefundProgress::NotExist => " absent",
            RefundProgress::Stuck => " stuck",
        },
        other => panic!("unexpected {other:?}"),
    });
    let words = words.collect::<String>();
    format!("{} {}{waits}{asks}{slow}{words}", report.class.as_str(), report.code).trim_end().to_owned()
}

const ALL: [Ask; 4] = [Ask::Query, Ask::Close, Ask::Refund, Ask::RefundQuery];

/// An accepted answer about the order of the account `hinted`.
fn accepted(status: &'static str) -> Fields<'static> {
    let fields = with(&paid_answer(), &[("merch_no", "833000000000001"), ("trade_status", status)]);
    with(&fields, &[("refund_status", status), ("out_refund_no", REFUND_NO)])
}

fn refused(text: &'static str) -> Fields<'static> {
    Fields::from([("return_code", "10000"), ("result_code", "20009"), ("result_msg", text)])
}

#[track_caller]
fn check(what: &str, response: &super::HttpResponse, expected: [&str; 4]) {
    for (ask, expected) in ALL.into_iter().zip(expected) {
        assert_eq!(outcome(ask, response), expected, "{ask:?} answered {what}");
    }
}

#[test]
fn every_status_of_an_accepted_call() {
    let later = "RETRY 10000 later ask";
    check("1", &signed(&accepted("1")), ["DONE  paid", later, "DONE  refunded", "DONE  refunded"]);
    check("2", &signed(&accepted("2")), ["DONE  closed", "DONE  closed", "FINAL STATUS_2", "DONE  failed"]);
    check("3", &signed(&accepted("3")), ["DONE  open", later, "DONE  underway", "DONE  underway"]);
    check("4", &signed(&accepted("4")), ["DONE  expired", later, "UNKNOWN MALFORMED", "UNKNOWN MALFORMED"]);
    check("5", &signed(&accepted("5")), ["UNKNOWN OTHER_STATUS"; 4]);
    let malformed = "UNKNOWN MALFORMED";
    check("no status", &signed(&accepted("")), [malformed, "DONE  closed", malformed, malformed]);
}

#[test]
fn every_kind_of_refusal() {
    let final_ = "FINAL 20009";
    let later = "RETRY 20009 later";
    check("another text", &signed(&refused("系统繁忙")), [later, "RETRY 20009 later ask", final_, later]);
    let absent = ["DONE  absent", "DONE  absent", final_, later];
    check("no such order", &signed(&refused("订单不存在")), absent);
    check("no such trade", &signed(&refused("原交易不存在")), absent);
    let elsewhere = signed(&refused("商户不存在"));
    assert_eq!(outcome(Ask::Query, &elsewhere), later, "another thing is missing");
    let by_code = with(&refused("x"), &[("result_code", "20001")]);
    check(
        "a code of ours",
        &signed(&by_code),
        ["DONE  absent", "DONE  absent", "FINAL 20001", "DONE  absent"],
    );
    check(
        "balance",
        &signed(&refused("可用余额不足")),
        ["UNKNOWN MALFORMED", "UNKNOWN MALFORMED", "OPS 20009", "UNKNOWN MALFORMED"],
    );
    let paid = signed(&refused("订单已支付"));
    assert_eq!(outcome(Ask::Close, &paid), "RETRY 20009 later ask");
    for text in ["签名错误", "验签失败", "IP不在白名单", "sign error", "accessid invalid"] {
        check(text, &signed(&refused(text)), ["OPS 20009"; 4]);
        let unsigned = serde_json::to_string(&refused(text)).unwrap();
        check(text, &answer(200, &unsigned), ["OPS 20009"; 4]);
    }
    let first = Fields::from([("return_code", "9999"), ("return_msg", "参数错误")]);
    assert_eq!(outcome(Ask::Query, &signed(&first)), "RETRY 9999 later");
    let old = Fields::from([("return_code", "10000"), ("error_code", "E1"), ("error_msg", "失败")]);
    assert_eq!(outcome(Ask::Refund, &signed(&old)), "FINAL E1");
}

#[test]
fn a_status_of_the_first_version_counts_beside_its_error_code() {
    let fields = [("return_code", "10000"), ("error_code", "0000"), ("refund_status", "1")];
    assert_eq!(outcome(Ask::RefundQuery, &signed(&Fields::from(fields))), "DONE  refunded");
}

#[test]
fn what_is_no_signed_answer_is_unknown() {
    check("429", &answer(429, "slow down"), ["RETRY HTTP_429 later throttled"; 4]);
    for status in [302, 400, 403, 404, 500, 502, 503] {
        let code = format!("UNKNOWN HTTP_{status}");
        check("another status", &answer(status, r#"{"return_code":"10000"}"#), [code.as_str(); 4]);
    }
    for body in ["", "SUCCESS", "[]", r#"{"return_code":"10000","return_code":"1"}"#] {
        check(body, &answer(200, body), ["UNKNOWN MALFORMED"; 4]);
    }
    check("unsigned", &answer(200, &serde_json::to_string(&accepted("1")).unwrap()), ["UNKNOWN UNSIGNED"; 4]);
    check("by a stranger", &super::signed_by("another key", &accepted("1")), ["UNKNOWN BAD_SIGNATURE"; 4]);
    let cut = with(&accepted("1"), &[("remark", "x&trade_status=1")]);
    check("ambiguous", &signed(&cut), ["UNKNOWN AMBIGUOUS"; 4]);
    let bare = kit().parse(&asked_at("bare", Ask::Query), &signed(&accepted("1")));
    assert_eq!(bare.class, Class::Unknown, "the account has no key to verify it with");
}

#[test]
fn a_previous_key_still_verifies() {
    let report =
        kit().parse(&asked_at("shop", Ask::Query), &super::signed_by(super::OLD_ACCESS_KEY, &paid_answer()));
    let [Word::Paid(payment)] = report.words.as_slice() else { panic!("{report:?}") };
    assert_eq!(payment.trade_no.as_str(), TRADE_NO);
}
