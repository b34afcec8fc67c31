//! Waiting with an end: for something to become so, for a tool to answer; and what a log said last.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// Pause between two looks at something that is not ready yet.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How much of a log an error shows.
const LAST_LINES: usize = 20;
const LAST_BYTES: u64 = 64 * 1024;
const LINE_CHARS: usize = 300;

/// A time by which something must have happened.
pub(super) struct Deadline {
    began: Instant,
    patience: Duration,
}

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "other programs are waited for in real time")]
    pub(super) fn after(patience: Duration) -> Self {
        Self { began: Instant::now(), patience }
    }

    pub(super) fn is_over(&self) -> bool {
        self.began.elapsed() > self.patience
    }
}

/// Looks again and again until something is so.
///
/// # Errors
/// A look fails, or it is not so in time.
pub(crate) fn until(patience: Duration, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Deadline::after(patience);
    while !is_so()? {
        ensure!(!deadline.is_over(), "not so after {} s", patience.as_secs());
        sleep(LOOK_EVERY);
    }
    Ok(())
}

/// What a tool has said, and how it ended.
pub(crate) struct Answer {
    pub(crate) status: ExitStatus,
    pub(crate) text: String,
}

/// Runs a tool to its end, which must come in time; what it says on both streams is kept in `output`, a file.
///
/// # Errors
/// It cannot be started, or does not end in time; then it is killed.
pub(crate) fn answer(command: &mut Command, output: &Path, patience: Duration) -> Result<Answer> {
    let name = command.get_program().to_string_lossy().into_owned();
    let file = File::create(output).with_context(|| format!("making {}", output.display()))?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
    let mut status = None;
    let ended = until(patience, || {
        status = child.try_wait()?;
        Ok(status.is_some())
    });
    if ended.is_err() {
        child.kill().with_context(|| format!("stopping {name}"))?;
        child.wait().with_context(|| format!("stopping {name}"))?;
    }
    ended.with_context(|| format!("{name} does not end; it said:\n{}", last_lines(output)))?;
    let text = std::fs::read(output).with_context(|| format!("reading {}", output.display()))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(Answer { status: status.context("it ended without a status")?, text })
}

/// The end of a log, indented, under its path.
pub(crate) fn last_lines(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let from = file.metadata()?.len().saturating_sub(LAST_BYTES);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_else(|error| error.to_string());
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().skip(lines.len().saturating_sub(LAST_LINES));
    let last: Vec<String> =
        last.map(|line| format!("  | {}", line.chars().take(LINE_CHARS).collect::<String>())).collect();
    format!("{}:\n{}", log.display(), last.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_answers_or_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("output");
        let mut shell = Command::new("sh");
        let told = answer(shell.args(["-c", "echo a; echo b >&2; exit 3"]), &output, Duration::from_secs(60));
        let told = told.unwrap();
        assert_eq!((told.status.code(), told.text.as_str()), (Some(3), "a\nb\n"));
        let mut shell = Command::new("sh");
        let hangs =
            answer(shell.args(["-c", "echo so far; exec sleep 600"]), &output, Duration::from_secs(1));
        let text = format!("{:#}", hangs.err().unwrap());
        assert!(text.contains("does not end") && text.contains("not so after 1 s"), "{text}");
    }

    #[test]
    fn an_error_shows_the_last_lines_of_a_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let lines: Vec<String> = (1..=5000).map(|n| format!("line {n}")).collect();
        std::fs::write(&log, lines.join("\n")).unwrap();
        let text = last_lines(&log);
        assert!(text.starts_with(&format!("{}:\n  | line 4981\n", log.display())), "{text}");
        assert!(text.ends_with("\n  | line 5000"), "{text}");
        assert!(last_lines(&folder.path().join("none")).contains("No such file"));
    }
}
