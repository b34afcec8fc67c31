//! Properties over random orders and random bytes.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::Created;
use paymux_domain::outcome::{Class, Word};
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::Value;

use super::super::sign::rsa_text;
use super::{
    ACCESS_KEY, Ask, Fields, Kit, TEST_KEY, TEST_KEY_PUBLIC, answer, asked_at, at, created, kit,
    notification, paid_answer, rsa_notification, sealed, signed, signed_json, with,
};
use crate::signing::PlatformKey;

fn orders() -> impl Strategy<Value = Created> {
    let text =
        |max: usize| proptest::string::string_regex(&format!("[^\\p{{C}}]{{1,{max}}}")).expect("a pattern");
    let texts =
        ("[0-9A-Za-z]{1,32}", text(60), proptest::option::of(text(31)), proptest::option::of(text(20)));
    (texts, 1..=10_000_000_000_i64, any::<bool>(), 1..10_i64).prop_map(
        |((number, description, attach, goods), minor, is_app, quantity)| {
            let goods = goods.map(|name| {
                serde_json::json!([{ "goods_id": "g", "goods_name": name, "quantity": quantity, "price_minor": minor }])
            });
            Created {
                out_trade_no: number.parse().unwrap(),
                description,
                attach,
                amount: Amount::new(minor, Currency::Cny).unwrap(),
                method: if is_app { "app" } else { "mini_program" }.to_owned(),
                options_json: goods.map(|goods| serde_json::json!({ "goods_detail": goods }).to_string()).unwrap_or_default(),
                ..at(if is_app { "bare" } else { "shop" }, created())
            }
        },
    )
}

/// Whether changed bytes could only say what the whole ones said: white space between the parts of JSON, another spelling
/// of a character, letters of a digest in the other case.
fn says_the_same<T: PartialEq>(changed: Option<T>, whole: &T) -> bool {
    changed.is_none_or(|changed| changed == *whole)
}

/// The fields of a payload as a reader has them: nested values as the text of their JSON.
fn read_back(data: &str) -> BTreeMap<String, String> {
    let Value::Object(fields) = serde_json::from_str(data).unwrap() else { panic!("no object: {data}") };
    let text = |value: Value| match value {
        Value::String(text) => text,
        nested => nested.to_string(),
    };
    fields.into_iter().map(|(name, value)| (name, text(value))).collect()
}

/// As many orders may be drawn that the provider does not take as there are cases four times.
fn config() -> Config {
    let Config { cases, .. } = Config::default();
    Config { cases: cases / 4, max_global_rejects: cases.saturating_mul(4), ..Config::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_launch_says_what_the_order_says_and_its_signature_verifies(order in orders()) {
        let kit = kit();
        prop_assume!(kit.provider.check(&order).is_empty());
        let mini = kit.launch(&kit.provider.resolve(order.clone()));
        let fields = read_back(&mini.data);
        let text = rsa_text(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let key = PlatformKey::from_public_pem(TEST_KEY_PUBLIC).unwrap();
        prop_assert!(key.has_signed(text.as_bytes(), &STANDARD.decode(&mini.sign).unwrap()));
        prop_assert_eq!(&fields["out_trade_no"], order.out_trade_no.as_str());
        prop_assert_eq!(crate::text::minor_of_yuan(&fields["total_amount"]), Some(order.amount.minor()));
        prop_assert_eq!(&fields["goods_name"], &order.description);
        prop_assert_eq!(fields.get("remark"), order.attach.as_ref());
        prop_assert_eq!(fields.contains_key("goods_detail"), !order.options_json.is_empty());
        let Some(uri) = mini.app_uri else { return Ok(()) };
        let query = crate::form::decode(uri.split_once('?').unwrap().1.as_bytes()).unwrap();
        let query = &query.iter().find(|(name, _)| name == "query").unwrap().1;
        let (data, sign) = query.strip_prefix("data=").and_then(|rest| rest.rsplit_once("&sign=")).unwrap();
        prop_assert_eq!(data, &mini.data);
        let sign = crate::form::decode(format!("s={sign}").as_bytes()).unwrap();
        prop_assert_eq!(&sign[0].1, &mini.sign);
    }

    #[test]
    fn no_answer_of_random_bytes_says_anything(status in 100_u16..600, body in prop::collection::vec(any::<u8>(), 0..300)) {
        for ask in [Ask::Query, Ask::Close, Ask::Refund, Ask::RefundQuery] {
            let response = super::HttpResponse { status, headers: Vec::new(), body: body.clone() };
            let report = kit().parse(&asked_at("hinted", ask), &response);
            prop_assert!(report.words.is_empty());
            prop_assert!(!matches!(report.class, Class::Done | Class::Final), "{:?}", report);
        }
    }

    #[test]
    fn no_random_notification_proves_anything(
        body in prop::collection::vec(any::<u8>(), 0..300),
        fields in prop::collection::btree_map("[a-z_]{1,12}", ".{0,20}", 0..12),
        merchant in prop::sample::select(vec!["833651658120003", "833304458120002", "833000000000001"]),
    ) {
        prop_assert!(kit().verify(&body).is_err());
        let fields: Fields<'_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let fields = with(&fields, &[("merch_no", merchant), ("out_trade_no", "1"), ("trade_status", "1")]);
        let body = signed_json(&fields, &sealed(&fields, "a key of somebody else"));
        let is_hint = kit().verify(&body).is_ok_and(|verified| verified.words == [Word::Hint]);
        prop_assert_eq!(is_hint, merchant == "833000000000001");
    }
}

/// Flips every bit of a notification's body but the eighth of each byte in turn, every one that `every` divides.
fn flipped(kit: &Kit, whole: &[u8], every: usize) {
    let said = |body: &[u8]| {
        let verified = kit.verify(body).ok()?;
        Some((verified.account, verified.out_trade_no, format!("{:?}", verified.words)))
    };
    let (good, mut refused, mut all) = (said(whole).unwrap(), 0, 0);
    for index in (0..whole.len()).step_by(every) {
        for bit in 0..8 {
            let mut body = whole.to_vec();
            body[index] ^= 1 << bit;
            let now = said(&body);
            all += 1;
            refused += u32::from(now.is_none());
            assert!(says_the_same(now, &good), "byte {index}, bit {bit}: {}", String::from_utf8_lossy(&body));
        }
    }
    assert!(refused > all - 64, "{refused} of {all} refused");
}

#[test]
fn any_flipped_byte_of_a_signed_notification_is_refused_or_says_the_same() {
    let fields = notification();
    flipped(&kit(), &signed_json(&fields, &sealed(&fields, ACCESS_KEY)), 1);
    flipped(&kit(), &rsa_notification(TEST_KEY, &[]), 1);
}

#[test]
fn any_flipped_byte_of_an_answer_leaves_the_outcome_unknown_or_says_the_same() {
    let kit = kit();
    let whole = signed(&paid_answer()).body;
    let said = |body: &[u8]| {
        let report = kit.parse(&asked_at("shop", Ask::Query), &answer(200, &String::from_utf8_lossy(body)));
        match report.class {
            Class::Unknown => {
                assert!(report.words.is_empty());
                None
            }
            _ => Some((report.class, report.words)),
        }
    };
    let (good, mut unknown) = (said(&whole).unwrap(), 0);
    for index in 0..whole.len() {
        for bit in 0..7 {
            let mut body = whole.clone();
            body[index] ^= 1 << bit;
            let now = said(&body);
            unknown += u32::from(now.is_none());
            assert!(says_the_same(now, &good), "byte {index}, bit {bit}: {}", String::from_utf8_lossy(&body));
        }
    }
    let all = u32::try_from(whole.len() * 7).unwrap();
    assert!(unknown > all - 64, "{unknown} of {all} unknown");
}
