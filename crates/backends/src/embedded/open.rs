//! Opening a data folder: lock, layout version, partition count, generation, positions.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fjall::PersistMode;
use paymux_domain::shard::Partition;

use super::EmbeddedConfig;
use super::committer::Writer;
use super::keys::{MetaKey, PositionKey};
use super::reads::View;
use super::retention::Retention;
use super::signals::{Positions, Signals};
use super::tables::{ReadFault, Table, Tables};
use crate::replies::ReplyRouter;

/// Version of the layout that [`keys`](super::keys) describes.
const LAYOUT_VERSION: u64 = 1;
/// The file in the data folder that is locked while the folder is in use.
const LOCK_FILE: &str = "paymux.lock";
/// The folder of the database inside the data folder.
const DATABASE_FOLDER: &str = "database";

/// Rows that are read without leaving the async worker.
const INLINE_ROWS_MAX: u64 = 64;

/// Why a data folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or its lock file cannot be made or opened.
    #[error("data folder {}: {source}", folder.display())]
    Folder {
        /// The data folder.
        folder: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// Another process has it.
    #[error("data folder {} is in use by another process", folder.display())]
    InUse {
        /// The data folder.
        folder: PathBuf,
    },
    /// The configuration asks for no partitions.
    #[error("the log needs at least 1 partition")]
    NoPartitions,
    /// The partition count is fixed when the folder is first used.
    #[error(
        "data folder {} was made with {recorded} partitions and is opened with {configured}: \
         the number is fixed for the folder's life",
        folder.display()
    )]
    Partitions {
        /// The data folder.
        folder: PathBuf,
        /// How many it was made with.
        recorded: u64,
        /// How many the configuration says.
        configured: u16,
    },
    /// A newer version made it.
    #[error("data folder {} has layout {recorded}, this program knows {LAYOUT_VERSION}", folder.display())]
    NewerLayout {
        /// The data folder.
        folder: PathBuf,
        /// Its layout version.
        recorded: u64,
    },
    /// The database in it cannot be opened or read.
    #[error("data folder {}: {reason}", folder.display())]
    Database {
        /// The data folder.
        folder: PathBuf,
        /// What the database says.
        reason: String,
    },
}

/// An open data folder. Fields are dropped in their order: writer, then database, then lock.
pub(super) struct Shared {
    pub(super) writer: Writer,
    pub(super) tables: Tables,
    pub(super) signals: Arc<Signals>,
    pub(super) config: EmbeddedConfig,
    pub(super) replies: ReplyRouter,
    pub(super) generation: u64,
    _lock: File,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn open(config: EmbeddedConfig, replies: ReplyRouter) -> Result<Self, OpenError> {
        if config.partitions == 0 {
            return Err(OpenError::NoPartitions);
        }
        let folder = &config.folder;
        let broken = |reason: String| OpenError::Database { folder: folder.clone(), reason };
        let lock = lock(folder)?;
        let tables = Tables::open(&folder.join(DATABASE_FOLDER), config.cache_bytes)
            .map_err(|error| broken(error.to_string()))?;
        check_layout(&tables, &config)?;
        let generation = next_generation(&tables, config.partitions).map_err(|e| broken(e.to_string()))?;
        let positions: Result<Vec<Positions>, ReadFault> =
            (0..config.partitions).map(|number| positions(&tables.view(), Partition(number))).collect();
        let positions = positions.map_err(|error| broken(error.to_string()))?;
        let signals = Arc::new(Signals::new(&positions));
        let retention = Retention::new(config.partitions, config.events_kept);
        let writer = Writer::start(tables.clone(), positions, retention, generation, Arc::clone(&signals))
            .map_err(|source| OpenError::Folder { folder: folder.clone(), source })?;
        Ok(Self { writer, tables, signals, config, replies, generation, _lock: lock })
    }
}

impl Shared {
    /// Reads about `rows` rows.
    ///
    /// A few rows take microseconds: they come from memory or the page cache, and handing them to another thread
    /// would cost more than reading them here. More than [`INLINE_ROWS_MAX`] go to the blocking threads.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        rows: u64,
        read: impl FnOnce(&View<'_>) -> Result<T, ReadFault> + Send + 'static,
    ) -> Result<T, ReadFault> {
        if rows <= INLINE_ROWS_MAX {
            return read(&self.tables.view());
        }
        let shared = Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || read(&shared.tables.view()));
        task.await.unwrap_or_else(|error| Err(ReadFault::Io(error.to_string())))
    }
}

/// Makes the folder durable and takes its lock; the operating system frees it when the process ends, however.
fn lock(folder: &Path) -> Result<File, OpenError> {
    let fault = |source| OpenError::Folder { folder: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(fault)?;
    let file = File::options().create(true).truncate(false).write(true).open(folder.join(LOCK_FILE));
    let file = file.map_err(fault)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(source)) => return Err(fault(source)),
    }
    // The names themselves must survive a power cut: the folder's own entry and what is in it.
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    for durable in [Some(folder), parent].into_iter().flatten() {
        File::open(durable).and_then(|opened| opened.sync_all()).map_err(fault)?;
    }
    Ok(file)
}

fn check_layout(tables: &Tables, config: &EmbeddedConfig) -> Result<(), OpenError> {
    let folder = || config.folder.clone();
    let read = |key| {
        tables.view().meta(key).map_err(|e| OpenError::Database { folder: folder(), reason: e.to_string() })
    };
    if let Some(recorded) = read(MetaKey::FormatVersion)?.filter(|recorded| *recorded > LAYOUT_VERSION) {
        return Err(OpenError::NewerLayout { folder: folder(), recorded });
    }
    let configured = config.partitions;
    match read(MetaKey::Partitions)? {
        Some(recorded) if recorded != u64::from(configured) => {
            Err(OpenError::Partitions { folder: folder(), recorded, configured })
        }
        _ => Ok(()),
    }
}

/// Records this opening; what the layout check compares is written with the first one.
fn next_generation(tables: &Tables, partitions: u16) -> Result<u64, ReadFault> {
    let generation = tables.view().meta(MetaKey::Openings)?.unwrap_or(0) + 1;
    let mut batch = tables.database.batch().durability(Some(PersistMode::SyncAll));
    let numbers = [
        (MetaKey::FormatVersion, LAYOUT_VERSION),
        (MetaKey::Partitions, u64::from(partitions)),
        (MetaKey::Openings, generation),
    ];
    for (key, number) in numbers {
        batch.insert(tables.of(Table::Meta), key.bytes(), number.to_be_bytes().to_vec());
    }
    batch.commit()?;
    Ok(generation)
}

fn positions(view: &View<'_>, partition: Partition) -> Result<Positions, ReadFault> {
    let position = |key| Ok::<u64, ReadFault>(view.position(key)?.unwrap_or(0));
    let committed = position(PositionKey::Committed(partition))?;
    let events_first = position(PositionKey::EventsFirst(partition))?;
    Ok(Positions {
        log_first: position(PositionKey::LogFirst(partition))?,
        committed,
        // Everything may be removed, and offsets must not begin again.
        log: view.end(Table::Log, partition)?.unwrap_or(0).max(committed),
        events_first,
        events: view.end(Table::Events, partition)?.unwrap_or(0).max(events_first),
        floor: view.bucket(PositionKey::Floor(partition))?,
        swept_through: view.bucket(PositionKey::SweptThrough(partition))?,
    })
}
