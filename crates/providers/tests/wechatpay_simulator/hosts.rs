//! The stand-by host over real HTTP: what goes there while the main one is away, and the way back.

use std::time::Duration;

use paymux_domain::outcome::{Class, Operation, Word};

use crate::rig::Rig;

#[tokio::test]
async fn calls_go_to_the_stand_by_host_while_the_main_one_is_away_and_back_after_a_time() {
    let rig = Rig::start().await;
    let there = || rig.simulator.hosts().stand_by_requests;
    rig.simulator.set_main_away(true).await.unwrap();
    // Refused before a byte left: what must not reach both hosts goes there, too.
    let order = rig.order("jsapi", 1200);
    rig.launched(&order).await;
    assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::Open]);
    assert_eq!(there(), 2);

    rig.simulator.set_main_away(false).await.unwrap();
    assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::Open]);
    assert_eq!(there(), 3, "it does not look again at once");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(60)).await;
    tokio::time::resume();
    for _ in 0..2 {
        assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::Open]);
    }
    assert_eq!(there(), 3, "the main host is back");
}

#[tokio::test]
async fn an_account_without_a_stand_by_host_has_no_detour() {
    let rig = Rig::start_alone().await;
    rig.simulator.set_main_away(true).await.unwrap();
    let report = rig.call(Operation::Create, &rig.order("jsapi", 1200)).await;
    assert_eq!((report.class, report.code.as_str()), (Class::NotSent, "CONNECTION_REFUSED"));
    assert_eq!(rig.simulator.hosts().stand_by_requests, 0);
}
