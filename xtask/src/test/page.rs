//! `docs/verification.md`: what a long run of the tests showed, when, on which code and machine.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::verified::{Shown, Verified};
use super::{Tally, process};

/// The page, from the root of the workspace.
pub(super) const FILE: &str = "docs/verification.md";

/// Where and on what the tests ran.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    date: String,
    /// The commit, and whether the tree was another one.
    commit: String,
    cores: usize,
}

impl Run {
    /// This one.
    fn now() -> Self {
        let date = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string();
        Self {
            date,
            commit: process::commit_beside(FILE),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        }
    }
}

/// Writes the page of this run.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write(root: &Path, verified: &Verified, sum: Tally) -> Result<()> {
    let file = root.join(FILE);
    std::fs::write(&file, text(&Run::now(), verified, sum))
        .with_context(|| format!("writing {}", file.display()))
}

fn text(run: &Run, verified: &Verified, sum: Tally) -> String {
    let Run { date, commit, cores } = run;
    let mut text = format!(
        "# Verification\n\n\
         What the last long run of the tests showed: `cargo xtask test --full` writes this page.\n\
         Each line is a test's own account of what it did and counted; what such a test demands stands in its code.\n\n\
         | run | |\n|---|---|\n\
         | date | {date} |\n| commit | {commit} |\n| machine | {cores} cores |\n| all tests | {sum} |\n\n\
         | test | showed | result |\n|---|---|---|\n"
    );
    for Shown { test, what, passed } in verified.shown() {
        let result = if *passed { "passed" } else { "FAILED" };
        // Writing to a text cannot fail.
        let _written = writeln!(text, "| `{}` | {} | {result} |", cell(test), cell(what));
    }
    if !verified.skipped().is_empty() {
        text.push_str("\nLeft out:\n\n");
        for skipped in verified.skipped() {
            let _written = writeln!(text, "- {skipped}");
        }
    }
    text
}

/// Text that ends no cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_row_for_each_line_and_names_what_was_left_out() {
        let mut verified = Verified::default();
        verified.begin("kills");
        verified.read("verified: 3 kills | 120 orders");
        verified.read("failures:");
        verified.read("---- cluster::loss stdout ----");
        verified.read("verified: 1 broker");
        let sum = Tally { passed: 7, failed: 1, skipped: 0 };
        let run = Run { date: "2026-01-02 03:04 UTC".to_owned(), commit: "c0ffee".to_owned(), cores: 2 };
        let page = text(&run, &verified, sum);
        let (_, tables) = page.split_once("| run | |\n").expect("a table of the run");
        assert_eq!(
            tables,
            "|---|---|\n| date | 2026-01-02 03:04 UTC |\n| commit | c0ffee |\n| machine | 2 cores |\n\
             | all tests | 7 passed, 1 failed, 0 skipped |\n\n| test | showed | result |\n|---|---|---|\n\
             | `kills` | 3 kills \\| 120 orders | passed |\n| `cluster::loss` | 1 broker | FAILED |\n"
        );
        verified.skip("buf lint: buf is not installed");
        assert!(
            text(&run, &verified, sum)
                .ends_with("FAILED |\n\nLeft out:\n\n- buf lint: buf is not installed\n")
        );
    }

    #[test]
    fn a_run_knows_its_code_and_machine() {
        let run = Run::now();
        assert!(run.cores > 0 && !run.commit.is_empty() && run.date.ends_with(" UTC"), "{run:?}");
    }
}
