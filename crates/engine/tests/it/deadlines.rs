//! Requests that hang, and what the worker says of its own readiness.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use paymux_backends::faults::{Fault, When};

use crate::rig::{Rig, works};

const FOR_EVER: Duration = Duration::from_secs(24 * 3600);

/// While it is on, requests of that name hang.
fn hanging(
    operation: &'static str,
) -> (Arc<AtomicBool>, impl Fn(paymux_backends::faults::FaultPoint) -> Fault) {
    let hangs = Arc::new(AtomicBool::new(false));
    let asked = hangs.clone();
    let fault = move |point: paymux_backends::faults::FaultPoint| {
        let here = point.operation == operation && point.when == When::Before;
        if here && asked.load(Ordering::Relaxed) { Fault::delayed(FOR_EVER) } else { Fault::NONE }
    };
    (hangs, fault)
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_makes_the_worker_unready_and_is_asked_again() {
    let rig = Rig::new(works);
    let (hangs, fault) = hanging("read");
    let running = rig.start_with(fault);
    rig.pass(1.0).await;
    assert!(running.status.ready());

    hangs.store(true, Ordering::Relaxed);
    rig.create(0..1).await;
    rig.pass(9.0).await;
    assert!(!running.status.ready(), "the store has not answered within the deadline");

    hangs.store(false, Ordering::Relaxed);
    rig.pass(9.0).await;
    assert!(running.status.ready());
    assert!(rig.order(0).launch().is_some(), "the request that hung was made again");
}

#[tokio::test(start_paused = true)]
async fn an_event_log_that_hangs_is_asked_again() {
    let rig = Rig::new(works);
    let (hangs, fault) = hanging("publish");
    let _running = rig.start_with(fault);
    hangs.store(true, Ordering::Relaxed);
    rig.create(0..1).await;
    rig.pass(5.0).await;
    hangs.store(false, Ordering::Relaxed);
    rig.pass(10.0).await;
    assert_eq!(rig.told(0), ["launch/1"]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_without_its_leases_is_not_ready() {
    let rig = Rig::new(works);
    let (hangs, fault) = hanging("commit");
    let running = rig.start_with(fault);
    rig.pass(1.0).await;
    assert!(running.status.ready());
    hangs.store(true, Ordering::Relaxed);
    rig.pass(20.0).await;
    assert!(!running.status.ready(), "its lease has run out");
    hangs.store(false, Ordering::Relaxed);
    rig.pass(9.0).await;
    assert!(running.status.ready());
}
