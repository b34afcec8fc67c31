//! The bare writing side of the embedded log: the same records, group-committed, without a server before it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use paymux_backends::ReplyRouter;
use paymux_backends::embedded::{EmbeddedBackend, EmbeddedConfig, EmbeddedLog};
use paymux_domain::ports::{CommandLog as _, LogConsumer as _, LogInput};
use paymux_domain::shard::Partition;
use paymux_proto::records::encode_record;

use crate::timed;

/// Longest wait for a record.
const PATIENCE: Duration = Duration::from_secs(30);

fn opened(data: &Path) -> Result<EmbeddedBackend> {
    Ok(EmbeddedBackend::open(EmbeddedConfig::new(data), ReplyRouter::default())?)
}

/// The first record of a data folder that nobody has open, as it lies in the log.
pub(crate) async fn first_record(data: &Path) -> Result<Vec<u8>> {
    let consumer = opened(data)?.consumer();
    loop {
        let input = tokio::time::timeout(PATIENCE, consumer.next(1)).await.context("no record comes")??;
        if let LogInput::Records { records, .. } = input {
            let first = records.into_iter().next().context("no record")?;
            return Ok(encode_record(&first.record.map_err(|fault| anyhow!("{fault:?}"))?));
        }
    }
}

/// A log of its own.
#[derive(Debug)]
pub struct Appends {
    log: Arc<EmbeddedLog>,
    _folder: tempfile::TempDir,
}

impl Appends {
    /// Over a new data folder.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let log = opened(folder.path())?.log();
        Ok(Self { log, _folder: folder })
    }

    /// Appends a record so many times, at most `at_once` of them without an answer, and tells how long that took.
    ///
    /// # Errors
    /// One was refused.
    pub async fn timed(&self, record: &[u8], count: u64, at_once: usize) -> Result<Duration> {
        timed(async {
            let appends = stream::iter(0..count).map(|_| self.log.append_raw(Partition(0), record.to_vec()));
            appends.buffer_unordered(at_once).try_for_each(|_| std::future::ready(Ok(()))).await?;
            Ok(())
        })
        .await
    }
}
