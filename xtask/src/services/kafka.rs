//! Kafka in KRaft mode: brokers that are controllers too, on one address with ports of their own.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::started::{Kind, List};
use super::{jars, ports};

const VERSION: &str = "4.1.0";
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A broker with its two ports.
struct Broker {
    id: usize,
    client: u16,
    controller: u16,
    folder: PathBuf,
}

/// Starts brokers and waits until they take connections.
///
/// # Errors
/// See the messages.
pub(super) fn start(folder: &Path, count: u8, list: &mut List) -> Result<()> {
    let artifacts = [
        ("org.apache.kafka", "kafka_2.13", VERSION),
        ("org.apache.kafka", "kafka-tools", VERSION),
        ("org.slf4j", "slf4j-simple", "1.7.36"),
    ];
    let jars = jars::fetch(folder, "kafka", &artifacts)?;
    let mut brokers = Vec::new();
    for id in 1..=usize::from(count) {
        let [client, controller] = ports::free(&[HERE])?;
        let home = folder.join(Kind::Kafka.as_str()).join(format!("kafka-{id}"));
        // What an earlier start left: its ports and its cluster are gone.
        drop(std::fs::remove_dir_all(&home));
        std::fs::create_dir_all(&home).with_context(|| format!("making {}", home.display()))?;
        brokers.push(Broker { id, client, controller, folder: home });
    }
    let cluster = cluster_id(&jars)?;
    for broker in &brokers {
        let file = broker.folder.join("server.properties");
        std::fs::write(&file, properties(broker, &brokers))?;
        let mut format = tool(&jars, "kafka.tools.StorageTool");
        format.args(["format", "-t", &cluster, "-c"]).arg(&file).stdout(Stdio::null());
        ensure!(format.status()?.success(), "the folder of kafka-{} cannot be formatted", broker.id);
    }
    let heap = if count > 1 { "-Xmx384m" } else { "-Xmx512m" };
    for broker in &brokers {
        let mut java = Command::new("java");
        java.args([heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]).current_dir(&broker.folder);
        java.arg("-cp").arg(jars.join("*")).arg("kafka.Kafka").arg(broker.folder.join("server.properties"));
        let address = SocketAddr::new(HERE, broker.client);
        list.spawn(Kind::Kafka, &format!("kafka-{}", broker.id), address, &broker.folder, &mut java)?;
    }
    list.wait_until_open(Kind::Kafka)
}

fn tool(jars: &Path, class: &str) -> Command {
    let mut java = Command::new("java");
    java.args([
        "-Xmx256m",
        "-XX:TieredStopAtLevel=1",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
        "-cp",
    ]);
    java.arg(jars.join("*")).arg(class);
    java
}

fn cluster_id(jars: &Path) -> Result<String> {
    let output = tool(jars, "kafka.tools.StorageTool").arg("random-uuid").output()?;
    ensure!(output.status.success(), "no cluster id: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn properties(broker: &Broker, all: &[Broker]) -> String {
    let voters: Vec<_> = all.iter().map(|one| format!("{}@{HERE}:{}", one.id, one.controller)).collect();
    let replicas = all.len();
    let in_sync = replicas.div_ceil(2).max(replicas.saturating_sub(1));
    let mut text = String::new();
    let lines = [
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", broker.id.to_string()),
        ("controller.quorum.voters", voters.join(",")),
        (
            "listeners",
            format!("PLAINTEXT://{HERE}:{},CONTROLLER://{HERE}:{}", broker.client, broker.controller),
        ),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT".to_owned()),
        ("log.dirs", broker.folder.join("data").display().to_string()),
        ("default.replication.factor", replicas.to_string()),
        ("min.insync.replicas", in_sync.to_string()),
        ("offsets.topic.replication.factor", replicas.to_string()),
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
