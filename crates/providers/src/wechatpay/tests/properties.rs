//! Properties over random orders and random bytes.

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::Created;
use paymux_domain::http::HttpResponse;
use paymux_domain::outcome::{Class, Operation, Word};
use paymux_domain::time::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::Config;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::DecodePublicKey;
use rsa::sha2::Sha256;
use rsa::signature::Verifier as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::notifications::{computed, verify_at};
use super::{TEST_KEY_PUBLIC, call, created, kit, refund_call, signed, transaction};

fn orders() -> impl Strategy<Value = Created> {
    let method = prop_oneof![Just("jsapi"), Just("partner_jsapi"), Just("scannedpos")];
    let texts = ("[0-9A-Za-z_-]{6,32}", "[^\\p{C}]{1,127}", proptest::option::of("[^\\p{C}]{1,31}"));
    let numbers = (1..=10_000_000_000_i64, 60_000..=604_800_000_i64, any::<u64>());
    (method, texts, numbers).prop_map(|(method, (number, description, attach), (minor, life_ms, _))| {
        let order = created(method);
        Created {
            out_trade_no: number.parse().unwrap(),
            description,
            attach,
            amount: Amount::new(minor, Currency::Cny).unwrap(),
            expire_time: Timestamp::from_millis(order.created_time.as_millis() + life_ms),
            ..order
        }
    })
}

/// Verifies a request as WeChat Pay does, with another implementation of RSA.
fn is_signed_by_the_merchant(request: &paymux_domain::http::HttpRequest) -> bool {
    let header = &request.headers.iter().find(|(name, _)| name == "authorization").unwrap().1;
    let field = |name: &str| {
        let (_, rest) = header.split_once(&format!("{name}=\"")).unwrap();
        rest.split_once('"').unwrap().0
    };
    let path = request.url.strip_prefix("https://api.mch.weixin.qq.com").unwrap();
    let mut text =
        format!("{}\n{path}\n{}\n{}\n", request.method.as_str(), field("timestamp"), field("nonce_str"))
            .into_bytes();
    text.extend_from_slice(&request.body);
    text.push(b'\n');
    let key = VerifyingKey::<Sha256>::new(rsa::RsaPublicKey::from_public_key_pem(TEST_KEY_PUBLIC).unwrap());
    let signature = STANDARD.decode(field("signature")).unwrap();
    key.verify(&text, &Signature::try_from(signature.as_slice()).unwrap()).is_ok()
}

proptest! {
    #![proptest_config(Config { cases: Config::default().cases / 4, ..Config::default() })]

    #[test]
    fn a_request_says_what_the_order_says_and_its_signature_verifies(order in orders(), nonce in any::<[u64; 2]>()) {
        let kit = kit();
        prop_assert_eq!(kit.provider.check(&order), vec![]);
        let mut create = call(Operation::Create, order.clone());
        create.nonce = nonce;
        let request = kit.build(&create);
        prop_assert!(is_signed_by_the_merchant(&request));
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        prop_assert_eq!(&body["out_trade_no"], order.out_trade_no.as_str());
        prop_assert_eq!(&body["amount"]["total"], order.amount.minor());
        prop_assert_eq!(&body["description"], order.description.as_str());
        let until: jiff::Timestamp = body["time_expire"].as_str().unwrap().parse().unwrap();
        prop_assert_eq!(until.as_second(), order.expire_time.as_secs());
        for operation in [Operation::Query, Operation::Close] {
            prop_assert!(is_signed_by_the_merchant(&kit.build(&call(operation, order.clone()))));
        }
        for operation in [Operation::Refund, Operation::Query] {
            prop_assert!(is_signed_by_the_merchant(&kit.build(&refund_call(operation, order.clone(), 1))));
        }
    }

    #[test]
    fn no_answer_of_random_bytes_says_anything_about_an_order(
        status in 100_u16..600,
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let order = [Operation::Create, Operation::Query, Operation::Close].map(|op| call(op, created("jsapi")));
        let refund = [Operation::Refund, Operation::Query].map(|op| refund_call(op, created("jsapi"), 1));
        for call in order.iter().chain(&refund) {
            let response = HttpResponse { status, headers: Vec::new(), body: body.clone() };
            let report = kit().parse(call, &response);
            prop_assert!(report.words.is_empty());
            prop_assert!(!matches!(report.class, Class::Done | Class::Final), "{:?}", report);
        }
    }
}

#[test]
fn any_flipped_byte_of_a_notification_is_refused() {
    let (kit, whole) = (kit(), computed());
    let at = Timestamp::from_millis(1_704_038_461_000);
    assert!(verify_at(&kit, &whole, at).is_ok());
    for index in 0..whole.body.len() {
        for bit in 0..8 {
            let mut raw = whole.clone();
            raw.body[index] ^= 1 << bit;
            assert!(verify_at(&kit, &raw, at).is_err(), "body byte {index}, bit {bit}");
        }
    }
    for (number, (name, value)) in whole.headers.iter().enumerate().skip(1) {
        for index in 0..value.len() {
            let mut raw = whole.clone();
            let mut bytes = value.clone().into_bytes();
            bytes[index] ^= 1;
            raw.headers[number].1 = String::from_utf8(bytes).unwrap();
            assert!(verify_at(&kit, &raw, at).is_err(), "{name} byte {index}");
        }
    }
}

#[test]
fn any_flipped_byte_of_an_answer_leaves_the_outcome_unknown() {
    let kit = kit();
    let query = call(Operation::Query, created("jsapi"));
    let whole = signed(200, &transaction("direct", "SUCCESS").to_string());
    assert!(matches!(kit.parse(&query, &whole).words.as_slice(), [Word::Paid(_)]));
    for index in 0..whole.body.len() {
        let mut response = whole.clone();
        response.body[index] ^= 1;
        let report = kit.parse(&query, &response);
        assert_eq!((report.class, report.words.len()), (Class::Unknown, 0), "body byte {index}");
    }
}
