//! The folder of merchant files: every `*.toml` in it and one level below, read into the same tree as the main file.
//!
//! Names that begin with a dot are left out and links are followed, so that a folder which Kubernetes mounts
//! (`..data` behind the links) is read as it is meant.

use std::path::{Path, PathBuf};

use toml::Value;

use super::fault::{Fault, Origin};
use super::layers::{Document, ENV_PREFIX, Layers};
use super::seen::Looking;
use super::source::Source;

/// The key that names the folder.
const KEY: &str = "merchants_dir";
/// The sections that its files may hold.
const SECTIONS: [&str; 2] = ["accounts", "merchants"];
/// Files at most.
const FILES_MAX: usize = 100_000;
/// Bytes of all files together.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Reads all files of the folder into the layers, if one is named; faults are noted there.
pub(super) fn merge(layers: &mut Layers, source: &Source, looking: &Looking) {
    let Some((named, origin)) = named(layers, source) else { return };
    let base = source.folder();
    let files = match list(&base, &named, looking) {
        Ok(files) => files,
        Err(problem) => {
            let allowed = "a folder that can be read".to_owned();
            layers.faults.push(Fault { origin, key: KEY.to_owned(), problem, allowed });
            return;
        }
    };
    let mut bytes = 0;
    for relative in files {
        let path = base.join(&relative);
        let document = match Document::read(&path, looking) {
            Ok(document) => document,
            Err(faults) => {
                layers.faults.extend(faults.0);
                continue;
            }
        };
        bytes += document.bytes;
        if bytes > BYTES_MAX {
            let problem = format!("the files of {KEY} hold more than {BYTES_MAX} bytes together");
            layers.faults.push(Fault::of_file(&path, None, problem));
            return;
        }
        add(layers, document, relative.parent().unwrap_or(Path::new("")));
    }
}

/// The folder that flags, environment or the main file name, in this order, and where; what is no text is the
/// reader's fault.
fn named(layers: &Layers, source: &Source) -> Option<(PathBuf, Origin)> {
    let flag = source.flags.iter().rev().find(|(key, _)| key == KEY);
    let flag = flag.map(|(_, value)| (value.as_str(), Origin::Flag));
    let variable = source.environment.iter().find_map(|(name, value)| {
        let name = name.to_str()?;
        let is_key = name.strip_prefix(ENV_PREFIX)?.eq_ignore_ascii_case(KEY);
        is_key.then_some((value.to_str()?, Origin::Environment(name.to_owned())))
    });
    let in_file = layers.tree.get(KEY).and_then(Value::as_str).map(|value| (value, layers.origin(KEY)));
    let (folder, origin) = flag.or(variable).or(in_file)?;
    (!folder.is_empty()).then(|| (PathBuf::from(folder), origin))
}

/// The files, in the order of their names, relative to the base.
fn list(base: &Path, named: &Path, looking: &Looking) -> Result<Vec<PathBuf>, String> {
    let (mut files, folders) = entries(base, named, looking)?;
    for folder in folders {
        // What lies deeper belongs to somebody else: keys, say.
        let (inner, _) = entries(base, &folder, looking)?;
        files.extend(inner);
    }
    if files.len() > FILES_MAX {
        return Err(format!("{} files, at most {FILES_MAX} are allowed", files.len()));
    }
    files.sort();
    Ok(files)
}

/// The TOML files and the folders of one folder.
fn entries(base: &Path, folder: &Path, looking: &Looking) -> Result<(Vec<PathBuf>, Vec<PathBuf>), String> {
    let path = base.join(folder);
    looking.note(&path);
    let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(&path).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let relative = folder.join(&name);
        if base.join(&relative).is_dir() {
            folders.push(relative);
        } else if relative.extension().is_some_and(|extension| extension == "toml") {
            files.push(relative);
        }
    }
    Ok((files, folders))
}

/// Adds the sections of one file; what stands elsewhere already, or belongs into the main file, is a fault.
fn add(layers: &mut Layers, document: Document, folder: &Path) {
    let Document { path, tree, lines, .. } = document;
    let fault = |key: &str, problem: String, allowed: &str| {
        let (line, allowed) = (lines.get(key).copied(), allowed.to_owned());
        Fault { key: key.to_owned(), allowed, ..Fault::of_file(&path, line, problem) }
    };
    let mut faults = Vec::new();
    for (section, value) in tree {
        let Value::Table(names) = value else {
            faults.push(fault(&section, format!("is {}", value.type_str()), "a table"));
            continue;
        };
        if !SECTIONS.contains(&section.as_str()) {
            let allowed = "[accounts.NAME] and [merchants.ID]; the rest stands in the main file";
            faults.push(fault(&section, format!("does not belong into a file of {KEY}"), allowed));
            continue;
        }
        for (name, mut value) in names {
            let key = format!("{section}.{name}");
            if layers.get(&section, &name).is_some() {
                faults.push(fault(
                    &key,
                    format!("stands already in {}", layers.origin(&key)),
                    "each name once",
                ));
                continue;
            }
            if section == "accounts" {
                relocate(&mut value, folder);
            }
            layers.insert(&section, name, value);
        }
    }
    layers.faults.extend(faults);
    layers.begin_file(&path, lines);
}

/// Makes paths of secrets relative to the main file's folder, as everything after this takes them.
fn relocate(value: &mut Value, folder: &Path) {
    match value {
        Value::Table(table) => {
            for (name, value) in table.iter_mut() {
                match value {
                    Value::String(path) if name.ends_with("_file") => {
                        // Both parts are text, so the whole is.
                        *path = folder.join(&*path).to_string_lossy().into_owned();
                    }
                    other => relocate(other, folder),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| relocate(item, folder)),
        _ => {}
    }
}
