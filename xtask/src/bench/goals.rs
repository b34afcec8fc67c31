//! `benches/goals.toml`: what the goals are about, in the order of the report, and why one is not reached.

use std::path::Path;

use anyhow::{Context as _, Result};
use toml::Table;

/// The file, from the root of the workspace.
const FILE: &str = "benches/goals.toml";

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The figure that is judged.
    pub(super) bench: String,
    /// What it is, in words.
    pub(super) what: String,
    /// What keeps it where it is, as far as it is known.
    pub(super) reason: String,
}

/// All rows, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Goals(pub(super) Vec<Row>);

impl Goals {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or a row lacks a name or its words.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let file = root.join(FILE);
        let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        Self::of(&text).with_context(|| format!("in {}", file.display()))
    }

    pub(super) fn of(text: &str) -> Result<Self> {
        let table: Table = text.parse()?;
        let rows = table.get("goal").and_then(toml::Value::as_array).context("no [[goal]]")?;
        let row = |row: &toml::Value| -> Result<Row> {
            let text = |name: &str| row.get(name).and_then(toml::Value::as_str).map(str::to_owned);
            let (bench, what) = text("bench").zip(text("what")).context("a goal without bench or what")?;
            Ok(Row { bench, what, reason: text("reason").unwrap_or_default() })
        };
        rows.iter().map(row).collect::<Result<_>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_goals_of_the_tree_are_read_and_named_once() {
        let Goals(rows) = Goals::read(&crate::root()).expect("the file");
        let mut names: Vec<&str> = rows.iter().map(|row| row.bench.as_str()).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        assert!(Goals::of("[[goal]]\nbench = \"a\"\n").is_err());
    }
}
