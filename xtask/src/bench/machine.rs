//! When, on which code and on which machine was measured, and with which versions of what.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::process;

/// Crates whose versions stand in a report: what the hot path runs on.
const CRATES: [&str; 10] =
    ["tokio", "tonic", "prost", "hyper", "reqwest", "aws-lc-rs", "fjall", "rdkafka", "scylla", "mimalloc"];

/// One run's surroundings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) date: String,
    pub(super) commit: String,
    pub(super) rounds: u32,
    pub(super) cpu: String,
    pub(super) cores: usize,
    pub(super) memory_gib: String,
    pub(super) has_ifma: bool,
    pub(super) kernel: String,
    pub(super) rustc: String,
    pub(super) crates: BTreeMap<String, String>,
}

impl Machine {
    /// This one.
    ///
    /// # Errors
    /// The lock file cannot be read.
    pub(super) fn now(root: &Path, rounds: u32) -> Result<Self> {
        let told = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
        let (cpu, memory) = (told("/proc/cpuinfo"), told("/proc/meminfo"));
        let lock = std::fs::read_to_string(root.join("Cargo.lock")).context("reading Cargo.lock")?;
        let unknown = || "unknown".to_owned();
        Ok(Self {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
            commit: process::commit_beside(super::PAGES),
            rounds,
            cpu: value_of(&cpu, "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_gib: value_of(&memory, "MemTotal").as_deref().and_then(gib).unwrap_or_else(unknown),
            has_ifma: has_flag(&cpu, "avx512ifma"),
            kernel: process::output("uname", ["-sr"]).unwrap_or_else(unknown),
            rustc: process::output("rustc", ["--version"]).unwrap_or_else(unknown),
            crates: versions(&lock)?,
        })
    }

    /// For people, name and value of each row.
    pub(super) fn rows(&self) -> Vec<(&'static str, String)> {
        let crates = self.crates.iter().map(|(name, version)| format!("{name} {version}"));
        let ifma = if self.has_ifma { "yes" } else { "no" };
        vec![
            ("date", self.date.clone()),
            ("commit", self.commit.clone()),
            ("rounds", self.rounds.to_string()),
            ("processor", format!("{}, {} cores", self.cpu, self.cores)),
            ("AVX-512 IFMA", ifma.to_owned()),
            ("memory", format!("{} GiB", self.memory_gib)),
            ("system", self.kernel.clone()),
            ("compiler", self.rustc.clone()),
            ("crates", crates.collect::<Vec<_>>().join(", ")),
        ]
    }
}

fn value_of(text: &str, wanted: &str) -> Option<String> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(name, _)| name.trim() == wanted).map(|(_, value)| value.trim().to_owned())
}

fn has_flag(cpuinfo: &str, wanted: &str) -> bool {
    value_of(cpuinfo, "flags").is_some_and(|flags| flags.split_whitespace().any(|flag| flag == wanted))
}

fn gib(kib: &str) -> Option<String> {
    let kib: u32 = kib.split_whitespace().next()?.parse().ok()?;
    Some(format!("{:.1}", f64::from(kib) / f64::from(1 << 20)))
}

/// The versions of the crates that a lock file names.
fn versions(lock: &str) -> Result<BTreeMap<String, String>> {
    let lock: Table = lock.parse()?;
    let packages = lock.get("package").and_then(toml::Value::as_array).context("no packages")?;
    let version = |wanted: &str| {
        let text = |package: &toml::Value, key: &str| package.get(key)?.as_str().map(str::to_owned);
        let found = packages.iter().find(|package| text(package, "name").as_deref() == Some(wanted));
        found.and_then(|package| text(package, "version")).map(|version| (wanted.to_owned(), version))
    };
    Ok(CRATES.into_iter().filter_map(version).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_memory_and_versions_are_read() {
        let cpu = "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx512ifma sse\n";
        assert_eq!(value_of(cpu, "model name").as_deref(), Some("AMD EPYC"));
        assert!(has_flag(cpu, "avx512ifma") && !has_flag(cpu, "avx512"));
        assert_eq!(gib("16777216 kB").as_deref(), Some("16.0"));
        let lock = "[[package]]\nname = \"tonic\"\nversion = \"0.14.9\"\n";
        let tonic = ("tonic".to_owned(), "0.14.9".to_owned());
        assert_eq!(versions(lock).expect("a lock file"), BTreeMap::from([tonic]));
    }
}
