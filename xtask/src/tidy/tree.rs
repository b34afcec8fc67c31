//! Reads the tree: every file below the workspace but what builds and runs leave behind.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::File;

/// Folders that are not part of the tree (as `.gitignore` says).
const LEFT_OUT: [&str; 3] = [".git", "target", "paymux-data"];

/// The tree as the rules see it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Every text file.
    pub(super) files: Vec<File>,
    /// Paths of all files and folders.
    pub(super) paths: BTreeSet<String>,
}

/// Reads the tree below `root`.
///
/// # Errors
/// A folder or file cannot be read.
pub(super) fn read(root: &Path) -> Result<Tree> {
    let mut tree = Tree::default();
    read_folder(root, "", &mut tree)?;
    tree.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(tree)
}

fn read_folder(folder: &Path, prefix: &str, tree: &mut Tree) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            read_folder(&entry.path(), &format!("{path}/"), tree)?;
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).with_context(|| format!("reading {path}"))?;
            if let Ok(text) = String::from_utf8(bytes) {
                tree.files.push(File { path: path.clone(), text });
            }
        }
        tree.paths.insert(path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_and_builds_and_binaries_left_out() {
        let dir = tempfile::tempdir().expect("a folder");
        for folder in ["target", "docs", ".ci"] {
            fs::create_dir(dir.path().join(folder)).expect("made");
        }
        for (path, bytes) in [
            ("target/x.rs", b"x".as_slice()),
            ("docs/a.md", b"text"),
            (".ci/run", b"text"),
            ("docs/b.bin", &[0xff]),
        ] {
            fs::write(dir.path().join(path), bytes).expect("written");
        }
        let tree = read(dir.path()).expect("readable");
        let files: Vec<&str> = tree.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(files, [".ci/run", "docs/a.md"]);
        let paths: Vec<&str> = tree.paths.iter().map(String::as_str).collect();
        assert_eq!(paths, [".ci", ".ci/run", "docs", "docs/a.md", "docs/b.bin"]);
    }
}
