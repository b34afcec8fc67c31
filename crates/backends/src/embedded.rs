//! Log and store in one folder of one machine, on fjall: group commit with fsync before any acknowledgement.
//!
//! All writes (records, events, positions, facts, due rows, bookkeeping, the refund ledger) go through one committer
//! thread. It takes what waits, writes it as one batch, syncs the journal, and only then acknowledges; so the order
//! of offsets is the order of durability, and a read-modify-write needs no lock. When a commit fails nothing is
//! acknowledged any more: what the kernel keeps of a failed fsync is unknown, and a repeated fsync may lie.
//!
//! What the fsync costs is shared by everything that waits for it, so throughput grows with concurrency.

mod committer;
mod consumer;
mod keys;
mod log;
mod open;
mod prune;
mod reads;
mod retention;
mod signals;
mod slices;
mod staged;
mod step;
mod store;
mod tables;
mod write;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use paymux_domain::ports::{DeadRecord, StoreError};

pub use consumer::EmbeddedConsumer;
pub use log::EmbeddedLog;
pub use open::OpenError;
pub use prune::{EmbeddedPruner, Pruned};
pub use store::EmbeddedStore;

use crate::replies::ReplyRouter;
use open::Shared;

/// Where the data lies and how much of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedConfig {
    /// The data folder; created if it is missing. One process at a time.
    pub folder: PathBuf,
    /// Partitions of the log, at least 1; fixed when the folder is first used.
    pub partitions: u16,
    /// Events that each partition keeps for consumers that fell behind.
    pub events_kept: u64,
    /// Memory for cached blocks, in bytes.
    pub cache_bytes: u64,
}

impl EmbeddedConfig {
    /// The usual settings for a folder: 8 partitions, a million events each, 64 MiB of cache.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), partitions: 8, events_kept: 1_000_000, cache_bytes: 64 << 20 }
    }
}

/// The embedded log and store of one data folder.
///
/// Clones share it. The folder is free for another process when the backend and everything that it handed out are
/// dropped; dropping waits for the commit that is under way.
#[derive(Clone)]
pub struct EmbeddedBackend {
    shared: Arc<Shared>,
    log: Arc<EmbeddedLog>,
    store: Arc<EmbeddedStore>,
    consumer: Arc<EmbeddedConsumer>,
}

impl fmt::Debug for EmbeddedBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedBackend").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

impl EmbeddedBackend {
    /// Opens a data folder, or makes it. Each opening is a new generation: commits of the former one are fenced.
    ///
    /// # Errors
    /// Another process has it; it was made with another partition count or by a newer version; the disk fails.
    pub fn open(config: EmbeddedConfig, replies: ReplyRouter) -> Result<Self, OpenError> {
        let shared = Arc::new(Shared::open(config, replies)?);
        Ok(Self {
            log: Arc::new(EmbeddedLog::new(Arc::clone(&shared))),
            store: Arc::new(EmbeddedStore::new(Arc::clone(&shared))),
            consumer: Arc::new(EmbeddedConsumer::new(Arc::clone(&shared))),
            shared,
        })
    }

    /// The writing side of the log.
    #[must_use]
    pub fn log(&self) -> Arc<EmbeddedLog> {
        Arc::clone(&self.log)
    }

    /// The order store.
    #[must_use]
    pub fn store(&self) -> Arc<EmbeddedStore> {
        Arc::clone(&self.store)
    }

    /// The reading side of the log: the one member of its group, owner of every partition.
    #[must_use]
    pub fn consumer(&self) -> Arc<EmbeddedConsumer> {
        Arc::clone(&self.consumer)
    }

    /// Removes what is past its retention. One at a time is enough.
    #[must_use]
    pub fn pruner(&self) -> EmbeddedPruner {
        EmbeddedPruner::new(Arc::clone(&self.shared))
    }

    /// The replies of this process.
    #[must_use]
    pub fn replies(&self) -> &ReplyRouter {
        &self.shared.replies
    }

    /// The number of this opening of the folder, from 1: the generation of the consumer.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.shared.generation
    }

    /// Completes with the reason when a commit has failed: nothing is acknowledged any more and the process must end.
    pub async fn failed(&self) -> String {
        self.shared.signals.failed().await
    }

    /// Dead records in order of partition and offset, at most `limit`.
    ///
    /// # Errors
    /// The disk fails, or a newer version wrote them.
    pub fn dead_records(&self, limit: usize) -> Result<Vec<DeadRecord>, StoreError> {
        self.shared.tables.view().dead_records(limit)
    }
}

#[cfg(test)]
mod tests;
