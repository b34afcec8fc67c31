//! What an audit of due rows asks of the database: rows that were deleted are gone, and a walk passes through all tokens.

use std::collections::BTreeSet;

use paymux_domain::name::OrderKey;
use paymux_domain::ports::{Bucket, OrderStore as _};
use paymux_domain::shard::Partition;
use scylla::value::CqlTimestamp;

use super::Keyspace;
use crate::suite::ends;
use crate::suite::values::{at, due, key, paid};

const PARTITION: Partition = Partition(1);
/// Orders of the walk, over many tokens.
const ORDERS: usize = 300;

#[tokio::test]
async fn a_row_that_was_deleted_is_there_no_more() {
    let Some(keyspace) = Keyspace::migrated().await else { return };
    let store = keyspace.open().await;
    let rows = [due(at(1), &key("m", "a")), due(at(1), &key("m", "b")), due(at(2), &key("m", "a"))];
    for row in &rows {
        done!(store.insert_due(PARTITION, row));
    }
    let deleted = "DELETE FROM due_orders WHERE log_partition = ? AND bucket = ? AND due_at = ? \
                   AND merchant_id = ? AND order_no = ?";
    let of = (i64::from(PARTITION.0), Bucket::of(at(1)).0, CqlTimestamp(at(1).as_millis()), "m", "a");
    ends(keyspace.session().await.query_unpaged(deleted, of)).await.expect("deleted");
    let mut there = Vec::new();
    for row in &rows {
        there.push(done!(store.has_due(PARTITION, row)));
    }
    assert_eq!(there, [false, true, true]);
    assert_eq!(done!(store.read_due(PARTITION, Bucket::of(at(1)), None, 9)), rows[1..]);
}

#[tokio::test]
async fn a_walk_meets_each_of_many_orders_once() {
    let Some(keyspace) = Keyspace::migrated().await else { return };
    let store = keyspace.open().await;
    let all: BTreeSet<OrderKey> =
        (0..ORDERS).map(|number| key(&format!("m-{}", number % 7), &format!("o-{number}"))).collect();
    for order in &all {
        done!(store.add_facts(order, &[paid("42")]));
    }
    let mut met: Vec<OrderKey> = Vec::new();
    loop {
        let page = done!(store.walk_orders(met.last(), 37));
        if page.is_empty() {
            break;
        }
        met.extend(page);
    }
    assert_eq!(met.len(), ORDERS);
    assert_eq!(met.into_iter().collect::<BTreeSet<_>>(), all);
}
