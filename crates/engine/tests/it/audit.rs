//! The audit of due rows: what it finds, what it repairs, and that it takes nothing that is in order for missing.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use paymux_domain::business_date::BusinessDate;
use paymux_domain::confirm::Confirmation;
use paymux_domain::fold::State;
use paymux_domain::name::OrderKey;
use paymux_domain::outcome::{CallReport, Operation, Word};
use paymux_domain::ports::{Clock, MovementQuery, OrderStore as _};
use paymux_domain::time::Timestamp;
use paymux_engine::audit::{Audit, AuditCounts, AuditSettings, Missing};

use crate::rig::{PARTITION, Rig, Running, key, works};

/// Orders that lose their rows: as many as the promise names.
const LOST: u32 = 1000;
/// Orders that keep them.
const KEPT: u32 = 50;
/// Orders that were paid, and one that waits for a person.
const ENDED: u32 = 20;
const ALL: u32 = LOST + KEPT + ENDED + 1;

fn settings(repair: bool, per_second: u32) -> AuditSettings {
    let orders_per_second = NonZeroU32::new(per_second).expect("not zero");
    AuditSettings { repair, reindex: false, orders_per_second }
}

async fn audited(rig: &Rig, settings: AuditSettings) -> (Vec<Missing>, AuditCounts) {
    let mut audit = Audit::new(rig.audit_parts(), settings);
    let mut missing = Vec::new();
    while let Some(found) = audit.next().await.expect("a store that answers") {
        missing.extend(found);
    }
    (missing, audit.counts())
}

async fn stopped(running: Running) {
    running.stop.cancel();
    assert_eq!(running.ended.await.expect("a worker that ends"), Ok(()));
}

/// Open, paid and parked orders in the store, and no owner.
async fn orders(rig: &Rig) {
    let running = rig.start();
    rig.create(0..ALL - 1).await;
    rig.pass(60.0).await;
    for number in LOST + KEPT..LOST + KEPT + ENDED {
        rig.paid(number).await;
    }
    // Money for an order that nobody created.
    rig.paid(ALL - 1).await;
    rig.pass(10.0).await;
    stopped(running).await;
    let of = |state: State| (0..ALL - 1).filter(|number| rig.order(*number).state() == state).count();
    assert_eq!(of(State::Pending), usize::try_from(LOST + KEPT).expect("few"));
    assert!(rig.order(ALL - 1).is_parked());
}

fn lost() -> BTreeSet<OrderKey> {
    (0..LOST).map(key).collect()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_deleted_rows_are_found_and_repaired_and_nothing_else() {
    let rig = Rig::new(|call, at_ms| match call.operation {
        Operation::Close => (Duration::from_millis(100), CallReport::done(vec![Word::Closed])),
        _ => works(call, at_ms),
    });
    orders(&rig).await;
    let lost = lost();
    assert!(rig.store.lose_due_rows(PARTITION, |key| lost.contains(key)) >= lost.len());
    let left = rig.store.due_rows(PARTITION);

    let (missing, counts) = audited(&rig, settings(false, 5000)).await;
    assert_eq!(missing.iter().map(|missing| missing.key.clone()).collect::<BTreeSet<_>>(), lost);
    assert!(missing.iter().all(|missing| missing.repaired_at.is_none()));
    let told = AuditCounts {
        scanned: u64::from(ALL),
        ended: u64::from(ENDED),
        parked: 1,
        with_row: u64::from(KEPT),
        missing: u64::from(LOST),
        repaired: 0,
        reindexed: 0,
    };
    assert_eq!(counts, told);
    assert_eq!(rig.store.due_rows(PARTITION), left, "a report writes nothing");

    let (missing, counts) = audited(&rig, settings(true, 5000)).await;
    assert_eq!(counts, AuditCounts { repaired: u64::from(LOST), ..told });
    let repaired = missing.iter().map(|missing| (missing.repaired_at.expect("a row"), missing.key.clone()));
    let before: BTreeSet<_> = left.into_iter().map(|row| (row.due_at, row.key)).collect();
    let now: BTreeSet<_> =
        rig.store.due_rows(PARTITION).into_iter().map(|row| (row.due_at, row.key)).collect();
    assert_eq!(now, before.into_iter().chain(repaired).collect(), "a row for each, and no other");

    let (missing, counts) = audited(&rig, settings(true, 5000)).await;
    assert_eq!(missing, []);
    assert_eq!(counts, AuditCounts { with_row: u64::from(LOST + KEPT), missing: 0, ..told });

    let _next = rig.start();
    rig.pass(4.0 * 3600.0).await;
    for number in 0..LOST + KEPT {
        assert_eq!(rig.order(number).state(), State::Closed, "{number}");
    }
}

/// The orders that are listed by the days of their money.
async fn listed(rig: &Rig) -> BTreeSet<OrderKey> {
    let (from, through) = (BusinessDate::of(Timestamp::EPOCH), BusinessDate::of(Timestamp::MAX));
    let query = MovementQuery { merchant_id: key(0).merchant_id, from, through, after: None, limit: 10_000 };
    let page = rig.store.list_movements(&query).await.expect("a store that answers");
    page.entries.into_iter().map(|(_, order)| order).collect()
}

#[tokio::test(start_paused = true)]
async fn orders_of_a_release_that_kept_no_list_of_their_money_are_listed_when_it_is_asked_for() {
    let rig = Rig::new(works);
    orders(&rig).await;
    let paid: BTreeSet<_> = (LOST + KEPT..ALL).map(key).collect();
    assert_eq!(listed(&rig).await, paid, "whatever was paid is listed as it is recorded");
    rig.store.lose_movements();
    let (_, counts) = audited(&rig, settings(true, 5000)).await;
    assert_eq!((counts.reindexed, listed(&rig).await.len()), (0, 0));
    for _ in 0..2 {
        let settings = AuditSettings { reindex: true, ..settings(false, 5000) };
        let (_, counts) = audited(&rig, settings).await;
        assert_eq!((counts.reindexed, listed(&rig).await), (u64::from(ENDED) + 1, paid.clone()));
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_whose_rows_are_gone_stands_still_without_the_audit() {
    let rig = Rig::new(works);
    orders(&rig).await;
    let lost = lost();
    rig.store.lose_due_rows(PARTITION, |key| lost.contains(key));
    let _next = rig.start();
    rig.pass(4.0 * 3600.0).await;
    let open = (0..LOST).filter(|number| rig.order(*number).state() == State::Pending).count();
    assert_eq!(open, lost.len(), "so what the audit repairs is what they lack");
}

#[tokio::test(start_paused = true)]
async fn beside_an_owner_at_work_nothing_that_is_in_order_is_called_missing() {
    let rig = Rig::new(works);
    let _running = rig.start();
    rig.create(0..100).await;
    rig.pass(5.0).await;
    let until = rig.clock.now() + Duration::from_secs(45 * 60);
    let mut rounds = 0;
    while rig.clock.now() < until {
        // New orders, payments and closes come while the audit looks around, slowly.
        let first = 100 + rounds * 4;
        rig.create(first..first + 4).await;
        rig.paid(rounds).await;
        rig.close(50 + rounds).await;
        let (missing, counts) = audited(&rig, settings(true, 2)).await;
        assert_eq!(missing, [], "round {rounds}");
        assert_eq!(counts.scanned, counts.ended + counts.parked + counts.with_row);
        rounds += 1;
    }
    assert!(rounds > 10, "{rounds}");
}

#[tokio::test(start_paused = true)]
async fn money_that_nobody_was_told_of_is_found() {
    let rig = Rig::new(works);
    let running = rig.start();
    rig.create(0..1).await;
    rig.pass(10.0).await;
    rig.paid(0).await;
    rig.pass(10.0).await;
    stopped(running).await;
    assert_eq!(audited(&rig, settings(false, 10)).await.1.ended, 1);

    // As an owner leaves it that was killed between facts and events, and whose row was lost then.
    let mut followup = rig.store.snapshot(&key(0)).followup;
    followup.settled = 0;
    rig.store.put_followup(&key(0), &followup).await.expect("a store that takes it");
    rig.store.lose_due_rows(PARTITION, |_| true);
    let (missing, _) = audited(&rig, settings(true, 10)).await;
    assert_eq!(missing.iter().map(|missing| missing.state).collect::<Vec<_>>(), [State::Paid]);
    let told = rig.told(0).len();
    let _next = rig.start();
    rig.pass(300.0).await;
    assert!(rig.told(0)[told..].contains(&"fulfilment/FULFIL".to_owned()), "{:?}", rig.told(0));
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_kept() {
    let rig = Rig::new(works);
    let running = rig.start();
    rig.create(0..200).await;
    rig.pass(30.0).await;
    stopped(running).await;
    let begun = rig.clock.now();
    audited(&rig, settings(false, 10)).await;
    let took = rig.clock.now().since(begun);
    assert!(took >= Duration::from_secs(19), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_order_that_nobody_created_is_owed_nothing() {
    let rig = Rig::new(works);
    let running = rig.start();
    rig.paid(0).await;
    rig.pass(5.0).await;
    stopped(running).await;
    assert_eq!(audited(&rig, settings(true, 10)).await.1.parked, 1);
    let running = rig.start();
    let reason = paymux_domain::fact::AttentionReason::UnknownOrder;
    rig.confirm(0, Confirmation::Attention { reason, number: 1, fulfilment: None }).await;
    rig.pass(5.0).await;
    stopped(running).await;
    assert_eq!(audited(&rig, settings(true, 10)).await.1.ended, 1);
}
