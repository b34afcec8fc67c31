//! Rules of the manifests: which of our crates may know which, and which may use a third party's crate.
//!
//! The arrows are those of ARCHITECTURE.md. A new one is a decision of its own, with a record under `docs/adr/`.

use toml::{Table, Value};

use super::{Fault, File};

/// Our crates with the crates of ours that each may know.
const ARROWS: [(&str, &[&str]); 11] = [
    ("paymux-domain", &[]),
    ("paymux-proto", &["paymux-domain"]),
    ("paymux-engine", &["paymux-domain"]),
    ("paymux-providers", &["paymux-domain"]),
    ("paymux-simulators", &[]),
    ("paymux-backends", &["paymux-proto", "paymux-domain"]),
    (
        "paymux",
        &[
            "paymux-engine",
            "paymux-providers",
            "paymux-backends",
            "paymux-proto",
            "paymux-domain",
            "paymux-simulators",
        ],
    ),
    (
        "paymux-benches",
        &[
            "paymux",
            "paymux-engine",
            "paymux-providers",
            "paymux-backends",
            "paymux-proto",
            "paymux-domain",
            "paymux-simulators",
            "paymux-micro",
        ],
    ),
    // Without the server: what is counted is built quickly.
    ("paymux-micro", &["paymux-engine", "paymux-providers", "paymux-proto", "paymux-domain"]),
    ("paymux-fuzz", &["paymux-providers", "paymux-proto", "paymux-domain"]),
    ("xtask", &[]),
];

/// Arrows for tests alone.
const TEST_ARROWS: [(&str, &str); 2] =
    [("paymux-engine", "paymux-backends"), ("paymux-providers", "paymux-simulators")];

/// Arrows that a feature must be able to take away.
const OPTIONAL_ARROWS: [(&str, &str); 1] = [("paymux", "paymux-simulators")];

/// Third-party crates with the crates of ours that own their use.
const OWNERS: [(&str, &[&str]); 15] = [
    // The server has its own HTTP client for the control API of the simulators alone.
    ("reqwest", &["paymux-providers", "paymux-simulators", "paymux"]),
    // Benches measure what the bare libraries and clients cost.
    ("md-5", &["paymux-providers", "paymux-simulators", "paymux-micro"]),
    ("aws-lc-rs", &["paymux-providers", "paymux-simulators", "paymux-micro"]),
    ("rsa", &["paymux-providers", "paymux-simulators", "paymux-benches"]),
    ("openssl", &["paymux-benches"]),
    ("rdkafka", &["paymux-backends", "paymux-benches"]),
    ("scylla", &["paymux-backends", "paymux-benches"]),
    ("fjall", &["paymux-backends"]),
    // xtask encodes descriptors and links nothing of ours; benches prepare the bytes that their callers send.
    ("prost", &["paymux-proto", "paymux-benches", "paymux-micro", "xtask"]),
    ("tonic", &["paymux-proto", "paymux", "paymux-benches"]),
    ("tonic-prost", &["paymux-proto"]),
    ("tonic-prost-build", &["xtask"]),
    ("protox", &["xtask"]),
    ("clap", &["paymux", "xtask"]),
    ("anyhow", &["paymux", "paymux-benches", "paymux-micro", "xtask"]),
];

/// Third-party crates that tests may use beside their owners: those of the server look at topics past the engine.
const TEST_OWNERS: [(&str, &str); 1] = [("paymux", "rdkafka")];

/// Everything that `domain` may use beside its tests: no IO, no runtime, no serialisation.
const DOMAIN_USES: [&str; 1] = ["thiserror"];

/// Where a dependency stands in a manifest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Normal,
    Test,
}

struct Dependency {
    name: String,
    kind: Kind,
    is_optional: bool,
}

/// Checks every `Cargo.toml`.
pub(super) fn check(files: &[File]) -> Vec<Fault> {
    let manifests =
        files.iter().filter(|file| file.path == "Cargo.toml" || file.path.ends_with("/Cargo.toml"));
    manifests.flat_map(check_manifest).collect()
}

fn check_manifest(file: &File) -> Vec<Fault> {
    let fault = |what: String| Fault::new(file, 0, what);
    let manifest: Table = match file.text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![fault(format!("is no TOML: {error}"))],
    };
    let mut faults: Vec<Fault> = renamed(&manifest)
        .into_iter()
        .map(|name| fault(format!("{name} hides another crate's name")))
        .collect();
    let Some(name) = manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str)
    else {
        return faults;
    };
    let Some((_, arrows)) = ARROWS.iter().find(|(known, _)| *known == name) else {
        faults.push(fault(format!("{name} has no arrows: name it in xtask/src/tidy/manifests.rs")));
        return faults;
    };
    for dependency in dependencies(&manifest) {
        faults.extend(judge(name, arrows, &dependency).map(fault));
    }
    faults
}

/// What is wrong with one dependency.
fn judge(name: &str, arrows: &[&str], dependency: &Dependency) -> Option<String> {
    let to = dependency.name.as_str();
    if ARROWS.iter().any(|(ours, _)| *ours == to) {
        let for_tests = dependency.kind == Kind::Test && TEST_ARROWS.contains(&(name, to));
        if !arrows.contains(&to) && !for_tests {
            return Some(format!("{name} must not know {to}"));
        }
        let must_be_optional = dependency.kind == Kind::Normal && OPTIONAL_ARROWS.contains(&(name, to));
        return (must_be_optional && !dependency.is_optional)
            .then(|| format!("{to} must be optional in {name}"));
    }
    if let Some((_, owners)) = OWNERS.iter().find(|(owned, _)| *owned == to)
        && !owners.contains(&name)
        && !(dependency.kind == Kind::Test && TEST_OWNERS.contains(&(name, to)))
    {
        return Some(format!("{to} belongs to {}, not to {name}", owners.join(", ")));
    }
    let is_domain = name == "paymux-domain" && dependency.kind == Kind::Normal;
    (is_domain && !DOMAIN_USES.contains(&to))
        .then(|| format!("domain decides and does nothing else: no {to}"))
}

/// All dependencies, those of single platforms included; build scripts count as normal ones.
fn dependencies(manifest: &Table) -> Vec<Dependency> {
    let mut found = Vec::new();
    let platforms = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    for table in platforms.filter_map(Value::as_table).chain([manifest]) {
        for (section, kind) in [
            ("dependencies", Kind::Normal),
            ("build-dependencies", Kind::Normal),
            ("dev-dependencies", Kind::Test),
        ] {
            let entries = table.get(section).and_then(Value::as_table).into_iter().flatten();
            found.extend(entries.map(|(name, value)| Dependency {
                name: name.clone(),
                kind,
                is_optional: value.get("optional").and_then(Value::as_bool).unwrap_or(false),
            }));
        }
    }
    found
}

/// Dependencies under another name, which the rules above would not see.
fn renamed(manifest: &Table) -> Vec<String> {
    let mut found = Vec::new();
    for (section, value) in manifest {
        let Some(table) = value.as_table() else { continue };
        if section.ends_with("dependencies") {
            let is_renamed = |value: &Value| value.get("package").is_some();
            found.extend(table.iter().filter(|(_, value)| is_renamed(value)).map(|(name, _)| name.clone()));
        } else {
            found.extend(renamed(table));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Faults of a manifest with that name and these further lines.
    fn faults(name: &str, rest: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"{name}\"\n{rest}\n");
        let file = File { path: format!("crates/{name}/Cargo.toml"), text };
        check(&[file]).into_iter().map(|fault| fault.what).collect()
    }

    #[test]
    fn allowed_arrows_pass() {
        assert!(faults("paymux-engine", "[dependencies]\npaymux-domain.workspace = true").is_empty());
        assert!(faults("paymux-engine", "[dev-dependencies]\npaymux-backends.workspace = true").is_empty());
        assert!(
            faults("paymux-providers", "[dev-dependencies]\npaymux-simulators.workspace = true").is_empty()
        );
        let optional = "[dependencies]\npaymux-simulators = { workspace = true, optional = true }";
        assert!(faults("paymux", optional).is_empty());
    }

    #[test]
    fn other_arrows_are_refused() {
        for (name, rest) in [
            ("paymux-domain", "[dependencies]\npaymux-proto.workspace = true"),
            ("paymux-engine", "[dependencies]\npaymux-backends.workspace = true"),
            ("paymux-engine", "[dependencies]\npaymux-proto = { path = \"../proto\" }"),
            ("paymux-engine", "[dev-dependencies]\npaymux-providers.workspace = true"),
            ("paymux-simulators", "[dev-dependencies]\npaymux-domain.workspace = true"),
            ("paymux-backends", "[build-dependencies]\npaymux-engine.workspace = true"),
            ("paymux-proto", "[target.'cfg(unix)'.dependencies]\npaymux-engine.workspace = true"),
            ("xtask", "[dependencies]\npaymux-proto.workspace = true"),
        ] {
            let found = faults(name, rest);
            assert!(found.len() == 1 && found[0].contains("must not know"), "{name} {rest}: {found:?}");
        }
    }

    #[test]
    fn the_server_must_be_buildable_without_simulators() {
        let found = faults("paymux", "[dependencies]\npaymux-simulators.workspace = true");
        assert_eq!(found, ["paymux-simulators must be optional in paymux"]);
    }

    #[test]
    fn a_crate_without_arrows_is_refused() {
        assert!(faults("paymux-new", "")[0].contains("has no arrows"));
    }

    #[test]
    fn every_owned_crate_is_refused_elsewhere_and_allowed_at_home() {
        for (owned, owners) in OWNERS {
            let rest = format!("[dependencies]\n{owned} = \"1\"");
            let found = faults("paymux-engine", &rest);
            assert!(found.len() == 1 && found[0].contains("belongs to"), "{owned}: {found:?}");
            for owner in owners {
                assert!(faults(owner, &rest).is_empty(), "{owned} in {owner}");
            }
        }
    }

    #[test]
    fn owners_hold_in_tests_too() {
        assert_eq!(faults("paymux-domain", "[dev-dependencies]\nreqwest = \"1\"").len(), 1);
        assert!(faults("paymux", "[dev-dependencies]\nrdkafka = \"1\"").is_empty());
        assert_eq!(faults("paymux", "[dependencies]\nrdkafka = \"1\"").len(), 1);
    }

    #[test]
    fn domain_does_nothing_but_decide() {
        for name in ["serde", "tokio", "rand", "tracing"] {
            let found = faults("paymux-domain", &format!("[dependencies]\n{name}.workspace = true"));
            assert_eq!(found, [format!("domain decides and does nothing else: no {name}")]);
        }
        assert!(faults("paymux-domain", "[dependencies]\nthiserror.workspace = true").is_empty());
        assert!(faults("paymux-domain", "[dev-dependencies]\nproptest.workspace = true").is_empty());
    }

    #[test]
    fn a_renamed_dependency_is_refused() {
        let rest = "[dependencies]\nclient = { package = \"reqwest\", version = \"1\" }";
        assert_eq!(faults("paymux-engine", rest), ["client hides another crate's name"]);
        let root = "[workspace.dependencies]\nclient = { package = \"reqwest\", version = \"1\" }";
        let file = File { path: "Cargo.toml".to_owned(), text: root.to_owned() };
        assert_eq!(check(&[file])[0].what, "client hides another crate's name");
    }

    #[test]
    fn a_broken_manifest_is_named() {
        let file = File { path: "crates/x/Cargo.toml".to_owned(), text: "[package".to_owned() };
        assert!(check(&[file])[0].what.contains("is no TOML"));
    }
}
