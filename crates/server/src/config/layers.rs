//! The layers of a configuration: file, then environment, then flags, merged into one tree whose every leaf knows
//! where it comes from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::fault::{Faults, Origin};
use super::reader::literal_value;

/// Environment variables that begin with this are configuration: `PAYMUX__SERVER__GRPC_LISTEN`.
pub(crate) const ENV_PREFIX: &str = "PAYMUX__";

/// Bytes of a configuration file.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The merged tree.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    pub(crate) tree: Table,
    file: Option<PathBuf>,
    lines: BTreeMap<String, usize>,
    overlaid: BTreeMap<String, Origin>,
}

impl Layers {
    /// Reads a file and lays environment variables and flags over it.
    pub(crate) fn load(
        file: Option<&Path>,
        environment: &BTreeMap<OsString, OsString>,
        flags: &[(String, String)],
    ) -> Result<Self, Faults> {
        let mut layers = match file {
            Some(path) => Self::of_file(path)?,
            None => Self::default(),
        };
        for (name, value) in environment {
            let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
            if let Some(rest) = name.strip_prefix(ENV_PREFIX) {
                let parts: Vec<&str> = rest.split("__").collect();
                layers.overlay(&parts, value, Origin::Environment(name.to_owned()));
            }
        }
        for (key, value) in flags {
            let parts: Vec<&str> = key.split('.').collect();
            layers.overlay(&parts, value, Origin::Flag);
        }
        Ok(layers)
    }

    fn of_file(path: &Path) -> Result<Self, Faults> {
        let unreadable =
            |error: std::io::Error| Faults::of_file(path, None, format!("cannot be read: {error}"));
        if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
            return Err(Faults::of_file(path, None, format!("is larger than {FILE_BYTES_MAX} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let not_toml = |error: toml::de::Error| {
            let line = error.span().map(|span| line_of(&text, span.start));
            Faults::of_file(path, line, format!("is not TOML: {}", error.message()))
        };
        let parsed = DeTable::parse(&text).map_err(not_toml)?;
        let mut lines = BTreeMap::new();
        note_lines(&text, parsed.get_ref(), "", &mut lines);
        let tree = toml::from_str(&text).map_err(not_toml)?;
        Ok(Self { tree, file: Some(path.to_owned()), lines, overlaid: BTreeMap::new() })
    }

    /// Where a key's value comes from; for a missing key the file, at the line of its section if there is one.
    pub(crate) fn origin(&self, key: &str) -> Origin {
        if let Some(origin) = self.overlaid.get(key) {
            return origin.clone();
        }
        if !self.lines.contains_key(key) {
            // A section that only the environment or a flag has brought into being.
            let inside = format!("{key}.");
            if let Some((_, origin)) =
                self.overlaid.range(inside.clone()..).find(|(k, _)| k.starts_with(&inside))
            {
                return origin.clone();
            }
        }
        let Some(file) = &self.file else { return Origin::Default };
        let mut path = key;
        loop {
            if let Some(line) = self.lines.get(path) {
                return Origin::File(file.clone(), Some(*line));
            }
            match path.rsplit_once('.') {
                Some((parent, _)) => path = parent,
                None => return Origin::File(file.clone(), None),
            }
        }
    }

    /// Whether the environment or a flag set this key.
    pub(crate) fn is_overlaid(&self, key: &str) -> bool {
        self.overlaid.contains_key(key)
    }

    /// Sets a key. Names of accounts and merchants are found again whatever their case is in the environment.
    fn overlay(&mut self, parts: &[&str], text: &str, origin: Origin) {
        let Some((last, parents)) = parts.split_last() else { return };
        let exact = origin == Origin::Flag;
        let mut path = Vec::new();
        let mut table = &mut self.tree;
        for part in parents {
            let name = name_in(table, part, exact);
            path.push(name.clone());
            let entry = table.entry(name).or_insert_with(|| Value::Table(Table::new()));
            if !entry.is_table() {
                *entry = Value::Table(Table::new());
            }
            let Some(next) = entry.as_table_mut() else { return };
            table = next;
        }
        let name = name_in(table, last, exact);
        path.push(name.clone());
        let value = overlaid_value(table.get(&name), text);
        table.insert(name, value);
        self.overlaid.insert(path.join("."), origin);
    }
}

/// The value of an overlay: of the type that the file gives the key, else a list, a table or a truth value where it
/// reads as one, else text.
fn overlaid_value(known: Option<&Value>, text: &str) -> Value {
    let trimmed = text.trim();
    let as_toml = match known {
        Some(Value::Integer(_)) => true,
        Some(Value::String(_)) => false,
        _ => trimmed.starts_with(['[', '{']) || matches!(trimmed, "true" | "false"),
    };
    let parsed = as_toml.then(|| literal_value(trimmed)).flatten();
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn name_in(table: &Table, part: &str, exact: bool) -> String {
    if exact {
        return part.to_owned();
    }
    let known = table.keys().find(|name| name.eq_ignore_ascii_case(part));
    known.cloned().unwrap_or_else(|| part.to_ascii_lowercase())
}

fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).map_or(1, |before| before.matches('\n').count() + 1)
}

fn note_lines(text: &str, table: &DeTable<'_>, path: &str, lines: &mut BTreeMap<String, usize>) {
    for (name, value) in table {
        let key =
            if path.is_empty() { name.get_ref().to_string() } else { format!("{path}.{}", name.get_ref()) };
        lines.insert(key.clone(), line_of(text, name.span().start));
        note_value(text, value, &key, lines);
    }
}

fn note_value(text: &str, value: &Spanned<DeValue<'_>>, key: &str, lines: &mut BTreeMap<String, usize>) {
    match value.get_ref() {
        DeValue::Table(table) => note_lines(text, table, key, lines),
        DeValue::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                let entry = format!("{key}[{n}]");
                lines.insert(entry.clone(), line_of(text, item.span().start));
                note_value(text, item, &entry, lines);
            }
        }
        _ => {}
    }
}
