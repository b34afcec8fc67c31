//! What opening a data folder refuses, each with a text that says what to do.

use paymux_backends::ReplyRouter;
use paymux_backends::embedded::{EmbeddedBackend, EmbeddedConfig, OpenError};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

fn open(config: EmbeddedConfig) -> Result<EmbeddedBackend, OpenError> {
    EmbeddedBackend::open(config, ReplyRouter::default())
}

#[test]
fn a_folder_in_use_is_refused_by_name() {
    let folder = folder();
    let config = EmbeddedConfig::new(folder.path().join("data"));
    let first = open(config.clone()).expect("the folder is free");
    let refused = open(config.clone()).expect_err("the folder is in use");
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused:?}");
    let text = refused.to_string();
    assert!(
        text.contains(config.folder.to_str().expect("a plain path")) && text.contains("in use"),
        "{text}"
    );
    drop(first);
    assert_eq!(open(config).expect("the folder is free again").generation(), 2);
}

#[test]
fn the_folder_is_in_use_until_the_last_part_of_the_backend_is_gone() {
    let folder = folder();
    let config = EmbeddedConfig::new(folder.path());
    let store = open(config.clone()).expect("the folder is free").store();
    assert!(matches!(open(config.clone()), Err(OpenError::InUse { .. })));
    drop(store);
    open(config).expect("the folder is free again");
}

#[test]
fn the_partition_count_is_fixed() {
    let folder = folder();
    let config = EmbeddedConfig::new(folder.path());
    drop(open(config.clone()).expect("a new folder"));
    let other = EmbeddedConfig { partitions: 16, ..config.clone() };
    let refused = open(other).expect_err("another partition count");
    assert!(matches!(refused, OpenError::Partitions { recorded: 8, configured: 16, .. }), "{refused:?}");
    assert!(refused.to_string().contains("was made with 8 partitions and is opened with 16"), "{refused}");
    open(config).expect("the right number still opens");
}

#[test]
fn how_a_shard_group_is_divided_is_remembered() {
    let folder = folder();
    let config = EmbeddedConfig::new(folder.path());
    let [big, other] = ["big", "other"].map(|name| name.parse().expect("a valid group"));
    let backend = open(config.clone()).expect("a new folder");
    assert!(backend.slices().expect("read").is_empty(), "nothing was ever divided");
    for (group, slices) in [(&big, 4), (&other, 2), (&big, 1)] {
        backend.record_slices(group, slices).expect("recorded");
    }
    drop(backend);
    let slices = open(config).expect("the folder is free again").slices().expect("read");
    assert_eq!(slices, [(big, 1), (other, 2)].into());
}

#[test]
fn a_log_without_partitions_is_refused() {
    let config = EmbeddedConfig { partitions: 0, ..EmbeddedConfig::new(folder().path()) };
    assert!(matches!(open(config), Err(OpenError::NoPartitions)));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = folder();
    let file = folder.path().join("file");
    std::fs::write(&file, "no folder").expect("a file");
    let refused = open(EmbeddedConfig::new(file.join("data"))).expect_err("a file is no folder");
    assert!(matches!(refused, OpenError::Folder { .. }), "{refused:?}");
    assert!(refused.to_string().contains("file/data"), "{refused}");
}
