//! The jars of a service, fetched by Maven once.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::process::{self, Status};

/// One artifact: group, name, version.
pub(super) type Artifact = (&'static str, &'static str, &'static str);

/// The folder that holds the artifacts and all that they need; fetched if it is not complete.
///
/// # Errors
/// Maven fails; what it says was printed.
pub(super) fn fetch(folder: &Path, name: &str, artifacts: &[Artifact]) -> Result<PathBuf> {
    let jars = folder.join("jars").join(name);
    let complete = jars.join("complete");
    let pom = pom(name, artifacts);
    if std::fs::read_to_string(&complete).is_ok_and(|fetched| fetched == pom) {
        return Ok(jars);
    }
    std::fs::create_dir_all(&jars)?;
    println!("fetching the jars of {name}");
    let file = jars.join("pom.xml");
    std::fs::write(&file, &pom).with_context(|| format!("writing {}", file.display()))?;
    let mut maven = process::command("mvn", ["--quiet", "--batch-mode", "dependency:copy-dependencies"]);
    maven.arg("--file").arg(&file).arg(format!("-DoutputDirectory={}", jars.display()));
    ensure!(process::run(&mut maven)? == Status::Succeeded, "Maven did not fetch the jars of {name}");
    std::fs::write(&complete, pom)?;
    Ok(jars)
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
