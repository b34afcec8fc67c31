//! Where a configuration is read from: at the start, and again at each reload.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use paymux_providers::signing::KeyCache;

use super::held::Held;
use super::layers::Layers;
use super::secrets::Secrets;
use super::seen::{Looking, Seen};
use super::{Config, Faults, sections};

/// File, environment and flags of a process.
pub struct Source {
    pub(super) file: Option<PathBuf>,
    pub(super) environment: BTreeMap<OsString, OsString>,
    /// Keys with their values, as on the command line.
    pub(super) flags: Vec<(String, String)>,
    /// Private keys that were read before.
    pub(super) keys: KeyCache,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({:?})", self.file)
    }
}

/// What one reading led to.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration, or every fault at once.
    pub result: Result<Config, Faults>,
    /// What was looked at, whatever came of it.
    pub seen: Seen,
}

impl Source {
    /// Remembers where to read from; nothing is read yet.
    pub fn new(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        flags: &[(String, String)],
    ) -> Arc<Self> {
        Arc::new(Self {
            file: file.map(Path::to_owned),
            environment: environment.into_iter().collect(),
            flags: flags.to_vec(),
            keys: KeyCache::default(),
        })
    }

    /// Reads everything, secrets too. With `held` a change of what must not change while the process runs is a
    /// fault. Blocks on the disk and computes: not for an async worker.
    #[must_use]
    pub fn load(self: &Arc<Self>, held: Option<&Held>) -> Loaded {
        let looking = Looking::default();
        let secrets = Secrets { folder: self.folder(), environment: &self.environment, looking: &looking };
        let result =
            Layers::load(self, &looking).and_then(|layers| sections::read(layers, &secrets, self, held));
        self.keys.sweep();
        let seen = looking.seen();
        Loaded { result: result.map(|config| Config { seen: seen.clone(), ..config }), seen }
    }

    /// The folder of the file; relative paths in it are taken from here.
    pub(super) fn folder(&self) -> PathBuf {
        self.file.as_deref().and_then(Path::parent).map(Path::to_owned).unwrap_or_default()
    }
}
