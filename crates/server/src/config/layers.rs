//! The layers of a configuration: files, then environment, then flags, merged into one tree whose every leaf knows
//! where it comes from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use toml::de::{DeTable, DeValue, Deserializer};
use toml::{Spanned, Table, Value};

use super::fault::{Fault, Faults, Origin};
use super::folder;
use super::reader::literal_value;
use super::seen::Looking;
use super::source::Source;

/// Environment variables that begin with this are configuration: `PAYMUX__SERVER__GRPC_LISTEN`.
pub(crate) const ENV_PREFIX: &str = "PAYMUX__";

/// Bytes of a configuration file.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The merged tree.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    pub(crate) tree: Table,
    /// Found while the files were put together.
    pub(crate) faults: Vec<Fault>,
    main: Option<PathBuf>,
    files: Vec<PathBuf>,
    places: BTreeMap<String, Place>,
    overlaid: BTreeMap<String, Origin>,
}

/// A line (from 1) of one of the files.
#[derive(Clone, Copy, Debug)]
struct Place {
    file: usize,
    line: usize,
}

/// One file, read: its tree, and the line of every key by its dotted path.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) path: PathBuf,
    pub(super) tree: Table,
    pub(super) lines: BTreeMap<String, usize>,
    pub(super) bytes: u64,
}

impl Document {
    pub(super) fn read(path: &Path, looking: &Looking) -> Result<Self, Faults> {
        let unreadable =
            |error: std::io::Error| Faults::of_file(path, None, format!("cannot be read: {error}"));
        looking.note(path);
        let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
        if bytes > FILE_BYTES_MAX {
            return Err(Faults::of_file(path, None, format!("is larger than {FILE_BYTES_MAX} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let starts = LineStarts::of(&text);
        let not_toml = |error: toml::de::Error| {
            let line = error.span().map(|span| starts.line_of(span.start));
            Faults::of_file(path, line, format!("is not TOML: {}", error.message()))
        };
        let parsed = DeTable::parse(&text).map_err(not_toml)?;
        let mut lines = BTreeMap::new();
        note_lines(&starts, parsed.get_ref(), "", &mut lines);
        let tree = Table::deserialize(Deserializer::from(parsed)).map_err(not_toml)?;
        Ok(Self { path: path.to_owned(), tree, lines, bytes })
    }
}

impl Layers {
    /// Reads the files and lays environment variables and flags over them. What is wrong with the main file ends
    /// the reading; faults of merchant files are noted.
    pub(crate) fn load(source: &Source, looking: &Looking) -> Result<Self, Faults> {
        let mut layers = Self::default();
        if let Some(path) = &source.file {
            let Document { path, tree, lines, .. } = Document::read(path, looking)?;
            layers.begin_file(&path, lines);
            layers.main = Some(path);
            layers.tree = tree;
        }
        folder::merge(&mut layers, source, looking);
        for (name, value) in &source.environment {
            let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
            if let Some(rest) = name.strip_prefix(ENV_PREFIX) {
                let parts: Vec<&str> = rest.split("__").collect();
                layers.overlay(&parts, value, Origin::Environment(name.to_owned()));
            }
        }
        for (key, value) in &source.flags {
            let parts: Vec<&str> = key.split('.').collect();
            layers.overlay(&parts, value, Origin::Flag);
        }
        Ok(layers)
    }

    /// Takes over the lines of a file; a key that stands in several files has its first place.
    pub(super) fn begin_file(&mut self, path: &Path, lines: BTreeMap<String, usize>) {
        let file = self.files.len();
        self.files.push(path.to_owned());
        for (key, line) in lines {
            self.places.entry(key).or_insert(Place { file, line });
        }
    }

    /// The value of a name in a top-level section, if it is there.
    pub(super) fn get(&self, section: &str, name: &str) -> Option<&Value> {
        self.tree.get(section)?.get(name)
    }

    /// Puts a name into a top-level section.
    pub(super) fn insert(&mut self, section: &str, name: String, value: Value) {
        let entry = self.tree.entry(section).or_insert_with(|| Value::Table(Table::new()));
        // A section that is no table is a fault of the main file, which its reader names.
        if let Some(table) = entry.as_table_mut() {
            table.insert(name, value);
        }
    }

    /// Where a key's value comes from; for a missing key the file, at the line of its section if there is one.
    pub(crate) fn origin(&self, key: &str) -> Origin {
        if let Some(origin) = self.overlaid.get(key) {
            return origin.clone();
        }
        if !self.places.contains_key(key) {
            // A section that only the environment or a flag has brought into being.
            let inside = format!("{key}.");
            if let Some((_, origin)) =
                self.overlaid.range(inside.clone()..).find(|(k, _)| k.starts_with(&inside))
            {
                return origin.clone();
            }
        }
        let mut path = key;
        loop {
            if let Some(Place { file, line }) = self.places.get(path) {
                return self
                    .files
                    .get(*file)
                    .map_or(Origin::Default, |file| Origin::File(file.clone(), Some(*line)));
            }
            match path.rsplit_once('.') {
                Some((parent, _)) => path = parent,
                None => break,
            }
        }
        self.main.clone().map_or(Origin::Default, |file| Origin::File(file, None))
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

/// Where the lines of a text begin.
struct LineStarts(Vec<usize>);

impl LineStarts {
    fn of(text: &str) -> Self {
        let after = text.match_indices('\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(after).collect())
    }

    /// The line, from 1, of a byte.
    fn line_of(&self, at: usize) -> usize {
        self.0.partition_point(|start| *start <= at)
    }
}

fn note_lines(starts: &LineStarts, table: &DeTable<'_>, path: &str, lines: &mut BTreeMap<String, usize>) {
    for (name, value) in table {
        let key =
            if path.is_empty() { name.get_ref().to_string() } else { format!("{path}.{}", name.get_ref()) };
        lines.insert(key.clone(), starts.line_of(name.span().start));
        note_value(starts, value, &key, lines);
    }
}

fn note_value(
    starts: &LineStarts,
    value: &Spanned<DeValue<'_>>,
    key: &str,
    lines: &mut BTreeMap<String, usize>,
) {
    match value.get_ref() {
        DeValue::Table(table) => note_lines(starts, table, key, lines),
        DeValue::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                let entry = format!("{key}[{n}]");
                lines.insert(entry.clone(), starts.line_of(item.span().start));
                note_value(starts, item, &entry, lines);
            }
        }
        _ => {}
    }
}
