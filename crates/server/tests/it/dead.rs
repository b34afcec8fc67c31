//! Dead records: listed, and sent on their way again where they can be read.

use std::sync::Arc;

use paymux_backends::ReplyRouter;
use paymux_backends::embedded::{EmbeddedBackend, EmbeddedConfig};
use paymux_domain::command::{OrderCommand, Record};
use paymux_domain::name::ShardGroup;
use paymux_domain::ports::{CommandLog as _, DeadRecord};
use paymux_domain::shard::Partition;
use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1::{ErrorReason, OrderState};
use paymux_proto::{records, v1};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::rig::{PATIENCE, Ports, Server, World, order, paymux, until};

/// Partitions of a data folder.
const PARTITIONS: u16 = 8;
/// Records that nobody can read.
const POISON: usize = 30;

/// Where the orders of the first merchant lie.
fn home() -> Partition {
    let group: ShardGroup = "direct-shared-0".parse().expect("a valid group");
    Partition::of(&group, PARTITIONS)
}

/// A wish to close an order, as a release may have buried it that could not read it.
fn buried(merchant: &str, number: &str, offset: u64) -> DeadRecord {
    let key = paymux_domain::name::OrderKey {
        merchant_id: merchant.parse().expect("a valid merchant"),
        order_no: number.parse().expect("a valid number"),
    };
    let request_id = "close".parse().expect("a valid id");
    let close = Record::Close(OrderCommand { key, request_id, caller: "shop".to_owned(), reply_to: None });
    let reason = "a field that this release did not know".to_owned();
    let raw = records::encode_record(&close);
    DeadRecord { partition: home(), offset, reason, find_time: None, raw }
}

/// A data folder whose log holds what nobody can read, and dead records of before.
async fn poisoned(data: &TempDir) {
    let config = EmbeddedConfig { partitions: PARTITIONS, ..EmbeddedConfig::new(data.path().to_owned()) };
    let backend = Arc::new(EmbeddedBackend::open(config, ReplyRouter::default()).expect("it opens"));
    for number in 0..POISON {
        let partition = Partition(u16::try_from(number).expect("few") % PARTITIONS);
        backend.log().append_raw(partition, vec![0xff; number + 1]).await.expect("appended");
    }
    for dead in [buried("m01", "DEAD-0001", 1001), buried("m03", "DEAD-0001", 1002)] {
        backend.log().bury(dead).await.expect("buried");
    }
}

/// All dead records by pages of so many.
async fn listed(client: &Client, page_size: i32, include_raw: bool) -> Vec<v1::DeadEntry> {
    let mut entries = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListDeadRequest { include_raw, page_size, page_token, since_time: None };
        let page = client.operator().list_dead(request).await.expect("a list").into_inner();
        assert!(i32::try_from(page.entries.len()).expect("few") <= page_size);
        entries.extend(page.entries);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return entries;
        }
    }
}

fn replay(ids: Vec<String>, validate_only: bool) -> v1::ReplayRequest {
    v1::ReplayRequest {
        request_id: "replay".to_owned(),
        reason: "a test".to_owned(),
        count_max: 100,
        validate_only,
        target: Some(v1::replay_request::Target::Dead(v1::DeadNames { dead_ids: ids })),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_records_are_listed_and_replayed_where_they_can_be_read() {
    let world = World::start(&[]);
    let data = TempDir::new().expect("a folder");
    poisoned(&data).await;
    let server = Server::start(&world.config_file(), data.path(), Ports::free());
    let client = server.client().await;
    client.create(order("m01", "DEAD-0001", 100)).await.expect("accepted");
    until(&client, "m01", "DEAD-0001", |order| order.state() == OrderState::Pending).await;

    // What could not be read is buried beside the work, and holds nothing up.
    let begun = tokio::time::Instant::now();
    while listed(&client, 100, false).await.len() < POISON + 2 {
        assert!(begun.elapsed() < PATIENCE, "not all were buried");
    }
    let entries = listed(&client, 7, true).await;
    assert_eq!(entries.len(), POISON + 2);
    let raw = |entry: &v1::DeadEntry| entry.raw.as_ref().expect("it was asked for").len();
    assert!(entries.iter().all(|entry| u64::try_from(raw(entry)).expect("small") == entry.raw_bytes));
    assert!(listed(&client, 100, false).await.iter().all(|entry| entry.raw.is_none()));

    let id = |offset: &str| format!("orders.log.v1/{}/{offset}", home());
    let poison = entries.iter().find(|entry| raw(entry) <= POISON).expect("one").dead_id.clone();
    let ids = vec![id("1001"), id("1001"), id("1002"), id("77777"), poison.clone()];
    let dry = client.operator().replay(replay(ids.clone(), true)).await.expect("an answer").into_inner();
    assert_eq!((dry.matched_count, dry.replayed_count, dry.more), (4, 0, false));
    let effect = |of: &str| {
        let item = dry.items.iter().find(|item| item.dead_id == of);
        item.unwrap_or_else(|| panic!("{of}: {dry:?}")).effect.clone()
    };
    assert!(effect(&id("1001")).contains("again"), "{dry:?}");
    assert!(effect(&id("1002")).contains("lies in partition"), "{dry:?}");
    assert!(effect(&id("77777")).contains("not among"), "{dry:?}");
    assert!(effect(&poison).contains("still cannot be decoded"), "{dry:?}");
    until(&client, "m01", "DEAD-0001", |order| order.state() == OrderState::Pending).await;

    for _ in 0..2 {
        let done = client.operator().replay(replay(ids.clone(), false)).await.expect("done").into_inner();
        assert_eq!((done.matched_count, done.replayed_count), (4, 1));
        until(&client, "m01", "DEAD-0001", |order| {
            [OrderState::Closing, OrderState::Closed].contains(&order.state())
        })
        .await;
    }
    let refused = client.operator().replay(replay(vec!["nonsense".to_owned()], true)).await.unwrap_err();
    assert_eq!(Refusal::of(&refused).reason, ErrorReason::FieldInvalid);
    let other = v1::ListDeadRequest { page_token: "d1.0.0/0".to_owned(), ..v1::ListDeadRequest::default() };
    let refused = client.operator().list_dead(other).await.unwrap_err();
    assert_eq!(Refusal::of(&refused).reason, ErrorReason::PageTokenInvalid);
    by_the_command_line(&server, &id("1001"), &poison);
}

fn by_the_command_line(server: &Server, readable: &str, poison: &str) {
    let dead = |args: &[&str]| {
        let base = ["dead", "--server", &server.grpc, "--output", "json", "--log", "warn"];
        let done = paymux(&[&base, args].concat());
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        let text = String::from_utf8(done.stdout).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<Value>>()
    };
    assert_eq!(dead(&["list"]).len(), POISON + 2);
    let few = dead(&["list", "--limit", "3", "--raw"]);
    assert_eq!(few.len(), 3);
    assert!(few.iter().all(|line| line["raw_hex"].is_string() && line["dead_id"].is_string()), "{few:?}");
    let dry = dead(&["replay", "--id", readable, "--id", poison, "--reason", "a test", "--validate-only"]);
    let told = json!({ "matched_count": 2, "replayed_count": 0, "more": false, "validate_only": true });
    assert_eq!(dry.last(), Some(&told));
    assert_eq!(dry.len(), 3);
    let done = dead(&["replay", "--id", readable, "--reason", "a test"]);
    assert_eq!(done.last().expect("a sum")["replayed_count"], 1);
}
