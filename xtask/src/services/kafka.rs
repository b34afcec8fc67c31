//! Kafka in KRaft mode: brokers that are controllers too, on one address with ports of their own.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::secure::{self, Demand, KAFKA_USER, Secrets};
use super::started::{Kind, List, Started};
use super::{Place, TOOL_MAX, jars, ports, wait};

const VERSION: &str = "4.1.0";
const ARTIFACTS: [jars::Artifact; 3] = [
    ("org.apache.kafka", "kafka_2.13", VERSION),
    ("org.apache.kafka", "kafka-tools", VERSION),
    ("org.slf4j", "slf4j-simple", "1.7.36"),
];
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A broker with its three ports.
struct Broker {
    id: usize,
    client: u16,
    /// For clients with TLS and a password.
    secure: u16,
    controller: u16,
}

impl Broker {
    fn name(&self) -> String {
        format!("{}-{}", Kind::Kafka, self.id)
    }
}

/// Starts the brokers of a new cluster.
///
/// # Errors
/// See the messages.
pub(super) fn start(place: &Place, count: usize, list: &mut List) -> Result<()> {
    let jars = jars::fetch(&place.jars, Kind::Kafka.as_str(), &ARTIFACTS)?;
    let ports = ports::free(&[HERE], count * 3)?;
    let brokers = (1..).zip(ports.chunks_exact(3));
    let broker = |(id, ports): (usize, &[u16])| Broker {
        id,
        client: ports[0],
        secure: ports[1],
        controller: ports[2],
    };
    let brokers: Vec<_> = brokers.map(broker).collect();
    let secrets = Secrets::at(&place.members);
    let password = secrets.password()?;
    let user = format!("SCRAM-SHA-512=[name={KAFKA_USER},password={password}]");
    let output = place.members.join(Kind::Kafka.as_str()).join("storage-tool.log");
    let told = storage_tool(&jars, &["random-uuid"], &output)?;
    // Java itself may say something before.
    let cluster = told.lines().last().context("no cluster id")?;
    for broker in &brokers {
        let home = list.home(Kind::Kafka, &broker.name());
        let file = home.join("server.properties");
        std::fs::create_dir_all(&home).with_context(|| format!("making {}", home.display()))?;
        let text = properties(broker, &brokers, &home) + &secured(&secrets, &password);
        std::fs::write(&file, text)?;
        secure::note(&home, SocketAddr::new(HERE, broker.secure), Demand::All)?;
        let file = file.to_str().context("a path in UTF-8")?;
        storage_tool(&jars, &["format", "-t", cluster, "-c", file, "--add-scram", &user], &output)?;
    }
    for broker in &brokers {
        let mut java = Command::new("java");
        java.args([heap(count), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        java.arg("-cp").arg(jars.join("*")).args(["kafka.Kafka", "server.properties"]);
        let ports = (SocketAddr::new(HERE, broker.client), broker.controller);
        list.spawn(Kind::Kafka, &broker.name(), ports, &java)?;
    }
    Ok(())
}

const fn heap(brokers: usize) -> &'static str {
    if brokers > 1 { "-Xmx384m" } else { "-Xmx512m" }
}

/// Waits until brokers take connections, and each knows all of them as registered.
///
/// # Errors
/// One has ended, or they take too long.
pub(super) fn wait_until_ready(place: &Place, brokers: &[Started], list: &List) -> Result<()> {
    let jars = jars::fetch(&place.jars, Kind::Kafka.as_str(), &ARTIFACTS)?;
    list.wait_until_open(brokers)?;
    for one in brokers {
        let output = list.home(Kind::Kafka, &one.name).join("endpoints.log");
        list.wait_until(one, "does not know all brokers as registered", || {
            let mut tool = tool(&jars, "org.apache.kafka.tools.ClusterTool");
            tool.args(["list-endpoints", "--bootstrap-server", &one.address.to_string()]);
            let told = wait::answer(&mut tool, &output, TOOL_MAX)?;
            Ok(told.status.success() && are_registered(&told.text, brokers))
        })?;
    }
    Ok(())
}

/// Whether `list-endpoints` names all brokers as unfenced: columns id, host, port, rack, state.
fn are_registered(text: &str, brokers: &[Started]) -> bool {
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    brokers.iter().all(|broker| {
        let port = broker.address.port().to_string();
        rows.iter().any(|row| row.get(2) == Some(&port.as_str()) && row.get(4) == Some(&"unfenced"))
    })
}

fn tool(jars: &Path, class: &str) -> Command {
    let mut java = Command::new("java");
    java.args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    java.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp"]);
    java.arg(jars.join("*")).arg(class);
    java
}

fn storage_tool(jars: &Path, args: &[&str], output: &Path) -> Result<String> {
    std::fs::create_dir_all(output.parent().context("a file in a folder")?)?;
    let told = wait::answer(tool(jars, "kafka.tools.StorageTool").args(args), output, TOOL_MAX)?;
    ensure!(told.status.success(), "Kafka's storage tool, {}", wait::last_lines(output));
    Ok(told.text)
}

fn properties(broker: &Broker, all: &[Broker], home: &Path) -> String {
    let voters: Vec<_> = all.iter().map(|one| format!("{}@{HERE}:{}", one.id, one.controller)).collect();
    let replicas = all.len();
    // Two of three: the loss of one broker is survived, that of two refuses writes.
    let in_sync = replicas.div_ceil(2).max(replicas.saturating_sub(1));
    let mut text = String::new();
    let lines = [
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", broker.id.to_string()),
        ("controller.quorum.voters", voters.join(",")),
        (
            "listeners",
            format!(
                "PLAINTEXT://{HERE}:{},SECURE://{HERE}:{},CONTROLLER://{HERE}:{}",
                broker.client, broker.secure, broker.controller
            ),
        ),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        (
            "listener.security.protocol.map",
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL".to_owned(),
        ),
        ("log.dirs", home.join("data").display().to_string()),
        ("default.replication.factor", replicas.to_string()),
        ("min.insync.replicas", in_sync.to_string()),
        ("offsets.topic.replication.factor", replicas.to_string()),
        // Not 50: the first group of a cluster waits for all of them.
        ("offsets.topic.num.partitions", "4".to_owned()),
        ("transaction.state.log.replication.factor", replicas.to_string()),
        ("transaction.state.log.min.isr", in_sync.to_string()),
        ("group.initial.rebalance.delay.ms", "0".to_owned()),
        ("auto.create.topics.enable", "false".to_owned()),
    ];
    for (key, value) in lines {
        // Writing to a string cannot fail.
        let _ok = writeln!(text, "{key}={value}");
    }
    text
}

/// What the port for TLS and passwords needs.
fn secured(secrets: &Secrets, password: &str) -> String {
    let modules = "org.apache.kafka.common.security";
    let lines = [
        ("ssl.keystore.type", "PKCS12".to_owned()),
        ("ssl.keystore.location", secrets.store().display().to_string()),
        ("ssl.keystore.password", password.to_owned()),
        ("ssl.key.password", password.to_owned()),
        ("sasl.enabled.mechanisms", "SCRAM-SHA-512,PLAIN".to_owned()),
        ("scram-sha-512.sasl.jaas.config", format!("{modules}.scram.ScramLoginModule required;")),
        (
            "plain.sasl.jaas.config",
            format!("{modules}.plain.PlainLoginModule required user_{KAFKA_USER}=\"{password}\";"),
        ),
    ];
    let mut text = String::new();
    for (key, value) in lines {
        let _ok = writeln!(text, "listener.name.secure.{key}={value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_registered_when_each_is_listed_as_unfenced() {
        let folder = tempfile::tempdir().unwrap();
        let broker = |id: usize, port: u16| {
            let line = format!("kafka kafka-{id} 1 1 127.0.0.1:{port} 9");
            std::fs::write(folder.path().join("started"), line).unwrap();
            List::read(folder.path()).unwrap().named(&format!("kafka-{id}")).unwrap().clone()
        };
        let told = |second: &str| {
            format!(
                "ID   HOST      PORT   RACK  STATE    ENDPOINT_TYPE\n\
                 1    127.0.0.1 10011  null  unfenced broker\n\
                 2    127.0.0.1 10013  null  {second}   broker\n"
            )
        };
        let both = [broker(1, 10_011), broker(2, 10_013)];
        assert!(are_registered(&told("unfenced"), &both));
        assert!(!are_registered(&told("fenced"), &both));
        assert!(are_registered(&told("fenced"), &both[..1]));
        assert!(!are_registered("no answer", &both));
    }

    #[test]
    fn one_of_three_brokers_may_be_lost_and_a_single_one_needs_nobody() {
        let broker = |n: u16| Broker { id: n.into(), client: n, secure: 20 + n, controller: 10 + n };
        let brokers: Vec<_> = (1..=3).map(broker).collect();
        let three = properties(&brokers[1], &brokers, Path::new("/home"));
        for line in [
            "node.id=2",
            "controller.quorum.voters=1@127.0.0.1:11,2@127.0.0.1:12,3@127.0.0.1:13",
            "default.replication.factor=3",
            "min.insync.replicas=2",
            "log.dirs=/home/data",
        ] {
            assert!(three.lines().any(|one| one == line), "{line} in\n{three}");
        }
        assert!(
            properties(&brokers[0], &brokers[..1], Path::new("/home")).contains("min.insync.replicas=1\n")
        );
    }
}
