//! Retention on the embedded store: what goes, what is kept, and that no order is ever seen in half.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use paymux_backends::ReplyRouter;
use paymux_backends::embedded::{EmbeddedBackend, EmbeddedConfig, EmbeddedPruner, Pruned};
use paymux_domain::business_date::BusinessDate;
use paymux_domain::fact::{AttentionReason, Fact, FactBody, Fulfilment};
use paymux_domain::fold::Order;
use paymux_domain::followup::Followup;
use paymux_domain::name::OrderKey;
use paymux_domain::ports::{
    Bucket, CommandLog, DeadRecord, ListQuery, LogConsumer, MovementQuery, OrderStore, Reserved, Snapshot,
    StepWriter, StepWrites, StoreError,
};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;
use tempfile::TempDir;

use crate::embedded_crash::image;
use crate::suite::ends;
use crate::suite::values::{at, attention, created, due, event, fact, key, paid, record, refund};

/// What was created before is past its retention.
const BEFORE: i64 = 1_000_000;

fn open(folder: &Path) -> EmbeddedBackend {
    EmbeddedBackend::open(EmbeddedConfig::new(folder), ReplyRouter::default()).expect("the folder opens")
}

fn folder() -> TempDir {
    TempDir::new().expect("a folder for the test")
}

/// The facts of an order that was paid and is to be delivered.
fn delivered(order: &OrderKey, time: Timestamp) -> Vec<Fact> {
    let fulfil = fact("fulfilment/FULFIL", FactBody::Fulfilment(Fulfilment::Fulfil), time);
    vec![created(order, "wechatpay", time), paid(&trade_no(order)), fulfil]
}

fn trade_no(order: &OrderKey) -> String {
    format!("T-{}-{}", order.merchant_id, order.order_no)
}

/// Stores an order with a reservation, all of its events told.
async fn put(backend: &EmbeddedBackend, order: &OrderKey, facts: &[Fact]) {
    let settled = Order::from_facts(facts.to_vec()).digest();
    put_unsettled(backend, order, facts, Followup { settled, ..Followup::default() }).await;
}

async fn put_unsettled(backend: &EmbeddedBackend, order: &OrderKey, facts: &[Fact], followup: Followup) {
    let store = backend.store();
    ends(store.add_facts(order, facts)).await.expect("stored");
    ends(store.put_followup(order, &followup)).await.expect("stored");
    let reserved = ends(store.reserve_refund(order, &refund("r1", 1), 9, 9)).await;
    assert_eq!(reserved, Ok(Reserved::Held));
}

/// How many of the ways to an order lead to it.
async fn traces(backend: &EmbeddedBackend, order: &OrderKey) -> usize {
    let store = backend.store();
    let snapshot = ends(store.read(order)).await.expect("readable");
    let merchant_id = order.merchant_id.clone();
    let all =
        ListQuery { merchant_id, from: Timestamp::EPOCH, until: Timestamp::MAX, after: None, limit: 1000 };
    let listed = ends(store.list_orders(&all)).await.expect("readable");
    let (from, through) = (BusinessDate::of(Timestamp::EPOCH), BusinessDate::of(Timestamp::MAX));
    let merchant_id = order.merchant_id.clone();
    let days = MovementQuery { merchant_id, from, through, after: None, limit: 1000 };
    let moved = ends(store.list_movements(&days)).await.expect("readable");
    let wechat = "wechatpay".parse().expect("a valid name");
    let number = trade_no(order).parse().expect("a valid number");
    let traces = [
        !snapshot.facts.is_empty(),
        snapshot.followup != Followup::default(),
        listed.entries.iter().any(|(_, listed)| listed == order),
        moved.entries.iter().any(|(_, moved)| moved == order),
        ends(store.find_by_trade_no(&wechat, &number)).await.expect("readable").is_some(),
        !ends(store.refund_ledger(order)).await.expect("readable").is_empty(),
    ];
    traces.into_iter().filter(|there| *there).count()
}

/// One round, or what is left of it.
async fn round(pruner: &mut EmbeddedPruner) -> Pruned {
    let mut sum = Pruned::default();
    while !sum.is_round_over {
        let step = ends(pruner.step(at(BEFORE))).await.expect("a step");
        sum.orders += step.orders;
        sum.kept += step.kept;
        sum.dead_records += step.dead_records;
        sum.is_round_over = step.is_round_over;
        assert_eq!(step.unreadable, 0);
    }
    sum
}

#[tokio::test]
async fn an_old_order_that_has_ended_goes_with_everything_that_leads_to_it() {
    let folder = folder();
    let backend = open(folder.path());
    let merchants = ["a", "ab", "b"];
    for merchant in merchants {
        for (number, time) in [("old", 0), ("last", BEFORE - 1), ("young", BEFORE)] {
            let order = key(merchant, number);
            put(&backend, &order, &delivered(&order, at(time))).await;
        }
    }
    // A merchant that has nothing old, between those that have.
    put(&backend, &key("aa", "young"), &delivered(&key("aa", "young"), at(BEFORE))).await;
    let mut pruner = backend.pruner();
    assert_eq!(round(&mut pruner).await, Pruned { orders: 6, is_round_over: true, ..Pruned::default() });
    for merchant in merchants {
        for (number, left) in [("old", 0), ("last", 0), ("young", 6)] {
            assert_eq!(traces(&backend, &key(merchant, number)).await, left, "{merchant}/{number}");
        }
    }
    assert_eq!(round(&mut pruner).await, Pruned { is_round_over: true, ..Pruned::default() });
    drop((pruner, backend));
    assert_eq!(traces(&open(folder.path()), &key("a", "old")).await, 0, "it stays so");
}

#[tokio::test]
async fn what_is_open_stays_whatever_its_age() {
    let folder = folder();
    let backend = open(folder.path());
    let stays = |number: &str| key("m", number);
    put(&backend, &stays("pending"), &delivered(&stays("pending"), at(0))[..1]).await;
    put(&backend, &stays("undecided"), &delivered(&stays("undecided"), at(0))[..2]).await;
    let mut parked = delivered(&stays("parked"), at(0));
    parked.push(attention(AttentionReason::PaymentMismatch, 1, at(5)));
    put(&backend, &stays("parked"), &parked).await;
    let untold = delivered(&stays("untold"), at(0));
    put_unsettled(&backend, &stays("untold"), &untold, Followup::default()).await;
    // Nothing has been swept yet, so what is due may still be owed.
    let due = delivered(&stays("due"), at(0));
    let settled = Order::from_facts(due.clone()).digest();
    let followup = Followup { settled, next_due: Some(at(0)), ..Followup::default() };
    put_unsettled(&backend, &stays("due"), &due, followup).await;

    let mut pruner = backend.pruner();
    assert_eq!(round(&mut pruner).await, Pruned { kept: 5, is_round_over: true, ..Pruned::default() });
    assert_eq!(ends(backend.store().list_parked(None, 9)).await.expect("readable").len(), 1);

    let group = "main".parse().expect("a valid group");
    let partition = Partition::of(&group, backend.log().partitions());
    for (bucket, orders) in [(Bucket::of(at(0)), 0), (Bucket::of(at(0)).next(), 1)] {
        ends(backend.store().set_swept_through(partition, bucket)).await.expect("moved");
        assert_eq!(round(&mut pruner).await.orders, orders, "{bucket:?}");
    }
    assert_eq!(traces(&backend, &stays("due")).await, 0);
}

#[tokio::test]
async fn what_a_record_could_bring_up_again_stays_until_that_is_committed() {
    let folder = folder();
    let backend = open(folder.path());
    let order = key("m", "o");
    put(&backend, &order, &delivered(&order, at(0))).await;
    let group = "main".parse().expect("a valid group");
    let partition = Partition::of(&group, backend.log().partitions());
    ends(backend.log().append(partition, record(1))).await.expect("appended");

    let mut pruner = backend.pruner();
    assert_eq!(round(&mut pruner).await.kept, 1);
    ends(backend.consumer().commit(partition, backend.generation(), 1)).await.expect("committed");
    // What was appended since the round before is young, and is not waited for.
    ends(backend.log().append(partition, record(2))).await.expect("appended");
    assert_eq!(round(&mut pruner).await.orders, 1);
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let folder = folder();
    let mut backend = open(folder.path());
    let puts = (0..1100).map(|number| {
        let (store, order) = (backend.store(), key("m", &format!("o-{number}")));
        tokio::spawn(
            async move { store.add_facts(&order, &[created(&order, "wechatpay", at(number))]).await },
        )
    });
    for put in puts.collect::<Vec<_>>() {
        ends(put).await.expect("it ends").expect("stored");
    }
    let mut steps = Vec::new();
    while steps.last() != Some(&true) {
        // The orders have not ended, so each step looks at as many as it may and removes none.
        let step = ends(backend.pruner().step(at(BEFORE))).await.expect("a step");
        assert_eq!(step.orders, 0);
        steps.push(step.is_round_over);
        drop(backend);
        backend = open(folder.path());
    }
    assert_eq!(steps, [false, false, true]);
}

#[tokio::test]
async fn a_step_that_read_an_order_before_it_went_writes_no_part_of_it_afterwards() {
    let folder = folder();
    let backend = open(folder.path());
    let (store, order) = (backend.store(), key("m", "o"));
    put(&backend, &order, &delivered(&order, at(0))).await;
    assert_eq!(round(&mut backend.pruner()).await.orders, 1);

    let late = [paid("T2"), attention(AttentionReason::DuplicatePayment, 1, at(9))];
    let pruned = |written| matches!(written, Err(StoreError::Unavailable(text)) if text.contains("pruned"));
    assert!(pruned(ends(store.add_facts(&order, &late)).await));
    assert!(pruned(ends(store.put_followup(&order, &Followup::default())).await));
    assert!(pruned(ends(store.reserve_refund(&order, &refund("r2", 1), 9, 9)).await.map(drop)));
    let whole = StepWrites {
        partition: Partition(0),
        key: order.clone(),
        due_at: Some(at(9)),
        facts: late.to_vec(),
        events: vec![event(1)],
        followup: Some(Followup::default()),
    };
    assert!(pruned(ends(store.write_step(whole)).await.map(drop)));
    assert_eq!(ends(backend.log().events_end(Partition(0))).await, Ok(0), "nor is anything of it told");
    assert_eq!(ends(store.has_due(Partition(0), &due(at(9), &order))).await, Ok(false));
    assert_eq!(ends(store.read(&order)).await, Ok(Snapshot::default()));
    assert_eq!(traces(&backend, &order).await, 0);

    // The number is free again, and money for a number that nobody ordered is kept as such.
    put(&backend, &order, &delivered(&order, at(BEFORE))).await;
    assert_eq!(traces(&backend, &order).await, 6);
    let other = key("m", "o-2");
    put(&backend, &other, &delivered(&other, at(0))).await;
    assert_eq!(round(&mut backend.pruner()).await.orders, 1);
    let unknown = [paid("T3"), attention(AttentionReason::UnknownOrder, 1, at(9))];
    ends(store.add_facts(&other, &unknown)).await.expect("stored");
    ends(store.put_followup(&other, &Followup::default())).await.expect("stored");
}

#[tokio::test]
async fn dead_records_go_by_the_time_at_which_they_were_found() {
    let folder = folder();
    let backend = open(folder.path());
    let times = [(0, None), (1, Some(at(0))), (2, Some(at(BEFORE - 1))), (3, Some(at(BEFORE)))];
    for (offset, find_time) in times {
        for partition in [Partition(0), Partition(7)] {
            let reason = "broken".to_owned();
            let dead = DeadRecord { partition, offset, reason, find_time, raw: vec![0xff] };
            ends(backend.log().bury(dead)).await.expect("buried");
        }
    }
    assert_eq!(round(&mut backend.pruner()).await.dead_records, 4);
    let left = backend.dead_records(99).expect("readable");
    let left: Vec<_> = left.iter().map(|dead| (dead.partition.0, dead.offset)).collect();
    // Of one that an earlier release buried nobody knows the age.
    assert_eq!(left, [(0, 0), (0, 3), (7, 0), (7, 3)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_and_crashes_see_an_order_whole_or_not_at_all() {
    const ORDERS: u64 = 300;
    let folder = folder();
    let (live, copy) = (folder.path().join("live"), folder.path().join("copy"));
    let backend = open(&live);
    let orders: Vec<_> = (0..ORDERS).map(|number| key("m", &format!("o-{number:03}"))).collect();
    for order in &orders {
        put(&backend, order, &delivered(order, at(0))).await;
    }
    let is_done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (store, orders, is_done) = (backend.store(), orders.clone(), Arc::clone(&is_done));
        async move {
            while !is_done.load(Ordering::SeqCst) {
                for order in &orders {
                    let facts = ends(store.read(order)).await.expect("readable").facts.len();
                    assert!([0, 3].contains(&facts), "{facts} facts of {order}");
                }
            }
        }
    });
    let mut pruner = backend.pruner();
    for _ in 0..3 {
        ends(pruner.step(at(BEFORE))).await.expect("a step");
    }
    // The image is taken while pruning goes on.
    let taking = tokio::task::spawn_blocking({
        let copy = copy.clone();
        move || image(&live, &copy)
    });
    round(&mut pruner).await;
    ends(taking).await.expect("the image is taken");
    is_done.store(true, Ordering::SeqCst);
    ends(reader).await.expect("the reader saw no half order");

    let crashed = open(&copy);
    let mut there = 0;
    for order in &orders {
        let traces = traces(&crashed, order).await;
        assert!([0, 6].contains(&traces), "{traces} traces of {order}");
        there += u64::from(traces == 6);
    }
    assert!(there < ORDERS, "nothing had been pruned when the image was taken");
    assert_eq!(round(&mut crashed.pruner()).await.orders, there, "it goes on where it was");
}
