//! The audit log: what operators did, as JSON lines in a file of their own.
//!
//! Each act has two lines. `begun` is on the disk before anything is done, so nothing is ever done without a trace; if
//! it cannot be written, the act is refused. `ended`, with the outcome, is on the disk before the act is answered. An
//! act that has begun and never ended was cut off: its outcome stands in the facts of its order.

mod file;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use paymux_domain::ports::Clock;
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};

use file::AuditFile;

/// Acts that may wait for the disk at once; more wait for their turn.
const QUEUE_MAX: usize = 256;

/// Lines that are synced together.
const BATCH_MAX: usize = 64;

/// Characters of one text of an act that are kept; requests are bounded elsewhere, and later.
const TEXT_CHARS_MAX: usize = 256;

/// Where the audit log is and how big it may become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditConfig {
    /// The file that is written; older ones are `FILE.1` and so on, the highest number being the oldest.
    pub file: PathBuf,
    /// Bytes of one file.
    pub bytes_max: u64,
    /// Files kept beside the one that is written; what is older is removed.
    pub files_max: u32,
}

/// Why the audit log cannot be used. The reason names no content.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the audit log {file} cannot be written: {reason}")]
pub struct AuditError {
    /// The file.
    pub file: String,
    /// What the operating system says.
    pub reason: String,
}

/// What an operator does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Act {
    /// Who, by the name in the configuration.
    pub caller: String,
    /// The method, such as `OperatorService/Replay`.
    pub method: &'static str,
    /// What it is done to and why, by the names of the request's fields; empty ones are left out.
    pub fields: Vec<(&'static str, String)>,
}

/// The audit log. Clones share it.
#[derive(Clone)]
pub struct AuditLog {
    lines: mpsc::Sender<Line>,
    clock: Arc<dyn Clock>,
    started_ms: i64,
    next_act: Arc<AtomicU64>,
    file: Arc<str>,
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuditLog({})", self.file)
    }
}

struct Line {
    text: String,
    written: oneshot::Sender<Result<(), String>>,
}

impl AuditLog {
    /// Opens the file for this process alone and starts the thread that writes it.
    ///
    /// # Errors
    /// It cannot be opened, or another process has it.
    pub fn open(config: &AuditConfig, clock: Arc<dyn Clock>) -> Result<Self, AuditError> {
        let name: Arc<str> = config.file.display().to_string().into();
        let failed = |error: std::io::Error| AuditError { file: name.to_string(), reason: error.to_string() };
        let mut file = AuditFile::new(config.clone());
        file.open().map_err(failed)?;
        let (lines, queue) = mpsc::channel(QUEUE_MAX);
        let writer = std::thread::Builder::new().name("audit".to_owned());
        // It ends when the last sender is gone; every line that was promised is written by then.
        writer.spawn(move || write_all(file, queue)).map_err(failed)?;
        let started_ms = clock.now().as_millis();
        Ok(Self { lines, clock, started_ms, next_act: Arc::default(), file: name })
    }

    /// Writes that an act begins; gives the number by which its end refers to it.
    ///
    /// # Errors
    /// It is not on the disk.
    pub async fn begun(&self, act: &Act) -> Result<String, AuditError> {
        let number = self.next_act.fetch_add(1, Ordering::Relaxed);
        let number = format!("{:x}-{number}", self.started_ms);
        self.write(&number, "begun", act, None).await?;
        Ok(number)
    }

    /// Writes how an act ended.
    ///
    /// # Errors
    /// It is not on the disk.
    pub async fn ended(&self, number: &str, act: &Act, outcome: &str) -> Result<(), AuditError> {
        self.write(number, "ended", act, Some(outcome)).await
    }

    async fn write(
        &self,
        number: &str,
        phase: &str,
        act: &Act,
        outcome: Option<&str>,
    ) -> Result<(), AuditError> {
        let text = self.line(number, phase, act, outcome).to_string();
        let (written, done) = oneshot::channel();
        let ended = || "its writer has ended".to_owned();
        let sent = self.lines.send(Line { text, written }).await.map_err(|_| ended());
        let told = match sent {
            Ok(()) => done.await.unwrap_or_else(|_| Err(ended())),
            Err(reason) => Err(reason),
        };
        told.map_err(|reason| AuditError { file: self.file.to_string(), reason }).inspect_err(|error| {
            tracing::error!(%error, "an operator's act is not recorded");
        })
    }

    fn line(&self, number: &str, phase: &str, act: &Act, outcome: Option<&str>) -> Value {
        let mut line = Map::new();
        let now = jiff::Timestamp::from_millisecond(self.clock.now().as_millis()).unwrap_or_default();
        line.insert("time".to_owned(), json!(format!("{now:.3}")));
        line.insert("act".to_owned(), json!(number));
        line.insert("phase".to_owned(), json!(phase));
        line.insert("caller".to_owned(), json!(act.caller));
        line.insert("method".to_owned(), json!(act.method));
        for (name, text) in act.fields.iter().filter(|(_, text)| !text.is_empty()) {
            let kept: String = text.chars().take(TEXT_CHARS_MAX).collect();
            line.insert((*name).to_owned(), json!(kept));
        }
        if let Some(outcome) = outcome {
            line.insert("outcome".to_owned(), json!(outcome));
        }
        Value::Object(line)
    }
}

/// Writes what waits, syncs it once, and tells everybody who waited.
fn write_all(mut file: AuditFile, mut queue: mpsc::Receiver<Line>) {
    while let Some(first) = queue.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX
            && let Ok(next) = queue.try_recv()
        {
            batch.push(next);
        }
        let text: String = batch.iter().map(|line| format!("{}\n", line.text)).collect();
        let written = file.append(&text).map_err(|error| error.to_string());
        for line in batch {
            // Who asked may have left.
            drop(line.written.send(written.clone()));
        }
    }
}

#[cfg(test)]
mod tests;
