//! kustomize and kubernetes-validate, which `cargo xtask test` and `cargo xtask manifests` fetch.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Names their folder.
const VARIABLE: &str = "PAYMUX_TEST_MANIFESTS";

/// The version of Kubernetes whose schemas are used.
const KUBERNETES: &str = "1.37";

/// Turns YAML on standard input into a JSON list of its documents.
const TO_JSON: &str =
    "import sys, json, yaml; json.dump(list(yaml.safe_load_all(sys.stdin.buffer)), sys.stdout)";

/// The tools.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// The tools, or a word on why the test is skipped.
    pub(crate) fn or_skip(test: &str) -> Option<Self> {
        let named = std::env::vars_os().find(|(name, value)| name == VARIABLE && !value.is_empty());
        if named.is_none() {
            skipped(test);
        }
        named.map(|(_, folder)| Self { folder: folder.into() })
    }

    /// The documents of an overlay.
    pub(crate) fn build(&self, overlay: &Path) -> Vec<Value> {
        let built = Command::new(self.folder.join("bin/kustomize")).arg("build").arg(overlay).output();
        let yaml = succeeded(&built.expect("kustomize runs"));
        let folder = TempDir::new().expect("a temporary folder");
        let file = folder.path().join("built.yaml");
        std::fs::write(&file, yaml).expect("written");
        let mut python = self.python();
        python.args(["-c", TO_JSON]).stdin(std::fs::File::open(file).expect("a file"));
        let json = succeeded(&python.output().expect("python3 runs"));
        serde_json::from_str(&json).expect("JSON")
    }

    /// What the validator says against each document, by its place among them; every document must be of a kind that it
    /// knows.
    pub(crate) fn validate(&self, documents: &[Value]) -> BTreeMap<usize, String> {
        let folder = TempDir::new().expect("a temporary folder");
        let mut python = self.python();
        python.args(["-m", "kubernetes_validate", "--strict", "-k", KUBERNETES]).current_dir(folder.path());
        for (at, document) in documents.iter().enumerate() {
            let file = format!("{at}.json");
            std::fs::write(folder.path().join(&file), document.to_string()).expect("written");
            python.arg(file);
        }
        let output = python.output().expect("python3 runs");
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        let mut faults = BTreeMap::new();
        for at in 0..documents.len() {
            let about = format!(" {at}.json ");
            let lines: Vec<&str> = said.lines().filter(|line| line.contains(&about)).collect();
            if !matches!(lines[..], [line] if line.starts_with("INFO ") && line.contains(" passed ")) {
                faults.insert(at, lines.join("\n"));
            }
        }
        // A kind that it does not know is no failure to it.
        assert!(output.status.success() || !faults.is_empty(), "{said}");
        faults
    }

    fn python(&self) -> Command {
        let mut python = Command::new("python3");
        python.env("PYTHONPATH", self.folder.join("python"));
        python
    }
}

#[expect(clippy::print_stdout, reason = "the test command counts these lines")]
fn skipped(test: &str) {
    println!("SKIPPED: {test}: {VARIABLE} names no tools; cargo xtask manifests fetches them");
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}
