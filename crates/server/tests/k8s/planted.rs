//! What is planted into the overlay `production`, one thing at a time, each with a word of the fault that it must lead to.

use serde_json::Value;

/// Kind, name, where, the value, a word of the fault. `@` stands for a pod's specification, `%` for its container.
const PRODUCTION: &str = r#"
Deployment paymux-ingest %/args/1 | "--role" | --role
Deployment paymux-ingest %/args/2 | "ingress" | ingress
Deployment paymux-ingest %/args/2 | "notify" | its ports are
Deployment paymux-ingest %/env/PAYMUX_CONFIG/name | "PAYMUX_CONF" | PAYMUX_CONF
StatefulSet paymux-operator %/env/PAYMUX__ACCESS__AUDIT_FILE/name | "PAYMUX__ACCESS__FILE" | access.file
StatefulSet paymux-operator %/env/PAYMUX__ACCESS__AUDIT_FILE/value | "/tmp/audit.jsonl" | /tmp/audit.jsonl lies on
StatefulSet paymux-worker %/env/PAYMUX__BACKEND__KAFKA__GROUP_INSTANCE_ID | {"name": "PAYMUX_LOG", "value": "info"} | lasting name
Deployment paymux-ingest %/ports/grpc/containerPort | 7777 | its ports are
Deployment paymux-notify %/livenessProbe/grpc/service | "readiness" | livenessProbe
Deployment paymux-notify %/readinessProbe/grpc/service | "ready" | readinessProbe
Deployment paymux-notify %/startupProbe/grpc/port | 7701 | startupProbe
Deployment paymux-ingest @/terminationGracePeriodSeconds | 30 | terminationGracePeriodSeconds is 30
Deployment paymux-ingest %/volumeMounts/config/mountPath | "/etc/other" | cannot be read
Deployment paymux-ingest @/volumes/config/configMap/name | "paymux-conf" | no ConfigMap paymux-conf
Deployment paymux-ingest @/volumes/grpc-tls/secret/secretName | "paymux-tls" | nobody makes the Secret "paymux-tls"
Deployment paymux-ingest @/securityContext/runAsNonRoot | false | nobody in particular
Deployment paymux-ingest @/securityContext/seccompProfile/type | "Unconfined" | seccomp
Deployment paymux-ingest %/securityContext/readOnlyRootFilesystem | false | cannot write to its root
Deployment paymux-ingest %/securityContext/capabilities/drop/0 | "CHOWN" | capabilities
Deployment paymux-ingest @/topologySpreadConstraints/0/topologyKey | "zone" | keeps away from its like
Deployment paymux-ingest /spec/selector/matchLabels/app.kubernetes.io~1component | "x" | chosen by its owner
Service paymux-ingest /spec/selector/paymux~1ingest | "yes" | chooses no pods
Service paymux-ingest /spec/ports/0/port | 7000 | headless
Service paymux-notify /spec/ports/0/targetPort | "http" | lacks
Ingress paymux-notify /spec/rules/0/host | "pay.example" | notify_base_url
Ingress paymux-notify /spec/rules/0/http/paths/0/path | "/notify" | notifications come
NetworkPolicy paymux-ingest /spec/ingress/0/ports/0/port | 7701 | does not listen
NetworkPolicy paymux-log-and-store /spec/egress/0/ports/0/port | 9092 | where nobody listens
NetworkPolicy paymux-log-and-store /spec/egress/0/ports/1/port | 9093 | out to port 9142
NetworkPolicy paymux-default /spec/policyTypes | ["Egress"] | both ways
PodDisruptionBudget paymux-worker /spec/selector/matchLabels | {"a": "b"} | no PodDisruptionBudget for paymux-worker
ConfigMap paymux-grpc-service-config /data/grpc-service-config.json | "{}" | missing field
StatefulSet paymux-worker /spec/replicas | 3 | beside the scaler
ScaledObject paymux-worker /spec/scaleTargetRef/name | "worker" | is not there
ScaledObject paymux-worker /spec/maxReplicaCount | 65 | up to 65
ScaledObject paymux-worker /spec/triggers/0/metadata/topic | "orders.log" | the scaler's topic
ScaledObject paymux-worker /spec/triggers/0/metadata/consumerGroup | "paymux" | the scaler's consumerGroup
ScaledObject paymux-worker /spec/triggers/0/metadata/bootstrapServers | "kafka:9092" | the scaler's bootstrapServers
PodMonitor paymux /spec/podMetricsEndpoints/0/port | "prometheus" | to scrape
PodMonitor paymux /spec/podMetricsEndpoints/0/path | "/" | not told at
PodMonitor paymux /spec/selector/matchLabels | {"a": "b"} | nobody scrapes
PodMonitor paymux /spec/jobLabel | "app.kubernetes.io/component" | the job of the metrics
NetworkPolicy paymux-metrics /spec/ingress/0/ports/0/port | 7704 | does not listen
TriggerAuthentication paymux-kafka /spec/secretTargetRef/0/key | "user" | of the Secret
"#;

/// One thing that is wrong.
#[derive(Debug)]
pub(crate) struct Plant {
    pub(crate) kind: &'static str,
    pub(crate) name: &'static str,
    pub(crate) path: String,
    pub(crate) value: Value,
    pub(crate) word: &'static str,
}

/// All of them.
pub(crate) fn production() -> impl Iterator<Item = Plant> {
    PRODUCTION.lines().filter(|line| !line.is_empty()).map(|line| {
        let mut parts = line.splitn(3, " | ");
        let mut part = || parts.next().unwrap_or_else(|| panic!("three parts: {line}"));
        let (place, value, word) = (part(), part(), part());
        let [kind, name, path] = place.split(' ').collect::<Vec<_>>()[..] else {
            panic!("three words: {place}")
        };
        let path = path.replace('%', "@/containers/0").replace('@', "/spec/template/spec");
        let value = serde_json::from_str(value).unwrap_or_else(|error| panic!("{line}: {error}"));
        Plant { kind, name, path, value, word }
    })
}
