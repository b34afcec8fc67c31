//! One account alone, for tools: its section in a file of its own, or one of the accounts of a configuration.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use paymux_domain::name::{AccountId, ProviderId};
use toml::{Table, Value};

use super::fault::{Fault, Faults};
use super::layers::{Document, Layers};
use super::secrets::Secrets;
use super::seen::Looking;
use super::source::Source;
use super::{Providers, sections};

/// The name of an account whose file holds its section alone.
const UNNAMED: &str = "account";
/// The table of a configuration that holds accounts.
const ACCOUNTS: &str = "accounts";

/// One account, ready for use.
#[derive(Debug)]
pub struct OneAccount {
    /// Its name.
    pub id: AccountId,
    /// Its provider.
    pub provider: ProviderId,
    /// The provider with this account alone.
    pub providers: Providers,
}

/// Reads the account of that provider from a file, secrets too: the section alone, or the one under `[accounts.NAME]`,
/// by its name where there are several. Relative paths are taken from the file's folder. Environment variables that
/// override configuration are not looked at, those that hold secrets are.
///
/// # Errors
/// Every fault at once.
pub fn read_account(
    file: &Path,
    provider: &str,
    name: Option<&str>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<OneAccount, Faults> {
    let source = Source::new(Some(file), environment, &[]);
    let looking = Looking::default();
    let document = Document::read(file, &looking)?;
    let whole = |problem: String| Faults::of_file(file, None, problem);
    let is_bare = !document.tree.contains_key(ACCOUNTS);
    let (name, mut table, lines) =
        if is_bare { bare(document, name) } else { chosen(document, provider, name) }.map_err(whole)?;
    if is_bare {
        table.entry("provider").or_insert_with(|| Value::String(provider.to_owned()));
    }
    let path = format!("{ACCOUNTS}.{name}");
    let shorter = |mut fault: Fault| {
        if is_bare && let Some(key) = fault.key.strip_prefix(&path) {
            fault.key = key.strip_prefix('.').unwrap_or("(file)").to_owned();
        }
        fault
    };
    let id: AccountId = name.parse().map_err(|error| whole(format!("{path}: {error}")))?;
    let mut layers = Layers::default();
    layers.begin_file(file, lines);
    let stated = table.get("provider").and_then(Value::as_str).unwrap_or(provider).to_owned();
    let secrets = Secrets { folder: source.folder(), environment: &source.environment, looking: &looking };
    let read = sections::read_account(&layers, &secrets, &source, &id, table);
    let mut faults = read.as_ref().err().map(|faults| faults.0.clone()).unwrap_or_default();
    if stated != provider {
        let key = format!("{path}.provider");
        let problem = format!("is {stated}, but {provider} was asked for");
        faults.push(Fault { origin: layers.origin(&key), key, problem, allowed: String::new() });
    }
    match (read, provider.parse()) {
        (Ok(providers), Ok(provider)) if faults.is_empty() => Ok(OneAccount { id, provider, providers }),
        _ => Err(Faults(faults.into_iter().map(shorter).collect())),
    }
}

/// An account's name, its section, and the line of each key.
type Section = (String, Table, BTreeMap<String, usize>);

/// The whole file is the section.
fn bare(document: Document, name: Option<&str>) -> Result<Section, String> {
    if name.is_some() {
        return Err("holds one account without a name; leave --name out".to_owned());
    }
    let path = format!("{ACCOUNTS}.{UNNAMED}");
    let inside = document.lines.into_iter().map(|(key, line)| (format!("{path}.{key}"), line));
    let lines = inside.chain([(path.clone(), 1)]).collect();
    Ok((UNNAMED.to_owned(), document.tree, lines))
}

/// One of several sections.
fn chosen(document: Document, provider: &str, name: Option<&str>) -> Result<Section, String> {
    let Document { mut tree, lines, .. } = document;
    let Some(Value::Table(mut accounts)) = tree.remove(ACCOUNTS) else {
        return Err(format!("{ACCOUNTS} is no table"));
    };
    let is_there = |value: &Value| value.get("provider").and_then(Value::as_str) == Some(provider);
    let names: Vec<String> =
        accounts.iter().filter(|(_, value)| is_there(value)).map(|(name, _)| name.clone()).collect();
    let name = match (name, names.as_slice()) {
        (Some(name), _) => name.to_owned(),
        (None, [only]) => only.clone(),
        (None, []) => return Err(format!("holds no account at {provider}")),
        (None, several) => {
            return Err(format!("holds several accounts at {provider}; give --name {}", several.join(" | ")));
        }
    };
    match accounts.remove(&name) {
        Some(Value::Table(table)) => Ok((name, table, lines)),
        _ => Err(format!("holds no [{ACCOUNTS}.{name}]; accounts at {provider}: {}", names.join(", "))),
    }
}
