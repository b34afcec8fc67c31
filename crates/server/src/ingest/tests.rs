//! Ingest above a log and a store in memory: what is acknowledged, what is waited for, what is never guessed.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use paymux_backends::ReplyRouter;
use paymux_backends::faults::{Fault, FaultHook, FaultPoint, Steps, Then, Unreliable, When};
use paymux_backends::memory::{MemoryCluster, MemoryLogConfig, MemoryStore};
use paymux_domain::capabilities::Capabilities;
use paymux_domain::event::{Event, EventKind};
use paymux_domain::fact::{Cause, Fact, FactBody, FactKey};
use paymux_domain::fold::State;
use paymux_domain::http::HttpResponse;
use paymux_domain::launch::{Launch, LaunchParams};
use paymux_domain::outcome::CallReport;
use paymux_domain::ports::{
    BoxFuture, BuildError, Built, Call, DuplicatePolicy, FieldFault, LatePolicy, NotificationAnswer,
    NotificationFate, NotificationRefusal, RawNotification, Reply, Signer, VerifiedNotification,
};
use paymux_domain::time::ClockFactor;

use super::*;
use crate::clock::ScaledClock;
use crate::config::{ClockConfig, Merchant, Registry, Route};

/// A provider that takes everything and is never called.
struct Anything(ProviderId);

impl Provider for Anything {
    fn id(&self) -> &ProviderId {
        &self.0
    }

    fn capabilities(&self, _: &Created) -> Option<Capabilities> {
        None
    }

    fn check(&self, _: &Created) -> Vec<FieldFault> {
        Vec::new()
    }

    fn build<'a>(&'a self, _: &'a Call, _: &'a dyn Signer) -> BoxFuture<'a, Result<Built, BuildError>> {
        unreachable!("ingest calls nobody")
    }

    fn parse<'a>(&'a self, _: &'a Call, _: &'a HttpResponse, _: &'a dyn Signer) -> BoxFuture<'a, CallReport> {
        unreachable!("ingest calls nobody")
    }

    fn verify(&self, _: &RawNotification, _: Timestamp) -> Result<VerifiedNotification, NotificationRefusal> {
        unreachable!("ingest takes no notifications")
    }

    fn answer(&self, _: NotificationFate<'_>) -> Option<NotificationAnswer> {
        unreachable!("ingest takes no notifications")
    }
}

impl ProviderGateway for Anything {
    fn capabilities(&self, _: &Created) -> Option<Capabilities> {
        None
    }

    fn call(&self, _: Call) -> BoxFuture<'_, CallReport> {
        unreachable!("ingest calls nobody")
    }
}

/// What happens before each call of an operation.
#[derive(Default)]
struct Faults(Mutex<BTreeMap<&'static str, Then>>);

impl FaultHook for Faults {
    fn fault(&self, point: FaultPoint) -> Fault {
        let then = self.0.lock().get(point.operation).copied().filter(|_| point.when == When::Before);
        then.map_or(Fault::NONE, Fault::of)
    }
}

struct Rig {
    ingest: Arc<Ingest>,
    cluster: MemoryCluster,
    store: Arc<MemoryStore>,
    faults: Arc<Faults>,
    stop: CancellationToken,
    _replies: tokio::task::JoinHandle<()>,
}

const EVENTS_KEPT: usize = 4;

fn rig() -> Rig {
    let provider: ProviderId = "anything".parse().unwrap();
    let route = Route {
        account: "main".parse().unwrap(),
        provider: provider.clone(),
        methods: vec!["web".to_owned()],
        order_prefix: "T-".to_owned(),
    };
    let merchant = Merchant {
        name: "Tea".to_owned(),
        shard_group: "m1".parse().unwrap(),
        routes: vec![route],
        late_payment: LatePolicy::Park,
        duplicate_payment: DuplicatePolicy::Park,
        accept_per_s_max: 100,
    };
    let registry = Registry { merchants: [("m1".parse().unwrap(), merchant)].into(), ..Registry::default() };
    let clock = Arc::new(ScaledClock::new(ClockConfig { factor: ClockFactor::REAL, origin_ms: None }));
    let config = MemoryLogConfig { partitions: 2, events_kept: EVENTS_KEPT, ..MemoryLogConfig::default() };
    let cluster = MemoryCluster::new(config, clock.clone(), ReplyRouter::default());
    let store = Arc::new(MemoryStore::new());
    let faults = Arc::new(Faults::default());
    let steps = Steps::new(faults.clone(), clock.clone());
    let waits = ReplyWaits::new("here".to_owned());
    let stop = CancellationToken::new();
    let anything = Arc::new(Anything(provider));
    let ingest = Arc::new(Ingest::new(IngestParts {
        registry: Arc::new(LiveRegistry::new(registry)),
        providers: {
            let anything = anything.clone();
            Arc::new(move |_| Some(anything.clone()))
        },
        gateway: anything,
        log: Arc::new(Unreliable::new(Arc::new(cluster.log()), steps.clone())),
        store: Arc::new(Unreliable::new(store.clone(), steps)),
        clock,
        waits: waits.clone(),
        config: IngestConfig {
            appends_in_flight_max: 10,
            lag_records_max: 10,
            retry_after: Duration::from_millis(100),
        },
        notify_base_url: "https://pay.example.com".to_owned(),
        stop: stop.clone(),
    }));
    let replies = tokio::spawn(waits.run(cluster.replies().subscribe("here")));
    Rig { ingest, cluster, store, faults, stop, _replies: replies }
}

fn request(description: &str, wait_s: i64) -> v1::CreateOrderRequest {
    v1::CreateOrderRequest {
        merchant_id: "m1".to_owned(),
        merchant_order_no: "A-1".to_owned(),
        request_id: "r-1".to_owned(),
        amount: Some(v1::Amount { currency: "CNY".to_owned(), minor: 100 }),
        description: description.to_owned(),
        wait: Some(prost_types::Duration { seconds: wait_s, nanos: 0 }),
        ..v1::CreateOrderRequest::default()
    }
}

fn key() -> OrderKey {
    OrderKey { merchant_id: "m1".parse().unwrap(), order_no: "A-1".parse().unwrap() }
}

impl Rig {
    /// The creates in the log.
    fn appended(&self) -> Vec<CreateCommand> {
        let partition = Partition::of(&"m1".parse().unwrap(), 2);
        let records =
            self.cluster.records(partition, 0).into_iter().filter_map(|delivered| delivered.record.ok());
        records
            .filter_map(|record| if let Record::Create(command) = record { Some(command) } else { None })
            .collect()
    }

    /// Waits until a create is in the log.
    async fn next_create(&self, count: usize) -> CreateCommand {
        loop {
            if let Some(command) = self.appended().into_iter().nth(count) {
                return command;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn store_facts(&self, facts: Vec<(FactKey, FactBody)>) {
        let now = self.ingest.now();
        let facts: Vec<Fact> =
            facts.into_iter().map(|(key, body)| Fact { key, body, time: now, cause: Cause::Timer }).collect();
        self.store.add_facts(&key(), &facts).await.unwrap();
    }
}

fn created(command: &CreateCommand) -> (FactKey, FactBody) {
    (FactKey::Created, FactBody::Created(command.created.clone()))
}

fn launch() -> (FactKey, FactBody) {
    let params = LaunchParams::RedirectUrl("https://pay.example.com/1".to_owned());
    (FactKey::Launch(1), FactBody::Launch(Launch { params, expire_time: None }))
}

#[tokio::test(start_paused = true)]
async fn without_wait_the_answer_rests_on_the_log_alone() {
    let rig = rig();
    rig.faults.0.lock().insert("read", Then::Fail);
    let answer = rig.ingest.create(&request("tea", 0), true).await.unwrap();
    let Answer::Created(created) = answer else { panic!("{answer:?}") };
    assert_eq!(created.out_trade_no.as_str(), "T-A-1");
    assert_eq!(created.notify_url, "https://pay.example.com/notify/anything/m1");
    assert_eq!(created.expire_time.since(created.created_time), Duration::from_secs(1800));
    assert_eq!(rig.appended().len(), 1);
    assert!(rig.appended()[0].reply_to.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_fingerprint_is_the_request_as_received() {
    let rig = rig();
    rig.ingest.create(&request("tea", 0), true).await.unwrap();
    let again = v1::CreateOrderRequest { request_id: "r-2".to_owned(), ..request("tea", 0) };
    rig.ingest.create(&again, true).await.unwrap();
    let explicit = v1::CreateOrderRequest { method: "web".to_owned(), ..request("tea", 0) };
    rig.ingest.create(&explicit, true).await.unwrap();
    let prints: Vec<_> = rig.appended().iter().map(|command| command.created.fingerprint.clone()).collect();
    assert!(prints[0].differing(&prints[1]).is_empty());
    assert_eq!(prints[0].differing(&prints[2]), ["method"]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_create_answers_when_its_reply_comes() {
    let rig = rig();
    let ingest = rig.ingest.clone();
    let waiting = tokio::spawn(async move { ingest.create(&request("tea", 30), true).await });
    let command = rig.next_create(0).await;
    rig.store_facts(vec![created(&command), launch()]).await;
    rig.cluster.log().reply(Reply { to: command.reply_to.unwrap(), key: key(), kind: ReplyKind::Ready });
    let Answer::Current(_, order) = waiting.await.unwrap().unwrap() else { panic!("nothing was read") };
    assert_eq!(order.state(), State::Pending);
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_costs_time_and_nothing_else() {
    let rig = rig();
    let ingest = rig.ingest.clone();
    let waiting = tokio::spawn(async move { ingest.create(&request("tea", 30), true).await });
    let command = rig.next_create(0).await;
    rig.store_facts(vec![created(&command), launch()]).await;
    assert!(matches!(waiting.await.unwrap(), Ok(Answer::Current(..))));
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_the_store_is_told_and_never_a_guess() {
    let rig = rig();
    // Nobody took the record out of the log: durable is all that is known.
    assert!(matches!(rig.ingest.create(&request("tea", 1), true).await, Ok(Answer::Created(_))));
    let command = rig.next_create(0).await;
    rig.store_facts(vec![created(&command)]).await;
    let answer = rig.ingest.create(&request("tea", 1), true).await.unwrap();
    let Answer::Current(_, order) = answer else { panic!("{answer:?}") };
    assert_eq!(order.state(), State::Accepted);
    // A store that does not answer adds nothing to what is known.
    rig.faults.0.lock().insert("read", Then::Fail);
    assert!(matches!(rig.ingest.create(&request("tea", 1), true).await, Ok(Answer::Created(_))));
}

#[tokio::test(start_paused = true)]
async fn another_content_under_the_number_is_a_conflict_by_reply_and_by_store() {
    let rig = rig();
    rig.ingest.create(&request("tea", 0), true).await.unwrap();
    let command = rig.next_create(0).await;
    rig.store_facts(vec![created(&command)]).await;
    let conflict = Refusal::Conflict { differing: vec!["description".to_owned()] };
    assert_eq!(rig.ingest.create(&request("coffee", 5), true).await.unwrap_err(), conflict);
    let ingest = rig.ingest.clone();
    rig.faults.0.lock().insert("read", Then::Fail);
    let waiting = tokio::spawn(async move { ingest.create(&request("milk", 30), true).await });
    let kind = ReplyKind::Conflict { differing: vec!["description".to_owned()] };
    let to = rig.next_create(2).await.reply_to.unwrap();
    rig.cluster.log().reply(Reply { to, key: key(), kind });
    assert_eq!(waiting.await.unwrap().unwrap_err(), conflict);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_does_not_take_it_is_told_apart_from_one_that_may_have() {
    let rig = rig();
    for (then, refusal) in [(Then::Fail, Refusal::LogUnavailable), (Then::Unknown, Refusal::AcceptUnknown)] {
        rig.faults.0.lock().insert("append", then);
        assert_eq!(rig.ingest.create(&request("tea", 0), true).await.unwrap_err(), refusal);
    }
    // A log that never answers is one whose outcome is not known.
    rig.faults.0.lock().insert("append", Then::Crash);
    assert_eq!(rig.ingest.create(&request("tea", 0), true).await.unwrap_err(), Refusal::AcceptUnknown);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_waits_with_what_is_known() {
    let rig = rig();
    let ingest = rig.ingest.clone();
    let begun = Instant::now();
    let waiting = tokio::spawn(async move { ingest.create(&request("tea", 30), true).await });
    rig.next_create(0).await;
    rig.stop.cancel();
    assert!(matches!(waiting.await.unwrap(), Ok(Answer::Created(_))));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_event_wakes_a_waiting_read() {
    let rig = rig();
    rig.ingest.create(&request("tea", 0), true).await.unwrap();
    let command = rig.next_create(0).await;
    rig.store_facts(vec![created(&command)]).await;
    let get = v1::GetOrderRequest {
        merchant_id: "m1".to_owned(),
        merchant_order_no: "A-1".to_owned(),
        wait: Some(prost_types::Duration { seconds: 30, nanos: 0 }),
        ..v1::GetOrderRequest::default()
    };
    let ingest = rig.ingest.clone();
    let waiting = tokio::spawn(async move { ingest.get(&get).await });
    // Long enough for the pauses between looks to be at their longest.
    tokio::time::sleep(Duration::from_secs(10)).await; // tidy: paused time
    rig.store_facts(vec![launch()]).await;
    let told = Instant::now();
    rig.cluster.log().publish(Partition::of(&"m1".parse().unwrap(), 2), event("launch/1")).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().1.state(), State::Pending);
    assert!(told.elapsed() < Duration::from_millis(10), "{:?}", told.elapsed());
}

fn event(subject: &str) -> Event {
    let time = Timestamp::from_millis(1);
    Event { key: key(), subject: subject.to_owned(), kind: EventKind::Launched, state: State::Pending, time }
}

#[tokio::test(start_paused = true)]
async fn a_token_behind_which_events_are_gone_is_refused() {
    let rig = rig();
    let mut request =
        v1::WatchOrdersRequest { merchant_id: "m1".to_owned(), ..v1::WatchOrdersRequest::default() };
    let mut watch = rig.ingest.watch(&request).await.unwrap();
    request.resume_token = Some(watch.sign_of_life().resume_token);
    let partition = Partition::of(&"m1".parse().unwrap(), 2);
    for n in 0..EVENTS_KEPT {
        rig.cluster.log().publish(partition, event(&format!("launch/{}", n + 1))).await.unwrap();
    }
    assert_eq!(watch.page(Duration::ZERO).await.unwrap().len(), EVENTS_KEPT);
    let mut resumed = rig.ingest.watch(&request).await.unwrap();
    assert_eq!(resumed.page(Duration::ZERO).await.unwrap().len(), EVENTS_KEPT);
    rig.cluster.log().publish(partition, event("launch/9")).await.unwrap();
    let mut late = rig.ingest.watch(&request).await.unwrap();
    assert_eq!(late.page(Duration::ZERO).await.unwrap_err(), Refusal::ResumeTokenExpired);
}
