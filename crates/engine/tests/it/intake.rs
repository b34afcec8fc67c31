//! What a partition takes in: back-pressure, records of a newer version, records that are none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use paymux_backends::faults::{Fault, When};
use paymux_domain::outcome::Operation;
use paymux_domain::ports::Undecodable;

use crate::rig::{PARTITION, Rig, works};

#[tokio::test(start_paused = true)]
async fn back_pressure_costs_no_task_for_each_record_and_ends() {
    let mut rig = Rig::new(works);
    rig.config.window_max = 4;
    rig.create(0..1).await;
    for _ in 0..400 {
        rig.close(0).await;
    }
    // All records are one order's: one runner is enough for them.
    let held_up = AtomicBool::new(false);
    let running = rig.start_with(move |point| {
        let is_first = (point.operation, point.when) == ("insert_due", When::Before)
            && !held_up.swap(true, Ordering::Relaxed);
        if is_first { Fault::delayed(Duration::from_secs(5)) } else { Fault::NONE }
    });
    rig.pass(2.0).await;
    assert!(running.tasks.alive() <= 5, "{} tasks", running.tasks.alive());

    rig.create(1..1000).await;
    rig.pass(120.0).await;
    assert_eq!(rig.cluster.committed(PARTITION), 1400, "and it goes on when there is room");
}

#[tokio::test(start_paused = true)]
async fn a_record_of_a_newer_version_stops_its_partition() {
    let mut rig = Rig::new(works);
    rig.config.window_max = 4;
    rig.create(0..3).await;
    rig.cluster.append_undecodable(PARTITION, Undecodable::NewerFormat { format_version: 99 });
    rig.create(3..20).await;
    let running = rig.start();
    rig.pass(30.0).await;
    rig.create(20..30).await;
    rig.pass(30.0).await;

    assert_eq!(rig.sent(Operation::Create).len(), 3, "nothing after it is taken in");
    assert_eq!(rig.cluster.committed(PARTITION), 3, "the position stays before it");
    running.stop.cancel();
    assert_eq!(running.ended.await.expect("a worker that ends"), Ok(()), "and it holds up no stop");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_none_is_buried_and_holds_up_nothing() {
    let rig = Rig::new(works);
    let malformed = Undecodable::Malformed { reason: "no message".to_owned(), raw: vec![1, 2, 3] };
    rig.cluster.append_undecodable(PARTITION, malformed);
    rig.create(0..1).await;
    let running = rig.start();
    rig.pass(5.0).await;

    let dead = rig.cluster.dead();
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].partition, dead[0].offset, dead[0].raw.as_slice()), (PARTITION, 0, &[1, 2, 3][..]));
    assert_eq!(rig.cluster.committed(PARTITION), 2);
    assert_eq!(running.status.buried.get(), 1);
}
