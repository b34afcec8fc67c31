//! Lists over real gRPC above an embedded store that holds many orders: what one page may cost.

mod ages;
mod shards;

use std::collections::BTreeMap;

use paymux_backends::ReplyRouter;
use paymux_backends::embedded::{EmbeddedBackend, EmbeddedConfig};
use paymux_backends::memory::{MemoryBoard, MemoryLogConfig};
use paymux_domain::amount::{Amount, Currency};
use paymux_domain::capabilities::Capabilities;
use paymux_domain::command::{Created, Fingerprint, Payer};
use paymux_domain::fact::{AttentionReason, Cause, Closure, Fact, FactBody, FactKey};
use paymux_domain::name::OrderKey;
use paymux_domain::outcome::CallReport;
use paymux_domain::ports::{BoxFuture, Call, Clock, OrderStore, ProviderGateway};
use paymux_domain::time::Timestamp;
use paymux_proto::client::{Client, Refusal as Refused};
use paymux_proto::v1;
use paymux_proto::v1::{ErrorReason, ListOrdersRequest, ListParkedRequest, OrderState};
use tempfile::TempDir;

use super::*;
use crate::access::Callers;
use crate::config::IngestConfig;
use crate::fixture::Stage;
use crate::ingest::{IngestParts, ReplyWaits};
use crate::reload::ReloadStatus;
use crate::shards::Shards;
use crate::store_view::StoreView;

/// Providers that can do nothing but are configured.
struct Able;

impl ProviderGateway for Able {
    fn capabilities(&self, _: &Created) -> Option<Capabilities> {
        Some(Capabilities::NOTHING)
    }

    fn call(&self, _: Call) -> BoxFuture<'_, CallReport> {
        unreachable!("a door calls nobody")
    }
}

/// A server above a store, without an engine; the store holds what a test puts there.
struct Served {
    address: String,
    client: Client,
    store: Arc<dyn OrderStore>,
    board: MemoryBoard,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    _folder: TempDir,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve_lists() -> Served {
    serve_divided(1, 1).await
}

/// With so many partitions, and the group of the merchant in so many slices.
async fn serve_divided(partitions: u16, slices: u16) -> Served {
    serve_ageing(partitions, slices, None).await
}

/// The same, with connections of at most some age.
async fn serve_ageing(partitions: u16, slices: u16, age: Option<Duration>) -> Served {
    let stage = Stage::divided(MemoryLogConfig { partitions, ..MemoryLogConfig::default() }, 1, slices);
    let folder = TempDir::new().unwrap();
    let backend = EmbeddedBackend::open(EmbeddedConfig::new(folder.path()), ReplyRouter::default()).unwrap();
    let store: Arc<dyn OrderStore> = backend.store();
    let stop = CancellationToken::new();
    let retry_after = Duration::from_millis(100);
    let in_force_time = Timestamp::EPOCH;
    let (_, reloads) =
        tokio::sync::watch::channel(ReloadStatus { tries: 0, in_force_time, faults: Vec::new() });
    let board = MemoryBoard::default();
    let operator = OperatorParts {
        registry: stage.registry.clone(),
        log: Arc::new(stage.cluster.log()),
        reloads,
        store: StoreView::new(store.clone()),
        shards: Shards::new("here", None, Some(Arc::new(board.clone()))),
        clock: stage.clock.clone(),
    };
    let clock: Arc<dyn Clock> = stage.clock.clone();
    let ingest = Ingest::new(IngestParts {
        registry: stage.registry,
        gateway: Arc::new(Able),
        log: Arc::new(stage.cluster.log()),
        store: StoreView::new(store.clone()),
        clock: stage.clock.clone(),
        waits: ReplyWaits::new("here".to_owned()),
        config: IngestConfig { appends_in_flight_max: 1, lag_records_max: 100, retry_after },
        notify_base_url: String::new(),
        merchants_counted_max: 0,
        stop: stop.clone(),
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (_, health) = tonic_health::server::health_reporter();
    let gate = Gate::new(16, retry_after, stop.clone()).with_connection_age(age);
    let guards = Guards { access: Access::new(Callers::default(), clock.clone()), audit: None };
    tokio::spawn(serve(Door::new(listener, None), Arc::new(ingest), operator, health, gate, guards));
    let client = Client::connect(&address).await.unwrap();
    Served { address, client, store, board, clock, stop, _folder: folder }
}

impl Served {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Stores orders, one a millisecond: the youngest first in a list.
    async fn put(&self, count: usize, facts: fn(usize) -> Vec<(FactKey, FactBody)>, metadata: usize) {
        let puts = (0..count).map(|n| {
            let store = self.store.clone();
            tokio::spawn(async move {
                let created = created(n, metadata);
                let key = created.key.clone();
                let mut bodies = vec![(FactKey::Created, FactBody::Created(Arc::new(created)))];
                bodies.extend(facts(n));
                let time = Timestamp::EPOCH;
                let fact = |(key, body)| Fact { key, body, time, cause: Cause::Timer };
                store.add_facts(&key, &bodies.into_iter().map(fact).collect::<Vec<_>>()).await
            })
        });
        for put in puts.collect::<Vec<_>>() {
            put.await.unwrap().unwrap();
        }
    }

    /// The numbers of each page, to the last one.
    async fn pages(&self, mut request: ListOrdersRequest) -> Vec<Vec<String>> {
        let mut pages = Vec::new();
        loop {
            let page = self.client.orders().list_orders(request.clone()).await.unwrap().into_inner();
            pages.push(page.orders.into_iter().map(|order| order.merchant_order_no).collect());
            if page.next_page_token.is_empty() {
                return pages;
            }
            request.page_token = page.next_page_token;
        }
    }
}

fn created(n: usize, metadata: usize) -> Created {
    let order_no = format!("N-{n:05}");
    Created {
        key: OrderKey { merchant_id: "m1".parse().unwrap(), order_no: order_no.parse().unwrap() },
        request_id: "r-1".parse().unwrap(),
        provider: "saying".parse().unwrap(),
        account: "main".parse().unwrap(),
        shard_group: "m1".parse().unwrap(),
        method: "web".to_owned(),
        out_trade_no: order_no.parse().unwrap(),
        amount: Amount::new(100, Currency::Cny).unwrap(),
        description: "tea".to_owned(),
        attach: None,
        payer: Payer::default(),
        expire_time: Timestamp::EPOCH,
        created_time: Timestamp::from_millis(i64::try_from(n).unwrap()),
        notify_url: String::new(),
        return_url: None,
        metadata: BTreeMap::from([("label".to_owned(), "x".repeat(metadata))]),
        options_json: String::new(),
        fingerprint: Fingerprint::of([("method", "web")]),
    }
}

fn all(page_size: i32) -> ListOrdersRequest {
    ListOrdersRequest { merchant_id: "m1".to_owned(), page_size, ..ListOrdersRequest::default() }
}

fn sizes(pages: &[Vec<String>]) -> Vec<usize> {
    pages.iter().map(Vec::len).collect()
}

/// Every 1,500th order is closed.
fn seldom_closed(n: usize) -> Vec<(FactKey, FactBody)> {
    let closed = (FactKey::Closed, FactBody::Closed(Closure::NeverSent));
    n.is_multiple_of(1500).then_some(closed).into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_finds_little_ends_early_and_the_list_goes_on() {
    let served = serve_lists().await;
    served.put(4_500, seldom_closed, 0).await;
    let everything = served.pages(all(1000)).await;
    assert_eq!(sizes(&everything), [1000, 1000, 1000, 1000, 500]);
    let expected: Vec<_> = (0..4_500).rev().map(|n| format!("N-{n:05}")).collect();
    assert_eq!(everything.concat(), expected, "newest first, each once");
    assert_eq!(sizes(&served.pages(all(0)).await), [100; 45]);

    // A page looks at 2,000 orders, however few of them it shows.
    let only =
        |state: OrderState, page_size| ListOrdersRequest { states: vec![state.into()], ..all(page_size) };
    assert_eq!(sizes(&served.pages(only(OrderState::Failed, 10)).await), [0, 0, 0]);
    let closed = served.pages(only(OrderState::Closed, 10)).await;
    assert_eq!(closed, [vec!["N-03000"], vec!["N-01500"], vec!["N-00000"]]);
    // And shows no more than asked for, however many it has looked at.
    let closed = served.pages(only(OrderState::Closed, 1)).await.concat();
    assert_eq!(closed, ["N-03000", "N-01500", "N-00000"]);
    let accepted = served.pages(only(OrderState::Accepted, 1000)).await;
    assert_eq!(sizes(&accepted), [1000, 1000, 1000, 1000, 497]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_large_orders_is_one_that_every_client_can_read() {
    let served = serve_lists().await;
    served.put(300, |_| Vec::new(), 30_000).await;
    // The generated client, with the bounds that it has by itself.
    let channel = tonic::transport::Endpoint::from_shared(served.address.clone()).unwrap();
    let channel = channel.connect().await.unwrap();
    let mut orders = v1::order_service_client::OrderServiceClient::new(channel);
    let (mut request, mut seen, mut pages) = (all(1000), 0, 0);
    loop {
        let page = orders.list_orders(request.clone()).await.unwrap().into_inner();
        (seen, pages) = (seen + page.orders.len(), pages + 1);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!((seen, pages), (300, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_operators_lists_hold_for_their_filter_and_pages_for_their_size() {
    let served = serve_lists().await;
    let parked = |_| {
        [AttentionReason::RetriesExhausted, AttentionReason::AnswerMismatch]
            .map(|reason| (FactKey::Attention(reason, 1), FactBody::Attention("look".to_owned())))
            .to_vec()
    };
    served.put(25, parked, 0).await;
    let filter =
        |reason: v1::AttentionReason| v1::OrderFilter { reasons: vec![reason.into()], ..Default::default() };
    let exhausted = Some(filter(v1::AttentionReason::RetriesExhausted));
    let mut request = ListParkedRequest { filter: exhausted, page_size: 10, ..ListParkedRequest::default() };
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = served.client.operator().list_parked(request.clone()).await.unwrap().into_inner();
        assert!(page.orders.len() <= 10);
        for order in &page.orders {
            let ways = &order.way_out;
            assert!(ways.contains("RETRIES_EXHAUSTED: ") && ways.contains("ANSWER_MISMATCH: "), "{ways}");
        }
        seen.extend(page.orders.into_iter().map(|order| order.merchant_order_no));
        if page.next_page_token.is_empty() {
            break;
        }
        token.clone_from(&page.next_page_token);
        request.page_token = page.next_page_token;
    }
    assert_eq!(seen, (0..25).map(|n| format!("N-{n:05}")).collect::<Vec<_>>());
    for filter in [Some(filter(v1::AttentionReason::PaymentMismatch)), None] {
        let other = ListParkedRequest { filter, page_token: token.clone(), page_size: 10 };
        let refused = Refused::of(&served.client.operator().list_parked(other).await.unwrap_err());
        assert_eq!(refused.reason, ErrorReason::PageTokenInvalid);
        assert_eq!(refused.violations[0].0, "page_token");
    }
    let unknown = v1::OrderFilter { reasons: vec![99], ..v1::OrderFilter::default() };
    let request = ListParkedRequest { filter: Some(unknown), ..ListParkedRequest::default() };
    let refused = Refused::of(&served.client.operator().list_parked(request).await.unwrap_err());
    assert_eq!(
        (refused.reason, refused.violations[0].0.as_str()),
        (ErrorReason::FieldInvalid, "filter.reasons")
    );
}

impl Served {
    /// Stores orders that are parked, of which nothing but that is known.
    async fn park(&self, merchant_id: &str, count: usize) {
        let puts = (0..count).map(|n| {
            let (store, order_no) = (self.store.clone(), format!("N-{n:05}"));
            let key =
                OrderKey { merchant_id: merchant_id.parse().unwrap(), order_no: order_no.parse().unwrap() };
            tokio::spawn(
                async move { store.add_facts(&key, &[parked(AttentionReason::RetriesExhausted)]).await },
            )
        });
        for put in puts.collect::<Vec<_>>() {
            put.await.unwrap().unwrap();
        }
    }

    async fn replay(&self, count_max: i32) -> v1::ReplayResponse {
        let request = v1::ReplayRequest {
            request_id: "replay".to_owned(),
            reason: "a test".to_owned(),
            count_max,
            target: Some(v1::replay_request::Target::Parked(v1::OrderFilter::default())),
            ..v1::ReplayRequest::default()
        };
        self.client.operator().replay(request).await.unwrap().into_inner()
    }
}

fn parked(reason: AttentionReason) -> Fact {
    let body = FactBody::Attention("look".to_owned());
    Fact { key: FactKey::Attention(reason, 1), body, time: Timestamp::EPOCH, cause: Cause::Timer }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_goes_past_what_has_nothing_to_do() {
    let served = serve_lists().await;
    served.park("gone", 2).await;
    let exhausted = |_| {
        let fact = parked(AttentionReason::RetriesExhausted);
        vec![(fact.key, fact.body)]
    };
    served.put(3, exhausted, 0).await;
    let replayed = served.replay(2).await;
    let told: Vec<_> =
        replayed.items.iter().map(|item| (item.order.clone().unwrap(), &item.effect)).collect();
    assert_eq!((replayed.replayed_count, replayed.more, told.len()), (2, true, 4), "{told:?}");
    for (order, effect) in told {
        let is_gone = order.merchant_id == "gone";
        assert_eq!(effect == "nothing: merchant not configured", is_gone, "{order:?}: {effect}");
    }
    let replayed = served.replay(3).await;
    assert_eq!((replayed.replayed_count, replayed.more), (3, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_looks_at_so_many_orders_and_says_that_there_may_be_more() {
    let served = serve_lists().await;
    served.park("gone", 10_001).await;
    let replayed = served.replay(1).await;
    assert_eq!((replayed.matched_count, replayed.replayed_count, replayed.more), (10_000, 0, true));
}

#[test]
fn watches_take_no_place_of_a_call_and_have_a_bound_of_their_own() {
    let stop = CancellationToken::new();
    let gate = Gate::new(1, Duration::from_millis(100), stop.clone());
    let watches: Vec<_> = (0..WATCHES_MAX).map(|_| gate.enter_watch().unwrap()).collect();
    assert!(matches!(gate.enter_watch(), Err(Refusal::Overloaded(_))));
    let call = gate.enter().unwrap();
    assert!(matches!(gate.enter(), Err(Refusal::Overloaded(_))));
    drop((watches, call));
    drop(gate.enter_watch().unwrap());
    stop.cancel();
    assert!(matches!(gate.enter_watch(), Err(Refusal::ShuttingDown)));
}
