//! Properties over random orders, shifted texts and random bytes.

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::Created;
use paymux_domain::outcome::{Class, Operation, Word};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng};

use super::notifications::{Fields, fields, form, raw, with};
use super::{AOID, NOW, SECRET, answer, asked, call, created, kit, ok, payment, said, sign};

/// Shifts of characters over the borders of the signed text.
const SHIFTS: u32 = 10_000;

fn orders() -> impl Strategy<Value = Created> {
    let text = |max: usize| {
        proptest::string::string_regex(&format!("[^\\p{{C}}\\s][^\\p{{C}}]{{0,{max}}}[^\\p{{C}}\\s]"))
            .expect("a pattern")
    };
    let texts = (
        "[0-9A-Za-z_-]{1,31}",
        text(60),
        proptest::option::of(text(29)),
        proptest::option::of("https://[a-z]{1,20}/[a-z0-9/?=&#%_.~+-]{0,60}"),
        "[!-~]{1,128}",
    );
    (texts, 1..=10_000_000_000_i64, 1_u64..604_800).prop_map(
        |((number, description, attach, return_url, open_id), minor, life_s)| {
            let mut order = created();
            order.out_trade_no = number.parse().unwrap();
            order.description = description;
            order.attach = attach;
            order.return_url = return_url;
            order.payer.open_id = Some(open_id);
            order.amount = Amount::new(minor, Currency::Cny).unwrap();
            order.expire_time = order.created_time + std::time::Duration::from_secs(life_s);
            order.options_json = serde_json::json!({ "order_uid": "a=b & 1%" }).to_string();
            order
        },
    )
}

proptest! {
    #![proptest_config(Config { cases: Config::default().cases / 2, ..Config::default() })]

    #[test]
    fn a_create_says_what_the_order_says_and_its_signature_verifies(order in orders()) {
        prop_assert_eq!(kit().0.check(&order), Vec::new());
        let body = kit().build(&call(Operation::Create, order.clone(), vec![])).body;
        let sent = crate::form::decode(&body).unwrap();
        let get = |name: &str| sent.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let values = ["name", "pay_type", "price", "order_id", "notify_url"].map(|name| get(name).unwrap());
        prop_assert_eq!(get("sign").unwrap(), sign(&values, SECRET));
        prop_assert_eq!(get("name").unwrap(), order.description.as_str());
        prop_assert_eq!(Amount::from_yuan(get("price").unwrap()).unwrap(), order.amount);
        prop_assert_eq!(get("order_id").unwrap().strip_suffix('x').unwrap(), order.out_trade_no.as_str());
        prop_assert_eq!(get("more"), order.attach.as_deref());
        prop_assert_eq!(get("return_url"), order.return_url.as_deref());
        prop_assert_eq!(get("openid"), order.payer.open_id.as_deref());
        let life = order.expire_time.since(order.created_time).as_secs().to_string();
        prop_assert_eq!(get("expire").unwrap(), life);
    }

    #[test]
    fn what_xorpay_tells_of_an_order_is_understood(order in orders(), paid_s in 0_i64..4_000_000_000) {
        let at = jiff::Timestamp::from_second(paid_s).unwrap().to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8)));
        let (number, minor) = (&order.out_trade_no, order.amount.minor());
        let fields = with(&[
            ("order_id", &format!("{number}x")),
            ("pay_price", &format!("{}.{:02}", minor / 100, minor % 100)),
            ("pay_time", &at.strftime("%Y-%m-%d %H:%M:%S").to_string()),
            ("more", order.attach.as_deref().unwrap_or_default()),
        ]);
        let verified = kit().0.verify(&raw(form(&fields, SECRET)), NOW).unwrap();
        prop_assert_eq!(&verified.out_trade_no, number);
        let [Word::Paid(told)] = verified.words.as_slice() else { panic!("not paid") };
        let time = Some(super::Timestamp::from_millis(paid_s * 1000));
        prop_assert_eq!((told.total_minor, told.success_time), (minor, time));
    }

    #[test]
    fn no_answer_of_random_bytes_says_anything(status in 100_u16..600, body in prop::collection::vec(any::<u8>(), 0..300)) {
        for operation in [Operation::Create, Operation::Query, Operation::Refund] {
            let response = super::HttpResponse { status, headers: Vec::new(), body: body.clone() };
            let report = kit().parse(&asked(operation), &response);
            prop_assert!(report.words.is_empty());
            prop_assert!(!matches!(report.class, Class::Done | Class::Final), "{:?}", report);
        }
    }

    #[test]
    fn no_random_word_says_anything(word in "[a-z_]{1,20}") {
        const KNOWN: [&str; 10] =
            ["ok", "not_exist", "new", "payed", "success", "expire", "price_error", "order_exist", "order_expire", "invalid_openid"];
        prop_assume!(!KNOWN.contains(&word.as_str()) && !["missing_argument", "pay_type_error"].contains(&word.as_str()));
        for operation in [Operation::Create, Operation::Query, Operation::Refund] {
            let report = kit().parse(&asked(operation), &said(&word));
            prop_assert!(report.words.is_empty() && !matches!(report.class, Class::Done | Class::Final));
        }
    }

    #[test]
    fn no_random_notification_is_accepted(
        body in prop::collection::vec(any::<u8>(), 0..300),
        values in prop::array::uniform4(".{0,40}"),
    ) {
        prop_assert!(kit().0.verify(&raw(body), NOW).is_err());
        let [aoid, order_id, price, time] = values.each_ref().map(String::as_str);
        let random = with(&[("aoid", aoid), ("order_id", order_id), ("pay_price", price), ("pay_time", time)]);
        prop_assert!(kit().0.verify(&raw(form(&random, SECRET)), NOW).is_err(), "sealed, but nonsense");
        prop_assert!(kit().0.verify(&raw(form(&fields(), "a secret of somebody else")), NOW).is_err());
    }
}

/// The signed text of a genuine notification, cut into four fields at borders of chance: the same bytes, the same
/// signature, and never a payment.
#[test]
fn a_text_that_is_cut_elsewhere_is_never_accepted() {
    let kit = kit();
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut draw = |below: usize| usize::try_from(rng.next_u32()).unwrap() % below;
    let mut tried = 0;
    while tried < SHIFTS {
        // Numbers and prices whose ends look alike.
        let number = format!("{}{}x", "9".repeat(draw(12) + 1), ["", "x", "0", "-1"][draw(4)]);
        let price = format!("{}.{:02}", draw(200), draw(100));
        let values = [AOID.to_owned(), number, price, "2024-01-01 00:05:00".to_owned()];
        let text = values.concat();
        let lengths = values.each_ref().map(String::len);
        let mut borders = [lengths[0], lengths[0] + lengths[1], lengths[0] + lengths[1] + lengths[2]];
        let genuine = borders;
        // One to three borders move, mostly a little.
        for _ in 0..=draw(3) {
            let far = if draw(2) == 0 { 3 } else { 40 };
            let (at, step) = (draw(3), draw(far) + 1);
            borders[at] = if draw(2) == 0 { borders[at] + step } else { borders[at].saturating_sub(step) };
        }
        borders.sort_unstable();
        if borders == genuine || borders[2] > text.len() {
            continue;
        }
        tried += 1;
        let [a, b, c] = borders;
        let cut = [&text[..a], &text[a..b], &text[b..c], &text[c..]];
        assert_eq!(cut.concat(), text);
        let shifted =
            with(&[("aoid", cut[0]), ("order_id", cut[1]), ("pay_price", cut[2]), ("pay_time", cut[3])]);
        assert!(kit.0.verify(&raw(form(&shifted, SECRET)), NOW).is_err(), "{cut:?} was accepted");
    }
}

fn proven_part(fields: Fields) -> Fields {
    fields.into_iter().filter(|(name, _)| !["more", "detail"].contains(name)).collect()
}

#[test]
fn any_flipped_byte_of_a_notification_is_refused_or_says_the_same() {
    let kit = kit();
    let whole = form(&proven_part(fields()), SECRET).into_bytes();
    let said = |body: &[u8]| {
        let verified = kit.0.verify(&raw(body), NOW).ok()?;
        Some((verified.account, verified.out_trade_no, verified.words))
    };
    let (good, mut refused) = (said(&whole).unwrap(), 0);
    assert_eq!(good.2, [Word::Paid(payment(AOID))]);
    for index in 0..whole.len() {
        for bit in 0..8 {
            let mut body = whole.clone();
            body[index] ^= 1 << bit;
            let now = said(&body);
            refused += u32::from(now.is_none());
            // Only another spelling of the same (a letter of the signature in the other case) is no other message.
            assert!(
                now.is_none_or(|now| now == good),
                "byte {index}, bit {bit}: {}",
                String::from_utf8_lossy(&body)
            );
        }
    }
    let all = u32::try_from(whole.len() * 8).unwrap();
    assert!(refused > all - 64, "{refused} of {all} refused");
}

/// Answers carry no signature: what a flipped byte makes of one must still be readable whole, or says nothing.
#[test]
fn a_broken_create_answer_launches_nothing() {
    let whole = ok().to_string();
    for end in 0..whole.len() {
        let report = kit().parse(&asked(Operation::Create), &answer(200, &whole[..end]));
        assert_eq!((report.class, report.words.len()), (Class::Unknown, 0), "cut at {end}");
    }
}
