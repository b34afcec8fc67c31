//! The benches that a long run tells of: accepts, decisions and whole lives on real services, beside their bare costs.

use std::path::Path;

use anyhow::Result;

use super::verified::Verified;
use super::{SKIP_MARK, Tally, fail, one_each};
use crate::bench;
use crate::process::{self, Status};
use crate::services::{ForTests, Kind};

/// Their names in `benches/Cargo.toml`.
const BENCHES: [&str; 3] = ["submit", "decide", "fleet"];

/// Runs them on services of their own. What they measured is told and not judged: the goals stand in their lines.
///
/// # Errors
/// Cargo or the keeper of the services cannot be started.
pub(super) fn run(root: &Path, verified: &mut Verified) -> Result<Tally> {
    let mut tally = Tally::default();
    // Before there are services, which would run beside the compiler.
    let each = BENCHES.iter().flat_map(|name| ["--bench", name]);
    if process::run(bench::command().args(each).arg("--no-run"))? == Status::Failed {
        fail(&mut tally, "the benches cannot be built");
        return Ok(tally);
    }
    let mut services = ForTests::begin(root, &one_each(&Kind::ALL), false)?;
    match services.ready() {
        Ok(variables) => {
            for name in BENCHES {
                verified.begin(&format!("bench, {name}"));
                let mut command = bench::command();
                command.args(["--bench", name]).envs(variables.iter().cloned());
                let status = process::run_lines(&mut command, |line| {
                    println!("{line}");
                    told(line, verified);
                })?;
                if status == Status::Failed {
                    println!("FAILED: the bench {name}");
                }
                tally.count(status);
            }
        }
        Err(error) => fail(&mut tally, &format!("the services of the benches do not start: {error:#}")),
    }
    if let Err(error) = services.end() {
        fail(&mut tally, &format!("the services of the benches: {error:#}"));
    }
    Ok(tally)
}

/// A line of a bench is a figure; what it leaves out it says as a test does.
fn told(line: &str, verified: &mut Verified) {
    let words: Vec<&str> = line.split_whitespace().collect();
    if line.starts_with(SKIP_MARK) {
        verified.read(line);
    } else if !words.is_empty() {
        verified.tell(&words.join(" "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_under_their_bench_and_what_was_left_out_is_said() {
        let mut verified = Verified::default();
        verified.begin("bench, submit");
        told("accept/unary/kafka            26652 1/s; goal 0.5 or more", &mut verified);
        told("", &mut verified);
        told("SKIPPED: accepts on Kafka: no services", &mut verified);
        let shown: Vec<_> = verified.shown().iter().map(|shown| (&*shown.test, &*shown.what)).collect();
        assert_eq!(shown, [("bench, submit", "accept/unary/kafka 26652 1/s; goal 0.5 or more")]);
        assert_eq!(verified.skipped(), ["accepts on Kafka: no services"]);
    }
}
