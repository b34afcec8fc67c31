//! Fetches secrets from files and the environment; nobody else reads them, and nothing prints them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use paymux_providers::SecretRef;
use secrecy::SecretString;

use super::seen::Looking;

/// Bytes of one secret.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Where secrets are fetched from.
#[derive(Debug)]
pub(super) struct Secrets<'a> {
    /// Relative paths are taken from here: the folder of the configuration file.
    pub(super) folder: PathBuf,
    /// The environment.
    pub(super) environment: &'a BTreeMap<OsString, OsString>,
    /// Where the files are noted that were looked at.
    pub(super) looking: &'a Looking,
}

impl Secrets<'_> {
    /// The secret, or why there is none; the reason never holds it.
    pub(super) fn fetch(&self, reference: &SecretRef) -> Result<SecretString, String> {
        match reference {
            SecretRef::File(path) => {
                let path = self.folder.join(path);
                self.looking.note(&path);
                let unreadable =
                    |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
                let bytes = std::fs::metadata(&path).map_err(unreadable)?.len();
                if bytes > SECRET_BYTES_MAX {
                    return Err(format!(
                        "{} has {bytes} bytes, more than {SECRET_BYTES_MAX}",
                        path.display()
                    ));
                }
                std::fs::read_to_string(&path).map(SecretString::from).map_err(unreadable)
            }
            SecretRef::Env(name) => match self.environment.get(&OsString::from(name)) {
                None => Err(format!("the environment variable {name} is not set")),
                Some(value) => match value.to_str() {
                    Some(text) => Ok(SecretString::from(text)),
                    None => Err(format!("the environment variable {name} is not UTF-8")),
                },
            },
        }
    }
}
