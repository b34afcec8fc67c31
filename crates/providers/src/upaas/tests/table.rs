//! The table of `status` and the account's own codes, row by row, through whole answers.

use paymux_domain::outcome::{CallReport, Operation, Word};
use paymux_domain::ports::Call;
use paymux_domain::refund::RefundProgress;

use super::{
    FULL, KEY, Kit, answer, asked, asked_refund, bare, call, created, error, kit, kit_of, paid_data, plain,
    refund_data, sealed, signed, weixin_data, with,
};
use serde_json::json;

/// What an answer leads to, in one line.
fn line(report: &CallReport) -> String {
    let asks = if report.ask { " ask" } else { "" };
    let slow = if report.throttled { " throttled" } else { "" };
    let words = report.words.iter().map(|word| match word {
        Word::Launched(_) => " launched",
        Word::Paid(_) => " paid",
        Word::RefundedElsewhere => " elsewhere",
        Word::Open => " open",
        Word::Closed => " closed",
        Word::NotExist => " absent",
        Word::Mismatch { .. } => " mismatch",
        Word::Refund(word) => match word.progress {
            RefundProgress::Done => " refunded",
            RefundProgress::Processing => " refunding",
            RefundProgress::Closed => " not_refunded",
            RefundProgress::NotExist => " no_refund",
            RefundProgress::Stuck => " stuck",
        },
        Word::Expired | Word::Hint => panic!("UPaaS says no such thing"),
    });
    format!("{} {}{asks}{slow}{}", report.class.as_str(), report.code, words.collect::<String>())
        .trim_end()
        .to_owned()
}

/// The five calls: create, query, close, refund, refund_query.
fn calls() -> [Call; 5] {
    [
        call(Operation::Create, created(), vec![]),
        asked(Operation::Query),
        asked(Operation::Close),
        asked(Operation::Refund),
        asked_refund(),
    ]
}

#[track_caller]
fn check(kit: &Kit, what: &str, response: &super::HttpResponse, expected: [&str; 5]) {
    for (call, expected) in calls().iter().zip(expected) {
        assert_eq!(line(&kit.parse(call, response)), expected, "{} answered {what}", call.operation.as_str());
    }
}

#[test]
fn the_published_code_is_done_for_each_call_that_its_data_fit() {
    let kit = kit();
    let data = [
        weixin_data(),
        paid_data(),
        json!({"merchant_order_no": super::NUMBER}),
        refund_data("SUCCESS"),
        refund_data("PROCESSING"),
    ];
    let expected = ["DONE  launched", "DONE  paid", "DONE  closed", "DONE  refunded", "DONE  refunding"];
    for ((call, data), expected) in calls().iter().zip(&data).zip(expected) {
        assert_eq!(line(&kit.parse(call, &signed(data))), expected, "{}", call.operation.as_str());
    }
    for (status, expected) in [("UNPAID", "open"), ("CLOSED", "closed"), ("REFUNDED", "paid elsewhere")] {
        let data = with(&paid_data(), json!({ "order_status": status }));
        let report = kit.parse(&asked(Operation::Query), &signed(&data));
        assert_eq!(line(&report), format!("DONE  {expected}"));
    }
    let failed = kit.parse(&asked_refund(), &signed(&refund_data("FAILED")));
    assert_eq!(line(&failed), "DONE  not_refunded");
}

#[test]
fn every_row_of_http() {
    for kit in [kit(), bare()] {
        check(&kit, "401", &answer(401, ""), ["OPS HTTP_401"; 5]);
        check(&kit, "403", &answer(403, "{}"), ["OPS HTTP_403"; 5]);
    }
    check(&bare(), "429", &answer(429, ""), ["RETRY HTTP_429 throttled"; 5]);
    let slow = "RETRY HTTP_429 throttled";
    check(&kit(), "429", &answer(429, ""), [slow, slow, "RETRY HTTP_429 ask throttled", slow, slow]);
    for status in [201, 204, 302, 400, 404, 500, 502, 503] {
        let code = format!("UNKNOWN HTTP_{status}");
        let asks = format!("{code} ask");
        let body = signed(&weixin_data()).body;
        let response = answer(status, &String::from_utf8(body).unwrap());
        check(&kit(), "another status", &response, [&asks, &code, &asks, &code, &code]);
        check(&bare(), "another status", &response, [code.as_str(); 5]);
    }
}

#[test]
fn every_code_that_the_account_names() {
    let (kit, calls) = (kit(), calls());
    let rows = [
        (0, "100001", "FINAL 100001"),
        (0, "100002", "RETRY 100002"),
        (0, "100003", "RETRY 100003 throttled"),
        (0, "100004", "OPS 100004"),
        (1, "200400", "FINAL 200400"),
        (2, "300001", "RETRY 300001 ask"),
        (3, "400001", "FINAL 400001"),
        (3, "400002", "OPS 400002"),
    ];
    for (at, code, expected) in rows {
        assert_eq!(line(&kit.parse(&calls[at], &error(code))), expected);
        assert_eq!(kit.parse(&calls[at], &error(code)).message, "余额不足");
    }
}

#[test]
fn that_something_does_not_exist_is_a_word_only_where_it_is_proven() {
    let (kit, calls) = (kit(), calls());
    let unverified = kit_of(&FULL.replace("response_sign = \"scalars\"", ""));
    let number = json!({ "merchant_order_no": super::NUMBER });
    for (at, code, word) in [(1, "200404", "absent"), (2, "300404", "absent"), (4, "500404", "no_refund")] {
        let proven = plain(code, &sealed(&number, KEY));
        assert_eq!(line(&kit.parse(&calls[at], &proven)), format!("DONE {code} {word}"));
        assert!(line(&kit.parse(&calls[at], &error(code))).starts_with(&format!("UNKNOWN {code}")));
        let by_the_connection = line(&unverified.parse(&calls[at], &error(code)));
        assert_eq!(by_the_connection, format!("DONE {code} {word}"), "the account verifies no answers");
    }
}

#[test]
fn codes_that_nobody_names_are_unknown() {
    let unnamed =
        ["UNKNOWN 999999 ask", "UNKNOWN 999999", "UNKNOWN 999999 ask", "UNKNOWN 999999", "UNKNOWN 999999"];
    check(&kit(), "an unknown code", &error("999999"), unnamed);
    check(&bare(), "an unknown code", &error("999999"), ["UNKNOWN 999999"; 5]);
    // A code of another operation is none of this one.
    assert_eq!(line(&kit().parse(&asked(Operation::Query), &error("100001"))), "UNKNOWN 100001");
}

#[test]
fn without_verification_no_code_ends_a_create() {
    let codes = r#"
        store_num = "1000001"
        codes = [
            { operation = "create", code = "100001", means = "FINAL" },
            { operation = "create", code = "100002", means = "RETRY" },
            { operation = "create", code = "200000", means = "DONE" },
        ]
    "#;
    let kit = kit_of(codes);
    let create = call(Operation::Create, created(), vec![]);
    assert_eq!(line(&kit.parse(&create, &error("100001"))), "UNKNOWN 100001");
    assert_eq!(line(&kit.parse(&create, &plain("100001", &weixin_data()))), "UNKNOWN 100001");
    assert_eq!(line(&kit.parse(&create, &error("100002"))), "RETRY 100002");
    assert_eq!(line(&kit.parse(&create, &plain("200000", &weixin_data()))), "DONE  launched");
}
