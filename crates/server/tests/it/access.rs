//! Access: what each method answers to whom, and that a refusal says nothing of what there is.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;

use paymux_proto::client::{Client, Credentials, Refusal};
use paymux_proto::v1;
use paymux_proto::v1::ErrorReason;
use paymux_proto::v1::get_shard_request::Target as Shard;
use paymux_proto::v1::replay_request::Target as Replayed;
use tempfile::TempDir;
use tonic::{Code, Status};

use crate::rig::{Ports, Server, World, get, order, paymux};

/// The number of an order that exists, under the merchant that owns it.
const EXISTING: &str = "ACCESS-0001";

/// A number that nobody has used.
const MISSING: &str = "ACCESS-9999";

/// A caller with its key, as `paymux caller key` makes it.
#[derive(Clone, Debug)]
pub(crate) struct Keyed {
    name: &'static str,
    pub(crate) key: String,
    hash: String,
}

impl Keyed {
    pub(crate) fn new(name: &'static str) -> Self {
        let output = paymux(&["caller", "key", name, "--output", "json"]);
        let made: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let text = |field: &str| made[field].as_str().expect(field).to_owned();
        assert_eq!(text("caller"), name);
        Self { name, key: text("key"), hash: text("key_sha256") }
    }

    /// Its section of the configuration.
    pub(crate) fn section(&self, rights: &str, merchants: &str, more: &str) -> String {
        let Self { name, hash, .. } = self;
        format!(
            "\n[callers.{name}]\nkey_sha256 = [\"{hash}\"]\nrights = [{rights}]\nmerchants = [{merchants}]\n{more}\n"
        )
    }

    pub(crate) async fn client(&self, server: &Server) -> Client {
        client(server, Some(&self.key)).await
    }
}

pub(crate) async fn client(server: &Server, key: Option<&str>) -> Client {
    let credentials = Credentials::default();
    let credentials = match key {
        Some(key) => credentials.with_key(key).expect("a key that can be sent"),
        None => credentials,
    };
    Client::connect_as(&server.grpc, &credentials).await.expect("the server answers")
}

/// The configuration of a world with further sections, beside it so that its secrets are found.
pub(crate) fn config_with(world: &World, name: &str, sections: &str) -> std::path::PathBuf {
    let base = std::fs::read_to_string(world.config_file()).expect("a configuration");
    let file = world.folder.path().join(name);
    std::fs::write(&file, format!("{base}\n{sections}")).expect("it can be written");
    file
}

pub(crate) fn audit_section(file: &Path) -> String {
    format!("[access]\naudit_file = \"{}\"\n", file.display())
}

type Calling<'a> = Pin<Box<dyn Future<Output = Result<(), Status>> + Send + 'a>>;

/// A method with the call that is made of it, for a merchant and an order number.
struct Row {
    method: &'static str,
    /// Rights of which one is enough.
    rights: &'static [&'static str],
    /// Whether a caller of some merchants is refused what names none of its own.
    foreign: Foreign,
    call: for<'a> fn(&'a Client, &'a str, &'a str) -> Calling<'a>,
}

/// What happens to a call about another merchant's orders.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Foreign {
    /// PERMISSION_DENIED.
    Refused,
    /// It names no merchant: the answer leaves out what is not the caller's.
    LeftOut,
    /// Its items are answered one by one.
    Item,
}

macro_rules! row {
    ($method:literal, $rights:expr, $foreign:ident, $service:ident . $call:ident, |$merchant:ident, $number:ident| $request:expr) => {
        Row {
            method: $method,
            rights: $rights,
            foreign: Foreign::$foreign,
            call: |client, $merchant, $number| {
                Box::pin(async move {
                    // Not every method names an order.
                    let _ = ($merchant, $number);
                    client.$service().$call($request).await.map(drop)
                })
            },
        }
    };
}

fn filter(merchant: &str) -> v1::OrderFilter {
    v1::OrderFilter { merchant_id: Some(merchant.to_owned()), ..v1::OrderFilter::default() }
}

const SUBMIT: &[&str] = &["submit"];
const READ: &[&str] = &["read"];
const OPERATE: &[&str] = &["operate"];
const EITHER: &[&str] = &["submit", "operate"];

/// Every method of both services.
fn rows() -> Vec<Row> {
    let mut rows = order_rows();
    rows.extend(operator_rows());
    rows
}

fn order_rows() -> Vec<Row> {
    vec![
        row!("OrderService/CreateOrder", SUBMIT, Refused, orders.create_order, |m, n| order(m, n, 100)),
        row!("OrderService/SubmitOrders", SUBMIT, Item, orders.submit_orders, |m, n| {
            tokio_stream::iter([v1::SubmitOrdersRequest { order: Some(order(m, n, 100)) }])
        }),
        row!("OrderService/GetOrder", READ, Refused, orders.get_order, |m, n| get(m, n, 0)),
        row!("OrderService/ListOrders", READ, Refused, orders.list_orders, |m, _n| v1::ListOrdersRequest {
            merchant_id: m.to_owned(),
            ..v1::ListOrdersRequest::default()
        }),
        row!("OrderService/FindOrder", READ, Refused, orders.find_order, |m, n| v1::FindOrderRequest {
            merchant_id: m.to_owned(),
            provider: "wechatpay".to_owned(),
            provider_trade_no: n.to_owned(),
        }),
        row!("OrderService/WatchOrders", READ, Refused, orders.watch_orders, |m, n| v1::WatchOrdersRequest {
            merchant_id: m.to_owned(),
            merchant_order_no: Some(n.to_owned()),
            ..v1::WatchOrdersRequest::default()
        }),
        row!("OrderService/CloseOrder", EITHER, Refused, orders.close_order, |m, n| v1::CloseOrderRequest {
            merchant_id: m.to_owned(),
            merchant_order_no: n.to_owned(),
            request_id: "close".to_owned(),
            wait: None,
        }),
        row!("OrderService/RequeryOrder", EITHER, Refused, orders.requery_order, |m, n| {
            v1::RequeryOrderRequest {
                merchant_id: m.to_owned(),
                merchant_order_no: n.to_owned(),
                request_id: "requery".to_owned(),
                wait: None,
            }
        }),
        row!("OrderService/RefundOrder", SUBMIT, Refused, orders.refund_order, |m, n| {
            v1::RefundOrderRequest {
                merchant_id: m.to_owned(),
                merchant_order_no: n.to_owned(),
                refund_no: "R1".to_owned(),
                request_id: "refund".to_owned(),
                amount: Some(v1::Amount { currency: "CNY".to_owned(), minor: 1 }),
                ..v1::RefundOrderRequest::default()
            }
        }),
        row!("OrderService/GetRefund", READ, Refused, orders.get_refund, |m, n| v1::GetRefundRequest {
            merchant_id: m.to_owned(),
            merchant_order_no: n.to_owned(),
            refund_no: "R1".to_owned(),
            wait: None,
        }),
        row!("OrderService/GetTimeline", READ, Refused, orders.get_timeline, |m, n| v1::GetTimelineRequest {
            merchant_id: m.to_owned(),
            merchant_order_no: n.to_owned(),
        }),
    ]
}

fn operator_rows() -> Vec<Row> {
    vec![
        row!("OperatorService/ListParked", OPERATE, Refused, operator.list_parked, |m, _n| {
            v1::ListParkedRequest { filter: Some(filter(m)), ..v1::ListParkedRequest::default() }
        }),
        row!("OperatorService/ListDead", OPERATE, Refused, operator.list_dead, |_m, _n| {
            v1::ListDeadRequest::default()
        }),
        row!("OperatorService/ListUnresolved", OPERATE, Refused, operator.list_unresolved, |m, _n| {
            v1::ListUnresolvedRequest { filter: Some(filter(m)), ..v1::ListUnresolvedRequest::default() }
        }),
        row!("OperatorService/Replay", OPERATE, Refused, operator.replay, |m, n| v1::ReplayRequest {
            request_id: "replay".to_owned(),
            reason: "a test".to_owned(),
            count_max: 1,
            target: Some(Replayed::Order(v1::OrderName {
                merchant_id: m.to_owned(),
                merchant_order_no: n.to_owned(),
            })),
            ..v1::ReplayRequest::default()
        }),
        row!("OperatorService/ConfirmOutcome", OPERATE, Refused, operator.confirm_outcome, |m, n| {
            v1::ConfirmOutcomeRequest {
                merchant_id: m.to_owned(),
                merchant_order_no: n.to_owned(),
                request_id: "confirm".to_owned(),
                reason: "a test".to_owned(),
                outcome: Some(v1::confirm_outcome_request::Outcome::Unpaid(v1::ConfirmedUnpaid {})),
                ..v1::ConfirmOutcomeRequest::default()
            }
        }),
        row!("OperatorService/GetShard", OPERATE, Refused, operator.get_shard, |m, _n| v1::GetShardRequest {
            target: Some(Shard::MerchantId(m.to_owned())),
        }),
        row!("OperatorService/GetLimits", OPERATE, Refused, operator.get_limits, |_m, _n| {
            v1::GetLimitsRequest { provider: "wechatpay".to_owned(), account: "direct-own-0".to_owned() }
        }),
        row!("OperatorService/ListMerchants", OPERATE, LeftOut, operator.list_merchants, |_m, _n| {
            v1::ListMerchantsRequest::default()
        }),
    ]
}

/// Methods that only a caller of all merchants may call, since they name none; this release answers neither.
const FOR_ALL: [&str; 2] = ["OperatorService/ListDead", "OperatorService/GetLimits"];

fn judged(answer: Result<(), Status>) -> Option<(Code, ErrorReason)> {
    let refusal = Refusal::of(&answer.err()?);
    Some((refusal.code, refusal.reason))
}

const UNKNOWN: Option<(Code, ErrorReason)> = Some((Code::Unauthenticated, ErrorReason::CredentialsInvalid));
const DENIED: Option<(Code, ErrorReason)> = Some((Code::PermissionDenied, ErrorReason::NotAllowed));

/// Whether access let a call through to the service, which may refuse it for reasons of its own.
fn passed(answer: Option<(Code, ErrorReason)>) -> bool {
    !matches!(answer, Some((Code::Unauthenticated | Code::PermissionDenied, _)))
}

/// A world, and a server with callers on it.
struct Rig {
    world: World,
    server: Server,
    _data: TempDir,
    audit: std::path::PathBuf,
}

impl Rig {
    fn start(sections: &str) -> Self {
        let world = World::start(&[]);
        let data = TempDir::new().expect("a test rig that works");
        let audit = data.path().join("audit.jsonl");
        let config = config_with(&world, "access.toml", &format!("{}{sections}", audit_section(&audit)));
        let server = Server::start(&config, &data.path().join("data"), Ports::free());
        Self { world, server, _data: data, audit }
    }

    fn audited(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(&self.audit).expect("a test rig that works");
        text.lines().map(|line| serde_json::from_str(line).expect("a test rig that works")).collect()
    }
}

#[test]
fn every_method_of_the_api_has_its_row() {
    let api: BTreeSet<String> = paymux_proto::methods()
        .unwrap()
        .iter()
        .map(|method| format!("{}/{}", method.service, method.name))
        .collect();
    let rows: BTreeSet<String> = rows().iter().map(|row| row.method.to_owned()).collect();
    assert_eq!(api, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_answers_each_kind_of_caller_as_defined() {
    let all = Keyed::new("all");
    let rights = ["submit", "read", "operate"];
    let single = ["submitter", "reader", "operator"].map(Keyed::new);
    let mine = Keyed::new("mine");
    let mut sections = all.section("\"submit\", \"read\", \"operate\"", "\"*\"", "");
    for (caller, right) in single.iter().zip(rights) {
        sections.push_str(&caller.section(&format!("\"{right}\""), "\"*\"", ""));
    }
    sections.push_str(&mine.section("\"submit\", \"read\", \"operate\"", "\"m01\"", ""));
    let rig = Rig::start(&sections);
    all.client(&rig.server).await.create(order("m02", EXISTING, 100)).await.unwrap();
    let nobody = client(&rig.server, None).await;
    let wrong = client(&rig.server, Some(&Keyed::new("nobody").key)).await;
    let mine = mine.client(&rig.server).await;
    let all = all.client(&rig.server).await;
    for row in rows() {
        let method = row.method;
        assert_eq!(judged((row.call)(&nobody, "m01", MISSING).await), UNKNOWN, "{method}: no key");
        assert_eq!(judged((row.call)(&wrong, "m01", MISSING).await), UNKNOWN, "{method}: wrong key");
        for (caller, right) in single.iter().zip(rights) {
            let answer = judged((row.call)(&caller.client(&rig.server).await, "m02", MISSING).await);
            if row.rights.contains(&right) {
                assert!(passed(answer), "{method} with the right {right}: {answer:?}");
            } else {
                assert_eq!(answer, DENIED, "{method} with the right {right} alone");
            }
        }
        let foreign = judged((row.call)(&mine, "m02", MISSING).await);
        match row.foreign {
            Foreign::Refused => assert_eq!(foreign, DENIED, "{method}: other merchant"),
            Foreign::LeftOut | Foreign::Item => assert!(passed(foreign), "{method}: {foreign:?}"),
        }
        let own = judged((row.call)(&mine, "m01", MISSING).await);
        assert_eq!(passed(own), !FOR_ALL.contains(&method), "{method}: own merchant: {own:?}");
        let right = judged((row.call)(&all, "m01", MISSING).await);
        assert!(passed(right), "{method}: all rights: {right:?}");
        let implemented = !matches!(right, Some((Code::Unimplemented, _)));
        assert_eq!(implemented, !FOR_ALL.contains(&method), "{method}: {right:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_the_same_whether_merchant_and_order_exist_or_not() {
    let (all, mine) = (Keyed::new("all"), Keyed::new("mine"));
    let everything = "\"submit\", \"read\", \"operate\"";
    let rig = Rig::start(&(all.section(everything, "\"*\"", "") + &mine.section(everything, "\"m01\"", "")));
    all.client(&rig.server).await.create(order("m02", EXISTING, 100)).await.unwrap();
    let mine = mine.client(&rig.server).await;
    for row in rows().iter().filter(|row| row.foreign == Foreign::Refused) {
        let mut answers = Vec::new();
        for (merchant, number) in
            [("m02", EXISTING), ("m02", MISSING), ("nobody", MISSING), ("no merchant's name!", "!")]
        {
            let status = (row.call)(&mine, merchant, number).await.unwrap_err();
            answers.push((status.code(), status.message().to_owned(), status.details().to_vec()));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{}: {answers:?}", row.method);
    }
    // In a stream each item has its own answer, and the stream goes on.
    let items = [("m02", EXISTING), ("m02", MISSING), ("nobody", MISSING), ("m01", "ACCESS-0002")];
    let items = items.map(|(m, n)| v1::SubmitOrdersRequest { order: Some(order(m, n, 100)) });
    let mut answers = mine.orders().submit_orders(tokio_stream::iter(items)).await.unwrap().into_inner();
    let mut told = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        let status = answer.status.unwrap();
        told.push((status.code, status.message));
    }
    let [rest @ .., last] = &told[..] else { panic!("no answers") };
    assert_eq!(last.0, 0, "{told:?}");
    assert!(rest.iter().all(|one| *one == rest[0] && one.0 == i32::from(Code::PermissionDenied)), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_without_a_merchant_show_the_callers_own_alone() {
    let mine = Keyed::new("mine");
    let rig = Rig::start(&mine.section("\"operate\"", "\"m01\", \"m03\", \"not-configured\"", ""));
    let client = mine.client(&rig.server).await;
    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListMerchantsRequest { page_size: 1, page_token };
        let page = client.operator().list_merchants(request).await.unwrap().into_inner();
        seen.extend(page.merchants.into_iter().map(|merchant| merchant.merchant_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["m01", "m03"]);
    let parked = client.operator().list_parked(v1::ListParkedRequest::default()).await.unwrap();
    assert!(parked.into_inner().orders.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_need_no_key_and_reflection_does() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus;
    use tonic_health::pb::health_client::HealthClient;
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

    let reader = Keyed::new("reader");
    let rig = Rig::start(&reader.section("\"read\"", "\"m01\"", ""));
    let address = rig.server.grpc.clone();
    let channel = tonic::transport::Endpoint::from_shared(address).unwrap().connect().await.unwrap();
    // Readiness follows the worker, which may need a moment: watched, not asked once.
    let mut statuses =
        HealthClient::new(channel.clone()).watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    while statuses.message().await.unwrap().unwrap().status() != ServingStatus::Serving {}

    let reflect = async |key: Option<&str>| {
        let list = ServerReflectionRequest {
            message_request: Some(MessageRequest::ListServices(String::new())),
            ..ServerReflectionRequest::default()
        };
        let mut request = tonic::Request::new(tokio_stream::iter([list]));
        if let Some(key) = key {
            request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        }
        ServerReflectionClient::new(channel.clone()).server_reflection_info(request).await.map(drop)
    };
    assert_eq!(judged(reflect(None).await), UNKNOWN);
    assert_eq!(judged(reflect(Some(&reader.key)).await), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_overlap_and_two_headers_are_none() {
    let (old, new) = (Keyed::new("shop"), Keyed::new("shop"));
    let both =
        old.section("\"read\"", "\"m01\"", "").replace(&old.hash, &format!("{}\", \"{}", old.hash, new.hash));
    let rig = Rig::start(&both);
    for caller in [&old, &new] {
        let answer = caller.client(&rig.server).await.orders().get_order(get("m01", MISSING, 0)).await;
        assert_eq!(judged(answer.map(drop)), Some((Code::NotFound, ErrorReason::OrderNotFound)));
    }
    // Which of two would count is nobody's guess.
    let channel = tonic::transport::Endpoint::from_shared(rig.server.grpc.clone()).unwrap();
    let mut by_hand = v1::order_service_client::OrderServiceClient::new(channel.connect().await.unwrap());
    let mut request = get("m01", MISSING, 0);
    for key in [&new.key, &old.key] {
        request.metadata_mut().append("authorization", format!("Bearer {key}").parse().unwrap());
    }
    assert_eq!(judged(by_hand.get_order(request).await.map(drop)), UNKNOWN);
}

#[tokio::test(flavor = "multi_thread")]
async fn rate_and_concurrency_of_a_caller_hold_and_touch_nobody_else() {
    let (slow, other) = (Keyed::new("slow"), Keyed::new("other"));
    let limits = "requests_per_s = 1\nburst = 5\nconcurrency_max = 2";
    let everything = "\"submit\", \"read\"";
    let rig = Rig::start(
        &(slow.section(everything, "\"m01\"", limits) + &other.section(everything, "\"m01\"", "")),
    );
    let (slow, other) = (slow.client(&rig.server).await, other.client(&rig.server).await);

    // Opening the stream is one request, each of its items another one.
    let items =
        (0..8).map(|n| v1::SubmitOrdersRequest { order: Some(order("m01", &format!("RATE-{n:04}"), 100)) });
    let items: Vec<_> = items.collect();
    let mut answers = slow.orders().submit_orders(tokio_stream::iter(items)).await.unwrap().into_inner();
    let mut codes = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        codes.push(answer.status.unwrap().code);
    }
    let exhausted = i32::from(Code::ResourceExhausted);
    let taken = codes.iter().filter(|code| **code == 0).count();
    assert!((4..=6).contains(&taken) && codes.ends_with(&[exhausted]), "{codes:?}");
    let refusal = Refusal::of(&slow.orders().get_order(get("m01", MISSING, 0)).await.unwrap_err());
    assert_eq!((refusal.code, refusal.reason), (Code::ResourceExhausted, ErrorReason::CallerLimited));
    assert!(refusal.retry_after.is_some_and(|after| !after.is_zero()), "{refusal:?}");
    for n in 0..20 {
        other.create(order("m01", &format!("OTHER-{n:04}"), 100)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_holds_its_place_until_it_ends() {
    let busy = Keyed::new("busy");
    let rig = Rig::start(&busy.section("\"read\"", "\"m01\"", "concurrency_max = 2"));
    let client = busy.client(&rig.server).await;
    let watch = || v1::WatchOrdersRequest { merchant_id: "m01".to_owned(), ..Default::default() };
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = client.orders().watch_orders(watch()).await.unwrap().into_inner();
        stream.message().await.unwrap();
        streams.push(stream);
    }
    let refused = Refusal::of(&client.orders().get_order(get("m01", MISSING, 0)).await.unwrap_err());
    assert_eq!(refused.reason, ErrorReason::CallerLimited);
    assert!(refused.retry_after.is_some());
    streams.pop();
    // The server hears of it a little later.
    let begun = tokio::time::Instant::now();
    loop {
        let answer = judged(client.orders().get_order(get("m01", MISSING, 0)).await.map(drop));
        if answer == Some((Code::NotFound, ErrorReason::OrderNotFound)) {
            break;
        }
        assert!(begun.elapsed().as_secs() < 30, "the place is not given back: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_do_is_recorded_and_what_platforms_do_is_not() {
    let (ops, shop) = (Keyed::new("ops"), Keyed::new("shop"));
    let rig = Rig::start(
        &(ops.section("\"operate\"", "\"*\"", "") + &shop.section("\"submit\", \"read\"", "\"m01\"", "")),
    );
    let (ops_client, shop_client) = (ops.client(&rig.server).await, shop.client(&rig.server).await);
    shop_client.create(order("m01", EXISTING, 100)).await.unwrap();
    let close = |request_id: &str| v1::CloseOrderRequest {
        merchant_id: "m01".to_owned(),
        merchant_order_no: EXISTING.to_owned(),
        request_id: request_id.to_owned(),
        wait: None,
    };
    shop_client.orders().close_order(close("by-shop")).await.unwrap();
    assert!(rig.audited().is_empty());
    ops_client.orders().close_order(close("by-ops")).await.unwrap();
    let confirm = v1::ConfirmOutcomeRequest {
        merchant_id: "m01".to_owned(),
        merchant_order_no: EXISTING.to_owned(),
        request_id: "confirm-1".to_owned(),
        reason: "seen in the console".to_owned(),
        ..v1::ConfirmOutcomeRequest::default()
    };
    let refused = ops_client.operator().confirm_outcome(confirm).await.unwrap_err();
    let lines = rig.audited();
    let told: Vec<String> = lines
        .iter()
        .map(|line| {
            let text = |field: &str| line[field].as_str().unwrap_or("-").to_owned();
            format!("{} {} {} {}", text("phase"), text("caller"), text("method"), text("request_id"))
        })
        .collect();
    assert_eq!(
        told,
        [
            "begun ops OrderService/CloseOrder by-ops",
            "ended ops OrderService/CloseOrder by-ops",
            "begun ops OperatorService/ConfirmOutcome confirm-1",
            "ended ops OperatorService/ConfirmOutcome confirm-1",
        ]
    );
    assert_eq!(lines[1]["outcome"], "OK");
    assert!(lines[3]["outcome"].as_str().unwrap().starts_with(&format!("{:?} ", refused.code())));
    assert_eq!(
        (&lines[2]["merchant_id"], &lines[2]["reason"]),
        (&"m01".into(), &"seen in the console".into())
    );
    let text = std::fs::read_to_string(&rig.audit).unwrap();
    assert!(!text.contains(&ops.key), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_that_cannot_be_recorded_is_not_done() {
    let world = World::start(&[]);
    let (ops, shop) = (Keyed::new("ops"), Keyed::new("shop"));
    let sections = audit_section(Path::new("/dev/full"))
        + &ops.section("\"operate\"", "\"*\"", "")
        + &shop.section("\"submit\", \"read\"", "\"m01\"", "");
    let config = config_with(&world, "access.toml", &sections);
    let data = TempDir::new().unwrap();
    let server = Server::start(&config, data.path(), Ports::free());
    let (ops, shop) = (ops.client(&server).await, shop.client(&server).await);
    shop.create(order("m01", EXISTING, 100)).await.unwrap();
    let close = v1::CloseOrderRequest {
        merchant_id: "m01".to_owned(),
        merchant_order_no: EXISTING.to_owned(),
        request_id: "by-ops".to_owned(),
        wait: None,
    };
    let refusal = Refusal::of(&ops.orders().close_order(close.clone()).await.unwrap_err());
    assert_eq!((refusal.code, refusal.reason), (Code::Unavailable, ErrorReason::AuditUnavailable));
    assert!(refusal.message.contains("nothing was done"), "{refusal:?}");
    // A command of the platform runs behind it in the same log: had the act been taken, it would stand before it.
    let requery = v1::RequeryOrderRequest {
        merchant_id: "m01".to_owned(),
        merchant_order_no: EXISTING.to_owned(),
        request_id: "by-shop".to_owned(),
        wait: Some(crate::rig::seconds(20)),
    };
    shop.orders()
        .requery_order(Client::request(requery, Some(std::time::Duration::from_secs(20))))
        .await
        .unwrap();
    let timeline =
        v1::GetTimelineRequest { merchant_id: "m01".to_owned(), merchant_order_no: EXISTING.to_owned() };
    let story = shop.orders().get_timeline(timeline).await.unwrap().into_inner();
    let facts: Vec<_> = story.entries.iter().map(|entry| entry.fact_key.as_str()).collect();
    assert!(facts.contains(&"created") && !facts.contains(&"close_requested"), "{facts:?}");
}

#[test]
fn the_command_line_shows_its_key_and_is_told_when_it_lacks_one() {
    let shop = Keyed::new("shop");
    let rig = Rig::start(&shop.section("\"submit\", \"read\"", "\"m01\"", ""));
    let file = rig.world.folder.path().join("shop.key");
    std::fs::write(&file, format!("{}\n", shop.key)).unwrap();
    let key_file = file.to_str().unwrap();
    let get = |more: &[&str]| {
        let base = ["order", "--server", &rig.server.grpc, "get", "--merchant", "m01", "--order", MISSING];
        paymux(&[&base[..], more].concat())
    };
    let without = get(&[]);
    assert_eq!(without.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&without.stdout).contains("CREDENTIALS_INVALID"), "{without:?}");
    let with = get(&["--key-file", key_file]);
    assert!(String::from_utf8_lossy(&with.stdout).contains("ORDER_NOT_FOUND"), "{with:?}");
    let by_variable = std::process::Command::new(crate::rig::PAYMUX)
        .args(["order", "--server", &rig.server.grpc, "get", "--merchant", "m01", "--order", MISSING])
        .env("PAYMUX_KEY", &shop.key)
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&by_variable.stdout).contains("ORDER_NOT_FOUND"), "{by_variable:?}");
    let nowhere = get(&["--key-file", "no/such/file"]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("--key-file: no/such/file cannot be read"));
    let half = get(&["--tls-cert", key_file]);
    assert_eq!(half.status.code(), Some(2));
}

/// A server that tells everything, into a file.
struct Traced(std::process::Child);

impl Traced {
    fn start(config: &Path, data: &Path, ports: Ports, log: &Path) -> Self {
        let like = Server::command(config, data, ports);
        let args = like.get_args().map(|arg| if arg == "info" { "trace".as_ref() } else { arg });
        let mut command = std::process::Command::new(like.get_program());
        let log = std::fs::File::create(log).expect("a log file");
        Self(command.args(args).stdout(std::process::Stdio::null()).stderr(log).spawn().expect("it starts"))
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// At `trace` the libraries below tell all they know; keys must not be among it.
#[tokio::test(flavor = "multi_thread")]
async fn no_key_stands_in_a_log_at_any_level() {
    let world = World::start(&[]);
    let (shop, wrong) = (Keyed::new("shop"), Keyed::new("wrong"));
    let config = config_with(&world, "access.toml", &shop.section("\"read\"", "\"m01\"", ""));
    let data = TempDir::new().unwrap();
    let (log, ports) = (data.path().join("trace.log"), Ports::free());
    let server = Traced::start(&config, &data.path().join("data"), ports, &log);
    let address = format!("http://{}", ports.grpc);
    for (caller, told) in [(&shop, ErrorReason::OrderNotFound), (&wrong, ErrorReason::CredentialsInvalid)] {
        let credentials = Credentials::default().with_key(&caller.key).unwrap();
        let begun = tokio::time::Instant::now();
        let client = loop {
            match Client::connect_as(&address, &credentials).await {
                Ok(client) => break client,
                Err(error) => assert!(begun.elapsed().as_secs() < 60, "{error:?}"),
            }
        };
        let status = client.orders().get_order(get("m01", MISSING, 0)).await.unwrap_err();
        assert_eq!(Refusal::of(&status).reason, told);
    }
    drop(server);
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains("TRACE") && text.contains("credentials is refused"), "not the log of these calls");
    for caller in [&shop, &wrong] {
        assert!(!text.contains(&caller.key) && !text.contains(&caller.hash), "a key stands in the log");
    }
}
