//! `cargo xtask codegen`: Rust and the descriptor set from the protos, without a protoc binary.
//!
//! The output is committed, so that a clone builds without any of this; `--check` fails when it is out of date.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use prost::Message;

/// What the crate `proto` compiles: the API and the records.
const SOURCES: [&str; 3] = ["paymux/v1/orders.proto", "paymux/v1/operator.proto", "paymux/v1/records.proto"];
/// What reflection shows: the API alone.
const REFLECTED: [&str; 2] = ["paymux/v1/orders.proto", "paymux/v1/operator.proto"];
/// Where the output lies.
const OUT_DIR: &str = "crates/proto/src/generated";
/// Name of the descriptor set in [`OUT_DIR`].
const DESCRIPTOR: &str = "descriptor.bin";

/// Messages with personal data or key material: their `Debug` is written by hand in `crates/proto/src/mask.rs`.
const MASKED: [&str; 10] = [
    ".paymux.v1.CreateOrderRequest",
    ".paymux.v1.Payer",
    ".paymux.v1.XorpayOptions",
    ".paymux.v1.MaqianTerminalInfo",
    ".paymux.v1.WechatJsapi",
    ".paymux.v1.AlipayMiniProgram",
    ".paymux.v1.CreatedFact",
    ".paymux.v1.PayerRecord",
    ".paymux.v1.DeadRecord",
    ".paymux.v1.DeadEntry",
];

/// Writes the generated files, or with `check` only says whether they are up to date.
///
/// # Errors
/// Faulty protos; files that cannot be written; with `check`, the names of files that differ.
pub(crate) fn run(root: &Path, check: bool) -> Result<()> {
    let fresh = generate(root)?;
    let out_dir = root.join(OUT_DIR);
    if check {
        let stale = stale_files(&out_dir, &fresh)?;
        if stale.is_empty() {
            return Ok(());
        }
        bail!("out of date, run `cargo xtask codegen`: {}", stale.join(", "));
    }
    fs::create_dir_all(&out_dir)?;
    for (name, bytes) in &fresh {
        fs::write(out_dir.join(name), bytes).with_context(|| format!("writing {name}"))?;
    }
    Ok(())
}

/// Generates everything in memory, by file name.
fn generate(root: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let protos = root.join("proto");
    let scratch = tempfile::tempdir().context("making a scratch folder")?;
    let files = compile(&protos, &SOURCES)?;
    let mut builder = tonic_prost_build::configure()
        .out_dir(scratch.path())
        .emit_rerun_if_changed(false)
        .btree_map(".")
        .bytes(".")
        .extern_path(".google.rpc.Status", "::tonic_types::Status");
    for message in MASKED {
        builder = builder.skip_debug([message]);
    }
    builder.compile_fds(files).context("generating Rust")?;

    let mut fresh = Vec::new();
    for entry in fs::read_dir(scratch.path())? {
        let path = entry?.path();
        let name = file_name(&path);
        fresh.push((name, fs::read(&path)?));
    }
    fresh.push((DESCRIPTOR.to_owned(), reflected(&protos)?));
    fresh.sort();
    Ok(fresh)
}

fn compile(protos: &Path, sources: &[&str]) -> Result<prost_types::FileDescriptorSet> {
    let paths: Vec<PathBuf> = sources.iter().map(|source| protos.join(source)).collect();
    protox::compile(paths, [protos]).context("compiling the protos")
}

/// The descriptor set for reflection. Comments of our own files stay: grpcurl's `describe` shows them.
fn reflected(protos: &Path) -> Result<Vec<u8>> {
    let mut files = compile(protos, &REFLECTED)?;
    for file in &mut files.file {
        if file.name().starts_with("google/") {
            file.source_code_info = None;
        }
    }
    Ok(files.encode_to_vec())
}

/// Names of files in `out_dir` that are missing, differ from the fresh ones, or are no longer generated.
fn stale_files(out_dir: &Path, fresh: &[(String, Vec<u8>)]) -> Result<Vec<String>> {
    let mut stale: Vec<String> = fresh
        .iter()
        .filter(|(name, bytes)| fs::read(out_dir.join(name)).ok().as_ref() != Some(bytes))
        .map(|(name, _)| name.clone())
        .collect();
    if out_dir.is_dir() {
        for entry in fs::read_dir(out_dir)? {
            let name = file_name(&entry?.path());
            if !fresh.iter().any(|(known, _)| *known == name) {
                stale.push(format!("{name} (no longer generated)"));
            }
        }
    }
    stale.sort();
    Ok(stale)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> PathBuf {
        crate::root()
    }

    #[test]
    fn the_committed_files_are_up_to_date() {
        run(&root(), true).expect("run `cargo xtask codegen`");
    }

    #[test]
    fn a_changed_a_missing_and_a_left_over_file_are_named() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("same.rs"), b"same").expect("written");
        fs::write(dir.path().join("changed.rs"), b"old").expect("written");
        fs::write(dir.path().join("left.rs"), b"left").expect("written");
        let fresh = ["changed.rs", "missing.rs", "same.rs"].map(|name| {
            let text = if name == "same.rs" { "same" } else { "new" };
            (name.to_owned(), text.as_bytes().to_vec())
        });
        let stale = stale_files(dir.path(), &fresh).expect("readable");
        assert_eq!(stale, ["changed.rs", "left.rs (no longer generated)", "missing.rs"]);
    }

    #[test]
    fn reflection_shows_the_api_with_its_comments_and_no_records() {
        let bytes = reflected(&root().join("proto")).expect("valid protos");
        let files = prost_types::FileDescriptorSet::decode(bytes.as_slice()).expect("a descriptor set");
        let names: Vec<&str> = files.file.iter().map(|file| file.name()).collect();
        assert!(
            names.contains(&"paymux/v1/orders.proto") && names.contains(&"google/rpc/status.proto"),
            "{names:?}"
        );
        assert!(!names.contains(&"paymux/v1/records.proto"), "{names:?}");
        assert!(files.file.iter().any(|file| file.source_code_info.is_some()));
    }
}
