//! `config dump`: the effective configuration as TOML, each value with its origin.

use std::fmt::Write as _;

use super::reader::Effective;

/// Renders effective values, grouped by section in the order in which they were read.
pub(super) fn render(values: &[Effective]) -> String {
    let mut text = String::new();
    let mut section = "";
    for value in values {
        if value.section != section {
            section = &value.section;
            // Writing to a string cannot fail.
            let _ok = match section.split_once(['[', ']']) {
                Some((table, _)) => writeln!(text, "\n[[{table}]]"),
                None => writeln!(text, "\n[{section}]"),
            };
        }
        let _ok = writeln!(text, "{} = {} # {}", value.name, value.value, value.origin);
    }
    text
}
