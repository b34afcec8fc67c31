//! Rules of the tree that no compiler knows: arrows, owners, sizes, headers, banned texts, paths and links.
//!
//! Each rule is a function on texts in memory, tested with faults planted in them; [`run`] applies all to the tree.

mod banned;
mod headers;
mod links;
mod manifests;
mod paths;
mod sizes;
mod tree;

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};

use tree::Tree;

/// One file as the rules see it.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// Its path within the workspace, with `/`.
    path: String,
    /// Its text.
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Written by `cargo xtask codegen`.
    fn is_generated(&self) -> bool {
        self.path.contains("/generated/")
    }

    /// Published examples, kept byte for byte.
    fn is_fixture(&self) -> bool {
        self.path.contains("/fixtures/")
    }

    /// Tests as a whole file.
    fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    fn is_in(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// A place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    path: String,
    /// From 1; 0 for the file as a whole.
    line: usize,
    what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

impl Fault {
    fn new(file: &File, line: usize, what: impl Into<String>) -> Self {
        Self { path: file.path.clone(), line, what: what.into() }
    }
}

/// Applies every rule to the tree.
///
/// # Errors
/// Lists every fault; or the tree cannot be read.
pub(crate) fn run(root: &Path) -> Result<()> {
    let faults = faults(&tree::read(root)?);
    if faults.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    bail!("not tidy:\n{}", lines.join("\n"))
}

fn faults(tree: &Tree) -> Vec<Fault> {
    let mut faults = manifests::check(&tree.files);
    for file in &tree.files {
        faults.extend(banned::check(file));
        faults.extend(headers::check(file));
        faults.extend(paths::check(file));
        faults.extend(links::check(file, &tree.paths));
    }
    faults.extend(sizes::check(&tree.files, sizes::ALLOWED));
    faults.sort();
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        if let Err(faults) = run(&crate::root()) {
            panic!("{faults}");
        }
    }

    #[test]
    fn the_whole_tree_is_read() {
        let tree = tree::read(&crate::root()).expect("readable");
        for known in [
            "Cargo.toml",
            "crates/domain/src/lib.rs",
            "xtask/src/tidy/mod.rs",
            "proto/paymux/v1/orders.proto",
        ] {
            assert!(tree.files.iter().any(|file| file.path == known), "{known}");
        }
        assert!(tree.paths.contains("crates/proto/src/generated/descriptor.bin"), "binary files have paths");
    }

    #[test]
    fn a_fault_in_any_rule_reaches_the_report() {
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let long = format!("//! Long.\n{}", "\n".repeat(600));
        let tree = Tree {
            files: vec![
                file(
                    "crates/domain/Cargo.toml",
                    "[package]\nname = \"paymux-domain\"\n[dependencies]\ntokio = \"1\"\n",
                ),
                file("crates/domain/src/a.rs", "fn no_header() {}\n"),
                file("crates/domain/src/b.rs", concat!("//! B.\nfn f() { to", "do!() }\n")),
                file("crates/domain/src/c.rs", &long),
                file("docs/d.md", concat!("see /wo", "rk/here and [gone](gone.md)\n")),
            ],
            paths: ["docs/d.md".to_owned()].into(),
        };
        let found: Vec<String> = faults(&tree).into_iter().map(|fault| fault.path).collect();
        let expected = [
            "crates/domain/Cargo.toml",
            "crates/domain/src/a.rs",
            "crates/domain/src/b.rs",
            "crates/domain/src/c.rs",
            "docs/d.md",
            "docs/d.md",
        ];
        assert_eq!(found, expected);
    }
}
