//! What reading a configuration looked at, file by file: whether it must be read again.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What tells one version of a file or folder from another; links are followed, so that a folder which is exchanged
/// behind a link counts as changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified_ns: (i64, i64),
    changed_ns: (i64, i64),
}

impl Stamp {
    /// `None` when there is nothing under the path, or nothing that can be looked at.
    fn of(path: &Path) -> Option<Self> {
        let found = std::fs::metadata(path).ok()?;
        Some(Self {
            device: found.dev(),
            inode: found.ino(),
            bytes: found.len(),
            modified_ns: (found.mtime(), found.mtime_nsec()),
            changed_ns: (found.ctime(), found.ctime_nsec()),
        })
    }
}

/// What a reading in progress looks at.
#[derive(Debug, Default)]
pub(super) struct Looking(RefCell<BTreeMap<PathBuf, Option<Stamp>>>);

impl Looking {
    /// Notes a file or folder that is about to be read; also one that is not there. The first look counts, so that a
    /// change between two reads is found.
    pub(super) fn note(&self, path: &Path) {
        self.0.borrow_mut().entry(path.to_owned()).or_insert_with(|| Stamp::of(path));
    }

    /// What was looked at.
    pub(super) fn seen(self) -> Seen {
        Seen(self.0.into_inner())
    }
}

/// Files and folders with their version before they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(BTreeMap<PathBuf, Option<Stamp>>);

impl Seen {
    /// The same files and folders as they are now. Asks the disk about each.
    #[must_use]
    pub fn now(&self) -> Self {
        Self(self.0.keys().map(|path| (path.clone(), Stamp::of(path))).collect())
    }
}
