//! Ingest above a log and a store in memory: what is acknowledged, what is waited for, what is never guessed.

mod confirmations;
mod slices;
mod together;

use paymux_backends::faults::{Then, Unreliable};
use paymux_backends::memory::{MemoryCluster, MemoryLogConfig, MemoryStore};
use paymux_domain::event::{Event, EventKind};
use paymux_domain::fact::{Cause, Fact, FactBody, FactKey};
use paymux_domain::fold::State;
use paymux_domain::launch::{Launch, LaunchParams};
use paymux_domain::ports::{OrderStore as _, Reply};
use paymux_proto::api;
use paymux_proto::v1::create_order_request::Expiry;

use super::*;
use crate::fixture::{Faults, Stage};

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
    rig_of(2, 1)
}

/// A rig with so many partitions, and the group of its merchant in so many slices.
fn rig_of(partitions: u16, slices: u16) -> Rig {
    let config = MemoryLogConfig { partitions, events_kept: EVENTS_KEPT, ..MemoryLogConfig::default() };
    let stage = Stage::divided(config, 100, slices);
    let Stage { registry, saying, clock, cluster, faults, steps } = stage;
    let store = Arc::new(MemoryStore::new());
    let waits = ReplyWaits::new("here".to_owned());
    let stop = CancellationToken::new();
    let ingest = Arc::new(Ingest::new(IngestParts {
        registry,
        gateway: saying,
        log: Arc::new(Unreliable::new(Arc::new(cluster.log()), steps.clone())),
        store: StoreView::new(Arc::new(Unreliable::new(store.clone(), steps))),
        clock,
        waits: waits.clone(),
        config: IngestConfig {
            appends_in_flight_max: 10,
            lag_records_max: 100,
            retry_after: Duration::from_millis(100),
        },
        notify_base_url: "https://pay.example.com".to_owned(),
        merchants_counted_max: 0,
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
    (FactKey::Launch(1), FactBody::Launch(Launch { params, expire_time: None, provider_order_no: None }))
}

#[tokio::test(start_paused = true)]
async fn without_wait_the_answer_rests_on_the_log_alone() {
    let rig = rig();
    ["read", "read_facts"].into_iter().for_each(|read| rig.faults.set(read, Then::Fail));
    let answer = rig.ingest.create(&request("tea", 0)).await.unwrap();
    let Answer::Created(created) = answer else { panic!("{answer:?}") };
    assert_eq!(created.out_trade_no.as_str(), "T-A-1");
    assert_eq!(created.notify_url, "https://pay.example.com/notify/saying/m1");
    assert_eq!(created.expire_time.since(created.created_time), Duration::from_secs(1800));
    assert_eq!(rig.appended().len(), 1);
    assert!(rig.appended()[0].reply_to.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_command_says_who_asked() {
    let rig = rig();
    let request = CommandRequest {
        merchant_id: "m1".to_owned(),
        merchant_order_no: "A-1".to_owned(),
        request_id: "r-1".to_owned(),
        wait: None,
        caller: "checkout".to_owned(),
    };
    rig.ingest.close(&request).await.unwrap();
    rig.ingest.requery(&request).await.unwrap();
    let records = rig.cluster.records(Partition::of(&"m1".parse().unwrap(), 2), 0);
    let asked: Vec<_> = records.into_iter().map(|delivered| delivered.record.unwrap()).collect();
    let [Record::Close(close), Record::Requery(requery)] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((close.caller.as_str(), requery.caller.as_str()), ("checkout", "checkout"));
}

#[tokio::test(start_paused = true)]
async fn what_the_provider_resolves_stands_in_the_record_once() {
    let rig = rig();
    rig.ingest.create(&request("tea", 0)).await.unwrap();
    assert_eq!(rig.appended()[0].created.options_json, "resolved");
}

#[tokio::test(start_paused = true)]
async fn the_fingerprint_is_the_request_as_received() {
    let rig = rig();
    rig.ingest.create(&request("tea", 0)).await.unwrap();
    let again = v1::CreateOrderRequest { request_id: "r-2".to_owned(), ..request("tea", 0) };
    rig.ingest.create(&again).await.unwrap();
    let explicit = v1::CreateOrderRequest { method: "web".to_owned(), ..request("tea", 0) };
    rig.ingest.create(&explicit).await.unwrap();
    let prints: Vec<_> = rig.appended().iter().map(|command| command.created.fingerprint.clone()).collect();
    assert!(prints[0].differing(&prints[1]).is_empty());
    assert_eq!(prints[0].differing(&prints[2]), ["method"]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_create_answers_when_its_reply_comes() {
    let rig = rig();
    let ingest = rig.ingest.clone();
    let waiting = tokio::spawn(async move { ingest.create(&request("tea", 30)).await });
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
    let waiting = tokio::spawn(async move { ingest.create(&request("tea", 30)).await });
    let command = rig.next_create(0).await;
    rig.store_facts(vec![created(&command), launch()]).await;
    assert!(matches!(waiting.await.unwrap(), Ok(Answer::Current(..))));
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_the_store_is_told_and_never_a_guess() {
    let rig = rig();
    // Nobody took the record out of the log: durable is all that is known.
    assert!(matches!(rig.ingest.create(&request("tea", 1)).await, Ok(Answer::Created(_))));
    let command = rig.next_create(0).await;
    rig.store_facts(vec![created(&command)]).await;
    let answer = rig.ingest.create(&request("tea", 1)).await.unwrap();
    let Answer::Current(_, order) = answer else { panic!("{answer:?}") };
    assert_eq!(order.state(), State::Accepted);
    // A store that does not answer adds nothing to what is known.
    rig.faults.set("read_facts", Then::Fail);
    assert!(matches!(rig.ingest.create(&request("tea", 1)).await, Ok(Answer::Created(_))));
}

#[tokio::test(start_paused = true)]
async fn another_content_under_the_number_is_a_conflict_by_reply_and_by_store() {
    let rig = rig();
    rig.ingest.create(&request("tea", 0)).await.unwrap();
    let command = rig.next_create(0).await;
    rig.store_facts(vec![created(&command)]).await;
    let conflict = Refusal::Conflict { differing: vec!["description".to_owned()] };
    assert_eq!(rig.ingest.create(&request("coffee", 5)).await.unwrap_err(), conflict);
    let ingest = rig.ingest.clone();
    rig.faults.set("read_facts", Then::Fail);
    let waiting = tokio::spawn(async move { ingest.create(&request("milk", 30)).await });
    let kind = ReplyKind::Conflict { differing: vec!["description".to_owned()] };
    let to = rig.next_create(2).await.reply_to.unwrap();
    rig.cluster.log().reply(Reply { to, key: key(), kind });
    assert_eq!(waiting.await.unwrap().unwrap_err(), conflict);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_whose_time_has_come_near_is_answered_from_the_order() {
    let rig = rig();
    let until = |after: Duration| {
        let expiry = api::timestamp(rig.ingest.now() + after);
        v1::CreateOrderRequest { expiry: Some(Expiry::ExpireTime(expiry)), ..request("tea", 0) }
    };
    let late = until(Duration::from_secs(59));
    let fault = |refusal: Refusal| match refusal {
        Refusal::Fields(faults) => faults.into_iter().map(|fault| fault.field).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(fault(rig.ingest.create(&late).await.unwrap_err()), ["expire_time"]);

    // The same request as it was accepted while there was time.
    let early = until(Duration::from_secs(600));
    rig.ingest.create(&early).await.unwrap();
    let mut accepted = (*rig.next_create(0).await.created).clone();
    let Some(Expiry::ExpireTime(time)) = &late.expiry else { unreachable!() };
    accepted.expire_time = api::instant(time).unwrap();
    accepted.fingerprint = fields::fingerprint(&late, "");
    rig.store_facts(vec![(FactKey::Created, FactBody::Created(Arc::new(accepted)))]).await;
    let answer = rig.ingest.create(&late).await.unwrap();
    let Answer::Current(_, order) = answer else { panic!("{answer:?}") };
    assert_eq!(order.state(), State::Accepted);

    let other = v1::CreateOrderRequest { description: "coffee".to_owned(), ..late.clone() };
    let conflict = Refusal::Conflict { differing: vec!["description".to_owned()] };
    assert_eq!(rig.ingest.create(&other).await.unwrap_err(), conflict);
    let faulty = v1::CreateOrderRequest { description: String::new(), ..late };
    assert_eq!(fault(rig.ingest.create(&faulty).await.unwrap_err()), ["description", "expire_time"]);
    assert_eq!(rig.appended().len(), 1, "a repeat is not appended");
}

#[tokio::test(start_paused = true)]
async fn an_empty_provider_is_the_default_route_and_a_bulk_order_waits_for_nothing() {
    let rig = rig();
    let empty = v1::CreateOrderRequest { provider: Some(String::new()), ..request("tea", 0) };
    assert!(matches!(rig.ingest.create(&empty).await, Ok(Answer::Created(_))));
    let long = request("tea", 31);
    assert!(matches!(rig.ingest.create(&long).await, Err(Refusal::Fields(_))));
    assert!(matches!(rig.ingest.create_all(vec![Ok(&long)]).await.as_slice(), [Ok(())]));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_does_not_take_it_is_told_apart_from_one_that_may_have() {
    let rig = rig();
    for (then, refusal) in [(Then::Fail, Refusal::LogUnavailable), (Then::Unknown, Refusal::AcceptUnknown)] {
        rig.faults.set("append", then);
        assert_eq!(rig.ingest.create(&request("tea", 0)).await.unwrap_err(), refusal);
    }
    // A log that never answers is one whose outcome is not known.
    rig.faults.set("append", Then::Crash);
    assert_eq!(rig.ingest.create(&request("tea", 0)).await.unwrap_err(), Refusal::AcceptUnknown);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_waits_with_what_is_known() {
    let rig = rig();
    let ingest = rig.ingest.clone();
    let begun = Instant::now();
    let waiting = tokio::spawn(async move { ingest.create(&request("tea", 30)).await });
    rig.next_create(0).await;
    rig.stop.cancel();
    assert!(matches!(waiting.await.unwrap(), Ok(Answer::Created(_))));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_event_wakes_a_waiting_read() {
    let rig = rig();
    rig.ingest.create(&request("tea", 0)).await.unwrap();
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
