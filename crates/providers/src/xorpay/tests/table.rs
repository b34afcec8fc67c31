//! The table of `status`, row by row, through whole answers.

use paymux_domain::fact::{AttemptOutcome, FactBody, FactKey};
use paymux_domain::outcome::{Class, Operation, Word};
use paymux_domain::ports::Call;

use super::super::status::{PAUSE, REFUND_PAUSE};
use super::{answer, asked, attempts, created, fact, kit, ok, said};

/// What an answer leads to, in one line.
fn outcome(call: &Call, response: &super::HttpResponse) -> String {
    let report = kit().parse(call, response);
    let waits = match report.retry_after {
        None => "",
        Some(PAUSE) => " later",
        Some(REFUND_PAUSE) => " next push",
        Some(other) => panic!("another pause: {other:?}"),
    };
    let asks = if report.ask { " ask" } else { "" };
    let slow = if report.throttled { " throttled" } else { "" };
    let words = report.words.iter().map(|word| match word {
        Word::Launched(_) => " launched",
        Word::Paid(_) => " paid",
        Word::Open => " open",
        Word::Expired => " expired",
        Word::NotExist => " not_exist",
        Word::Refund(_) => " refunded",
        other => panic!("unexpected {other:?}"),
    });
    format!("{} {}{waits}{asks}{slow}{}", report.class.as_str(), report.code, words.collect::<String>())
        .trim_end()
        .to_owned()
}

#[track_caller]
fn check(call: &Call, rows: &[(&str, &str)]) {
    for (status, expected) in rows {
        assert_eq!(outcome(call, &said(status)), *expected, "{} answered {status}", call.operation.as_str());
    }
}

#[test]
fn every_row_of_a_first_create() {
    assert_eq!(outcome(&asked(Operation::Create), &answer(200, &ok().to_string())), "DONE  launched");
    check(
        &asked(Operation::Create),
        &[
            ("missing_argument", "FINAL missing_argument"),
            ("app_off", "OPS app_off"),
            ("aid_not_exist", "OPS aid_not_exist"),
            ("pay_type_error", "FINAL pay_type_error"),
            ("sign_error", "OPS sign_error"),
            ("order_payed", "UNKNOWN order_payed ask"),
            ("order_expire", "FINAL order_expire"),
            ("wechat_api_error", "RETRY wechat_api_error later"),
            ("fee_error", "OPS fee_error"),
            ("order_exist", "FINAL order_exist"),
            ("invalid_openid", "FINAL invalid_openid"),
            ("no_contract", "OPS no_contract"),
            ("no_alipay_contract", "OPS no_alipay_contract"),
            ("alipay_api_error", "RETRY alipay_api_error later"),
            ("payed", "UNKNOWN payed"),
            ("brand_new", "UNKNOWN brand_new"),
        ],
    );
}

/// After an attempt of which nothing was heard a refusal may mean that that one has made the order.
#[test]
fn every_row_of_a_repeated_create() {
    check(
        &attempts(2),
        &[
            ("missing_argument", "UNKNOWN missing_argument ask"),
            ("pay_type_error", "UNKNOWN pay_type_error ask"),
            ("order_payed", "UNKNOWN order_payed ask"),
            ("order_expire", "UNKNOWN order_expire ask"),
            ("order_exist", "UNKNOWN order_exist ask"),
            ("invalid_openid", "UNKNOWN invalid_openid ask"),
            ("wechat_api_error", "RETRY wechat_api_error later"),
            ("sign_error", "OPS sign_error"),
        ],
    );
}

#[test]
fn the_third_upstream_error_is_for_a_person() {
    let class = |call: &Call| kit().parse(call, &said("wechat_api_error")).class;
    assert_eq!(class(&attempts(2)), Class::Retry);
    let report = kit().parse(&attempts(3), &said("wechat_api_error"));
    assert_eq!((report.class, report.retry_after), (Class::Ops, None));
    let outcome = AttemptOutcome { class: Class::NotSent, code: String::new(), message: String::new() };
    let never_left = fact(FactKey::AttemptOutcome(1), FactBody::AttemptOutcome(outcome));
    let facts = [1, 2, 3].map(|number| fact(FactKey::Attempt(number), FactBody::Attempt));
    let facts = facts.into_iter().chain([never_left]).collect();
    assert_eq!(
        class(&super::call(Operation::Create, created(), facts)),
        Class::Retry,
        "one of them never left"
    );
}

#[test]
fn every_row_of_a_query() {
    check(
        &asked(Operation::Query),
        &[
            ("not_exist", "DONE  not_exist"),
            ("new", "DONE  open"),
            ("payed", "DONE  paid"),
            ("success", "DONE  paid"),
            ("fee_error", "OPS fee_error"),
            ("expire", "DONE  expired"),
            ("sign_error", "OPS sign_error"),
            ("app_off", "OPS app_off"),
            ("aid_not_exist", "OPS aid_not_exist"),
            ("ok", "UNKNOWN ok"),
            ("brand_new", "UNKNOWN brand_new"),
        ],
    );
}

#[test]
fn every_row_of_a_refund() {
    check(
        &asked(Operation::Refund),
        &[
            ("ok", "DONE  refunded"),
            ("order_error", "NOT_SENT order_error next push"),
            ("price_error", "FINAL price_error"),
            ("sign_error", "OPS sign_error"),
            ("alipay_api_error", "UNKNOWN alipay_api_error"),
            ("app_off", "UNKNOWN app_off"),
            ("brand_new", "UNKNOWN brand_new"),
        ],
    );
}

#[test]
fn other_statuses_of_http_say_nothing_but_that_it_was_too_fast() {
    for operation in [Operation::Create, Operation::Query, Operation::Refund] {
        for status in [201, 302, 400, 403, 404, 500, 502, 503] {
            let expected = format!("UNKNOWN HTTP_{status}");
            assert_eq!(outcome(&asked(operation), &answer(status, r#"{"status":"ok"}"#)), expected);
        }
        let class = if operation == Operation::Refund { "UNKNOWN" } else { "RETRY" };
        assert_eq!(outcome(&asked(operation), &answer(429, "")), format!("{class} HTTP_429 later throttled"));
    }
}
