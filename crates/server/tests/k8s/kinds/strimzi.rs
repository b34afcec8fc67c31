//! Strimzi's kinds in `kafka.strimzi.io/v1`: the API reference and the CRDs (040-Crd-kafka, 043-Crd-kafkatopic,
//! 044-Crd-kafkauser, 045-Crd-kafkanodepool) of Strimzi 1.0. What v1 took away (ZooKeeper, `replicas` and `storage` of a
//! Kafka, `operation` of an ACL) is refused.
#![expect(dead_code, reason = "reading is the check")]

use serde::Deserialize;
use serde_json::{Map, Value};

/// `spec` of a Kafka.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Kafka {
    kafka: Brokers,
    entity_operator: Option<EntityOperator>,
    cluster_ca: Option<Value>,
    clients_ca: Option<Value>,
    cruise_control: Option<Value>,
    kafka_exporter: Option<Value>,
    maintenance_time_windows: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Brokers {
    version: Option<String>,
    metadata_version: Option<String>,
    image: Option<String>,
    listeners: Vec<Listener>,
    /// Settings of the brokers, by Kafka's own names.
    #[serde(default)]
    config: Map<String, Value>,
    authorization: Option<Authorization>,
    rack: Option<Rack>,
    jvm_options: Option<Value>,
    resources: Option<Resources>,
    metrics_config: Option<Value>,
    logging: Option<Value>,
    template: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Listener {
    name: String,
    port: u16,
    r#type: ListenerType,
    tls: bool,
    authentication: Option<Authentication>,
    configuration: Option<Value>,
    #[serde(default)]
    network_policy_peers: Vec<Peer>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ListenerType {
    Internal,
    Route,
    Loadbalancer,
    Nodeport,
    Ingress,
    ClusterIp,
}

/// NetworkPolicyPeer of `networking.k8s.io/v1`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Peer {
    namespace_selector: Option<Selector>,
    pod_selector: Option<Selector>,
    ip_block: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Selector {
    #[serde(default)]
    match_labels: Map<String, Value>,
    match_expressions: Option<Vec<Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
enum Authentication {
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
    Tls,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
enum Authorization {
    #[serde(rename_all = "camelCase")]
    Simple { super_users: Option<Vec<String>> },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rack {
    topology_key: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EntityOperator {
    topic_operator: Option<TopicOperator>,
    user_operator: Option<UserOperator>,
    template: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TopicOperator {
    watched_namespace: Option<String>,
    reconciliation_interval_ms: Option<u64>,
    resources: Option<Resources>,
    logging: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UserOperator {
    watched_namespace: Option<String>,
    reconciliation_interval_ms: Option<u64>,
    secret_prefix: Option<String>,
    resources: Option<Resources>,
    logging: Option<Value>,
}

/// ResourceRequirements of `v1`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resources {
    #[serde(default)]
    requests: Map<String, Value>,
    #[serde(default)]
    limits: Map<String, Value>,
}

/// `spec` of a KafkaNodePool.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KafkaNodePool {
    replicas: u32,
    roles: Vec<Role>,
    storage: Storage,
    resources: Option<Resources>,
    jvm_options: Option<Value>,
    template: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Role {
    Controller,
    Broker,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
enum Storage {
    Jbod { volumes: Vec<Volume> },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Volume {
    id: u32,
    r#type: VolumeType,
    size: String,
    class: Option<String>,
    kraft_metadata: Option<KraftMetadata>,
    delete_claim: Option<bool>,
    selector: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum VolumeType {
    PersistentClaim,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum KraftMetadata {
    Shared,
}

/// `spec` of a KafkaTopic.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KafkaTopic {
    topic_name: Option<String>,
    partitions: u32,
    replicas: u16,
    /// Settings of the topic, by Kafka's own names.
    #[serde(default)]
    config: Map<String, Value>,
}

/// `spec` of a KafkaUser.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KafkaUser {
    authentication: Authentication,
    authorization: UserAuthorization,
    quotas: Option<Value>,
    template: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
enum UserAuthorization {
    Simple { acls: Vec<Acl> },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Acl {
    r#type: Option<String>,
    resource: AclResource,
    host: Option<String>,
    operations: Vec<Operation>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AclResource {
    r#type: AclResourceType,
    name: Option<String>,
    pattern_type: Option<PatternType>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum AclResourceType {
    Topic,
    Group,
    Cluster,
    TransactionalId,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum PatternType {
    Literal,
    Prefix,
}

#[derive(Debug, Deserialize)]
enum Operation {
    Read,
    Write,
    Create,
    Delete,
    Alter,
    Describe,
    ClusterAction,
    AlterConfigs,
    DescribeConfigs,
    IdempotentWrite,
    All,
}
