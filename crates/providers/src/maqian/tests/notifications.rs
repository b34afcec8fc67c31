//! Notifications: taken, refused by reason, or hints.

use paymux_domain::outcome::Word;
use paymux_domain::payment::Payment;
use paymux_domain::ports::{NotificationFate, NotificationRefusal, RefusalReason};
use paymux_domain::refund::RefundProgress;

use super::{
    ACCESS_KEY, Fields, NUMBER, OLD_ACCESS_KEY, REFUND_NO, STRANGER_KEY, TEST_KEY, kit, notification,
    payment, rsa_notification, sealed, signed_json, with,
};

fn body(fields: &Fields<'_>, key: &str) -> Vec<u8> {
    signed_json(fields, &sealed(fields, key))
}

fn reason(body: &[u8]) -> (RefusalReason, String) {
    let refusal = kit().verify(body).expect_err("it should be refused");
    (refusal.reason, refusal.detail)
}

#[test]
fn a_payment_proven_by_the_shared_key() {
    for key in [ACCESS_KEY, OLD_ACCESS_KEY] {
        let verified = kit().verify(&body(&notification(), key)).unwrap();
        assert_eq!((verified.account.as_str(), verified.out_trade_no.as_str()), ("shop", NUMBER));
        let channel_trade_no = Some("2024010122001400000000000001".to_owned());
        assert_eq!(verified.words, [Word::Paid(Payment { channel_trade_no, ..payment() })]);
        assert_eq!(verified.notification_id.len(), 64);
    }
}

#[test]
fn a_payment_proven_by_the_public_key() {
    let verified = kit().verify(&rsa_notification(TEST_KEY, &[])).unwrap();
    assert_eq!(verified.account.as_str(), "bare");
    let stated = Payment { payer_total_minor: None, fee_minor: Some(1), ..payment() };
    assert_eq!(verified.words, [Word::Paid(stated)]);
}

#[test]
fn a_refund_that_names_its_order() {
    let refund = with(
        &notification(),
        &[("out_refund_no", REFUND_NO), ("refund_amount", "0.03"), ("refund_no", "RF1")],
    );
    for (status, progress) in
        [("1", RefundProgress::Done), ("2", RefundProgress::Closed), ("3", RefundProgress::Processing)]
    {
        let verified = kit().verify(&body(&with(&refund, &[("trade_status", status)]), ACCESS_KEY)).unwrap();
        let [Word::Refund(word)] = verified.words.as_slice() else { panic!("{verified:?}") };
        assert_eq!((word.progress, word.amount_minor), (progress, Some(3)));
        assert_eq!(word.out_refund_no.as_ref().map(|no| no.as_str()), Some(REFUND_NO));
    }
    let mut nameless = refund;
    nameless.remove("out_trade_no");
    let told = reason(&body(&nameless, ACCESS_KEY));
    assert_eq!(told, (RefusalReason::UnknownKind, "a refund's notification names no order".to_owned()));
}

#[test]
fn what_cannot_be_proven_is_a_hint_and_names_an_order_alone() {
    let fields = with(&notification(), &[("merch_no", "833000000000001"), ("trade_status", "7")]);
    for bytes in [serde_json::to_vec(&fields).unwrap(), body(&fields, "a stranger's key")] {
        let verified = kit().verify(&bytes).unwrap();
        assert_eq!((verified.account.as_str(), verified.out_trade_no.as_str()), ("hinted", NUMBER));
        assert_eq!(verified.words, [Word::Hint]);
    }
}

#[test]
fn each_reason_of_refusal() {
    let check =
        |body: Vec<u8>, expected, detail: &str| assert_eq!(reason(&body), (expected, detail.to_owned()));
    use RefusalReason::{BadSignature, Malformed, UnknownKind, WrongMerchant};
    let signed = |change: &[(&'static str, &'static str)]| body(&with(&notification(), change), ACCESS_KEY);
    check(b"x".to_vec(), Malformed, "the body is no JSON object, or names a field twice");
    check(br#"{"a":{"b":1}}"#.to_vec(), Malformed, "a field is an object or a list");
    check(b"{}".to_vec(), Malformed, "merch_no is missing");
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(30_000), "]".repeat(30_000));
    check(deep.into_bytes(), Malformed, "the body is no JSON object, or names a field twice");
    check(signed(&[("merch_no", "1")]), WrongMerchant, "merch_no is that of no account");
    check(serde_json::to_vec(&notification()).unwrap(), Malformed, "sign is missing");
    check(body(&notification(), "another key"), BadSignature, "the signature does not verify");
    check(rsa_notification(STRANGER_KEY, &[]), BadSignature, "the signature does not verify");
    let ambiguous = "the signed text can be read in two ways";
    check(signed(&[("remark", "x&total_amount=9.99")]), Malformed, ambiguous);
    check(rsa_notification(TEST_KEY, &[("remark", "x&total_amount=9.99")]), Malformed, ambiguous);
    check(signed(&[("trade_status", "2")]), UnknownKind, "trade_status is not 1");
    check(signed(&[("out_trade_no", "")]), Malformed, "out_trade_no is missing");
    check(signed(&[("out_trade_no", "a b")]), Malformed, "out_trade_no cannot be read");
    check(signed(&[("order_amount", "x")]), Malformed, "order_amount cannot be read");
    check(signed(&[("trade_no", "")]), Malformed, "trade_no cannot be read");
    check(vec![b' '; 64 * 1024 + 1], Malformed, "the body is too long");
}

#[test]
fn the_answers_are_those_that_clients_give() {
    let kit = kit();
    let told = |fate| {
        let answer = kit.provider.answer(fate).expect("an answer");
        assert_eq!(answer.content_type, "application/json");
        (answer.status, String::from_utf8(answer.body).unwrap())
    };
    assert_eq!(told(NotificationFate::Taken), (200, r#"{"return_code":"SUCCESS"}"#.to_owned()));
    let refusal = NotificationRefusal { reason: RefusalReason::Malformed, detail: "personal".to_owned() };
    let refused = told(NotificationFate::Refused(&refusal));
    assert_eq!(refused, (200, r#"{"return_code":"FAIL","return_msg":"REFUSED"}"#.to_owned()));
    assert_eq!(told(NotificationFate::NotNow).0, 503);
}
