//! What commands print on standard output: text for people, or one JSON value per result for programs.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};

use serde_json::Value;

use super::Format;

/// Standard output in the chosen format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
}

impl Output {
    pub(super) const fn new(format: Format) -> Self {
        Self { format }
    }

    /// Prints a result.
    pub(crate) fn print(&self, text: impl Display, json: &Value) -> std::io::Result<()> {
        match self.format {
            Format::Text => write(text),
            Format::Json => write(json),
        }
    }

    /// Tells people something that is no result.
    pub(super) fn remark(&self, text: impl Display) -> std::io::Result<()> {
        match self.format {
            Format::Text => write(text),
            Format::Json => Ok(()),
        }
    }
}

fn write(line: impl Display) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        // Whoever read has had enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
