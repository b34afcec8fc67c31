//! What only the inside shows: the place on disk, and what is remembered of pruned orders.

use std::time::Duration;

use std::collections::BTreeMap;

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::{Created, Fingerprint, Payer};
use paymux_domain::fact::{AttentionReason, Cause, FactBody, FactKey, Fulfilment};
use paymux_domain::followup::Followup;
use paymux_domain::ports::OrderStore;
use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::ReplyRouter;
use crate::embedded::{EmbeddedBackend, EmbeddedConfig};

const BEFORE: Timestamp = Timestamp::from_millis(1_000);

fn order(number: u32) -> OrderKey {
    OrderKey {
        merchant_id: "m".parse().expect("a valid merchant"),
        order_no: format!("order-{number:06}").parse().expect("a valid number"),
    }
}

/// An order that was delivered, with some 8 KiB of facts that do not compress.
fn facts(key: &OrderKey) -> Vec<Fact> {
    let noise = (0..512_u64)
        .map(|n| format!("{:016x}", stable_hash(&[&order_prefix(key)[..], &n.to_be_bytes()].concat())));
    let fact = |key, body| Fact { key, body, time: Timestamp::EPOCH, cause: Cause::Timer };
    let resolved = FactBody::AttentionResolved { caller: "ann".to_owned(), reason: noise.collect() };
    vec![
        fact(FactKey::Created, FactBody::Created(created(key))),
        fact(FactKey::Closed, FactBody::Closed(paymux_domain::fact::Closure::NeverSent)),
        fact(
            FactKey::Fulfilment(Fulfilment::DoNotFulfil.into()),
            FactBody::Fulfilment(Fulfilment::DoNotFulfil),
        ),
        fact(FactKey::AttentionResolved(AttentionReason::ProviderOps, 1), resolved),
    ]
}

fn created(key: &OrderKey) -> Arc<Created> {
    Arc::new(Created {
        key: key.clone(),
        request_id: "req-1".parse().expect("a valid id"),
        provider: "wechatpay".parse().expect("a valid provider"),
        account: "main".parse().expect("a valid account"),
        shard_group: "main".parse().expect("a valid group"),
        method: "jsapi".to_owned(),
        out_trade_no: key.order_no.as_str().parse().expect("an order number fits"),
        amount: Amount::new(1234, Currency::Cny).expect("a valid amount"),
        description: "tea".to_owned(),
        attach: None,
        payer: Payer::default(),
        expire_time: Timestamp::EPOCH,
        created_time: Timestamp::EPOCH,
        notify_url: String::new(),
        return_url: None,
        metadata: BTreeMap::new(),
        options_json: String::new(),
        fingerprint: Fingerprint::of([("method", "jsapi")]),
    })
}

/// The tables that grow with orders.
const TABLES: [Table; 3] = [Table::Facts, Table::Followups, Table::OrdersByTime];

/// Writes to disk what is in memory, as happens by itself once there is enough of it.
fn flush(backend: &EmbeddedBackend) {
    for table in TABLES {
        backend.shared.tables.of(table).rotate_memtable_and_wait().expect("the disk takes it");
    }
}

fn bytes_on_disk(backend: &EmbeddedBackend) -> u64 {
    TABLES.iter().map(|table| backend.shared.tables.of(*table).disk_space()).sum()
}

async fn store(backend: &EmbeddedBackend, count: u32) {
    let puts = (0..count).map(|number| {
        let store = backend.store();
        tokio::spawn(async move {
            let (key, facts) = (order(number), facts(&order(number)));
            let settled = Order::from_facts(facts.clone()).digest();
            store.add_facts(&key, &facts).await?;
            store.put_followup(&key, &Followup { settled, ..Followup::default() }).await
        })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await.expect("it ends").expect("stored");
    }
}

#[tokio::test]
async fn the_place_of_pruned_orders_is_given_back() {
    const ORDERS: u32 = 2000;
    let folder = TempDir::new().expect("a folder for the test");
    let backend = EmbeddedBackend::open(EmbeddedConfig::new(folder.path()), ReplyRouter::default());
    let backend = backend.expect("the folder opens");
    store(&backend, ORDERS).await;
    flush(&backend);
    // What it had begun to write by itself it goes on writing in threads of its own.
    let written = async {
        while bytes_on_disk(&backend) <= u64::from(ORDERS) * 8000 {
            tokio::task::yield_now().await;
        }
    };
    let written = timeout(Duration::from_secs(60), written).await;
    let before = bytes_on_disk(&backend);
    written.unwrap_or_else(|_| panic!("{before} bytes on disk"));

    let (mut pruner, mut gone, mut steps) = (backend.pruner(), 0, 0);
    loop {
        let step = pruner.step(BEFORE).await.expect("a step");
        (gone, steps) = (gone + step.orders, steps + 1);
        if steps % 4 == 0 || step.is_round_over {
            flush(&backend);
        }
        if step.is_round_over {
            break;
        }
    }
    assert_eq!(gone, u64::from(ORDERS));
    // The database compacts in its own threads, and nobody asks it to.
    let freed = async {
        while bytes_on_disk(&backend) * 3 > before {
            tokio::task::yield_now().await;
        }
    };
    let freed = timeout(Duration::from_secs(20), freed).await;
    let after = bytes_on_disk(&backend);
    println!("{gone} orders pruned in {steps} steps: {before} bytes on disk before, {after} after");
    freed.unwrap_or_else(|_| panic!("{before} bytes on disk before, {after} after"));
}

#[test]
fn of_pruned_orders_the_last_ones_are_remembered() {
    let mut lately = PrunedLately::default();
    let last = count(PRUNED_LATELY_MAX) + 1;
    (0..=last).for_each(|mark| lately.note(mark));
    assert!(!lately.has(0) && !lately.has(1) && lately.has(2) && lately.has(last));
    lately.forget(2);
    assert!(!lately.has(2));
    assert!(lately.queue.len() <= PRUNED_LATELY_MAX && lately.marks.len() < PRUNED_LATELY_MAX);
}
