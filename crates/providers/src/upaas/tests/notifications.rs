//! Notifications: verified over all fields, read, answered, in each form that an account may name.

use paymux_domain::outcome::Word;
use paymux_domain::ports::{
    NotificationFate, NotificationRefusal, RawNotification, RefusalReason, VerifiedNotification,
};
use serde_json::{Map, Value, json};

use super::{FULL, KEY, Kit, NOW, OLD_KEY, STORE, bare, kit, kit_of, kit_with, payment, sealed, sign, with};

pub(super) fn raw(body: impl Into<Vec<u8>>) -> RawNotification {
    RawNotification {
        merchant_id: "m1".parse().unwrap(),
        accounts: Vec::new(),
        headers: Vec::new(),
        body: body.into(),
    }
}

/// The fields of a notification of the worked order.
pub(super) fn fields() -> Value {
    json!({
        "store_num": STORE,
        "merchant_order_no": super::NUMBER,
        "order_number": super::ORDER_NUMBER,
        "amount": "0.01",
        "pay_time": "2019-10-15 03:06:10",
        "open_id": "oTestOpenId0001",
    })
}

fn body(fields: &Value, key: &str) -> String {
    sealed(fields, key).to_string()
}

/// A form of texts, with its signature.
fn form(fields: &Map<String, Value>, key: &str) -> String {
    let signature = sign(fields, key);
    let pairs = fields.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
    crate::form::encode(pairs.chain([("sign", signature.as_str())]))
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

#[track_caller]
fn understood(kit: &Kit, body: &str) {
    let verified = verify(kit, body).unwrap();
    assert_eq!((verified.account.as_str(), verified.out_trade_no.as_str()), ("shop", super::NUMBER));
    assert_eq!(verified.words, [Word::Paid(payment())]);
    assert_eq!(verified.notification_id.len(), 64);
}

#[test]
fn each_form_that_an_account_may_name_is_understood() {
    understood(&kit(), &body(&fields(), KEY));
    understood(&kit(), &body(&fields(), OLD_KEY));

    let settings = "notification = { paid_time_field = \"pay_time\" }";
    let of = |more: &str| {
        kit_of(
            &FULL.replace(settings, &format!("notification = {{ paid_time_field = \"pay_time\", {more} }}")),
        )
    };
    let in_data = json!({ "code": "000000", "message": "ok", "data": sealed(&fields(), KEY) }).to_string();
    understood(&of("fields_in = \"data\""), &in_data);
    assert!(verify(&kit(), &in_data).is_err());

    understood(&of("format = \"form\""), &form(fields().as_object().unwrap(), KEY));

    let without = with(&fields(), json!({ "pre_pay_no": "2021" }));
    let signature = super::sign_as(without.as_object().unwrap(), KEY, true, false);
    let without = with(&without, json!({ "sign": signature })).to_string();
    understood(&of("sign = \"scalars_without_prepay\""), &without);
    assert_eq!(verify(&kit(), &without).unwrap_err().reason, RefusalReason::BadSignature);

    let named = of(
        "store_num_field = \"shop\", merchant_order_no_field = \"no\", trade_no_field = \"trade\", amount_field = \"yuan\"",
    );
    let other = json!({
        "shop": STORE, "no": super::NUMBER, "trade": super::ORDER_NUMBER, "yuan": "0.01",
        "pay_time": "2019-10-15 03:06:10",
    });
    understood(&named, &body(&other, KEY));
}

#[test]
fn a_status_that_is_named_must_say_payment() {
    let settings = "notification = { paid_time_field = \"pay_time\" }";
    let kit = kit_of(&FULL.replace(
        settings,
        "notification = { paid_time_field = \"pay_time\", status_field = \"state\", paid = [\"PAID\", \"DONE\"] }",
    ));
    for word in ["PAID", "DONE"] {
        understood(&kit, &body(&with(&fields(), json!({ "state": word })), KEY));
    }
    for other in [json!({ "state": "REFUND" }), json!({})] {
        let refusal = verify(&kit, &body(&with(&fields(), other), KEY)).unwrap_err();
        assert_eq!(refusal.reason, RefusalReason::UnknownKind);
    }
}

#[test]
fn an_account_that_names_no_form_takes_none() {
    let refusal = bare().0.verify(&raw(body(&fields(), KEY)), NOW).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::UnknownKind);
    let mixed = kit_with(&[("shop", FULL), ("bare", "store_num = \"1000002\"")]);
    understood(&mixed, &body(&fields(), KEY));
    let other = body(&with(&fields(), json!({ "store_num": "1000002" })), KEY);
    assert_eq!(verify(&mixed, &other).unwrap_err().reason, RefusalReason::WrongMerchant);
}

#[test]
fn new_fields_and_empty_ones_do_not_matter() {
    for more in [
        json!({"newly_added": "a b+c&d=e%41 新"}),
        json!({"empty": ""}),
        json!({"n": 5}),
        json!({"list": [1]}),
    ] {
        understood(&kit(), &body(&with(&fields(), more), KEY));
    }
}

#[test]
fn what_is_not_proven_is_refused_by_its_reason() {
    let good = body(&fields(), KEY);
    refused("", RefusalReason::Malformed);
    refused("[]", RefusalReason::Malformed);
    refused(&good.replacen('{', r#"{"amount":"9.99","#, 1), RefusalReason::Malformed);
    refused(&good.replace("store_num", "shop_num"), RefusalReason::Malformed);
    refused(&good.replace("\"sign\"", "\"signature\""), RefusalReason::Malformed);
    refused(&with(&fields(), json!({ "pad": "x".repeat(65_536) })).to_string(), RefusalReason::Malformed);
    refused(&good.replace(STORE, "1000009"), RefusalReason::WrongMerchant);
    refused(&good.replace("0.01", "0.02"), RefusalReason::BadSignature);
    refused(&good.replacen('{', r#"{"added":"1","#, 1), RefusalReason::BadSignature);
    refused(&body(&fields(), "forged"), RefusalReason::BadSignature);
    let twofold = with(&fields(), json!({ "remark": "a&amount=9.99&z=" }));
    assert_eq!(
        refused(&body(&twofold, KEY), RefusalReason::Malformed),
        "the signed text can be read in two ways"
    );
}

#[test]
fn what_is_proven_and_says_no_payment_is_refused() {
    for (field, value) in [
        ("amount", json!("1e2")),
        ("amount", json!(0.01)),
        ("order_number", json!("a b")),
        ("merchant_order_no", json!("订单")),
    ] {
        let bad = with(&fields(), json!({ field: value }));
        assert_eq!(refused(&body(&bad, KEY), RefusalReason::Malformed), format!("{field} cannot be read"));
    }
    let timeless = verify(&kit(), &body(&with(&fields(), json!({ "pay_time": "yesterday" })), KEY)).unwrap();
    let [Word::Paid(payment)] = timeless.words.as_slice() else { panic!("not paid") };
    assert_eq!((payment.total_minor, payment.success_time), (1, None), "the payment counts without its time");
}

#[test]
fn a_replay_and_a_repeat_say_the_same() {
    let first = body(&fields(), KEY);
    assert_eq!(verify(&kit(), &first), verify(&kit(), &first));
    let other = body(&with(&fields(), json!({ "remark": "again" })), KEY);
    let id = |body: &str| verify(&kit(), body).unwrap().notification_id;
    assert_ne!(id(&first), id(&other));
}

#[test]
fn the_answer_of_a_create_is_no_notification() {
    // The same key and the same rule: only the store's number, which no answer has, tells them apart.
    let answer = sealed(&super::weixin_data(), KEY).to_string();
    assert_eq!(refused(&answer, RefusalReason::Malformed), "the store's number is missing");
}

#[test]
fn accounts_are_told_apart_by_their_store() {
    let other = FULL.replace("1000001", "1000002").replace("key_env = \"KEY\"", "key_file = \"old\"");
    let other = other.replace("previous_keys = [{ key_file = \"old\" }]", "");
    let kit = kit_with(&[("shop", FULL), ("other", &other)]);
    let of_other = with(&fields(), json!({ "store_num": "1000002" }));
    assert_eq!(verify(&kit, &body(&of_other, OLD_KEY)).unwrap().account.as_str(), "other");
    assert_eq!(verify(&kit, &body(&fields(), KEY)).unwrap().account.as_str(), "shop");
    assert_eq!(verify(&kit, &body(&of_other, KEY)).unwrap_err().reason, RefusalReason::BadSignature);
}

#[test]
fn a_durable_notification_is_answered_200() {
    let status = |fate: NotificationFate<'_>| kit().0.answer(fate).unwrap();
    let taken = status(NotificationFate::Taken);
    assert_eq!((taken.status, taken.body.as_slice()), (200, b"success".as_slice()));
    assert_eq!(status(NotificationFate::NotNow).status, 503);
    for reason in RefusalReason::ALL {
        let refusal = NotificationRefusal { reason, detail: String::new() };
        assert_eq!(status(NotificationFate::Refused(&refusal)).status, 400, "{}", reason.as_str());
    }
}
