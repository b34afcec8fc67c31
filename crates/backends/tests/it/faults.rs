//! What each injected fault does to the effect, to its caller and to what comes after.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use paymux_backends::ReplyRouter;
use paymux_backends::faults::{Fault, FaultHook, FaultPoint, NoFaults, Steps, Then, Unreliable, When};
use paymux_backends::memory::{MemoryCluster, MemoryLogConfig, MemoryStore, Notice};
use paymux_domain::followup::Followup;
use paymux_domain::name::{ProviderId, ProviderTradeNo};
use paymux_domain::ports::{
    AppendError, CommandLog, CommitError, ListQuery, LogConsumer, LogError, LogInput, OrderStore, Snapshot,
    StoreError,
};
use paymux_domain::shard::Partition;
use tokio::time::timeout;

use crate::suite::values::{at, created, due, key, paid, record};
use crate::suite::{TokioClock, ends};

const P: Partition = Partition(0);
const HOUR: Duration = Duration::from_secs(3600);

/// Injects one fault at the first point of that kind, and notes every point it is asked about.
struct Once {
    when: When,
    fault: Mutex<Option<Fault>>,
    asked: Mutex<Vec<FaultPoint>>,
}

impl FaultHook for Once {
    fn fault(&self, point: FaultPoint) -> Fault {
        self.asked.lock().push(point);
        let mut fault = self.fault.lock();
        if point.when == self.when { fault.take().unwrap_or(Fault::NONE) } else { Fault::NONE }
    }
}

fn once(when: When, fault: Fault) -> (Arc<Once>, Arc<Steps>) {
    let hook = Arc::new(Once { when, fault: Mutex::new(Some(fault)), asked: Mutex::default() });
    let steps = Steps::new(Arc::clone(&hook) as Arc<dyn FaultHook>, TokioClock::new());
    (hook, steps)
}

fn cluster() -> MemoryCluster {
    MemoryCluster::new(MemoryLogConfig::default(), TokioClock::new(), ReplyRouter::default())
}

/// Appends once under a fault: what the caller hears, and how many records are in the log then.
async fn append_under(when: When, then: Then) -> (Result<u64, AppendError>, usize) {
    let cluster = cluster();
    let log = Unreliable::new(Arc::new(cluster.log()), once(when, Fault::of(then)).1);
    (ends(log.append(P, record(1))).await, cluster.records(P, 0).len())
}

#[tokio::test(start_paused = true)]
async fn a_fault_before_the_effect_prevents_it_and_one_after_it_hides_it() {
    assert_eq!(append_under(When::Before, Then::Proceed).await, (Ok(0), 1));
    let (failed, count) = append_under(When::Before, Then::Fail).await;
    assert!(matches!(failed, Err(AppendError::NotAppended(_))) && count == 0, "{failed:?} {count}");
    let (unknown, count) = append_under(When::Before, Then::Unknown).await;
    assert!(matches!(unknown, Err(AppendError::Unknown(_))) && count == 0, "{unknown:?} {count}");
    for then in [Then::Fail, Then::Unknown] {
        let (unknown, count) = append_under(When::After, then).await;
        assert!(matches!(unknown, Err(AppendError::Unknown(_))) && count == 1, "{unknown:?} {count}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_effect_may_land_after_its_caller_is_gone() {
    let cluster = cluster();
    let (_, steps) = once(When::Before, Fault::of(Then::LandLater(HOUR)));
    let log = Unreliable::new(Arc::new(cluster.log()), steps);
    assert!(matches!(ends(log.append(P, record(1))).await, Err(AppendError::Unknown(_))));
    drop(log);
    tokio::time::sleep(HOUR / 2).await; // tidy: paused time
    assert_eq!(cluster.records(P, 0).len(), 0);
    tokio::time::sleep(HOUR).await; // tidy: paused time
    assert_eq!(cluster.records(P, 0).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_crash_never_returns_before_or_after_the_effect() {
    for (when, landed) in [(When::Before, 0), (When::After, 1)] {
        let cluster = cluster();
        let log = Unreliable::new(Arc::new(cluster.log()), once(when, Fault::of(Then::Crash)).1);
        assert!(timeout(HOUR, log.append(P, record(1))).await.is_err());
        assert_eq!(cluster.records(P, 0).len(), landed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_delay_passes_on_the_clock() {
    let store = MemoryStore::new();
    let slow = Unreliable::new(Arc::new(store.clone()), once(When::Before, Fault::delayed(HOUR)).1);
    let row = due(at(0), &key("m", "o"));
    let write = tokio::spawn(async move { slow.insert_due(P, &row).await });
    tokio::time::sleep(HOUR / 2).await; // tidy: paused time
    assert_eq!(store.due_rows(P), []);
    timeout(HOUR, write).await.expect("in time").expect("it ends").expect("written");
    assert_eq!(store.due_rows(P).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_input_survives_a_fault_between_log_and_owner() {
    let cluster = cluster();
    let member = cluster.join();
    let id = member.member();
    let (_, steps) = once(When::After, Fault::of(Then::Fail));
    let consumer = Unreliable::new(Arc::new(member), steps);
    cluster.assign(P, id, Notice::Now);
    assert!(matches!(ends(consumer.next(9)).await, Err(LogError::Unavailable(_))));
    assert!(matches!(ends(consumer.next(9)).await, Ok(LogInput::Assigned { partition: P, .. })));

    let (_, steps) = once(When::After, Fault::delayed(HOUR));
    let consumer = Unreliable::new(Arc::clone(consumer.inner()), steps);
    ends(cluster.log().append(P, record(1))).await.expect("appended");
    assert!(timeout(HOUR / 2, consumer.next(9)).await.is_err(), "dropped while the input was on its way");
    assert!(
        matches!(ends(consumer.next(9)).await, Ok(LogInput::Records { records, .. }) if records.len() == 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_acknowledgement_of_a_commit_is_no_renewal() {
    let cluster = cluster();
    let member = cluster.join();
    cluster.assign(P, member.member(), Notice::Now);
    ends(cluster.log().append(P, record(1))).await.expect("appended");
    let consumer = Unreliable::new(Arc::new(member), once(When::After, Fault::of(Then::Unknown)).1);
    assert!(matches!(ends(consumer.commit(P, 1, 1)).await, Err(CommitError::Unavailable(_))));
    assert_eq!(cluster.committed(P), 1);
}

#[tokio::test(start_paused = true)]
async fn any_index_rows_may_be_there_without_their_facts_until_the_write_is_repeated() {
    // The first row is lost, and the second is there all the same; after a crash neither is.
    for (then, paid_rows) in [(Then::Fail, 1), (Then::Crash, 0)] {
        let store = MemoryStore::new();
        let torn = store.with_steps(once(When::Between, Fault::of(then)).1);
        let order = key("m", "o");
        let facts = [created(&order, "wechatpay", at(0)), paid("T1")];
        let outcome = timeout(HOUR, torn.add_facts(&order, &facts)).await;
        assert!(matches!(outcome, Err(_) | Ok(Err(StoreError::Unknown(_)))), "{outcome:?}");
        let query = ListQuery {
            merchant_id: order.merchant_id.clone(),
            from: at(0),
            until: at(1),
            after: None,
            limit: 9,
        };
        let listed = async || ends(store.list_orders(&query)).await.expect("readable").entries.len();
        let (wechatpay, trade_no): (ProviderId, ProviderTradeNo) =
            ("wechatpay".parse().expect("a provider"), "T1".parse().expect("a number"));
        let found = ends(store.find_by_trade_no(&wechatpay, &trade_no)).await.expect("readable");
        assert_eq!((listed().await, found.iter().count()), (0, paid_rows), "{then:?}");
        assert_eq!(store.snapshot(&order).facts, []);
        ends(torn.add_facts(&order, &facts)).await.expect("the second time there is no fault");
        assert_eq!((listed().await, store.snapshot(&order).facts.len()), (1, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn facts_and_bookkeeping_are_read_as_of_two_moments() {
    for earlier_reads in [0, 1] {
        let (_, steps) = once(When::Between, Fault::delayed(Duration::from_secs(2)));
        let store = MemoryStore::new();
        let slow = store.with_steps(Arc::clone(&steps));
        let order = key("m", "o");
        // Which of the two is read first goes by the number of the operation.
        let idle = Unreliable::new(Arc::new(MemoryStore::new()), steps);
        for _ in 0..earlier_reads {
            ends(idle.floor(P)).await.expect("readable");
        }
        let writing = async {
            tokio::time::sleep(Duration::from_secs(1)).await; // tidy: paused time
            ends(store.add_facts(&order, &[paid("T1")])).await.expect("written");
            let followup = Followup { next_due: Some(at(9)), ..Followup::default() };
            ends(store.put_followup(&order, &followup)).await.expect("written");
        };
        let (read, ()) = tokio::join!(slow.read(&order), writing);
        let Snapshot { facts, followup } = read.expect("readable");
        let is_newer = (facts.len() == 1, followup.next_due == Some(at(9)));
        assert_eq!(
            is_newer,
            (earlier_reads == 0, earlier_reads == 1),
            "one as before the writes, one as after"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn every_operation_is_counted_once_with_its_name() {
    let (hook, steps) = once(When::Between, Fault::NONE);
    let store = MemoryStore::new();
    let unreliable = Unreliable::new(Arc::new(store.with_steps(Arc::clone(&steps))), Arc::clone(&steps));
    let order = key("m", "o");
    ends(unreliable.read(&order)).await.expect("readable");
    ends(unreliable.add_facts(&order, &[created(&order, "wechatpay", at(0))])).await.expect("written");
    let asked: Vec<_> =
        hook.asked.lock().iter().map(|point| (point.operation, point.step, point.when)).collect();
    assert_eq!(
        asked,
        [
            ("read", 1, When::Before),
            ("read.second", 1, When::Between),
            ("read", 1, When::After),
            ("add_facts", 2, When::Before),
            ("add_facts.index_row", 2, When::Between),
            ("add_facts", 2, When::After),
        ]
    );
    assert_eq!(steps.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_faults_nothing_changes() {
    let cluster = cluster();
    let steps = Steps::new(Arc::new(NoFaults), TokioClock::new());
    let log = Unreliable::new(Arc::new(cluster.log()), steps);
    assert_eq!(ends(log.append(P, record(1))).await, Ok(0));
    assert_eq!(ends(log.lag(P)).await, Ok(1));
    assert_eq!(log.partitions(), 8);
}
