//! Notifications: verified over their four proven fields, read, answered.

use paymux_domain::outcome::Word;
use paymux_domain::ports::{
    NotificationAnswer, NotificationFate, NotificationRefusal, RawNotification, RefusalReason,
    VerifiedNotification,
};

use super::{AOID, Kit, NOW, NUMBER, OLD_SECRET, SECRET, SHOP, kit, kit_of, payment, sign};

pub(super) type Fields = Vec<(&'static str, String)>;

pub(super) fn raw(body: impl Into<Vec<u8>>) -> RawNotification {
    RawNotification {
        merchant_id: "m1".parse().unwrap(),
        accounts: Vec::new(),
        headers: Vec::new(),
        body: body.into(),
    }
}

/// The worked notification, with the number as XorPay gets it from us.
pub(super) fn fields() -> Fields {
    vec![
        ("aoid", AOID.to_owned()),
        ("order_id", format!("{NUMBER}x")),
        ("pay_price", "50.00".to_owned()),
        ("pay_time", "2024-01-01 00:05:00".to_owned()),
        ("more", "order:42 & 1%".to_owned()),
        ("detail", r#"{"transaction_id":"42","bank_type":"OTHERS","buyer":"oXor"}"#.to_owned()),
    ]
}

pub(super) fn with(changes: &[(&'static str, &str)]) -> Fields {
    let mut fields = fields();
    for (name, value) in changes {
        match fields.iter_mut().find(|(known, _)| known == name) {
            Some(field) => field.1 = (*value).to_owned(),
            None => fields.push((name, (*value).to_owned())),
        }
    }
    fields
}

/// A form with its signature by a secret.
pub(super) fn form(fields: &Fields, secret: &str) -> String {
    let value = |name: &str| fields.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value);
    let signature = sign(&["aoid", "order_id", "pay_price", "pay_time"].map(value), secret);
    let fields = fields.iter().map(|(name, value)| (*name, value.as_str()));
    crate::form::encode(fields.chain([("sign", signature.as_str())]))
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
fn a_genuine_notification_is_understood() {
    let verified = verify(&kit(), &form(&fields(), SECRET)).unwrap();
    assert_eq!((verified.account.as_str(), verified.out_trade_no.as_str()), ("shop", NUMBER));
    assert_eq!(verified.words, [Word::Paid(payment(AOID))]);
    assert_eq!(verified.notification_id.len(), 64);
}

#[test]
fn what_is_not_proven_changes_nothing() {
    let good = verify(&kit(), &form(&fields(), SECRET)).unwrap();
    for change in [("more", "other"), ("detail", "{}"), ("newly_added", "a b+c&d=e%41 新"), ("more", "")] {
        assert_eq!(verify(&kit(), &form(&with(&[change]), SECRET)).unwrap(), good, "{change:?}");
    }
    let body = form(&fields(), SECRET);
    let shuffled: Vec<&str> = body.split('&').rev().collect();
    assert_eq!(verify(&kit(), &shuffled.join("&")).unwrap(), good);
    let at = body.find("sign=").unwrap();
    let capitals = format!("{}{}", &body[..at + 5], body[at + 5..].to_uppercase());
    assert_eq!(verify(&kit(), &capitals).unwrap(), good);
}

#[test]
fn secrets_rotate_without_a_gap() {
    let new_alone = kit_of(&[("shop", "aid = \"15627\"\napp_secret_env = \"SECRET\"")]);
    let by_the_old = form(&fields(), OLD_SECRET);
    assert!(verify(&kit(), &by_the_old).is_ok());
    assert_eq!(verify(&new_alone, &by_the_old).unwrap_err().reason, RefusalReason::BadSignature);
}

#[test]
fn the_account_is_the_one_whose_secret_has_sealed_it() {
    let kit = kit_of(&[("shop", SHOP), ("other", "aid = \"2\"\napp_secret_file = \"other\"")]);
    let account =
        |secret| verify(&kit, &form(&fields(), secret)).map(|verified| verified.account.to_string());
    assert_eq!(account(SECRET).unwrap(), "shop");
    assert_eq!(account("another secret").unwrap(), "other");
    assert_eq!(account("a stranger's").unwrap_err().reason, RefusalReason::BadSignature);
}

#[test]
fn what_is_not_proven_is_refused_by_its_reason() {
    let good = form(&fields(), SECRET);
    refused("", RefusalReason::Malformed);
    refused("aoid=%zz", RefusalReason::Malformed);
    refused(&format!("{good}&pay_price=50.00"), RefusalReason::Malformed);
    refused(&format!("{good}&pad={}", "x".repeat(65_536)), RefusalReason::Malformed);
    refused(&good.replace("sign=", "signature="), RefusalReason::Malformed);
    refused(&good.replace("50.00", "51.00"), RefusalReason::BadSignature);
    refused(&good.replace("00%3A05", "00%3A06"), RefusalReason::BadSignature);
    refused(&form(&fields(), "forged"), RefusalReason::BadSignature);
}

/// Each of these is sealed with the secret, and none in the one form that its field has.
#[test]
fn fields_in_another_form_are_refused_however_they_are_signed() {
    let long = "9".repeat(33);
    for (field, value) in [
        ("aoid", ""),
        ("aoid", "8b1a9953c4611296a827abf8c47804d"),
        ("aoid", "8B1A9953C4611296A827ABF8C47804D7"),
        ("order_id", NUMBER),
        ("order_id", "x"),
        ("order_id", "订单x"),
        ("order_id", &long),
        ("pay_price", ""),
        ("pay_price", "50"),
        ("pay_price", "50.0"),
        ("pay_price", "50.000"),
        ("pay_price", "050.00"),
        ("pay_price", "+50.00"),
        ("pay_price", "-50.00"),
        ("pay_price", "5e1.00"),
        ("pay_price", ".50"),
        ("pay_price", "123456789012345.00"),
        ("pay_time", ""),
        ("pay_time", "2024-01-01 00:05:0"),
        ("pay_time", "2024-1-01 00:05:000"),
        ("pay_time", "2024-01-01T00:05:00"),
        ("pay_time", "2024-13-01 00:05:00"),
        ("pay_time", "+024-01-01 00:05:00"),
    ] {
        let detail = refused(&form(&with(&[(field, value)]), SECRET), RefusalReason::Malformed);
        assert_eq!(detail, format!("{field} cannot be read"), "{value:?}");
    }
}

#[test]
fn a_wrong_sum_is_told_as_it_is_stated() {
    for (price, fen) in
        [("50.01", 5001), ("0.00", 0), ("0.50", 50), ("99999999999999.99", 9_999_999_999_999_999)]
    {
        let verified = verify(&kit(), &form(&with(&[("pay_price", price)]), SECRET)).unwrap();
        let [Word::Paid(payment)] = verified.words.as_slice() else { panic!("not paid") };
        assert_eq!(payment.total_minor, fen);
    }
}

#[test]
fn a_replay_says_the_same_under_the_same_id() {
    let body = form(&fields(), SECRET);
    assert_eq!(verify(&kit(), &body), verify(&kit(), &body));
    let id = |fields: &Fields| verify(&kit(), &form(fields, SECRET)).unwrap().notification_id;
    assert_eq!(id(&fields()), id(&with(&[("more", "other")])));
    assert_ne!(id(&fields()), id(&with(&[("pay_time", "2024-01-01 00:05:01")])));
}

/// Whoever sees our own signatures has no notification of them.
#[test]
fn signatures_of_requests_make_no_payment() {
    for operation in [super::Operation::Create, super::Operation::Query, super::Operation::Refund] {
        let request = kit().build(&super::asked(operation));
        let sent = format!("{}&{}", request.url.replace('?', "&"), String::from_utf8(request.body).unwrap());
        let signature = sent.split('&').find_map(|part| part.strip_prefix("sign=")).unwrap();
        let fields: Vec<(&str, &str)> = [("sign", signature)].to_vec();
        let own = self::fields();
        let body = crate::form::encode(own.iter().map(|(name, value)| (*name, value.as_str())).chain(fields));
        refused(&body, RefusalReason::BadSignature);
    }
}

#[test]
fn each_fate_has_its_answer() {
    let answer = |fate: NotificationFate<'_>| kit().0.answer(fate);
    let says = |status, body: &str| {
        Some(NotificationAnswer { status, content_type: "text/plain", body: body.as_bytes().to_vec() })
    };
    assert_eq!(answer(NotificationFate::Taken), says(200, "ok"));
    assert_eq!(answer(NotificationFate::NotNow), says(503, "not now"));
    for reason in RefusalReason::ALL {
        let refusal = NotificationRefusal { reason, detail: "secret".to_owned() };
        assert_eq!(answer(NotificationFate::Refused(&refusal)), says(400, reason.as_str()));
    }
}
