//! Who reaches what: Services, the Ingress, network policies, disruption budgets, and what clients of gRPC are told.

use std::collections::BTreeSet;

use paymux_proto::FILE_DESCRIPTOR_SET;
use paymux_server::config::Config;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::files::Container;
use crate::tree::{Tree, Workload, list, name_of, text};

/// Ports that are no setting of ours: names, and providers.
const DNS: u64 = 53;
const HTTPS: u64 = 443;

/// Where metrics are told, and the job that the alert rules name (docs/metrics.md; a test there scrapes it).
const METRICS_PATH: &str = "/metrics";
const METRICS_JOB: &str = "paymux";

/// What is wrong with them.
pub(crate) fn faults(tree: &Tree) -> Vec<String> {
    let Some(config) = any_config(tree) else { return Vec::new() };
    let mut faults = services(tree);
    faults.extend(ingresses(tree, &config));
    faults.extend(policies(tree, &config));
    faults.extend(budgets(tree));
    faults.extend(scrapes(tree));
    faults.extend(service_config(tree));
    faults
}

/// The configuration of any process: doors and services are the same for all.
pub(crate) fn any_config(tree: &Tree) -> Option<Config> {
    tree.workloads().find_map(|workload| Container::of(tree, workload).ok()?.config().ok())
}

fn services(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for service in tree.all("Service") {
        let name = name_of(service);
        let mut pods = tree.selected(&service["spec"]["selector"]).peekable();
        if pods.peek().is_none() {
            faults.push(format!("the Service {name} chooses no pods"));
        }
        for pod in pods {
            for port in list(&service["spec"]["ports"]) {
                let Some(target) = pod.ports().get(text(&port["targetPort"])).copied() else {
                    faults.push(format!(
                        "the Service {name} leads to {}, which {} lacks",
                        port["targetPort"],
                        pod.name()
                    ));
                    continue;
                };
                // Without an address of its own a Service changes no port.
                if service["spec"]["clusterIP"] == "None" && port["port"] != target {
                    faults
                        .push(format!("the headless Service {name} says {}, the pod {target}", port["port"]));
                }
            }
        }
    }
    for workload in tree.workloads().filter(|one| one.document["kind"] == "StatefulSet") {
        let service = text(&workload.document["spec"]["serviceName"]);
        let found = tree.find("Service", service);
        if found.is_none_or(|found| found["spec"]["clusterIP"] != "None") {
            faults.push(format!("{} has no headless Service {service:?}", workload.name()));
        }
    }
    faults
}

fn ingresses(tree: &Tree, config: &Config) -> Vec<String> {
    let mut faults = Vec::new();
    let base = config.server.notify_base_url.trim_start_matches("https://");
    let (host, path) =
        base.split_once('/').map_or((base, String::new()), |(host, path)| (host, format!("/{path}")));
    for rule in tree.all("Ingress").flat_map(|ingress| list(&ingress["spec"]["rules"])) {
        if rule["host"] != host {
            faults.push(format!("the Ingress takes {}, notify_base_url is at {host:?}", rule["host"]));
        }
        for one in list(&rule["http"]["paths"]) {
            if one["path"] != format!("{path}/notify/") {
                faults.push(format!(
                    "the Ingress takes {}, notifications come below {path}/notify/",
                    one["path"]
                ));
            }
            let (service, port) =
                (text(&one["backend"]["service"]["name"]), &one["backend"]["service"]["port"]["name"]);
            let named = tree.find("Service", service).map_or(&[][..], |found| list(&found["spec"]["ports"]));
            if !named.iter().any(|known| known["name"] == *port) {
                faults.push(format!("the Ingress leads to {port} of {service:?}, which is not there"));
            }
        }
    }
    faults
}

fn policies(tree: &Tree, config: &Config) -> Vec<String> {
    let mut faults = Vec::new();
    let outside = outside(config);
    let mut allowed = BTreeSet::new();
    for policy in tree.all("NetworkPolicy") {
        let (name, spec) = (name_of(policy), &policy["spec"]);
        let pods: Vec<_> = tree.selected(&spec["podSelector"]).collect();
        for port in list(&spec["ingress"]).iter().flat_map(|rule| list(&rule["ports"])) {
            let number = port["port"].as_u64().unwrap_or(0);
            if let Some(pod) = pods.iter().find(|pod| !pod.ports().values().any(|known| *known == number)) {
                faults.push(format!(
                    "the NetworkPolicy {name} opens {number}, where {} does not listen",
                    pod.name()
                ));
            }
        }
        for port in list(&spec["egress"]).iter().flat_map(|rule| list(&rule["ports"])) {
            let number = port["port"].as_u64().unwrap_or(0);
            allowed.insert(number);
            if number != DNS && number != HTTPS && !outside.contains(&number) {
                faults.push(format!("the NetworkPolicy {name} lets out to {number}, where nobody listens"));
            }
        }
    }
    let closed = outside.iter().filter(|port| !allowed.contains(port));
    faults.extend(closed.map(|port| format!("no NetworkPolicy lets out to port {port} of log or store")));
    for workload in tree.workloads() {
        let mut policies = tree.all("NetworkPolicy").filter(|policy| {
            let is_whole = list(&policy["spec"]["policyTypes"]).len() == 2;
            is_whole && tree.selected(&policy["spec"]["podSelector"]).any(|pod| pod.name() == workload.name())
        });
        if policies.next().is_none() {
            faults.push(format!("no NetworkPolicy closes {} both ways", workload.name()));
        }
    }
    faults
}

/// Ports of log and store.
fn outside(config: &Config) -> BTreeSet<u64> {
    let Some(cluster) = config.backend.cluster() else { return BTreeSet::new() };
    let hosts = cluster.kafka.brokers.iter().chain(&cluster.cql.contact_points);
    hosts.filter_map(|host| host.rsplit_once(':')?.1.parse().ok()).collect()
}

fn budgets(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    let mut covered = BTreeSet::new();
    for budget in tree.all("PodDisruptionBudget") {
        let pods: Vec<_> =
            tree.selected(&budget["spec"]["selector"]).map(|pod| pod.name().to_owned()).collect();
        if pods.len() != 1 {
            faults.push(format!("the PodDisruptionBudget {} chooses {pods:?}", name_of(budget)));
        }
        covered.extend(pods);
    }
    let several = tree.workloads().filter(|one| one.is_served() && one.document["spec"]["replicas"] != 1);
    let bare = several.filter(|one| !covered.contains(one.name()));
    faults.extend(bare.map(|one| format!("no PodDisruptionBudget for {}", one.name())));
    faults
}

/// What is scraped is there, and at the path at which it is told.
fn scrapes(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for monitor in tree.all("PodMonitor") {
        let pods: Vec<_> = tree.selected(&monitor["spec"]["selector"]).collect();
        let missed = tree
            .workloads()
            .filter(|one| one.is_served() && !pods.iter().any(|pod| pod.name() == one.name()));
        faults.extend(missed.map(|one| format!("nobody scrapes {}", one.name())));
        let label = text(&monitor["spec"]["jobLabel"]);
        if !pods.iter().all(|pod| pod.labels().get(label) == Some(&json!(METRICS_JOB))) {
            faults.push(format!("the job of the metrics is not {METRICS_JOB:?}"));
        }
        for endpoint in list(&monitor["spec"]["podMetricsEndpoints"]) {
            let lacks = |pod: &&Workload<'_>| !pod.ports().contains_key(text(&endpoint["port"]));
            let lacking = pods.iter().find(lacks);
            faults.extend(
                lacking.map(|pod| format!("{} has no port {} to scrape", pod.name(), endpoint["port"])),
            );
            if endpoint["path"] != METRICS_PATH {
                faults.push(format!("metrics are not told at {}", endpoint["path"]));
            }
        }
    }
    faults
}

/// What clients are told, as gRPC's libraries read it: `grpc.service_config.ServiceConfig` of the project grpc-proto, in
/// the JSON form of its messages.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ServiceConfig {
    load_balancing_config: Vec<Value>,
    method_config: Vec<MethodConfig>,
    retry_throttling: RetryThrottling,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MethodConfig {
    name: Vec<MethodName>,
    retry_policy: RetryPolicy,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MethodName {
    service: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RetryPolicy {
    max_attempts: u32,
    initial_backoff: String,
    max_backoff: String,
    backoff_multiplier: f64,
    retryable_status_codes: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RetryThrottling {
    max_tokens: u32,
    token_ratio: f64,
}

fn service_config(tree: &Tree) -> Option<String> {
    let map = tree.find("ConfigMap", "paymux-grpc-service-config")?;
    let told = text(&map["data"]["grpc-service-config.json"]);
    let config: ServiceConfig = match serde_json::from_str(told) {
        Ok(config) => config,
        Err(error) => return Some(format!("grpc-service-config.json: {error}")),
    };
    let seconds =
        |text: &str| text.strip_suffix('s').and_then(|number| number.parse::<f64>().ok()).unwrap_or(0.0);
    let is_right = |method: &MethodConfig| {
        let retry = &method.retry_policy;
        let services = method.name.iter().all(|name| is_served(&name.service));
        // More than five attempts are taken for five.
        let attempts =
            (2..=5).contains(&retry.max_attempts) && retry.retryable_status_codes == ["UNAVAILABLE"];
        let pauses = 0.0 < seconds(&retry.initial_backoff)
            && seconds(&retry.initial_backoff) < seconds(&retry.max_backoff);
        services && attempts && pauses && retry.backoff_multiplier > 1.0
    };
    let balances = config.load_balancing_config == [json!({ "round_robin": {} })];
    let throttles =
        (1..=1000).contains(&config.retry_throttling.max_tokens) && config.retry_throttling.token_ratio > 0.0;
    let is_right = balances && throttles && config.method_config.iter().all(is_right);
    (!is_right).then(|| format!("grpc-service-config.json does not say what is meant: {config:?}"))
}

/// Whether the API has a service of this name.
fn is_served(service: &str) -> bool {
    let Some((package, name)) = service.rsplit_once('.') else { return false };
    let holds = |text: &str| FILE_DESCRIPTOR_SET.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    name.ends_with("Service") && holds(package) && holds(name)
}
