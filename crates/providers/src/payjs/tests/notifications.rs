//! Notifications: verified over all fields, read, answered.

use paymux_domain::outcome::Word;
use paymux_domain::ports::{
    NotificationAnswer, NotificationFate, NotificationRefusal, RawNotification, RefusalReason,
    VerifiedNotification,
};

use super::vectors::notification;
use super::{Fields, ID, KEY, Kit, NOW, NUMBER, OLD_KEY, SHOP, created, kit, kit_of, payment, sign, with};

pub(super) fn raw(body: impl Into<Vec<u8>>) -> RawNotification {
    RawNotification {
        merchant_id: "m1".parse().unwrap(),
        accounts: Vec::new(),
        headers: Vec::new(),
        body: body.into(),
    }
}

/// A form with its signature by a key.
pub(super) fn form(fields: &Fields<'_>, key: &str) -> String {
    let signature = sign(fields, key, true);
    let fields = with(fields, &[("sign", signature.as_str())]);
    crate::form::encode(fields.iter().map(|(name, value)| (*name, *value)))
}

fn fields() -> Fields<'static> {
    notification("order:42").into_iter().collect()
}

fn verify(kit: &Kit, body: &str) -> Result<VerifiedNotification, NotificationRefusal> {
    kit.0.verify(&raw(body), NOW)
}

#[track_caller]
fn refused(body: &str, reason: RefusalReason) -> String {
    let refusal = verify(&kit(), body).unwrap_err();
    assert_eq!(refusal.reason, reason, "{refusal}");
    refusal.detail
}

#[test]
fn the_worked_example_is_understood() {
    let body = "attach=order%3A42&mchid=123456&openid=oTest_openid_0001&out_trade_no=payjs_jspay_demo_1700000000\
                &payjs_order_id=2019101503054900456615858&return_code=1&time_end=2019-10-15+03%3A06%3A10&total_fee=1\
                &transaction_id=4200000000201910150000000000&sign=8C2B9299E6B0D4B43A8AA341D10CC422";
    let verified = verify(&kit(), body).unwrap();
    assert_eq!((verified.account.as_str(), verified.out_trade_no.as_str()), ("shop", NUMBER));
    assert_eq!(verified.words, [Word::Paid(payment(ID))]);
    assert_eq!(verified.notification_id.len(), 64);
}

#[test]
fn order_of_fields_new_fields_and_empty_ones_do_not_matter() {
    for more in [
        ("type", "alipay"),
        ("newly_added", "a b+c&d=e%41 新"),
        ("attach", "0"),
        ("attach", ""),
        ("zero", "0"),
    ] {
        let body = form(&with(&fields(), &[more]), KEY);
        assert!(verify(&kit(), &body).is_ok(), "{more:?}");
        let shuffled: Vec<&str> = body.split('&').rev().collect();
        assert!(verify(&kit(), &shuffled.join("&")).is_ok(), "{more:?} the other way round");
    }
}

#[test]
fn keys_rotate_without_a_gap() {
    let new_alone = kit_of(&[("shop", "mchid = \"123456\"\nkey_env = \"KEY\"")]);
    let by_the_old = form(&fields(), OLD_KEY);
    assert!(verify(&kit(), &by_the_old).is_ok());
    assert_eq!(verify(&new_alone, &by_the_old).unwrap_err().reason, RefusalReason::BadSignature);
}

#[test]
fn what_is_not_proven_is_refused_by_its_reason() {
    let good = form(&fields(), KEY);
    refused("", RefusalReason::Malformed);
    refused("return_code=1&mchid=%zz", RefusalReason::Malformed);
    refused(&format!("{good}&total_fee=2"), RefusalReason::Malformed);
    refused(&good.replace("mchid=123456&", ""), RefusalReason::Malformed);
    refused(&format!("{good}&pad={}", "x".repeat(65_536)), RefusalReason::Malformed);
    refused(&good.replace("sign=", "signature="), RefusalReason::Malformed);
    refused(&good.replace("mchid=123456", "mchid=654321"), RefusalReason::WrongMerchant);
    refused(&good.replace("total_fee=1", "total_fee=2"), RefusalReason::BadSignature);
    refused(&format!("{good}&added=1"), RefusalReason::BadSignature);
    refused(&form(&fields(), "forged"), RefusalReason::BadSignature);
}

#[test]
fn what_is_proven_and_says_no_payment_is_refused() {
    let with = |more: (&'static str, &'static str)| form(&with(&fields(), &[more]), KEY);
    refused(&with(("return_code", "0")), RefusalReason::UnknownKind);
    for (field, value) in
        [("total_fee", "1.00"), ("total_fee", ""), ("payjs_order_id", "a b"), ("out_trade_no", "订单")]
    {
        assert_eq!(
            refused(&with((field, value)), RefusalReason::Malformed),
            format!("{field} cannot be read")
        );
    }
    let timeless = verify(&kit(), &with(("time_end", "yesterday"))).unwrap();
    let [Word::Paid(payment)] = timeless.words.as_slice() else { panic!("not paid") };
    assert_eq!((payment.total_minor, payment.success_time), (1, None), "the payment counts without its time");
}

#[test]
fn a_replay_and_a_repeat_say_the_same() {
    let body = form(&fields(), KEY);
    assert_eq!(verify(&kit(), &body), verify(&kit(), &body));
    let other = form(&with(&fields(), &[("attach", "order:43")]), KEY);
    let id = |body: &str| verify(&kit(), body).unwrap().notification_id;
    assert_ne!(id(&body), id(&other));
}

/// A payer who may choose part of the order sees the signed URL, and tries to make of its signature a notification.
#[test]
fn the_cashiers_own_signature_makes_no_payment() {
    let mut order = created();
    let fake = "a&mchid=123456&out_trade_no=payjs_jspay_demo_1700000000&payjs_order_id=1&return_code=1&total_fee=1&z=";
    order.attach = Some(fake.to_owned());
    assert!(!kit().0.check(&order).is_empty(), "such an order is not accepted");

    // Even so: the fields that a forger would cut the signed text into.
    let url = kit().url(&order);
    let query = url.split_once('?').unwrap().1;
    let sent = crate::form::decode(query.as_bytes()).unwrap();
    let value =
        |name: &str| sent.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap();
    let rest = format!(
        "&body={}&mchid=123456&notify_url={}&out_trade_no={NUMBER}&total_fee=1",
        value("body"),
        value("notify_url")
    );
    let signature = value("sign");
    let forged = [
        ("attach", "a"),
        ("mchid", "123456"),
        ("out_trade_no", NUMBER),
        ("payjs_order_id", "1"),
        ("return_code", "1"),
        ("total_fee", "1"),
        ("z", &rest),
        ("sign", &signature),
    ];
    let detail = refused(&crate::form::encode(forged), RefusalReason::Malformed);
    assert_eq!(detail, "the signed text can be read in two ways");
}

#[test]
fn accounts_are_told_apart_by_their_number() {
    let kit = kit_of(&[("shop", SHOP), ("other", "mchid = \"654321\"\nkey_file = \"old\"")]);
    let other = with(&fields(), &[("mchid", "654321")]);
    assert_eq!(verify(&kit, &form(&other, OLD_KEY)).unwrap().account.as_str(), "other");
    assert_eq!(verify(&kit, &form(&fields(), KEY)).unwrap().account.as_str(), "shop");
    assert_eq!(verify(&kit, &form(&other, KEY)).unwrap_err().reason, RefusalReason::BadSignature);
}

#[test]
fn only_a_durable_notification_is_answered() {
    let answer = |fate: NotificationFate<'_>| kit().0.answer(fate);
    let success = NotificationAnswer { status: 200, content_type: "text/plain", body: b"success".to_vec() };
    assert_eq!(answer(NotificationFate::Taken), Some(success));
    assert_eq!(answer(NotificationFate::NotNow), None);
    for reason in RefusalReason::ALL {
        let refusal = NotificationRefusal { reason, detail: String::new() };
        assert_eq!(answer(NotificationFate::Refused(&refusal)), None, "{}", reason.as_str());
    }
}
