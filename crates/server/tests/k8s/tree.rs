//! The built documents of an overlay, and ways into them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::Value;

use crate::tools::Tools;

/// The overlays.
pub(crate) const OVERLAYS: [&str; 4] = ["embedded", "production", "migration", "kafka-scylla"];

/// Kinds whose pods run Paymux.
const WORKLOADS: [&str; 3] = ["Deployment", "StatefulSet", "Job"];

/// The workspace.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The documents of one overlay.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) documents: Vec<Value>,
}

impl Tree {
    /// Built once for all tests.
    pub(crate) fn of(tools: &Tools, overlay: &str) -> Self {
        static BUILT: OnceLock<BTreeMap<&'static str, Tree>> = OnceLock::new();
        let build = |name| Self { documents: tools.build(&root().join("k8s/overlays").join(name)) };
        BUILT.get_or_init(|| OVERLAYS.map(|name| (name, build(name))).into())[overlay].clone()
    }

    /// The documents of a kind.
    pub(crate) fn all(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.documents.iter().filter(move |document| document["kind"] == kind)
    }

    /// A document by kind and name; the generator's hash does not count.
    pub(crate) fn find(&self, kind: &str, name: &str) -> Option<&Value> {
        self.all(kind).find(|document| {
            let found = name_of(document);
            found == name || found.strip_prefix(name).is_some_and(|rest| kind == "ConfigMap" && is_hash(rest))
        })
    }

    /// The same, for a test that plants something into it.
    pub(crate) fn find_mut(&mut self, kind: &str, name: &str) -> &mut Value {
        let found = self.find(kind, name).unwrap_or_else(|| panic!("no {kind} {name}")).clone();
        self.documents.iter_mut().find(|document| **document == found).expect("it was found")
    }

    /// What runs pods of Paymux.
    pub(crate) fn workloads(&self) -> impl Iterator<Item = Workload<'_>> {
        let runs = |document: &&Value| WORKLOADS.iter().any(|kind| document["kind"] == *kind);
        self.documents.iter().filter(runs).map(|document| Workload { document })
    }

    /// Workloads whose pods a selector chooses.
    pub(crate) fn selected<'a>(&'a self, selector: &'a Value) -> impl Iterator<Item = Workload<'a>> {
        self.workloads().filter(move |workload| chooses(selector, workload.labels()))
    }
}

fn is_hash(rest: &str) -> bool {
    rest.len() == 11 && rest.starts_with('-')
}

/// Whether a label selector, in long or short form, chooses these labels; an empty one chooses all.
pub(crate) fn chooses(selector: &Value, labels: &Value) -> bool {
    let is_long = selector.get("matchLabels").is_some() || selector.get("matchExpressions").is_some();
    let short = if is_long { &selector["matchLabels"] } else { selector };
    let mut pairs = short.as_object().into_iter().flatten();
    let fits = pairs.all(|(name, value)| labels.get(name) == Some(value));
    let expressions = selector["matchExpressions"].as_array().map_or(&[][..], Vec::as_slice);
    fits && expressions.iter().all(|one| {
        assert_eq!(one["operator"], "In", "the one operator that is known here");
        let label = labels.get(text(&one["key"]));
        one["values"].as_array().is_some_and(|values| label.is_some_and(|label| values.contains(label)))
    })
}

/// A Deployment, StatefulSet or Job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload<'a> {
    pub(crate) document: &'a Value,
}

impl<'a> Workload<'a> {
    pub(crate) fn name(self) -> &'a str {
        name_of(self.document)
    }

    pub(crate) fn is_served(self) -> bool {
        self.document["kind"] != "Job"
    }

    pub(crate) fn labels(self) -> &'a Value {
        &self.document["spec"]["template"]["metadata"]["labels"]
    }

    pub(crate) fn pod(self) -> &'a Value {
        &self.document["spec"]["template"]["spec"]
    }

    /// Its one container.
    pub(crate) fn container(self) -> &'a Value {
        &self.pod()["containers"][0]
    }

    pub(crate) fn args(self) -> Vec<&'a str> {
        list(&self.container()["args"]).iter().map(text).collect()
    }

    /// Whether its process has a role.
    pub(crate) fn has_role(self, role: &str) -> bool {
        let args = self.args();
        let named = args.iter().position(|arg| *arg == "--roles").and_then(|at| args.get(at + 1));
        let roles = named.copied().unwrap_or(if self.is_served() { "all" } else { "" });
        roles.split(',').any(|one| one == role || one == "all")
    }

    /// Port numbers of its container by their names.
    pub(crate) fn ports(self) -> BTreeMap<&'a str, u64> {
        let ports = list(&self.container()["ports"]).iter();
        ports.map(|port| (text(&port["name"]), port["containerPort"].as_u64().unwrap_or(0))).collect()
    }

    /// Where volumes are mounted, with their names and whether they can be written to.
    pub(crate) fn mounts(self) -> impl Iterator<Item = (&'a str, &'a str, bool)> {
        list(&self.container()["volumeMounts"])
            .iter()
            .map(|mount| (text(&mount["mountPath"]), text(&mount["name"]), mount["readOnly"] != true))
    }
}

/// The name of a document.
pub(crate) fn name_of(document: &Value) -> &str {
    text(&document["metadata"]["name"])
}

/// A text; an empty one where there is none.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A list; an empty one where there is none.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
