//! Stopping and starting: the graceful stop, the second writer, the ports.

use paymux_domain::shard::Partition;
use paymux_proto::client::Refusal;
use paymux_proto::v1;
use paymux_proto::v1::{ErrorReason, Fulfilment, OrderState};
use serde_json::json;
use tempfile::TempDir;
use tokio_stream::StreamExt as _;

use crate::rig::{Ports, Server, World, get, order, until};

/// Partitions of a data folder.
const PARTITIONS: u16 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_what_is_under_way_and_exits_0() {
    let world = World::start(&[]);
    let data = TempDir::new().unwrap();
    let ports = Ports::free();
    // Longer than the test waits for the end of a process: what is under way is finished, no time is sat out.
    let patient = "server.drain_timeout_ms=600000";
    let mut server = Server::start_with(&world.config_file(), data.path(), ports, &[patient]);
    let client = server.client().await;
    for n in 0..50 {
        client.create(order("m01", &format!("STOP-{n:04}"), 100)).await.unwrap();
    }
    let request =
        v1::WatchOrdersRequest { merchant_id: "m01".to_owned(), ..v1::WatchOrdersRequest::default() };
    let mut watch = client.orders().watch_orders(request).await.unwrap().into_inner();
    watch.message().await.unwrap();
    let seen = until(&client, "m01", "STOP-0000", |order| order.launch.is_some()).await;
    let waiting = {
        let client = client.clone();
        let mut request = get("m01", "STOP-0000", 30);
        request.get_mut().known_version = Some(seen.version);
        tokio::spawn(async move { client.orders().get_order(request).await })
    };
    server.process.signal("TERM");
    // A waiting call is answered with the state as it is, or was not let in; a watch is told where to go on.
    if let Err(status) = waiting.await.unwrap() {
        assert!(Refusal::of(&status).may_be_sent_again(), "{status}");
    }
    let end = loop {
        match watch.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the watch ended without a reason"),
            Err(status) => break status,
        }
    };
    assert_eq!(Refusal::of(&end).reason, ErrorReason::ShuttingDown, "{end}");
    assert_eq!(server.process.exit_code(), Some(0));

    let server = Server::start(&world.config_file(), data.path(), ports);
    let client = server.client().await;
    for n in 0..50 {
        let order = until(&client, "m01", &format!("STOP-{n:04}"), |order| order.launch.is_some()).await;
        assert_eq!(order.state(), OrderState::Pending);
    }
}

#[test]
fn without_a_worker_nothing_is_accepted() {
    let world = World::start(&[]);
    let config = world.config_file();
    for roles in ["ingest", "notify", "ingest,notify"] {
        let data = TempDir::new().unwrap();
        let mut command = Server::command(&config, data.path(), Ports::free());
        let output = command.args(["--roles", roles]).stderr(std::process::Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{roles}");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("add worker"), "{told}");
    }
}

/// Two owners would work on an order whose commands go to another partition than the one in which it is due.
#[tokio::test(flavor = "multi_thread")]
async fn a_shard_group_changes_only_when_the_orders_that_had_it_have_ended() {
    let world = World::start(&[]);
    let data = TempDir::new().unwrap();
    let (config, ports, before) = (world.config_file(), Ports::free(), "direct-own-0");
    let partition = |group: &str| Partition::of(&group.parse().unwrap(), PARTITIONS);
    let partitions = format!("backend.partitions={PARTITIONS}");
    let elsewhere = (0..).map(|n| format!("moved-{n}")).find(|group| partition(group) != partition(before));
    let moved = format!("merchants.m03.shard_group={}", elsewhere.unwrap());
    let pay = async |number: &str| {
        let merchant = &world.merchants[2];
        let out_trade_no = format!("{}{number}", merchant.prefix);
        world.control("pay", &json!({ "mchid": merchant.mchid, "out_trade_no": out_trade_no })).await;
    };
    let is_paid = |order: &v1::Order| order.fulfilment() == Fulfilment::Fulfil;

    let mut server = Server::start_with(&config, data.path(), ports, &[&partitions]);
    let client = server.client().await;
    for number in ["ENDED-0001", "OPEN-0001"] {
        client.create(order("m03", number, 100)).await.unwrap();
        until(&client, "m03", number, |order| order.launch.is_some()).await;
    }
    pay("ENDED-0001").await;
    until(&client, "m03", "ENDED-0001", is_paid).await;
    server.process.signal("TERM");
    assert_eq!(server.process.exit_code(), Some(0));

    let mut command = Server::command(&config, data.path(), ports);
    command.args(["--set", &partitions, "--set", &moved]).stderr(std::process::Stdio::piped());
    let refused = command.output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8_lossy(&refused.stderr);
    let fault = format!("and must be {before} until the orders that have it have ended");
    assert!(told.contains("merchants.m03.shard_group: is moved-") && told.contains(&fault), "{told}");

    let mut server = Server::start_with(&config, data.path(), ports, &[&partitions]);
    let client = server.client().await;
    pay("OPEN-0001").await;
    until(&client, "m03", "OPEN-0001", is_paid).await;
    server.process.signal("TERM");
    assert_eq!(server.process.exit_code(), Some(0));
    drop(Server::start_with(&config, data.path(), ports, &[&partitions, &moved]));
}

/// Probes and tools keep their streams open; a stop that waited for them would use up its whole time.
#[tokio::test(flavor = "multi_thread")]
async fn streams_that_never_end_do_not_hold_a_stop_up() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

    let world = World::start(&[]);
    let data = TempDir::new().unwrap();
    // The doors' share of this is longer than the test waits for the end of a process.
    let patient = "server.drain_timeout_ms=600000";
    let mut server = Server::start_with(&world.config_file(), data.path(), Ports::free(), &[patient]);
    let endpoint = tonic::transport::Endpoint::from_shared(server.grpc.clone()).unwrap();
    let channel = endpoint.connect().await.unwrap();
    let request = HealthCheckRequest { service: "liveness".to_owned() };
    let mut health = HealthClient::new(channel.clone()).watch(request).await.unwrap().into_inner();
    health.message().await.unwrap().unwrap();
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let open = tokio_stream::once(request).chain(tokio_stream::pending());
    let mut reflection =
        ServerReflectionClient::new(channel).server_reflection_info(open).await.unwrap().into_inner();
    reflection.message().await.unwrap().unwrap();
    server.process.signal("TERM");
    let end = reflection.message().await.unwrap_err();
    assert_eq!(Refusal::of(&end).reason, ErrorReason::ShuttingDown, "{end}");
    while let Ok(Some(_)) = health.message().await {}
    assert_eq!(server.process.exit_code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_writer_on_the_folder_is_told_so() {
    let world = World::start(&[]);
    let data = world.folder.path().join("data");
    let second = Server::command(&world.config_file(), &data, Ports::free())
        .stderr(std::process::Stdio::piped())
        .output();
    let second = second.unwrap();
    assert_eq!(second.status.code(), Some(1));
    let told = String::from_utf8_lossy(&second.stderr);
    assert!(told.contains("is in use by another process"), "{told}");
    // The first one goes on.
    world.client().await.create(order("m01", "FIRST-0001", 100)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named() {
    let world = World::start(&[]);
    let data = TempDir::new().unwrap();
    let address = world.grpc.trim_start_matches("http://").to_owned();
    let mut command = Server::command(&world.config_file(), data.path(), Ports::free());
    let output = command
        .args(["--set", &format!("server.grpc_listen={address}")])
        .stderr(std::process::Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains(&format!("cannot listen on {address}")), "{told}");
}

#[test]
fn beyond_loopback_it_does_not_listen() {
    let world = World::start(&[]);
    let config = world.config_file();
    let config = config.to_str().unwrap();
    let output =
        crate::rig::paymux(&["serve", "--config", config, "--set", "server.grpc_listen=0.0.0.0:7700"]);
    assert_eq!(output.status.code(), Some(64));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("no callers are configured"), "{told}");
}

/// A process is killed when its handle goes; the tests above rely on it.
#[test]
fn a_dropped_process_is_gone() {
    let world = World::start(&[]);
    let id = world.process.id();
    drop(world);
    assert!(!std::path::Path::new(&format!("/proc/{id}")).exists());
}
