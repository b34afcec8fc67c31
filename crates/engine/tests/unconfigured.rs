//! Merchants that are not configured (any more): their orders wait, hold up nobody else, and go on by themselves.

#[path = "sim/clock.rs"]
#[expect(dead_code, reason = "the simulation's clocks can also go wrong")]
mod clock;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use paymux_backends::ReplyRouter;
use paymux_backends::memory::{MemoryCluster, MemoryLogConfig, MemoryStore, Notice};
use paymux_domain::amount::{Amount, Currency};
use paymux_domain::capabilities::{Capabilities, CreateKind, QueryKind};
use paymux_domain::command::{CreateCommand, Created, Fingerprint, OrderCommand, Payer, Record};
use paymux_domain::name::{AccountId, MerchantId, OrderKey};
use paymux_domain::outcome::{CallReport, Class};
use paymux_domain::ports::{
    AccountPolicy, BoxFuture, Budget, Call, Clock, CommandLog as _, Directory, DuplicatePolicy, Entropy,
    LatePolicy, MerchantPolicy, ProviderGateway,
};
use paymux_domain::shard::Partition;
use paymux_domain::time::ClockFactor;
use paymux_engine::spawn::TokioSpawn;
use paymux_engine::{EngineConfig, Worker, WorkerParts, WorkerStatus};
use tokio_util::sync::CancellationToken;

use crate::clock::SimClock;

const MINUTE: Duration = Duration::from_secs(60);
const ONLY: Partition = Partition(0);

struct Counting(AtomicU64);

impl Entropy for Counting {
    fn next_u64(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// A provider that never answers; it counts who is asked about.
#[derive(Default)]
struct Silent(Mutex<BTreeMap<MerchantId, u64>>);

impl ProviderGateway for Silent {
    fn capabilities(&self, _: &Created) -> Option<Capabilities> {
        Some(Capabilities {
            create: CreateKind::Call,
            create_idempotent: true,
            query: QueryKind::ByOutTradeNo,
            query_amount: true,
            landing: Duration::from_secs(30),
            expiry_grace: MINUTE,
            ..Capabilities::NOTHING
        })
    }

    fn call(&self, call: Call) -> BoxFuture<'_, CallReport> {
        *self.0.lock().entry(call.created.key.merchant_id.clone()).or_default() += 1;
        // It answers, so that the circuit breaker lets calls through, and says nothing.
        Box::pin(async { CallReport { ask: true, ..CallReport::of(Class::Unknown, "SILENT") } })
    }
}

/// The merchants that are configured, each with an account of its name.
#[derive(Default)]
struct Known(Mutex<BTreeSet<String>>);

impl Directory for Known {
    fn merchant(&self, merchant_id: &MerchantId) -> Option<MerchantPolicy> {
        let known = self.0.lock().contains(merchant_id.as_str());
        known.then_some(MerchantPolicy {
            late_payment: LatePolicy::Park,
            duplicate_payment: DuplicatePolicy::Park,
        })
    }

    fn account(&self, account: &AccountId, _: Partition) -> Option<AccountPolicy> {
        let budgets = [Budget { per_second: 100, burst: 100 }; 4];
        self.0.lock().contains(account.as_str()).then_some(AccountPolicy { budgets, in_flight_max: 10 })
    }
}

/// A worker that owns the only partition; no timers in memory, so that everything rests on the sweep.
struct Rig {
    clock: Arc<SimClock>,
    cluster: MemoryCluster,
    store: MemoryStore,
    gateway: Arc<Silent>,
    known: Arc<Known>,
    status: Arc<WorkerStatus>,
}

impl Rig {
    fn start(known: &[&str]) -> Self {
        let clock = Arc::new(SimClock::new());
        let config = MemoryLogConfig { partitions: 1, ..MemoryLogConfig::default() };
        let cluster = MemoryCluster::new(config, clock.clone(), ReplyRouter::default());
        let (store, gateway) = (MemoryStore::new(), Arc::new(Silent::default()));
        let known = Arc::new(Known(Mutex::new(known.iter().map(ToString::to_string).collect())));
        let worker = Worker::new(WorkerParts {
            consumer: Arc::new(cluster.join()),
            log: Arc::new(cluster.log()),
            store: Arc::new(store.clone()),
            steps: None,
            gateway: gateway.clone(),
            directory: known.clone(),
            clock: clock.clone(),
            entropy: Arc::new(Counting(AtomicU64::new(1))),
            spawner: Arc::new(TokioSpawn),
            config: EngineConfig { wheel_max: 0, ..EngineConfig::new(ClockFactor::REAL) },
        });
        let status = worker.status();
        tokio::spawn(worker.run(CancellationToken::new()));
        cluster.rebalance(Notice::Now);
        Self { clock, cluster, store, gateway, known, status }
    }

    async fn create(&self, merchant: &str, number: &str) {
        let command =
            CreateCommand { created: Arc::new(created(&*self.clock, merchant, number)), reply_to: None };
        self.cluster.log().append(ONLY, Record::Create(command)).await.expect("it is appended");
    }

    async fn pass(&self, time: Duration) {
        self.clock.sleep_until(self.clock.now() + time).await;
    }

    fn calls(&self, merchant: &str) -> u64 {
        self.gateway.0.lock().get(&name::<MerchantId>(merchant)).copied().unwrap_or(0)
    }

    fn is_stored(&self, merchant: &str, number: &str) -> bool {
        !self.store.snapshot(&key(merchant, number)).facts.is_empty()
    }
}

fn name<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("a valid name")
}

fn key(merchant: &str, number: &str) -> OrderKey {
    OrderKey { merchant_id: name(merchant), order_no: name(number) }
}

fn created(clock: &dyn Clock, merchant: &str, number: &str) -> Created {
    Created {
        key: key(merchant, number),
        request_id: name(&format!("create-{number}")),
        provider: name("silent"),
        account: name(merchant),
        shard_group: name("group"),
        method: "web".to_owned(),
        out_trade_no: name(&format!("{merchant}{number}")),
        amount: Amount::new(100, Currency::Cny).expect("one yuan is an amount"),
        fingerprint: Fingerprint::of([("description", "Tea")]),
        description: "Tea".to_owned(),
        attach: None,
        payer: Payer::default(),
        expire_time: clock.now() + MINUTE * 600,
        created_time: clock.now(),
        notify_url: "https://notify.example.com".to_owned(),
        return_url: None,
        metadata: BTreeMap::new(),
        options_json: String::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_of_an_unknown_merchant_waits_and_others_of_its_partition_go_on() {
    let rig = Rig::start(&["tea"]);
    rig.create("rice", "R1").await;
    rig.create("tea", "T1").await;
    rig.pass(MINUTE).await;
    assert!(rig.is_stored("tea", "T1") && rig.calls("tea") > 0);
    assert!(!rig.is_stored("rice", "R1"));
    assert_eq!(rig.status.waiting_for_configuration.get(), 1);
    assert_eq!(rig.cluster.committed(ONLY), 0, "the position does not pass the record that waits");
    assert!(rig.cluster.dead().is_empty());

    rig.known.0.lock().insert("rice".to_owned());
    rig.pass(MINUTE / 10).await;
    assert!(rig.is_stored("rice", "R1") && rig.calls("rice") > 0);
    assert_eq!(rig.cluster.committed(ONLY), 2);
}

#[tokio::test(start_paused = true)]
async fn a_merchant_that_is_taken_out_holds_up_no_sweep_and_goes_on_when_it_is_back() {
    let rig = Rig::start(&["tea", "rice"]);
    // More due orders than the sweeper has in work at once.
    for n in 0..400 {
        rig.create("rice", &format!("R{n}")).await;
    }
    rig.create("tea", "T1").await;
    rig.pass(MINUTE / 6).await;
    rig.known.0.lock().remove("rice");
    // A command that waits for the merchant must not keep the order's own rows waiting behind it.
    let command = OrderCommand {
        key: key("rice", "R1"),
        request_id: "requery-1".parse().unwrap(),
        caller: "test".to_owned(),
        reply_to: None,
    };
    rig.cluster.log().append(ONLY, Record::Requery(command)).await.unwrap();
    rig.pass(MINUTE).await;
    let (rice, tea) = (rig.calls("rice"), rig.calls("tea"));
    let fired = rig.status.rows_fired.get();
    rig.pass(MINUTE * 10).await;
    assert_eq!(rig.calls("rice"), rice, "nobody is asked about an unknown merchant's orders");
    assert!(rig.calls("tea") > tea, "the sweep goes on for the others");
    // Each order has one row at a time, put off by a minute or more: 400 orders in 10 minutes.
    let fired = rig.status.rows_fired.get() - fired;
    assert!(fired <= 400 * 11, "rows multiply: {fired}");

    rig.known.0.lock().insert("rice".to_owned());
    rig.pass(MINUTE * 3).await;
    assert!(rig.calls("rice") >= rice + 400, "{} after {rice}", rig.calls("rice"));
}
