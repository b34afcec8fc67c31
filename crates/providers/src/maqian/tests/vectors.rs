//! Published and computed vectors, byte for byte, each with its origin.

use aws_lc_rs::digest::{SHA256, digest};
use rsa::RsaPublicKey;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::DecodePublicKey as _;
use rsa::sha2::Sha256;
use rsa::signature::Verifier as _;

use super::super::launch::app_uri;
use super::super::sign::{Proof, rsa_text};
use super::super::sign::{base64, keyed, md5_proof, md5_text, sealed as md5_of};
use super::super::wire::Fields;
use super::{ACCESS_KEY, Keys, NUMBER, SHOP, TEST_KEY_PUBLIC, kit, notification, now, read, sealed, text};
use crate::key_ring::KeyRing;
use paymux_domain::ports::Signer as _;
use secrecy::SecretString;

fn ring(key: &str) -> KeyRing {
    KeyRing::new(SecretString::from(key), Vec::new())
}

/// The signature of a text by the test key, and whether another library takes it.
fn rsa(text: &str) -> (String, bool) {
    let signer = Keys(read(&[("shop", SHOP)]).unwrap().signing_keys());
    let signature = now(signer.sign("maqian/shop", text.as_bytes().to_vec())).unwrap();
    let key = VerifyingKey::<Sha256>::new(RsaPublicKey::from_public_key_pem(TEST_KEY_PUBLIC).unwrap());
    let is_valid = key.verify(text.as_bytes(), &Signature::try_from(signature.as_slice()).unwrap()).is_ok();
    (base64(&signature), is_valid)
}

/// The fields of a text in the reverse order of their names, so that sorting shows.
fn fields_of(text: &str) -> Vec<(&str, &str)> {
    let mut fields: Vec<_> = text.split('&').map(|field| field.split_once('=').unwrap()).collect();
    fields.reverse();
    fields
}

/// [computed from the page's example, repaired] `providers.md` section 5.3.
#[test]
fn the_pages_own_example_is_signed() {
    let text = include_str!("../fixtures/launch.txt");
    let mut fields = fields_of(text);
    fields.extend([("sign", "x"), ("limit_pay", "")]);
    assert_eq!(rsa_text(fields), text);
    assert_eq!(
        hex::encode(digest(&SHA256, text.as_bytes())),
        "4023786a0060ba0dab0edfee20a9e54c21386310b9974b780f8b199bbc30d813"
    );
    assert_eq!(rsa(text), (include_str!("../fixtures/launch.sig").to_owned(), true));
}

/// [computed] `providers.md` section 5.4: an app's launch, the signature encoded twice and the data once.
#[test]
fn an_apps_launch_is_written_as_in_the_worked_example() {
    let (text, signature) = (include_str!("../fixtures/app.txt"), include_str!("../fixtures/app.sig"));
    assert_eq!(rsa_text(fields_of(text)), text);
    assert_eq!(rsa(text), (signature.to_owned(), true));
    let data = r#"{"app_id":"MQ11111","app_name":"多点","limit_pay":"1","merch_no":"833304458120002","notify_url":"https://pay.example.com/notify/maqian","out_trade_no":"test1697697407817","pn":"XN000005","source":"app","terminal_info":{"app_version":"23091301","encrypt_rand_num":"928201","secret_text":"968542A5"},"total_amount":"0.01"}"#;
    assert_eq!(app_uri(None, data, signature), include_str!("../fixtures/app_uri.txt"));
}

/// [official examples, quoted by agpayplus HkrtPaySignUtil] `providers.md` section 5.5.
#[test]
fn the_official_examples_of_the_md5_rule_are_flattened() {
    for (json, expected) in [
        (r#"{"version":"1.0.0","return_code":0}"#, "return_code=0&version=1.0.0"),
        (r#"{"a":1,"b":{"d":3,"c":2}}"#, "a=1&b=c=2&d=3"),
        (r#"{"a":1,"b":[2,3]}"#, "a=1&b=2&3"),
        (r#"{"a":"","b":null,"c":{},"d":[],"e":"1","sign":"x"}"#, "e=1"),
    ] {
        assert_eq!(md5_text(&Fields::from_json(json.as_bytes()).unwrap()), expected, "{json}");
    }
}

/// [string official, MD5 computed] and [computed], `providers.md` section 5.5.
#[test]
fn the_md5_of_the_worked_examples() {
    let first = Fields::of([("version", "1.0.0"), ("return_code", "0")]);
    assert_eq!(md5_of(&ring("123456789ABCDEF"), &first), "AC58F7A8575958A2D0E212461701B371");
    let query = Fields::of([
        ("req_id", "20240101000000123456"),
        ("out_trade_no", NUMBER),
        ("merch_no", "833651658120003"),
        ("accessid", "test_accessid"),
    ]);
    assert_eq!(md5_of(&ring(ACCESS_KEY), &query), "1D4810338CC13CD1450D45570B59661F");
    assert_eq!(
        keyed(&md5_text(&query), "KEY"),
        "accessid=test_accessid&merch_no=833651658120003&out_trade_no=MQ202401010001&req_id=20240101000000123456KEY"
    );
}

/// [computed] `providers.md` section 5.5.
#[test]
fn the_notification_of_the_worked_example_is_taken() {
    let fields = notification();
    assert_eq!(sealed(&fields, ACCESS_KEY), "FEE4E0D07E535D1CED8BDB8139EF33FA");
    let body = super::signed_json(&fields, "FEE4E0D07E535D1CED8BDB8139EF33FA");
    assert_eq!(md5_proof(&ring(ACCESS_KEY), &Fields::from_json(&body).unwrap()), Proof::Signed);
    assert_eq!(kit().verify(&body).unwrap().out_trade_no.as_str(), NUMBER);
    assert!(text(&fields).starts_with("agent_no=FW0000000&bank_trade_no="));
}
