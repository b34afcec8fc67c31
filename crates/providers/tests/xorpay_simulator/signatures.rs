//! Both sides agree on every signature, over many random values with all that encodings stumble over.

use std::sync::Arc;

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::fold::Order;
use paymux_domain::outcome::Operation;
use paymux_domain::ports::{BoxFuture, Built, Call, RawNotification, SignError, Signer};
use paymux_domain::time::Timestamp;
use paymux_simulators::xorpay::signature;
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

use crate::rig::{Rig, SECRET};

/// Random inputs of each rule.
const INPUTS: u32 = 10_000;

/// What values are made of.
const PARTS: [&str; 16] =
    ["&", "=", "+", " ", "%", "%20", "%E5", "é", "款", "🧾", "0", "x", "a=1&b=2", "/?#", "\"{}", "sign"];

struct Draw(TestRng);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.0.next_u32()).unwrap() % end
    }

    /// A text of at most so many parts; it may be empty.
    fn text(&mut self, parts_max: usize) -> String {
        let count = self.below(parts_max + 1);
        (0..count).map(|_| PARTS[self.below(PARTS.len())]).collect()
    }

    fn word(&mut self, chars: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(chars[self.below(chars.len())])).collect()
    }
}

struct NoSigner;

impl Signer for NoSigner {
    fn sign(&self, _: &str, _: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, SignError>> {
        panic!("an MD5 is made where it is needed")
    }
}

/// The fields of a query string or form, by another library than either side's.
fn decode(text: &str) -> Vec<(String, String)> {
    let url = reqwest::Url::parse(&format!("http://h/?{text}")).unwrap();
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// A form, by another library than either side's.
fn encode(fields: &[(&str, &str)]) -> String {
    reqwest::Url::parse_with_params("http://h/", fields).unwrap().query().unwrap().to_owned()
}

#[tokio::test]
async fn requests_are_signed_as_the_simulator_signs() {
    let rig = Rig::start().await;
    let template = rig.order("shop", 1200);
    let mut draw = Draw(TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    for _ in 0..INPUTS {
        let mut order = template.clone();
        order.description = format!("a{}", draw.text(12));
        order.attach = Some(draw.text(12)).filter(|text| !text.is_empty());
        let length = draw.below(31) + 1;
        order.out_trade_no = draw.word(b"09azAZ_-x", length).parse().unwrap();
        order.amount = Amount::new(i64::from(draw.0.next_u32()) + 1, Currency::Cny).unwrap();
        for (operation, signed) in [
            (Operation::Create, &["name", "pay_type", "price", "order_id", "notify_url"][..]),
            (Operation::Query, &["order_id"][..]),
        ] {
            let call = Call {
                operation,
                refund: None,
                created: Arc::new(order.clone()),
                order: Arc::new(Order::default()),
                now: Timestamp::EPOCH,
                nonce: [1, 2],
            };
            let Built::Request(request) = rig.provider.build(&call, &NoSigner).await.unwrap() else {
                panic!("nothing is sent")
            };
            let body = String::from_utf8(request.body).unwrap();
            let fields = decode(if body.is_empty() { request.url.split_once('?').unwrap().1 } else { &body });
            let get = |name: &str| &*fields.iter().find(|(known, _)| known == name).unwrap().1;
            assert_eq!(get("sign"), signature(signed.iter().map(|name| get(name)), SECRET), "{fields:?}");
            if operation == Operation::Create {
                assert_eq!(get("name"), order.description);
                assert_eq!(
                    fields.iter().find(|(name, _)| name == "more").map(|(_, value)| value),
                    order.attach.as_ref()
                );
            }
        }
    }
}

#[tokio::test]
async fn what_the_simulator_signs_verifies() {
    let rig = Rig::start().await;
    let mut draw = Draw(TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    for _ in 0..INPUTS {
        let length = draw.below(31) + 1;
        let number = draw.word(b"09azAZ_-x", length);
        let aoid = draw.word(b"0123456789abcdef", 32);
        let (order_id, price) =
            (format!("{number}x"), format!("{}.{:02}", draw.below(1_000_000), draw.below(100)));
        let time = format!(
            "20{:02}-{:02}-{:02} {:02}:{:02}:{:02}",
            draw.below(100),
            draw.below(12) + 1,
            draw.below(28) + 1,
            draw.below(24),
            draw.below(60),
            draw.below(60)
        );
        let (more, detail) = (draw.text(12), draw.text(12));
        let sign = signature([&*aoid, &*order_id, &*price, &*time], SECRET);
        let body = encode(&[
            ("aoid", &aoid),
            ("order_id", &order_id),
            ("pay_price", &price),
            ("pay_time", &time),
            ("more", &more),
            ("detail", &detail),
            ("sign", &sign),
        ]);
        let raw = RawNotification {
            merchant_id: "m1".parse().unwrap(),
            accounts: Vec::new(),
            headers: Vec::new(),
            body: body.clone().into_bytes(),
        };
        let verified = rig.provider.verify(&raw, Timestamp::EPOCH);
        assert!(verified.is_ok_and(|verified| verified.out_trade_no.as_str() == number), "{body}");
    }
}
