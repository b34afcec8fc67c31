//! Answers that do not come, requests that come late, a store that is away, and many that want the same.

use std::sync::Arc;
use std::time::Duration;

use paymux_backends::cql::CqlStore;
use paymux_domain::ports::{Bucket, CallMark, OrderStore as _, Reserved, StoreError};
use paymux_domain::shard::Partition;

use super::proxy::{Fate, Proxy};
use super::{Keyspace, addresses};
use crate::suite::values::{at, created, due, key, refund};
use crate::suite::{TokioClock, ends};

const P: Partition = Partition(0);

/// A store whose requests go through doors.
struct Behind {
    proxy: Proxy,
    store: CqlStore,
    keyspace: Keyspace,
}

async fn behind() -> Option<Behind> {
    let keyspace = Keyspace::migrated().await?;
    let nodes = addresses(&keyspace.config.contact_points).await;
    let proxy = Proxy::before(&nodes).await;
    let mut config = keyspace.config.clone();
    config.contact_points = proxy.map.values().map(ToString::to_string).collect();
    config.address_map = proxy.map.clone();
    config.request_timeout = Duration::from_millis(700);
    let store = CqlStore::open(&config, TokioClock::new()).await.expect("the keyspace opens");
    Some(Behind { proxy, store, keyspace })
}

#[tokio::test]
async fn a_write_without_an_answer_is_repeated() {
    let Some(Behind { proxy, store, keyspace: _keyspace }) = behind().await else { return };
    for (number, fate) in [Fate::LoseAnswer, Fate::LoseRequest].into_iter().enumerate() {
        let order = key("m", &format!("lost-{number}"));
        proxy.plan("lost-", fate);
        let facts = [created(&order, "wechatpay", at(0))];
        ends(store.add_facts(&order, &facts)).await.expect("the second attempt is answered");
        ends(proxy.met(number + 1)).await;
        assert_eq!(ends(store.read(&order)).await.expect("readable").facts, facts, "{fate:?}");
    }
}

#[tokio::test]
async fn a_reservation_without_an_answer_is_decided_by_reading() {
    let Some(Behind { proxy, store, keyspace: _keyspace }) = behind().await else { return };
    let order = key("m", "o");
    let reserve = |number: &'static str, minor| {
        let (store, order) = (store.clone(), order.clone());
        async move { ends(store.reserve_refund(&order, &refund(number, minor), 100, 9)).await }
    };
    for (number, fate) in [("landed", Fate::LoseAnswer), ("never-left", Fate::LoseRequest)] {
        proxy.plan(number, fate);
        assert_eq!(reserve(number, 30).await, Ok(Reserved::Held), "{fate:?}");
    }
    ends(proxy.met(2)).await;
    assert_eq!(reserve("too-much", 41).await, Ok(Reserved::OverSum));
    assert_eq!(reserve("rest", 40).await, Ok(Reserved::Held));

    let no = refund("landed", 30).refund_no;
    let mark = |number, token| ends(store.mark_refund_call(&order, &no, CallMark { number, token }));
    proxy.plan("landed", Fate::LoseAnswer);
    assert_eq!(mark(1, 7).await, Ok(true), "the mark is this very call's");
    assert_eq!(mark(1, 8).await, Ok(false), "another call found it");
    proxy.plan("landed", Fate::LoseAnswer);
    assert_eq!(ends(store.release_refund(&order, &no)).await, Ok(()));
    ends(proxy.met(4)).await;
    let ledger = ends(store.refund_ledger(&order)).await.expect("readable");
    assert_eq!(ledger, [refund("landed", 0), refund("never-left", 30), refund("rest", 40)]);
}

#[tokio::test]
async fn a_conditional_write_that_arrives_late_changes_nothing_any_more() {
    let Some(Behind { proxy, store, keyspace }) = behind().await else { return };
    let order = key("m", "o");
    let elsewhere = keyspace.open().await;
    // The request is held back on its way; its reservation is made by the next round.
    proxy.plan("late", Fate::Hold);
    assert_eq!(ends(store.reserve_refund(&order, &refund("late", 60), 100, 9)).await, Ok(Reserved::Held));
    ends(elsewhere.release_refund(&order, &refund("late", 60).refund_no)).await.expect("released");
    assert_eq!(
        ends(elsewhere.reserve_refund(&order, &refund("other", 100), 100, 9)).await,
        Ok(Reserved::Held)
    );
    proxy.release();
    // Whatever comes after it on the same node sees what it did: nothing.
    for _ in 0..20 {
        let ledger = ends(store.refund_ledger(&order)).await.expect("readable");
        assert_eq!(ledger, [refund("late", 0), refund("other", 100)]);
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_unavailable_and_comes_back_by_itself() {
    let Some(Behind { proxy, store, keyspace: _keyspace }) = behind().await else { return };
    let (order, row) = (key("m", "o"), due(at(0), &key("m", "o")));
    ends(store.insert_due(P, &row)).await.expect("written");
    proxy.set_open(false);
    for _ in 0..3 {
        assert!(matches!(ends(store.read(&order)).await, Err(StoreError::Unavailable(_))));
        let refused = ends(store.insert_due(P, &row)).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_) | StoreError::Unknown(_))), "{refused:?}");
        let refused = ends(store.reserve_refund(&order, &refund("r1", 5), 10, 9)).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_) | StoreError::Unknown(_))), "{refused:?}");
    }
    proxy.set_open(true);
    let back = async {
        while store.read(&order).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), back).await.expect("it comes back");
    assert_eq!(done!(store.read_due(P, Bucket::of(at(0)), None, 9)), [row]);
    assert_eq!(done!(store.reserve_refund(&order, &refund("r1", 5), 10, 9)), Reserved::Held);
}

#[tokio::test]
async fn a_thousand_concurrent_reservations_of_two_processes_never_exceed_the_sum() {
    const EACH: i64 = 7;
    const HELD: usize = 100;
    let Some(keyspace) = Keyspace::migrated().await else { return };
    let stores = [Arc::new(keyspace.open().await), Arc::new(keyspace.open().await)];
    let sum_max = EACH * i64::try_from(HELD).expect("a small number") + EACH - 1;
    let tasks: Vec<_> = (0..1000)
        .map(|number| {
            let store = Arc::clone(&stores[number % 2]);
            tokio::spawn(async move {
                let entry = refund(&format!("r{number}"), EACH);
                done!(store.reserve_refund(&key("m", "o"), &entry, sum_max, 1000))
            })
        })
        .collect();
    let mut held = 0;
    for task in tasks {
        match task.await.expect("a reservation ends") {
            Reserved::Held => held += 1,
            other => assert_eq!(other, Reserved::OverSum),
        }
    }
    assert_eq!(held, HELD);
    let ledger = done!(stores[0].refund_ledger(&key("m", "o")));
    assert_eq!(
        (ledger.len(), ledger.iter().map(|entry| entry.minor).sum::<i64>()),
        (HELD, sum_max - EACH + 1)
    );
}
