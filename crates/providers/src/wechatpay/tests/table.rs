//! The error tables of `providers.md` section 4.11, row by row, and what lies outside them.

use std::fmt::Write as _;
use std::time::Duration;

use paymux_domain::fact::Fact;
use paymux_domain::http::HttpResponse;
use paymux_domain::limits::PROVIDER_TEXT_BYTES_MAX;
use paymux_domain::outcome::{CallReport, Class, Operation, Word};

use super::{attempt, call_after, created, kit, outcome, signed, unsigned};
use crate::wechatpay::status::current_spelling;

/// Every HTTP status and code of the documents, and some that are in none.
const ANSWERS: &[(u16, &str)] = &[
    (202, "USERPAYING"),
    (400, "PARAM_ERROR"),
    (400, "INVALID_REQUEST"),
    (400, "APPID_MCHID_NOT_MATCH"),
    (400, "MCH_NOT_EXISTS"),
    (400, "ORDER_CLOSED"),
    (400, "ORDER_PAID"),
    (403, "ORDER_PAID"),
    (401, "SIGN_ERROR"),
    (403, "NO_AUTH"),
    (403, "OUT_TRADE_NO_USED"),
    (403, "RULE_LIMIT"),
    (403, "TRADE_ERROR"),
    (403, "ACCOUNT_ERROR"),
    (403, "NOT_ENOUGH"),
    (404, "ORDER_NOT_EXIST"),
    (404, "RESOURCE_NOT_EXISTS"),
    (429, "FREQUENCY_LIMITED"),
    (500, "SYSTEM_ERROR"),
    (500, "OPENID_MISMATCH"),
    (500, "BANK_ERROR"),
    (500, "INVALID_TRANSACTIONID"),
    (502, ""),
    (503, ""),
    (504, ""),
    (400, "SOMETHING_NEW"),
    (401, ""),
    (403, ""),
    (404, ""),
    (418, ""),
    (429, ""),
    (301, ""),
];

fn answered(operation: Operation, facts: Vec<Fact>, response: &HttpResponse) -> CallReport {
    kit().parse(&call_after(operation, created("jsapi"), facts), response)
}

fn body(code: &str) -> String {
    format!(r#"{{"code":"{code}","message":"…","detail":{{"field":"x"}}}}"#)
}

fn shown(report: &CallReport) -> String {
    let mut text = report.class.as_str().to_owned();
    for word in &report.words {
        write!(text, " {word:?}").unwrap();
    }
    for (is_set, name) in [(report.ask, " ask"), (report.throttled, " throttled")] {
        text.push_str(if is_set { name } else { "" });
    }
    text
}

/// One line for each answer: status, code, first create, repeated create, query, close.
#[test]
fn every_row() {
    let mut table = String::new();
    for (status, code) in ANSWERS {
        let response = signed(*status, &body(code));
        let first = answered(Operation::Create, vec![attempt(1)], &response);
        let repeat = answered(Operation::Create, vec![attempt(1), attempt(2)], &response);
        let query = answered(Operation::Query, vec![attempt(1)], &response);
        let close = answered(Operation::Close, vec![attempt(1)], &response);
        let cells = [&first, &repeat, &query, &close].map(shown).join(" | ");
        writeln!(table, "{status} {code}: {cells}").unwrap();
    }
    insta::assert_snapshot!(table, @r"
    202 USERPAYING: RETRY | RETRY | DONE Open | RETRY
    400 PARAM_ERROR: FINAL | FINAL | FINAL | UNKNOWN ask
    400 INVALID_REQUEST: FINAL | UNKNOWN ask | FINAL | UNKNOWN ask
    400 APPID_MCHID_NOT_MATCH: OPS | OPS | OPS | OPS
    400 MCH_NOT_EXISTS: OPS | OPS | OPS | OPS
    400 ORDER_CLOSED: FINAL | UNKNOWN ask | UNKNOWN | DONE Closed
    400 ORDER_PAID: UNKNOWN ask | UNKNOWN ask | UNKNOWN | UNKNOWN ask
    403 ORDER_PAID: UNKNOWN ask | UNKNOWN ask | UNKNOWN | UNKNOWN ask
    401 SIGN_ERROR: OPS | OPS | OPS | OPS
    403 NO_AUTH: OPS | OPS | OPS | OPS
    403 OUT_TRADE_NO_USED: UNKNOWN ask | UNKNOWN ask | UNKNOWN | UNKNOWN
    403 RULE_LIMIT: FINAL | FINAL | RETRY | RETRY
    403 TRADE_ERROR: FINAL | FINAL | UNKNOWN | RETRY
    403 ACCOUNT_ERROR: FINAL | FINAL | UNKNOWN | RETRY
    403 NOT_ENOUGH: FINAL | FINAL | UNKNOWN | UNKNOWN
    404 ORDER_NOT_EXIST: UNKNOWN | UNKNOWN | DONE NotExist | DONE NotExist
    404 RESOURCE_NOT_EXISTS: UNKNOWN | UNKNOWN | UNKNOWN | UNKNOWN
    429 FREQUENCY_LIMITED: RETRY throttled | RETRY throttled | RETRY throttled | RETRY throttled
    500 SYSTEM_ERROR: RETRY | RETRY | RETRY | RETRY
    500 OPENID_MISMATCH: FINAL | FINAL | UNKNOWN | UNKNOWN
    500 BANK_ERROR: RETRY | RETRY | RETRY | RETRY
    500 INVALID_TRANSACTIONID: FINAL | FINAL | UNKNOWN | UNKNOWN
    502 : RETRY | RETRY | RETRY | RETRY
    503 : RETRY | RETRY | RETRY | RETRY
    504 : UNKNOWN | UNKNOWN | UNKNOWN | UNKNOWN
    400 SOMETHING_NEW: UNKNOWN | UNKNOWN | UNKNOWN | UNKNOWN
    401 : OPS | OPS | OPS | OPS
    403 : UNKNOWN | UNKNOWN | UNKNOWN | UNKNOWN
    404 : UNKNOWN | UNKNOWN | UNKNOWN | UNKNOWN
    418 : UNKNOWN | UNKNOWN | UNKNOWN | UNKNOWN
    429 : RETRY throttled | RETRY throttled | RETRY throttled | RETRY throttled
    301 : UNKNOWN | UNKNOWN | UNKNOWN | UNKNOWN
    ");
}

#[test]
fn old_spellings_mean_the_same() {
    for (old, new) in [
        ("USER_PAYING", "USERPAYING"),
        ("SYSTEMERROR", "SYSTEM_ERROR"),
        ("ORDERNOTEXIST", "ORDER_NOT_EXIST"),
        ("ORDERCLOSED", "ORDER_CLOSED"),
        ("ORDERPAID", "ORDER_PAID"),
        ("NOAUTH", "NO_AUTH"),
        ("NOTENOUGH", "NOT_ENOUGH"),
        ("RULELIMIT", "RULE_LIMIT"),
        ("RATELIMIT_EXCEEDED", "FREQUENCY_LIMITED"),
    ] {
        assert_eq!(current_spelling(old), new);
        let (status, _) = ANSWERS.iter().find(|(_, code)| *code == new).unwrap();
        for operation in [Operation::Create, Operation::Query, Operation::Close] {
            let of = |code| shown(&answered(operation, vec![attempt(1)], &signed(*status, &body(code))));
            assert_eq!(of(old), of(new), "{old}");
        }
    }
}

#[test]
fn an_order_that_an_unanswered_attempt_may_have_made_is_not_refused_for_good() {
    for code in ["ORDER_CLOSED", "INVALID_REQUEST"] {
        let class = |facts| answered(Operation::Create, facts, &signed(400, &body(code))).class;
        assert_eq!(class(vec![attempt(1)]), Class::Final);
        assert_eq!(class(vec![attempt(1), attempt(2)]), Class::Unknown);
        assert_eq!(class(vec![attempt(1), outcome(1, Class::Done), attempt(2)]), Class::Unknown);
        assert_eq!(class(vec![attempt(1), outcome(1, Class::NotSent), attempt(2)]), Class::Final);
        assert_eq!(class(vec![attempt(1), outcome(1, Class::Final), attempt(2)]), Class::Final);
        let mixed = vec![attempt(1), attempt(2), outcome(2, Class::NotSent), attempt(3)];
        assert_eq!(class(mixed), Class::Unknown);
    }
}

#[test]
fn an_unsigned_error_counts_unless_it_is_a_server_error_that_would_end_something() {
    let class =
        |status, code| answered(Operation::Create, vec![attempt(1)], &unsigned(status, &body(code))).class;
    assert_eq!(class(400, "PARAM_ERROR"), Class::Final);
    assert_eq!(class(500, "SYSTEM_ERROR"), Class::Retry);
    assert_eq!(class(500, "OPENID_MISMATCH"), Class::Unknown);
    let gone = answered(Operation::Query, vec![attempt(1)], &unsigned(404, &body("ORDER_NOT_EXIST")));
    assert_eq!(gone.words, [Word::NotExist]);
}

#[test]
fn a_code_counts_with_a_status_of_its_family_only() {
    let class =
        |status, code| answered(Operation::Create, vec![attempt(1)], &signed(status, &body(code))).class;
    assert_eq!(class(500, "PARAM_ERROR"), Class::Unknown);
    assert_eq!(class(400, "OPENID_MISMATCH"), Class::Unknown);
    assert_eq!(class(202, "PARAM_ERROR"), Class::Unknown);
    assert_eq!(class(422, "PARAM_ERROR"), Class::Final);
}

#[test]
fn codes_and_messages_are_kept_in_bounds() {
    let long = format!(r#"{{"code":"PARAM_ERROR","message":"{}"}}"#, "错\\n".repeat(300));
    let mut response = signed(400, &long);
    response.headers.push(("request-id".to_owned(), "08F2E999C906-270924358".to_owned()));
    response.headers.push(("retry-after".to_owned(), "7".to_owned()));
    let report = answered(Operation::Create, vec![attempt(1)], &response);
    assert!(report.message.len() <= PROVIDER_TEXT_BYTES_MAX, "{}", report.message.len());
    assert!(
        report.message.starts_with("错错") && report.message.ends_with(" [270924358]"),
        "{}",
        report.message
    );
    assert_eq!(report.retry_after, Some(Duration::from_secs(7)));
    for code in ["", "a b", "x\\u0000", &"X".repeat(65)] {
        let report = answered(Operation::Create, vec![attempt(1)], &signed(400, &body(code)));
        assert_eq!(report.code, "HTTP_400");
    }
}
