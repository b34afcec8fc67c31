//! `cargo xtask manifests`: the tools that the tests of `k8s/` need, fetched below the folder that cargo builds into, and
//! these tests.
//!
//! kustomize is built from the Go module proxy, the validator with its schemas comes from PyPI, each in one version that
//! is named here. Nothing is installed outside of that folder.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::process;
use crate::services::wait;

/// The variable that tells the tests where the tools lie: `bin/kustomize`, and `python` for Python's path.
pub(crate) const VARIABLE: &str = "PAYMUX_TEST_MANIFESTS";

/// The tests that need them, as a target of the server's crate.
const TARGET: &str = "k8s";

/// The module that builds manifests.
const KUSTOMIZE: &str = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1";

/// The validator, which brings its schemas, and all that it needs.
const VALIDATOR: [&str; 10] = [
    "kubernetes-validate==1.37.0",
    "attrs==26.1.0",
    "importlib_resources==7.1.0",
    "jsonschema==4.26.0",
    "jsonschema-specifications==2025.9.1",
    "packaging==26.3",
    "PyYAML==6.0.3",
    "referencing==0.37.0",
    "rpds-py==2026.9.1",
    "typing_extensions==4.16.0",
];

/// How often a tool is asked for, and how long it may take each time: kustomize is compiled.
const FETCH_TRIES: usize = 3;
const FETCH_MAX: Duration = Duration::from_secs(600);

/// Says that a folder is complete, and what is in it.
const CONTENTS: &str = "contents.txt";

/// Fetches the tools and runs the tests.
///
/// # Errors
/// A tool cannot be had, or cargo not be started.
pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    let tools = tools(root)?;
    // Of the whole workspace, so that nothing is built in another way than for `cargo xtask test`.
    let mut tests = process::cargo(["test", "--workspace", "--test", TARGET, "--", "--show-output"]);
    Ok(process::run(tests.env(VARIABLE, tools))?.into())
}

/// Whether the variable names tools that are there.
pub(crate) fn are_named() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| !value.is_empty())
}

/// Tools that are being fetched while the caller goes on.
#[derive(Debug)]
pub(crate) struct Fetching(JoinHandle<Result<PathBuf>>);

impl Fetching {
    /// Begins.
    pub(crate) fn begin(root: &Path) -> Self {
        let root = root.to_owned();
        Self(std::thread::spawn(move || tools(&root)))
    }

    /// Their folder.
    ///
    /// # Errors
    /// They cannot be had.
    pub(crate) fn end(self) -> Result<PathBuf> {
        self.0.join().map_err(|_| anyhow!("fetching panicked"))?
    }
}

/// The folder with the tools; they are fetched if they are not there.
fn tools(root: &Path) -> Result<PathBuf> {
    let tools = crate::target_folder(root).join("tools");
    let folder = tools.join("manifests");
    if is_complete(&folder) {
        return Ok(folder.canonicalize()?);
    }
    ensure!(process::succeeds("go", ["version"]), "go is not installed (it builds kustomize)");
    ensure!(
        process::succeeds("python3", ["-m", "pip", "--version"]),
        "python3 with pip is not installed (it fetches kubernetes-validate)"
    );
    println!("fetching kustomize and kubernetes-validate");
    std::fs::create_dir_all(&tools).with_context(|| format!("making {}", tools.display()))?;
    // Fetched beside its place: what is there is complete, also after a fetch that was broken off.
    let fetched = tempfile::Builder::new().prefix("manifests-").tempdir_in(tools.canonicalize()?)?;
    let at = fetched.path();
    let mut go = process::command("go", ["install", "-ldflags=-s -w", KUSTOMIZE]);
    fetch(go.env("GOBIN", at.join("bin")), at)?;
    let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"];
    let mut pip = process::command("python3", quiet);
    fetch(pip.arg(at.join("python")).args(VALIDATOR), at)?;
    std::fs::write(at.join(CONTENTS), contents())?;
    if !is_complete(&folder) {
        // Those of another version.
        drop(std::fs::remove_dir_all(&folder));
        std::fs::rename(at, &folder).with_context(|| format!("moving the tools to {}", folder.display()))?;
    }
    Ok(folder.canonicalize()?)
}

fn fetch(command: &mut Command, folder: &Path) -> Result<()> {
    let log = folder.join("fetch.log");
    for _ in 0..FETCH_TRIES {
        if wait::answer(command, &log, FETCH_MAX)?.status.success() {
            return Ok(());
        }
    }
    let program = command.get_program().to_string_lossy().into_owned();
    bail!("{program} failed, {FETCH_TRIES} tries: {}", wait::last_lines(&log))
}

fn contents() -> String {
    format!("{KUSTOMIZE}\n{}\n", VALIDATOR.join("\n"))
}

fn is_complete(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join(CONTENTS)).is_ok_and(|found| found == contents())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_of_another_version_are_fetched_again() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_complete(folder.path()));
        std::fs::write(folder.path().join(CONTENTS), contents()).unwrap();
        assert!(is_complete(folder.path()));
        std::fs::write(folder.path().join(CONTENTS), contents().replace("1.37.0", "1.36.0")).unwrap();
        assert!(!is_complete(folder.path()));
    }
}
