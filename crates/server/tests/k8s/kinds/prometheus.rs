//! The PodMonitor of prometheus-operator in `monitoring.coreos.com/v1`: `pkg/apis/monitoring/v1/podmonitor_types.go` of
//! that project.
#![expect(dead_code, reason = "reading is the check")]

use serde::Deserialize;
use serde_json::{Map, Value};

/// `spec` of a PodMonitor.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PodMonitor {
    job_label: Option<String>,
    pod_target_labels: Option<Vec<String>>,
    pod_metrics_endpoints: Vec<Endpoint>,
    selector: Selector,
    namespace_selector: Option<Value>,
    sample_limit: Option<u64>,
    label_limit: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Endpoint {
    port: Option<String>,
    port_number: Option<u16>,
    path: Option<String>,
    scheme: Option<String>,
    interval: Option<String>,
    scrape_timeout: Option<String>,
    honor_labels: Option<bool>,
    relabelings: Option<Vec<Value>>,
    metric_relabelings: Option<Vec<Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Selector {
    #[serde(default)]
    match_labels: Map<String, Value>,
    match_expressions: Option<Vec<Value>>,
}
