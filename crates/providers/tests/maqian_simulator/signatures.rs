//! Both rules of signature over random fields: the provider's texts and signatures are those of the simulator's own code.

use paymux_domain::outcome::Word;
use paymux_domain::ports::{BoxFuture, RawNotification, RefusalReason, SignError, Signer};
use paymux_domain::time::Timestamp;
use paymux_simulators::maqian::sign;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::{Map, Value};

use crate::rig::{KEY, registry};

/// Inputs of each rule.
const INPUTS: usize = 10_000;
/// Of these so many are signed by RSA as well, which costs a thousand times as much as its text.
const SIGNED: usize = 200;

/// Values with everything that encodings stumble over, empty ones among them.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => Just(String::new()),
        6 => "[ -~]{0,20}",
        6 => "[&=+% #\"\\\\/0a多点\u{1F600}é-]{0,12}",
        3 => "\\PC{0,10}",
    ]
}

fn nested() -> impl Strategy<Value = Value> {
    let item = proptest::collection::btree_map("[a-z_]{1,6}", value(), 0..4);
    proptest::collection::vec(item, 0..3).prop_map(|items| serde_json::to_value(items).unwrap())
}

/// Random fields of those names; the required ones are never empty.
fn fields(
    required: &'static [&'static str],
    optional: &'static [&'static str],
) -> impl Strategy<Value = Map<String, Value>> {
    let required = proptest::collection::vec("[ -~多点]{1,12}", required.len())
        .prop_map(move |values| required.iter().zip(values).collect::<Vec<_>>());
    let optional = proptest::collection::vec(proptest::option::of(value()), optional.len())
        .prop_map(move |values| optional.iter().zip(values).collect::<Vec<_>>());
    (required, optional).prop_map(|(required, optional)| {
        let given = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let all = required.into_iter().chain(given);
        all.map(|(name, value)| ((*name).to_owned(), Value::from(value))).collect()
    })
}

/// Signs with nothing: only the text is looked at.
struct Blank;

impl Signer for Blank {
    fn sign(&self, _: &str, _: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, SignError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

fn runner() -> TestRunner {
    TestRunner::new(Config { rng_seed: RngSeed::Fixed(5), ..Config::default() })
}

#[tokio::test]
async fn both_sides_make_the_same_launch_of_ten_thousand_random_ones() {
    const REQUIRED: &[&str] = &["app_id", "app_name", "merch_no", "out_trade_no", "pn", "total_amount"];
    const OPTIONAL: &[&str] = &[
        "color",
        "goods_name",
        "hb_fq_num",
        "limit_pay",
        "notify_url",
        "remark",
        "source",
        "store_id",
        "version",
    ];
    let (registry, pool) = registry();
    let bench = registry.in_force().workbench(&"maqian".parse().unwrap()).unwrap();
    let account = "bare".parse().unwrap();
    let (strategy, mut runner) = ((fields(REQUIRED, OPTIONAL), nested()), runner());
    for input in 0..INPUTS {
        let (mut document, goods) = strategy.new_tree(&mut runner).unwrap().current();
        document.insert("goods_detail".to_owned(), goods);
        let json = Value::Object(document.clone()).to_string();
        let text = sign::launch_text(&document);
        let signer: &dyn Signer = if input < SIGNED { &pool } else { &Blank };
        let signed = bench.sign(&account, json.as_bytes(), signer).await.unwrap();
        assert_eq!(signed.canonical, text);
        if input < SIGNED {
            assert!(sign::is_signed_by(&text, &signed.signature, crate::rig::PUBLIC_PEM), "{text}");
        }
    }
}

#[tokio::test]
async fn both_sides_make_the_same_md5_of_ten_thousand_random_calls() {
    const OPTIONAL: &[&str] = &[
        "agent_no",
        "merch_no",
        "out_refund_no",
        "out_trade_no",
        "pn",
        "refund_amount",
        "req_id",
        "trade_no",
    ];
    let (registry, _) = registry();
    let bench = registry.in_force().workbench(&"maqian".parse().unwrap()).unwrap();
    let account = "shop".parse().unwrap();
    let (strategy, mut runner) = (fields(&[], OPTIONAL), runner());
    for _ in 0..INPUTS {
        let mut document = strategy.new_tree(&mut runner).unwrap().current();
        document.insert("accessid".to_owned(), "id1".into());
        let json = Value::Object(document.clone()).to_string();
        let signed = bench.sign(&account, json.as_bytes(), &Blank).await.unwrap();
        assert_eq!(signed.canonical, format!("{}<key>", sign::api_text(&document)));
        assert_eq!(signed.signature, sign::api_sign(&document, KEY));
    }
}

/// A body of numbers as they stand here: their digits are under the signature, and no other spelling of them is.
#[test]
fn numbers_count_with_the_digits_as_they_were_sent() {
    let (registry, _) = registry();
    let provider = registry.provider(&"maqian".parse().unwrap()).unwrap();
    let numbers =
        [("total_amount", "0.10"), ("fee", "0.00"), ("merch_no", "833651658120001"), ("rate", "1e2")];
    let mut document = Map::new();
    let texts = [("out_trade_no", "T-1"), ("trade_no", "ALI1"), ("trade_status", "1")];
    for (name, value) in texts.into_iter().chain(numbers) {
        document.insert(name.to_owned(), value.into());
    }
    document.insert("sign".to_owned(), sign::api_sign(&document, KEY).into());
    let text = Value::Object(document).to_string();
    let sent = |digits: &str| {
        let pairs = numbers.iter().fold(text.clone(), |text, (name, value)| {
            let value = if *name == "total_amount" { digits } else { value };
            let (before, rest) = text.split_once(&format!("\"{name}\":\"")).expect("it is there");
            let (_, after) = rest.split_once('"').expect("its end");
            format!("{before}\"{name}\": {value} {after}")
        });
        RawNotification {
            merchant_id: "m1".parse().unwrap(),
            accounts: Vec::new(),
            headers: Vec::new(),
            body: pairs.into_bytes(),
        }
    };
    let verified = provider.verify(&sent("0.10"), Timestamp::EPOCH).expect("signed as it was sent");
    let [Word::Paid(payment)] = verified.words.as_slice() else { panic!("{verified:?}") };
    assert_eq!((payment.total_minor, payment.fee_minor), (10, Some(0)));
    for other in ["0.1", "0.100", "1e-1", "0.10e0"] {
        let refusal = provider.verify(&sent(other), Timestamp::EPOCH).unwrap_err();
        assert_eq!(refusal.reason, RefusalReason::BadSignature, "{other}");
    }
}
