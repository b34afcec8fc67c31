//! Cassandra: nodes on addresses of their own, with the same ports, each owning its share of the ring.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::secure::{self, Demand, Secrets};
use super::started::{Kind, List, Started};
use super::{Place, TOOL_MAX, jars, ports, wait};

const ARTIFACTS: [jars::Artifact; 1] = [("org.apache.cassandra", "cassandra-all", "5.0.5")];

/// Packages of the JDK that Cassandra on Java 17 reaches into.
const EXPORTS: [&str; 8] = [
    "java.base/jdk.internal.misc",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
    "java.base/java.lang.ref",
    "java.base/sun.nio.ch",
    "jdk.unsupported/sun.misc",
];
const OPENS: [&str; 16] = [
    "java.base/java.lang.module",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.util.jar",
    "jdk.management/com.sun.management.internal",
    "java.base/sun.nio.ch",
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.reflect",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/java.nio",
];

/// What it writes to its log: not every detail, as without this file.
const LOGBACK: &str = "\
<configuration>
  <appender name=\"log\" class=\"ch.qos.logback.core.ConsoleAppender\">
    <encoder><pattern>%d %-5level [%thread] %logger{0} - %msg%n</pattern></encoder>
  </appender>
  <root level=\"INFO\"><appender-ref ref=\"log\"/></root>
</configuration>
";

/// Where one node lives.
struct Node {
    name: String,
    address: IpAddr,
    jmx: u16,
    /// Its place on the ring.
    token: i64,
}

/// What all nodes share: their ports, and whom they ask for the ring.
struct Shared {
    cql: u16,
    storage: u16,
    storage_tls: u16,
    seeds: String,
}

/// Starts the nodes of a new cluster, one after the other: a node joins a ring that stands.
///
/// # Errors
/// See the messages.
pub(super) fn start(place: &Place, count: usize, demand: Demand, list: &mut List) -> Result<()> {
    let jars = jars::fetch(&place.jars, Kind::Cassandra.as_str(), &ARTIFACTS)?;
    let addresses: Vec<IpAddr> = (1..).take(count).map(|n| Ipv4Addr::new(127, 0, 0, n).into()).collect();
    let ports = ports::free(&addresses, 3 + count)?;
    let [cql, storage, storage_tls, jmx @ ..] = &ports[..] else { bail!("too few ports: {ports:?}") };
    let seeds: Vec<_> = addresses.iter().map(|address| format!("{address}:{storage}")).collect();
    let shared = Shared { cql: *cql, storage: *storage, storage_tls: *storage_tls, seeds: seeds.join(",") };
    let step = i64::MAX / i64::try_from(count).context("some nodes")?.max(1);
    for ((n, address), jmx) in (1_i64..).zip(addresses).zip(jmx) {
        let name = format!("{}-{n}", Kind::Cassandra);
        let node = Node { name, address, jmx: *jmx, token: (n - 1) * step };
        let home = list.home(Kind::Cassandra, &node.name);
        std::fs::create_dir_all(home.join("conf")).with_context(|| format!("making {}", home.display()))?;
        let text = yaml(&node, &shared, &home) + &secured(&Secrets::at(&place.members), demand)?;
        std::fs::write(home.join("conf/cassandra.yaml"), text)?;
        std::fs::write(home.join("conf/logback.xml"), LOGBACK)?;
        let address = SocketAddr::new(node.address, shared.cql);
        secure::note(&home, address, demand)?;
        list.spawn(Kind::Cassandra, &node.name, (address, node.jmx), &daemon(&node, &home, &jars))?;
        list.wait_until_open(std::slice::from_ref(list.named(&node.name)?))?;
    }
    Ok(())
}

/// Waits until nodes take statements, and each sees one version of the schema at all of them.
///
/// # Errors
/// One has ended, or they take too long.
pub(super) fn wait_until_ready(place: &Place, nodes: &[Started], list: &List) -> Result<()> {
    let jars = jars::fetch(&place.jars, Kind::Cassandra.as_str(), &ARTIFACTS)?;
    list.wait_until_open(nodes)?;
    for node in nodes {
        let home = list.home(Kind::Cassandra, &node.name);
        list.wait_until(node, "does not see one schema at all nodes", || agrees(node, &home, &jars, nodes))?;
    }
    Ok(())
}

fn daemon(node: &Node, home: &Path, jars: &Path) -> Command {
    let mut java = Command::new("java");
    java.args(["-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:MaxDirectMemorySize=512m"]);
    // It runs for minutes on a machine that is busy otherwise: what the better compiler gains it does not earn back.
    java.arg("-XX:TieredStopAtLevel=1");
    java.arg(format!("-Dcassandra.config=file://{}", home.join("conf/cassandra.yaml").display()));
    java.arg(format!("-Dcassandra.storagedir={}", home.display()));
    java.arg(format!("-Dcassandra.jmx.local.port={}", node.jmx));
    java.arg(format!("-Dcassandra.initial_token={}", node.token));
    java.args(["-Dcassandra.skip_wait_for_gossip_to_settle=0", "-Dcassandra.ring_delay_ms=0"]);
    // Its first user is there at once.
    java.arg("-Dcassandra.superuser_setup_delay_ms=0");
    java.args(["-Djdk.attach.allowAttachSelf=true", "-Dio.netty.tryReflectionSetAccessible=true"]);
    open_jdk(&mut java);
    let path = format!("{}:{}", home.join("conf").display(), jars.join("*").display());
    java.arg("-cp").arg(path).arg("org.apache.cassandra.service.CassandraDaemon");
    java
}

fn open_jdk(java: &mut Command) {
    java.args(EXPORTS.map(|package| format!("--add-exports={package}=ALL-UNNAMED")));
    java.args(OPENS.map(|package| format!("--add-opens={package}=ALL-UNNAMED")));
}

/// Whether a node sees one version of the schema, at all nodes.
fn agrees(node: &Started, home: &Path, jars: &Path, all: &[Started]) -> Result<bool> {
    let mut tool = Command::new("java");
    tool.args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    // It keeps a history in the home folder.
    tool.arg(format!("-Duser.home={}", home.display()));
    open_jdk(&mut tool);
    tool.arg("-cp").arg(jars.join("*")).arg("org.apache.cassandra.tools.NodeTool");
    tool.args(["-p", &node.control.to_string(), "describecluster"]).current_dir(home);
    let told = wait::answer(&mut tool, &home.join("describecluster.log"), TOOL_MAX)?;
    let addresses: BTreeSet<IpAddr> = all.iter().map(|one| one.address.ip()).collect();
    Ok(told.status.success() && is_agreed(&told.text, &addresses))
}

/// Whether `describecluster` lists one version of the schema, at these addresses; who is away has none.
fn is_agreed(text: &str, wanted: &BTreeSet<IpAddr>) -> bool {
    let versions = text.lines().skip_while(|line| line.trim() != "Schema versions:").skip(1);
    let lists: Vec<BTreeSet<IpAddr>> = versions
        .take_while(|line| !line.trim().is_empty())
        .filter(|line| !line.contains("UNREACHABLE"))
        .filter_map(|line| line.split_once('[')?.1.split_once(']').map(|(list, _)| list))
        .map(|list| list.split(',').filter_map(|address| address.trim().parse().ok()).collect())
        .collect();
    lists.iter().eq([wanted])
}

fn yaml(node: &Node, shared: &Shared, home: &Path) -> String {
    let Node { address, .. } = node;
    let Shared { cql, storage, storage_tls, seeds } = shared;
    let folder = home.display();
    format!(
        "cluster_name: paymux\n\
         num_tokens: 1\n\
         partitioner: org.apache.cassandra.dht.Murmur3Partitioner\n\
         auto_bootstrap: false\n\
         data_file_directories: [\"{folder}/data\"]\n\
         commitlog_directory: \"{folder}/commitlog\"\n\
         saved_caches_directory: \"{folder}/saved_caches\"\n\
         hints_directory: \"{folder}/hints\"\n\
         cdc_raw_directory: \"{folder}/cdc_raw\"\n\
         commitlog_sync: periodic\n\
         commitlog_sync_period: 10000ms\n\
         commitlog_disk_access_mode: legacy\n\
         seed_provider:\n\
         \x20 - class_name: org.apache.cassandra.locator.SimpleSeedProvider\n\
         \x20   parameters:\n\
         \x20     - seeds: \"{seeds}\"\n\
         listen_address: {address}\n\
         rpc_address: {address}\n\
         storage_port: {storage}\n\
         ssl_storage_port: {storage_tls}\n\
         native_transport_port: {cql}\n\
         start_native_transport: true\n\
         endpoint_snitch: SimpleSnitch\n\
         memtable_heap_space: 128MiB\n\
         memtable_offheap_space: 128MiB\n\
         auto_snapshot: false\n\
         dynamic_snitch: false\n"
    )
}

/// What TLS and login need.
fn secured(secrets: &Secrets, demand: Demand) -> Result<String> {
    let (store, password) = (secrets.store(), secrets.password()?);
    let (is_optional, authenticator) = match demand {
        Demand::Nothing => (true, "AllowAllAuthenticator"),
        Demand::All => (false, "PasswordAuthenticator"),
    };
    Ok(format!(
        "authenticator: {authenticator}\n\
         client_encryption_options:\n\
         \x20 enabled: true\n\
         \x20 optional: {is_optional}\n\
         \x20 keystore: \"{}\"\n\
         \x20 keystore_password: {password}\n\
         \x20 store_type: PKCS12\n",
        store.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_is_one_version_at_all_nodes() {
        let told = |versions: &str| format!("Cluster Information:\n\tSchema versions:\n{versions}\nStats\n");
        let [one, both] = [1, 2].map(|n| (1..=n).map(|n| Ipv4Addr::new(127, 0, 0, n).into()).collect());
        assert!(is_agreed(&told("\t\t5f3c: [127.0.0.1, 127.0.0.2]\n"), &both));
        assert!(!is_agreed(&told("\t\t5f3c: [127.0.0.1]\n"), &both));
        assert!(!is_agreed(&told("\t\t5f3c: [127.0.0.1]\n\t\t77aa: [127.0.0.2]\n"), &both));
        // A node that was killed is none of those that are waited for.
        let lost = told("\t\t5f3c: [127.0.0.1]\n\t\tUNREACHABLE: [127.0.0.2]\n");
        assert!(is_agreed(&lost, &one));
        assert!(!is_agreed(&lost, &both));
        assert!(!is_agreed("", &one));
    }
}
