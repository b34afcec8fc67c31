//! The error tables of `providers.md` section 4.11, row by row, and what lies outside them.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use paymux_domain::fact::{AttemptOutcome, Fact, FactBody, FactKey};
use paymux_domain::fold::Order;
use paymux_domain::http::HttpResponse;
use paymux_domain::limits::PROVIDER_TEXT_BYTES_MAX;
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::ports::Call;

use super::{attempt, call_after, created, fact, kit, outcome, refund_call, signed, unsigned};
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
    (403, "USER_ACCOUNT_ABNORMAL"),
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
        match word {
            Word::Refund(word) => write!(text, " {:?}", word.progress).unwrap(),
            word => write!(text, " {word:?}").unwrap(),
        }
    }
    for (is_set, name) in [(report.ask, " ask"), (report.throttled, " throttled")] {
        text.push_str(if is_set { name } else { "" });
    }
    text
}

fn table(calls: &[Call]) -> String {
    let mut table = String::new();
    for (status, code) in ANSWERS {
        let response = signed(*status, &body(code));
        let cells: Vec<String> = calls.iter().map(|call| shown(&kit().parse(call, &response))).collect();
        writeln!(table, "{status} {code}: {}", cells.join(" | ")).unwrap();
    }
    table
}

/// One line for each answer: status, code, first create, repeated create, query, close.
#[test]
fn every_row() {
    let call = |operation, facts| call_after(operation, created("jsapi"), facts);
    let table = table(&[
        call(Operation::Create, vec![attempt(1)]),
        call(Operation::Create, vec![attempt(1), attempt(2)]),
        call(Operation::Query, vec![attempt(1)]),
        call(Operation::Close, vec![attempt(1)]),
    ]);
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
    403 USER_ACCOUNT_ABNORMAL: UNKNOWN | UNKNOWN | UNKNOWN | UNKNOWN
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

/// One line for each answer: status, code, first refund call, repeated refund call, query of the refund.
#[test]
fn every_row_of_refunds() {
    let call = |operation, calls| refund_call(operation, created("jsapi"), calls);
    let table = table(&[call(Operation::Refund, 1), call(Operation::Refund, 2), call(Operation::Query, 1)]);
    insta::assert_snapshot!(table, @r"
    202 USERPAYING: UNKNOWN | UNKNOWN | UNKNOWN
    400 PARAM_ERROR: FINAL | FINAL | FINAL
    400 INVALID_REQUEST: FINAL | FINAL | FINAL
    400 APPID_MCHID_NOT_MATCH: OPS | OPS | OPS
    400 MCH_NOT_EXISTS: OPS | OPS | OPS
    400 ORDER_CLOSED: FINAL | FINAL | UNKNOWN
    400 ORDER_PAID: UNKNOWN | UNKNOWN | UNKNOWN
    403 ORDER_PAID: UNKNOWN | UNKNOWN | UNKNOWN
    401 SIGN_ERROR: OPS | OPS | OPS
    403 NO_AUTH: OPS | OPS | OPS
    403 OUT_TRADE_NO_USED: UNKNOWN | UNKNOWN | UNKNOWN
    403 RULE_LIMIT: RETRY | RETRY | RETRY
    403 TRADE_ERROR: FINAL | FINAL | UNKNOWN
    403 ACCOUNT_ERROR: FINAL | FINAL | UNKNOWN
    403 NOT_ENOUGH: OPS | OPS | UNKNOWN
    403 USER_ACCOUNT_ABNORMAL: FINAL | FINAL | UNKNOWN
    404 ORDER_NOT_EXIST: FINAL | FINAL | UNKNOWN
    404 RESOURCE_NOT_EXISTS: UNKNOWN ask | FINAL | DONE NotExist
    429 FREQUENCY_LIMITED: UNKNOWN ask throttled | UNKNOWN ask throttled | RETRY throttled
    500 SYSTEM_ERROR: RETRY | RETRY | RETRY
    500 OPENID_MISMATCH: UNKNOWN | UNKNOWN | UNKNOWN
    500 BANK_ERROR: UNKNOWN | UNKNOWN | RETRY
    500 INVALID_TRANSACTIONID: UNKNOWN | UNKNOWN | UNKNOWN
    502 : RETRY | RETRY | RETRY
    503 : RETRY | RETRY | RETRY
    504 : UNKNOWN | UNKNOWN | UNKNOWN
    400 SOMETHING_NEW: UNKNOWN | UNKNOWN | UNKNOWN
    401 : OPS | OPS | OPS
    403 : UNKNOWN | UNKNOWN | UNKNOWN
    404 : UNKNOWN | UNKNOWN | UNKNOWN
    418 : UNKNOWN | UNKNOWN | UNKNOWN
    429 : UNKNOWN ask throttled | UNKNOWN ask throttled | RETRY throttled
    301 : UNKNOWN | UNKNOWN | UNKNOWN
    ");
}

/// An order that is not there may be there a moment later, but not after an earlier call that said the same.
#[test]
fn a_payment_that_is_not_found_twice_is_refused() {
    let no: paymux_domain::name::RefundNo = "r1".parse().unwrap();
    let class = |earlier: Option<Class>| {
        let mut call = refund_call(Operation::Refund, created("jsapi"), 2);
        let outcome =
            earlier.map(|class| AttemptOutcome { class, code: String::new(), message: String::new() });
        let outcome = outcome.map(|outcome| {
            fact(FactKey::RefundCallOutcome(no.clone(), 1), FactBody::RefundCallOutcome(outcome))
        });
        call.order = Arc::new(Order::from_facts(call.order.facts().cloned().chain(outcome)));
        kit().parse(&call, &signed(404, &body("RESOURCE_NOT_EXISTS"))).class
    };
    assert_eq!(class(None), Class::Final);
    assert_eq!(class(Some(Class::NotSent)), Class::Unknown, "nobody was asked before");
    assert_eq!(class(Some(Class::Done)), Class::Final);
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
    // What a proxy in between answers has no body of WeChat Pay's.
    let bare = |status| answered(Operation::Create, vec![attempt(1)], &unsigned(status, "")).class;
    assert_eq!([502, 503, 504].map(bare), [Class::Retry, Class::Retry, Class::Unknown]);
}

#[test]
fn an_unsigned_error_tells_nothing_of_an_order_or_a_refund() {
    let check = |call: &Call, status, code, expected: &str| {
        assert_eq!(shown(&kit().parse(call, &unsigned(status, &body(code)))), expected, "{status} {code}");
    };
    let query = call_after(Operation::Query, created("jsapi"), vec![attempt(1)]);
    let close = call_after(Operation::Close, created("jsapi"), vec![attempt(1)]);
    check(&query, 404, "ORDER_NOT_EXIST", "UNKNOWN");
    // A signed query decides.
    check(&close, 400, "ORDER_CLOSED", "UNKNOWN ask");
    check(&close, 404, "ORDER_NOT_EXIST", "UNKNOWN ask");
    check(&close, 400, "ORDER_PAID", "UNKNOWN ask");
    check(&refund_call(Operation::Query, created("jsapi"), 1), 404, "RESOURCE_NOT_EXISTS", "UNKNOWN");
    check(&refund_call(Operation::Refund, created("jsapi"), 1), 400, "INVALID_REQUEST", "FINAL");
    check(&refund_call(Operation::Refund, created("jsapi"), 1), 429, "", "UNKNOWN ask throttled");
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
        report.message.starts_with("错错")
            && report.message.ends_with(" [Request-ID 08F2E999C906-270924358]"),
        "{}",
        report.message
    );
    assert_eq!(report.retry_after, Some(Duration::from_secs(7)));
    for code in ["", "a b", "x\\u0000", &"X".repeat(65)] {
        let report = answered(Operation::Create, vec![attempt(1)], &signed(400, &body(code)));
        assert_eq!(report.code, "HTTP_400");
    }
}
