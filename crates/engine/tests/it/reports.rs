//! What the owner of a partition tells of itself, for people who look from another process.

use std::time::Duration;

use paymux_backends::faults::{Fault, FaultPoint, Then, When};
use paymux_backends::memory::Notice;
use paymux_domain::ports::{AccountReport, BreakerReport, Budget, Clock as _, ShardReport};

use crate::rig::{PARTITION, Rig, Running, lost, works};

fn told(running: &Running) -> ShardReport {
    running.status.report(PARTITION, "worker-1").expect("the partition is owned")
}

fn create_of(report: &ShardReport) -> (&AccountReport, u64) {
    let account = report.accounts.first().expect("the account was used");
    (account, account.operations.first().expect("create comes first").waiting)
}

#[tokio::test(start_paused = true)]
async fn an_owner_tells_its_lease_and_who_waits_for_which_budget() {
    let mut rig = Rig::new(works);
    rig.limits.budgets[0] = Budget { per_second: 1, burst: 1 };
    let began = rig.clock.now();
    let running = rig.start();
    rig.create(0..30).await;
    rig.pass(2.5).await;

    let report = told(&running);
    assert_eq!((report.owner.as_str(), report.partition), ("worker-1", PARTITION));
    assert!(report.generation > 0 && report.owned_since >= began && report.report_time == rig.clock.now());
    assert!(report.lease_until.is_some_and(|until| until > rig.clock.now()));
    assert_eq!((report.wait_reason.as_deref(), report.accounts_left_out), (None, 0));
    let (account, waiting) = create_of(&report);
    assert!((20..30).contains(&waiting), "{waiting}");
    assert_eq!((account.breaker, account.operations[0].rate_per_s), (BreakerReport::Closed, 1));
    assert!(account.operations[0].next_slot > rig.clock.now() + Duration::from_secs(20));
    assert_eq!(account.operations[1].waiting, 0, "nobody waits for a query");

    rig.pass(60.0).await;
    let report = told(&running);
    assert_eq!((create_of(&report).1, report.window_records), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_owner_tells_since_when_an_outcome_is_not_known() {
    let rig = Rig::new(|call, at_ms| if at_ms < 30_000 { lost(50) } else { works(call, at_ms) });
    let running = rig.start();
    assert_eq!(running.status.reports("worker-1"), [], "nothing is owned yet");
    rig.pass(1.0).await;
    let first = rig.clock.now();
    rig.create(0..20).await;
    rig.pass(5.0).await;

    let report = told(&running);
    let oldest = report.unresolved.oldest.expect("calls got no answer");
    assert!(oldest >= first && oldest <= first + Duration::from_secs(1), "{oldest}");
    assert!(report.unresolved.orders >= 10 && !report.unresolved.is_incomplete, "{report:?}");
    let (account, _) = create_of(&report);
    assert!(matches!(account.breaker, BreakerReport::Open(_)), "{:?}", account.breaker);

    rig.pass(600.0).await;
    assert_eq!(told(&running).unresolved.orders, 0, "each has been answered");
}

#[tokio::test(start_paused = true)]
async fn an_owner_without_its_lease_says_so_and_a_former_one_says_nothing() {
    let rig = Rig::new(works);
    let running = rig.start_with(|point: FaultPoint| match (point.operation, point.when) {
        ("commit", When::Before) => Fault { delay: Duration::ZERO, then: Then::Fail },
        _ => Fault::NONE,
    });
    rig.pass(5.0).await;
    let report = told(&running);
    assert_eq!(report.lease_until, None);
    assert!(report.wait_reason.is_some_and(|reason| reason.contains("lease")));
    assert!(!running.status.is_well());

    rig.cluster.revoke(PARTITION, Notice::Now);
    rig.pass(5.0).await;
    assert_eq!(running.status.reports("worker-1"), []);
    assert!(running.status.is_well(), "a worker without partitions may be one too many");
}
