//! Reads sections key by key: every fault is noted and reading goes on, so that all of them are named at once.

use std::cell::RefCell;
use std::net::SocketAddr;

use toml::{Table, Value};

use super::fault::{Fault, Origin};
use super::layers::Layers;
use super::schema::{Absent, Key, Kind};
use crate::access::KeyHash;

/// One effective value, for `config dump`.
#[derive(Clone, Debug)]
pub(crate) struct Effective {
    /// The section's dotted path; empty at the top.
    pub(crate) section: String,
    /// The key within it.
    pub(crate) name: String,
    /// The value as TOML.
    pub(crate) value: String,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

/// What reading leaves beside the values.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) faults: RefCell<Vec<Fault>>,
    pub(crate) effective: RefCell<Vec<Effective>>,
}

/// A section while it is read: keys are taken out, and what is left over is unknown.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    layers: &'a Layers,
    notes: &'a Notes,
    path: String,
    keys: &'static [Key],
    table: Table,
    presets: Vec<(&'static str, i64)>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(
        layers: &'a Layers,
        notes: &'a Notes,
        path: String,
        keys: &'static [Key],
        table: Table,
    ) -> Self {
        Self { layers, notes, path, keys, table, presets: Vec::new() }
    }

    /// The dotted path of a key in this section.
    pub(crate) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Notes a fault of a key.
    pub(crate) fn fault(&self, name: &str, problem: impl Into<String>, allowed: impl Into<String>) {
        let key = self.path_of(name);
        let origin = self.layers.origin(&key);
        self.notes.faults.borrow_mut().push(Fault {
            origin,
            key,
            problem: problem.into(),
            allowed: allowed.into(),
        });
    }

    /// A whole number within the bounds of its key; `None` when it is absent or faulty.
    pub(crate) fn integer(&mut self, name: &'static str) -> Option<i64> {
        let (key, value) = self.take(name)?;
        let number = match &value {
            Value::Integer(number) => Some(*number),
            Value::String(text) if self.is_overlaid(name) => text.trim().parse().ok(),
            _ => None,
        };
        let within = match key.kind {
            Kind::Integer { min, max } => number.filter(|number| (min..=max).contains(number)),
            _ => number,
        };
        self.judge(key, &value, within)
    }

    /// A whole number that the schema bounds from below by 0.
    pub(crate) fn count<T: TryFrom<i64>>(&mut self, name: &'static str) -> Option<T> {
        self.integer(name).and_then(|number| T::try_from(number).ok())
    }

    /// Text.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        let (key, value) = self.take(name)?;
        let fits = |text: &&str| match key.kind {
            Kind::Text { chars_max } => (1..=chars_max).contains(&text.chars().count()),
            Kind::Choice(words) => words.contains(text),
            Kind::NotifyBaseUrl => paymux_providers::is_notify_base_url(text),
            Kind::Integer { .. } | Kind::Address | Kind::Words | Kind::Hashes | Kind::Flag => true,
        };
        let text = value.as_str().filter(fits).map(str::to_owned);
        self.judge(key, &value, text)
    }

    /// Text that parses as `T`; what is allowed comes from its error.
    pub(crate) fn parsed<T>(&mut self, name: &'static str) -> Option<T>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let text = self.text(name)?;
        text.parse().inspect_err(|error: &T::Err| self.fault(name, error.to_string(), "")).ok()
    }

    /// An address with a port.
    pub(crate) fn address(&mut self, name: &'static str) -> Option<SocketAddr> {
        let (key, value) = self.take(name)?;
        let address = value.as_str().and_then(|text| text.parse().ok());
        self.judge(key, &value, address)
    }

    /// A list of words; on the command line and in the environment they are separated by commas.
    pub(crate) fn words(&mut self, name: &'static str) -> Option<Vec<String>> {
        let (key, value) = self.take(name)?;
        let words: Option<Vec<String>> = match &value {
            Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            Value::String(text) if self.is_overlaid(name) => {
                Some(text.split(',').map(|word| word.trim().to_owned()).collect())
            }
            _ => None,
        };
        let words = words.filter(|words| !words.is_empty() && words.iter().all(|word| !word.is_empty()));
        self.judge(key, &value, words)
    }

    /// True or false.
    pub(crate) fn flag(&mut self, name: &'static str) -> Option<bool> {
        let (key, value) = self.take(name)?;
        self.judge(key, &value, value.as_bool())
    }

    /// A list of hashes; no fault repeats what stands there, and `config dump` shows how many there are.
    pub(crate) fn hashes(&mut self, name: &'static str) -> Option<Vec<KeyHash>> {
        let (key, value) = self.take(name)?;
        let texts: Vec<&str> = match &value {
            Value::Array(items) => items.iter().map(|item| item.as_str().unwrap_or_default()).collect(),
            Value::String(text) if self.is_overlaid(name) => text.split(',').map(str::trim).collect(),
            _ => Vec::new(),
        };
        let hashes: Vec<KeyHash> = texts.iter().filter_map(|text| text.parse().ok()).collect();
        if let Some(told) = self.notes.effective.borrow_mut().last_mut() {
            told.value =
                Value::Array(hashes.iter().map(|hash| format!("{hash:?}").into()).collect()).to_string();
        }
        let wrong = texts.len() - hashes.len();
        if texts.is_empty() || wrong > 0 {
            let problem =
                format!("{wrong} of {} entries are no hashes (not shown: they may be keys)", texts.len());
            self.fault(name, problem, key.kind.allowed());
            return None;
        }
        Some(hashes)
    }

    /// A sub-table as a section of its own; `None` when it is absent.
    pub(crate) fn section(&mut self, name: &str, keys: &'static [Key]) -> Option<Reader<'a>> {
        self.holds(name).then(|| self.section_or_empty(name, keys))
    }

    /// A sub-table as a section of its own; absent counts as empty.
    pub(crate) fn section_or_empty(&mut self, name: &str, keys: &'static [Key]) -> Reader<'a> {
        let table = self.table(name);
        self.sub_reader(self.path_of(name), keys, table)
    }

    /// A section at another path of the same configuration.
    pub(crate) fn sub_reader(&self, path: String, keys: &'static [Key], table: Table) -> Reader<'a> {
        Reader::new(self.layers, self.notes, path, keys, table)
    }

    /// A sub-table; absent counts as empty.
    pub(crate) fn table(&mut self, name: &str) -> Table {
        match self.table.remove(name) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => {
                self.fault(name, format!("is {}", other.type_str()), "a table");
                Table::new()
            }
        }
    }

    /// A list of tables with their paths; absent counts as empty.
    pub(crate) fn tables(&mut self, name: &str) -> Vec<(String, Table)> {
        let items = match self.table.remove(name) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.fault(name, format!("is {}", other.type_str()), "a list of tables");
                return Vec::new();
            }
        };
        let path = self.path_of(name);
        let mut tables = Vec::new();
        for (n, item) in items.into_iter().enumerate() {
            match item {
                Value::Table(table) => tables.push((format!("{path}[{n}]"), table)),
                other => self.fault(name, format!("entry {n} is {}", other.type_str()), "a table"),
            }
        }
        tables
    }

    /// Everything that was not taken, for the provider's own parser.
    pub(crate) fn rest(self) -> Table {
        for (name, value) in &self.table {
            let section = self.path.clone();
            let origin = self.layers.origin(&self.path_of(name));
            let value = masked(name, value).to_string();
            self.notes.effective.borrow_mut().push(Effective { section, name: name.clone(), value, origin });
        }
        self.table
    }

    /// Gives a key another default than the schema's, where another key decides on it.
    pub(crate) fn preset(&mut self, name: &'static str, number: i64) {
        self.presets.push((name, number));
    }

    /// Drops a key that has no meaning here; whether it was there.
    pub(crate) fn forget(&mut self, name: &str) -> bool {
        self.table.remove(name).is_some()
    }

    /// Whether a key is there and not yet taken.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// Ends the section: what is left over is unknown. `tables` are the names of its sub-tables.
    pub(crate) fn finish(mut self, tables: &[&str]) {
        let allowed: Vec<&str> = self.keys.iter().map(|key| key.name).chain(tables.iter().copied()).collect();
        let allowed = allowed.join(", ");
        for (name, _) in std::mem::take(&mut self.table) {
            self.fault(&name, "unknown key", allowed.clone());
        }
    }

    /// Takes a key's value, or its default; notes the effective value and, where it is required, its absence.
    fn take(&mut self, name: &'static str) -> Option<(&'static Key, Value)> {
        let key = self.keys.iter().find(|key| key.name == name)?;
        let (value, origin) = match (self.table.remove(name), key.absent) {
            (Some(value), _) => (value, self.layers.origin(&self.path_of(name))),
            (None, Absent::Default(literal)) => {
                let preset = self.presets.iter().find(|(preset, _)| *preset == name);
                let preset = preset.map(|(_, number)| Value::Integer(*number));
                (preset.or_else(|| literal_value(literal))?, Origin::Default)
            }
            (None, Absent::Optional(_)) => return None,
            (None, Absent::Required(_)) => {
                self.fault(name, "missing", key.kind.allowed());
                return None;
            }
        };
        self.notes.effective.borrow_mut().push(Effective {
            section: self.path.clone(),
            name: name.to_owned(),
            value: value.to_string(),
            origin,
        });
        Some((key, value))
    }

    fn judge<T>(&self, key: &Key, value: &Value, judged: Option<T>) -> Option<T> {
        if judged.is_none() {
            self.fault(key.name, format!("{value} is not allowed"), key.kind.allowed());
        }
        judged
    }

    fn is_overlaid(&self, name: &str) -> bool {
        self.layers.is_overlaid(&self.path_of(name))
    }
}

/// The value of a TOML literal of the schema.
pub(crate) fn literal_value(literal: &str) -> Option<Value> {
    // Defaults are numbers for the most part, and are read again for each of thousands of merchants.
    if let Ok(number) = literal.parse() {
        return Some(Value::Integer(number));
    }
    toml::from_str::<Table>(&format!("value = {literal}")).ok()?.remove("value")
}

/// A provider's value without what looks like a secret. Providers take secrets by reference only; this is the net
/// below that.
fn masked(name: &str, value: &Value) -> Value {
    let is_reference = name.ends_with("_file") || name.ends_with("_env");
    let sounds_secret = ["key", "secret", "password", "token"].iter().any(|word| name.contains(word));
    match value {
        Value::Table(table) => {
            Value::Table(table.iter().map(|(name, value)| (name.clone(), masked(name, value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| masked(name, item)).collect()),
        _ if sounds_secret && !is_reference => Value::String("***".to_owned()),
        other => other.clone(),
    }
}
