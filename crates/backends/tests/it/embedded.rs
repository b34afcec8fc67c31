//! The suites over the embedded backends; a restart is a real reopening of the folder.

use std::path::PathBuf;
use std::sync::Arc;

use paymux_backends::ReplyRouter;
use paymux_backends::embedded::{EmbeddedBackend, EmbeddedConfig};
use tempfile::TempDir;

use crate::suite::{LogWorld, StepsWorld, StoreWorld};

fn open(folder: &TempDir) -> EmbeddedBackend {
    let folder: PathBuf = folder.path().join("data");
    EmbeddedBackend::open(EmbeddedConfig::new(folder), ReplyRouter::default()).expect("the folder opens")
}

fn folder() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().expect("a folder for the test"))
}

pub(crate) fn store() -> StoreWorld {
    store_in(folder())
}

fn store_in(folder: Arc<TempDir>) -> StoreWorld {
    StoreWorld { store: open(&folder).store(), restart: Box::new(|| Box::pin(async { store_in(folder) })) }
}

pub(crate) fn log() -> LogWorld {
    log_in(folder())
}

fn log_in(folder: Arc<TempDir>) -> LogWorld {
    let backend = Arc::new(open(&folder));
    LogWorld {
        log: backend.log(),
        consumer: backend.consumer(),
        replies: backend.replies().clone(),
        dead: Arc::new({
            let backend = Arc::clone(&backend);
            move || backend.dead_records(usize::MAX).expect("readable rows")
        }),
        move_on: Box::new(|| log_in(folder)),
    }
}

pub(crate) fn steps() -> StepsWorld {
    steps_in(folder())
}

fn steps_in(folder: Arc<TempDir>) -> StepsWorld {
    let backend = open(&folder);
    StepsWorld {
        log: backend.log(),
        store: backend.store(),
        steps: backend.store(),
        restart: Box::new(|| steps_in(folder)),
    }
}

order_store_suite!(embedded_store, super::store());
command_log_suite!(embedded_log, super::log());
steps_suite!(embedded_steps, super::steps());
