//! Log and store against the configuration that uses them: the scaler, and what the operators are asked to make.

use paymux_backends::kafka::{KafkaConfig, SaslMechanism, wanted_topics};
use paymux_server::config::Config;
use serde_json::{Map, Value, json};

use crate::files::secrets;
use crate::reach::any_config;
use crate::tree::{Tree, list, name_of, text};

/// What is wrong within one overlay.
pub(crate) fn faults(tree: &Tree) -> Vec<String> {
    let Some(config) = any_config(tree) else { return Vec::new() };
    let mut faults = Vec::new();
    for scaled in tree.all("ScaledObject") {
        faults.extend(scaling(tree, &config, scaled));
    }
    for authentication in tree.all("TriggerAuthentication") {
        for one in list(&authentication["spec"]["secretTargetRef"]) {
            let made = secrets().get(text(&one["name"]));
            if made.is_none_or(|files| !files.contains_key(text(&one["key"]))) {
                faults.push(format!("nobody makes {} of the Secret {}", one["key"], one["name"]));
            }
        }
    }
    faults
}

fn scaling(tree: &Tree, config: &Config, scaled: &Value) -> Vec<String> {
    let Some(kafka) = config.backend.cluster().map(|cluster| &cluster.kafka) else {
        return vec!["a scaler on a log that is embedded".to_owned()];
    };
    let mut faults = Vec::new();
    let spec = &scaled["spec"];
    let target = &spec["scaleTargetRef"];
    match tree.find(text(&target["kind"]), text(&target["name"])) {
        Some(found) if found["spec"].get("replicas").is_none() => {}
        Some(_) => faults.push(format!("{} has replicas of its own beside the scaler", target["name"])),
        None => faults.push(format!("the scaler's target {} is not there", target["name"])),
    }
    let most = spec["maxReplicaCount"].as_u64().unwrap_or(100);
    if most > u64::from(kafka.partitions) || spec["minReplicaCount"].as_u64().unwrap_or(0) < 2 {
        faults
            .push(format!("2 to {} workers can be of use, the scaler makes up to {most}", kafka.partitions));
    }
    for trigger in list(&spec["triggers"]) {
        let (expected, found) = (trigger_of(kafka), &trigger["metadata"]);
        for (name, value) in &expected {
            if found[name] != *value {
                faults.push(format!("the scaler's {name} is {}, the log's is {value}", found[name]));
            }
        }
        if tree.find("TriggerAuthentication", text(&trigger["authenticationRef"]["name"])).is_none() {
            faults.push("the scaler's authenticationRef is not there".to_owned());
        }
    }
    faults
}

/// How the scaler asks for the lag of the log.
fn trigger_of(kafka: &KafkaConfig) -> Map<String, Value> {
    let sasl = kafka.sasl.as_ref().map_or("none", |sasl| match sasl.mechanism {
        SaslMechanism::Plain => "plaintext",
        SaslMechanism::ScramSha256 => "scram_sha256",
        SaslMechanism::ScramSha512 => "scram_sha512",
    });
    let of = [
        ("bootstrapServers", kafka.brokers.join(",")),
        ("consumerGroup", kafka.group.clone()),
        ("topic", wanted_topics(kafka).remove(0).name),
        ("sasl", sasl.to_owned()),
        ("tls", if kafka.tls.is_some() { "enable" } else { "disable" }.to_owned()),
    ];
    of.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}

/// What is wrong with log and store as the configuration of a cluster needs them.
pub(crate) fn services_faults(services: &Tree, config: &Config) -> Vec<String> {
    let mut faults = topics(services, config);
    faults.extend(brokers(services, config));
    faults.extend(nodes(services, config));
    faults
}

fn topics(services: &Tree, config: &Config) -> Vec<String> {
    let Some(cluster) = config.backend.cluster() else { return Vec::new() };
    let mut wrong = Vec::new();
    for wanted in wanted_topics(&cluster.kafka) {
        let settings =
            wanted.settings.iter().map(|(key, value)| ((*key).to_owned(), Value::from(value.as_str())));
        let settings = Value::Object(settings.collect());
        let found = services.find("KafkaTopic", &wanted.name).map(|topic| &topic["spec"]);
        let is_right = found.is_some_and(|spec| {
            let written = spec["config"].as_object().into_iter().flatten();
            let written = written.map(|(key, value)| (key.clone(), Value::from(text_of(value))));
            let written = Value::Object(written.collect());
            spec["partitions"] == wanted.partitions
                && spec["replicas"] == wanted.replication
                && written == settings
        });
        if !is_right {
            wrong.push(format!("the KafkaTopic {} is {found:?}, wanted is {wanted:?}", wanted.name));
        }
    }
    wrong
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The brokers' address is made of the name of the Kafka, its namespace and the listener's port (Strimzi's documentation,
/// section "Accessing Kafka using internal listeners").
fn brokers(services: &Tree, config: &Config) -> Vec<String> {
    let Some(cluster) = config.backend.cluster() else { return Vec::new() };
    let (kafka, topics) = (&cluster.kafka, &cluster.kafka.topics);
    let mut faults = Vec::new();
    for made in services.all("Kafka") {
        let (name, spec) = (name_of(made), &made["spec"]["kafka"]);
        let host = format!("{name}-kafka-bootstrap.{}.svc", text(&made["metadata"]["namespace"]));
        let sasl = kafka.sasl.as_ref().map(|sasl| sasl.mechanism.as_str().to_lowercase());
        let takes = list(&spec["listeners"]).iter().find(|one| {
            kafka.brokers == [format!("{host}:{}", one["port"])]
                && one["tls"] == kafka.tls.is_some()
                && one["authentication"]["type"].as_str() == sasl.as_deref()
        });
        if takes.is_none() {
            faults.push(format!("no listener of {host} takes {:?}", kafka.brokers));
        }
        let replication = u64::from(topics.replication);
        let pools = services
            .all("KafkaNodePool")
            .filter(|pool| list(&pool["spec"]["roles"]).contains(&json!("broker")));
        let count: u64 = pools.filter_map(|pool| pool["spec"]["replicas"].as_u64()).sum();
        let kept = spec["config"]["offsets.retention.minutes"].as_u64().unwrap_or(0);
        if count < replication || kept < u64::from(topics.log_hours) * 60 {
            faults
                .push(format!("{count} brokers for {replication} copies; positions are kept for {kept} min"));
        }
        let known = kafka.sasl.as_ref().and_then(|sasl| services.find("KafkaUser", &sasl.username));
        let acls = known.map_or(&[][..], |user| list(&user["spec"]["authorization"]["acls"]));
        let names: Vec<&str> = acls.iter().map(|acl| text(&acl["resource"]["name"])).collect();
        let reads = |topic: &str| names.iter().any(|name| topic.starts_with(name));
        if !names.contains(&kafka.group.as_str()) || wanted_topics(kafka).iter().any(|one| !reads(&one.name))
        {
            faults.push(format!("the user may use {names:?} alone"));
        }
        let clusters = services
            .documents
            .iter()
            .filter(|one| one["metadata"]["labels"].get("strimzi.io/cluster").is_some());
        let strangers = clusters.filter(|one| one["metadata"]["labels"]["strimzi.io/cluster"] != name);
        faults.extend(strangers.map(|one| format!("{} belongs to no Kafka", name_of(one))));
    }
    faults
}

/// The nodes' address is made of the name of the ScyllaCluster and its namespace, with the port for TLS (the operator's
/// documentation, sections "Discovering ScyllaDB Nodes" and "Using CQL").
fn nodes(services: &Tree, config: &Config) -> Vec<String> {
    let Some(cluster) = config.backend.cluster() else { return Vec::new() };
    let mut faults = Vec::new();
    for made in services.all("ScyllaCluster") {
        let host = format!("{}-client.{}.svc:9142", name_of(made), text(&made["metadata"]["namespace"]));
        if cluster.cql.contact_points != [host.clone()]
            || cluster.cql.tls.is_none()
            || cluster.cql.credentials.is_none()
        {
            faults.push(format!("{host} is not what {:?} names", cluster.cql.contact_points));
        }
        let datacenter = &made["spec"]["datacenter"];
        let racks = list(&datacenter["racks"]);
        let members: u64 = racks.iter().filter_map(|rack| rack["members"].as_u64()).sum();
        let copies = cluster.cql.replication.values().copied().max().map_or(3, u64::from);
        if datacenter["name"] != cluster.cql.local_datacenter
            || members < copies
            || (racks.len() as u64) < copies
        {
            faults.push(format!("{members} nodes in {} racks of {}", racks.len(), datacenter["name"]));
        }
        for rack in racks {
            let settings = services.find("ConfigMap", text(&rack["scyllaConfig"]));
            let settings = settings.map_or("", |map| text(&map["data"]["scylla.yaml"]));
            if !settings.contains("authenticator: PasswordAuthenticator") {
                faults.push(format!("the rack {} takes whoever comes", rack["name"]));
            }
        }
    }
    faults
}
