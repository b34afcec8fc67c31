//! Published vectors and examples computed outside this project, byte for byte (their origins: fixtures/README.md).

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, LessSafeKey, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paymux_domain::http::Method;
use rsa::pkcs1v15::SigningKey as OracleKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding, Signer as _};

use super::super::{notify, sign, wire};
use super::{STRANGER_KEY, TEST_KEY, TEST_KEY_PUBLIC, signature_by};
use crate::signing::{PlatformKey, certificate_key};

/// Signs with the other implementation.
pub(super) fn oracle(pem: &str, message: &[u8]) -> String {
    let key = rsa::RsaPrivateKey::from_pkcs8_pem(pem).unwrap();
    STANDARD.encode(OracleKey::<Sha256>::new(key).sign(message).to_bytes())
}

#[track_caller]
fn check(pem: &str, message: &[u8], signature: &str) {
    assert_eq!(signature_by(pem, message), signature);
    assert_eq!(oracle(pem, message), signature, "the oracle disagrees");
}

#[test]
fn the_signature_published_with_wechatpay_go() {
    check(STRANGER_KEY, b"source", include_str!("../fixtures/wechatpay_go.sig"));
}

#[test]
fn the_certificate_and_signature_published_with_wechatpay_java() {
    let (serial, key) = certificate_key(include_str!("../fixtures/wechatpay_java_cert.pem")).unwrap();
    assert_eq!(serial, "5F1C72E2A8931B72A2E13AF8DEE92471EB397115");
    let signature = STANDARD.decode(include_str!("../fixtures/wechatpay_java.sig")).unwrap();
    assert!(key.has_signed(b"message", &signature));
    assert!(!key.has_signed(b"massage", &signature));
    assert!(!PlatformKey::from_public_pem(TEST_KEY_PUBLIC).unwrap().has_signed(b"message", &signature));
}

#[test]
fn the_header_example_published_with_wechatpay_java() {
    let path = "/v3/pay/transactions/id/1217752501201407033233368018?mchid=1230000109";
    let message =
        sign::request_message(Method::Get, path, 1_652_750_623, "eBYqCOxa0QudMnPvVilkTzOg3gHh5Z3u", b"");
    insta::assert_snapshot!(String::from_utf8(message).unwrap().escape_default(), @r#"GET\n/v3/pay/transactions/id/1217752501201407033233368018?mchid=1230000109\n1652750623\neBYqCOxa0QudMnPvVilkTzOg3gHh5Z3u\n\n"#);
}

#[test]
fn the_sealed_text_published_with_wechatpay_go() {
    // Its key has 16 bytes, where the interface itself uses 32.
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, b"testAPIv3Key0000").unwrap());
    let resource = wire::Resource {
        algorithm: String::new(),
        ciphertext: "FsdXzxryWfKwvLJKf8LG/ToRPTRh8RN9wROC".to_owned(),
        associated_data: "Dl56FrqWQJF1t9LtC3vEUsniZKvbqdR8".to_owned(),
        nonce: "wCq51qZv4Yfg".to_owned(),
    };
    let sealed = STANDARD.decode(&resource.ciphertext).unwrap();
    assert_eq!(notify::open(&key, &resource, sealed).as_deref(), Some(b"Hello World".as_slice()));
}

#[test]
fn a_create_a_query_a_close_and_a_launch() {
    let body = include_bytes!("../fixtures/create_scannedpos.json");
    let create = sign::request_message(
        Method::Post,
        "/v3/pay/partner/transactions/scannedpos",
        1_704_038_400,
        "593BEC0C930BF1AFEB40B4A08C8FB242",
        body,
    );
    check(TEST_KEY, &create, include_str!("../fixtures/create.sig"));
    let query = sign::request_message(
        Method::Get,
        "/v3/pay/partner/transactions/out-trade-no/WX20240101000001?sp_mchid=1230000109&sub_mchid=1900000109",
        1_704_038_460,
        "EB40B4A08C8FB242593BEC0C930BF1AF",
        b"",
    );
    check(TEST_KEY, &query, include_str!("../fixtures/query.sig"));
    let close = sign::request_message(
        Method::Post,
        "/v3/pay/partner/transactions/out-trade-no/WX20240101000001/close",
        1_704_038_760,
        "AF1FB593BEC0C930EB40B4A08C8FB242",
        br#"{"sp_mchid":"1230000109","sub_mchid":"1900000109"}"#,
    );
    check(TEST_KEY, &close, include_str!("../fixtures/close.sig"));
    let launch = sign::launch_message(
        "wx8888888888888888",
        "1704038401",
        "5K8264ILTKCH16CQ2502SI8ZNMTM67VS",
        "prepay_id=wx201410272009395522657a690389285100",
    );
    check(TEST_KEY, &launch, include_str!("../fixtures/launch.sig"));
}

#[test]
fn a_sealed_notification_opens_to_its_plain_text() {
    let body: wire::NotificationBody =
        serde_json::from_str(include_str!("../fixtures/notification.json")).unwrap();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, super::APIV3_KEY.as_bytes()).unwrap());
    let sealed = STANDARD.decode(&body.resource.ciphertext).unwrap();
    let plain = notify::open(&key, &body.resource, sealed).unwrap();
    assert_eq!(String::from_utf8(plain).unwrap(), include_str!("../fixtures/notification_plain.json"));
}
