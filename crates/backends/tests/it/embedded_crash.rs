//! What a crash leaves: images of a data folder taken at any moment under load hold all that was acknowledged.

use std::fs;
use std::io::{Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use paymux_backends::ReplyRouter;
use paymux_backends::embedded::{EmbeddedBackend, EmbeddedConfig};
use paymux_domain::command::Record;
use paymux_domain::name::OrderKey;
use paymux_domain::ports::{CommandLog, LogConsumer, LogInput, OrderStore};
use paymux_domain::shard::Partition;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::suite::ends;
use crate::suite::values::{at, created, key, record};

const PARTITION: Partition = Partition(3);
const WRITERS: usize = 16;

fn open(folder: &Path) -> EmbeddedBackend {
    EmbeddedBackend::open(EmbeddedConfig::new(folder), ReplyRouter::default()).expect("the folder opens")
}

/// Copies a folder as it lies there, while it is written to.
pub(crate) fn image(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder for the image");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a file type").is_dir() {
            image(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}

/// All records of the partition, read by a new owner.
async fn records(backend: &EmbeddedBackend, count: usize) -> Vec<Record> {
    let consumer = backend.consumer();
    let mut records = Vec::new();
    while records.len() < count {
        if let LogInput::Records { records: some, .. } = ends(consumer.next(1000)).await.expect("readable") {
            records.extend(some.into_iter().map(|delivered| delivered.record.expect("a record")));
        }
    }
    records
}

/// How many records the log of the partition holds; nothing of it is committed.
async fn length(backend: &EmbeddedBackend) -> usize {
    usize::try_from(ends(backend.log().lag(PARTITION)).await.expect("a number")).expect("few")
}

/// Writers that store a fact and append a record in turn, and how often each was acknowledged both.
struct Load {
    stop: Arc<AtomicBool>,
    counts: Arc<[AtomicU64; WRITERS]>,
    writers: Vec<JoinHandle<()>>,
}

fn order(writer: usize, number: u64) -> OrderKey {
    key("m", &format!("w{writer}-{number}"))
}

fn load(backend: &EmbeddedBackend) -> Load {
    let (stop, counts) = (Arc::new(AtomicBool::new(false)), Arc::new([const { AtomicU64::new(0) }; WRITERS]));
    let write = |writer: usize| {
        let (log, store) = (backend.log(), backend.store());
        let (stop, counts) = (Arc::clone(&stop), Arc::clone(&counts));
        tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let order = order(writer, counts[writer].load(Ordering::SeqCst));
                let fact = created(&order, "wechatpay", at(0));
                store.add_facts(&order, &[fact]).await.expect("the store takes it");
                log.append(PARTITION, record(writer)).await.expect("the log takes it");
                counts[writer].fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    let writers = (0..WRITERS).map(write).collect();
    Load { stop, counts, writers }
}

impl Load {
    fn acknowledged(&self) -> Vec<u64> {
        self.counts.iter().map(|count| count.load(Ordering::SeqCst)).collect()
    }

    async fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        for writer in self.writers {
            ends(writer).await.expect("a writer ends");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_under_load_holds_all_that_was_acknowledged_before_it() {
    let folder = TempDir::new().expect("a folder for the test");
    let (live, copy) = (folder.path().join("live"), folder.path().join("copy"));
    let backend = open(&live);
    let load = load(&backend);
    while load.acknowledged().into_iter().any(|count| count < 5) {
        tokio::task::yield_now().await;
    }
    let acknowledged = load.acknowledged();
    let taken = tokio::task::spawn_blocking({
        let copy = copy.clone();
        move || image(&live, &copy)
    });
    ends(taken).await.expect("the image is taken");
    load.end().await;

    let restored = open(&copy);
    for (writer, count) in acknowledged.iter().enumerate() {
        for number in 0..*count {
            let snapshot = ends(restored.store().read(&order(writer, number))).await.expect("readable");
            assert_eq!(snapshot.facts.len(), 1, "fact {number} of writer {writer} is lost");
        }
    }
    let there = records(&restored, length(&restored).await).await;
    for (writer, count) in acknowledged.iter().enumerate() {
        let found = there.iter().filter(|found| **found == record(writer)).count() as u64;
        assert!(found >= *count, "{found} of {count} records of writer {writer} are in the image");
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_drop_without_shutdown() {
    let folder = TempDir::new().expect("a folder for the test");
    let backend = open(folder.path());
    for number in 0..50 {
        let order = key("m", &format!("o{number}"));
        ends(backend.log().append(PARTITION, record(number))).await.expect("the log takes it");
        ends(backend.store().add_facts(&order, &[created(&order, "wechatpay", at(0))]))
            .await
            .expect("stored");
    }
    drop(backend);
    let backend = open(folder.path());
    assert_eq!(records(&backend, 50).await, (0..50).map(record).collect::<Vec<_>>());
    for number in 0..50 {
        let order = key("m", &format!("o{number}"));
        assert_eq!(ends(backend.store().read(&order)).await.expect("readable").facts.len(), 1);
    }
}

/// The journal file of the database: the newest one.
fn journal(folder: &Path) -> PathBuf {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "jnl") {
                found.push(path);
            }
        }
    }
    found.sort();
    found.pop().expect("a journal")
}

/// Overwrites the last bytes that were written to a file with zeros, as a power cut in mid-write leaves them.
fn tear(path: &Path, count: usize) {
    let bytes = fs::read(path).expect("the journal");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("something was written") + 1;
    let start = end.saturating_sub(count);
    let mut file = fs::File::options().write(true).open(path).expect("the journal");
    file.seek(SeekFrom::Start(start as u64)).expect("a position");
    file.write_all(&vec![0; end - start]).expect("zeros");
}

#[tokio::test]
async fn a_torn_tail_costs_the_last_batch_and_nothing_before_it() {
    for torn in [1, 7, 40] {
        let folder = TempDir::new().expect("a folder for the test");
        let backend = open(folder.path());
        for number in 0..10 {
            ends(backend.log().append(PARTITION, record(number))).await.expect("the log takes it");
        }
        drop(backend);
        tear(&journal(folder.path()), torn);

        let backend = open(folder.path());
        let there = length(&backend).await;
        assert_eq!(there, 9, "{torn} torn bytes");
        assert_eq!(records(&backend, 9).await, (0..9).map(record).collect::<Vec<_>>());
        let offset = ends(backend.log().append(PARTITION, record(99))).await.expect("the log goes on");
        assert_eq!(offset, 9);
    }
}
