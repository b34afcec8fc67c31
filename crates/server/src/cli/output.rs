//! What commands print on standard output: text for people, or one JSON value per result for programs.

use std::fmt::Display;
use std::io::Write as _;

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
        match self.format {
            Format::Text => writeln!(out, "{text}")?,
            Format::Json => writeln!(out, "{json}")?,
        }
        out.flush()
    }
}
