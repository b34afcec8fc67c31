//! Partitions of many pages, and batches of many bytes.

use std::time::Duration;

use futures_util::future::try_join_all;
use paymux_domain::fact::{AttentionReason, FactBody};
use paymux_domain::ports::{Bucket, ListQuery, OrderStore as _};
use paymux_domain::shard::Partition;

use super::Keyspace;
use crate::suite::ends;
use crate::suite::values::{at, attention, created, due, fact, key, resolved};

const P: Partition = Partition(0);

#[tokio::test]
async fn partitions_of_many_pages_are_read_as_a_whole_and_in_order() {
    let Some(keyspace) = Keyspace::migrated().await else { return };
    let store = keyspace.open().await;
    let order = key("m", "o");
    let attempts: Vec<_> =
        (1..=2500).map(|n| fact(&format!("attempt/{n}"), FactBody::Attempt, at(n))).collect();
    for batch in attempts.chunks(500) {
        ends(store.add_facts(&order, batch)).await.expect("written");
    }
    assert_eq!(ends(store.read(&order)).await.expect("readable").facts.len(), attempts.len());

    let row = |n: i64| due(at(n % 7), &key("m", &format!("o-{n:04}")));
    let mut rows: Vec<_> = (0..2500).map(row).collect();
    for some in rows.chunks(250) {
        ends(try_join_all(some.iter().map(|row| store.insert_due(P, row)))).await.expect("written");
    }
    rows.sort();
    let bucket = Bucket::of(at(0));
    assert_eq!(ends(store.read_due(P, bucket, None, 5000)).await.expect("readable"), rows);
    let page = ends(store.read_due(P, bucket, Some(&rows[99]), 1200)).await.expect("readable");
    assert_eq!(page, rows[100..1300]);
}

#[tokio::test]
async fn a_batch_larger_than_what_batches_of_many_partitions_may_have_is_taken() {
    let Some(keyspace) = Keyspace::migrated().await else { return };
    let store = keyspace.open().await;
    let order = key("m", "o");
    let long =
        |n| fact(&format!("attention/UNKNOWN_ORDER/{n}"), FactBody::Attention("x".repeat(64 * 1024)), at(n));
    let facts: Vec<_> = (1..=4).map(long).collect();
    ends(store.add_facts(&order, &facts)).await.expect("a quarter of a mebibyte in one batch");
    assert_eq!(ends(store.read(&order)).await.expect("readable").facts, facts);
}

#[tokio::test]
async fn orders_of_many_days_are_listed_across_them() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let Some(keyspace) = Keyspace::migrated().await else { return };
    let store = keyspace.open().await;
    let mut expected = Vec::new();
    for n in 0..60_u32 {
        let (order, time) = (key("m", &format!("o-{n:02}")), at(0) + DAY * 3 * (n / 2));
        ends(store.add_facts(&order, &[created(&order, "wechatpay", time)])).await.expect("written");
        expected.push((time, order));
    }
    expected.reverse();
    let mut query = ListQuery {
        merchant_id: key("m", "x").merchant_id,
        from: at(0),
        until: at(0) + DAY * 400,
        after: None,
        limit: 7,
    };
    let mut listed = Vec::new();
    loop {
        let page = ends(store.list_orders(&query)).await.expect("readable");
        listed.extend(page.entries);
        query.after = listed.last().map(|(time, order)| (*time, order.order_no.clone()));
        if !page.more {
            break;
        }
    }
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn parked_orders_are_found_behind_many_that_are_resolved() {
    let Some(keyspace) = Keyspace::migrated().await else { return };
    let store = keyspace.open().await;
    // One order's rows lie in one slot: more than is read at once.
    let busy = key("m", "busy");
    let reason = AttentionReason::RetriesExhausted;
    for numbers in (1..=1200).collect::<Vec<u32>>().chunks(300) {
        let facts: Vec<_> =
            numbers.iter().flat_map(|n| [attention(reason, *n, at(0)), resolved(reason, *n)]).collect();
        ends(store.add_facts(&busy, &facts)).await.expect("written");
    }
    assert_eq!(ends(store.list_parked(None, 9)).await.expect("readable"), []);
    ends(store.add_facts(&busy, &[attention(reason, 1201, at(5))])).await.expect("written");
    let parked = ends(store.list_parked(None, 9)).await.expect("readable");
    assert_eq!(parked.len(), 1);
    assert_eq!((&parked[0].key, parked[0].parked_time), (&busy, at(5)));
}
