//! `cargo xtask check`: everything that needs no test run.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::process::{self, Status};
use crate::{codegen, tidy};

/// What became of one step.
enum Outcome {
    Passed,
    Failed,
    Skipped(&'static str),
}

/// The two halves of cargo-deny's work.
#[derive(Clone, Copy)]
enum Deny {
    /// Licences, sources and banned crates: needs no network.
    Tree,
    /// Published security advisories.
    Advisories,
}

/// Runs every step, also after a failed one, and sums up.
///
/// # Errors
/// A program that is part of the Rust toolchain cannot be started.
pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    let mut outcomes = Vec::new();
    let mut step = |name: &'static str, outcome: Outcome| outcomes.push((name, outcome));
    step("fmt", program(&mut process::cargo(["fmt", "--all", "--", "--check"]))?);
    step("clippy", clippy(&["--workspace"])?);
    step("clippy, all features", clippy(&["--workspace", "--all-features"])?);
    step("clippy, server without default features", clippy(&["-p", "paymux", "--no-default-features"])?);
    let mut doc = process::cargo(["doc", "--workspace", "--no-deps"]);
    step("doc", program(doc.env("RUSTDOCFLAGS", "-D warnings"))?);
    step("deny, tree", deny(Deny::Tree)?);
    step("deny, advisories", deny(Deny::Advisories)?);
    step("tidy", report(tidy::run(root)));
    step("buf lint", buf_lint()?.unwrap_or(Outcome::Skipped("buf is not installed")));
    step("codegen", report(codegen::run(root, true)));

    println!();
    let mut failed = false;
    for (name, outcome) in &outcomes {
        match outcome {
            Outcome::Passed => println!("passed   {name}"),
            Outcome::Skipped(reason) => println!("skipped  {name}: {reason}"),
            Outcome::Failed => println!("FAILED   {name}"),
        }
        failed |= matches!(outcome, Outcome::Failed);
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Lints the protos; `None` when buf is not installed.
///
/// # Errors
/// Buf is there but cannot be started.
pub(crate) fn lint_protos() -> Result<Option<Status>> {
    if process::succeeds("buf", ["--version"]) {
        process::run(&mut process::command("buf", ["lint"])).map(Some)
    } else {
        Ok(None)
    }
}

fn buf_lint() -> Result<Option<Outcome>> {
    Ok(lint_protos()?.map(Outcome::from))
}

fn clippy(scope: &[&str]) -> Result<Outcome> {
    let mut clippy = process::cargo(["clippy", "--all-targets"]);
    program(clippy.args(scope).args(["--", "-D", "warnings"]))
}

fn deny(subject: Deny) -> Result<Outcome> {
    if !process::succeeds("cargo", ["deny", "--version"]) {
        return Ok(Outcome::Skipped("cargo-deny is not installed"));
    }
    match subject {
        Deny::Tree => program(&mut process::cargo(["deny", "check", "bans", "licenses", "sources"])),
        // The advisories are fetched; without a network there is nothing to compare with.
        Deny::Advisories if process::succeeds("cargo", ["deny", "fetch", "db"]) => {
            program(&mut process::cargo(["deny", "check", "advisories"]))
        }
        Deny::Advisories => Ok(Outcome::Skipped("the advisories cannot be fetched")),
    }
}

fn program(command: &mut Command) -> Result<Outcome> {
    process::run(command).map(Outcome::from)
}

fn report(result: Result<()>) -> Outcome {
    match result {
        Ok(()) => Outcome::Passed,
        Err(error) => {
            println!("{error:#}");
            Outcome::Failed
        }
    }
}

impl From<Status> for Outcome {
    fn from(status: Status) -> Self {
        match status {
            Status::Succeeded => Self::Passed,
            Status::Failed => Self::Failed,
        }
    }
}
