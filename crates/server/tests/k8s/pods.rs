//! Pods against the binary: flags, variables, configuration, ports, probes, the stop, and what a pod may do.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::OnceLock;

use paymux_server::config::{Config, Place};
use serde_json::{Value, json};

use crate::files::Container;
use crate::tree::{Tree, Workload, chooses, list, text};

/// The binary.
pub(crate) const PAYMUX: &str = env!("CARGO_BIN_EXE_paymux");

/// Variables of the configuration.
const OVERLAY_PREFIX: &str = "PAYMUX__";

/// Seconds that are left for what comes after the drain.
const AFTER_DRAIN_S: u64 = 15;

/// What is wrong with the pods.
pub(crate) fn faults(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for workload in tree.workloads() {
        let mut found = of_pod(workload);
        match Container::of(tree, workload) {
            Err(fault) => found.push(fault),
            Ok(container) => {
                found.extend(flags(workload).err());
                found.extend(variables(&container));
                match container.config() {
                    Err(fault) => found.push(fault),
                    Ok(config) => found.extend(of_config(workload, &config)),
                }
            }
        }
        faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", workload.name())));
    }
    faults
}

/// Flags that the binary does not take: it looks at all of them before it prints its help.
fn flags(workload: Workload<'_>) -> Result<(), String> {
    let output = Command::new(PAYMUX).args(workload.args()).arg("--help").output().expect("the binary runs");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// Variables that nobody reads. Those of the configuration are looked at with it.
fn variables(container: &Container) -> Vec<String> {
    let unread =
        |name: &&String| !name.starts_with(OVERLAY_PREFIX) && !help().contains(&format!("[env: {name}="));
    container
        .environment
        .keys()
        .filter(unread)
        .map(|name| format!("the binary reads no variable {name}"))
        .collect()
}

fn help() -> &'static str {
    static HELP: OnceLock<String> = OnceLock::new();
    HELP.get_or_init(|| {
        let output = Command::new(PAYMUX).args(["serve", "--help"]).output().expect("the binary runs");
        String::from_utf8(output.stdout).expect("UTF-8")
    })
}

fn of_config(workload: Workload<'_>, config: &Config) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expected = listens(config);
    expected.retain(|door, _| match door.as_str() {
        "grpc" => workload.has_role("ingest"),
        "notify" => workload.has_role("notify"),
        // Every process has them.
        _ => workload.is_served(),
    });
    if workload.is_served() {
        faults.extend(probes(workload, expected.get("health").copied().unwrap_or(0)));
        faults.extend(stop(workload, config));
    }
    let ports: BTreeMap<String, u64> =
        workload.ports().into_iter().map(|(name, port)| (name.to_owned(), port)).collect();
    if ports != expected {
        faults.push(format!("its ports are {ports:?}, and it listens on {expected:?}"));
    }
    for path in written(config) {
        let mut mounts = workload.mounts();
        if !mounts.any(|(mount, _, is_writable)| is_writable && path.starts_with(&format!("{mount}/"))) {
            faults.push(format!("{path} lies on no volume that can be written to"));
        }
    }
    if config.backend.cluster().is_some_and(|cluster| {
        let is_named = cluster.kafka.group_instance_id.as_deref() == Some(&format!("{}-0", workload.name()));
        is_named != (workload.has_role("worker") && workload.document["kind"] == "StatefulSet")
    }) {
        faults.push(
            "a worker, and nobody else, is known to the group by the lasting name of its pod".to_owned(),
        );
    }
    faults
}

/// The ports of the doors, by their names: `server.NAME_listen` of the effective configuration.
pub(crate) fn listens(config: &Config) -> BTreeMap<String, u64> {
    let dump = config.dump();
    let doors = dump.lines().filter_map(|line| {
        let (door, rest) = line.split_once("_listen = \"")?;
        let (_, port) = rest.split_once('"')?.0.rsplit_once(':')?;
        Some((door.to_owned(), port.parse().ok()?))
    });
    doors.collect()
}

/// What the process writes.
fn written(config: &Config) -> Vec<String> {
    let data = match &config.backend.place {
        Place::Embedded(embedded) => Some(embedded.folder.clone()),
        Place::Cluster(_) => None,
    };
    let audit = config.access.audit.as_ref().map(|audit| audit.file.clone());
    data.into_iter().chain(audit).map(|path| path.to_string_lossy().into_owned()).collect()
}

fn probes(workload: Workload<'_>, health: u64) -> Vec<String> {
    let expected =
        [("startupProbe", "liveness"), ("livenessProbe", "liveness"), ("readinessProbe", "readiness")];
    let wrong = expected.iter().filter_map(|(probe, service)| {
        let found = &workload.container()[probe]["grpc"];
        let is_right = *found == json!({ "port": health, "service": service });
        (!is_right).then(|| format!("{probe} asks {found}, and {service} is told on port {health}"))
    });
    wrong.collect()
}

/// The process must have ended by itself before it is killed.
fn stop(workload: Workload<'_>, config: &Config) -> Option<String> {
    let pause = workload.container()["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64()?;
    let needed = pause + config.server.drain_timeout.as_secs() + AFTER_DRAIN_S;
    let given = workload.pod()["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
    (given < needed).then(|| format!("terminationGracePeriodSeconds is {given}, a stop may take {needed}"))
}

/// What holds for every pod, whatever its configuration.
fn of_pod(workload: Workload<'_>) -> Vec<String> {
    let (pod, container) = (workload.pod(), workload.container());
    let within = &container["securityContext"];
    let holds = [
        ("runs as nobody in particular", pod["securityContext"]["runAsNonRoot"] == true),
        ("has a number that is not root's", pod["securityContext"]["runAsUser"].as_u64().unwrap_or(0) > 0),
        ("has seccomp's profile", pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"),
        ("gets no token", pod["automountServiceAccountToken"] == false),
        ("cannot write to its root", within["readOnlyRootFilesystem"] == true),
        ("gains no rights", within["allowPrivilegeEscalation"] == false),
        ("has no capabilities", within["capabilities"] == json!({ "drop": ["ALL"] })),
        ("has one container", list(&pod["containers"]).len() == 1 && container["name"] == "paymux"),
        ("says what it needs", container["resources"]["requests"].is_object()),
        ("has a limit of memory", container["resources"]["limits"]["memory"].is_string()),
        (
            "pauses before its stop",
            !workload.is_served() || !container["lifecycle"]["preStop"]["sleep"].is_null(),
        ),
        ("is chosen by its owner", owner_chooses(workload)),
        ("keeps away from its like", spreads(workload)),
    ];
    let missing = holds.into_iter().filter(|(_, holds)| !holds);
    missing.map(|(what, _)| format!("not so: a pod {what}")).collect()
}

fn owner_chooses(workload: Workload<'_>) -> bool {
    !workload.is_served() || chooses(&workload.document["spec"]["selector"], workload.labels())
}

/// What there are several of is spread over zones and machines, by a selector that chooses its own pods.
fn spreads(workload: Workload<'_>) -> bool {
    let is_single = workload.document["spec"]["replicas"] == 1 || !workload.is_served();
    let spread: Vec<(&str, &Value)> = list(&workload.pod()["topologySpreadConstraints"])
        .iter()
        .map(|one| (text(&one["topologyKey"]), &one["labelSelector"]))
        .collect();
    let over = |key: &str| spread.iter().any(|(found, _)| *found == key);
    let own = spread.iter().all(|(_, selector)| chooses(selector, workload.labels()));
    is_single || own && over("topology.kubernetes.io/zone") && over("kubernetes.io/hostname")
}
