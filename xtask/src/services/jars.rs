//! The jars of a service, fetched by Maven once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::wait;
use crate::process;

/// One artifact: group, name, version.
pub(super) type Artifact = (&'static str, &'static str, &'static str);

/// How often Maven is asked, and how long it may take each time: it fetches some 60 MB.
const FETCH_TRIES: usize = 3;
const FETCH_MAX: Duration = Duration::from_secs(300);

/// The folder that holds the artifacts and all that they need; fetched if it is not there.
///
/// # Errors
/// Maven fails or takes too long; the message shows what it said last.
pub(super) fn fetch(jars: &Path, name: &str, artifacts: &[Artifact]) -> Result<PathBuf> {
    let folder = jars.join(name);
    let pom = pom(name, artifacts);
    if is_complete(&folder, &pom) {
        return Ok(folder);
    }
    ensure!(
        process::succeeds("mvn", ["--version"]),
        "mvn is not installed (Maven fetches the jars of {name})"
    );
    println!("fetching the jars of {name} by Maven");
    std::fs::create_dir_all(jars).with_context(|| format!("making {}", jars.display()))?;
    // Fetched beside its place: what is there is complete, also after a fetch that was broken off.
    let fetched = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(jars)?;
    let file = fetched.path().join("pom.xml");
    std::fs::write(&file, &pom).with_context(|| format!("writing {}", file.display()))?;
    let mut failure = String::new();
    let succeeds = (0..FETCH_TRIES).any(|_| match copy_dependencies(&file, fetched.path()) {
        Ok(()) => true,
        Err(error) => {
            failure = format!("{error:#}");
            false
        }
    });
    if !succeeds {
        bail!("the jars of {name} cannot be fetched, {FETCH_TRIES} tries: {failure}");
    }
    if !is_complete(&folder, &pom) {
        // Those of another version.
        drop(std::fs::remove_dir_all(&folder));
        let moved = std::fs::rename(fetched.path(), &folder);
        moved.with_context(|| format!("moving the jars to {}", folder.display()))?;
    }
    Ok(folder)
}

fn is_complete(folder: &Path, pom: &str) -> bool {
    std::fs::read_to_string(folder.join("pom.xml")).is_ok_and(|fetched| fetched == pom)
}

fn copy_dependencies(pom: &Path, folder: &Path) -> Result<()> {
    let mut maven = process::command("mvn", ["--quiet", "--batch-mode", "--update-snapshots"]);
    maven.args(["-Dstyle.color=never", "dependency:copy-dependencies", "--file"]).arg(pom);
    maven.arg(format!("-DoutputDirectory={}", folder.display()));
    let output = folder.join("maven.log");
    if !wait::answer(&mut maven, &output, FETCH_MAX)?.status.success() {
        bail!("Maven failed, {}", wait::last_lines(&output));
    }
    Ok(())
}

fn pom(name: &str, artifacts: &[Artifact]) -> String {
    let dependencies: String = artifacts
        .iter()
        .map(|(group, artifact, version)| {
            format!(
                "    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
                 <version>{version}</version></dependency>\n"
            )
        })
        .collect();
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  <modelVersion>4.0.0</modelVersion>\n  \
         <groupId>paymux</groupId>\n  <artifactId>{name}</artifactId>\n  <version>1</version>\n  \
         <packaging>pom</packaging>\n  <dependencies>\n{dependencies}  </dependencies>\n</project>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jars_that_are_there_are_not_fetched_again() {
        let jars = tempfile::tempdir().unwrap();
        let folder = jars.path().join("some");
        let artifacts = [("org.example", "some", "1.0")];
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("pom.xml"), pom("some", &artifacts)).unwrap();
        assert_eq!(fetch(jars.path(), "some", &artifacts).unwrap(), folder);
        assert!(!is_complete(&folder, &pom("some", &[("org.example", "some", "1.1")])));
    }
}
