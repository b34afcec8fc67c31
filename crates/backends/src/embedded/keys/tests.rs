//! Keys read back, and their bytes sort as the values do.

use paymux_domain::name::NameError;
use proptest::prelude::*;

use super::*;

fn named<T: std::str::FromStr<Err = NameError> + std::fmt::Debug>(
    pattern: &'static str,
) -> impl Strategy<Value = T> {
    pattern.prop_map(|text| text.parse().expect("the pattern is a valid name"))
}

fn order() -> impl Strategy<Value = OrderKey> {
    // Short names of few letters: neighbours that share prefixes are where an order breaks.
    (named("[-_a1]{1,3}"), named("[-_a1]{1,3}"))
        .prop_map(|(merchant_id, order_no)| OrderKey { merchant_id, order_no })
}

fn offset_key() -> impl Strategy<Value = OffsetKey> {
    (any::<u16>(), any::<u64>())
        .prop_map(|(partition, offset)| OffsetKey { partition: Partition(partition), offset })
}

fn time_key() -> impl Strategy<Value = TimeKey> {
    (order(), any::<i64>()).prop_map(|(order, millis)| TimeKey {
        merchant_id: order.merchant_id,
        created_time: Timestamp::from_millis(millis),
        order_no: order.order_no,
    })
}

fn day_key() -> impl Strategy<Value = DayKey> {
    (order(), any::<i64>()).prop_map(|(order, number)| DayKey {
        merchant_id: order.merchant_id,
        day: BusinessDate::from_day_number(number),
        order_no: order.order_no,
    })
}

fn trade_key() -> impl Strategy<Value = TradeKey> {
    (named("[-_a1]{1,3}"), order()).prop_map(|(trade_no, order)| TradeKey { trade_no, order })
}

fn due_key() -> impl Strategy<Value = DueKey> {
    (0..3_u16, -2..3_i64, order()).prop_map(|(partition, millis, key)| DueKey {
        partition: Partition(partition),
        row: DueRow { due_at: Timestamp::from_millis(millis), key },
    })
}

proptest! {
    #[test]
    fn offset_keys(a in offset_key(), b in offset_key()) {
        prop_assert_eq!(OffsetKey::parse(&a.bytes()), Some(a));
        prop_assert_eq!(a.cmp(&b), a.bytes().cmp(&b.bytes()));
    }

    #[test]
    fn time_keys(a in time_key(), b in time_key()) {
        prop_assert_eq!(TimeKey::parse(&a.bytes()), Some(a.clone()));
        prop_assert_eq!(a.cmp(&b), a.bytes().cmp(&b.bytes()));
        prop_assert!(TimeKey::from_time(&a.merchant_id, a.created_time) <= a.bytes());
        let is_later = b.merchant_id > a.merchant_id;
        prop_assert_eq!(TimeKey::after_merchant(&a.merchant_id) <= b.bytes(), is_later);
    }

    #[test]
    fn day_keys(a in day_key(), b in day_key()) {
        prop_assert_eq!(DayKey::parse(&a.bytes()), Some(a.clone()));
        prop_assert_eq!(a.cmp(&b), a.bytes().cmp(&b.bytes()));
        prop_assert!(DayKey::from_day(&a.merchant_id, a.day) <= a.bytes());
    }

    #[test]
    fn trade_keys(a in trade_key(), b in trade_key()) {
        prop_assert_eq!(TradeKey::parse(&a.bytes()), Some(a.clone()));
        prop_assert_eq!(a.cmp(&b), a.bytes().cmp(&b.bytes()));
        prop_assert!(a.bytes().starts_with(&TradeKey::prefix(&a.trade_no)));
    }

    #[test]
    fn due_keys(a in due_key(), b in due_key()) {
        prop_assert_eq!(DueKey::parse(&a.bytes()), Some(a.clone()));
        prop_assert_eq!(a.cmp(&b), a.bytes().cmp(&b.bytes()));
        prop_assert!(DueKey::from_time(a.partition, a.row.due_at) <= a.bytes());
    }

    #[test]
    fn order_prefixes(a in order(), b in order()) {
        prop_assert_eq!(a.cmp(&b), order_prefix(&a).cmp(&order_prefix(&b)));
        prop_assert_eq!(order_prefix(&a).starts_with(&order_prefix(&b)), a == b);
    }

    #[test]
    fn fact_keys(order in order(), n in 1..=u32::MAX) {
        let key = FactKey::AttemptOutcome(n);
        prop_assert_eq!(parse_fact_key(&fact_key(&order, &key)), Some((order, key)));
    }

    #[test]
    fn random_bytes_are_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        prop_assert!(OffsetKey::parse(&bytes).is_none() || bytes.len() == 10);
        let parsed = (TimeKey::parse(&bytes), TradeKey::parse(&bytes), DueKey::parse(&bytes));
        prop_assert!(parsed.0.is_none_or(|key| key.bytes() == bytes));
        prop_assert!(parsed.1.is_none_or(|key| key.bytes() == bytes));
        prop_assert!(parsed.2.is_none_or(|key| key.bytes() == bytes));
    }
}

#[test]
fn positions_and_meta_have_keys_of_their_own() {
    let partition = Partition(258);
    let keys = [
        PositionKey::Committed(partition).bytes(),
        PositionKey::LogFirst(partition).bytes(),
        PositionKey::EventsFirst(partition).bytes(),
        PositionKey::Floor(partition).bytes(),
        PositionKey::SweptThrough(partition).bytes(),
    ];
    assert_eq!(keys[0], [1, 1, 2]);
    assert!(keys.is_sorted() && keys.windows(2).all(|pair| pair[0] != pair[1]));
    let meta = [MetaKey::FormatVersion, MetaKey::Openings, MetaKey::Partitions].map(MetaKey::bytes);
    assert!(meta.is_sorted());
}
