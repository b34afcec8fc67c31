//! Kinds that operators bring with them, as types that refuse fields which they do not know: no schema of Kubernetes knows
//! them. The types have the fields that the manifests use, and those that people are likely to reach for.

mod keda;
mod prometheus;
mod scylla;
mod strimzi;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Reads a document; says what is wrong with it.
type Read = fn(&Value) -> Option<String>;

/// How a document of each kind is read, by `apiVersion` and `kind`.
const KINDS: [(&str, &str, Read); 8] = [
    ("keda.sh/v1alpha1", "ScaledObject", read::<keda::ScaledObject>),
    ("keda.sh/v1alpha1", "TriggerAuthentication", read::<keda::TriggerAuthentication>),
    ("kafka.strimzi.io/v1", "Kafka", read::<strimzi::Kafka>),
    ("kafka.strimzi.io/v1", "KafkaNodePool", read::<strimzi::KafkaNodePool>),
    ("kafka.strimzi.io/v1", "KafkaTopic", read::<strimzi::KafkaTopic>),
    ("kafka.strimzi.io/v1", "KafkaUser", read::<strimzi::KafkaUser>),
    ("scylla.scylladb.com/v1", "ScyllaCluster", read::<scylla::ScyllaCluster>),
    ("monitoring.coreos.com/v1", "PodMonitor", read::<prometheus::PodMonitor>),
];

/// A document of an operator.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "reading is the check")]
struct Document<S> {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: S,
}

/// `metadata` (Kubernetes API, ObjectMeta), as far as people write it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "reading is the check")]
struct Metadata {
    name: String,
    namespace: Option<String>,
    #[serde(default)]
    labels: Map<String, Value>,
    #[serde(default)]
    annotations: Map<String, Value>,
}

/// Whether a document is of a kind that is read here.
pub(crate) fn is_known(document: &Value) -> bool {
    reader(document).is_some()
}

/// What is wrong with a document of such a kind.
pub(crate) fn fault(document: &Value) -> Option<String> {
    reader(document)?(document)
}

fn reader(document: &Value) -> Option<fn(&Value) -> Option<String>> {
    let is_of = |(version, kind): (&str, &str)| document["apiVersion"] == version && document["kind"] == kind;
    KINDS.iter().find(|(version, kind, _)| is_of((version, kind))).map(|(_, _, read)| *read)
}

fn read<S: DeserializeOwned>(document: &Value) -> Option<String> {
    Document::<S>::deserialize(document).err().map(|error| error.to_string())
}
