//! A stop, and a partition that is asked back: what is under way ends, nothing new is begun, and a crowd that waits does
//! not hold it up.

use paymux_backends::memory::Notice;
use paymux_domain::outcome::Operation;
use paymux_domain::ports::{Budget, Clock};

use crate::rig::{PARTITION, Rig, launched, works};

#[tokio::test(start_paused = true)]
async fn a_loaded_worker_stops_as_soon_as_its_calls_have_ended() {
    let rig = Rig::new(|_, _| launched(3_000));
    let running = rig.start();
    rig.create(0..1500).await;
    rig.pass(5.0).await;
    let began = rig.clock.now();
    let sent = rig.sent(Operation::Create).len();

    running.stop.cancel();
    assert_eq!(running.ended.await.expect("a worker that ends"), Ok(()));
    let took = rig.clock.now().since(began);
    assert!(took.as_millis() < 3_500, "the stop took {took:?}");
    assert_eq!(rig.sent(Operation::Create).len(), sent, "no call was begun");
    let launched = (0..1500).filter(|number| rig.order(*number).launch().is_some()).count();
    assert_eq!(launched, sent, "every call's answer was kept");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_stops_lets_go_of_what_is_asked_back() {
    let rig = Rig::new(|_, _| launched(3_000));
    let running = rig.start();
    rig.create(0..10).await;
    rig.pass(1.0).await;
    running.stop.cancel();
    rig.pass(0.5).await;
    assert!(!running.ended.is_finished(), "its calls are under way");
    rig.cluster.revoke(PARTITION, Notice::Now);
    rig.pass(0.5).await;
    assert!(running.ended.is_finished(), "there is nothing left to wait for");
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_is_asked_back_is_let_go_of_when_its_calls_have_ended() {
    let mut rig = Rig::new(|_, _| launched(1_000));
    // While a group takes a partition back it answers no commit, and gives the partition to the next when this owner has
    // let go.
    rig.config.commit_interval = rig.config.lease / 2;
    let _former = rig.start();
    rig.create(0..10).await;
    rig.pass(0.5).await;
    rig.cluster.revoke(PARTITION, Notice::Now);
    rig.pass(1.0).await;
    let _next = rig.start();
    rig.pass(5.0).await;
    let launched = (0..10).filter(|number| rig.order(*number).launch().is_some()).count();
    assert_eq!((launched, rig.sent(Operation::Create).len()), (10, 10), "each call's answer was kept");
    assert_eq!(rig.sent(Operation::Query).len(), 0, "the provider was not asked about what it had answered");
}

#[tokio::test(start_paused = true)]
async fn what_a_stop_left_is_done_by_the_next_owner() {
    let mut rig = Rig::new(works);
    rig.limits.budgets[0] = Budget { per_second: 1, burst: 1 };
    let running = rig.start();
    rig.create(0..30).await;
    rig.pass(3.0).await;
    running.stop.cancel();
    assert_eq!(running.ended.await.expect("a worker that ends"), Ok(()));

    let _next = rig.start();
    rig.pass(300.0).await;
    let launched = (0..30).filter(|number| rig.order(*number).launch().is_some()).count();
    assert_eq!(launched, 30);
}
