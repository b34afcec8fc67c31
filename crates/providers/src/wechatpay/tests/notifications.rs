//! Notifications: the genuine one is understood, everything else is refused for its own reason.

use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paymux_domain::limits::NOTIFICATION_BODY_BYTES_MAX;
use paymux_domain::outcome::Word;
use paymux_domain::ports::{
    NotificationFate, NotificationRefusal, RawNotification, RefusalReason, VerifiedNotification,
};
use paymux_domain::time::Timestamp;
use serde_json::{Value, json};

use super::{
    APIV3_KEY, DIRECT, Kit, NOW, PARTNER, STRANGER_KEY, TEST_KEY, headers_by, kit, kit_of, transaction,
};

/// The time of the computed notification.
const SENT: Timestamp = Timestamp::from_millis(1_704_038_461_000);

/// The computed notification of the fixtures.
pub(super) fn computed() -> RawNotification {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    RawNotification {
        merchant_id: "m1".parse().unwrap(),
        accounts: Vec::new(),
        headers: vec![
            header("content-type", "application/json"),
            header("wechatpay-timestamp", "1704038461"),
            header("wechatpay-nonce", "c5ac7061fccab6bf3e254dcf98995b8c"),
            header("wechatpay-serial", super::PLATFORM),
            header("wechatpay-signature", include_str!("../fixtures/notification.sig")),
        ],
        body: include_bytes!("../fixtures/notification.json").to_vec(),
    }
}

pub(super) fn verify_at(
    kit: &Kit,
    raw: &RawNotification,
    at: Timestamp,
) -> Result<VerifiedNotification, NotificationRefusal> {
    kit.provider.verify(raw, at)
}

pub(super) fn verify(raw: &RawNotification) -> Result<VerifiedNotification, NotificationRefusal> {
    verify_at(&kit(), raw, SENT)
}

#[track_caller]
pub(super) fn refused(raw: &RawNotification) -> RefusalReason {
    verify(raw).unwrap_err().reason
}

/// A notification as WeChat Pay would send it, around that plain text.
pub(super) fn notification(plain: &Value, change: impl FnOnce(&mut Value)) -> RawNotification {
    notification_by(TEST_KEY, APIV3_KEY, plain, change)
}

/// A text as WeChat Pay seals it for a merchant.
pub(super) fn sealed(apiv3_key: &str, associated_data: &str, plain: &[u8]) -> Value {
    let sealer = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, apiv3_key.as_bytes()).unwrap());
    let mut sealed = plain.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(b"fdasflkja484").unwrap();
    sealer.seal_in_place_append_tag(nonce, Aad::from(associated_data.as_bytes()), &mut sealed).unwrap();
    json!({
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": STANDARD.encode(sealed),
        "associated_data": associated_data,
        "nonce": "fdasflkja484",
    })
}

fn notification_by(
    key: &str,
    apiv3_key: &str,
    plain: &Value,
    change: impl FnOnce(&mut Value),
) -> RawNotification {
    let mut resource = sealed(apiv3_key, "transaction", plain.to_string().as_bytes());
    resource["original_type"] = json!("transaction");
    let mut body = json!({
        "id": "EV-1",
        "create_time": "2024-01-01T00:01:01+08:00",
        "resource_type": "encrypt-resource",
        "event_type": "TRANSACTION.SUCCESS",
        "summary": "…",
        "resource": resource,
    });
    change(&mut body);
    let body = body.to_string().into_bytes();
    RawNotification {
        merchant_id: "m1".parse().unwrap(),
        accounts: Vec::new(),
        headers: headers_by(key, SENT, &body),
        body,
    }
}

#[test]
fn the_computed_notification_is_understood() {
    let verified = verify(&computed()).unwrap();
    assert_eq!(verified.account.as_str(), "partner");
    assert_eq!(verified.out_trade_no.as_str(), "WX20240101000001");
    assert_eq!(verified.notification_id, "EV-2018022511223320873");
    let [Word::Paid(payment)] = verified.words.as_slice() else { panic!("{:?}", verified.words) };
    assert_eq!(payment.trade_no.as_str(), "4200000000202401010000000001");
    assert_eq!(payment.total_minor, 1234);
}

#[test]
fn the_account_is_the_one_that_the_sealed_text_names() {
    let other = PARTNER.replace("sub_mchid = \"1900000109\"", "sub_mchid = \"1900000110\"");
    let kit = kit_of(&[("a", &other), ("direct", DIRECT), ("partner", PARTNER)], 1);
    for (account, name) in [("direct", "direct"), ("partner", "partner")] {
        let raw = notification(&transaction(account, "SUCCESS"), |_| {});
        assert_eq!(verify_at(&kit, &raw, SENT).unwrap().account.as_str(), name);
    }
    let mut third = transaction("partner", "SUCCESS");
    third["sub_mchid"] = json!("1900000110");
    assert_eq!(verify_at(&kit, &notification(&third, |_| {}), SENT).unwrap().account.as_str(), "a");
}

#[test]
fn while_the_apiv3_key_is_exchanged_both_open_and_afterwards_the_new_one_alone() {
    let old = notification_by(
        TEST_KEY,
        "old-apiv3-key-of-thirty-two-byte",
        &transaction("direct", "SUCCESS"),
        |_| {},
    );
    let new = notification(&transaction("direct", "SUCCESS"), |_| {});
    let both = format!("{DIRECT}\nprevious_apiv3_keys = [{{ apiv3_key_env = \"OLD_APIV3\" }}]");
    let overlap = kit_of(&[("direct", &both)], 1);
    assert!(verify_at(&overlap, &old, SENT).is_ok() && verify_at(&overlap, &new, SENT).is_ok());
    let after = kit_of(&[("direct", DIRECT)], 1);
    assert_eq!(verify_at(&after, &old, SENT).unwrap_err().reason, RefusalReason::WrongMerchant);
    assert!(verify_at(&after, &new, SENT).is_ok());
}

#[test]
fn forged_and_tampered_ones_are_bad_signatures() {
    let plain = transaction("direct", "SUCCESS");
    let forged = notification_by(STRANGER_KEY, APIV3_KEY, &plain, |_| {});
    assert_eq!(refused(&forged), RefusalReason::BadSignature);
    let mut tampered = computed();
    tampered.body[10] ^= 1;
    assert_eq!(refused(&tampered), RefusalReason::BadSignature);
    let mut unknown = computed();
    unknown.headers[3].1 = "5F1C72E2A8931B72A2E13AF8DEE92471EB397116".to_owned();
    assert_eq!(refused(&unknown), RefusalReason::UnknownKey);
}

#[test]
fn probes_count_apart() {
    let mut probe = computed();
    probe.headers[4].1 = "WECHATPAY/SIGNTEST/j/BbJ3zWaZviqbjpPRkGHYerxeGV".to_owned();
    assert_eq!(refused(&probe), RefusalReason::Probe);
}

#[test]
fn a_replay_says_the_same_while_it_is_fresh_and_nothing_later() {
    let (kit, raw) = (kit(), computed());
    assert_eq!(verify_at(&kit, &raw, SENT), verify_at(&kit, &raw, SENT));
    let late = SENT + Duration::from_secs(302);
    assert_eq!(verify_at(&kit, &raw, late).unwrap_err().reason, RefusalReason::Stale);
    assert_eq!(
        verify_at(&kit, &raw, SENT - Duration::from_secs(302)).unwrap_err().reason,
        RefusalReason::Stale
    );
    assert!(verify_at(&kit, &raw, SENT + Duration::from_secs(299)).is_ok());
}

#[test]
fn the_allowed_age_is_physical_and_stretched_by_the_clock_factor() {
    let fast = kit_of(&[("partner", PARTNER)], 100);
    assert!(verify_at(&fast, &computed(), SENT + Duration::from_secs(29_000)).is_ok());
    let late = SENT + Duration::from_secs(31_000);
    assert_eq!(verify_at(&fast, &computed(), late).unwrap_err().reason, RefusalReason::Stale);
}

#[test]
fn missing_and_unreadable_headers_are_malformed() {
    for at in 1..5 {
        let mut raw = computed();
        raw.headers.remove(at);
        assert_eq!(refused(&raw), RefusalReason::Malformed);
        let mut raw = computed();
        raw.headers[at].1.clear();
        assert_eq!(refused(&raw), RefusalReason::Malformed);
        let mut raw = computed();
        raw.headers[at].1 = "9".repeat(2000);
        assert_eq!(refused(&raw), RefusalReason::Malformed);
    }
    let mut raw = computed();
    raw.headers[1].1 = "-1704038461".to_owned();
    assert_eq!(refused(&raw), RefusalReason::Malformed);
}

#[test]
fn signed_nonsense_is_malformed() {
    let plain = transaction("direct", "SUCCESS");
    let changes: [fn(&mut Value); 7] = [
        |body| body["id"] = json!(""),
        |body| body["id"] = json!("a b"),
        |body| body["resource"]["algorithm"] = json!("AEAD_AES_128_GCM"),
        |body| body["resource"]["ciphertext"] = json!("*"),
        |body| body["resource"]["nonce"] = json!(7),
        |body| *body = json!([]),
        |body| {
            body.as_object_mut().unwrap().remove("resource");
        },
    ];
    for change in changes {
        assert_eq!(refused(&notification(&plain, change)), RefusalReason::Malformed);
    }
    for plain in [json!({}), json!("text"), transaction("direct", "HALF_PAID")] {
        assert_eq!(refused(&notification(&plain, |_| {})), RefusalReason::Malformed);
    }
    let long = notification(&plain, |body| body["pad"] = json!("x".repeat(NOTIFICATION_BODY_BYTES_MAX)));
    assert_eq!(refused(&long), RefusalReason::Malformed);
}

#[test]
fn other_merchants_and_kinds_are_refused() {
    let mut other = transaction("direct", "SUCCESS");
    other["mchid"] = json!("1900000110");
    assert_eq!(refused(&notification(&other, |_| {})), RefusalReason::WrongMerchant);
    let plain = transaction("direct", "SUCCESS");
    let sealed_by_other = notification_by(TEST_KEY, "fedcba9876543210fedcba9876543210", &plain, |_| {});
    assert_eq!(refused(&sealed_by_other), RefusalReason::WrongMerchant);
    for change in [
        (|body: &mut Value| body["resource"]["associated_data"] = json!("other")) as fn(&mut Value),
        |body| body["resource"]["nonce"] = json!("short"),
    ] {
        assert_eq!(refused(&notification(&plain, change)), RefusalReason::WrongMerchant);
    }
    let complaint = notification(&plain, |body| body["event_type"] = json!("COMPLAINT.CREATE"));
    assert_eq!(refused(&complaint), RefusalReason::UnknownKind);
}

#[test]
fn a_payment_in_an_app_that_has_left_the_account_is_taken() {
    let mut paid = transaction("direct", "SUCCESS");
    paid["appid"] = json!("wx1");
    let verified = verify(&notification(&paid, |_| {})).unwrap();
    assert!(matches!(verified.words.as_slice(), [Word::Paid(_)]), "{verified:?}");
}

#[test]
fn a_notification_of_a_payment_holds_a_payment() {
    for state in ["NOTPAY", "USERPAYING", "PAYERROR", "CLOSED", "REVOKED"] {
        let raw = notification(&transaction("direct", state), |_| {});
        assert_eq!(refused(&raw), RefusalReason::Malformed, "{state}");
    }
    let refunded = verify(&notification(&transaction("direct", "REFUND"), |_| {})).unwrap();
    assert!(matches!(refunded.words.as_slice(), [Word::Paid(_), Word::RefundedElsewhere]), "{refunded:?}");
}

#[test]
fn refusals_hold_no_personal_data() {
    let mut plain = transaction("direct", "SUCCESS");
    plain["payer"] = json!({"openid": "oSecretOpenId"});
    plain["amount"] = json!("oSecretOpenId");
    let refusal = verify(&notification(&plain, |_| {})).unwrap_err();
    assert!(!refusal.to_string().contains("oSecretOpenId"), "{refusal}");
}

#[test]
fn the_provider_is_answered_as_it_expects() {
    let kit = kit();
    let accepted = kit.provider.answer(NotificationFate::Taken).unwrap();
    assert_eq!((accepted.status, accepted.body.len()), (204, 0));
    let mut shown = String::new();
    for reason in RefusalReason::ALL {
        let refusal = NotificationRefusal { reason, detail: "detail".to_owned() };
        let answer = kit.provider.answer(NotificationFate::Refused(&refusal)).unwrap();
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((body["code"].as_str(), answer.content_type), (Some("FAIL"), "application/json"));
        shown.push_str(&format!("{} {}\n", answer.status, body["message"]));
    }
    insta::assert_snapshot!(shown, @r#"
    400 "malformed"
    401 "bad_signature"
    401 "unknown_key"
    401 "stale"
    401 "probe"
    400 "wrong_merchant"
    400 "unknown_merchant"
    400 "unknown_kind"
    "#);
    assert!(NOW < SENT);
}
