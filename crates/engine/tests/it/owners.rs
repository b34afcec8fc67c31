//! Former owners: what a generation that has ended still does, which is to keep the provider's words and no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use paymux_backends::faults::{Fault, FaultPoint, Then, When};
use paymux_backends::memory::Notice;
use paymux_domain::confirm::Confirmation;
use paymux_domain::fact::AttentionReason;
use paymux_domain::fold::State;

use crate::rig::{PARTITION, Rig, works};

/// Less than four times as long as what is slow here takes: it is not finished before its partition is let go of.
const LEASE: Duration = Duration::from_secs(3);

/// Reading an order takes two seconds.
fn slow_reads(point: FaultPoint) -> Fault {
    match (point.operation, point.when) {
        ("read", When::After) => Fault::delayed(Duration::from_secs(2)),
        _ => Fault::NONE,
    }
}

#[tokio::test(start_paused = true)]
async fn an_owner_whose_partition_was_revoked_concludes_and_tells_nothing_more() {
    let mut rig = Rig::new(works);
    rig.config.lease = LEASE;
    let _running = rig.start_with(slow_reads);
    rig.create(0..1).await;
    rig.pass(5.0).await;
    rig.paid(0).await;
    rig.pass(1.0).await;
    rig.cluster.revoke(PARTITION, Notice::Now);
    rig.pass(5.0).await;

    let order = rig.order(0);
    assert_eq!(order.state(), State::Paid, "the provider's word is true whoever stores it");
    assert_eq!(order.fulfilment(), None, "what follows from it is for the next owner to say");
    assert!(!rig.told(0).iter().any(|subject| subject.starts_with("paid/")), "{:?}", rig.told(0));
}

#[tokio::test(start_paused = true)]
async fn an_owner_asks_for_the_next_input_after_a_loss_when_nothing_that_it_concluded_is_under_way() {
    let mut rig = Rig::new(works);
    rig.config.lease = LEASE;
    let (is_lost, has_come_back) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (lost, come_back) = (is_lost.clone(), has_come_back.clone());
    // Whoever asks for an input after the loss was told lets the log give the partition to others.
    let _running = rig.start_with(move |point| match (point.operation, point.when) {
        ("add_facts", When::Before) => Fault::delayed(Duration::from_secs(2)),
        ("next", When::Before) => {
            come_back.fetch_or(lost.load(Ordering::Relaxed), Ordering::Relaxed);
            Fault::NONE
        }
        _ => Fault::NONE,
    });
    rig.pass(1.0).await;
    rig.create(0..1).await;
    rig.pass(1.0).await;
    is_lost.store(true, Ordering::Relaxed);
    rig.cluster.revoke(PARTITION, Notice::Now);
    rig.pass(0.9).await;
    assert!(rig.order(0).created().is_none() && !has_come_back.load(Ordering::Relaxed));
    rig.pass(0.2).await;
    assert!(rig.order(0).created().is_some() && has_come_back.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn a_write_of_conclusions_is_given_up_with_the_lease_that_it_left_under() {
    // From the second second on no commit is answered, and facts take five to get to the store.
    for (lease_s, lands) in [(3, false), (10, true)] {
        let mut rig = Rig::new(works);
        rig.config.lease = Duration::from_secs(lease_s);
        let is_slow = Arc::new(AtomicBool::new(false));
        let slow = is_slow.clone();
        let _running = rig.start_with(move |point| match (point.operation, point.when) {
            ("commit", When::Before) if slow.load(Ordering::Relaxed) => {
                Fault::delayed(Duration::from_secs(60))
            }
            ("add_facts", When::Before) => Fault::delayed(Duration::from_secs(5)),
            _ => Fault::NONE,
        });
        rig.pass(1.0).await;
        is_slow.store(true, Ordering::Relaxed);
        rig.create(0..1).await;
        rig.pass(8.0).await;
        assert_eq!(rig.order(0).created().is_some(), lands, "a lease of {lease_s} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_does_not_turn_the_order_of_events_round() {
    let rig = Rig::new(works);
    // The first request to tell of the payment is under way for a second, and fails.
    let published = AtomicU32::new(0);
    let _running = rig.start_with(move |point| {
        let fails = (point.operation, point.when) == ("publish", When::Before)
            && published.fetch_add(1, Ordering::Relaxed) == 1;
        if fails { Fault { delay: Duration::from_secs(1), then: Then::Fail } } else { Fault::NONE }
    });
    rig.create(0..1).await;
    rig.pass(1.0).await;
    rig.paid(0).await;
    rig.pass(5.0).await;
    assert_eq!(rig.told(0), ["launch/1", "paid/42000", "fulfilment/FULFIL"]);
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_is_confirmed_for_two_orders_at_once_becomes_the_firsts() {
    let rig = Rig::new(works);
    // Looking a number up takes a second: both would have looked before either has stored its facts.
    let _running = rig.start_with(|point| match (point.operation, point.when) {
        ("find_by_trade_no", When::After) => Fault::delayed(Duration::from_secs(1)),
        _ => Fault::NONE,
    });
    rig.create(0..2).await;
    rig.pass(1.0).await;
    for number in 0..2 {
        rig.confirm_paid(number, "T1").await;
    }
    rig.pass(5.0).await;
    assert_eq!([0, 1].map(|number| rig.order(number).state()), [State::Paid, State::Pending]);
}

#[tokio::test(start_paused = true)]
async fn a_word_on_an_order_that_nobody_created_is_stored_only_with_the_lease() {
    let mut rig = Rig::new(works);
    rig.config.lease = LEASE;
    // The partition is lost while the order is read for the person's word, after the first look at the lease.
    let _running = rig.start_with(slow_reads);
    rig.paid(0).await;
    rig.pass(5.0).await;
    let open = || rig.order(0).attention().map(|(reason, k, _)| (reason, k)).collect::<Vec<_>>();
    assert_eq!(open(), [(AttentionReason::UnknownOrder, 1)]);
    let reason = AttentionReason::UnknownOrder;
    rig.confirm(0, Confirmation::Attention { reason, number: 1, fulfilment: None }).await;
    rig.pass(1.0).await;
    rig.cluster.revoke(PARTITION, Notice::Now);
    rig.pass(5.0).await;
    assert_eq!(open(), [(AttentionReason::UnknownOrder, 1)], "it is for the next owner to settle");
}
