//! The image: what its file builds, and as whom it runs, against the manifests and the workspace.

use std::collections::BTreeSet;

use crate::files::secrets;
use crate::tree::root;

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn it_holds_no_simulator_and_runs_as_nobody_in_particular() {
    let file = read("Dockerfile");
    let lines = || file.lines().map(str::trim);
    let build: Vec<_> = lines().filter(|line| line.contains("cargo build")).collect();
    assert!(
        matches!(build[..], [line] if line.contains("--locked -p paymux --no-default-features")),
        "{build:?}"
    );
    assert!(lines().any(|line| line == "USER 65532:65532"), "the number that the pods have");
    assert!(read("k8s/components/pods/pod.yaml").contains("runAsUser: 65532"));
    assert!(lines().any(|line| line == "ENTRYPOINT [\"/paymux\"]"), "the manifests give arguments alone");
    let stages = lines().filter(|line| line.starts_with("FROM ")).count();
    assert_eq!(stages, 2, "what builds it is not in it");
    // It is compiled by a Rust that the workspace takes.
    let used =
        lines().find_map(|line| line.strip_prefix("FROM rust:")?.split_once('-')).map(|(version, _)| version);
    let minor = |version: &str| version.split('.').nth(1).and_then(|part| part.parse::<u32>().ok());
    let manifest = read("Cargo.toml");
    let least = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")).expect("a version");
    assert!(used.and_then(minor) >= minor(least.trim_end_matches('"')), "{used:?}");
}

#[test]
fn what_is_built_or_run_in_the_tree_does_not_go_into_it() {
    let ignored: BTreeSet<String> = read(".dockerignore").lines().map(str::to_owned).collect();
    for path in [".git", "target", "paymux-data"] {
        assert!(ignored.contains(path), "{path}");
    }
}

#[test]
fn the_page_says_of_every_secret_what_must_be_in_it() {
    let page = read("docs/kubernetes.md");
    for (secret, files) in secrets().iter().filter(|(secret, _)| !secret.starts_with("paymux-merchants")) {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{secret}`")));
        let row = row.unwrap_or_else(|| panic!("{secret} stands in no row"));
        for file in files.keys() {
            assert!(row.contains(&format!("`{file}`")), "{secret}: {file} is not in {row:?}");
        }
    }
}
