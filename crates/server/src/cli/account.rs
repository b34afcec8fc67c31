//! Which account `sign` and `verify` work with, and how they read what they are given.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use clap::builder::PossibleValuesParser;
use paymux_providers::PROVIDERS;

use crate::config::{Faults, OneAccount, read_account};

/// Bytes of an input at most; bodies that providers take are far smaller.
const INPUT_BYTES_MAX: u64 = 1024 * 1024;

/// Which account.
#[derive(Clone, Debug, Args)]
pub(super) struct AccountArgs {
    /// The provider.
    #[arg(value_name = "PROVIDER", value_parser = PossibleValuesParser::new(PROVIDERS.iter().map(|known| known.name)))]
    provider: String,
    /// The account: a TOML file with the keys of its section (`config example` explains them), or a whole configuration
    /// or merchant file. Secrets are named by ..._file or ..._env, paths are taken from the file's folder.
    #[arg(long, value_name = "FILE")]
    account: PathBuf,
    /// Which of several accounts: [accounts.NAME] in the file.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

impl AccountArgs {
    pub(super) fn read(&self) -> Result<OneAccount, Faults> {
        read_account(&self.account, &self.provider, self.name.as_deref(), std::env::vars_os())
    }
}

/// Reads a file, or standard input for `-`, byte for byte.
pub(super) fn read_input(flag: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    let told = || format!("{flag}: {} cannot be read", path.display());
    let bytes = if path == Path::new("-") {
        read_all(std::io::stdin().lock())
    } else {
        std::fs::File::open(path).and_then(read_all)
    };
    let bytes = bytes.with_context(told)?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|bytes| bytes <= INPUT_BYTES_MAX);
    anyhow::ensure!(fits, "{flag}: {} has more than {INPUT_BYTES_MAX} bytes", path.display());
    Ok(bytes)
}

fn read_all(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
