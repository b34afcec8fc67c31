//! What a folder keeps from run to run: private keys, and the time from which its schedules run faster.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;
use paymux_domain::time::ClockFactor;
use paymux_simulators::keys::{self, GeneratedKey, SecretPem};
use paymux_simulators::wechatpay::PlatformKeys;

/// The configuration in a folder.
pub(super) const CONFIG_FILE: &str = "paymux.toml";

/// The data in a folder.
pub(super) const DATA_FOLDER: &str = "data";

/// The origin of an earlier run; `None` when there was none.
///
/// # Errors
/// The folder's orders live at another factor: with this one their time would jump, or go back.
pub(super) fn origin_ms(folder: &Path, factor: ClockFactor) -> anyhow::Result<Option<i64>> {
    let file = folder.join(CONFIG_FILE);
    if !folder.join(DATA_FOLDER).exists() || !file.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    let kept: toml::Table =
        text.parse().map_err(|_| anyhow::anyhow!("{} is not a configuration", file.display()))?;
    let integer = |key: &str| kept.get(key).and_then(toml::Value::as_integer);
    let kept_factor = integer("clock_factor").unwrap_or(1);
    anyhow::ensure!(
        kept_factor == i64::from(factor.get()),
        "the orders in {} live {kept_factor} times as fast as real time; give --clock-factor {kept_factor}, or another \
         folder",
        folder.display()
    );
    Ok(integer("clock_origin_ms"))
}

/// The key of that name: the folder's, or a new one that it keeps. Computes; not for async workers.
pub(super) fn key(secrets: &Path, name: &str) -> anyhow::Result<GeneratedKey> {
    let file = secrets.join(format!("{name}.pem"));
    match fs::read_to_string(&file) {
        Ok(pem) => keys::of_private(SecretPem::new(pem))
            .with_context(|| format!("{}; delete it for a new key", file.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = keys::generate()?;
            fs::write(&file, key.private_key_pem.expose())
                .with_context(|| format!("{} cannot be written", file.display()))?;
            Ok(key)
        }
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
    }
}

/// The platform's keys, kept as the others.
pub(super) fn platform(secrets: &Path) -> anyhow::Result<PlatformKeys> {
    let certificate = key(secrets, "platform_certificate")?;
    let public_key = key(secrets, "platform_key")?;
    Ok(PlatformKeys {
        certificate_serial: certificate.serial,
        certificate_key_pem: certificate.private_key_pem,
        public_key_id: format!("PUB_KEY_ID_{}", public_key.serial),
        public_key_pem: public_key.private_key_pem,
    })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_key_stays() {
        let folder = TempDir::new().unwrap();
        let first = key(folder.path(), "1900000109").unwrap();
        let again = key(folder.path(), "1900000109").unwrap();
        assert_eq!((first.serial, first.public_key_pem), (again.serial, again.public_key_pem));
        fs::write(folder.path().join("other.pem"), "no key").unwrap();
        let fault = format!("{:#}", key(folder.path(), "other").unwrap_err());
        assert!(fault.contains("other.pem; delete it for a new key"), "{fault}");
    }

    #[test]
    fn time_goes_on_where_it_was_and_never_at_another_pace() {
        let folder = TempDir::new().unwrap();
        let (slow, fast) = (ClockFactor::new(60).unwrap(), ClockFactor::new(120).unwrap());
        let config = "clock_factor = 60\nclock_origin_ms = 1735689600000\n";
        fs::write(folder.path().join(CONFIG_FILE), config).unwrap();
        assert_eq!(origin_ms(folder.path(), fast).unwrap(), None, "there are no orders yet");
        fs::create_dir(folder.path().join(DATA_FOLDER)).unwrap();
        assert_eq!(origin_ms(folder.path(), slow).unwrap(), Some(1_735_689_600_000));
        let fault = origin_ms(folder.path(), fast).unwrap_err().to_string();
        assert!(fault.contains("give --clock-factor 60"), "{fault}");
    }
}
