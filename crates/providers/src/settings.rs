//! Reading an account's section of the configuration: every fault is found, none stops the reading.
//!
//! A provider reads its keys one by one with a [`Reader`]; a key that nobody asked for is a fault too. Nothing is
//! read from files or the environment here: secrets are named by reference (`…_file`, `…_env`) and fetched through
//! the [`SecretSource`] that is handed in.

use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use paymux_domain::name::{AccountId, ProviderId};
use secrecy::SecretString;
use toml::{Table, Value};

/// One account's section, not yet read. `Debug` shows none of its values.
#[derive(Clone)]
pub struct AccountSection {
    /// The account's name.
    pub account: AccountId,
    /// The provider.
    pub provider: ProviderId,
    /// The provider's own keys.
    pub settings: Table,
}

impl fmt::Debug for AccountSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountSection({} at {}, {} keys)", self.account, self.provider, self.settings.len())
    }
}

/// One fault of an account's section.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigFault {
    /// The account.
    pub account: AccountId,
    /// Path of the key within the account's section, such as `platform_keys[0].id`; empty for the whole section.
    pub key: String,
    /// What is wrong, and what is allowed.
    pub reason: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "account {}: {}", self.account, self.reason),
            key => write!(f, "account {}: {key}: {}", self.account, self.reason),
        }
    }
}

/// Where a secret stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// In a file, whole.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

/// Fetches what a reference names, or says why it cannot; the text must not hold the secret.
pub type SecretSource<'a> = dyn Fn(&SecretRef) -> Result<SecretString, String> + 'a;

/// Reads one table of an account's section.
pub struct Reader<'a> {
    account: &'a AccountId,
    path: String,
    table: &'a Table,
    secrets: &'a SecretSource<'a>,
    faults: &'a RefCell<Vec<ConfigFault>>,
    known: RefCell<Vec<String>>,
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({} {})", self.account, self.path)
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(
        section: &'a AccountSection,
        secrets: &'a SecretSource<'a>,
        faults: &'a RefCell<Vec<ConfigFault>>,
    ) -> Self {
        Self {
            account: &section.account,
            path: String::new(),
            table: &section.settings,
            secrets,
            faults,
            known: RefCell::default(),
        }
    }

    /// Notes a fault of a key.
    pub fn fault(&self, key: &str, reason: impl Into<String>) {
        let key = format!("{}{key}", self.path);
        self.faults.borrow_mut().push(ConfigFault {
            account: self.account.clone(),
            key,
            reason: reason.into(),
        });
    }

    /// How many faults have been noted so far, of all accounts that are being read.
    pub fn faults_noted(&self) -> usize {
        self.faults.borrow().len()
    }

    /// Reads something whole. Nothing may be dropped in silence: what gives nothing without a fault is itself a fault.
    pub fn whole<T>(&self, read: impl FnOnce(&Self) -> Option<T>) -> Option<T> {
        let before = self.faults_noted();
        let value = read(self);
        if value.is_none() && self.faults_noted() == before {
            self.fault("", "cannot be used, and no key of it says why");
        }
        value
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.known.borrow_mut().push(key.to_owned());
        self.table.get(key)
    }

    /// Whether a key is there; it counts as known.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// A text that may be absent. `allowed` says in words what `is_valid` takes.
    pub fn optional(&self, key: &str, allowed: &str, is_valid: fn(&str) -> bool) -> Option<String> {
        let value = self.get(key)?;
        match value.as_str() {
            Some(text) if is_valid(text) => Some(text.to_owned()),
            _ => {
                self.fault(key, format!("must be {allowed}"));
                None
            }
        }
    }

    /// A text that must be there.
    pub fn required(&self, key: &str, allowed: &str, is_valid: fn(&str) -> bool) -> Option<String> {
        if !self.has(key) {
            self.fault(key, format!("is missing; must be {allowed}"));
            return None;
        }
        self.optional(key, allowed, is_valid)
    }

    /// A list of texts, each once; absent means empty.
    pub fn texts(&self, key: &str, allowed: &str, is_valid: fn(&str) -> bool) -> Vec<String> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(entries) = value.as_array() else {
            self.fault(key, format!("must be a list, each entry {allowed}"));
            return Vec::new();
        };
        let mut texts = Vec::with_capacity(entries.len());
        for (at, entry) in entries.iter().enumerate() {
            match entry.as_str() {
                Some(text) if texts.iter().any(|known| known == text) => {
                    self.fault(&format!("{key}[{at}]"), "stands in the list twice");
                }
                Some(text) if is_valid(text) => texts.push(text.to_owned()),
                _ => self.fault(&format!("{key}[{at}]"), format!("must be {allowed}")),
            }
        }
        texts
    }

    /// A whole number with bounds; as text, too, since that is what flags and the environment give.
    pub fn number(&self, key: &str, allowed: RangeInclusive<u32>, default: u32) -> u32 {
        let Some(value) = self.get(key) else { return default };
        let given = match value {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_integer(),
        };
        match given.and_then(|number| u32::try_from(number).ok()) {
            Some(number) if allowed.contains(&number) => number,
            _ => {
                let (from, to) = (allowed.start(), allowed.end());
                self.fault(key, format!("must be a whole number from {from} to {to}"));
                default
            }
        }
    }

    /// Yes or no; as text, too, since that is what flags and the environment give.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        let given = match value {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_bool(),
        };
        if given.is_none() {
            self.fault(key, "must be true or false");
        }
        given
    }

    /// What `{key}_file` or `{key}_env` names; exactly one of the two must be there. The key that was there comes
    /// with it, for faults of the text.
    pub fn secret(&self, key: &str) -> Option<(String, SecretString)> {
        let (file_key, env_key) = (format!("{key}_file"), format!("{key}_env"));
        let file = self.optional(&file_key, "the path of a file", is_not_empty);
        let env = self.optional(&env_key, "the name of an environment variable", is_not_empty);
        let (key, reference) = match (file, env) {
            (Some(file), None) => (file_key, SecretRef::File(PathBuf::from(file))),
            (None, Some(env)) => (env_key, SecretRef::Env(env)),
            (Some(_), Some(_)) => {
                self.fault(&file_key, format!("stands beside {env_key}; give one of them"));
                return None;
            }
            (None, None) => {
                // A key of the wrong type has its fault already.
                if !self.table.contains_key(&file_key) && !self.table.contains_key(&env_key) {
                    self.fault(&file_key, format!("is missing; give {file_key} or {env_key}"));
                }
                return None;
            }
        };
        match (self.secrets)(&reference) {
            Ok(secret) => Some((key, secret)),
            Err(reason) => {
                self.fault(&key, reason);
                None
            }
        }
    }

    /// One of some words with its meaning; absent: the first of them.
    pub(crate) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let first = choices.first().map(|(_, meaning)| *meaning);
        let Some(value) = self.get(key) else { return first };
        let found = choices.iter().find(|(word, _)| value.as_str() == Some(word));
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            self.fault(key, format!("must be {}", words.join(" or ")));
        }
        found.map(|(_, meaning)| *meaning)
    }

    /// Reads a table; absent: the outer `None`. The inner one says that a fault was noted.
    pub(crate) fn table<T>(&self, key: &str, read: impl Fn(&Reader<'a>) -> Option<T>) -> Option<Option<T>> {
        let Some(table) = self.get(key)?.as_table() else {
            self.fault(key, "must be a table");
            return Some(None);
        };
        let reader = self.within(format!("{}{key}.", self.path), table);
        let value = reader.whole(read);
        reader.finish();
        Some(value)
    }

    fn within(&self, path: String, table: &'a Table) -> Self {
        let known = RefCell::default();
        Self { account: self.account, path, table, secrets: self.secrets, faults: self.faults, known }
    }

    /// Reads a list of tables; absent means empty.
    pub fn tables<T>(&self, key: &str, read: impl Fn(&Reader<'a>) -> Option<T>) -> Vec<T> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(entries) = value.as_array() else {
            self.fault(key, "must be a list of tables");
            return Vec::new();
        };
        let mut read_all = Vec::with_capacity(entries.len());
        for (at, entry) in entries.iter().enumerate() {
            let Some(table) = entry.as_table() else {
                self.fault(&format!("{key}[{at}]"), "must be a table");
                continue;
            };
            let reader = self.within(format!("{}{key}[{at}].", self.path), table);
            read_all.extend(read(&reader));
            reader.finish();
        }
        read_all
    }

    /// Ends the reading: a key that nobody asked for is a fault.
    pub fn finish(&self) {
        let mut known = self.known.borrow().clone();
        known.sort();
        known.dedup();
        for key in self.table.keys().filter(|key| !known.contains(key)) {
            self.fault(key, format!("unknown key; allowed are {}", known.join(", ")));
        }
    }
}

fn is_not_empty(text: &str) -> bool {
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T>(toml: &str, read: impl Fn(&Reader<'_>) -> T) -> (T, Vec<String>) {
        let section = AccountSection {
            account: "a".parse().unwrap(),
            provider: "p".parse().unwrap(),
            settings: toml.parse().unwrap(),
        };
        let secrets = |reference: &SecretRef| match reference {
            SecretRef::Env(name) if name == "SET" => Ok(SecretString::from("secret")),
            other => Err(format!("{other:?} cannot be read")),
        };
        let faults = RefCell::default();
        let reader = Reader::new(&section, &secrets, &faults);
        let value = read(&reader);
        reader.finish();
        let faults = faults.take().iter().map(|fault| format!("{}: {}", fault.key, fault.reason)).collect();
        (value, faults)
    }

    #[test]
    fn every_fault_is_found_at_once() {
        let toml = r#"
            name = 5
            names = ["x", "x", 7]
            size = 11
            key_env = "UNSET"
            extra = true
            [[list]]
            id = "too long"
        "#;
        let ((), faults) = read(toml, |reader| {
            reader.required("name", "a word", |_| true);
            reader.required("other", "a word", |_| true);
            reader.texts("names", "a word", |_| true);
            reader.number("size", 1..=10, 5);
            assert!(reader.secret("key").is_none());
            assert!(reader.secret("seal").is_none());
            reader.tables("list", |list| list.required("id", "one letter", |text| text.len() == 1));
        });
        insta::assert_snapshot!(faults.join("\n"), @r#"
        name: must be a word
        other: is missing; must be a word
        names[1]: stands in the list twice
        names[2]: must be a word
        size: must be a whole number from 1 to 10
        key_env: Env("UNSET") cannot be read
        seal_file: is missing; give seal_file or seal_env
        list[0].id: must be one letter
        extra: unknown key; allowed are key_env, key_file, list, name, names, other, seal_env, seal_file, size
        "#);
    }

    #[test]
    fn words_and_tables_are_read() {
        let choices = [("off", 0), ("on", 1)];
        assert_eq!(read("", |reader| reader.choice("mode", &choices)), (Some(0), vec![]));
        assert_eq!(read("mode = \"on\"", |reader| reader.choice("mode", &choices)), (Some(1), vec![]));
        let (value, faults) = read("mode = 1", |reader| reader.choice("mode", &choices));
        assert_eq!((value, faults), (None, vec!["mode: must be off or on".to_owned()]));

        let inner = |reader: &Reader<'_>| reader.required("id", "a word", |_| true);
        assert_eq!(read("", |reader| reader.table("list", inner)), (None, vec![]));
        let (value, faults) = read("list = { id = \"a\", more = 1 }", |reader| reader.table("list", inner));
        assert_eq!(value, Some(Some("a".to_owned())));
        assert_eq!(faults, ["list.more: unknown key; allowed are id"]);
        let (value, faults) = read("list = {}", |reader| reader.table("list", inner));
        assert_eq!((value, faults), (Some(None), vec!["list.id: is missing; must be a word".to_owned()]));
        let (value, faults) = read("list = 1", |reader| reader.table("list", inner));
        assert_eq!((value, faults), (Some(None), vec!["list: must be a table".to_owned()]));
    }

    #[test]
    fn nothing_is_dropped_without_a_fault() {
        let (_, faults) = read("", |reader| reader.whole(|_| None::<()>));
        assert_eq!(faults, [": cannot be used, and no key of it says why"]);
        let (_, faults) = read("", |reader| reader.whole(|reader| reader.required("a", "a word", |_| true)));
        assert_eq!(faults, ["a: is missing; must be a word"]);
        let (_, faults) = read("", |reader| reader.whole(|_| Some(())));
        assert!(faults.is_empty(), "{faults:?}");
    }

    #[test]
    fn one_reference_names_a_secret() {
        let (secret, faults) = read(r#"key_env = "SET""#, |reader| reader.secret("key"));
        assert!(secret.is_some() && faults.is_empty());
        let (secret, faults) = read("key_env = \"SET\"\nkey_file = \"f\"", |reader| reader.secret("key"));
        assert!(secret.is_none());
        assert_eq!(faults, ["key_file: stands beside key_env; give one of them"]);
    }
}
