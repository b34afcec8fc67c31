//! KEDA's kinds: `apis/keda/v1alpha1` (scaledobject_types.go, triggerauthentication_types.go) and the documentation of the
//! Apache Kafka scaler, both of KEDA 2.22.
#![expect(dead_code, reason = "reading is the check")]

use serde::Deserialize;

/// `spec` of a ScaledObject.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ScaledObject {
    scale_target_ref: ScaleTarget,
    polling_interval: Option<i32>,
    initial_cooldown_period: Option<i32>,
    cooldown_period: Option<i32>,
    idle_replica_count: Option<i32>,
    min_replica_count: Option<i32>,
    max_replica_count: Option<i32>,
    advanced: Option<Advanced>,
    fallback: Option<Fallback>,
    triggers: Vec<Trigger>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ScaleTarget {
    api_version: Option<String>,
    kind: Option<String>,
    name: String,
    env_source_container_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Advanced {
    restore_to_original_replica_count: Option<bool>,
    horizontal_pod_autoscaler_config: Option<AutoscalerConfig>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AutoscalerConfig {
    name: Option<String>,
    behavior: Option<Behavior>,
}

/// HorizontalPodAutoscalerBehavior of `autoscaling/v2`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Behavior {
    scale_up: Option<Rules>,
    scale_down: Option<Rules>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rules {
    stabilization_window_seconds: Option<i32>,
    select_policy: Option<SelectPolicy>,
    policies: Vec<Policy>,
}

#[derive(Debug, Deserialize)]
enum SelectPolicy {
    Max,
    Min,
    Disabled,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Policy {
    r#type: PolicyType,
    value: i32,
    period_seconds: i32,
}

#[derive(Debug, Deserialize)]
enum PolicyType {
    Pods,
    Percent,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fallback {
    failure_threshold: i32,
    replicas: i32,
    behavior: Option<FallbackBehavior>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum FallbackBehavior {
    Static,
    CurrentReplicas,
    CurrentReplicasIfHigher,
    CurrentReplicasIfLower,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Trigger {
    r#type: KafkaAlone,
    name: Option<String>,
    use_cached_metrics: Option<bool>,
    metric_type: Option<MetricType>,
    metadata: KafkaMetadata,
    authentication_ref: Option<AuthenticationRef>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum KafkaAlone {
    Kafka,
}

#[derive(Debug, Deserialize)]
enum MetricType {
    AverageValue,
    Value,
}

/// Values are texts, numbers and truth values among them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KafkaMetadata {
    bootstrap_servers: String,
    consumer_group: String,
    topic: String,
    lag_threshold: Option<String>,
    activation_lag_threshold: Option<String>,
    offset_reset_policy: Option<OffsetReset>,
    allow_idle_consumers: Option<String>,
    scale_to_zero_on_invalid_offset: Option<String>,
    exclude_persistent_lag: Option<String>,
    limit_to_partitions_with_lag: Option<String>,
    ensure_even_distribution_of_partitions: Option<String>,
    partition_limitation: Option<String>,
    version: Option<String>,
    sasl: Option<Sasl>,
    tls: Option<Tls>,
    unsafe_ssl: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum OffsetReset {
    Earliest,
    Latest,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sasl {
    None,
    Plaintext,
    #[serde(rename = "scram_sha256")]
    ScramSha256,
    #[serde(rename = "scram_sha512")]
    ScramSha512,
    Gssapi,
    Oauthbearer,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Tls {
    Enable,
    Disable,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AuthenticationRef {
    name: String,
    kind: Option<String>,
}

/// `spec` of a TriggerAuthentication, from Secrets alone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TriggerAuthentication {
    secret_target_ref: Vec<SecretTarget>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SecretTarget {
    parameter: Parameter,
    name: String,
    key: String,
}

/// What the Kafka scaler takes from a Secret.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Parameter {
    Sasl,
    Username,
    Password,
    Tls,
    Ca,
    Cert,
    Key,
    KeyPassword,
}
