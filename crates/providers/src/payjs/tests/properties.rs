//! Properties over random orders and random bytes.

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::Created;
use paymux_domain::outcome::{Class, Operation};
use proptest::prelude::*;
use proptest::test_runner::Config;

use super::notifications::{form, raw};
use super::vectors::notification;
use super::{Fields, KEY, NOW, answer, asked, created, kit, paid_answer, sign, signed, with};

fn orders() -> impl Strategy<Value = Created> {
    let text = |chars: &str, max: usize| {
        proptest::string::string_regex(&format!("[{chars}]{{1,{max}}}")).expect("a pattern")
    };
    let texts = (
        "[0-9A-Za-z_-]{1,32}",
        text("^\\p{C}\\s", 16),
        proptest::option::of(text("^\\p{C}\\s", 31)),
        proptest::option::of("https://[a-z]{1,20}/[a-z0-9/?=&#%_.~+-]{0,60}"),
    );
    (texts, 1..=10_000_000_000_i64, any::<[bool; 2]>()).prop_map(
        |((number, description, attach, return_url), minor, [auto, hide])| Created {
            out_trade_no: number.parse().unwrap(),
            description,
            attach,
            return_url,
            amount: Amount::new(minor, Currency::Cny).unwrap(),
            options_json: format!(r#"{{"auto":{auto},"hide":{hide}}}"#),
            ..created()
        },
    )
}

/// Whether changed bytes could only say what the whole ones said: letters of the signature in the other case, another
/// spelling of a blank, white space between the parts of JSON.
fn says_the_same<T: PartialEq>(changed: Option<T>, whole: &T) -> bool {
    changed.is_none_or(|changed| changed == *whole)
}

proptest! {
    #![proptest_config(Config { cases: Config::default().cases / 2, ..Config::default() })]

    #[test]
    fn a_url_says_what_the_order_says_and_its_signature_verifies(order in orders()) {
        prop_assume!(kit().0.check(&order).is_empty());
        let url = kit().url(&order);
        let query = url.strip_prefix("https://payjs.cn/api/cashier?").unwrap();
        let sent = crate::form::decode(query.as_bytes()).unwrap();
        let sent: Fields<'_> = sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        prop_assert_eq!(sent["sign"], sign(&sent, KEY, true));
        prop_assert_eq!(sent["sign"], sign(&sent, KEY, false), "no reading of zeros matters");
        prop_assert!(sent.values().all(|value| !value.is_empty() && *value != "0"));
        prop_assert_eq!(sent["out_trade_no"], order.out_trade_no.as_str());
        prop_assert_eq!(sent["total_fee"], order.amount.minor().to_string());
        prop_assert_eq!(sent["body"], order.description.as_str());
        prop_assert_eq!(sent.get("attach").copied(), order.attach.as_deref());
        prop_assert_eq!(sent.get("callback_url").copied(), order.return_url.as_deref());
        prop_assert_eq!(sent.contains_key("auto"), order.options_json.contains("\"auto\":true"));
    }

    #[test]
    fn an_accepted_attach_comes_back_in_a_notification_that_is_understood(order in orders()) {
        prop_assume!(kit().0.check(&order).is_empty());
        let attach = order.attach.unwrap_or_default();
        let fields: Fields<'_> = notification(&attach).into_iter().collect();
        prop_assert!(kit().0.verify(&raw(form(&fields, KEY)), NOW).is_ok());
    }

    #[test]
    fn no_answer_of_random_bytes_says_anything(status in 100_u16..600, body in prop::collection::vec(any::<u8>(), 0..300)) {
        for operation in [Operation::Create, Operation::Query, Operation::Close, Operation::Refund] {
            let response = super::HttpResponse { status, headers: Vec::new(), body: body.clone() };
            let report = kit().parse(&asked(operation), &response);
            prop_assert!(report.words.is_empty());
            prop_assert!(!matches!(report.class, Class::Done | Class::Final), "{:?}", report);
        }
    }

    #[test]
    fn no_random_notification_is_accepted(
        body in prop::collection::vec(any::<u8>(), 0..300),
        fields in prop::collection::btree_map("[a-z_]{1,12}", ".{0,20}", 0..12),
    ) {
        prop_assert!(kit().0.verify(&raw(body), NOW).is_err());
        let fields: Fields<'_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let fields = with(&fields, &[("mchid", "123456"), ("return_code", "1")]);
        prop_assert!(kit().0.verify(&raw(form(&fields, "a key of somebody else")), NOW).is_err());
    }
}

#[test]
fn any_flipped_byte_of_a_notification_is_refused_or_says_the_same() {
    let kit = kit();
    let whole = form(&notification("order:42").into_iter().collect(), KEY).into_bytes();
    let said = |body: &[u8]| {
        let verified = kit.0.verify(&raw(body), NOW).ok()?;
        Some((verified.account, verified.out_trade_no, format!("{:?}", verified.words)))
    };
    let (good, mut refused) = (said(&whole).unwrap(), 0);
    for index in 0..whole.len() {
        for bit in 0..8 {
            let mut body = whole.clone();
            body[index] ^= 1 << bit;
            let now = said(&body);
            refused += u32::from(now.is_none());
            assert!(says_the_same(now, &good), "byte {index}, bit {bit}: {}", String::from_utf8_lossy(&body));
        }
    }
    let all = u32::try_from(whole.len() * 8).unwrap();
    assert!(refused > all - 64, "{refused} of {all} refused");
}

#[test]
fn any_flipped_byte_of_an_answer_leaves_the_outcome_unknown_or_says_the_same() {
    let kit = kit();
    let whole = signed(&paid_answer()).body;
    let said = |body: &[u8]| {
        let report = kit.parse(&asked(Operation::Query), &answer(200, &String::from_utf8_lossy(body)));
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
            // With the signature's name changed and `return_code` 1 it is an unsigned success: nothing.
            assert!(says_the_same(now, &good), "byte {index}, bit {bit}: {}", String::from_utf8_lossy(&body));
        }
    }
    let all = u32::try_from(whole.len() * 7).unwrap();
    assert!(unknown > all - 64, "{unknown} of {all} unknown");
}
