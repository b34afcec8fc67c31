//! Refunds: what is sent, which answers are about it, where it then stands, and how its end is told.

use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::ports::{BuildError, RefusalReason};
use paymux_domain::refund::{RefundProgress, RefundRequest, RefundWord};
use paymux_domain::time::Timestamp;
use serde_json::{Value, json};

use super::notifications::{notification, refused, verify};
use super::{created, kit, now, refund_call, refund_request, signed, unsigned};

/// An answer about the refund of [`refund_request`].
fn answer(status: &str) -> Value {
    json!({
        "refund_id": "50000000382019052709732678859",
        "out_refund_no": "0123456789abcdef0123456789abcdef",
        "transaction_id": "4200000000202401010000000001",
        "out_trade_no": "WX20240101000001",
        "channel": "ORIGINAL",
        "user_received_account": "…",
        "success_time": "2024-01-01T00:02:00+08:00",
        "create_time": "2024-01-01T00:01:40+08:00",
        "status": status,
        "amount": {"total": 1234, "refund": 500, "payer_total": 1200, "payer_refund": 486, "currency": "CNY"},
    })
}

/// The sealed text of a notification about it.
fn notice(account: &str, status: &str) -> Value {
    let mut notice = json!({
        "transaction_id": "4200000000202401010000000001",
        "out_trade_no": "WX20240101000001",
        "refund_id": "50000000382019052709732678859",
        "out_refund_no": "0123456789abcdef0123456789abcdef",
        "refund_status": status,
        "success_time": "2024-01-01T00:02:00+08:00",
        "user_received_account": "…",
        "amount": {"total": 1234, "refund": 500, "payer_total": 1200, "payer_refund": 486},
    });
    let own = if account == "direct" {
        json!({"mchid": "1900000109"})
    } else {
        json!({"sp_mchid": "1230000109", "sub_mchid": "1900000109"})
    };
    notice.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    notice
}

fn word(progress: RefundProgress, code: &str) -> Word {
    Word::Refund(RefundWord {
        out_refund_no: Some(refund_request().out_refund_no),
        progress,
        amount_minor: Some(500),
        provider_refund_no: Some("50000000382019052709732678859".to_owned()),
        success_time: (progress == RefundProgress::Done).then_some(Timestamp::from_millis(1_704_038_520_000)),
        code: code.to_owned(),
    })
}

fn answered(operation: Operation, body: &Value) -> CallReport {
    kit().parse(&refund_call(operation, created("jsapi"), 1), &signed(200, &body.to_string()))
}

const BOTH: [Operation; 2] = [Operation::Refund, Operation::Query];

#[test]
fn a_refund_names_payment_number_and_amounts() {
    let text = |method| {
        let request = kit().build(&refund_call(Operation::Refund, created(method), 1));
        format!("{} {}\n{}", request.method.as_str(), request.url, String::from_utf8(request.body).unwrap())
    };
    insta::assert_snapshot!(text("jsapi"), @r#"
    POST https://api.mch.weixin.qq.com/v3/refund/domestic/refunds
    {"transaction_id":"4200000000202401010000000001","out_refund_no":"0123456789abcdef0123456789abcdef","reason":"商品已售完","notify_url":"https://pay.example.com/notify/wechatpay/m1","amount":{"refund":500,"total":1234,"currency":"CNY"}}
    "#);
    insta::assert_snapshot!(text("scannedpos"), @r#"
    POST https://api.mch.weixin.qq.com/v3/refund/domestic/refunds
    {"sub_mchid":"1900000109","transaction_id":"4200000000202401010000000001","out_refund_no":"0123456789abcdef0123456789abcdef","reason":"商品已售完","notify_url":"https://pay.example.com/notify/wechatpay/m1","amount":{"refund":500,"total":1234,"currency":"CNY"}}
    "#);
}

#[test]
fn a_refund_is_asked_about_by_its_number() {
    let url = |method| kit().build(&refund_call(Operation::Query, created(method), 1)).url;
    let path = "https://api.mch.weixin.qq.com/v3/refund/domestic/refunds/0123456789abcdef0123456789abcdef";
    assert_eq!(url("jsapi"), path);
    assert_eq!(url("partner_jsapi"), format!("{path}?sub_mchid=1900000109"));
}

#[test]
fn a_reason_is_left_out_when_empty_and_bounded() {
    let kit = kit();
    let call = |reason: &str| {
        let mut call = refund_call(Operation::Refund, created("jsapi"), 1);
        let request = RefundRequest { reason: reason.to_owned(), ..refund_request() };
        call.refund = call.refund.map(|(no, _)| (no, request.into()));
        call
    };
    let body: Value = serde_json::from_slice(&kit.build(&call("")).body).unwrap();
    assert!(body.get("reason").is_none());
    // 80 bytes fit, and 27 characters of three bytes are 81.
    let whole = format!("{}xx", "商".repeat(26));
    let body: Value = serde_json::from_slice(&kit.build(&call(&whole)).body).unwrap();
    assert_eq!(body["reason"], whole.as_str());
    let error = now(kit.provider.build(&call(&"商".repeat(27)), &kit.signer)).unwrap_err();
    assert!(matches!(error, BuildError::Field { field: "reason", .. }), "{error:?}");
}

#[test]
fn options_are_sent_as_the_documents_name_them() {
    let options_json = json!({
        "funds_account": "unsettled",
        "from": [{"account": "available", "amount": 200}, {"account": "unsettled", "amount": 300}],
        "goods_detail": [{
            "merchant_goods_id": "1217752501201407033233368018", "wechatpay_goods_id": "1001",
            "goods_name": "iPhone6s 16G", "unit_price": 500, "refund_amount": 500, "refund_quantity": 1,
        }],
    })
    .to_string();
    let mut call = refund_call(Operation::Refund, created("jsapi"), 1);
    let request = RefundRequest { options_json: options_json.clone(), ..refund_request() };
    assert!(kit().provider.check_refund(&options_json, request.amount).is_empty());
    call.refund = call.refund.map(|(no, _)| (no, request.into()));
    let body: Value = serde_json::from_slice(&kit().build(&call).body).unwrap();
    assert_eq!(body["funds_account"], "UNSETTLED");
    assert_eq!(
        body["amount"]["from"],
        json!([{"account": "AVAILABLE", "amount": 200}, {"account": "UNAVAILABLE", "amount": 300}])
    );
    assert_eq!(body["goods_detail"][0]["refund_quantity"], 1);
}

#[test]
fn every_fault_of_a_refunds_options_is_found_at_once() {
    let faults = |options: Value| {
        let faults = kit().provider.check_refund(&options.to_string(), refund_request().amount);
        let lines: Vec<_> = faults.iter().map(|fault| format!("{}: {}", fault.field, fault.reason)).collect();
        lines.join("\n")
    };
    let goods = json!({
        "merchant_goods_id": "", "wechatpay_goods_id": "x".repeat(33), "goods_name": "", "unit_price": 0,
        "refund_amount": -1, "refund_quantity": 0,
    });
    insta::assert_snapshot!(
        faults(json!({
            "from": [{"account": "available", "amount": 0}, {"account": "available", "amount": 400}, {"amount": 1}],
            "goods_detail": [goods],
        })),
        @r"
    wechatpay.sources[0].amount_minor: must be at least 1 fen
    wechatpay.sources[1].funds: is named twice
    wechatpay.sources[2].funds: is demanded
    wechatpay.sources: must sum up to the refund, 500 fen
    wechatpay.goods[0].merchant_goods_id: must have 1 to 32 characters
    wechatpay.goods[0].wechatpay_goods_id: must have 1 to 32 characters
    wechatpay.goods[0].goods_name: must have 1 to 256 characters
    wechatpay.goods[0].quantity: must be 1 to 2147483647
    wechatpay.goods[0].unit_price_minor: must be at least 1 fen
    wechatpay.goods[0].refund_amount_minor: must be at least 1 fen
    "
    );
    insta::assert_snapshot!(faults(json!({"notify_url": "https://h"})), @"wechatpay: not the options of a refund, or one of a wrong type");
    assert_eq!(faults(json!({})), "");
}

#[test]
fn each_status_says_where_it_stands() {
    for operation in BOTH {
        for (status, progress) in [
            ("SUCCESS", RefundProgress::Done),
            ("PROCESSING", RefundProgress::Processing),
            ("CLOSED", RefundProgress::Closed),
            ("ABNORMAL", RefundProgress::Stuck),
        ] {
            let report = answered(operation, &answer(status));
            assert_eq!((report.class, report.words), (Class::Done, vec![word(progress, status)]), "{status}");
        }
        for status in ["", "success", "REFUNDED"] {
            let report = answered(operation, &answer(status));
            assert_eq!((report.class, report.code.as_str()), (Class::Unknown, "MALFORMED"), "{status}");
            assert!(report.words.is_empty());
        }
    }
}

#[test]
fn an_unsigned_or_unreadable_answer_leaves_the_outcome_unknown() {
    for operation in BOTH {
        let call = refund_call(operation, created("jsapi"), 1);
        let report = kit().parse(&call, &unsigned(200, &answer("SUCCESS").to_string()));
        assert_eq!((report.class, report.code.as_str(), report.words.len()), (Class::Unknown, "UNSIGNED", 0));
        for field in ["out_refund_no", "out_trade_no", "transaction_id", "amount", "status"] {
            let mut answer = answer("SUCCESS");
            answer.as_object_mut().unwrap().remove(field);
            let report = answered(operation, &answer);
            assert_eq!((report.class, report.code.as_str()), (Class::Unknown, "MALFORMED"), "{field}");
            assert!(report.words.is_empty());
        }
    }
}

#[test]
fn an_answer_about_another_refund_is_a_mismatch_and_nothing_more() {
    let check = |method: &str, field: &'static str, value: Value| {
        let mut answer = answer("SUCCESS");
        match field.split_once('.') {
            Some((outer, inner)) => answer[outer][inner] = value,
            None => answer[field] = value,
        }
        let call = refund_call(Operation::Refund, created(method), 1);
        let report = kit().parse(&call, &signed(200, &answer.to_string()));
        assert_eq!((report.class, report.code.as_str()), (Class::Unknown, "MISMATCH"), "{field}");
        assert_eq!(report.words, [Word::Mismatch { field }]);
    };
    check("jsapi", "out_refund_no", json!("1123456789abcdef0123456789abcdef"));
    check("jsapi", "out_trade_no", json!("WX20240101000002"));
    check("jsapi", "transaction_id", json!("4200000000202401010000000002"));
    check("jsapi", "amount.currency", json!("USD"));
    check("jsapi", "mchid", json!("1900000110"));
    check("jsapi", "sub_mchid", json!("1900000109"));
    check("scannedpos", "sp_mchid", json!("1900000110"));
    check("scannedpos", "sub_mchid", json!("1900000110"));
}

#[test]
fn what_is_stated_is_told_right_or_wrong() {
    // Whoever compares the amounts must see them.
    let mut more = answer("SUCCESS");
    more["amount"]["refund"] = json!(501);
    let report = answered(Operation::Query, &more);
    let [Word::Refund(word)] = report.words.as_slice() else { panic!("{report:?}") };
    assert_eq!(word.amount_minor, Some(501));
    // The numbers may be stated or not, and an odd number of the provider's own is not kept.
    let mut named = answer("SUCCESS");
    named["mchid"] = json!("1900000109");
    named["refund_id"] = json!("x".repeat(65));
    let report = answered(Operation::Query, &named);
    let [Word::Refund(word)] = report.words.as_slice() else { panic!("{report:?}") };
    assert_eq!((word.progress, &word.provider_refund_no), (RefundProgress::Done, &None));
    // A time that cannot be read counts as not stated: the refund counts without it.
    let mut timeless = answer("SUCCESS");
    timeless["success_time"] = json!("yesterday");
    let report = answered(Operation::Query, &timeless);
    let [Word::Refund(word)] = report.words.as_slice() else { panic!("{report:?}") };
    assert_eq!((word.progress, word.success_time), (RefundProgress::Done, None));
}

#[test]
fn a_refund_that_is_not_there_is_told_by_its_number() {
    let body = r#"{"code":"RESOURCE_NOT_EXISTS","message":"…"}"#;
    let report = kit().parse(&refund_call(Operation::Query, created("jsapi"), 1), &signed(404, body));
    assert_eq!((report.class, report.code.as_str()), (Class::Done, "RESOURCE_NOT_EXISTS"));
    let expected = RefundWord {
        out_refund_no: Some(refund_request().out_refund_no),
        progress: RefundProgress::NotExist,
        amount_minor: None,
        provider_refund_no: None,
        success_time: None,
        code: "RESOURCE_NOT_EXISTS".to_owned(),
    };
    assert_eq!(report.words, [Word::Refund(expected)]);
}

#[test]
fn each_end_is_notified() {
    for account in ["direct", "partner"] {
        for (event, status, progress) in [
            ("REFUND.SUCCESS", "SUCCESS", RefundProgress::Done),
            ("REFUND.ABNORMAL", "ABNORMAL", RefundProgress::Stuck),
            ("REFUND.CLOSED", "CLOSED", RefundProgress::Closed),
        ] {
            let raw = notification(&notice(account, status), |body| body["event_type"] = json!(event));
            let verified = verify(&raw).unwrap();
            assert_eq!(verified.account.as_str(), account);
            assert_eq!(verified.out_trade_no.as_str(), "WX20240101000001");
            assert_eq!(verified.words, [word(progress, status)], "{event}");
        }
    }
}

#[test]
fn a_notification_that_contradicts_itself_is_refused() {
    let reason =
        |event: &str, plain: &Value| refused(&notification(plain, |body| body["event_type"] = json!(event)));
    for (event, status) in [
        ("REFUND.SUCCESS", "ABNORMAL"),
        ("REFUND.SUCCESS", "PROCESSING"),
        ("REFUND.CLOSED", "SUCCESS"),
        ("REFUND.ABNORMAL", "DONE"),
    ] {
        assert_eq!(reason(event, &notice("direct", status)), RefusalReason::Malformed, "{event} {status}");
    }
    assert_eq!(reason("TRANSACTION.SUCCESS", &notice("direct", "SUCCESS")), RefusalReason::Malformed);
    let paid = super::transaction("direct", "SUCCESS");
    assert_eq!(reason("REFUND.SUCCESS", &paid), RefusalReason::Malformed);
    assert_eq!(reason("REFUND.LOST", &notice("direct", "SUCCESS")), RefusalReason::UnknownKind);
    let mut other = notice("direct", "SUCCESS");
    other["mchid"] = json!("1900000110");
    assert_eq!(reason("REFUND.SUCCESS", &other), RefusalReason::WrongMerchant);
}
