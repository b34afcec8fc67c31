//! The file of the audit log: appended, synced, and set aside when it is full.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::AuditConfig;

/// Who may read the file: its owner.
const MODE: u32 = 0o600;

/// The file, as far as it could be opened.
#[derive(Debug)]
pub(super) struct AuditFile {
    config: AuditConfig,
    /// `None` before the first line and after a failure, which leaves open what is on the disk.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
    /// The last line is not whole: the next one must not continue it.
    is_torn: bool,
}

impl AuditFile {
    pub(super) const fn new(config: AuditConfig) -> Self {
        Self { config, open: None }
    }

    /// Opens the file for this process alone; one that is open stays so.
    pub(super) fn open(&mut self) -> io::Result<()> {
        if self.open.is_none() {
            self.open = Some(open(&self.config.file)?);
        }
        Ok(())
    }

    /// Appends whole lines; with `Ok` they are on the disk.
    pub(super) fn append(&mut self, lines: &str) -> io::Result<()> {
        let appended = self.try_append(lines);
        if appended.is_err() {
            self.open = None;
        }
        appended
    }

    fn try_append(&mut self, lines: &str) -> io::Result<()> {
        self.open()?;
        let bytes = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let is_full =
            |open: &Open| open.bytes > 0 && open.bytes.saturating_add(bytes) > self.config.bytes_max;
        if self.open.as_ref().is_some_and(is_full) {
            self.set_aside()?;
            self.open()?;
        }
        let Some(open) = &mut self.open else { return Err(io::Error::other("is not open")) };
        if open.is_torn {
            open.file.write_all(b"\n")?;
            open.is_torn = false;
        }
        open.file.write_all(lines.as_bytes())?;
        open.bytes = open.bytes.saturating_add(bytes);
        open.file.sync_data()
    }

    /// Moves each file one number up, from the oldest on, so that a crash between two steps loses none but those
    /// beyond the kept count.
    fn set_aside(&mut self) -> io::Result<()> {
        let kept = self.config.files_max;
        for number in (1..kept).rev() {
            rename(&self.numbered(number), &self.numbered(number + 1))?;
        }
        if kept == 0 {
            fs::remove_file(&self.config.file)?;
        } else {
            rename(&self.config.file, &self.numbered(1))?;
        }
        self.open = None;
        Ok(())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = OsString::from(&self.config.file);
        name.push(format!(".{number}"));
        name.into()
    }
}

fn open(path: &Path) -> io::Result<Open> {
    let is_new = !path.exists();
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(path)?;
    file.try_lock().map_err(|error| match error {
        fs::TryLockError::WouldBlock => io::Error::other("it is in use by another process"),
        fs::TryLockError::Error(error) => error,
    })?;
    if is_new && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        File::open(folder)?.sync_all()?;
    }
    let bytes = file.metadata()?.len();
    let mut last = [b'\n'];
    if bytes > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    Ok(Open { file, bytes, is_torn: last != *b"\n" })
}

/// Renames a file that may be missing.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}
