//! Keys: who needs one, how they overlap, where the command line finds its own, and that no log holds any.

use std::path::Path;

use paymux_proto::client::{Client, Credentials, Refusal};
use paymux_proto::v1;
use paymux_proto::v1::ErrorReason;
use tempfile::TempDir;
use tonic::Code;

use super::{Keyed, MISSING, Rig, UNKNOWN, config_with, judged};
use crate::rig::{PATIENCE, Ports, Server, World, get, paymux};

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
                Err(error) => assert!(begun.elapsed() < PATIENCE, "{error:?}"),
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
