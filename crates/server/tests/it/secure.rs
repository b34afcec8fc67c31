//! A cluster that takes nothing but TLS and logins, and what is told when one of them is wrong or nobody is there.
//!
//! The services are those that `PAYMUX_TEST_KAFKA_SECURE` and `PAYMUX_TEST_CQL_SECURE` name, with the folder
//! `PAYMUX_TEST_SECURE` of what their clients need: `cargo xtask services` starts such.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::{Fulfilment, OrderState};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use crate::rig::{PAYMUX, Ports, Process, WAIT_S, World, order, paymux, seconds, skipped, until};

/// A port at which nobody listens.
const NOBODY: &str = "127.0.0.1:1";

/// An address of this machine that no certificate of the services names.
const UNNAMED: [u8; 4] = [127, 0, 0, 9];

/// How sections begin.
const KAFKA_TLS: &str = "[backend.kafka.tls]\nca_file = ";
const SASL: &str = "[backend.kafka.sasl]\nmechanism = ";
const CQL_TLS: &str = "[backend.cql.tls]\nca_file = ";
const LOGIN: &str = "[backend.cql.login]\nusername = ";

/// Where log and store take TLS and logins, and what they ask for.
struct Services {
    kafka: String,
    cql: String,
    secrets: PathBuf,
    /// Whether the store takes anything else there.
    cql_demands: bool,
}

fn named(wanted: &str) -> Option<String> {
    let found = std::env::vars_os().find(|(name, _)| name == wanted);
    found.and_then(|(_, value)| value.into_string().ok()).filter(|value| !value.is_empty())
}

impl Services {
    /// `None`, with a word on it, where they are not named.
    fn named(test: &str) -> Option<Self> {
        let names = ["PAYMUX_TEST_KAFKA_SECURE", "PAYMUX_TEST_CQL_SECURE", "PAYMUX_TEST_SECURE"];
        let [Some(kafka), Some(cql), Some(secrets)] = names.map(named) else {
            skipped(test, &format!("{} name no services", names.join(", ")));
            return None;
        };
        let cql_demands = named("PAYMUX_TEST_CQL").is_none_or(|open| open != cql);
        Some(Self { kafka, cql, secrets: secrets.into(), cql_demands })
    }

    fn secret(&self, name: &str) -> String {
        std::fs::read_to_string(self.secrets.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The section of the configuration, with everything right.
    fn toml(&self, name: &str) -> String {
        let list = |text: &str| text.split(',').map(|one| format!("{one:?}")).collect::<Vec<_>>().join(", ");
        let file = |name: &str| self.secrets.join(name).display().to_string();
        format!(
            "kind = \"cluster\"\npartitions = 8\n\
             [backend.kafka]\nbrokers = [{}]\ntopic_prefix = \"{name}.\"\ngroup = \"{name}\"\n\
             session_timeout_ms = 6000\n\
             [backend.kafka.topics]\nreplication = 1\nmin_in_sync = 1\n\
             {KAFKA_TLS}\"{ca}\"\n\
             {SASL}\"SCRAM-SHA-512\"\nusername = \"{}\"\npassword_file = \"{}\"\n\
             [backend.cql]\ncontact_points = [{}]\nkeyspace = \"{name}\"\ndatacenter = \"datacenter1\"\n\
             replication = [\"datacenter1:1\"]\n\
             {CQL_TLS}\"{ca}\"\n\
             {LOGIN}\"{}\"\npassword_file = \"{}\"\n",
            list(&self.kafka),
            self.secret("kafka_user"),
            file("kafka_password"),
            list(&self.cql),
            self.secret("cql_user"),
            file("cql_password"),
            ca = file("ca.pem"),
        )
    }
}

/// Without one section.
fn without(toml: &str, section: &str) -> String {
    let name = section.lines().next().expect("a section");
    let (before, rest) = toml.split_once(name).expect("the section is there");
    let after = rest.find("\n[").map_or("", |at| &rest[at + 1..]);
    format!("{before}{after}")
}

/// With another value of a key of a section.
fn with(toml: &str, section: &str, key: &str, value: &str) -> String {
    let name = section.lines().next().expect("a section");
    let (before, rest) = toml.split_once(name).expect("the section is there");
    let begin = format!("\n{key} = ");
    let (kept, old) = rest.split_once(&begin).expect("the key is there");
    let (_, after) = old.split_once('\n').expect("a line");
    format!("{before}{name}{kept}{begin}{value}\n{after}")
}

/// The configuration of a world with another backend.
fn config(world: &World, backend: &str, file: &str) -> PathBuf {
    let known = std::fs::read_to_string(world.config_file()).expect("the world's configuration");
    let (before, rest) = known.split_once("[backend]\n").expect("a section of its backend");
    let (_, after) = rest.split_once("\n[").expect("a section after it");
    let path = world.folder.path().join(file);
    std::fs::write(&path, format!("{before}[backend]\n{backend}\n[{after}")).expect("it is written");
    path
}

/// Runs `migrate`: whether it succeeded, and what it said of log and store.
fn migrate(config: &Path) -> (bool, String) {
    let done = paymux(&["migrate", "--config", config.to_str().expect("UTF-8"), "--log", "error"]);
    (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
}

fn serve(config: &Path, ports: Ports) -> Process {
    let mut command = Command::new(PAYMUX);
    command.args(["serve", "--log", "info", "--log-format", "json", "--config"]).arg(config);
    for (key, value) in [
        ("server.grpc_listen", ports.grpc.to_string()),
        ("server.notify_listen", ports.notify.to_string()),
        ("server.notify_base_url", format!("http://{}", ports.notify)),
    ] {
        command.args(["--set", &format!("{key}={value}")]);
    }
    Process::start(command.stdout(Stdio::null()))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_through_over_tls_and_logins() {
    let Some(services) = Services::named("TLS and logins") else { return };
    let world = World::start(&[]);
    let name = format!("it_secure_{}", std::process::id());
    let config = config(&world, &services.toml(&name), "secure.toml");
    let (is_done, told) = migrate(&config);
    assert!(is_done, "{told}");
    let ports = Ports::free();
    let mut node = serve(&config, ports);
    node.wait_for(&["\"serving\""]);
    let client = Client::connect(&format!("http://{}", ports.grpc)).await.expect("the server answers");
    let request = v1::CreateOrderRequest { wait: Some(seconds(WAIT_S)), ..order("m01", "SECURE-1", 1200) };
    client.create(request).await.expect("an order");
    until(&client, "m01", "SECURE-1", |order| order.state() == OrderState::Pending).await;
    let merchant = &world.merchants[0];
    let paid = json!({ "mchid": merchant.mchid, "out_trade_no": format!("{}SECURE-1", merchant.prefix) });
    world.control("pay", &paid).await;
    until(&client, "m01", "SECURE-1", |order| order.fulfilment() == Fulfilment::Fulfil).await;
    node.signal("TERM");
    assert_eq!(node.exit_code(), Some(0));
}

/// Stands before a service at an address that its certificate does not name.
async fn elsewhere(service: &str) -> SocketAddr {
    let service = service.split(',').next().expect("an address").to_owned();
    let listener = TcpListener::bind((std::net::IpAddr::from(UNNAMED), 0)).await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(service).await.expect("the service is there");
                // Whoever breaks off has said why.
                drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
            });
        }
    });
    address
}

/// What is wrong with the configuration, and what is told of the log and of the store.
struct Wrong {
    toml: String,
    log: &'static str,
    store: &'static str,
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_is_told_which_setting_to_look_at() {
    let Some(services) = Services::named("refusals of TLS and logins") else { return };
    let world = World::start(&[]);
    let right = services.toml(&format!("it_refused_{}", std::process::id()));
    let write = |name: &str, text: &str| {
        let path = world.folder.path().join(name);
        std::fs::write(&path, text).expect("a file for the test");
        format!("{:?}", path.display().to_string())
    };
    let password = write("wrong_password", "wrong-secret-word");
    let stranger = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let authority = write("stranger.pem", &stranger.cert.pem());
    let other_ca = with(&with(&right, KAFKA_TLS, "ca_file", &authority), CQL_TLS, "ca_file", &authority);
    let brokers = format!("[\"{}\"]", elsewhere(&services.kafka).await);
    let nodes = format!("[\"{}\"]", elsewhere(&services.cql).await);
    let unnamed = with(&right, "[backend.kafka]", "brokers", &brokers);
    let unnamed = with(&unnamed, "[backend.cql]", "contact_points", &nodes);
    let passwords = with(&with(&right, SASL, "password_file", &password), LOGIN, "password_file", &password);
    let plain = without(&without(&right, KAFKA_TLS), CQL_TLS);
    let nobody = without(&without(&right, SASL), LOGIN);
    let store = |told| if services.cql_demands { told } else { "" };
    if !services.cql_demands {
        skipped(
            "refusals by a store that demands TLS and login",
            "PAYMUX_TEST_CQL_SECURE names one that does not",
        );
    }
    for (what, Wrong { toml, log, store }) in [
        ("CA", Wrong { toml: other_ca, log: "tls.ca_file", store: "tls.ca_file" }),
        ("name", Wrong { toml: unnamed, log: "certificate names", store: "certificate names" }),
        ("password", Wrong { toml: passwords.clone(), log: "sasl.password", store: store("login.password") }),
        (
            "PLAIN",
            Wrong { toml: with(&passwords, SASL, "mechanism", "\"PLAIN\""), log: "sasl.password", store: "" },
        ),
        ("no TLS", Wrong { toml: plain, log: "look at tls and sasl", store: store("look at tls") }),
        ("no login", Wrong { toml: nobody, log: "look at tls and sasl", store: store("look at login") }),
    ] {
        let (is_done, told) = migrate(&config(&world, &toml, "refused.toml"));
        let line =
            |begin: &str| told.lines().find(|line| line.contains(begin)).unwrap_or_default().to_owned();
        assert!(!is_done, "{what} makes no difference");
        assert!(line("log: ").contains(log), "{what}: {told}");
        assert!(line("store: ").contains(store), "{what}: {told}");
        assert!(!told.contains("wrong-secret-word"), "{what}: {told}");
    }
    // A process that serves is told the same, and ends.
    let refused = config(&world, &with(&right, SASL, "password_file", &password), "refused.toml");
    let (is_done, told) = migrate(&config(&world, &right, "right.toml"));
    assert!(is_done, "{told}");
    let mut node = serve(&refused, Ports::free());
    node.wait_for(&["sasl.password"]);
    assert_eq!(node.exit_code(), Some(1));
}

#[test]
fn who_finds_nobody_is_told_where_and_does_not_wait_for_ever() {
    let world = World::start(&[]);
    let toml = format!(
        "kind = \"cluster\"\npartitions = 8\n[backend.kafka]\nbrokers = [\"{NOBODY}\"]\n\
         [backend.cql]\ncontact_points = [\"{NOBODY}\"]\ndatacenter = \"datacenter1\"\n"
    );
    let config = config(&world, &toml, "nobody.toml");
    let (is_done, told) = migrate(&config);
    assert!(!is_done);
    assert!(told.contains("log: Kafka: at 127.0.0.1:1: ") && told.contains("Connection refused"), "{told}");
    assert!(told.contains("store: no session with 127.0.0.1:1: "), "{told}");
    let mut node = serve(&config, Ports::free());
    node.wait_for(&["store: no session with 127.0.0.1:1: "]);
    assert_eq!(node.exit_code(), Some(1));
}
