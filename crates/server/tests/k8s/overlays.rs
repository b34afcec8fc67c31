//! Every overlay as it is has no fault, and one wrong field of each sort is found.

use serde_json::{Value, json};

use crate::cluster::services_faults;
use crate::findings;
use crate::kinds;
use crate::planted::{self, Plant};
use crate::reach::any_config;
use crate::tools::Tools;
use crate::tree::{OVERLAYS, Tree, name_of};

/// Tells what was looked at; the test command shows these lines.
#[expect(clippy::print_stdout, reason = "the page of the long run collects these lines")]
fn verified(what: &str) {
    println!("verified: {what}");
}

#[test]
fn every_overlay_is_as_kubernetes_the_operators_and_the_binary_want_it() {
    let Some(tools) = Tools::or_skip("overlays::every_overlay") else { return };
    for overlay in OVERLAYS {
        let tree = Tree::of(&tools, overlay);
        let faults = findings::of(&tools, &tree);
        assert!(faults.is_empty(), "{overlay}:\n{}", faults.join("\n"));
        verified(&format!("overlay {overlay}: {} documents", tree.documents.len()));
    }
}

#[test]
fn log_and_store_are_made_as_the_configuration_of_the_cluster_wants_them() {
    let Some(tools) = Tools::or_skip("overlays::log_and_store") else { return };
    let config = any_config(&Tree::of(&tools, "production")).expect("a configuration");
    let services = Tree::of(&tools, "kafka-scylla");
    assert_eq!(services_faults(&services, &config), Vec::<String>::new());
    let plants: [(&str, &str, &str, Value); 9] = [
        ("KafkaTopic", "orders.log.v1", "/spec/partitions", json!(63)),
        ("KafkaTopic", "orders.events.v1", "/spec/config/min.insync.replicas", json!(1)),
        ("KafkaTopic", "orders.dead.v1", "/spec/config/retention.ms", json!(1000)),
        ("Kafka", "paymux", "/spec/kafka/listeners/0/port", json!(9092)),
        ("Kafka", "paymux", "/spec/kafka/config/offsets.retention.minutes", json!(10080)),
        ("KafkaNodePool", "brokers", "/spec/replicas", json!(2)),
        ("KafkaUser", "paymux", "/spec/authorization/acls/1/resource/name", json!("others")),
        ("ScyllaCluster", "paymux", "/spec/datacenter/name", json!("dc2")),
        ("ConfigMap", "paymux-scylla-config", "/data/scylla.yaml", json!("")),
    ];
    for (kind, name, path, value) in plants {
        let mut planted = services.clone();
        plant(&mut planted, kind, name, path, value);
        assert!(!services_faults(&planted, &config).is_empty(), "{kind} {name}: {path}");
    }
}

#[test]
fn a_field_that_its_kind_does_not_have_is_found_in_every_document() {
    let Some(tools) = Tools::or_skip("overlays::a_field") else { return };
    let mut native = Vec::new();
    let mut count = 0;
    for overlay in OVERLAYS {
        for mut document in Tree::of(&tools, overlay).documents {
            count += 1;
            let is_ours = kinds::is_known(&document);
            // An account or a ConfigMap has no spec.
            let inner = if document.get("spec").is_some() { "/spec" } else { "" };
            document.pointer_mut(inner).expect("it is there")["planted"] = json!(1);
            if is_ours {
                assert!(kinds::fault(&document).is_some_and(|fault| fault.contains("planted")), "{document}");
            } else {
                native.push(document);
            }
        }
    }
    let found = tools.validate(&native);
    for (at, document) in native.iter().enumerate() {
        let fault = found.get(&at).unwrap_or_else(|| panic!("not found in {document}"));
        assert!(fault.contains("planted"), "{} {fault}", name_of(document));
    }
    verified(&format!("a field too many was found in each of {count} documents"));
}

#[test]
fn a_value_of_the_wrong_sort_is_found_in_every_kind_of_the_operators() {
    let Some(tools) = Tools::or_skip("overlays::a_value") else { return };
    let (production, services) = (Tree::of(&tools, "production"), Tree::of(&tools, "kafka-scylla"));
    let plants: [(&Tree, &str, &str, &str, Value); 11] = [
        // The scaler's settings are texts.
        (&production, "ScaledObject", "paymux-worker", "/spec/triggers/0/metadata/lagThreshold", json!(2000)),
        (
            &production,
            "ScaledObject",
            "paymux-worker",
            "/spec/triggers/0/metadata/sasl",
            json!("scram-sha-512"),
        ),
        (
            &production,
            "TriggerAuthentication",
            "paymux-kafka",
            "/spec/secretTargetRef/0/parameter",
            json!("user"),
        ),
        (&production, "PodMonitor", "paymux", "/spec/podMetricsEndpoints/0/port", json!(7703)),
        (&services, "Kafka", "paymux", "/apiVersion", json!("kafka.strimzi.io/v1beta2")),
        (&services, "Kafka", "paymux", "/spec/kafka/listeners/0/tls", json!("true")),
        (&services, "KafkaNodePool", "brokers", "/spec/storage/type", json!("ephemeral")),
        (&services, "KafkaTopic", "orders.log.v1", "/spec/partitions", json!("64")),
        (&services, "KafkaUser", "paymux", "/spec/authorization/acls/0/operations/0", json!("create")),
        (&services, "ScyllaCluster", "paymux", "/spec/datacenter/racks/0/members", json!(-1)),
        (&services, "ScyllaCluster", "paymux", "/spec/datacenter/racks/0/storage/capacity", json!(500)),
    ];
    for (tree, kind, name, path, value) in plants {
        let mut planted = tree.clone();
        plant(&mut planted, kind, name, path, value);
        let document = planted.documents.iter().find(|one| one["kind"] == kind && name_of(one) == name);
        let document = document.expect("it was planted into");
        // A version that is not known goes to the validator, which does not know it either.
        let is_found = if kinds::is_known(document) {
            kinds::fault(document).is_some()
        } else {
            !tools.validate(std::slice::from_ref(document)).is_empty()
        };
        assert!(is_found, "{kind} {name}: {path}");
    }
}

#[test]
fn what_does_not_fit_the_binary_and_its_configuration_is_found() {
    let Some(tools) = Tools::or_skip("overlays::what_does_not_fit") else { return };
    let production = Tree::of(&tools, "production");
    let mut count = 0;
    for Plant { kind, name, path, value, word } in planted::production() {
        let mut planted = production.clone();
        plant(&mut planted, kind, name, &path, value);
        let faults = findings::of_content(&planted).join("\n");
        assert!(faults.contains(word), "{kind} {name}: {path}: {word:?} is not in {faults:?}");
        count += 1;
    }
    let mut planted = production.clone();
    let map = planted.find_mut("ConfigMap", "paymux-config");
    let toml =
        map["data"]["paymux.toml"].as_str().expect("text").replace("drain_timeout_ms", "drain_time_ms");
    map["data"]["paymux.toml"] = json!(toml);
    let faults = findings::of_content(&planted).join("\n");
    assert!(faults.contains("server.drain_time_ms"), "{faults}");
    verified(&format!("{} things that do not fit the binary were found", count + 1));
}

/// Puts a value where a path leads, into an object also where nothing was. In a list an item is named by its place or by
/// its name; `~1` stands for a slash.
fn plant(tree: &mut Tree, kind: &str, name: &str, path: &str, value: Value) {
    let document = tree.find_mut(kind, name);
    let before = document.clone();
    let (parents, last) = path.rsplit_once('/').expect("a path");
    let parent = parents.split('/').skip(1).fold(&mut *document, step);
    match parent {
        Value::Array(_) => *step(parent, last) = value,
        other => other[last.replace("~1", "/")] = value,
    }
    assert_ne!(*document, before, "{path}: nothing was planted");
}

fn step<'a>(value: &'a mut Value, part: &str) -> &'a mut Value {
    match value {
        Value::Array(items) => {
            let named = |item: &Value| item["name"] == part;
            let place = part.parse().ok().or_else(|| items.iter().position(named));
            &mut items[place.unwrap_or_else(|| panic!("no item {part}"))]
        }
        other => other.get_mut(part.replace("~1", "/")).unwrap_or_else(|| panic!("no {part}")),
    }
}
