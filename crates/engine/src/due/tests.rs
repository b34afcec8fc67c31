//! A row whose bucket is swept while it is being written: forced, with the owner's rule and with everybody else's, in
//! memory and in a real CQL database (the nodes that `PAYMUX_TEST_CQL` names).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;
use paymux_backends::cql::{CqlConfig, CqlStore, Step, migrate};
use paymux_backends::faults::{Fault, FaultHook, FaultPoint, Steps, Unreliable, When};
use paymux_backends::memory::MemoryStore;
use paymux_domain::ports::{BoxFuture, Clock};
use paymux_domain::time::ClockFactor;

use super::*;

/// Where an owner writes, and where somebody else does.
const WRITERS: [(Partition, bool); 2] = [(Partition(1), true), (Partition(2), false)];
/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(120);
/// In the year 2033: a row with that time is kept for years.
const NOW: Timestamp = Timestamp::from_millis(2_000_000_000_000);

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    fn factor(&self) -> ClockFactor {
        ClockFactor::REAL
    }
}

/// Holds the first write of a row up until the sweeper has been there.
struct HeldUp(Mutex<Option<(Sender<()>, Receiver<()>)>>);

impl FaultHook for HeldUp {
    fn fault(&self, point: FaultPoint) -> Fault {
        if (point.operation, point.when) == ("insert_due", When::Before)
            && let Some((begun, swept)) = self.0.lock().take()
        {
            begun.send(()).expect("a sweeper that waits");
            swept.recv_timeout(PATIENCE).expect("a sweep that ends");
        }
        Fault::NONE
    }
}

async fn is_not_lost(store: Arc<dyn OrderStore>, partition: Partition, owns: bool) {
    let (begun, has_begun) = channel();
    let (swept, has_swept) = channel();
    let hook = Arc::new(HeldUp(Mutex::new(Some((begun, has_swept)))));
    let slow = Arc::new(Unreliable::new(store.clone(), Steps::new(hook, Arc::new(Still))));
    let bucket = Bucket::of(NOW);
    let key = OrderKey { merchant_id: "m".parse().expect("valid"), order_no: "o".parse().expect("valid") };
    let writer = Arc::new(DueRows::new(slow, partition, |_| false));
    // An owner's sweeper raises the floor that its writers look at; for everybody else it is another process.
    let sweeper =
        if owns { writer.clone() } else { Arc::new(DueRows::new(store.clone(), partition, |_| false)) };

    let writing = tokio::spawn({
        let key = key.clone();
        async move { writer.insert(&key, NOW, || owns).await }
    });
    let begun = tokio::task::spawn_blocking(move || has_begun.recv_timeout(PATIENCE));
    begun.await.expect("a thread").expect("a write that begins");
    sweeper.raise_floor(bucket.next()).await.expect("a store that takes it");
    let read = store.read_due(partition, bucket, None, 9).await.expect("a store that answers");
    assert_eq!(read, [], "the sweep came before the row");
    swept.send(()).expect("a writer that waits");

    let at = writing.await.expect("a writer that ends").expect("a store that takes it");
    assert_eq!(Bucket::of(at), bucket.next(), "where the sweep is yet to come");
    let read = store.read_due(partition, bucket.next(), None, 9).await.expect("a store that answers");
    assert_eq!(read, [DueRow { due_at: at, key }]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_row_whose_bucket_is_swept_while_it_is_written_is_not_lost() {
    let store = Arc::new(MemoryStore::new());
    for (partition, owns) in WRITERS {
        is_not_lost(store.clone(), partition, owns).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_row_whose_bucket_is_swept_while_it_is_written_is_not_lost_in_a_cql_database() {
    let named = std::env::vars_os().find(|(name, _)| name == "PAYMUX_TEST_CQL");
    let named = named.and_then(|(_, value)| value.into_string().ok()).unwrap_or_default();
    let nodes: Vec<String> = named.split(',').filter(|node| !node.is_empty()).map(str::to_owned).collect();
    if nodes.is_empty() {
        println!("SKIPPED: a row whose bucket is swept: PAYMUX_TEST_CQL names no node");
        return;
    }
    let config = CqlConfig::new(nodes, format!("paymux_due_{}", std::process::id()), "datacenter1");
    let config = CqlConfig { replication: BTreeMap::from([("datacenter1".to_owned(), 1)]), ..config };
    migrate(&config, Step::Expand).await.expect("the keyspace is made");
    let store = Arc::new(CqlStore::open(&config, Arc::new(Still)).await.expect("the keyspace opens"));
    for (partition, owns) in WRITERS {
        is_not_lost(store.clone(), partition, owns).await;
    }
}
