//! Starting other programs: cargo, buf, cargo-deny.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// Whether a program succeeded; turns into the exit code of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Exit code 0.
    Succeeded,
    /// Any other end.
    Failed,
}

impl From<Status> for std::process::ExitCode {
    fn from(status: Status) -> Self {
        match status {
            Status::Succeeded => Self::SUCCESS,
            Status::Failed => Self::FAILURE,
        }
    }
}

/// Cargo in the workspace's folder.
pub(crate) fn cargo<const N: usize>(args: [&str; N]) -> Command {
    command("cargo", args)
}

/// A program in the workspace's folder.
pub(crate) fn command<const N: usize>(program: impl AsRef<OsStr>, args: [&str; N]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(crate::root());
    command
}

/// Runs it with our own standard streams.
///
/// # Errors
/// The program cannot be started.
pub(crate) fn run(command: &mut Command) -> Result<Status> {
    let status = command.status().with_context(|| format!("starting {}", name(command)))?;
    Ok(if status.success() { Status::Succeeded } else { Status::Failed })
}

/// Runs it and shows each line of its standard output to `line` as it comes.
///
/// # Errors
/// The program cannot be started or read.
pub(crate) fn run_lines(command: &mut Command, mut line: impl FnMut(&str)) -> Result<Status> {
    let started = command.stdout(Stdio::piped()).spawn();
    let mut child = started.with_context(|| format!("starting {}", name(command)))?;
    let mut output = BufReader::new(child.stdout.take().context("no standard output")?);
    let mut bytes = Vec::new();
    while output.read_until(b'\n', &mut bytes)? > 0 {
        line(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']));
        bytes.clear();
    }
    let status = child.wait()?;
    Ok(if status.success() { Status::Succeeded } else { Status::Failed })
}

/// Whether a program is there and succeeds, quietly; asked with `--version` it tells whether it is installed.
pub(crate) fn succeeds<const N: usize>(program: &str, args: [&str; N]) -> bool {
    let mut probe = command(program, args);
    probe.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// What a program prints, without white space around it; `None` when it is not there or fails.
pub(crate) fn output<const N: usize>(program: &str, args: [&str; N]) -> Option<String> {
    let output = command(program, args).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The commit of the tree, and whether something beside that path is another one: what a run writes is of an earlier run,
/// and not what it looked at.
pub(crate) fn commit_beside(path: &str) -> String {
    let beside = format!(":!{path}");
    let changes = output("git", ["status", "--porcelain", "--untracked-files=no", "--", ".", &beside]);
    match output("git", ["rev-parse", "HEAD"]) {
        Some(commit) if changes.is_none_or(|changes| !changes.is_empty()) => format!("{commit}, modified"),
        Some(commit) => commit,
        None => "unknown".to_owned(),
    }
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_as_they_are_printed_and_the_status_is_kept() {
        let mut seen = Vec::new();
        let status =
            run_lines(&mut cargo(["--version"]), |line| seen.push(line.to_owned())).expect("cargo runs");
        assert_eq!(status, Status::Succeeded);
        assert!(seen.len() == 1 && seen[0].starts_with("cargo "), "{seen:?}");
        let status = run_lines(cargo(["no-such-command"]).stderr(Stdio::null()), |_| {}).expect("cargo runs");
        assert_eq!(status, Status::Failed);
    }

    #[test]
    fn a_missing_program_and_a_failing_one_do_not_succeed() {
        assert!(succeeds("cargo", ["--version"]));
        assert!(!succeeds("no-such-program-here", ["--version"]));
        assert!(!succeeds("cargo", ["no-such-command"]));
        assert!(output("cargo", ["--version"]).is_some_and(|text| text.starts_with("cargo ")));
        assert_eq!(output("cargo", ["no-such-command"]), None);
    }
}
