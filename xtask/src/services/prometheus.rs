//! Prometheus for the tests, fetched as Debian's package and unpacked beside the jars: nothing is installed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::{default_folder, wait};
use crate::process;

/// The variable that names its folder to the tests.
pub(crate) const VARIABLE: &str = "PAYMUX_TEST_PROMETHEUS";

/// Debian's package; it brings promtool, too.
const PACKAGE: &str = "prometheus";

/// Where its programs lie in it.
const PROGRAMS: &str = "usr/bin";

/// How long one tool may take: the package has some 20 MB.
const TOOL_MAX: Duration = Duration::from_secs(300);

/// Whether the variable names a folder.
pub(crate) fn is_named() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| !value.is_empty())
}

/// The folder with `prometheus` and `promtool`; fetched if it is not there.
///
/// # Errors
/// This machine has no Debian packages, or they cannot be fetched.
pub(crate) fn fetched(root: &Path) -> Result<PathBuf> {
    let services = default_folder(root);
    let folder = services.join(PACKAGE);
    let programs = folder.join(PROGRAMS);
    if programs.join("promtool").is_file() {
        return Ok(programs);
    }
    ensure!(process::succeeds("apt-get", ["--version"]), "apt-get is not there: it fetches {PACKAGE}");
    std::fs::create_dir_all(&services).with_context(|| format!("making {}", services.display()))?;
    // Unpacked beside its place: what is there is complete, also after a fetch that was broken off.
    let fetching = tempfile::Builder::new().prefix("prometheus-").tempdir_in(&services)?;
    if let Err(first) = download(fetching.path()) {
        // The machine may not know yet which packages there are.
        drop(run(&["apt-get", "--quiet", "update"], fetching.path()));
        download(fetching.path()).with_context(|| format!("again, after {first:#}"))?;
    }
    let package = std::fs::read_dir(fetching.path())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|end| end == "deb"))
        .context("apt-get left no package")?;
    run(&["dpkg", "--extract", &package.display().to_string(), "unpacked"], fetching.path())?;
    let moved = std::fs::rename(fetching.path().join("unpacked"), &folder);
    moved.with_context(|| format!("moving it to {}", folder.display()))?;
    Ok(programs)
}

fn download(folder: &Path) -> Result<()> {
    run(&["apt-get", "--quiet", "download", PACKAGE], folder)
}

fn run(words: &[&str], folder: &Path) -> Result<()> {
    let [program, args @ ..] = words else { bail!("no program") };
    let mut command = process::command(program, []);
    command.args(args).current_dir(folder);
    let output = folder.join("tool.log");
    let answer = wait::answer(&mut command, &output, TOOL_MAX)?;
    ensure!(answer.status.success(), "{program} failed, {}", wait::last_lines(&output));
    Ok(())
}
