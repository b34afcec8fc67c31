//! The kind of scylla-operator in `scylla.scylladb.com/v1`: `pkg/api/scylla/v1/types_cluster.go` of that project.
#![expect(dead_code, reason = "reading is the check")]

use serde::Deserialize;
use serde_json::Value;

use super::strimzi::Resources;

/// `spec` of a ScyllaCluster, without what is deprecated or experimental there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ScyllaCluster {
    version: String,
    repository: Option<String>,
    agent_version: Option<String>,
    agent_repository: Option<String>,
    pod_metadata: Option<Value>,
    developer_mode: Option<bool>,
    automatic_orphaned_node_cleanup: Option<bool>,
    datacenter: Datacenter,
    scylla_args: Option<String>,
    network: Option<Value>,
    repairs: Option<Vec<Value>>,
    backups: Option<Vec<Value>>,
    force_redeployment_reason: Option<String>,
    external_seeds: Option<Vec<String>>,
    min_ready_seconds: Option<i32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Datacenter {
    name: String,
    racks: Vec<Rack>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rack {
    name: String,
    members: u32,
    storage: Storage,
    placement: Option<Placement>,
    resources: Resources,
    agent_resources: Option<Resources>,
    volumes: Option<Vec<Value>>,
    volume_mounts: Option<Vec<Value>>,
    agent_volume_mounts: Option<Vec<Value>>,
    /// Without `omitempty` there: it must be given.
    scylla_config: String,
    scylla_agent_config: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Storage {
    metadata: Option<Value>,
    capacity: String,
    storage_class_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Placement {
    node_affinity: Option<NodeAffinity>,
    pod_affinity: Option<Value>,
    pod_anti_affinity: Option<Value>,
    tolerations: Option<Vec<Value>>,
}

/// NodeAffinity of `v1`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NodeAffinity {
    required_during_scheduling_ignored_during_execution: Option<NodeSelector>,
    preferred_during_scheduling_ignored_during_execution: Option<Vec<Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NodeSelector {
    node_selector_terms: Vec<Term>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Term {
    match_expressions: Vec<Expression>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expression {
    key: String,
    operator: Operator,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Debug, Deserialize)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    Gt,
    Lt,
}
