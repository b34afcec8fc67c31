//! Properties over random orders and random bytes.

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::Created;
use paymux_domain::outcome::{Class, Operation, Word};
use paymux_domain::ports::Call;
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::{Map, Value, json};

use super::notifications::{fields, raw};
use super::{
    KEY, Kit, NOW, answer, asked, asked_refund, bare, call, kit, of_method, paid_data, sealed, sign, signed,
    weixin_data, with,
};

fn orders() -> impl Strategy<Value = Created> {
    let text = |max: usize| {
        proptest::option::of(
            proptest::string::string_regex(&format!("[^\\p{{C}}]{{1,{max}}}")).expect("a pattern"),
        )
    };
    let method = prop::sample::select(vec!["weixin_jsapi", "weixin_mini_program", "alipay", "unionpay"]);
    let names = ("[0-9A-Za-z_-]{1,32}", "[!-~]{1,36}", method);
    (names, 1..=10_000_000_000_i64, text(8), text(32), text(36), proptest::option::of(0..=999_u32)).prop_map(
        |((number, open_id, method), minor, staff, device, name, origin)| {
            let options = with(
                &json!({ "sub_app_name": "茶馆" }),
                json!({ "pay_resource": origin, "staff_num": staff, "device_sn": device }),
            );
            let options = with(&options, name.map_or(json!({}), |name| json!({ "sub_app_name": name })));
            let mut order = of_method(method);
            order.payer.open_id = Some(open_id);
            Created {
                out_trade_no: number.parse().unwrap(),
                amount: Amount::new(minor, Currency::Cny).unwrap(),
                options_json: options.to_string(),
                ..order
            }
        },
    )
}

/// As many orders may be drawn that the provider does not take as there are cases four times.
fn config() -> Config {
    let Config { cases, .. } = Config::default();
    Config { cases: cases / 2, max_global_rejects: cases.saturating_mul(4), ..Config::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_create_says_what_the_order_says_and_its_signature_verifies(order in orders()) {
        prop_assume!(kit().0.check(&order).is_empty());
        let sent = kit().sent(&call(Operation::Create, order.clone(), vec![]));
        prop_assert_eq!(&sent["sign"], &Value::from(sign(&sent, KEY)));
        prop_assert_eq!(&sent["merchant_order_no"], order.out_trade_no.as_str());
        prop_assert_eq!(crate::yuan::minor(sent["amount"].as_str().unwrap()), Some(order.amount.minor()));
        prop_assert_eq!(sent["open_id"].as_str(), order.payer.open_id.as_deref());
        let options: Map<String, Value> = serde_json::from_str(&order.options_json).unwrap();
        for (name, value) in &options {
            prop_assert_eq!(sent.get(name), Some(value), "{}", name);
        }
        prop_assert!(sent.keys().all(|name| name == "sign" || super::super::request::FIELDS.contains(&name.as_str())));
    }

    #[test]
    fn what_is_stated_is_read_and_signed_as_it_stands(
        minor in 1..=10_000_000_000_i64,
        remark in "[^\\p{C}&]{0,20}",
        more in prop::collection::btree_map("[a-z_]{1,12}x", "[^\\p{C}&]{0,20}", 0..6),
    ) {
        let mut data = with(&paid_data(), json!({ "amount": crate::yuan::text(minor), "remark": remark }));
        data.as_object_mut().unwrap().extend(more.into_iter().map(|(name, value)| (name, value.into())));
        let report = kit().parse(&asked(Operation::Query), &signed(&data));
        let [Word::Paid(payment)] = report.words.as_slice() else { return Err(TestCaseError::fail(report.code)) };
        prop_assert_eq!(payment.total_minor, minor);
    }

    #[test]
    fn no_answer_of_random_bytes_says_anything(status in 100_u16..600, body in prop::collection::vec(any::<u8>(), 0..300)) {
        for kit in [kit(), bare()] {
            for call in calls() {
                let response = super::HttpResponse { status, headers: Vec::new(), body: body.clone() };
                let report = kit.parse(&call, &response);
                prop_assert!(report.words.is_empty());
                prop_assert!(!matches!(report.class, Class::Done | Class::Final), "{:?}", report);
            }
        }
    }

    #[test]
    fn no_random_notification_is_accepted(
        body in prop::collection::vec(any::<u8>(), 0..300),
        fields in prop::collection::btree_map("[a-z_]{1,12}", ".{0,20}", 0..12),
    ) {
        prop_assert!(kit().0.verify(&raw(body), NOW).is_err());
        let given: Map<String, Value> = fields.into_iter().map(|(name, value)| (name, value.into())).collect();
        let given = with(&Value::Object(given), super::notifications::fields());
        prop_assert!(kit().0.verify(&raw(sealed(&given, "a key of somebody else").to_string()), NOW).is_err());
    }
}

fn calls() -> [Call; 5] {
    [
        call(Operation::Create, of_method("weixin_jsapi"), vec![]),
        asked(Operation::Query),
        asked(Operation::Close),
        asked(Operation::Refund),
        asked_refund(),
    ]
}

#[test]
fn any_flipped_byte_of_a_notification_is_refused_or_says_the_same() {
    let kit = kit();
    let whole = sealed(&fields(), KEY).to_string().into_bytes();
    let said = |body: &[u8]| {
        let verified = kit.0.verify(&raw(body), NOW).ok()?;
        Some((verified.account, verified.out_trade_no, format!("{:?}", verified.words)))
    };
    flip_each(&whole, said);
}

#[test]
fn any_flipped_byte_of_an_answer_leaves_the_outcome_unknown_or_says_the_same() {
    let kit = kit();
    let said = |kit: &Kit, call: &Call, body: &[u8]| {
        let report = kit.parse(call, &answer(200, &String::from_utf8_lossy(body)));
        match report.class {
            Class::Unknown => {
                assert!(report.words.is_empty());
                None
            }
            _ => Some((report.class, report.words)),
        }
    };
    let query = asked(Operation::Query);
    let code_and_message = br#"{"code":"000000","message":"ok","data":"#.len();
    let data = sealed(&paid_data(), KEY).to_string();
    let whole = format!(r#"{{"code":"000000","message":"ok","data":{data}}}"#).into_bytes();
    flip_each(&whole, |body| {
        let (class, words) = said(&kit, &query, body)?;
        // The message is for people.
        Some((class, words, body.len()))
    });
    assert!(whole.len() > code_and_message);
    // The launch parameters of WeChat stand under no signature of UPaaS; everything else of a create does.
    let create = call(Operation::Create, of_method("weixin_jsapi"), vec![]);
    let data = with(&weixin_data(), json!({ "pre_pay_info": null }));
    let seal = sign(data.as_object().unwrap(), KEY);
    for (name, value) in data.as_object().unwrap() {
        let text = value.as_str().unwrap();
        let changed = with(&weixin_data(), json!({ name: format!("{text}0"), "sign": seal }));
        assert_eq!(said(&kit, &create, super::plain("000000", &changed).body.as_slice()), None, "{name}");
    }
}

/// Flips each bit in turn: what is then still understood says the same, and nearly nothing is.
fn flip_each<T: PartialEq + std::fmt::Debug>(whole: &[u8], said: impl Fn(&[u8]) -> Option<T>) {
    let (good, mut refused) = (said(whole), 0);
    assert!(good.is_some());
    for index in 0..whole.len() {
        for bit in 0..7 {
            let mut body = whole.to_vec();
            body[index] ^= 1 << bit;
            let now = said(&body);
            refused += u32::from(now.is_none());
            assert!(
                now.is_none() || now == good,
                "byte {index}, bit {bit}: {}",
                String::from_utf8_lossy(&body)
            );
        }
    }
    let all = u32::try_from(whole.len() * 7).unwrap();
    assert!(refused > all - 160, "{refused} of {all} refused");
}
