//! Cassandra: nodes on addresses of their own, with the same ports, each owning its share of the ring.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::started::{Kind, List, wait_until};
use super::{jars, ports};

const VERSION: &str = "5.0.5";

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

/// Where one node lives.
struct Node {
    name: String,
    address: IpAddr,
    folder: PathBuf,
    jmx: u16,
    /// Its place on the ring.
    token: i64,
}

/// Ports that all nodes share.
#[derive(Clone, Copy)]
struct Shared {
    cql: u16,
    storage: u16,
    storage_tls: u16,
}

/// Starts nodes and waits until they take statements and agree on the schema.
///
/// # Errors
/// See the messages.
pub(super) fn start(folder: &Path, count: u8, list: &mut List) -> Result<()> {
    let jars = jars::fetch(folder, "cassandra", &[("org.apache.cassandra", "cassandra-all", VERSION)])?;
    let addresses: Vec<IpAddr> = (1..=count).map(|n| IpAddr::V4(Ipv4Addr::new(127, 0, 0, n))).collect();
    let [cql, storage, storage_tls] = ports::free(&addresses)?;
    let shared = Shared { cql, storage, storage_tls };
    let step = i64::MAX / i64::from(count).max(1);
    let mut nodes = Vec::new();
    for (n, address) in (1_i64..).zip(&addresses) {
        let name = format!("cassandra-{n}");
        let home = folder.join(Kind::Cassandra.as_str()).join(&name);
        // What an earlier start left: its ports and its ring are gone.
        drop(std::fs::remove_dir_all(&home));
        std::fs::create_dir_all(home.join("conf")).with_context(|| format!("making {}", home.display()))?;
        let [jmx] = ports::free(&[IpAddr::V4(Ipv4Addr::LOCALHOST)])?;
        nodes.push(Node { name, address: *address, folder: home, jmx, token: (n - 1) * step });
    }
    for node in &nodes {
        std::fs::write(node.folder.join("conf/cassandra.yaml"), yaml(node, shared))?;
        let address = SocketAddr::new(node.address, shared.cql);
        list.spawn(Kind::Cassandra, &node.name, address, &node.folder, &mut daemon(node, &jars))?;
        // One after the other: a node joins a ring that stands.
        list.wait_until_open(Kind::Cassandra)?;
    }
    for node in &nodes {
        wait_until(|| agrees(node, &jars, nodes.len()))
            .with_context(|| format!("{}: the schema", node.name))?;
    }
    Ok(())
}

fn daemon(node: &Node, jars: &Path) -> Command {
    let mut java = Command::new("java");
    java.current_dir(&node.folder);
    java.args(["-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:MaxDirectMemorySize=512m"]);
    java.arg(format!("-Dcassandra.config=file://{}", node.folder.join("conf/cassandra.yaml").display()));
    java.arg(format!("-Dcassandra.storagedir={}", node.folder.display()));
    java.arg(format!("-Dcassandra.jmx.local.port={}", node.jmx));
    java.arg(format!("-Dcassandra.initial_token={}", node.token));
    java.args(["-Dcassandra.skip_wait_for_gossip_to_settle=0", "-Dcassandra.ring_delay_ms=0"]);
    java.args(["-Djdk.attach.allowAttachSelf=true", "-Dio.netty.tryReflectionSetAccessible=true"]);
    open_jdk(&mut java);
    let path = format!("{}:{}", node.folder.join("conf").display(), jars.join("*").display());
    java.arg("-cp").arg(path).arg("org.apache.cassandra.service.CassandraDaemon");
    java
}

fn open_jdk(java: &mut Command) {
    java.args(EXPORTS.map(|package| format!("--add-exports={package}=ALL-UNNAMED")));
    java.args(OPENS.map(|package| format!("--add-opens={package}=ALL-UNNAMED")));
}

/// Whether a node sees one version of the schema, at all nodes.
fn agrees(node: &Node, jars: &Path, nodes: usize) -> Result<bool> {
    let mut tool = Command::new("java");
    tool.args(["-Xmx128m", "-XX:TieredStopAtLevel=1"]);
    // It keeps a history in the home folder.
    tool.arg(format!("-Duser.home={}", node.folder.display()));
    open_jdk(&mut tool);
    tool.arg("-cp").arg(jars.join("*"));
    tool.arg("org.apache.cassandra.tools.NodeTool").args(["-p", &node.jmx.to_string(), "describecluster"]);
    let output = tool.current_dir(&node.folder).output()?;
    Ok(output.status.success() && is_agreed(&String::from_utf8_lossy(&output.stdout), nodes))
}

/// Whether `describecluster` lists one version of the schema, with so many addresses.
fn is_agreed(text: &str, nodes: usize) -> bool {
    let versions = text.lines().skip_while(|line| line.trim() != "Schema versions:").skip(1);
    let lists: Vec<&str> = versions
        .take_while(|line| !line.trim().is_empty())
        .filter_map(|line| line.split_once('[')?.1.split_once(']').map(|(list, _)| list))
        .collect();
    let [one] = lists[..] else { return false };
    one.split(',').count() == nodes
}

fn yaml(node: &Node, shared: Shared) -> String {
    let Node { address, folder, .. } = node;
    let Shared { cql, storage, storage_tls } = shared;
    let folder = folder.display();
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
         \x20     - seeds: \"127.0.0.1:{storage}\"\n\
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

#[cfg(test)]
mod tests {
    use super::is_agreed;

    #[test]
    fn agreement_is_one_version_at_all_nodes() {
        let told = |versions: &str| format!("Cluster Information:\n\tSchema versions:\n{versions}\nStats\n");
        assert!(is_agreed(&told("\t\t5f3c: [127.0.0.1, 127.0.0.2]\n"), 2));
        assert!(!is_agreed(&told("\t\t5f3c: [127.0.0.1]\n"), 2));
        assert!(!is_agreed(&told("\t\t5f3c: [127.0.0.1]\n\t\t77aa: [127.0.0.2]\n"), 2));
        assert!(!is_agreed("", 1));
    }
}
