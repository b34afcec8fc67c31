//! What every order store must do.

use std::sync::Arc;
use std::time::Duration;

use paymux_domain::business_date::BusinessDate;
use paymux_domain::fact::{AttentionReason, Fact, FactBody};
use paymux_domain::followup::{Followup, NotExist};
use paymux_domain::name::OrderKey;
use paymux_domain::ports::{
    Bucket, CallMark, DueRow, ListPage, ListQuery, MovementPage, MovementQuery, OrderStore, ParkedOrder,
    Reserved, Snapshot,
};
use paymux_domain::shard::Partition;

use super::values::{
    at, attention, created, due, fact, key, paid, paid_at, refund, refund_confirmed, refund_done, resolved,
};
use super::{StoreWorld, ends};

/// One test per behaviour over a world that `$world` makes.
macro_rules! order_store_suite {
    ($name:ident, $world:expr $(, $attribute:meta)*) => {
        order_store_suite! { @tests $name, $world, ($($attribute),*)
            an_unknown_order_is_empty
            facts_read_back_and_adding_them_again_changes_nothing
            the_facts_of_one_batch_are_seen_together
            bookkeeping_is_overwritten
            due_rows_come_in_order_and_in_pages
            a_due_row_is_there_or_not
            a_row_is_read_by_the_sweep_or_its_writer_sees_the_floor
            every_order_is_met_by_who_walks
            the_floor_never_falls
            the_sweep_moves_its_position
            orders_are_listed_newest_first_and_in_pages
            orders_are_listed_under_the_days_of_their_money
            money_that_was_recorded_without_its_days_is_listed_afterwards
            an_order_is_found_by_its_trade_number
            parked_orders_are_listed_until_they_are_resolved
            reservations_are_judged_and_repeatable
            one_mark_stands_for_each_refund_call
            a_hundred_concurrent_reservations_never_exceed_the_sum
            everything_is_there_after_a_restart
        }
    };
    (@tests $name:ident, $world:expr, $arguments:tt $($test:ident)*) => {
        mod $name {
            $(
                #[tokio::test $arguments]
                async fn $test() {
                    $crate::suite::order_store::$test($world).await;
                }
            )*
        }
    };
}

const PARTITION: Partition = Partition(1);

/// A snapshot with its facts in key order.
async fn read(store: &dyn OrderStore, order: &OrderKey) -> Snapshot {
    let mut snapshot = done!(store.read(order));
    snapshot.facts.sort_by(|a, b| a.key.cmp(&b.key));
    snapshot
}

/// Its facts, read alone, in key order.
async fn read_facts(store: &dyn OrderStore, order: &OrderKey) -> Vec<Fact> {
    let mut facts = done!(store.read_facts(order));
    facts.sort_by(|a, b| a.key.cmp(&b.key));
    facts
}

pub(crate) async fn an_unknown_order_is_empty(world: StoreWorld) {
    let order = key("m", "unknown");
    assert_eq!(read(&*world.store, &order).await, Snapshot::default());
    assert_eq!(done!(world.store.read_facts(&order)), []);
    assert_eq!(done!(world.store.refund_ledger(&order)), []);
    done!(world.store.release_refund(&order, &refund("r", 1).refund_no));
}

pub(crate) async fn facts_read_back_and_adding_them_again_changes_nothing(world: StoreWorld) {
    let (order, neighbour) = (key("m", "o-1"), key("m", "o"));
    let first = [created(&order, "wechatpay", at(0)), fact("attempt/1", FactBody::Attempt, at(1))];
    let second = [paid("42")];
    done!(world.store.add_facts(&order, &first));
    done!(world.store.add_facts(&order, &second));
    done!(world.store.add_facts(&neighbour, &second));
    let all = read(&*world.store, &order).await;
    assert_eq!(all.facts, [&first[..], &second].concat());
    assert_eq!(read_facts(&*world.store, &order).await, all.facts);
    done!(world.store.add_facts(&order, &first));
    done!(world.store.add_facts(&order, &[]));
    assert_eq!(read(&*world.store, &order).await, all);
    assert_eq!(read(&*world.store, &neighbour).await.facts, second);
}

pub(crate) async fn the_facts_of_one_batch_are_seen_together(world: StoreWorld) {
    const BATCHES: u32 = 40;
    let (store, order) = (Arc::clone(&world.store), key("m", "o"));
    let writer = tokio::spawn({
        let (store, order) = (Arc::clone(&store), order.clone());
        async move {
            for number in 0..BATCHES {
                let attempt = |n: u32| fact(&format!("attempt/{}", number * 3 + n), FactBody::Attempt, at(0));
                done!(store.add_facts(&order, &[attempt(1), attempt(2), attempt(3)]));
            }
        }
    });
    let mut seen = 0;
    while seen < BATCHES as usize * 3 {
        seen = read(&*store, &order).await.facts.len();
        assert_eq!(seen % 3, 0, "a part of a batch was seen");
        assert_eq!(done!(store.read_facts(&order)).len() % 3, 0, "a part of a batch was seen alone");
        tokio::task::yield_now().await;
    }
    ends(writer).await.expect("the writer succeeds");
}

pub(crate) async fn bookkeeping_is_overwritten(world: StoreWorld) {
    let order = key("m", "o");
    let first = Followup {
        next_due: Some(at(5)),
        fruitless_calls: 3,
        ask: true,
        not_exist: Some(NotExist { attempts: 1, left_time: at(2), twice: false }),
        settled: u64::MAX,
        ..Followup::default()
    };
    done!(world.store.put_followup(&order, &first));
    assert_eq!(read(&*world.store, &order).await, Snapshot { facts: Vec::new(), followup: first });
    let second = Followup { next_due: Some(at(3)), ..Followup::default() };
    done!(world.store.put_followup(&order, &second));
    assert_eq!(read(&*world.store, &order).await.followup, second);
}

pub(crate) async fn due_rows_come_in_order_and_in_pages(world: StoreWorld) {
    let store = &world.store;
    let bucket = Bucket::of(at(0));
    let (start, end) = (bucket.start(), bucket.next().start());
    let ms = Duration::from_millis(1);
    let rows = [
        due(start, &key("m", "o")),
        due(start, &key("m", "o-2")),
        due(start, &key("m-2", "a")),
        due(start + ms, &key("a", "a")),
        due(end - ms, &key("z", "z")),
    ];
    let outside = [due(end, &key("m", "next")), due(start - ms, &key("m", "before"))];
    for row in rows.iter().rev().chain(&outside).chain(&rows[..1]) {
        done!(store.insert_due(PARTITION, row));
    }
    done!(store.insert_due(Partition(2), &due(start, &key("m", "elsewhere"))));

    assert_eq!(done!(store.read_due(PARTITION, bucket, None, 100)), rows);
    let mut paged: Vec<DueRow> = Vec::new();
    loop {
        let page = done!(store.read_due(PARTITION, bucket, paged.last(), 2));
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        paged.extend(page);
    }
    assert_eq!(paged, rows);
    let unknown = due(start, &key("never", "written"));
    assert_eq!(done!(store.read_due(PARTITION, bucket, Some(&unknown), 100)), rows[3..]);
    assert_eq!(done!(store.read_due(PARTITION, bucket.next(), None, 100)), outside[..1]);
    assert_eq!(done!(store.read_due(Partition(3), bucket, None, 100)), []);

    let ahead = |from: i64, until: i64| Bucket(bucket.0 + from)..Bucket(bucket.0 + until);
    let all = [&outside[1..], &rows, &outside[..1]].concat();
    assert_eq!(done!(store.read_due_between(PARTITION, ahead(-1, 2), None, 100)), all);
    assert_eq!(done!(store.read_due_between(PARTITION, ahead(-1, 2), Some(&all[2]), 3)), all[3..6]);
    assert_eq!(done!(store.read_due_between(PARTITION, ahead(0, 1), None, 100)), rows);
    assert_eq!(done!(store.read_due_between(PARTITION, ahead(2, 9), None, 100)), []);
}

pub(crate) async fn a_due_row_is_there_or_not(world: StoreWorld) {
    let store = &world.store;
    let row = due(at(7), &key("m", "o"));
    assert!(!done!(store.has_due(PARTITION, &row)));
    done!(store.insert_due(PARTITION, &row));
    assert!(done!(store.has_due(PARTITION, &row)));
    assert!(!done!(store.has_due(Partition(2), &row)));
    for other in [due(at(8), &row.key), due(at(6), &row.key), due(at(7), &key("m", "o-2"))] {
        assert!(!done!(store.has_due(PARTITION, &other)), "{other:?}");
    }
}

/// What the rules of due rows rest on: of a writer who looks at the floor after its row, and a sweeper who reads the
/// bucket after raising the floor, one sees what the other has done.
pub(crate) async fn a_row_is_read_by_the_sweep_or_its_writer_sees_the_floor(world: StoreWorld) {
    for number in 0..20 {
        let bucket = Bucket(Bucket::of(at(0)).0 + number);
        let row = due(bucket.start(), &key("m", "o"));
        let (of_writer, of_sweeper) = (Arc::clone(&world.store), Arc::clone(&world.store));
        let writer = tokio::spawn({
            let row = row.clone();
            async move {
                done!(of_writer.insert_due(PARTITION, &row));
                done!(of_writer.floor(PARTITION))
            }
        });
        let sweeper = tokio::spawn(async move {
            done!(of_sweeper.raise_floor(PARTITION, bucket.next()));
            done!(of_sweeper.read_due(PARTITION, bucket, None, 9))
        });
        let seen = ends(writer).await.expect("the writer succeeds");
        let swept = ends(sweeper).await.expect("the sweeper succeeds");
        assert!(seen >= Some(bucket.next()) || swept == [row], "{seen:?} {swept:?}");
    }
}

pub(crate) async fn every_order_is_met_by_who_walks(world: StoreWorld) {
    let store = &world.store;
    assert_eq!(done!(store.walk_orders(None, 9)), []);
    let mut orders = Vec::new();
    for (merchant, number) in [("m", "o"), ("m", "o-2"), ("m-2", "o"), ("m", "p"), ("a", "z"), ("z", "0")] {
        let order = key(merchant, number);
        // Two batches, and bookkeeping: it is one order all the same.
        done!(store.add_facts(&order, &[created(&order, "wechatpay", at(0))]));
        done!(store.add_facts(&order, &[paid("42")]));
        done!(store.put_followup(&order, &Followup::default()));
        orders.push(order);
    }
    // Whoever has no facts is no order yet.
    done!(store.put_followup(&key("m", "bare"), &Followup::default()));
    done!(store.insert_due(PARTITION, &due(at(0), &key("m", "due"))));
    orders.sort();
    for limit in [1, 2, 5, 100] {
        let mut met: Vec<OrderKey> = Vec::new();
        loop {
            let page = done!(store.walk_orders(met.last(), limit));
            if page.is_empty() {
                break;
            }
            assert!(page.len() <= limit);
            met.extend(page);
        }
        met.sort();
        assert_eq!(met, orders, "{limit} at once");
    }
}

pub(crate) async fn the_floor_never_falls(world: StoreWorld) {
    let store = &world.store;
    assert_eq!(done!(store.floor(PARTITION)), None);
    done!(store.raise_floor(PARTITION, Bucket(-5)));
    assert_eq!(done!(store.floor(PARTITION)), Some(Bucket(-5)));
    done!(store.raise_floor(PARTITION, Bucket(7)));
    done!(store.raise_floor(PARTITION, Bucket(6)));
    assert_eq!(done!(store.floor(PARTITION)), Some(Bucket(7)));
    assert_eq!(done!(store.floor(Partition(2))), None);
    assert_eq!(done!(store.swept_through(PARTITION)), None);
}

pub(crate) async fn the_sweep_moves_its_position(world: StoreWorld) {
    let store = &world.store;
    assert_eq!(done!(store.swept_through(PARTITION)), None);
    for bucket in [Bucket(3), Bucket(9), Bucket(8)] {
        done!(store.set_swept_through(PARTITION, bucket));
        assert_eq!(done!(store.swept_through(PARTITION)), Some(bucket));
    }
    assert_eq!(done!(store.swept_through(Partition(2))), None);
    assert_eq!(done!(store.floor(PARTITION)), None);
}

fn all_of(merchant: &str) -> ListQuery {
    let merchant_id = key(merchant, "x").merchant_id;
    ListQuery { merchant_id, from: at(-1000), until: at(1000), after: None, limit: 100 }
}

pub(crate) async fn orders_are_listed_newest_first_and_in_pages(world: StoreWorld) {
    let store = &world.store;
    let orders = [("a", 30), ("c", 20), ("b", 20), ("d", 10), ("old", -1000), ("new", 1000)];
    for (number, millis) in orders {
        let order = key("m", number);
        done!(store.add_facts(&order, &[created(&order, "wechatpay", at(millis))]));
    }
    let foreign = key("m-2", "a");
    done!(store.add_facts(&foreign, &[created(&foreign, "wechatpay", at(20))]));

    let entry = |(number, millis): &(&str, i64)| (at(*millis), key("m", number));
    let listed: Vec<_> = orders[..5].iter().map(entry).collect();
    let page = done!(store.list_orders(&all_of("m")));
    assert_eq!(page, ListPage { entries: listed.clone(), more: false });

    let mut query = ListQuery { limit: 2, ..all_of("m") };
    let mut paged = Vec::new();
    loop {
        let page = done!(store.list_orders(&query));
        paged.extend(page.entries.clone());
        query.after = paged.last().map(|(time, order): &(_, OrderKey)| (*time, order.order_no.clone()));
        if !page.more {
            break;
        }
        assert_eq!(page.entries.len(), 2);
    }
    assert_eq!(paged, listed);
    let narrow = ListQuery { from: at(20), until: at(30), ..all_of("m") };
    assert_eq!(done!(store.list_orders(&narrow)).entries, listed[1..3]);
    let nothing = ListQuery { from: at(30), until: at(20), ..all_of("m") };
    assert_eq!(done!(store.list_orders(&nothing)), ListPage::default());
    assert_eq!(done!(store.list_orders(&all_of("unknown"))), ListPage::default());
}

fn day(text: &str) -> BusinessDate {
    text.parse().expect("a valid date")
}

fn days(merchant: &str, from: &str, through: &str) -> MovementQuery {
    let merchant_id = key(merchant, "x").merchant_id;
    MovementQuery { merchant_id, from: day(from), through: day(through), after: None, limit: 100 }
}

/// The suites' begin is 08:00 of 1 January 2026 in Shanghai, so that the next day begins 16 hours later.
const HOURS_MS: i64 = 3_600_000;

pub(crate) async fn orders_are_listed_under_the_days_of_their_money(world: StoreWorld) {
    let store = &world.store;
    let order = |number: &str| key("m", number);
    let midnight = 16 * HOURS_MS;
    // Paid at the last moment of a day and heard of on the next: both may be its day.
    let facts = [created(&order("b"), "payjs", at(0)), paid_at("1", Some(at(midnight - 1)), at(midnight))];
    done!(store.add_facts(&order("b"), &facts));
    done!(store.add_facts(&order("a"), &[paid_at("2", None, at(midnight))]));
    let back = [refund_done("r", Some(at(40 * HOURS_MS))), refund_confirmed("q", at(64 * HOURS_MS))];
    done!(store.add_facts(&order("a"), &back));
    done!(store.add_facts(&order("c"), &[created(&order("c"), "payjs", at(0))]));
    done!(store.add_facts(&key("m-2", "z"), &[paid_at("3", None, at(0))]));

    let entry = |(date, number): (&str, &str)| (day(date), order(number));
    let expected = [
        ("2026-01-01", "a"),
        ("2026-01-01", "b"),
        ("2026-01-02", "a"),
        ("2026-01-02", "b"),
        ("2026-01-03", "a"),
        ("2026-01-04", "a"),
    ]
    .map(entry);
    let all = days("m", "2025-12-31", "2026-01-09");
    let listed = done!(store.list_movements(&all));
    assert_eq!(listed, MovementPage { entries: expected.to_vec(), more: false });
    for size in 1..4 {
        let mut query = MovementQuery { limit: size, ..all.clone() };
        let mut paged: Vec<(BusinessDate, OrderKey)> = Vec::new();
        loop {
            let page = done!(store.list_movements(&query));
            assert!(page.entries.len() == size || !page.more);
            paged.extend(page.entries);
            query.after = paged.last().map(|(day, order)| (*day, order.order_no.clone()));
            if !page.more {
                break;
            }
        }
        assert_eq!(paged, expected);
    }
    assert_eq!(done!(store.list_movements(&days("m", "2026-01-02", "2026-01-03"))).entries, expected[2..5]);
    for nothing in [
        days("m", "2026-01-03", "2026-01-02"),
        days("m", "2026-01-05", "2026-02-01"),
        days("m-3", "2026-01-01", "2026-01-09"),
    ] {
        assert_eq!(done!(store.list_movements(&nothing)), MovementPage::default());
    }
}

pub(crate) async fn money_that_was_recorded_without_its_days_is_listed_afterwards(world: StoreWorld) {
    let (store, order) = (&world.store, key("m", "o"));
    let facts = [created(&order, "payjs", at(0)), paid_at("1", None, at(0))];
    done!(store.index_movements(&order, &facts));
    done!(store.index_movements(&order, &facts));
    let entries = done!(store.list_movements(&days("m", "2026-01-01", "2026-01-01"))).entries;
    assert_eq!(entries, [(day("2026-01-01"), order.clone())]);
    assert_eq!(done!(store.read(&order)).facts, [], "nothing but the list is written");
    assert_eq!(done!(store.list_orders(&all_of("m"))), ListPage::default());
}

pub(crate) async fn an_order_is_found_by_its_trade_number(world: StoreWorld) {
    let store = &world.store;
    let (wechat, payjs) =
        ("wechatpay".parse().expect("a valid name"), "payjs".parse().expect("a valid name"));
    let number = |text: &str| text.parse().expect("a valid number");
    let (ours, theirs, nameless) = (key("m", "b"), key("m", "a"), key("m", "c"));
    done!(store.add_facts(&theirs, &[created(&theirs, "payjs", at(0)), paid("42")]));
    done!(store.add_facts(&ours, &[created(&ours, "wechatpay", at(0))]));
    assert_eq!(done!(store.find_by_trade_no(&wechat, &number("42"))), None);
    done!(store.add_facts(&ours, &[paid("42"), paid("43-1")]));
    done!(store.add_facts(&nameless, &[paid("44")]));
    assert_eq!(done!(store.find_by_trade_no(&wechat, &number("42"))), Some(ours.clone()));
    assert_eq!(done!(store.find_by_trade_no(&wechat, &number("43-1"))), Some(ours));
    assert_eq!(done!(store.find_by_trade_no(&payjs, &number("42"))), Some(theirs));
    assert_eq!(done!(store.find_by_trade_no(&wechat, &number("44"))), Some(nameless));
    assert_eq!(done!(store.find_by_trade_no(&wechat, &number("4"))), None);
}

pub(crate) async fn parked_orders_are_listed_until_they_are_resolved(world: StoreWorld) {
    use AttentionReason::{DuplicatePayment, LatePayment, PaymentMismatch, RetriesExhausted};
    let store = &world.store;
    let (a, b, c) = (key("m", "a"), key("m", "a-1"), key("m-2", "a"));
    let parked = |order: &OrderKey, reason, millis| ParkedOrder {
        key: order.clone(),
        reason,
        parked_time: at(millis),
    };
    done!(store.add_facts(&c, &[attention(RetriesExhausted, 1, at(3))]));
    done!(store.add_facts(&b, &[attention(RetriesExhausted, 1, at(2))]));
    done!(store.add_facts(&a, &[attention(RetriesExhausted, 1, at(2))]));
    done!(
        store.add_facts(&a, &[attention(PaymentMismatch, 1, at(1)), attention(DuplicatePayment, 1, at(0))])
    );
    done!(store.add_facts(&key("m", "x"), &[attention(DuplicatePayment, 1, at(0))]));
    let expected =
        [parked(&a, PaymentMismatch, 1), parked(&b, RetriesExhausted, 2), parked(&c, RetriesExhausted, 3)];
    assert_eq!(done!(store.list_parked(None, 100)), expected);
    assert_eq!(done!(store.list_parked(None, 1)), expected[..1]);
    assert_eq!(done!(store.list_parked(Some(&a), 1)), expected[1..2]);
    assert_eq!(done!(store.list_parked(Some(&c), 1)), []);

    done!(store.add_facts(&a, &[resolved(PaymentMismatch, 1)]));
    done!(store.add_facts(&b, &[resolved(RetriesExhausted, 1)]));
    let left = [parked(&a, RetriesExhausted, 2), parked(&c, RetriesExhausted, 3)];
    assert_eq!(done!(store.list_parked(None, 100)), left);
    // A late former owner writes what is already resolved.
    done!(store.add_facts(&b, &[attention(RetriesExhausted, 1, at(2))]));
    assert_eq!(done!(store.list_parked(None, 100)), left);
    done!(store.add_facts(&b, &[attention(RetriesExhausted, 2, at(7))]));
    assert_eq!(done!(store.list_parked(Some(&a), 1)), [parked(&b, RetriesExhausted, 7)]);
    // What waits for a person is parked, also where the engine itself goes on.
    let late = key("m-3", "a");
    done!(store.add_facts(&late, &[attention(LatePayment, 1, at(8))]));
    assert_eq!(done!(store.list_parked(Some(&c), 1)), [parked(&late, LatePayment, 8)]);
}

pub(crate) async fn reservations_are_judged_and_repeatable(world: StoreWorld) {
    let (store, order) = (&world.store, key("m", "o"));
    let steps = [
        (refund("r1", 60), Reserved::Held),
        (refund("r1", 60), Reserved::Held),
        (refund("r1", 61), Reserved::OtherContent),
        (refund("r2", 41), Reserved::OverSum),
        (refund("r2", 40), Reserved::Held),
        (refund("r3", 0), Reserved::OverCount),
    ];
    for (entry, expected) in steps {
        assert_eq!(done!(store.reserve_refund(&order, &entry, 100, 2)), expected, "{entry:?}");
    }
    assert_eq!(done!(store.refund_ledger(&order)), [refund("r1", 60), refund("r2", 40)]);
    assert_eq!(done!(store.reserve_refund(&key("m", "o-2"), &refund("r1", 100), 100, 2)), Reserved::Held);
    for _ in 0..2 {
        done!(store.release_refund(&order, &refund("r1", 60).refund_no));
        assert_eq!(done!(store.refund_ledger(&order)), [refund("r1", 0), refund("r2", 40)]);
    }
    assert_eq!(done!(store.reserve_refund(&order, &refund("r1", 60), 100, 2)), Reserved::Released);
    assert_eq!(done!(store.reserve_refund(&order, &refund("r3", 60), 100, 2)), Reserved::Held);
    assert_eq!(done!(store.refund_ledger(&key("m", "o-2"))), [refund("r1", 100)]);
}

pub(crate) async fn one_mark_stands_for_each_refund_call(world: StoreWorld) {
    let (store, order) = (&world.store, key("m", "o"));
    let no = refund("r1", 60).refund_no;
    let mark = |number, token| CallMark { number, token };
    assert!(!done!(store.mark_refund_call(&order, &no, mark(1, 7))), "nothing is reserved yet");
    done!(store.reserve_refund(&order, &refund("r1", 60), 100, 9));
    let steps = [
        (mark(1, 7), true),
        (mark(1, 7), true),
        (mark(1, 8), false),
        (mark(2, 8), true),
        (mark(1, 7), false),
    ];
    for (mark, stands) in steps {
        assert_eq!(done!(store.mark_refund_call(&order, &no, mark)), stands, "{mark:?}");
    }
    done!(store.release_refund(&order, &no));
    assert!(!done!(store.mark_refund_call(&order, &no, mark(3, 9))), "released");
}

pub(crate) async fn a_hundred_concurrent_reservations_never_exceed_the_sum(world: StoreWorld) {
    let mut tasks = Vec::new();
    for number in 0..100 {
        let store = Arc::clone(&world.store);
        tasks.push(tokio::spawn(async move {
            let entry = refund(&format!("r{number}"), 7);
            done!(store.reserve_refund(&key("m", "o"), &entry, 100, 1000))
        }));
    }
    let mut held = 0;
    for task in tasks {
        match ends(task).await.expect("a reservation ends") {
            Reserved::Held => held += 1,
            other => assert_eq!(other, Reserved::OverSum),
        }
    }
    assert_eq!(held, 14);
    let ledger = done!(world.store.refund_ledger(&key("m", "o")));
    assert_eq!((ledger.len(), ledger.iter().map(|entry| entry.minor).sum::<i64>()), (14, 98));
}

pub(crate) async fn everything_is_there_after_a_restart(world: StoreWorld) {
    let (store, order) = (Arc::clone(&world.store), key("m", "o"));
    let row = due(at(0), &order);
    let facts =
        [created(&order, "wechatpay", at(0)), paid("42"), attention(AttentionReason::UnknownOrder, 1, at(4))];
    let followup = Followup { next_due: Some(at(8)), ..Followup::default() };
    done!(store.add_facts(&order, &facts));
    done!(store.put_followup(&order, &followup));
    done!(store.insert_due(PARTITION, &row));
    done!(store.raise_floor(PARTITION, Bucket(4)));
    done!(store.set_swept_through(PARTITION, Bucket(2)));
    done!(store.reserve_refund(&order, &refund("r1", 5), 10, 9));
    done!(store.mark_refund_call(&order, &refund("r1", 5).refund_no, CallMark { number: 1, token: 7 }));
    drop(store);

    let world = world.restarted().await;
    let store = &world.store;
    let mut snapshot = read(&**store, &order).await;
    snapshot.facts.sort_by_key(|fact| facts.iter().position(|known| known.key == fact.key));
    assert_eq!(snapshot, Snapshot { facts: facts.to_vec(), followup });
    assert_eq!(done!(store.read_due(PARTITION, Bucket::of(at(0)), None, 9)), [row]);
    done!(store.raise_floor(PARTITION, Bucket(3)));
    assert_eq!(done!(store.floor(PARTITION)), Some(Bucket(4)));
    assert_eq!(done!(store.swept_through(PARTITION)), Some(Bucket(2)));
    assert_eq!(done!(store.list_orders(&all_of("m"))).entries, [(at(0), order.clone())]);
    let money = done!(store.list_movements(&days("m", "2026-01-01", "2026-01-01")));
    assert_eq!(money.entries, [(day("2026-01-01"), order.clone())]);
    assert_eq!(done!(store.list_parked(None, 9)).len(), 1);
    assert_eq!(done!(store.reserve_refund(&order, &refund("r2", 6), 10, 9)), Reserved::OverSum);
    let other = CallMark { number: 1, token: 8 };
    assert!(!done!(store.mark_refund_call(&order, &refund("r1", 5).refund_no, other)));
    let wechat = "wechatpay".parse().expect("a valid name");
    let number = "42".parse().expect("a valid number");
    assert_eq!(done!(store.find_by_trade_no(&wechat, &number)), Some(order));
}
