//! The circuit breaker as a gate: while a provider is away one call at a time tries whether it is back.

use paymux_domain::outcome::Operation;

use crate::rig::{Rig, launched, lost};

#[tokio::test(start_paused = true)]
async fn while_a_provider_is_away_only_probes_leave() {
    let rig = Rig::new(|_, _| lost(50));
    let _running = rig.start();
    rig.create(0..300).await;
    rig.pass(60.0).await;

    // Ten failures open it; what was in flight with the tenth ends as it would. Then probes after 2, 4, 8, 16, 30 s.
    let probes = rig.count(Operation::Create, 1_000, 60_000);
    assert!((3..=5).contains(&probes), "{probes} calls left while the breaker was open");
}

#[tokio::test(start_paused = true)]
async fn nothing_but_the_probe_leaves_until_it_is_answered() {
    // The provider comes back slowly: the probe takes five seconds.
    let rig = Rig::new(|_, at_ms| if at_ms < 500 { lost(50) } else { launched(5_000) });
    let _running = rig.start();
    rig.create(0..10).await;
    rig.pass(0.5).await;
    rig.create(10..200).await;
    rig.pass(5.5).await;
    assert_eq!(rig.count(Operation::Create, 500, 6_000), 1, "the probe alone");

    rig.pass(10.0).await;
    assert!(rig.count(Operation::Create, 6_000, 16_000) >= 190, "then all others");
}
