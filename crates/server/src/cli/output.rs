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
        let mut out = std::io::stdout().lock();
        let written = match self.format {
            Format::Text => writeln!(out, "{text}"),
            Format::Json => writeln!(out, "{json}"),
        };
        match written.and_then(|()| out.flush()) {
            // Whoever read has had enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }
}
