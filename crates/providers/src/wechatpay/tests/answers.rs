//! Answers: what is believed, and what it then says.

use std::time::Duration;

use paymux_domain::http::HttpResponse;
use paymux_domain::launch::LaunchParams;
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::payment::Evidence;
use paymux_domain::ports::SignError;
use paymux_domain::time::Timestamp;
use serde_json::json;

use super::{
    NOW, PLATFORM, STRANGER_KEY, TEST_KEY, TestSigner, call, created, headers_by, kit, kit_of, now,
    signature_by, signed, transaction, unsigned,
};

const PREPAY: &str = r#"{"prepay_id":"wx201410272009395522657a690389285100","extra":1}"#;

fn asked(method: &str, body: &serde_json::Value) -> CallReport {
    kit().parse(&call(Operation::Query, created(method)), &signed(200, &body.to_string()))
}

fn create_answered(response: &HttpResponse) -> CallReport {
    kit().parse(&call(Operation::Create, created("jsapi")), response)
}

#[track_caller]
fn check_unknown(report: &CallReport, code: &str) {
    assert_eq!((report.class, report.code.as_str()), (Class::Unknown, code));
    assert!(report.words.iter().all(|word| matches!(word, Word::Mismatch { .. })), "{report:?}");
}

#[test]
fn a_create_gives_launch_parameters_whose_signature_verifies() {
    for (method, app_id) in [
        ("jsapi", "wx8888888888888888"),
        ("partner_jsapi", "wxd678efh567hg6999"),
        ("scannedpos", "wx8888888888888888"),
    ] {
        let mut order = created(method);
        order.payer.app_id = Some(app_id.to_owned());
        let report = kit().parse(&call(Operation::Create, order), &signed(200, PREPAY));
        let [Word::Launched(launch)] = report.words.as_slice() else { panic!("{report:?}") };
        let LaunchParams::WechatJsapi(fields) = &launch.params else { panic!("{launch:?}") };
        assert_eq!((report.class, fields.app_id.as_str()), (Class::Done, app_id));
        assert_eq!(fields.package, "prepay_id=wx201410272009395522657a690389285100");
        assert_eq!((fields.sign_type.as_str(), fields.time_stamp.as_str()), ("RSA", "1704038400"));
        assert_ne!(fields.nonce_str, "593BEC0C930BF1AFEB40B4A08C8FB242", "the request's nonce again");
        let text = format!("{app_id}\n{}\n{}\n{}\n", fields.time_stamp, fields.nonce_str, fields.package);
        assert_eq!(fields.pay_sign, signature_by(TEST_KEY, text.as_bytes()));
        assert_eq!(launch.expire_time, Some(NOW + Duration::from_secs(7200)));
    }
}

#[test]
fn a_created_order_whose_launch_cannot_be_signed_is_repeated_not_lost() {
    let kit = kit();
    let create = call(Operation::Create, created("jsapi"));
    let response = signed(200, PREPAY);
    let parse = |signer: &TestSigner| now(kit.provider.parse(&create, &response, signer));
    assert_eq!(parse(&TestSigner::Fails(SignError::Unavailable)).class, Class::Retry);
    assert_eq!(parse(&TestSigner::Fails(SignError::Failed)).class, Class::Ops);
}

#[test]
fn an_unsigned_success_is_never_believed() {
    check_unknown(&create_answered(&unsigned(200, PREPAY)), "UNSIGNED");
    check_unknown(&create_answered(&unsigned(200, "<html>")), "UNSIGNED");
    let paid = transaction("direct", "SUCCESS").to_string();
    let query = call(Operation::Query, created("jsapi"));
    check_unknown(&kit().parse(&query, &unsigned(200, &paid)), "UNSIGNED");
    let close = call(Operation::Close, created("jsapi"));
    check_unknown(&kit().parse(&close, &unsigned(204, "")), "UNSIGNED");
}

#[test]
fn a_signature_must_verify_under_a_known_key_and_be_fresh() {
    let body = PREPAY.as_bytes();
    let with = |headers| HttpResponse { status: 200, headers, body: body.to_vec() };
    check_unknown(&create_answered(&with(headers_by(STRANGER_KEY, NOW, body))), "BAD_SIGNATURE");
    let changed = |name: &str, value: &str| {
        let mut headers = headers_by(TEST_KEY, NOW, body);
        headers.iter_mut().filter(|(known, _)| known == name).for_each(|(_, old)| value.clone_into(old));
        create_answered(&with(headers))
    };
    // Nothing more will be believed until a person brings the key.
    let unknown = changed("wechatpay-serial", "5F00");
    assert_eq!((unknown.class, unknown.code.as_str(), unknown.words.len()), (Class::Ops, "UNKNOWN_KEY", 0));
    assert_eq!(unknown.message, "signed by key 5F00");
    assert_eq!(changed("wechatpay-serial", "5F 00\"").message, "", "no text of a stranger's");
    check_unknown(&changed("wechatpay-nonce", "another"), "BAD_SIGNATURE");
    check_unknown(&changed("wechatpay-timestamp", "1704038401"), "BAD_SIGNATURE");
    check_unknown(&changed("wechatpay-timestamp", "soon"), "BAD_SIGNATURE");
    check_unknown(&changed("wechatpay-signature", "WECHATPAY/SIGNTEST/AAAA"), "SIGNTEST");
    let late = Timestamp::from_millis(NOW.as_millis() - 302_000);
    let stale = create_answered(&with(headers_by(TEST_KEY, late, body)));
    assert_eq!((stale.class, stale.code.as_str(), stale.words.len()), (Class::Ops, "CLOCK_SKEW", 0));
    check_unknown(&create_answered(&with(headers_by(STRANGER_KEY, late, body))), "BAD_SIGNATURE");
    let mut headers = headers_by(TEST_KEY, NOW, body);
    headers.retain(|(name, _)| name != "wechatpay-nonce");
    check_unknown(&create_answered(&with(headers)), "BAD_SIGNATURE");
}

#[test]
fn an_answer_may_be_signed_by_any_of_the_accounts_keys() {
    let more = super::DIRECT.replace(
        "platform_keys = [",
        "platform_keys = [{ id = \"PUB_KEY_ID_2\", public_key_file = \"public\" }, ",
    );
    let kit = kit_of(&[("direct", &more)], 1);
    let create = call(Operation::Create, created("jsapi"));
    for serial in ["PUB_KEY_ID_2", PLATFORM] {
        let mut response = signed(200, PREPAY);
        response.headers.iter_mut().filter(|(name, _)| name == "wechatpay-serial").for_each(|(_, value)| {
            serial.clone_into(value);
        });
        assert_eq!(kit.parse(&create, &response).class, Class::Done);
    }
    // The first public key is the one that requests ask for.
    let request = kit.build(&create);
    assert!(request.headers.contains(&("wechatpay-serial".to_owned(), "PUB_KEY_ID_2".to_owned())));
}

#[test]
fn a_create_without_a_usable_prepay_id_is_unknown() {
    for body in ["", "{}", "[]", r#"{"prepay_id":""}"#, r#"{"prepay_id":7}"#, r#"{"prepay_id":"a b"}"#] {
        check_unknown(&create_answered(&signed(200, body)), "MALFORMED");
    }
    let long = json!({"prepay_id": "x".repeat(65)}).to_string();
    check_unknown(&create_answered(&signed(200, &long)), "MALFORMED");
}

#[test]
fn a_paid_order_is_told_with_its_numbers_as_stated() {
    for method in ["jsapi", "partner_jsapi"] {
        let account = if method == "jsapi" { "direct" } else { "partner" };
        let report = asked(method, &transaction(account, "SUCCESS"));
        let [Word::Paid(payment)] = report.words.as_slice() else { panic!("{report:?}") };
        assert_eq!(payment.trade_no.as_str(), "4200000000202401010000000001");
        assert_eq!((payment.total_minor, payment.payer_total_minor), (1234, Some(1200)));
        assert_eq!(payment.currency.map(|currency| currency.code()), Some("CNY"));
        assert_eq!(payment.success_time, Some(Timestamp::from_millis(1_704_038_460_000)));
        assert_eq!((payment.evidence, payment.bank_type.as_deref()), (Evidence::Stated, Some("OTHERS")));
    }
    // Wrong numbers are told too: whoever compares them must see them.
    let mut odd = transaction("direct", "SUCCESS");
    odd["amount"] = json!({"total": -5, "currency": "USD"});
    let report = asked("jsapi", &odd);
    let [Word::Paid(payment)] = report.words.as_slice() else { panic!("{report:?}") };
    assert_eq!((payment.total_minor, payment.currency), (-5, None));
}

#[test]
fn states_give_words_and_unlisted_ones_none() {
    let words = |state: &str| asked("jsapi", &transaction("direct", state)).words;
    assert!(matches!(words("REFUND").as_slice(), [Word::Paid(_), Word::RefundedElsewhere]));
    for state in ["NOTPAY", "USERPAYING", "PAYERROR"] {
        assert_eq!(words(state), [Word::Open], "{state}");
    }
    for state in ["CLOSED", "REVOKED"] {
        assert_eq!(words(state), [Word::Closed], "{state}");
    }
    for state in ["", "success", "ACCEPT", "SETTLED"] {
        check_unknown(&asked("jsapi", &transaction("direct", state)), "MALFORMED");
    }
}

#[test]
fn a_paid_order_without_number_or_amount_is_unknown() {
    for field in ["transaction_id", "amount"] {
        let mut answer = transaction("direct", "SUCCESS");
        answer.as_object_mut().unwrap().remove(field);
        check_unknown(&asked("jsapi", &answer), "MALFORMED");
        answer[field] = json!(null);
        check_unknown(&asked("jsapi", &answer), "MALFORMED");
    }
    check_unknown(&asked("jsapi", &json!({"trade_state": "SUCCESS"})), "MALFORMED");
}

#[test]
fn an_answer_about_somebody_else_is_a_mismatch_and_nothing_more() {
    let check = |method: &str, field: &'static str, value: serde_json::Value| {
        let account = if method == "jsapi" { "direct" } else { "partner" };
        let mut answer = transaction(account, "SUCCESS");
        answer[field] = value;
        let report = asked(method, &answer);
        check_unknown(&report, "MISMATCH");
        assert_eq!(report.words, [Word::Mismatch { field }]);
    };
    check("jsapi", "out_trade_no", json!("WX20240101000002"));
    check("jsapi", "mchid", json!("1900000110"));
    check("jsapi", "mchid", json!(null));
    check("jsapi", "sub_mchid", json!("1900000109"));
    check("scannedpos", "sp_mchid", json!("1900000110"));
    check("scannedpos", "sub_mchid", json!("1900000110"));
}

#[test]
fn another_app_than_the_orders_is_told_beside_the_payment() {
    let check = |method: &str, app_id: Option<&str>, options: &str, field: &'static str, is_told: bool| {
        let account = if method == "jsapi" { "direct" } else { "partner" };
        let mut order = created(method);
        order.payer.app_id = app_id.map(str::to_owned);
        order.options_json = options.to_owned();
        let mut answer = transaction(account, "SUCCESS");
        answer[field] = json!("wx1");
        let report = kit().parse(&call(Operation::Query, order), &signed(200, &answer.to_string()));
        assert_eq!(report.class, Class::Done);
        assert!(matches!(report.words.first(), Some(Word::Paid(_))), "{report:?}");
        let rest = if is_told { vec![Word::Mismatch { field }] } else { Vec::new() };
        assert_eq!(report.words[1..], rest, "{method} {field}");
    };
    let (sub, partner) = (r#"{"payer_scope":"sub_merchant"}"#, r#"{"payer_scope":"partner"}"#);
    // An app may have left the account since: what counts is the order's own.
    check("jsapi", Some("wx1"), "", "appid", false);
    check("jsapi", Some("wx8888888888888888"), "", "appid", true);
    check("partner_jsapi", Some("wx8888888888888888"), partner, "sp_appid", true);
    check("partner_jsapi", Some("wxd678efh567hg6999"), sub, "sub_appid", true);
    check("partner_jsapi", Some("wxd678efh567hg6999"), sub, "sp_appid", false);
    // Where the order's own is not known, there is nothing to compare.
    check("jsapi", None, "", "appid", false);
    check("partner_jsapi", Some("wx8888888888888888"), "", "sp_appid", false);
}

#[test]
fn a_successful_close_is_the_providers_word() {
    let close = call(Operation::Close, created("jsapi"));
    for status in [200, 204] {
        let report = kit().parse(&close, &signed(status, ""));
        assert_eq!((report.class, report.words), (Class::Done, vec![Word::Closed]));
    }
}

#[test]
fn answers_for_an_account_that_has_gone_stay_unknown() {
    let order = super::Created { account: "gone".parse().unwrap(), ..created("jsapi") };
    check_unknown(&kit().parse(&call(Operation::Query, order), &signed(200, "{}")), "UNKNOWN_ACCOUNT");
}

/// WeChat Pay's support asks for it; explanations of an order show it.
#[test]
fn the_request_id_is_kept_with_whatever_an_answer_says() {
    let told = |status, body: &str, id: &str| {
        let mut response = signed(status, body);
        response.headers.push(("request-id".to_owned(), id.to_owned()));
        create_answered(&response).message
    };
    let id = "08F78BB5AF0610D302189F8FCB2A20E2E4D3051A-268435461";
    assert_eq!(told(200, PREPAY, id), format!("[Request-ID {id}]"));
    assert_eq!(told(400, r#"{"code":"PARAM_ERROR","message":"no"}"#, id), format!("no [Request-ID {id}]"));
    for strange in ["", "a b", "\u{7}", &"0".repeat(129)] {
        assert_eq!(told(200, PREPAY, strange), "");
    }
}
