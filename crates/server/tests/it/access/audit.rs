//! The audit log: what operators do stands in it before it is done, or it is not done.

use std::path::Path;
use std::time::Duration;

use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use paymux_proto::v1::ErrorReason;
use tempfile::TempDir;
use tonic::Code;

use super::{EXISTING, Keyed, Rig, audit_section, config_with};
use crate::rig::{Ports, Server, WAIT_S, World, order, seconds};

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
        wait: Some(seconds(WAIT_S)),
    };
    let wait = Some(Duration::from_secs(30));
    shop.orders().requery_order(Client::request(requery, wait)).await.unwrap();
    let timeline =
        v1::GetTimelineRequest { merchant_id: "m01".to_owned(), merchant_order_no: EXISTING.to_owned() };
    let story = shop.orders().get_timeline(timeline).await.unwrap().into_inner();
    let facts: Vec<_> = story.entries.iter().map(|entry| entry.fact_key.as_str()).collect();
    assert!(facts.contains(&"created") && !facts.contains(&"close_requested"), "{facts:?}");
}
